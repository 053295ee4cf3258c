-- Notes that a process (ARGV[1]) is there; returns how many were in the last ARGV[2] seconds. KEYS[1]: a sorted
-- set of the processes by when they were last heard of.
local since = now - tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. since)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
