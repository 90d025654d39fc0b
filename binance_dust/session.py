"""A session: what all accounts behind one outgoing address share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar

from binance_dust import endpoints
from binance_dust._call.addresses import AddressUser
from binance_dust._call.clock import ServerClock, TimeSource
from binance_dust._call.forecasts import Forecasts
from binance_dust._call.pipeline import CLOSED, Pipeline
from binance_dust._call.retry import RetryAllowance, RetryPolicy
from binance_dust._util.checks import instance, positive, seconds
from binance_dust._util.lifetimes import Closing, OneLoop
from binance_dust.budget import (
    Attachable,
    Budget,
    Charge,
    Immediate,
    Lane,
    LocalBudget,
    RateLimits,
)
from binance_dust.budget._payers import Payers
from binance_dust.endpoints import LimitKind
from binance_dust.errors import ConfigurationError
from binance_dust.events import ClockLearnt, Event, Observer, Reporter

if TYPE_CHECKING:
    import aiohttp

    from binance_dust._call.signing import AccountKey
    from binance_dust.client import DustClient
    from binance_dust.credentials import Credentials
    from binance_dust.endpoints import Call, Endpoint, ListStyle

__all__ = ["Session"]

R = TypeVar("R")

_LIMITS: Final = RateLimits()
_RETRY: Final = RetryPolicy()
_SHORTEST_WINDOW: Final = 100
"""Milliseconds: less than most requests are under way, and surely meant as seconds."""
_LONGEST_WINDOW: Final = 60_000
"""Milliseconds: recvWindow may not be longer (-1131)."""


class Session(Closing):
    """Connections, clock and weight budgets of one outgoing address, shared by many clients.

    Close a session that you create: `async with Session() as session`, or `await
    session.close()`. It is cheap to create and opens nothing before the first call.
    """

    __slots__ = (
        "_address",
        "_closed",
        "_forecasts",
        "_is_local",
        "_loop",
        "_own_budget",
        "_pipeline",
    )

    def __init__(  # noqa: PLR0913 - the public face, all by keyword
        self,
        *,
        base_url: str = "https://api.binance.com",
        limits: RateLimits | None = _LIMITS,
        retry: RetryPolicy | None = _RETRY,
        budget: Budget | None = None,
        http: aiohttp.ClientSession | None = None,
        proxy: str | None = None,
        local_addr: str | None = None,
        recv_window: timedelta | float = 5000,
        timeout: timedelta | float = 10.0,
        lists: ListStyle = "comma",
        payers: Mapping[str, Literal["ip", "uid"]] | None = None,
        observer: Observer | None = None,
        time: TimeSource | None = None,
    ) -> None:
        """Check the configuration; nothing is opened or sent.

        `recv_window` is for how long a signed request may be on its way: a timedelta, or, as the
        exchange has it, milliseconds. `timeout` is how long an answer is waited for, in seconds or
        as a timedelta.

        `http` is an aiohttp session of your own, and stays open. `lists` is how several assets are
        sent: "comma" as `asset=A,B`, "repeated" as `asset=A&asset=B` (sources differ; both worked).
        `payers` corrects who pays for an endpoint, by the name of its method:
        `{"small_liabilities": "uid"}`. The exchange's headers are believed in any case.
        """
        # Here, because it takes long: importing a `Session`, as most commands do, needs no aiohttp.
        from binance_dust._call.transport import Transport
        from binance_dust._call.way import is_local

        self._closed = False
        self._loop: Final = OneLoop("a Session")
        retry = instance(_RETRY if retry is None else retry, RetryPolicy, "retry")
        limits = instance(_LIMITS if limits is None else limits, RateLimits, "limits")
        recv_window = _milliseconds(recv_window)
        timeout = seconds(timeout, "timeout")
        if budget is not None and not hasattr(budget, "admit"):
            raise TypeError(
                f"budget must be a Budget, RedisBudget(url) say, not {type(budget).__name__}"
            )
        if observer is not None and not callable(observer):
            raise TypeError(f"observer must be callable, not {type(observer).__name__}")
        if lists not in ("comma", "repeated"):
            raise ConfigurationError(f"lists must be 'comma' or 'repeated', not {lists!r}")
        report = Reporter(observer)
        # The clock asks through the pipeline, which is made below: the pipeline needs the clock.
        clock = ServerClock(lambda: self._pipeline.ask_time(), time)  # noqa: PLW0108
        clock.on_learnt = lambda offset, round_trip: report(
            ClockLearnt(offset, round_trip, clock.now_utc())
        )
        self._own_budget: Final = budget is None
        if isinstance(budget, Attachable):
            budget.attach(clock, report, patience=retry.max_wait, limits=limits)
        if budget is None:
            budget = LocalBudget(limits, clock, report, patience=retry.max_wait)
        transport = Transport(
            base_url=base_url,
            timeout=timeout,
            monotonic=clock.monotonic,
            http=http,
            proxy=proxy,
            local_addr=local_addr,
        )
        self._pipeline: Final = Pipeline(
            transport=transport,
            clock=clock,
            budget=budget,
            immediate=budget if isinstance(budget, Immediate) else None,
            retry=retry,
            allowance=RetryAllowance(),
            report=report,
            recv_window=recv_window,
            lists=lists,
            enter=self._enter,
            payers=Payers(_payers({} if payers is None else payers)),
        )
        self._is_local: Final = is_local(base_url)
        self._forecasts: Final = Forecasts(self._pipeline.budget, limits, clock.monotonic)
        self._address: Final = AddressUser(
            transport.way_out,
            self._pipeline.budget,
            own=self._own_budget,
            headroom=limits.headroom,
            loop=self._loop,
        )

    def client(
        self, credentials: Credentials, *, deadline: timedelta | float | None = None
    ) -> DustClient:
        """Make one account's client on this session.

        `deadline` (seconds, or a timedelta) bounds each of its calls, in place of the session's
        `RetryPolicy.deadline`: requests of a service need not be as patient as its sweeps.
        """
        from binance_dust.client import DustClient

        return DustClient(credentials, self, deadline=deadline)

    @property
    def budget(self) -> Budget:
        """The weight budgets; `session.budget.snapshot()` shows them."""
        return self._pipeline.budget

    @property
    def closed(self) -> bool:
        """Whether this session was closed."""
        return self._closed

    @property
    def is_local(self) -> bool:
        """Whether the exchange is on this machine: a sandbox, and no real account's funds."""
        return self._is_local

    @property
    def recv_window(self) -> timedelta:
        """For how long the exchange may accept a request after its timestamp."""
        return timedelta(milliseconds=self._pipeline.recv_window)

    def now(self) -> datetime:
        """Give the exchange's time as far as it is known here."""
        return self._pipeline.clock.now_utc()

    def machine_time(self) -> datetime:
        """Give this machine's own time: all its processes share it, even if it is wrong."""
        return datetime.fromtimestamp(self._pipeline.clock.source.wall(), tz=UTC)

    async def learn_time(self) -> None:
        """Learn the exchange's time if it is due. Signed calls do this by themselves.

        Without an answer, the known offset stays; before the first answer, this machine's clock
        counts.
        """
        self._enter()
        await self._pipeline.learn_clock()

    def send(  # noqa: PLR0913 - what a call may be told, mostly by keyword
        self,
        call: Call[R],
        account: AccountKey | None = None,
        lane: Lane = Lane.CALL,
        *,
        between: tuple[datetime, datetime] | None = None,
        deadline: float | None = None,
        ready: Callable[[], Awaitable[object]] | None = None,
    ) -> Coroutine[Any, Any, R]:
        """Send a call for an account; all methods of `DustClient` await this.

        `between` holds the earliest and the latest timestamp, both included, in the exchange's
        time; outside of them the call is not sent (`GuardError`). `deadline` limits the call in
        seconds, instead of the session's. `ready` is awaited before the call is sent after a wait,
        or again; if it raises, the call is not sent.
        """
        return self._pipeline.call(call, account, lane, between, deadline, ready)

    def report(self, event: Event) -> None:
        """Pass an event to the observer, or else to the log."""
        self._pipeline.report(event)

    def _enter(self) -> None:
        """Raise if the session is closed, or used in another event loop."""
        if self._closed:
            raise ConfigurationError(CLOSED)
        self._loop.enter()
        if not self._address.entered:
            self._address.enter()

    def forecast(self, endpoint: Endpoint[Any, Any], calls: int) -> float:
        """Forecast the seconds until the last of `calls` more calls to an endpoint can be sent.

        It follows the budgets and the pace, and expects that others behind the address go on to
        spend what they were last seen to spend. It assumes that no other calls of this program
        come. Until fixed windows are proven, it can be too long by up to one window. Where the
        account pays instead of the address, only the pace counts: calls of different accounts do
        not wait for one another.
        """
        weight = endpoint.weight
        payer = self._pipeline.payers.of(endpoint.title, weight.kind)
        if payer is LimitKind.UID:
            return self._forecasts.of_account(calls)
        return self._forecasts.of_address(Charge(endpoint.title, payer, weight.cost), calls)

    async def close(self) -> None:
        """End all waiting, and close what this session opened. Closing twice does no harm."""
        if self._closed:
            return
        self._loop.leave()
        self._closed = True
        self._address.leave()
        pipeline = self._pipeline
        pipeline.let_go()
        # Nested, because a close that is cancelled halfway must leave no connection open.
        try:
            try:
                await pipeline.clock.close()
            finally:
                if self._own_budget:
                    await pipeline.budget.close()
        finally:
            await pipeline.transport.close()

    async def __aenter__(self) -> Self:
        if self._closed:
            raise ConfigurationError(CLOSED)
        return self

    def __repr__(self) -> str:
        if not hasattr(
            self, "_pipeline"
        ):  # a traceback may show a session whose arguments were rejected
            return "<Session refused>"
        state = "closed" if self._closed else repr(self._pipeline.budget)
        return f"<Session {self._pipeline.transport.base_url} {state}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError(
            "a Session belongs to its process and its event loop: make another one there"
        )


def _milliseconds(recv_window: Any) -> float:
    if isinstance(recv_window, timedelta):
        recv_window = recv_window / timedelta(milliseconds=1)
    found = positive(recv_window, "recv_window", most=_LONGEST_WINDOW)
    if found < _SHORTEST_WINDOW:
        raise ConfigurationError(
            f"recv_window is in milliseconds, and {found:g} ms would refuse everything that is on "
            f"its way: at least {_SHORTEST_WINDOW}; 10 seconds are 10_000"
        )
    return found


def _payers(given: Mapping[str, Literal["ip", "uid"]]) -> dict[str, LimitKind]:
    found: dict[str, LimitKind] = {}
    if not isinstance(given, Mapping):
        raise TypeError(f"payers must be a mapping, not {type(given).__name__}")
    for name, payer in given.items():
        if name not in endpoints.ALL:
            raise ConfigurationError(f"payers: no endpoint is called {name!r}")
        if payer not in ("ip", "uid"):
            raise ConfigurationError(f"payers: {name} is paid by 'ip' or 'uid', not {payer!r}")
        found[endpoints.ALL[name].title] = LimitKind(payer)
    return found
