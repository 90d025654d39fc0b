"""Virtual time, and a model of how the exchange counts: hours of waiting in seconds.

The loop's clock stands still while there is anything to do, and jumps to the next timer when there
is not. The model knows nothing of the code that it judges: it counts what arrives, says what it has
counted, refuses what is too much, and bans an address that goes on.
"""

from __future__ import annotations

import asyncio
import math
import random
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from binance_dust.budget import Charge, Feedback, Lane, LocalBudget, RateLimits
from binance_dust.endpoints import LimitKind
from binance_dust.events import Event

T = TypeVar("T")
Mode = Literal["fixed", "sliding"]

EPOCH = 1_800_000_000.0
"""True time when a loop begins: a whole number of minutes."""
LIST = Charge("GET /sapi/v1/margin/exchange-small-liability", LimitKind.IP, 100)
ASSETS = Charge("POST /sapi/v3/asset/getUserAsset", LimitKind.IP, 5)
LOG = Charge("GET /sapi/v1/asset/dribblet", LimitKind.IP, 1)


class _Jump(selectors.SelectSelector):
    """Waits for nothing: it moves the clock to when the next timer is due."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("all tasks wait, and no timer is set")
        if timeout > 0:
            self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        # asyncio's debug mode notes where every timer was set, and there are millions.
        self.set_debug(False)
        self.endings: list[Callable[[], Coroutine[Any, Any, None]]] = []
        """What is to be closed at the end."""

    def time(self) -> float:
        return self._jump.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Run it in a thread while time stands still; the waiter goes on in the next turn."""
        with ThreadPoolExecutor(1) as brief:
            done = (executor or brief).submit(func, *args)
            wait([done])
        future = self.create_future()

        def tell() -> None:
            if future.cancelled():
                return
            if (error := done.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result())

        self.call_soon(tell)
        return future

    @property
    def timers(self) -> int:
        """How many timers are set, cancelled ones left out."""
        return sum(not timer.cancelled() for timer in self._scheduled)  # type: ignore[attr-defined]


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time, and see that it leaves nothing behind."""
    loop = VirtualLoop()
    problems: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, problem: problems.append(problem))
    try:
        result = loop.run_until_complete(main)
        for ending in loop.endings:
            loop.run_until_complete(ending())
        # Tasks that a test has killed are mourned as well; what matters is what timers did.
        broken = [problem for problem in problems if "handle" in problem]
        assert broken == [], "a timer raised an error"
        assert [task for task in asyncio.all_tasks(loop) if not task.done()] == []
        return result
    finally:
        loop.close()


@dataclass
class Latency:
    """The way to the exchange and back: usually short, sometimes not, so that calls overtake."""

    least: float = 0.02
    most: float = 0.1
    slow: float = 0.0
    """How long a slow way takes at the most."""
    slow_part: float = 0.05

    def draw(self, dice: random.Random) -> float:
        if self.slow and dice.random() < self.slow_part:
            return dice.uniform(self.least, self.slow)
        return dice.uniform(self.least, self.most)


class WindowMeter:
    """One window of weight, fixed or sliding."""

    def __init__(self, mode: Mode, window: float, offset: float) -> None:
        self.mode = mode
        self._window = window
        self._offset = offset
        self._index = -1
        self._used = 0
        self._spent: deque[tuple[float, int]] = deque()

    def used(self, now: float) -> int:
        if self.mode == "fixed":
            index = int((now - self._offset) // self._window)
            if index != self._index:
                self._index, self._used = index, 0
            return self._used
        while self._spent and self._spent[0][0] <= now - self._window:
            self._used -= self._spent.popleft()[1]
        return self._used

    def add(self, now: float, weight: int) -> None:
        if self.mode == "sliding":
            self._spent.append((now, weight))
        self._used += weight

    def ends_in(self, now: float) -> float:
        if self.mode == "fixed":
            return self._window - (now - self._offset) % self._window
        return self._spent[0][0] + self._window - now if self._spent else 0.0


def _plain_header(used: int, _: random.Random) -> int | None:
    return used


@dataclass(kw_only=True)
class VirtualExchange:
    """An address's pools at the exchange, and the way there."""

    mode: Mode = "fixed"
    start: float = 0.0
    """Seconds since the last cut when the loop begins."""
    limit: int = 12_000
    window: float = 60.0
    offset: float = 0.0
    """By how much the cuts are off the multiples of a window."""
    latency: Latency = field(default_factory=Latency)
    header: Callable[[int, random.Random], int | None] = _plain_header
    retry_after: Literal["true", "zero", "missing"] = "true"
    ban_after: int = 3
    """How many requests that ignore a refusal, sent after it was heard, make a ban."""
    ban: float = 120.0
    lost: float = 0.0
    """The part of the answers that never comes."""
    timeout: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        self.dice = random.Random(self.seed)  # noqa: S311 - to be repeated
        self.meters: dict[tuple[str, str | None], WindowMeter] = {}
        self.refused = 0
        self.shut_out = 0
        self.bans = 0
        self.arrived: list[float] = []
        self.weight = 0
        self.others_weight = 0
        self._ignored = 0
        self._heard = float("inf"), float("inf")
        """When the last refusal was heard, and until when it asked to wait."""
        self._banned_until = float("-inf")
        self._base = EPOCH + self.start - self.loop.time()

    def now(self) -> float:
        return self._base + self.loop.time()

    def meter(self, charge: Charge) -> WindowMeter:
        key = (charge.pool, charge.account)
        if key not in self.meters:
            self.meters[key] = WindowMeter(self.mode, self.window, self.offset)
        return self.meters[key]

    def spend(self, charge: Charge, weight: int) -> bool:
        """Spend as another program behind the address would; return whether it was let in."""
        meter, now = self.meter(charge), self.now()
        if meter.used(now) + weight > self.limit:
            return False
        meter.add(now, weight)
        self.others_weight += weight
        return True

    def send(self, charge: Charge) -> asyncio.Future[Feedback | None]:
        """Send a call; the answer is `None` if none comes."""
        future: asyncio.Future[Feedback | None] = self.loop.create_future()
        sent, way = self.now(), self.latency.draw(self.dice)
        self.loop.call_later(way, self._arrive, charge, sent, future)
        return future

    def _arrive(self, charge: Charge, sent: float, future: asyncio.Future[Feedback | None]) -> None:
        answer = self._receive(charge, sent)
        if self.lost and self.dice.random() < self.lost:
            self.loop.call_later(self.timeout, self._answer, future, None)
        else:
            self.loop.call_later(self.latency.draw(self.dice), self._answer, future, answer)

    def _answer(self, future: asyncio.Future[Feedback | None], answer: Feedback | None) -> None:
        if not future.done():
            future.set_result(answer)

    def _receive(self, charge: Charge, sent: float) -> Feedback:
        now = self.now()
        self.arrived.append(self.loop.time())
        if now < self._banned_until:
            self.shut_out += 1
            return Feedback(418, banned_until=self._banned_until)
        meter = self.meter(charge)
        used = meter.used(now) + charge.weight
        if used > self.limit:
            return self._refuse(meter, sent, now)
        meter.add(now, charge.weight)
        self.weight += charge.weight
        shown = self.header(used, self.dice)
        if charge.kind is LimitKind.UID:
            return Feedback(200, used_uid=shown)
        return Feedback(200, used_ip=shown)

    def _refuse(self, meter: WindowMeter, sent: float, now: float) -> Feedback:
        self.refused += 1
        heard, until = self._heard
        if heard < sent < until:
            self._ignored += 1
        if self._ignored > self.ban_after:
            self.bans += 1
            self._ignored = 0
            self._banned_until = now + self.ban
            return Feedback(418, retry_after=self.ban, banned_until=self._banned_until)
        wait = meter.ends_in(now)
        return Feedback(
            429, retry_after={"true": wait, "zero": 0.0, "missing": None}[self.retry_after]
        )


class VirtualClock:
    """The loop's clock, and an idea of the exchange's."""

    def __init__(self, exchange: VirtualExchange, error: float | None = 0.0) -> None:
        self._exchange = exchange
        self.error = error
        """By how much the idea is ahead; `None` for no idea."""

    def monotonic(self) -> float:
        return self._exchange.loop.time()

    def server_time(self) -> float | None:
        return None if self.error is None else self._exchange.now() + self.error

    def now(self) -> float:
        return self._exchange.now() + (self.error or 0.0)


class VirtualCaller:
    """A budget, an exchange, and calls that go from one to the other."""

    def __init__(
        self,
        exchange: VirtualExchange,
        *,
        clock_error: float | None = 0.0,
        patience: float = math.inf,
        **limits: Any,
    ) -> None:
        self.exchange = exchange
        self.clock = VirtualClock(exchange, clock_error)
        self.events: list[Event] = []
        limits = {"window": exchange.window, "ip_weight": exchange.limit} | limits
        made = RateLimits(**limits)
        self.budget = LocalBudget(made, self.clock, self.events.append, patience=patience)
        self.done = 0

    async def call(
        self, charge: Charge, *, lane: Lane = Lane.CALL, deadline: float | None = None
    ) -> Feedback | None:
        """Make one call, as a session would, without sending it again."""
        admission = await self.budget.admit(charge, lane=lane, deadline=deadline)
        admission.sent()
        try:
            answer = await self.exchange.send(charge)
        except asyncio.CancelledError:
            admission.unknown()
            raise
        if answer is None:
            admission.unknown()
        else:
            admission.settle(answer)
            self.done += 1
        return answer

    async def insist(self, charge: Charge, *, lane: Lane = Lane.CALL) -> None:
        """Make one call again and again until it succeeds."""
        while True:
            answer = await self.call(charge, lane=lane)
            if answer is not None and answer.status == 200:
                return

    async def scan(self, count: int, charge: Charge = LIST) -> float:
        """Make so many calls at once; give the seconds that they took."""
        began = self.exchange.loop.time()
        await asyncio.gather(*[self.insist(charge) for _ in range(count)])
        return self.exchange.loop.time() - began

    async def keep_busy(self, charges: list[Charge], seconds: float, workers: int) -> None:
        """Have workers make calls one after another for some time, then stop."""
        end = self.exchange.loop.time() + seconds

        async def work(charge: Charge) -> None:
            while self.exchange.loop.time() < end:
                await self.call(charge)

        tasks = [asyncio.ensure_future(work(charge)) for charge in charges for _ in range(workers)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
