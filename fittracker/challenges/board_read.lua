-- A stretch of the board, and where one person stands on it; empty where the board has to be made.
-- KEYS: ranks, people, made; ARGV: first and last place (from 0), user
if redis.call('GET', KEYS[3]) ~= RUN then return {} end
local mine, known = {}, redis.call('HGET', KEYS[2], ARGV[3])
if known then
  local member = string.sub(known, string.find(known, ' ', 1, true) + 1)
  local rank = member ~= '' and redis.call('ZREVRANK', KEYS[1], member)
  if rank then mine = {rank, redis.call('ZSCORE', KEYS[1], member)} end
end
return {redis.call('ZCARD', KEYS[1]), redis.call('ZREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'WITHSCORES'), mine}
