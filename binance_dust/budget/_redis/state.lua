-- What is kept in Redis, and by what clock. Everything of one address lies in five keys; a call names
-- them all, as clusters require.
--
--   state     hash: 'g', what all pools share, and a field for each pool
--   line      sorted set: the waiters
--   flight    hash: calls that were admitted and have not ended
--   alive     sorted set: processes, by their last sign of life
--   accounts  sorted set: pools of accounts, by their last check
--
-- Names of fields, keys and messages are part of the layout (`_script.LAYOUT`).

local STATE, WAITERS, IN_FLIGHT, ALIVE, ACCOUNTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local NEVER = -1e15
local call = cmsgpack.unpack(ARGV[2])
local W = call.window
local KEEP = W * (1 + K.drift)
local reply = {
  grants = {}, joined = {}, refused = {}, events = {}, looks = {}, views = {},
}
local messages, shut_pools, viewed = {}, {}, {}
local serve_all, quits = false, false

local function message_to(pid)
  local message = messages[pid]
  if not message then
    message = { grants = {}, looks = {}, gate = -1, beat = -1 }
    messages[pid] = message
  end
  return message
end

local function grant(pid, ticket)
  local grants = pid == call.pid and reply.grants or message_to(pid).grants
  grants[#grants + 1] = ticket
end

local function refuse(ticket, why, seconds)
  reply.refused[#reply.refused + 1] = { ticket, why, seconds }
end

-- The server's time, which never goes back; tests pass their own.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local packed = redis.call('HGET', STATE, 'g')
local G = packed and cmsgpack.unpack(packed)
local banned_till = NEVER
if G and G.layout ~= K.layout then
  -- Another version keeps another layout. It is needed while one of its processes was alive in the last
  -- window; later the state starts anew, and only a ban is kept.
  local since = now + (G.shift or 0) - math.max(W, call.lease)
  if #redis.call('ZRANGEBYSCORE', ALIVE, since, '+inf', 'LIMIT', 0, 1) > 0 then
    return cmsgpack.pack({ '', G.layout or 0 })
  end
  banned_till = tonumber(G.gate and G.gate.till) or NEVER
  banned_till = banned_till - (G.shift or 0)
  G = nil
end
local new_epoch = not G or G.epoch ~= call.epoch
local began = not G
if began then
  redis.call('DEL', STATE, WAITERS, IN_FLIGHT, ALIVE, ACCOUNTS)
  G = {
    epoch = call.candidate, shift = 0, last = 0, walled = false, level = 0, leaked = now,
    boundaries = {}, paced = {}, lines = {}, serial = 0, offset = false, limits = call.limits,
    gate = { open = banned_till <= now, till = banned_till, first = false, lapses = NEVER },
    layout = K.layout,
  }
end
-- If the server's clock was set back, time goes on from the last moment.
now = now + G.shift
if now < G.last then
  G.shift = G.shift + (G.last - now)
  now = G.last
end
G.last = now
if began and call.epoch ~= '' then
  -- Redis was emptied, or this is another server: processes first report what they have spent.
  G.gate.open, G.gate.till = false, now + call.lease
end
reply.epoch = G.epoch

if call.exchange then G.offset = call.exchange - now end
local server = G.offset and now + G.offset

-- All processes of an address must have the same limits.
if table.concat(G.limits, ' ') ~= table.concat(call.limits, ' ') then
  for _, pid in ipairs(redis.call('ZRANGEBYSCORE', ALIVE, now - call.lease, '+inf')) do
    if pid ~= call.pid then return cmsgpack.pack({ table.concat(G.limits, ' ') }) end
  end
  G.limits = call.limits
end

local pools, touched, is_touched = {}, {}, {}

local function with_limits(P)
  P.limit, P.whole = unpack(call.kinds[P.kind])
  pools[P.key] = P
  return P
end

local function pool_at(key)
  if pools[key] then return pools[key] end
  local found = redis.call('HGET', STATE, 'p' .. key)
  return found and with_limits(cmsgpack.unpack(found)) or nil
end

local function touch(P)
  if P and not is_touched[P.key] then
    is_touched[P.key] = true
    touched[#touched + 1] = P.key
  end
  return P
end
