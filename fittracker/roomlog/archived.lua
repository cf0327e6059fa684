-- These numbers are in MongoDB. Gives the room's present epoch, empty where it has none here.
-- KEYS: room's state, pending numbers, rooms with something pending; ARGV: room, numbers...
for i = 2, #ARGV do redis.call('ZREM', KEYS[2], ARGV[i]) end
if redis.call('ZCARD', KEYS[2]) == 0 then redis.call('ZREM', KEYS[3], ARGV[1]) end
local state = redis.call('HMGET', KEYS[1], 'epoch', 'run')
if state[1] and state[2] == RUN then return state[1] end
return ''
