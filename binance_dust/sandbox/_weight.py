"""Weight: how much was spent in each pool, what is refused, and who is banned.

Each `/sapi` endpoint has a pool for each address or each account; all of `/api` shares one pool for
each address. A request is charged when it arrives, whatever becomes of it. A request that would
pass the limit is refused with 429 and costs nothing. An address that keeps on asking after that is
banned with 418. Each further ban is twice as long, up to 2,160 times the first one (two minutes
become three days).
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from binance_dust.sandbox import _refusals
from binance_dust.sandbox._clock import Instant
from binance_dust.sandbox._endpoints import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from binance_dust.sandbox._endpoints import PoolKind, ServedEndpoint
    from binance_dust.sandbox._rules import Rules, WindowMode

_HEADERS: Final[dict[PoolKind, str]] = {
    "ip": "X-SAPI-USED-IP-WEIGHT-1M",
    "uid": "X-SAPI-USED-UID-WEIGHT-1M",
    "spot": "X-MBX-USED-WEIGHT-1M",
}
_OTHER_PAYER: Final[dict[PoolKind, PoolKind]] = {"ip": "uid", "uid": "ip", "spot": "spot"}
_HUGE: Final = 999_999_999
_TURNS: Final = 60
"""In how many turns others spend their weight of a window, if they spend it evenly."""
_LONGEST: Final = 2160
_PAYER_IN_DOUBT: Final = "small_liabilities"


class Window(Protocol):
    """Counts the weight of one window."""

    def used(self, now: Instant) -> int:
        """Weight in the present window."""
        ...

    def add(self, weight: int, now: Instant) -> int:
        """Spend, and give the weight in the window afterwards."""
        ...

    def room_in(self, weight: int, limit: int, now: Instant) -> float:
        """Seconds until `weight` more fits within `limit`, if nothing else is spent."""
        ...


class FixedWindow:
    """Cut at multiples of its length since the epoch, in server time; each cut starts from zero."""

    __slots__ = ("_index", "_length", "_offset", "_used")

    def __init__(self, length: float, offset: float = 0.0) -> None:
        """Begin empty; the cuts come `offset` seconds after the multiples."""
        self._length = length
        self._offset = offset
        self._index = -1
        self._used = 0

    def used(self, now: Instant) -> int:
        """Weight since the last cut."""
        return self._used if (now.server - self._offset) // self._length == self._index else 0

    def add(self, weight: int, now: Instant) -> int:
        """Spend in the present window."""
        index = int((now.server - self._offset) // self._length)
        if index != self._index:
            self._index, self._used = index, 0
        self._used += weight
        return self._used

    def room_in(self, weight: int, limit: int, now: Instant) -> float:
        """Seconds to the next cut, or zero if there is room now."""
        if self.used(now) + weight <= limit:
            return 0.0
        return self._length - (now.server - self._offset) % self._length


class SlidingWindow:
    """Counts the weight of one length before each request, in true time."""

    __slots__ = ("_length", "_spent", "_used")

    def __init__(self, length: float) -> None:
        """Begin empty."""
        self._length = length
        self._spent: deque[tuple[float, int]] = deque()
        self._used = 0

    def used(self, now: Instant) -> int:
        """Weight within one length before now."""
        spent, oldest = self._spent, now.true - self._length
        while spent and spent[0][0] <= oldest:
            self._used -= spent.popleft()[1]
        return self._used

    def add(self, weight: int, now: Instant) -> int:
        """Spend now."""
        self.used(now)
        self._spent.append((now.true, weight))
        self._used += weight
        return self._used

    def room_in(self, weight: int, limit: int, now: Instant) -> float:
        """Seconds until enough of the oldest weight is one length old."""
        over = self.used(now) + weight - limit
        if over <= 0:
            return 0.0
        for at, spent in self._spent:
            over -= spent
            if over <= 0:
                return max(0.0, at + self._length - now.true)
        return self._length


class PoolMeter:
    """The state of one pool: its limit, its window, and the most weight asked in any window."""

    __slots__ = (
        "_asked",
        "_kind",
        "_last_shown",
        "_nodes",
        "_others",
        "_others_until",
        "_rules",
        "limit",
        "peaks",
        "refused_in_a_row",
        "window",
    )

    def __init__(self, kind: PoolKind, rules: Rules, *, others: int = 0) -> None:
        """Begin empty; `others` spend this much in each window."""
        limits = {"ip": rules.ip_weight, "uid": rules.uid_weight, "spot": rules.spot_weight}
        self.limit: int = limits[kind]
        self.window: Window = _window(rules)
        self.refused_in_a_row: int = 0
        """Refusals since the last request that was admitted."""
        self._kind: PoolKind = kind
        self._rules = rules
        self._nodes = [_window(rules) for _ in range(rules.nodes)] if rules.nodes > 1 else []
        self._last_shown: int | None = None
        self._others = others
        self._others_until: float | None = None
        self._asked: dict[WindowMode, Window] = {
            "fixed": FixedWindow(rules.window, rules.window_offset),
            "sliding": SlidingWindow(rules.window),
        }
        self.peaks: dict[WindowMode, int] = {"fixed": 0, "sliding": 0}
        """Most weight that clients asked in any one window, refused requests included."""

    def note_asked(self, weight: int, now: Instant) -> None:
        """Count what a client asks, whether it is admitted or not."""
        peaks = self.peaks
        for mode, window in self._asked.items():
            asked = window.add(weight, now)
            peaks[mode] = max(peaks[mode], asked)

    def spend(self, weight: int, node: int, now: Instant) -> dict[str, int]:
        """Spend, and give the header that tells what is used, or what the rules say instead."""
        used = self.window.add(weight, now)
        if self._nodes:
            used = self._nodes[node].add(weight, now)
        last, self._last_shown = self._last_shown, used
        kind = self._kind
        match self._rules.weight_header:
            case "missing":
                return {}
            case "late":
                used = used if last is None else last
            case "one":
                used = 1
            case "backwards":
                used = self.limit - used
            case "huge":
                used = _HUGE
            case "negative":
                used = -1
            case "other payer":
                kind = _OTHER_PAYER[kind]
        return {_HEADERS[kind]: used}

    def let_others_spend(self, now: Instant) -> None:
        """Count what others have spent since this was called last."""
        rules, since, self._others_until = self._rules, self._others_until, now.true
        if not self._others:
            return
        evenly = rules.others_mode == "evenly"
        step = rules.window / _TURNS if evenly else rules.window
        begin = now.true - rules.window if since is None else max(since, now.true - rules.window)
        # Turns are counted in server time, as cuts are.
        ahead = now.server - now.true
        turn = int((begin + ahead - rules.window_offset) // step) + 1
        while (at := turn * step + rules.window_offset) <= now.server:
            moment = Instant(at, at - ahead)
            spent = _share(self._others, turn) if evenly else self._others
            self.window.add(min(spent, max(0, self.limit - self.window.used(moment))), moment)
            turn += 1

    def __repr__(self) -> str:
        return f"<PoolMeter limit {self.limit}, peaks {self.peaks}>"


def _window(rules: Rules) -> Window:
    """Make an empty window as the rules say."""
    if rules.window_mode == "fixed":
        return FixedWindow(rules.window, rules.window_offset)
    return SlidingWindow(rules.window)


def _share(weight: int, turn: int) -> int:
    """Divide a weight over the turns of a window, in whole numbers."""
    turn %= _TURNS
    return weight * (turn + 1) // _TURNS - weight * turn // _TURNS


class WeightLimits:
    """Charges requests, refuses them at the limit, and bans addresses."""

    def __init__(self, rules: Rules) -> None:
        """Start with nothing spent."""
        self._rules = rules
        self._meters: dict[tuple[str, str], PoolMeter] = {}
        self._banned_until: dict[str, float] = {}
        self._bans_before: dict[str, int] = {}
        self.refused: int = 0
        """Requests answered 429 for their weight."""
        self.shut_out: int = 0
        """Requests answered 418."""
        self.bans: int = 0
        """Bans for too many requests after a 429."""
        self._charged = 0

    def check_ban(self, address: str, now: Instant) -> None:
        """Refuse a banned address."""
        until = self._banned_until.get(address)
        if until is None:
            return
        if now.true >= until:
            del self._banned_until[address]
            return
        raise self._refuse_banned(until, now)

    def charge(
        self, endpoint: ServedEndpoint, address: str, account: str | None, now: Instant
    ) -> dict[str, int]:
        """Charge the address, the account or both, and give the headers that tell of it.

        An unknown account is not charged.
        """
        weight = self._rules.weights.get(endpoint.name, endpoint.weight)
        payers = {"ip": address, "spot": address, "uid": account}
        meters = [
            self._meter(endpoint, kind, payer, now)
            for kind in self.pools_of(endpoint)
            if (payer := payers[kind]) is not None
        ]
        for meter in meters:
            meter.note_asked(weight, now)
        for meter in meters:
            if meter.window.used(now) + weight > meter.limit:
                raise self._refuse(meter, weight, address, now)
        self._charged += 1
        node = self._charged % self._rules.nodes
        headers: dict[str, int] = {}
        for meter in meters:
            meter.refused_in_a_row = 0
            headers |= meter.spend(weight, node, now)
        return headers

    def spend(
        self, endpoint: ServedEndpoint, kind: PoolKind, payer: str, weight: int, now: Instant
    ) -> None:
        """Spend as other software behind the same address, or on the same account, would."""
        self._meter(endpoint, kind, payer, now).window.add(weight, now)

    def ban(self, address: str, seconds: float, now: Instant) -> None:
        """Ban an address."""
        self._banned_until[address] = now.true + seconds

    def pardon(self, address: str) -> None:
        """Lift a ban; it still counts towards the length of the next one."""
        self._banned_until.pop(address, None)

    def used(self, endpoint: ServedEndpoint, payer: str, now: Instant) -> int:
        """Weight in the present window of one pool."""
        meter = self._meters.get((_pool_name(endpoint), payer))
        if meter is None:
            return 0
        meter.let_others_spend(now)
        return meter.window.used(now)

    def peaks(
        self, mode: WindowMode, endpoints: list[ServedEndpoint] | None, payer: str | None
    ) -> Iterator[int]:
        """Most weight asked in any one window, for each matching pool."""
        pools = None if endpoints is None else {_pool_name(endpoint) for endpoint in endpoints}
        for (name, owner), meter in list(self._meters.items()):
            if (pools is None or name in pools) and payer in (None, owner):
                yield meter.peaks[mode]

    def pools_of(self, endpoint: ServedEndpoint) -> tuple[PoolKind, ...]:
        """Give the kinds of pool that pay: as documented, or as the rules say."""
        payer = self._rules.payers.get(endpoint.name)
        if payer == "both":
            return "ip", "uid"
        if payer is None and endpoint.name == _PAYER_IN_DOUBT:
            payer = self._rules.liability_payer
        return (endpoint.pool if payer is None else payer,)

    def _meter(
        self, endpoint: ServedEndpoint, kind: PoolKind, payer: str, now: Instant
    ) -> PoolMeter:
        key = _pool_name(endpoint), payer
        meter = self._meters.get(key)
        if meter is None:
            others = sum(
                weight
                for name, weight in self._rules.others.items()
                if _pool_name(BY_NAME[name]) == key[0]
            )
            meter = self._meters[key] = PoolMeter(kind, self._rules, others=others)
        meter.let_others_spend(now)
        return meter

    def _refuse(
        self, meter: PoolMeter, weight: int, address: str, now: Instant
    ) -> _refusals.Refusal:
        rules = self._rules
        meter.refused_in_a_row += 1
        if rules.ban_after is not None and meter.refused_in_a_row > rules.ban_after + 1:
            before = self._bans_before.get(address, 0)
            self._bans_before[address] = before + 1
            first = 2 * rules.window if rules.ban is None else rules.ban
            self.ban(address, first * min(2 ** min(before, 12), _LONGEST), now)
            meter.refused_in_a_row = 0
            self.bans += 1
            return self._refuse_banned(self._banned_until[address], now)
        self.refused += 1
        wait = meter.window.room_in(weight, meter.limit, now)
        retry_after = 0 if rules.retry_after_zero else math.ceil(wait)
        return _refusals.too_much_weight(meter.limit, retry_after)

    def _refuse_banned(self, until: float, now: Instant) -> _refusals.Refusal:
        self.shut_out += 1
        left = until - now.true
        return _refusals.banned(int((now.server + left) * 1000), max(1, math.ceil(left)))

    def __repr__(self) -> str:
        return f"<WeightLimits {len(self._meters)} pools, {self.refused} refused, {self.bans} bans>"


def _pool_name(endpoint: ServedEndpoint) -> str:
    """Name the pool that an endpoint draws on; all of `/api` is one."""
    return "spot" if endpoint.pool == "spot" else endpoint.name
