-- One durable event: a place in the room's order, into the window, and to everybody who listens.
-- KEYS: room's state, window, pending numbers, the sender's client id, rooms with something pending
-- ARGV: room, record, at (unix ms), head and tail of the event, window length, its life, the client id's
--       life, the state's life (all s), most pending, channel, whether MongoDB was asked for this event
local known = redis.call('GET', KEYS[4])
if known then return {'known', known} end
local state = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'run', 'doubtful')
if not state[1] or state[3] ~= RUN then return {'lost'} end
if ARGV[12] == '0' and state[4] and tonumber(state[4]) > tonumber(redis.call('TIME')[1]) then
  return {'doubtful'} -- it may have been sent before, to a server that has forgotten it
end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[10]) then return {'full'} end
local epoch, seq = state[1], string.format('%d', state[2] + 1)
redis.call('HSET', KEYS[1], 'seq', seq)
redis.call('EXPIRE', KEYS[1], ARGV[9])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], seq .. '-1', 'e', epoch, 'r', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[7])
redis.call('SET', KEYS[4], seq .. ' ' .. epoch .. ' ' .. ARGV[3], 'EX', ARGV[8])
redis.call('ZADD', KEYS[3], seq, seq)
redis.call('ZADD', KEYS[5], 'NX', ARGV[3], ARGV[1])
local place = epoch .. ' ' .. seq
redis.call('PUBLISH', ARGV[11], 'd' .. ORIGIN .. string.char(#place) .. place
  .. ARGV[4] .. seq .. ',"epoch":"' .. epoch .. '",' .. ARGV[5])
return {'new', seq, epoch}
