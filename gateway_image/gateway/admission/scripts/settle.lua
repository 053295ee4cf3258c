-- Replaces what was reserved in windows by what was used; what has left its window, or was counted in a state
-- of it that is lost, is left alone.
--
-- ARGV, for each of KEYS: 'bucket', 'lease' or 'final', which is how it was counted; the bucket or the minute in
-- which the lease ends; what was reserved; what was used; when the window was born, 0 if that does not matter.
for i, key in ipairs(KEYS) do
  local how, place = ARGV[5 * i - 4], ARGV[5 * i - 3]
  local reserved, used, born = tonumber(ARGV[5 * i - 2]), tonumber(ARGV[5 * i - 1]), tonumber(ARGV[5 * i])
  if how == 'bucket' then
    correct_bucket(key, place, used - reserved, born)
  else
    local found = redis.call('HMGET', key, 'born', 'used', 'reserved', place)
    if tonumber(found[1]) == born then
      local settled = tonumber(found[2])
      if how == 'final' then
        redis.call('HSET', key, 'used', max(settled + used - reserved, 0))
      else
        -- A lease that has ended was given back already.
        local leased = tonumber(found[4] or 0)
        local back = min(reserved, leased)
        redis.call('HSET', key, 'used', settled + used)
        if found[4] then
          redis.call('HSET', key, place, leased - back, 'reserved', max(tonumber(found[3] or 0) - back, 0))
        end
      end
    end
  end
end
