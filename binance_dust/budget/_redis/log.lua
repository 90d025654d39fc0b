-- A log of batches and a snapshot of what came of them: Redis keeps both, and knows nothing of pools.
--
--   KEYS  the snapshot, a hash; and the log, a list: what happened since, and a little before
--   ARGV  the time, which only tests give; the name of a function below; its arguments
--
-- Positions count entries from the first one of all. '@base' is that of the log's first entry, '@at'
-- that of the snapshot. '@epoch' is another one whenever the positions begin anew.

local STATE, LOG = KEYS[1], KEYS[2]
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local function expire(milliseconds)
  redis.call('PEXPIRE', STATE, milliseconds)
  redis.call('PEXPIRE', LOG, milliseconds)
end

local function set(first)
  for i = first, #ARGV, 2 do redis.call('HSET', STATE, ARGV[i], ARGV[i + 1]) end
end

local functions = {}

-- Add a batch to the log; return the batches after a position, with it. `false` if the caller has to
-- load: the state began anew, or it is too far behind, or its last entry (at the time `last`) is none.
-- For other versions: when a ban ends, and when somebody was heard last, if that was not `alone` the end.
function functions.append(epoch, since, last, keep, ban, alone, batch)
  local kept = redis.call('HMGET', STATE, '@epoch', '@base', '@at')
  if kept[1] ~= epoch then return false end
  local first, size = tonumber(since) - tonumber(kept[2]), redis.call('LLEN', LOG)
  if first < 0 or first > size then return false end
  if first > 0 and last ~= '' then
    local time = cmsgpack.pack(tonumber(last))
    if string.sub(redis.call('LINDEX', LOG, first - 1), 2, #time + 1) ~= time then return false end
  end
  redis.call('RPUSH', LOG, '\146' .. cmsgpack.pack(now) .. batch)
  redis.call('HSET', STATE, '@ban', ban, '@heard', alone == '1' and '-1' or string.format('%.6f', now))
  expire(keep)
  local entries = redis.call('LRANGE', LOG, first, -1)
  return '\146' .. cmsgpack.pack(tonumber(kept[3])) .. '\221' .. struct.pack('>I4', #entries)
    .. table.concat(entries)
end

-- Return the time, the snapshot, and the batches after it.
function functions.load()
  local kept = redis.call('HMGET', STATE, '@base', '@at')
  local time = string.format('%.6f', now)
  if not kept[2] then return { time, {}, {} } end
  local first = tonumber(kept[2]) - tonumber(kept[1])
  return { time, redis.call('HGETALL', STATE), redis.call('LRANGE', LOG, first, -1) }
end

-- Begin anew with a snapshot, if nobody else has done so meanwhile.
function functions.create(expected, epoch, position, keep)
  if (redis.call('HGET', STATE, '@epoch') or '') ~= expected then return 0 end
  redis.call('DEL', STATE, LOG)
  redis.call('HSET', STATE, '@epoch', epoch, '@base', position, '@at', position)
  set(7)
  expire(keep)
  return 1
end

-- Bring the snapshot to a position, if it still is where the caller knew it, and cut off old entries.
function functions.save(epoch, expected, position, entries, removed)
  local kept = redis.call('HMGET', STATE, '@epoch', '@at', '@base')
  if kept[1] ~= epoch or kept[2] ~= expected then return 0 end
  removed = tonumber(removed)
  for i = 8, 7 + removed do redis.call('HDEL', STATE, ARGV[i]) end
  set(8 + removed)
  redis.call('HSET', STATE, '@at', position)
  local base = tonumber(position) - tonumber(entries)
  if base > tonumber(kept[3]) then
    redis.call('LTRIM', LOG, base - tonumber(kept[3]), -1)
    redis.call('HSET', STATE, '@base', base)
  end
  return 1
end

-- Publish to channels; return those that nobody listens to.
function functions.tell(...)
  local deaf, pairs = {}, { ... }
  for i = 1, #pairs, 2 do
    if redis.call('PUBLISH', pairs[i], pairs[i + 1]) == 0 then deaf[#deaf + 1] = pairs[i] end
  end
  return deaf
end

return functions[ARGV[2]](unpack(ARGV, 3, math.min(#ARGV, 60)))
