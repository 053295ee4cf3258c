-- Corrects the amount counted in a second (ARGV[1]) of a window (KEYS[1]) by ARGV[2], unless it has left the
-- window. admit.lua says what a window is.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'used', ARGV[2])
end
