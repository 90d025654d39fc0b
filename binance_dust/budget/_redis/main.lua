-- One call of one process: its operations in their order; then the waiters that may go.

local function take_in_flight(id)
  local packed = redis.call('HGET', IN_FLIGHT, id)
  if not packed then return nil end
  redis.call('HDEL', IN_FLIGHT, id)
  return cmsgpack.unpack(packed)
end

local function event(kind, name, seconds)
  reply.events[#reply.events + 1] = { kind, name, seconds }
end

-- Tell every process that a pool is shut, or the address: each tells its own waiters.
local function tell_all(P)
  shut_pools[P and P.key or ''] = true
end

local function shut_gate(seconds)
  local known = G.gate.till > now
  valve.shut(G.gate, now + seconds)
  if not known then event('banned', '', seconds) end
  tell_all(nil)
end

local function hit_wall()
  if G.walled and now >= G.gate.till then
    shut_gate(K.wall)
  else
    G.walled, G.gate.open = true, false
  end
end

local function ended(P, id, good)
  valve.ended(P.valve, id, good)
  if not G.gate.open and valve.ended(G.gate, id, good) then
    if good then G.walled = false end
    serve_all = true
  end
  touch(P)
end

local function lose(id, admission)
  local P = pool_at(admission.key)
  if P then
    pool.lose(P, admission)
    ended(P, id, false)
  end
end

-- Remove a dead process. Its calls in flight may have been sent, so they count for a window.
local function remove_process(pid)
  redis.call('ZREM', ALIVE, pid)
  if redis.call('HLEN', IN_FLIGHT) == 0 then return end
  for _, id in ipairs(redis.call('HKEYS', IN_FLIGHT)) do
    if string.sub(id, 1, #pid + 1) == pid .. ':' then lose(id, take_in_flight(id)) end
  end
  for key in pairs(G.lines) do touch(pool_at(key)) end
end

local ops = {}  -- by the letters of `_messages.py`

-- Admit, or queue.
function ops.a(ticket, key, name, kind, account, weight, lane, waited, behind, since, left)
  local P = touch(open_pool(key, name, kind, account))
  viewed[key] = true
  if weight > P.limit then return refuse(ticket, 'never', P.limit) end
  if P.waiting == 0 and #G.paced == 0 and (not left or left > 0)
    and queue.try(P, weight, call.pid, ticket, false) then
    return
  end
  if G.gate.till - now > call.patience then return refuse(ticket, 'banned', G.gate.till - now) end
  if left then
    local ahead = queue.weight_before(P, lane, weight)
    local calls = math.min(P.waiting, math.floor(ahead / weight)) + 1
    local paced = now + math.max(0, calls - call.burst) / call.leak
    local at = math.max(pool.earliest(P, ahead + weight), G.gate.till, paced)
    if left <= at - now then return refuse(ticket, 'late', at - now) end
  end
  if since == '' then
    -- Calls that come in one batch get the places that they would have if they had come as fast as the
    -- limit lets them go. Otherwise a process that is a moment earlier with a thousand calls blocks all.
    G.serial = (G.serial + 1) % 1e9
    local asked = now - waited
    since = string.format('%017.6f%09d%017.6f', asked + behind, G.serial, asked)
  end
  queue.join(P, lane, since, call.pid, ticket, weight)
  reply.joined[#reply.joined + 1] = { ticket, since }
end

-- Leave the queue.
function ops.c(ticket, key, weight, lane, since)
  local P = pool_at(key)
  if P then
    queue.leave(P, lane, since, call.pid, ticket, weight)
    touch(P)
  end
end

-- Settle: `wait` is what the exchange asked for, -1 if nothing.
function ops.s(id, used, status, wait)
  local admission = take_in_flight(id)
  if not admission then return end
  local P = pool_at(admission.key)
  if not P then return end
  viewed[P.key] = true
  local proof = pool.answer(P, admission, used)
  if status == 'banned' then
    shut_gate(wait)
  elseif status == 'refused' then
    proof = pool.refuse(P, admission, wait) or proof
    event('refused', P.name, P.valve.till - now)
    tell_all(P)
  elseif status == 'walled' then
    hit_wall()
  end
  if proof then event(proof, P.name, 0) end
  ended(P, id, status == 'good')
end

-- End without an answer.
function ops.u(id)
  local admission = take_in_flight(id)
  if admission then lose(id, admission) end
end

-- End a call that never left.
function ops.r(id)
  local admission = take_in_flight(id)
  local P = admission and pool_at(admission.key)
  if P then
    viewed[P.key] = true
    pool.give_back(P, admission)
    ended(P, id, false)
  end
end

-- The transport sent copies of a call.
function ops.x(id, weight)
  local packed = redis.call('HGET', IN_FLIGHT, id)
  if not packed then return end
  local admission = cmsgpack.unpack(packed)
  admission.extra = admission.extra + weight
  redis.call('HSET', IN_FLIGHT, id, cmsgpack.pack(admission))
  local P = pool_at(admission.key)
  if P then
    P.taken = P.taken + weight
    viewed[P.key] = true
  end
end

-- View a pool: serve its queue, and return it.
function ops.v(key)
  local P = pool_at(key)
  if P then
    touch(P)
    viewed[key] = true
  end
end

-- Heartbeat: it comes back as a message, to see whether messages arrive.
function ops.h(beat)
  message_to(call.pid).beat = beat
end

-- A call that was in flight while its process was away. If it is not known here, either the process
-- was taken for dead, and the call counts as lost already; or Redis has lost it, with everything or (in
-- a failover) with the last moment.
function ops.f(old, id, key, name, kind, account, weight)
  local admission = take_in_flight(old)
  if not admission then
    local was_dead = not redis.call('ZSCORE', ALIVE, string.match(old, '^[^:]*'))
    if was_dead and not new_epoch then return end
    local P = touch(open_pool(key, name, kind, account))
    P.taken, P.flying = P.taken + weight, P.flying + 1
    admission = { key = key, weight = weight, extra = 0, sent = now, witness = false, alone = false,
      answered = 0, cleared = P.taken, cut = -1 }
  end
  for _, v in ipairs({ G.gate, pool_at(admission.key) and pool_at(admission.key).valve }) do
    if v.first == old then v.first = id end
  end
  redis.call('HSET', IN_FLIGHT, id, cmsgpack.pack(admission))
end

-- What a process has spent in the last window: admitted by Redis (`anew`: it counts only if Redis has
-- lost it), or spent alone.
function ops.w(anew, key, name, kind, account, spent, lost, shut)
  local P = touch(open_pool(key, name, kind, account))
  if shut > 0 then valve.shut(P.valve, now + shut) end
  if anew and not new_epoch then return end
  own.spent(P)
  local slots, rows = P.slots, {}
  for i = 1, #slots, 3 do rows[#rows + 1] = { slots[i], slots[i + 1], slots[i + 2] } end
  for i = 1, #spent, 3 do
    rows[#rows + 1] = { now - spent[i], now - spent[i + 1], spent[i + 2] }
    P.taken, P.answered = P.taken + spent[i + 2], P.answered + spent[i + 2]
  end
  table.sort(rows, function(a, b) return a[2] < b[2] end)
  P.slots = {}
  for _, row in ipairs(rows) do
    for i = 1, 3 do P.slots[#P.slots + 1] = row[i] end
  end
  P.slots_opened = NEVER
  if lost > 0 then
    P.taken = P.taken + lost
    own.lose(P, lost, now)
  end
end

-- A ban that a process met while it was away.
function ops.g(seconds)
  if now + seconds > G.gate.till then shut_gate(seconds) end
end

-- A process ends, and says so.
function ops.q() quits = true end

-- Write back what changed.
local function save()
  for key, P in pairs(pools) do redis.call('HSET', STATE, 'p' .. key, cmsgpack.pack(P)) end
  redis.call('HSET', STATE, 'g', cmsgpack.pack(G))
  -- An idle budget expires, but no ban is forgotten before it lifts.
  local keep = math.ceil(1000 * (math.max(0, G.gate.till - now) + W * K.idle_ttl))
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, keep) end
end

-- --- the call itself ----------------------------------------------------------------------------

for _, pid in ipairs(redis.call('ZRANGEBYSCORE', ALIVE, '-inf', now - call.lease, 'LIMIT', 0, 8)) do
  remove_process(pid)
end
reply.known = redis.call('ZSCORE', ALIVE, call.pid) and true or false
redis.call('ZADD', ALIVE, now, call.pid)
for _, op in ipairs(call.ops) do ops[op[1]](unpack(op, 2)) end
if quits then remove_process(call.pid) end

if serve_all then
  for key in pairs(G.lines) do touch(pool_at(key)) end
end
local turns = {}
for _, key in ipairs(touched) do
  if pools[key].waiting > 0 then turns[#turns + 1] = key end
end
for _, key in ipairs(turns) do
  if queue.serve(pools[key], K.most_served) then wait_for_pace(pools[key]) end
end
-- Pools that waited for the pace go in turn, one call of each.
if #G.paced > 0 and pace_allows() then
  local paced = G.paced
  G.paced = {}
  local i, checked = 1, 0
  while paced[i] and checked < K.most_served do
    local P = pool_at(paced[i])
    checked = checked + 1
    if P and touch(P) and queue.serve(P, 1) then paced[#paced + 1] = P.key end
    i = i + 1
    if #G.paced > 0 then break end
  end
  while paced[i] do
    wait_for_pace({ key = paced[i] })
    i = i + 1
  end
end

for _, key in ipairs(touched) do queue.watch(pools[key], viewed[key]) end
-- A shut pool, or a shut address: waiters with a deadline have to know at once.
for key in pairs(shut_pools) do
  local concerned = key ~= '' and { [key] = true } or G.lines
  for _, pid in ipairs(redis.call('ZRANGE', ALIVE, 0, -1)) do
    if pid ~= call.pid then
      local message = message_to(pid)
      message.gate = math.max(0, G.gate.till - now)
      for each in pairs(concerned) do
        local recheck = queue.recheck(pool_at(each))
        if recheck then message.looks[#message.looks + 1] = recheck end
      end
    end
  end
end
for key in pairs(viewed) do
  if pools[key] then reply.views[#reply.views + 1] = pool.view(pools[key]) end
end
reply.gate = math.max(0, G.gate.till - now)
reply.processes = redis.call('ZCARD', ALIVE)
save()
for pid, message in pairs(messages) do
  redis.call('PUBLISH', call.channel .. pid, cmsgpack.pack(message))
end
return cmsgpack.pack({
  reply.epoch, reply.known, reply.grants, reply.joined, reply.refused, reply.events, reply.looks,
  reply.views, reply.gate, reply.processes,
})
