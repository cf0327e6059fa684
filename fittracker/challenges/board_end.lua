-- The board is whole, if nothing of it was lost meanwhile: then the builder's mark is still there.
-- KEYS: made, builder; ARGV: token, how long it is believed (s)
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], RUN, 'EX', ARGV[2])
return 1
