-- One person's standing, unless a newer one is known. Where the board is whole, what moved is remembered to be told.
-- KEYS: ranks, people, made, moved, passed
-- ARGV: user, number of the change, thousandths, member of the ranks ('' where gone), their life (s), most passed
local known, was = redis.call('HGET', KEYS[2], ARGV[1]), false
if known then
  local space = string.find(known, ' ', 1, true)
  if tonumber(string.sub(known, 1, space - 1)) >= tonumber(ARGV[2]) then return 0 end
  local before = string.sub(known, space + 1)
  if before ~= '' then
    was = redis.call('ZREVRANK', KEYS[1], before)
    redis.call('ZREM', KEYS[1], before)
  end
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[4])
local now = false
if ARGV[4] ~= '' then
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4])
  now = redis.call('ZREVRANK', KEYS[1], ARGV[4])
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
if redis.call('GET', KEYS[3]) ~= RUN then return 1 end
redis.call('HSETNX', KEYS[4], ARGV[1], was and tostring(was + 1) or '')
redis.call('EXPIRE', KEYS[4], ARGV[5])
if was and now and now < was and redis.call('HLEN', KEYS[5]) < tonumber(ARGV[6]) then
  for _, each in ipairs(redis.call('ZREVRANGE', KEYS[1], now + 1, math.min(was, now + 20))) do
    redis.call('HSET', KEYS[5], string.sub(each, string.find(each, ':', 1, true) + 1), ARGV[1])
  end
  redis.call('EXPIRE', KEYS[5], ARGV[5])
end
return 1
