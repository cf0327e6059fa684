-- The room's epoch and newest number; empty where this life of the server has none.
-- KEYS: room's state
local state = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'run')
if state[1] and state[3] == RUN then return {state[1], state[2]} end
return {}
