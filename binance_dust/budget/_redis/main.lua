-- One call of one process: what happened, in its order; then whoever's turn has come.

local flights = {}

function flights.take(id)
  local packed = redis.call('HGET', FLIGHT, id)
  if not packed then return nil end
  redis.call('HDEL', FLIGHT, id)
  return cmsgpack.unpack(packed)
end

local function event(kind, name, seconds)
  reply.events[#reply.events + 1] = { kind, name, seconds }
end

-- Tell every process, for each has waiters of its own to tell.
local function tell_all(P)
  news[P and P.key or ''] = true
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
  valve.heard(P.valve, id, good)
  if not G.gate.open and valve.heard(G.gate, id, good) then
    if good then G.walled = false end
    everybody = true
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

-- What a process had admitted and never settled: it may have been sent, so it counts a window.
local function bury(pid)
  redis.call('ZREM', ALIVE, pid)
  if redis.call('HLEN', FLIGHT) == 0 then return end
  for _, id in ipairs(redis.call('HKEYS', FLIGHT)) do
    if string.sub(id, 1, #pid + 1) == pid .. ':' then lose(id, flights.take(id)) end
  end
  for key in pairs(G.lines) do touch(pool_at(key)) end
end

local ops = {}

-- Admit, or stand in line.
function ops.a(ticket, key, name, kind, account, weight, lane, waited, behind, since, left)
  local P = touch(open_pool(key, name, kind, account))
  viewed[key] = true
  if weight > P.limit then return refuse(ticket, 'never', P.limit) end
  if P.waiting == 0 and #G.paced == 0 and (not left or left > 0)
    and line.try(P, weight, call.pid, ticket, false) then
    return
  end
  if G.gate.till - now > call.patience then return refuse(ticket, 'banned', G.gate.till - now) end
  if left then
    local ahead = line.weight_before(P, lane, weight)
    local calls = math.min(P.waiting, math.floor(ahead / weight)) + 1
    local paced = now + math.max(0, calls - call.burst) / call.leak
    local at = math.max(pool.soonest(P, ahead + weight), G.gate.till, paced)
    if left <= at - now then return refuse(ticket, 'late', at - now) end
  end
  if since == '' then
    -- Of a crowd that comes at once each stands where it would if they had come as the limit lets
    -- them go: else whoever is a moment earlier with a thousand calls has the line to itself.
    G.serial = (G.serial + 1) % 1e9
    local asked = now - waited
    since = string.format('%017.6f%09d%017.6f', asked + behind, G.serial, asked)
  end
  line.join(P, lane, since, call.pid, ticket, weight)
  reply.joined[#reply.joined + 1] = { ticket, since }
end

-- Leave the line.
function ops.c(ticket, key, weight, lane, since)
  local P = pool_at(key)
  if P then
    line.leave(P, lane, since, call.pid, ticket, weight)
    touch(P)
  end
end

-- Settle: `wait` is what the exchange asked for, -1 if nothing.
function ops.s(id, used, status, wait)
  local admission = flights.take(id)
  if not admission then return end
  local P = pool_at(admission.key)
  if not P then return end
  viewed[P.key] = true
  local turn = pool.answer(P, admission, used)
  if status == 'banned' then
    shut_gate(wait)
  elseif status == 'refused' then
    turn = pool.refuse(P, admission, wait) or turn
    event('refused', P.name, P.valve.till - now)
    tell_all(P)
  elseif status == 'walled' then
    hit_wall()
  end
  if turn then event(turn, P.name, 0) end
  ended(P, id, status == 'good')
end

-- Nothing came back.
function ops.u(id)
  local admission = flights.take(id)
  if admission then lose(id, admission) end
end

-- It never left.
function ops.r(id)
  local admission = flights.take(id)
  local P = admission and pool_at(admission.key)
  if P then
    viewed[P.key] = true
    pool.give_back(P, admission)
    ended(P, id, false)
  end
end

-- Copies of it left unseen.
function ops.x(id, weight)
  local packed = redis.call('HGET', FLIGHT, id)
  if not packed then return end
  local admission = cmsgpack.unpack(packed)
  admission.extra = admission.extra + weight
  redis.call('HSET', FLIGHT, id, cmsgpack.pack(admission))
  local P = pool_at(admission.key)
  if P then
    P.taken = P.taken + weight
    viewed[P.key] = true
  end
end

-- Look at a pool: serve its line, show it.
function ops.v(key)
  local P = pool_at(key)
  if P then
    touch(P)
    viewed[key] = true
  end
end

-- Hear whether messages arrive.
function ops.h(beat)
  mail(call.pid).beat = beat
end

-- A call that was on its way while its process was away. It may be unknown: if the process was taken
-- for dead it counts as lost already; else it was forgotten, with all or (in a failover) with the last
-- moment.
function ops.f(old, id, key, name, kind, account, weight)
  local admission = flights.take(old)
  if not admission then
    local buried = not redis.call('ZSCORE', ALIVE, string.match(old, '^[^:]*'))
    if buried and not strange then return end
    local P = touch(open_pool(key, name, kind, account))
    P.taken, P.flying = P.taken + weight, P.flying + 1
    admission = { key = key, weight = weight, extra = 0, sent = now, witness = false, alone = false,
      answered = 0, cleared = P.taken, cut = -1 }
  end
  for _, v in ipairs({ G.gate, pool_at(admission.key) and pool_at(admission.key).valve }) do
    if v.first == old then v.first = id end
  end
  redis.call('HSET', FLIGHT, id, cmsgpack.pack(admission))
end

-- What a process knows of its own spending in the last window: of what it had from here (`anew`
-- tells that this counts only if we have lost it), or spent alone.
function ops.w(anew, key, name, kind, account, spent, lost, shut)
  local P = touch(open_pool(key, name, kind, account))
  if shut > 0 then valve.shut(P.valve, now + shut) end
  if anew and not strange then return end
  ledger.spent(P)
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
    ledger.lose(P, lost, now)
  end
end

-- A ban that a process heard of while it was away.
function ops.g(seconds)
  if now + seconds > G.gate.till then shut_gate(seconds) end
end

-- A process ends in peace.
function ops.q() quits = true end

-- --- the call itself ----------------------------------------------------------------------------

for _, pid in ipairs(redis.call('ZRANGEBYSCORE', ALIVE, '-inf', now - call.lease, 'LIMIT', 0, 8)) do
  bury(pid)
end
reply.known = redis.call('ZSCORE', ALIVE, call.pid) and true or false
redis.call('ZADD', ALIVE, now, call.pid)
for _, op in ipairs(call.ops) do ops[op[1]](unpack(op, 2)) end
if quits then bury(call.pid) end

if everybody then
  for key in pairs(G.lines) do touch(pool_at(key)) end
end
local turns = {}
for _, key in ipairs(touched) do
  if pools[key].waiting > 0 then turns[#turns + 1] = key end
end
for _, key in ipairs(turns) do
  if line.serve(pools[key], K.most_served) then wait_for_pace(pools[key]) end
end
-- Whoever was refused by the pace goes in turn, one of each pool.
if #G.paced > 0 and pace() then
  local paced = G.paced
  G.paced = {}
  local i, looked = 1, 0
  while paced[i] and looked < K.most_served do
    local P = pool_at(paced[i])
    looked = looked + 1
    if P and touch(P) and line.serve(P, 1) then paced[#paced + 1] = P.key end
    i = i + 1
    if #G.paced > 0 then break end
  end
  while paced[i] do
    wait_for_pace({ key = paced[i] })
    i = i + 1
  end
end

for _, key in ipairs(touched) do line.watch(pools[key], viewed[key]) end
-- A shut pool, or a shut address: whoever waits with a deadline has to know at once.
for key in pairs(news) do
  local concerned = key ~= '' and { [key] = true } or G.lines
  for _, pid in ipairs(redis.call('ZRANGE', ALIVE, 0, -1)) do
    if pid ~= call.pid then
      local out = mail(pid)
      out.gate = math.max(0, G.gate.till - now)
      for each in pairs(concerned) do
        local look = line.look(pool_at(each))
        if look then out.looks[#out.looks + 1] = look end
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
for pid, out in pairs(letters) do redis.call('PUBLISH', call.channel .. pid, cmsgpack.pack(out)) end
return cmsgpack.pack({
  reply.epoch, reply.known, reply.grants, reply.joined, reply.refused, reply.events, reply.looks,
  reply.views, reply.gate, reply.processes,
})
