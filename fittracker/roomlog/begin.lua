-- A new epoch, where there is none, where it is of another life of this server, or where it is `expected`.
-- For a day the numbers that clients gave are not all known here: until then MongoDB is asked as well.
-- KEYS: room's state; ARGV: new epoch, floor, expected epoch, the state's life, a client id's life (s), channel
local state = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'run')
if state[1] and state[3] == RUN and state[1] ~= ARGV[3] then return {state[1], state[2]} end
local seq = string.format('%d', math.max(tonumber(state[2] or 0), tonumber(ARGV[2])))
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'seq', seq, 'run', RUN)
if tonumber(ARGV[2]) > 0 then
  redis.call('HSET', KEYS[1], 'doubtful', redis.call('TIME')[1] + ARGV[5])
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
local place = ARGV[1] .. ' ' .. seq
redis.call('PUBLISH', ARGV[6], 'g' .. ORIGIN .. string.char(#place) .. place)
return {ARGV[1], seq}
