-- Whoever shall make the board: one at a time, from nothing.
-- KEYS: ranks, people, made, moved, passed, builder; ARGV: token, how long the builder has (ms)
if redis.call('GET', KEYS[3]) == RUN then return 'made' end
if not redis.call('SET', KEYS[6], ARGV[1], 'NX', 'PX', ARGV[2]) then return 'busy' end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
return 'yours'
