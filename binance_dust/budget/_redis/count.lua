-- What one pool has spent: the same rules as in `_own.py`, `_others.py` and `_count.py`, which give the
-- reasons. Change both sides together (tests/budget/test_same_pool.py compares them). A pool `P` is a
-- flat table, so that one cmsgpack string holds it.
--
-- Slots are flat too: earliest, last and weight, one slot after the other.

local function total_of(slots)
  local sum = 0
  for i = 3, #slots, 3 do sum = sum + slots[i] end
  return sum
end

-- Remove the slots that are forgotten; return their weight.
local function drop(P, field, keep)
  local slots, gone, n = P[field], 0, 0
  while slots[n + 2] and slots[n + 2] + keep <= now do
    gone = gone + slots[n + 3]
    n = n + 3
  end
  if n > 0 then
    local left = {}
    for i = n + 1, #slots do left[#left + 1] = slots[i] end
    P[field] = left
  end
  return gone
end

local function add(P, field, weight, sent)
  local slots = P[field]
  local n = #slots
  if n == 0 or now - P[field .. '_opened'] >= W * K.grain then
    slots[n + 1], slots[n + 2], slots[n + 3] = sent, now, weight
    P[field .. '_opened'] = now
  else
    if sent < slots[n - 2] then slots[n - 2] = sent end
    slots[n - 1] = now
    slots[n] = slots[n] + weight
  end
end

local own = {}

function own.new(P)
  P.taken, P.answered, P.forgotten = 0, 0, 0
  P.slots, P.slots_opened, P.lost, P.lost_opened = {}, NEVER, {}, NEVER
end

function own.spent(P)
  P.forgotten = P.forgotten + drop(P, 'slots', KEEP)
  local gone = drop(P, 'lost', KEEP * (1 + K.stray))
  P.forgotten = P.forgotten + gone
  P.answered = P.answered + gone
  return P.taken - P.forgotten
end

function own.answer(P, weight, sent)
  add(P, 'slots', weight, sent)
  P.answered = P.answered + weight
end

function own.lose(P, weight, sent)
  add(P, 'lost', weight, sent)
end

function own.maybe_forgotten(P)
  local oldest, sum = now - W * (1 - K.drift), P.forgotten
  for _, slots in ipairs({P.slots, P.lost}) do
    for i = 1, #slots, 3 do
      if slots[i] <= oldest then sum = sum + slots[i + 2] end
    end
  end
  return sum
end

function own.room_at(P, weight)
  for _, slots in ipairs({P.slots, P.lost}) do
    for i = 1, #slots, 3 do
      weight = weight - slots[i + 2]
      if weight <= 0 then return math.max(now, slots[i + 1] + KEEP) end
    end
  end
  return now + KEEP
end

-- Others behind the same address.

local others = {}

function others.new(limit)
  local cap = limit * K.most_cushion / K.cushion
  return {
    begin = now, half = limit / 2, cap = cap, peak = 0, peak_since = now, sample = false, seen = now,
    surprise = cap, surprised_at = now, level = 0, grown = 0, heard = now, share = false,
  }
end

function others.fresh(o, at) return at - o.heard <= K.fresh * W end

local function share_of(o) return o.share or o.half end

function others.expected(o, spent, held, fixed)
  local age = now - o.heard
  if age > W then return math.min(spent, held) end
  if fixed then return held + o.grown + share_of(o) * age / W end
  return math.min(held + o.grown, spent + o.level)
end

local function faded(o)
  local age = now - o.surprised_at
  return math.max(o.surprise * 0.5 ^ (age / (K.half_life * W)), o.cap / 2)
end

function others.cushion(o) return K.cushion * faded(o) end

function others.reserved(o, closes, weight, fixed)
  local age = now - o.heard
  if age > W then return 0 end
  local left = math.min(1, math.max(0, closes - now) / W)
  local theirs
  if fixed then
    theirs = share_of(o) * left + weight * math.floor(left * K.probes)
  else
    theirs = math.min(o.half * age / W, o.half * K.most_growth)
    if now - o.begin < W then theirs = theirs + math.max(0, o.half - o.level) * left end
  end
  return theirs + others.cushion(o)
end

function others.probe_due(o) return now - o.heard >= W / K.probes end

local function estimate_share(o, since_cut)
  if since_cut >= K.sample * W then
    o.sample = math.min(o.level * W / since_cut, 2 * o.half)
    if o.share and o.sample > o.share * K.far_off then o.share = o.sample end
  end
end

function others.read_header(o, beyond, grown, since_cut, seen, last)
  o.peak = math.max(o.peak, beyond)
  o.level = math.max(o.level, beyond)
  o.grown = math.max(o.grown, grown)
  if seen then o.seen = now end
  o.heard = now
  if last or now - o.peak_since > K.group * W then
    o.level, o.peak, o.peak_since = o.peak, 0, now
    estimate_share(o, since_cut)
  end
end

function others.surprised(o, by)
  o.surprise = math.min(math.max(faded(o), by), o.cap)
  o.surprised_at = now
end

function others.refused(o, beyond, since_cut)
  o.level = math.max(o.level, beyond)
  others.surprised(o, o.cap)
  o.seen, o.heard = now, now
  estimate_share(o, since_cut)
end

function others.close_window(o)
  local sample = o.sample
  o.sample = false
  if sample then
    local low = o.share and (o.share + (sample - o.share) * K.ease) or sample
    o.share = math.max(low, sample)
  end
end

function others.expired(o) return now - o.seen > K.forget * W end

-- Ours and theirs together.

local count = {}

function count.ours(P)
  local spent = own.spent(P)
  return math.min(P.taken - P.gone, spent)
end

function count.total(P, fixed)
  if not P.others then return count.ours(P) end
  local spent = own.spent(P)
  return others.expected(P.others, spent, P.taken - P.gone, fixed)
end

function count.answer(P, weight, sent)
  own.answer(P, weight, sent)
  P.flying = P.flying - 1
  P.last_answer = now
  if P.others and others.expired(P.others) then P.others = false end
end

function count.proven_gone(P, call, used)
  return math.min(call.weight + call.answered - used, P.cut_at)
end

local function since(P) return P.span[1] >= 0 and now - P.span[2] or 0 end

local function certain(P, fixed)
  return P.taken - (fixed and P.cut_at or own.maybe_forgotten(P))
end

function count.read_header(P, call, used, fixed)
  local gone, taken, o = count.proven_gone(P, call, used), P.taken, P.others
  local seen = used > taken - call.cleared
  if not o then
    P.gone = math.max(P.gone, gone)
    if not seen then return end
    o = others.new(P.whole)
    P.others = o
  else
    if fixed or others.fresh(o, call.sent) then
      others.surprised(o, used - count.total(P, fixed))
    end
    if gone >= P.gone - o.grown then
      P.gone = gone
      o.grown = 0
    end
  end
  if call.cut ~= P.cut_at then return end
  others.read_header(
    o, used - certain(P, fixed), used - (taken - P.gone), since(P), seen, P.flying == 1)
end

function count.refused(P, fixed)
  if not P.others then P.others = others.new(P.whole) end
  others.refused(P.others, P.whole - certain(P, fixed), since(P))
end

function count.cut(P)
  P.cut_at = P.taken
  if P.others then others.close_window(P.others) end
end
