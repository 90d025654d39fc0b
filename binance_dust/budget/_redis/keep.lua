-- Opening pools, forgetting idle ones, and writing back what changed.

local function forget_idle()
  for _, key in ipairs(redis.call('ZRANGE', ACCOUNTS, 0, K.sweep - 1)) do
    local P = pool_at(key)
    if P and not pool.idle(P) then
      redis.call('ZADD', ACCOUNTS, now, key)
    elseif not is_touched[key] then
      redis.call('ZREM', ACCOUNTS, key)
      redis.call('HDEL', STATE, 'p' .. key)
      pools[key] = nil
    end
  end
end

local function open_pool(key, name, kind, account)
  local P = pool_at(key)
  if P then return P end
  if kind == 'uid' then
    forget_idle()
    redis.call('ZADD', ACCOUNTS, now, key)
  end
  return with_limits(pool.new(key, name, kind, account))
end

local function save()
  for key, P in pairs(pools) do redis.call('HSET', STATE, 'p' .. key, cmsgpack.pack(P)) end
  redis.call('HSET', STATE, 'g', cmsgpack.pack(G))
  -- What nobody asks for any more goes by itself, but no ban is forgotten before it lifts.
  local keep = math.ceil(1000 * (math.max(0, G.gate.till - now) + W * K.kept))
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, keep) end
end
