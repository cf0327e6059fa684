-- What has moved since it was last told, and who was passed by whom; 'later' where it was told a moment ago.
-- KEYS: ranks, people, made, moved, passed, told, noticed
-- ARGV: how far apart it is told (ms), most changes, how many lead, present hour, life of noticed (s)
if not redis.call('SET', KEYS[6], '1', 'NX', 'PX', ARGV[1]) then return 'later' end
local news = {}
if redis.call('GET', KEYS[3]) == RUN then
  local changes = {}
  local complete = redis.call('HLEN', KEYS[4]) <= tonumber(ARGV[2])
  local function place(user)
    local known = redis.call('HGET', KEYS[2], user)
    local member = known and string.sub(known, string.find(known, ' ', 1, true) + 1) or ''
    local rank = member ~= '' and redis.call('ZREVRANK', KEYS[1], member)
    if rank then return tostring(rank + 1), redis.call('ZSCORE', KEYS[1], member) end
    return '', ''
  end
  if complete then
    local moved = redis.call('HGETALL', KEYS[4])
    for i = 1, #moved, 2 do
      local rank, value = place(moved[i])
      changes[#changes + 1] = {moved[i], moved[i + 1], rank, value}
    end
  end
  local overtaken, passed = {}, redis.call('HGETALL', KEYS[5])
  for i = 1, #passed, 2 do
    local rank, value = place(passed[i])
    local fresh = redis.call('HGET', KEYS[7], passed[i]) ~= ARGV[4]
    if fresh then redis.call('HSET', KEYS[7], passed[i], ARGV[4]) end
    overtaken[#overtaken + 1] = {passed[i], passed[i + 1], rank, value, fresh and 1 or 0}
  end
  if #overtaken > 0 then redis.call('EXPIRE', KEYS[7], ARGV[5]) end
  local leaders = redis.call('ZREVRANGE', KEYS[1], 0, ARGV[3] - 1, 'WITHSCORES')
  news = {redis.call('ZCARD', KEYS[1]), complete and 1 or 0, leaders, changes, overtaken}
end
redis.call('DEL', KEYS[4], KEYS[5])
return news
