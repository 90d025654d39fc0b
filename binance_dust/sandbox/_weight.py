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
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from binance_dust.sandbox import _refusals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from binance_dust.sandbox._clock import Instant
    from binance_dust.sandbox._endpoints import PoolKind, ServedEndpoint
    from binance_dust.sandbox._rules import Rules, WindowMode

_HEADERS: Final = {
    "ip": "X-SAPI-USED-IP-WEIGHT-1M",
    "uid": "X-SAPI-USED-UID-WEIGHT-1M",
    "spot": "X-MBX-USED-WEIGHT-1M",
}
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

    __slots__ = ("_index", "_length", "_used")

    def __init__(self, length: float) -> None:
        """Begin empty."""
        self._length = length
        self._index = -1
        self._used = 0

    def used(self, now: Instant) -> int:
        """Weight since the last cut."""
        return self._used if now.server // self._length == self._index else 0

    def add(self, weight: int, now: Instant) -> int:
        """Spend in the present window."""
        index = int(now.server // self._length)
        if index != self._index:
            self._index, self._used = index, 0
        self._used += weight
        return self._used

    def room_in(self, weight: int, limit: int, now: Instant) -> float:
        """Seconds to the next cut, or zero if there is room now."""
        if self.used(now) + weight <= limit:
            return 0.0
        return self._length - now.server % self._length


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

    __slots__ = ("_asked", "limit", "peaks", "refused_in_a_row", "window")

    def __init__(self, limit: int, length: float, mode: WindowMode) -> None:
        """Begin empty."""
        self.limit: int = limit
        self.window: Window = FixedWindow(length) if mode == "fixed" else SlidingWindow(length)
        self.refused_in_a_row: int = 0
        """Refusals since the last request that was admitted."""
        self._asked: dict[WindowMode, Window] = {
            "fixed": FixedWindow(length),
            "sliding": SlidingWindow(length),
        }
        self.peaks: dict[WindowMode, int] = {"fixed": 0, "sliding": 0}
        """Most weight that clients asked in any one window, refused requests included."""

    def note_asked(self, weight: int, now: Instant) -> None:
        """Count what a client asks, whether it is admitted or not."""
        peaks = self.peaks
        for mode, window in self._asked.items():
            asked = window.add(weight, now)
            peaks[mode] = max(peaks[mode], asked)

    def __repr__(self) -> str:
        return f"<PoolMeter limit {self.limit}, peaks {self.peaks}>"


class UsedWeight(NamedTuple):
    """The used-weight header of one reply."""

    header: str
    used: int


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
    ) -> UsedWeight | None:
        """Charge the address or the account; an unknown account is not charged."""
        pool = self.pool_of(endpoint)
        payer = account if pool == "uid" else address
        if payer is None:
            return None
        meter = self._meter(endpoint, payer)
        meter.note_asked(endpoint.weight, now)
        if meter.window.used(now) + endpoint.weight > meter.limit:
            raise self._refuse(meter, endpoint, address, now)
        meter.refused_in_a_row = 0
        return UsedWeight(_HEADERS[pool], meter.window.add(endpoint.weight, now))

    def spend(self, endpoint: ServedEndpoint, payer: str, weight: int, now: Instant) -> None:
        """Spend as other software behind the same address, or on the same account, would."""
        meter = self._meter(endpoint, payer)
        meter.window.add(weight, now)

    def ban(self, address: str, seconds: float, now: Instant) -> None:
        """Ban an address."""
        self._banned_until[address] = now.true + seconds

    def pardon(self, address: str) -> None:
        """Lift a ban; it still counts towards the length of the next one."""
        self._banned_until.pop(address, None)

    def used(self, endpoint: ServedEndpoint, payer: str, now: Instant) -> int:
        """Weight in the present window of one pool."""
        meter = self._meters.get((_pool_name(endpoint), payer))
        return 0 if meter is None else meter.window.used(now)

    def peaks(
        self, mode: WindowMode, endpoints: list[ServedEndpoint] | None, payer: str | None
    ) -> Iterator[int]:
        """Most weight asked in any one window, for each matching pool."""
        pools = None if endpoints is None else {_pool_name(endpoint) for endpoint in endpoints}
        for (name, owner), meter in list(self._meters.items()):
            if (pools is None or name in pools) and payer in (None, owner):
                yield meter.peaks[mode]

    def pool_of(self, endpoint: ServedEndpoint) -> PoolKind:
        """Give the kind of pool; for one list the documents disagree, and a rule decides."""
        return self._rules.liability_payer if endpoint.name == _PAYER_IN_DOUBT else endpoint.pool

    def _meter(self, endpoint: ServedEndpoint, payer: str) -> PoolMeter:
        key = _pool_name(endpoint), payer
        meter = self._meters.get(key)
        if meter is None:
            rules = self._rules
            limits = {"ip": rules.ip_weight, "uid": rules.uid_weight, "spot": rules.spot_weight}
            meter = PoolMeter(limits[self.pool_of(endpoint)], rules.window, rules.window_mode)
            self._meters[key] = meter
        return meter

    def _refuse(
        self, meter: PoolMeter, endpoint: ServedEndpoint, address: str, now: Instant
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
        wait = meter.window.room_in(endpoint.weight, meter.limit, now)
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
