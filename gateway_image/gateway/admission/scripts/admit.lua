-- Admits a request if there is room for it in all of its caller's windows and at one of the deployments;
-- counts all or nothing.
--
-- KEYS: the caller's windows, then for each deployment its requests and its tokens.
-- ARGV: the number of the caller's windows; the tokens that the request may need; then for each of the
-- caller's windows its kind, its limit, the amount to count and 1 if that is a reservation, 0 if it is
-- final; then for each deployment its limits of requests and tokens, 0 for none.
--
-- Returns {outcome, seconds, second}, followed by {used, reset, wait, due, born} of each of the caller's windows.
-- outcome: the number of the deployment that takes the request, or one of those below. seconds: until there
-- is room. second: the time. used: what the window holds now. reset: seconds until nothing of it is left.
-- wait: seconds until there is room, or one of those below. due: 1 if the window has to be compared with the
-- ledger, which nobody else will do in the next CLAIM_SECONDS.
local NO_ROOM, REFUSED, UNKNOWN, CALLER_ALONE = 0, -1, -2, -3
local WAIT_NEVER, WAIT_UNKNOWN = -1, -2
local COMPARE_SECONDS, CLAIM_SECONDS = 60, 10
-- When to ask again if only what others have reserved is in the way; they seldom use all of it.
local RESERVED_SECONDS = 5

-- Reads a rolling window, when what has left it is out of it.
local function load_rolling(key, width)
  local bucket = floor(now / width)
  local found = redis.call('HMGET', key, 'used', 'oldest', 'newest', 'born', bucket)
  if not found[1] then
    return {key = key, width = width, bucket = bucket, used = 0, oldest = bucket, newest = bucket, here = 0,
            is_new = true, born = just_born}
  end
  local used, oldest, newest = tonumber(found[1]), tonumber(found[2]), tonumber(found[3])
  if newest < bucket - BUCKETS or newest > bucket + BUCKETS then
    -- All of it has left, or the clock was set back by more than the window.
    redis.call('DEL', key)
    return load_rolling(key, width)
  end
  if oldest < bucket - BUCKETS then
    used = max(used - take_out(key, oldest, bucket - BUCKETS - 1), 0)
    oldest = bucket - BUCKETS
    redis.call('HSET', key, 'used', used, 'oldest', oldest)
  elseif oldest > bucket then
    -- The clock was set back, and what is counted now must be found when it leaves the window.
    oldest = bucket
    redis.call('HSET', key, 'oldest', oldest)
  end
  return {key = key, width = width, bucket = bucket, used = used, oldest = oldest, newest = newest,
          here = tonumber(found[5] or 0), is_new = not found[5], born = tonumber(found[4])}
end

-- A bucket that has passed in part still counts in full: never more than the limit in any window.
local function wait_rolling(window, limit, amount)
  local excess = window.used + amount - limit
  if excess <= 0 then return 0 end
  local amounts, numbers = numbered(window.key, window.oldest, window.bucket)
  for i, counted in ipairs(amounts) do
    excess = excess - tonumber(counted or 0)
    if excess <= 0 then return (numbers[i] + BUCKETS + 1) * window.width - now end
  end
  return (window.bucket + BUCKETS + 1) * window.width - now
end

-- Most of a script's time goes into the words of its commands: only what changes is written.
local function count_rolling(window, amount)
  window.used = window.used + amount
  redis.call('HSET', window.key, 'used', window.used, window.bucket, window.here + amount)
  if window.is_new then
    window.newest = max(window.newest, window.bucket)
    redis.call('HSET', window.key, 'oldest', window.oldest, 'newest', window.newest, 'born', window.born)
    redis.call('EXPIRE', window.key, (BUCKETS + 1) * window.width)
  end
end

-- Reads a calendar window; nil if its state was lost.
local function load_calendar(key, kind)
  local number, ends = period_of(kind, now)
  local lease = floor((now + LEASE_SECONDS) / 60)
  local found = redis.call('HMGET', key, 'period', 'used', 'born', 'compared', 'reserved', 'first', lease)
  local period = tonumber(found[1])
  -- One that is ahead was kept by a clock that was wrong.
  if not period or period > number then return nil end
  if period < number then
    return {key = key, number = number, ends = ends, lease = lease, used = 0, reserved = 0, here = 0,
            compared = tonumber(found[4]), born = just_born, is_new = true}
  end
  local reserved, first = tonumber(found[5] or 0), tonumber(found[6])
  local last = floor(now / 60) - 1
  if first and first <= last then
    -- All reservations end within LEASE_SECONDS of each other, so that these are all, unless the clock was
    -- set: then more come next time.
    local some = min(last, first + 99)
    reserved = max(reserved - take_out(key, first, some), 0)
    first = (reserved == 0 and last or some) + 1
    redis.call('HSET', key, 'reserved', reserved, 'first', first)
  end
  return {key = key, number = number, ends = ends, lease = lease, used = tonumber(found[2]),
          reserved = reserved, first = first, here = tonumber(found[7] or 0), compared = tonumber(found[4]),
          born = tonumber(found[3])}
end

local function wait_calendar(window, limit, amount)
  if window.used + window.reserved + amount <= limit then return 0 end
  local left = window.ends and window.ends - now
  if window.used + amount <= limit then return min(RESERVED_SECONDS, left or RESERVED_SECONDS) end
  return left or WAIT_NEVER
end

local function count_calendar(window, amount, is_reservation)
  if window.is_new then
    redis.call('DEL', window.key)
    redis.call('HSET', window.key, 'period', window.number, 'used', 0, 'born', window.born,
               'compared', window.compared)
  end
  window.due = window.compared + COMPARE_SECONDS <= now or window.compared > now
  if is_reservation then
    window.reserved = window.reserved + amount
    redis.call('HSET', window.key, 'reserved', window.reserved, window.lease, window.here + amount)
    if not window.first or window.first > window.lease then
      redis.call('HSET', window.key, 'first', window.lease)
    end
  else
    window.used = window.used + amount
    redis.call('HSET', window.key, 'used', window.used)
  end
  if window.due then redis.call('HSET', window.key, 'compared', now + CLAIM_SECONDS - COMPARE_SECONDS) end
  if window.due or window.is_new then expire_calendar(window.key, window.ends) end
end

local windows, caller_windows, tokens = {}, tonumber(ARGV[1]), tonumber(ARGV[2])
local longest, is_refused, is_unknown = 0, false, false

for i = 1, caller_windows do
  local kind, limit, amount = ARGV[4 * i - 1], tonumber(ARGV[4 * i]), tonumber(ARGV[4 * i + 1])
  local width, window = WIDTH[kind], nil
  if width then
    window = load_rolling(KEYS[i], width)
    window.wait = wait_rolling(window, limit, amount)
  else
    window = load_calendar(KEYS[i], kind)
    if window then
      window.wait = wait_calendar(window, limit, amount)
    else
      window = {used = 0, reserved = 0, wait = WAIT_UNKNOWN, born = 0}
      is_unknown = true
    end
  end
  window.amount = amount
  windows[i] = window
  if window.wait == WAIT_NEVER then
    is_refused, longest = true, WAIT_NEVER
  elseif window.wait > 0 then
    is_refused = true
    if longest ~= WAIT_NEVER then longest = max(longest, window.wait) end
  end
end

local function reply(outcome, seconds)
  local result = {outcome, seconds, now}
  for _, window in ipairs(windows) do
    local reset = WAIT_NEVER
    if window.width then
      reset = window.used > 0 and (window.newest + BUCKETS + 1) * window.width - now or 0
    elseif window.ends then
      reset = window.ends - now
    end
    local n = #result
    result[n + 1], result[n + 2] = window.used + (window.reserved or 0), reset
    result[n + 3], result[n + 4], result[n + 5] = window.wait, window.due and 1 or 0, window.born
  end
  return result
end

local function count_caller()
  for i, window in ipairs(windows) do
    if window.width then
      count_rolling(window, window.amount)
    else
      count_calendar(window, window.amount, ARGV[4 * i + 2] == '1')
    end
  end
end

-- A window of a deployment, if its capacity is limited, with the seconds until there is room in it.
local function load_capacity(key, limit, amount)
  if limit == 0 then return nil, 0 end
  local window = load_rolling(key, WIDTH.minute)
  return window, wait_rolling(window, limit, amount)
end

if is_refused then return reply(REFUSED, longest) end
if is_unknown then return reply(UNKNOWN, 0) end
if #KEYS == caller_windows then
  count_caller()
  return reply(CALLER_ALONE, 0)
end

local least = BUCKETS + 1
for n = 1, (#KEYS - caller_windows) / 2 do
  local key, arg = caller_windows + 2 * n - 1, 4 * caller_windows + 2 * n + 1
  local request_limit, token_limit = tonumber(ARGV[arg]), tonumber(ARGV[arg + 1])
  -- A request that needs more than a whole minute's tokens takes all of them.
  local reserved = min(tokens, token_limit)
  local requests, seconds = load_capacity(KEYS[key], request_limit, 1)
  local token_window, token_seconds = load_capacity(KEYS[key + 1], token_limit, reserved)
  seconds = max(seconds, token_seconds)
  if seconds == 0 then
    count_caller()
    if requests then count_rolling(requests, 1) end
    if token_window then count_rolling(token_window, reserved) end
    return reply(n, 0)
  end
  least = min(least, seconds)
end
return reply(NO_ROOM, least)
