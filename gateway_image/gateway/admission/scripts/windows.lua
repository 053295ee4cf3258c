-- How the scripts keep windows; this text stands before each of them. The server's clock counts, so that the
-- processes' clocks do not matter. Every window is a hash; `born` says since when it has been kept without a
-- gap, so that nothing is settled in a window whose state was lost in between.
--
-- A rolling window holds 60 buckets, of a second or a minute each, by their number, with their sum in `used`,
-- the last of them in `newest`, and in `oldest` one before which there are none.
--
-- A calendar window holds the number of its period, what was used in it, and the sum of what is reserved.
-- A reservation ends by itself after LEASE_SECONDS, longer than any request, so that what a killed process
-- held comes back: what is reserved is kept by the minute in which it ends, the first of them in `first`.
-- `compared` is when the window was last compared with the ledger.
--
-- No number is written with HINCRBY and none is read but with tonumber: 1e+15 is as good as its 16 digits.
local BUCKETS = 60
local WIDTH = {minute = 1, hour = 60}
local LEASE_SECONDS = 1200
local DAY = 86400
-- Periods that have ended, and totals that nobody uses, are forgotten after this.
local KEPT_SECONDS = 3600
local TOTAL_KEPT_SECONDS = 32 * DAY

local time = redis.call('TIME')
local now = tonumber(time[1])
local just_born = now * 1000000 + tonumber(time[2])
local floor, max, min = math.floor, math.max, math.min

-- The fields with the numbers from `first` to `last`, and their names.
local function numbered(key, first, last)
  if last < first then return {}, {} end
  local names = {}
  for number = first, last do names[#names + 1] = number end
  return redis.call('HMGET', key, unpack(names)), names
end

-- Removes the fields from `first` to `last` and returns what they held.
local function take_out(key, first, last)
  local amounts, names = numbered(key, first, last)
  local sum, present = 0, {}
  for i, amount in ipairs(amounts) do
    if amount then
      sum = sum + tonumber(amount)
      present[#present + 1] = names[i]
    end
  end
  if #present > 0 then redis.call('HDEL', key, unpack(present)) end
  return sum
end

-- The months are counted from a March, so that a leap day is the last day of a year. Years repeat after 400,
-- which is 146097 days; 719468 days lie between the first of March of the year 0 and 1970.
local function month(days)
  days = days + 719468
  local era = floor(days / 146097)
  local day = days - era * 146097
  local year = floor((day - floor(day / 1460) + floor(day / 36524) - floor(day / 146096)) / 365)
  local function begins(y) return 365 * y + floor(y / 4) - floor(y / 100) + floor(y / 400) end
  local number = floor((5 * (day - begins(year)) + 2) / 153)
  local next_begins = begins(year + 1)
  if number < 11 then next_begins = begins(year) + floor((153 * (number + 1) + 2) / 5) end
  return (era * 400 + year) * 12 + number, (next_begins + era * 146097 - 719468) * DAY
end

-- The number of the period in which a second lies, and the second in which it ends, if it does.
local function period_of(kind, second)
  local days = floor(second / DAY)
  if kind == 'day' then return days, (days + 1) * DAY end
  if kind == 'month' then return month(days) end
  if kind == 'week' then
    -- The first day, a Thursday, is in the week of the Monday before.
    local week = floor((days + 3) / 7)
    return week, ((week + 1) * 7 - 3) * DAY
  end
  return 0, nil
end

local function expire_calendar(key, ends)
  redis.call('EXPIRE', key, ends and ends - now + KEPT_SECONDS or TOTAL_KEPT_SECONDS)
end

-- Corrects an amount in one bucket of a rolling window, unless the bucket has left it. It never goes below
-- zero, which it could after a failover to a replica that had not heard of all.
local function correct_bucket(key, bucket, change, born)
  local found = redis.call('HMGET', key, bucket, 'used', 'born')
  if not found[1] or (born ~= 0 and tonumber(found[3]) ~= born) then return end
  local amount = tonumber(found[1])
  local corrected = max(amount + change, 0)
  redis.call('HSET', key, bucket, corrected, 'used', max(tonumber(found[2]) + corrected - amount, 0))
end
