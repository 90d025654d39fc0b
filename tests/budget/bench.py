"""A pool by itself, at moments that are set by hand.

The limit is 1,200 a minute, and a cut of the clock comes when `at` is 50, but for the margin of a
quarter of a second.
"""

from __future__ import annotations

from binance_dust.budget._beliefs import News
from binance_dust.budget._boundary import Boundary
from binance_dust.budget._count import AdmittedCall
from binance_dust.budget._forecast import earliest, forecast
from binance_dust.budget._pool import Go, Pool
from binance_dust.budget._trust import ENOUGH
from binance_dust.endpoints import LimitKind

EPOCH = 1_800_000_000.0


class PoolClock:
    def __init__(self, *, known: bool = True) -> None:
        self.at = 0.0
        self.back = 0.0
        self.known = known

    def monotonic(self) -> float:
        return self.at

    def server_time(self) -> float | None:
        return self.now() if self.known else None

    def now(self) -> float:
        return EPOCH + 10.0 + self.at - self.back


class StoppedClock:
    """A clock that stands still until it is set; it has no idea of the exchange's."""

    def __init__(self, at: float = 100.0) -> None:
        self.at = at

    def monotonic(self) -> float:
        return self.at

    def server_time(self) -> float | None:
        return None

    def now(self) -> float:
        return self.at


class PoolBench:
    """A pool, its clock, and calls that end as they are told."""

    def __init__(self, *, fixed: bool = False, known: bool = True, limit: int = 1_200) -> None:
        self.clock = PoolClock(known=known)
        self.boundary = Boundary(60.0, self.clock)
        self.boundary.fixed = fixed
        self.pool = Pool("GET /x", LimitKind.IP, None, (limit, 1_200), self.boundary)
        for _ in range(ENOUGH):
            self.pool.beliefs.trust.right()

    @property
    def at(self) -> float:
        return self.clock.at

    def ask(self, weight: int, at: float, *, use_reserve: bool = False) -> Go:
        self.clock.at = at
        return self.pool.may_go(weight, at, use_reserve=use_reserve)

    def earliest(self, weight: int, at: float) -> float:
        self.clock.at = at
        return earliest(self.pool, weight, at)

    def forecast(self, weight: int, at: float, of: int = 301) -> float:
        """Forecast calls that are too large for a reserve, and for anything to be kept."""
        self.clock.at = at
        return forecast(self.pool, weight, at, of)

    def send(self, weight: int, at: float, *, use_reserve: bool = False) -> AdmittedCall:
        go = self.ask(weight, at, use_reserve=use_reserve)
        assert go is not Go.NO
        admission = AdmittedCall(weight)
        self.pool.admit(admission, at, go)
        return admission

    def answer(self, call: AdmittedCall, used: int | None, at: float) -> News | None:
        self.clock.at = at
        self.pool.answer(call, used, at)
        self.pool.valve.ended(call, good=True)
        return self.news()

    def refuse(self, call: AdmittedCall, wait: float | None, at: float) -> News | None:
        self.clock.at = at
        self.pool.answer(call, None, at, good=False)
        self.pool.valve.ended(call, good=False)
        self.pool.refuse(call, wait, at)
        return self.news()

    def news(self) -> News | None:
        """Take what has changed, which is one thing at the most."""
        news = self.pool.beliefs.news.pop() if self.pool.beliefs.news else None
        assert not self.pool.beliefs.news
        return news

    def spend(self, weight: int, at: float, used: int | None = None) -> News | None:
        """Make a call that is answered at once, and hears only of ours unless `used` says more."""
        call = self.send(weight, at, use_reserve=True)
        ours = self.pool.count.ours(at)
        return self.answer(call, ours if used is None else used, at)


def burst(bench: PoolBench, calls: int, at: float) -> list[AdmittedCall]:
    """Send calls that go at once."""
    return [bench.send(100, at, use_reserve=True) for _ in range(calls)]
