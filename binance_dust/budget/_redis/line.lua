-- Who waits, of all processes: `_line.py` and the serving half of `_local.py` once more.
--
-- All lines lie in one sorted set, whose members sort as text: pool, lane, place, whose. So the head
-- of a lane is one look-up, and joining or leaving costs O(log n), whatever the crowd.

local SEP, AFTER = '\31', '\32'
local LANES = { 'call', 'scan' }

local line = {}

local function prefix(P, lane) return P.key .. SEP .. lane .. SEP end

local function member_of(P, lane, since, pid, ticket, weight)
  return prefix(P, lane) .. since .. SEP .. pid .. SEP .. ticket .. SEP .. weight
end

-- Whether a process is there to hear that its turn has come. Its connection ends with it, so that
-- nobody waits for a dead one; where that can't be asked, its lease ends a little later.
local present = {}
local function gone(pid)
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

-- The first of a lane whose process is there; the others leave.
local function first_of(P, lane)
  if P.line[lane] == 0 then return nil end
  local from = prefix(P, lane)
  local to = '(' .. P.key .. SEP .. lane .. AFTER
  while true do
    local member = redis.call('ZRANGEBYLEX', LINE, '[' .. from, to, 'LIMIT', 0, 1)[1]
    if not member then
      if P.line[lane] > 0 then P.line[lane] = 0 end
      return nil
    end
    local since, pid, ticket, weight =
      string.match(string.sub(member, #from + 1), '^([^\31]*)\31([^\31]*)\31([^\31]*)\31(.*)$')
    weight = tonumber(weight)
    if not gone(pid) then
      return { lane = lane, since = since, pid = pid, ticket = tonumber(ticket), weight = weight,
        member = member }
    end
    redis.call('ZREM', LINE, member)
    left(P, lane, weight)
  end
end

function line.head(P)
  if P.waiting == 0 then return nil end
  local calls, scans = first_of(P, 1), first_of(P, 2)
  if not calls or not scans then
    if not calls and not scans and P.waiting > 0 then
      -- The line is lost (a key was evicted): whoever waits comes again with its next heartbeat.
      P.waiting = 1
      left(P, 1, 0)
    end
    return calls or scans
  end
  return P.ahead >= K.calls_to_scans * scans.weight and scans or calls
end

function line.join(P, lane, since, pid, ticket, weight)
  if redis.call('ZADD', LINE, 0, member_of(P, lane, since, pid, ticket, weight)) == 1 then
    P.line[lane] = P.line[lane] + weight
    P.waiting = P.waiting + 1
    G.lines[P.key] = true
  end
end

function line.leave(P, lane, since, pid, ticket, weight)
  if redis.call('ZREM', LINE, member_of(P, lane, since, pid, ticket, weight)) == 1 then
    left(P, lane, weight)
  end
end

function line.weight_before(P, lane, weight)
  local calls, scans = P.line[1], P.line[2]
  if lane == 1 then
    local turns = math.floor((P.ahead + calls) / (K.calls_to_scans * weight))
    return calls + math.min(scans, turns * weight)
  end
  return scans + math.min(calls, math.max(0, (scans + weight) * K.calls_to_scans - P.ahead))
end

-- The pace of raw requests: `_pace.py`.

local function pace()
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

-- Admit a call whose turn it is, if gate, pool and pace allow.
function line.try(P, weight, pid, ticket, lonely)
  if not valve.passes(G.gate) then return false end
  local go = pool.may_go(P, weight, lonely)
  if go == NO then return false end
  if not pace() then
    wait_for_pace(P)
    return false
  end
  G.level = G.level + 1
  local id = pid .. ':' .. ticket
  local admission = pool.admit(P, weight, go, id)
  if not G.gate.open then valve.let(G.gate, id) end
  redis.call('HSET', FLIGHT, id, cmsgpack.pack(admission))
  grant(pid, ticket)
  return true
end

local function since_of(head) return tonumber(string.sub(head.since, -17)) end

-- Admit from the head of a line; tell whether there is more that the pool allows.
function line.serve(P, most)
  local served = 0
  while true do
    local head = line.head(P)
    if not head then return false end
    if served >= most then return true end
    local lonely = P.waiting == 1 and now >= since_of(head) + W * K.lonely
    if not line.try(P, head.weight, head.pid, head.ticket, lonely) then return false end
    served = served + 1
    if head.lane == 2 then
      P.ahead = math.max(0, P.ahead - K.calls_to_scans * head.weight)
    elseif P.line[2] > 0 then
      P.ahead = P.ahead + head.weight
    end
    redis.call('ZREM', LINE, head.member)
    left(P, head.lane, head.weight)
  end
end

-- Say when the head of a line should be looked at again, and before when nobody can go.
local function chances(P, head)
  local alone_at = P.waiting == 1 and since_of(head) + W * K.lonely or math.huge
  local lonely = alone_at <= now
  if lonely then alone_at = math.huge end
  local chance = math.min(pool.no_sooner(P, head.weight, lonely), alone_at)
  chance = math.max(chance, G.gate.till)
  local at = valve.passes(G.gate) and pool.look_again(P, head.weight) or valve.next_chance(G.gate)
  for _, key in ipairs(G.paced) do
    if key == P.key then at = now + call.batch end
  end
  return math.min(at, alone_at), chance
end

-- Say when to look at a line again: for whoever does not own its head a while later, lest that dies.
function line.look(P, head)
  head = head or line.head(P)
  if not head then return nil end
  local at, chance = chances(P, head)
  -- A hair later: differences of large numbers are not exact, and too soon costs another look.
  return {
    P.key, at - now + call.lease * K.later, math.max(0, chance - now), math.max(0, P.valve.till - now),
  }, at - now + 1e-6
end

-- Have the owner of a line's head look again in time.
function line.watch(P, mine)
  local head = line.head(P)
  if not head then return end
  local look, soon = line.look(P, head)
  if head.pid == call.pid or mine then reply.looks[#reply.looks + 1] = look end
  local told = P.told == head.pid and P.told_at >= now and P.told_at - now <= soon + W * K.least_wait
  if head.pid == call.pid then
    look[2] = soon
  elseif not told then
    local looks = mail(head.pid).looks
    looks[#looks + 1] = { look[1], soon, look[3], look[4] }
  else
    return
  end
  P.told, P.told_at = head.pid, now + soon
end
