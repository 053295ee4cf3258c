-- What windows hold now, without counting or changing anything. ARGV: the kind of each of KEYS.
-- Returns {second}, followed by {used, reset} of each: used is -1 if the window's state was lost, reset the
-- seconds until nothing of it is left, -1 for never.
local result = {now}
for i, key in ipairs(KEYS) do
  local kind, used, reset = ARGV[i], 0, 0
  local fields = redis.call('HGETALL', key)
  local hash = {}
  for n = 1, #fields, 2 do hash[fields[n]] = tonumber(fields[n + 1]) end
  local width = WIDTH[kind]
  if width then
    local bucket = floor(now / width)
    local newest = hash.newest or bucket
    for name, amount in pairs(hash) do
      local number = tonumber(name)
      if number and number >= bucket - BUCKETS and newest <= bucket + BUCKETS then used = used + amount end
    end
    if used > 0 then reset = (newest + BUCKETS + 1) * width - now end
  else
    local number, ends = period_of(kind, now)
    reset = ends and ends - now or -1
    if not hash.period or hash.period > number then
      used = -1
    elseif hash.period == number then
      used = hash.used
      for name, amount in pairs(hash) do
        local minute = tonumber(name)
        if minute and minute >= floor(now / 60) then used = used + amount end
      end
    end
  end
  result[2 * i], result[2 * i + 1] = used, reset
end
return result
