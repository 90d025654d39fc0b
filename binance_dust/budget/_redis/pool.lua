-- One pool, its valve, and the cuts between its windows: the same rules as in `_gates.py`,
-- `_boundary.py` and `_pool.py`, which give the reasons.

-- Valves: open, shut until some moment, or half open.

local valve = {}

function valve.new(open) return { open = open, till = NEVER, first = false, lapses = NEVER } end

function valve.passes(v)
  return v.open or (now >= v.till and (not v.first or now >= v.lapses))
end

function valve.next_chance(v)
  if v.open then return now end
  return math.max(v.till, v.first and v.lapses or now)
end

function valve.let_first(v, id)
  v.first, v.lapses, v.open = id, now + W * K.patience, false
end

function valve.ended(v, id, good)
  if v.first ~= id then return false end
  v.first = false
  if good then v.open = true end
  return true
end

function valve.shut(v, till)
  v.till, v.first, v.open = math.max(v.till, till), false, false
end

-- Where windows are cut: for one endpoint and all payers.

local boundary = {}

function boundary.of(name)
  local b = G.boundaries[name]
  if not b then
    b = { margin = W * K.margin, fixed = false, slides = false }
    G.boundaries[name] = b
  end
  return b
end

function boundary.window_now(b)
  if not server then return { -1, NEVER, now + W * K.ask_clock } end
  local since = (server - b.margin) % W
  return { math.floor((server - b.margin - since) / W + 0.5), now - since, now - since + W }
end

-- The next cut, by this server's clock until the exchange's time is known.
function boundary.likely_close(b)
  return now + W - (server or now) % W + b.margin
end

function boundary.lost(b)
  b.fixed, b.slides = false, true
  b.margin = math.min(b.margin * 2, W * K.most_margin)
end

-- Pools.

local NO, YES, ALONE = 0, 1, 2
local pool = {}

function pool.new(key, name, kind, account)
  local P = {
    key = key, name = name, kind = kind, account = account, gone = 0, others = false, flying = 0,
    last_answer = NEVER, cut_at = 0, valve = valve.new(false), span = { -1, NEVER, NEVER },
    asked = -1, largest = 0, caution = 1,
    waiting = 0, line = { 0, 0 }, ahead = 0, told = '', told_at = 0,
  }
  own.new(P)
  return P
end

local function fixed(P) return boundary.of(P.name).fixed end

local function witness_due(P) return P.span[1] > P.asked and P.flying == 0 end

function pool.cut_passed(P) return fixed(P) and witness_due(P) end

function pool.update_window(P)
  if now >= P.span[3] then P.span = boundary.window_now(boundary.of(P.name)) end
end

function pool.free(P)
  local room = P.limit - count.ours(P)
  if not P.others then return room end
  local f = fixed(P)
  return math.min(room, P.whole - count.total(P, f) - others.reserved(P.others, P.span[3], P.largest, f))
end

function pool.reserve(P, weight)
  if P.others and (fixed(P) or P.asked > P.span[1]) then return 0 end
  local largest = math.max(weight, P.largest)
  return P.span[1] >= 0 and largest <= P.limit * K.most_reserve and largest or 0
end

local function may_probe(P, weight)
  if P.flying > 0 then return false end
  local due = witness_due(P)
  if not P.others then return due and weight <= pool.free(P) end
  local f = fixed(P)
  if f and due then return true end
  local room = math.min(P.limit - count.ours(P), P.whole - count.total(P, f))
  if due then return weight <= room end
  return f and others.probe_due(P.others) and weight + others.cushion(P.others) <= room
end

function pool.may_go(P, weight, use_reserve)
  if not P.valve.open and not valve.passes(P.valve) then return NO end
  pool.update_window(P)
  local free = pool.free(P)
  if not P.valve.open or now - P.last_answer > W then
    return (weight <= free or pool.cut_passed(P)) and ALONE or NO
  end
  if weight + (use_reserve and 0 or pool.reserve(P, weight)) <= free then
    return (not P.others or others.fresh(P.others, now)) and YES or ALONE
  end
  return may_probe(P, weight) and ALONE or NO
end

function pool.recheck_at(P, weight)
  if not valve.passes(P.valve) then return valve.next_chance(P.valve) end
  local room = pool.free(P) - weight - (P.valve.open and pool.reserve(P, weight) or 0)
  local chances = { own.room_at(P, math.max(1, math.floor(0.5 - room))) }
  if P.span[1] >= 0 then chances[2] = P.span[3] end
  if P.others then
    chances[#chances + 1] = P.others.heard + W
    if fixed(P) then
      local left = P.span[3] - now
      chances[#chances + 1] = now + math.max(W / 240, math.min(W / 16, left / 4))
    end
  end
  local soonest, least = now + W * K.least_wait, math.huge
  for _, chance in ipairs(chances) do
    if chance > now and chance < least then least = chance end
  end
  return math.max(soonest, least < math.huge and least or soonest)
end

function pool.blocked_until(P, weight, use_reserve)
  local shut = math.max(P.valve.till, now)
  if P.flying > 0 or pool.may_go(P, weight, use_reserve) ~= NO then return shut end
  local again = pool.recheck_at(P, weight)
  if P.span[1] < 0 then again = math.min(again, boundary.likely_close(boundary.of(P.name))) end
  return math.max(shut, again)
end

local function sliding(P) return boundary.of(P.name).slides or P.asked > P.span[1] end

local function room_at_best(P)
  local ours = count.ours(P)
  if sliding(P) then return P.limit - ours end
  if P.span[1] > P.asked then return P.limit end
  if P.flying > 0 then return P.limit - math.min(ours, P.taken - P.cut_at) end
  local room = P.limit - ours
  if P.others and fixed(P) then
    room = math.min(room, P.whole - (P.taken - P.gone) - P.others.grown)
  end
  return math.max(0, room)
end

function pool.earliest(P, weight)
  local begin, b = math.max(now, P.valve.till), boundary.of(P.name)
  pool.update_window(P)
  local reserve = pool.reserve(P, 0)
  local short = weight - room_at_best(P)
  if short <= 0 then
    local alone = short + reserve > 0 and not witness_due(P)
    return alone and math.max(begin, now + W * K.reserve_freed) or begin
  end
  local per = math.max(1, P.limit - reserve)
  local rounds = math.floor((math.ceil(short) - 1) / per)
  local given_back = own.room_at(P, math.ceil(short) - rounds * per)
  if not sliding(P) then
    local cut = P.span[1] < 0 and boundary.likely_close(b) or P.span[3]
    given_back = b.fixed and cut or math.min(cut, given_back)
  end
  return math.max(begin, given_back) + rounds * W
end

-- Spend the weight of a call; return what its header is to be read with.
function pool.admit(P, weight, go, id)
  local call = { key = P.key, weight = weight, extra = 0, sent = now, witness = false, alone = false }
  local span = P.span
  if span[1] > P.asked then
    call.witness = true
    call.alone = P.flying == 0
      and P.last_answer < span[2] - 2 * boundary.of(P.name).margin
    P.asked = span[1]
    count.cut(P)
  end
  call.answered, call.cut = P.answered, P.cut_at
  call.cleared = math.max(P.forgotten, P.gone)
  P.largest = math.max(P.largest, weight)
  P.taken = P.taken + weight
  P.flying = P.flying + 1
  if go == ALONE then valve.let_first(P.valve, id) end
  return call
end

function pool.give_back(P, call)
  P.taken = P.taken - call.weight - call.extra
  P.flying = P.flying - 1
  if call.witness and call.cut == P.cut_at then P.asked = P.asked - 1 end
end

function pool.lose(P, call)
  own.lose(P, call.weight + call.extra, call.sent)
  P.flying = P.flying - 1
end

local function test_cut(P, witness, gone)
  local b = boundary.of(P.name)
  local maybe = own.maybe_forgotten(P)
  if gone > maybe then
    if b.fixed then return nil end
    b.fixed, b.slides = true, false
    return 'learnt'
  end
  if witness.alone and witness.answered - maybe >= P.limit * K.undisputed then
    if b.fixed then
      boundary.lost(b)
      return 'lost'
    end
    b.slides = true
  end
end

-- Record an answer and what its header says; return what that proves.
function pool.answer(P, call, used)
  local proof
  if used then
    if call.witness then proof = test_cut(P, call, count.proven_gone(P, call, used)) end
    count.read_header(P, call, used, fixed(P))
  end
  count.answer(P, call.weight + call.extra, call.sent)
  return proof
end

-- Record a refusal, and shut the pool; return what the refusal proves.
function pool.refuse(P, call, wait)
  local proof
  local b = boundary.of(P.name)
  if call.witness then
    P.caution = math.min(P.caution * K.caution, K.most_caution)
    P.asked = P.asked + P.caution
    if b.fixed then
      boundary.lost(b)
      proof = 'lost'
    end
  end
  if now >= P.valve.till then count.refused(P, b.fixed) end
  if wait <= 0 then
    wait = math.max((b.fixed and P.span[3] or now + KEEP) - now, b.margin)
  end
  valve.shut(P.valve, now + wait)
  return proof
end

function pool.idle(P)
  return P.waiting == 0 and P.flying == 0 and now >= P.valve.till and own.spent(P) == 0
end

function pool.resets_in(P)
  local used = count.ours(P)
  if used == 0 then return 0 end
  local by_time = own.room_at(P, own.spent(P)) - now
  if not fixed(P) then return by_time end
  return math.min(by_time, math.max(0, boundary.window_now(boundary.of(P.name))[3] - now))
end

-- Return a pool as a `_messages.PoolView`.
function pool.view(P)
  pool.update_window(P)
  local b, o = boundary.of(P.name), P.others
  local theirs = 0
  if o and now - o.heard <= W then
    theirs = b.fixed and o.share and math.floor(o.share + 0.5) or math.floor(o.level + 0.5)
  end
  return {
    P.key, math.floor(count.total(P, b.fixed) + 0.5), P.flying, P.waiting, pool.resets_in(P),
    math.max(0, P.valve.till - now), b.fixed, theirs,
    pool.cut_passed(P) and P.limit or math.max(0, math.floor(pool.free(P) - pool.reserve(P, 0))),
    P.line[1] + P.line[2], P.span[1] >= 0 and P.span[3] - now or -1,
    own.room_at(P, 1) - now,
  }
end

-- Opening pools, and forgetting idle ones.

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
