-- Raises calendar windows to what the ledger holds; makes those that are not there. None is ever lowered: the
-- ledger learns of what was used a little later.
--
-- ARGV[1]: the second whose periods the ledger was asked for; those that have ended since are left alone.
-- ARGV[2]: 1 if the ledger has answered, 0 if windows have to begin without it.
-- ARGV, for each of KEYS: the window's kind and the ledger's sum.
local at, has_answered = tonumber(ARGV[1]), ARGV[2] == '1'
for i, key in ipairs(KEYS) do
  local kind, sum = ARGV[2 * i + 1], tonumber(ARGV[2 * i + 2])
  local number, ends = period_of(kind, now)
  if period_of(kind, at) == number then
    local found = redis.call('HMGET', key, 'period', 'used')
    if tonumber(found[1]) ~= number then
      redis.call('DEL', key)
      redis.call('HSET', key, 'period', number, 'used', sum, 'born', just_born, 'compared', has_answered and now or 0)
      expire_calendar(key, ends)
    elseif has_answered then
      redis.call('HSET', key, 'used', max(tonumber(found[2]), sum), 'compared', now)
    end
  end
end
