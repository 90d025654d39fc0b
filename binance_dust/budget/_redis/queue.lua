-- The waiters of all processes: the same rules as in `_queue.py`, and in `_local.py` under "queues".
--
-- All queues lie in one sorted set. Its members sort as text: pool, lane, place, process, ticket,
-- weight. So finding the head of a lane is one look-up, and joining or leaving costs O(log n).

local SEP, AFTER = '\31', '\32'
local LANES = { 'call', 'scan' }

local queue = {}

local function prefix(P, lane) return P.key .. SEP .. lane .. SEP end

local function member_of(P, lane, since, pid, ticket, weight)
  return prefix(P, lane) .. since .. SEP .. pid .. SEP .. ticket .. SEP .. weight
end

-- Whether a process is dead, and can't hear that its call is admitted. Its subscription ends with it,
-- so that no waiter waits for a dead process. Where that can't be asked, its lease ends a little later.
local present = {}
local function dead(pid)
  if pid == call.pid then return false end
  if present[pid] == nil then
    local heard = redis.call('ZSCORE', ALIVE, pid)
    local there = heard and tonumber(heard) > now - call.lease
    if there then
      local found = redis.pcall('PUBSUB', 'NUMSUB', call.channel .. pid)
      if not found.err and tonumber(found[2]) == 0 then
        redis.call('ZADD', ALIVE, 0, pid)
        there = false
      end
    end
    present[pid] = there and true or false
  end
  return not present[pid]
end

local function left(P, lane, weight)
  P.line[lane] = math.max(0, P.line[lane] - weight)
  P.waiting = math.max(0, P.waiting - 1)
  if P.waiting == 0 then
    P.line, P.told = { 0, 0 }, ''
    G.lines[P.key] = nil
  end
end

-- The first waiter of a lane with a living process; waiters of dead ones are removed.
local function first_of(P, lane)
  if P.line[lane] == 0 then return nil end
  local from = prefix(P, lane)
  local to = '(' .. P.key .. SEP .. lane .. AFTER
  while true do
    local member = redis.call('ZRANGEBYLEX', WAITERS, '[' .. from, to, 'LIMIT', 0, 1)[1]
    if not member then
      if P.line[lane] > 0 then P.line[lane] = 0 end
      return nil
    end
    local since, pid, ticket, weight =
      string.match(string.sub(member, #from + 1), '^([^\31]*)\31([^\31]*)\31([^\31]*)\31(.*)$')
    weight = tonumber(weight)
    if not dead(pid) then
      return { lane = lane, since = since, pid = pid, ticket = tonumber(ticket), weight = weight,
        member = member }
    end
    redis.call('ZREM', WAITERS, member)
    left(P, lane, weight)
  end
end

function queue.head(P)
  if P.waiting == 0 then return nil end
  local calls, scans = first_of(P, 1), first_of(P, 2)
  if not calls or not scans then
    if not calls and not scans and P.waiting > 0 then
      -- The queue is lost (a key was evicted): its waiters come again with their next heartbeat.
      P.waiting = 1
      left(P, 1, 0)
    end
    return calls or scans
  end
  return P.ahead >= K.calls_to_scans * scans.weight and scans or calls
end

function queue.join(P, lane, since, pid, ticket, weight)
  if redis.call('ZADD', WAITERS, 0, member_of(P, lane, since, pid, ticket, weight)) == 1 then
    P.line[lane] = P.line[lane] + weight
    P.waiting = P.waiting + 1
    G.lines[P.key] = true
  end
end

function queue.leave(P, lane, since, pid, ticket, weight)
  if redis.call('ZREM', WAITERS, member_of(P, lane, since, pid, ticket, weight)) == 1 then
    left(P, lane, weight)
  end
end

function queue.weight_before(P, lane, weight)
  local calls, scans = P.line[1], P.line[2]
  if lane == 1 then
    local turns = math.floor((P.ahead + calls) / (K.calls_to_scans * weight))
    return calls + math.min(scans, turns * weight)
  end
  return scans + math.min(calls, math.max(0, (scans + weight) * K.calls_to_scans - P.ahead))
end

-- The pace of raw requests: `Pace` in `_gates.py`.

local function pace_allows()
  G.level = math.max(0, G.level - (now - G.leaked) * call.leak)
  G.leaked = now
  return G.level + 1 <= call.burst
end

local function wait_for_pace(P)
  for _, key in ipairs(G.paced) do
    if key == P.key then return end
  end
  G.paced[#G.paced + 1] = P.key
end

-- Admit the next call, if gate, pool and pace allow it.
function queue.try(P, weight, pid, ticket, use_reserve)
  if not valve.passes(G.gate) then return false end
  local go = pool.may_go(P, weight, use_reserve)
  if go == NO then return false end
  if not pace_allows() then
    wait_for_pace(P)
    return false
  end
  G.level = G.level + 1
  local id = pid .. ':' .. ticket
  local admission = pool.admit(P, weight, go, id)
  if not G.gate.open then valve.let_first(G.gate, id) end
  redis.call('HSET', IN_FLIGHT, id, cmsgpack.pack(admission))
  grant(pid, ticket)
  return true
end

local function since_of(head) return tonumber(string.sub(head.since, -17)) end

-- Admit from the head of a queue; return whether the pool may allow more than `most`.
function queue.serve(P, most)
  local served = 0
  while true do
    local head = queue.head(P)
    if not head then return false end
    if served >= most then return true end
    local use_reserve = P.waiting == 1 and now >= since_of(head) + W * K.reserve_freed
    if not queue.try(P, head.weight, head.pid, head.ticket, use_reserve) then return false end
    served = served + 1
    if head.lane == 2 then
      P.ahead = math.max(0, P.ahead - K.calls_to_scans * head.weight)
    elseif P.line[2] > 0 then
      P.ahead = P.ahead + head.weight
    end
    redis.call('ZREM', WAITERS, head.member)
    left(P, head.lane, head.weight)
  end
end

-- Return when to recheck the head of a queue, and the moment before which no call can go.
local function chances(P, head)
  local reserve_at = P.waiting == 1 and since_of(head) + W * K.reserve_freed or math.huge
  local use_reserve = reserve_at <= now
  if use_reserve then reserve_at = math.huge end
  local chance = math.min(pool.blocked_until(P, head.weight, use_reserve), reserve_at)
  chance = math.max(chance, G.gate.till)
  local at = valve.passes(G.gate) and pool.recheck_at(P, head.weight) or valve.next_chance(G.gate)
  for _, key in ipairs(G.paced) do
    if key == P.key then at = now + call.batch end
  end
  return math.min(at, reserve_at), chance
end

-- Return when to recheck a queue: later for processes that don't own its head, in case its owner dies.
function queue.recheck(P, head)
  head = head or queue.head(P)
  if not head then return nil end
  local at, chance = chances(P, head)
  -- A little later: differences of large numbers are not exact, and too soon costs another recheck.
  return {
    P.key, at - now + call.lease * K.others_later, math.max(0, chance - now), math.max(0, P.valve.till - now),
  }, at - now + 1e-6
end

-- Tell the owner of the head of a queue to recheck in time.
function queue.watch(P, asked)
  local head = queue.head(P)
  if not head then return end
  local recheck, soon = queue.recheck(P, head)
  if head.pid == call.pid or asked then reply.looks[#reply.looks + 1] = recheck end
  local told = P.told == head.pid and P.told_at >= now and P.told_at - now <= soon + W * K.least_wait
  if head.pid == call.pid then
    recheck[2] = soon
  elseif not told then
    local looks = message_to(head.pid).looks
    looks[#looks + 1] = { recheck[1], soon, recheck[3], recheck[4] }
  else
    return
  end
  P.told, P.told_at = head.pid, now + soon
end
