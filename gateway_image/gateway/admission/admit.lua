-- Admits a request if its caller and one of the deployments have room for it; counts all or nothing.
--
-- KEYS[1], ARGV[1]: the caller's requests and their limit. ARGV[2]: the tokens the request may need.
-- KEYS[2n], ARGV[2n+1]: the n-th deployment's requests and their limit; KEYS[2n+1], ARGV[2n+2]: its tokens.
-- A limit of 0 is none.
--
-- Returns {n, seconds, second, used, reset}: the deployment that takes the request, 0 if none has room, -1 if
-- the caller has none; the seconds until there is room; the second in which the request was counted; the
-- caller's requests; the seconds until all of them have left the window.
--
-- A window is a hash of the amounts counted in each second, with their sum in `used` and, in `oldest`, a
-- second before which there are none. The server's clock counts, so that the processes' clocks do not matter.
local WINDOW = 60
local now = tonumber(redis.call('TIME')[1])

-- A second that has passed in part still counts in full: never more than the limit in any 60 seconds.
local function advance(key)
  local fields = redis.call('HMGET', key, 'used', 'oldest')
  local used, oldest = tonumber(fields[1] or 0), tonumber(fields[2] or now)
  if oldest < now - WINDOW then
    for second = oldest, now - WINDOW - 1 do
      local amount = redis.call('HGET', key, second)
      if amount then
        used = used - amount
        redis.call('HDEL', key, second)
      end
    end
    oldest = now - WINDOW
    redis.call('HSET', key, 'used', used, 'oldest', oldest)
  elseif oldest > now then
    -- The clock was set back, and what is counted now must be found when it leaves the window.
    oldest = now
    redis.call('HSET', key, 'oldest', oldest)
  end
  return used, oldest
end

-- Also returns what the window holds.
local function seconds_until_room(key, limit, amount)
  if limit == 0 then return 0, 0 end
  local used, oldest = advance(key)
  local excess = used + amount - limit
  if excess <= 0 then return 0, used end
  for second = oldest, now do
    excess = excess - (redis.call('HGET', key, second) or 0)
    if excess <= 0 then return second + WINDOW + 1 - now, used end
  end
  return WINDOW + 1, used
end

local function count(key, limit, amount)
  if limit == 0 then return end
  redis.call('HINCRBY', key, 'used', amount)
  if redis.call('HINCRBY', key, now, amount) == amount then
    redis.call('HSETNX', key, 'oldest', now)
    redis.call('EXPIRE', key, WINDOW + 1)
  end
end

local caller_limit, tokens = tonumber(ARGV[1]), tonumber(ARGV[2])

local function reply(deployment, seconds, used)
  local reset = 0
  -- The key lives as long as what was counted in it last.
  if caller_limit > 0 then reset = math.max(redis.call('TTL', KEYS[1]), 0) end
  return {deployment, seconds, now, used, reset}
end

local seconds, used = seconds_until_room(KEYS[1], caller_limit, 1)
if seconds > 0 then return reply(-1, seconds, used) end

local least = WINDOW + 1
for n = 1, (#KEYS - 1) / 2 do
  local requests, request_limit = KEYS[2 * n], tonumber(ARGV[2 * n + 1])
  local token_window, token_limit = KEYS[2 * n + 1], tonumber(ARGV[2 * n + 2])
  -- A request that needs more than a whole minute's tokens takes all of them.
  local reserved = math.min(tokens, token_limit)
  seconds = math.max(
    (seconds_until_room(requests, request_limit, 1)),
    (seconds_until_room(token_window, token_limit, reserved))
  )
  if seconds == 0 then
    count(KEYS[1], caller_limit, 1)
    count(requests, request_limit, 1)
    count(token_window, token_limit, reserved)
    return reply(n, 0, used + (caller_limit > 0 and 1 or 0))
  end
  least = math.min(least, seconds)
end
return reply(0, least, used)
