"""The weight budgets of one outgoing address, shared by processes and hosts."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from binance_dust._util.checks import instance, positive, seconds
from binance_dust._util.lifetimes import Closing, OneLoop
from binance_dust.budget import _errors
from binance_dust.budget._limits import RateLimits
from binance_dust.budget._protocol import BudgetSnapshot, Charge, Lane
from binance_dust.budget._queue import MovedError
from binance_dust.budget._redis._link import Link
from binance_dust.budget._redis._settings import LoopClock, Settings
from binance_dust.budget._redis._share import BackError, LocalShare
from binance_dust.budget._redis._store import AwayError, RedisStore, connector, import_redis
from binance_dust.errors import BudgetExceededError, ConfigurationError
from binance_dust.events import Reporter, SharedBudgetBack, SharedBudgetLost

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from redis.asyncio import Redis

    from binance_dust.budget._protocol import Admission, Clock
    from binance_dust.budget._redis._store import PoolStore
    from binance_dust.endpoints import LimitKind
    from binance_dust.events import Event

_SHORTEST_LEASE: Final = 0.5
_LONGEST_LEASE: Final = 5.0
"""Seconds. The default is a twelfth of a window between these: any process may hang for a while."""
_FIRST_PAUSE: Final = 1 / 50
_LONGEST_PAUSE: Final = 1 / 5
"""Pauses between reconnections, as parts of a lease: all processes are back before it ends."""


class RedisBudget(Closing):
    """One pool for all processes and hosts behind one address, in Redis or Valkey.

        async with RedisBudget("redis://127.0.0.1:6379/0", name="203.0.113.7") as budget:
            async with Session(budget=budget) as session:
                ...

    All processes of one address give the same `name` and the same `limits` (by default those of the
    session); two addresses are two names. One budget may serve several sessions of one process. It
    opens nothing before the first call. Close it after its sessions.

    While Redis can't be reached, each process goes on reading within its `share` of the limits, and
    reports it (`SharedBudgetLost`). `share` times the number of processes should stay below 1.
    Calls that move funds wait for Redis; with `funds="fail"` they raise `BudgetExceededError` at
    once.
    """

    def __init__(  # noqa: PLR0913 - the public face, all by keyword
        self,
        url: str | Callable[[], Redis],
        *,
        limits: RateLimits | None = None,
        name: str = "default",
        timeout: timedelta | float = 1.0,
        lease: timedelta | float | None = None,
        share: float = 0.1,
        funds: Literal["wait", "fail"] = "wait",
        prefix: str = "binance-dust",
    ) -> None:
        """Check the configuration; nothing is opened.

        `url` is the URL of Redis, or a function that makes a `redis.asyncio.Redis` (for Sentinel).
        `timeout` limits each call to it. A process without a sign of life for `lease` seconds (5,
        or less for short windows) is taken for dead: its calls in flight count for a window more,
        and its waiters lose their places.
        """
        timeout = seconds(timeout, "timeout")
        instance(name, str, "name")
        if not name or any(ord(letter) <= ord(" ") or letter in "{}" for letter in name):
            raise ConfigurationError("name must be one word without braces")
        connect = url if callable(url) else connector(instance(url, str, "url"), timeout)
        import_redis()
        if limits is not None:
            instance(limits, RateLimits, "limits")
        if funds not in ("wait", "fail"):
            raise ConfigurationError(f"funds must be 'wait' or 'fail', not {funds!r}")
        self._loop = OneLoop("a RedisBudget")
        self._name = name
        self._limits = limits
        self._own_limits = limits is not None
        self._lease = None if lease is None else seconds(lease, "lease")
        self._part = positive(share, "share", most=1)
        self._funds = funds
        self._settings = Settings(LoopClock(), Reporter(None), math.inf)
        self._link = Link(
            self._make_store(connect, f"{prefix}:{name}", timeout),
            f"{prefix}:{name}:",
            self._settings,
            on_lost=self._lost,
            on_unsent=self._unsent,
        )
        self._set_limits(limits or RateLimits())
        self._share: LocalShare | None = None
        """Made when first needed, and kept: what it has spent counts in the next outage too."""
        self._away_since: float | None = None
        self._back = asyncio.Event()
        self._reconnecting: asyncio.Task[None] | None = None
        self._closed = False

    def _make_store(self, connect: Callable[[], Redis], prefix: str, timeout: float) -> PoolStore:
        return RedisStore(connect, prefix, timeout)

    def attach(
        self,
        clock: Clock,
        observer: Callable[[Event], None],
        *,
        patience: float,
        limits: RateLimits,
    ) -> None:
        """Take what a session has, and its limits if this budget was given none.

        With several sessions, the time comes from the last one.
        """
        if self._limits is None:
            self._limits = limits
            self._set_limits(limits)
        elif not self._own_limits and limits != self._limits:
            raise ConfigurationError("sessions that share a budget must have the same limits")
        settings = self._settings
        settings.clock, settings.observer, settings.patience = clock, observer, patience

    def _set_limits(self, limits: RateLimits) -> None:
        lease = self._lease
        if lease is None:
            lease = min(_LONGEST_LEASE, max(_SHORTEST_LEASE, limits.window / 12))
        self._settings.limits, self._settings.lease = limits, lease
        self._settings.share(self._part)  # raises if the share leaves nothing

    # --- admission -------------------------------------------------------------------------------

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        """Wait until a call may be sent.

        Raises `BudgetExceededError` as soon as it is known that the call can't be sent before
        `deadline`, and `BannedError` when the address is shut out for longer than the patience of
        the session.
        """
        self._loop.enter()
        asked = self._settings.now()
        while True:
            if self._closed:
                raise _errors.closed()
            if self._away_since is None:
                try:
                    return await self._link.member.admit(charge, deadline, lane, asked)
                except AwayError:
                    pass
                except MovedError as moved:
                    charge = msgspec.structs.replace(charge, kind=moved.payer)
            elif charge.moves_funds or not self._own_share().fits(charge):
                await self._wait_for_redis(charge, deadline)
            else:
                with contextlib.suppress(BackError):
                    return await self._own_share().admit(charge, deadline=deadline, lane=lane)

    def move(self, endpoint: str, payer: LimitKind) -> None:
        """Let calls of this process that wait for another payer's pool wait for this one's."""
        self._link.member.move(endpoint, payer)
        if self._share is not None:
            self._share.move(endpoint, payer)

    async def _wait_for_redis(self, charge: Charge, deadline: float | None) -> None:
        """Wait until Redis is back, or fail if this charge may not wait."""
        now, pause = self._settings.now(), self._settings.lease * _LONGEST_PAUSE
        if charge.moves_funds and self._funds == "fail":
            raise _away_error(charge, pause)
        left = None if deadline is None else max(0.0, deadline - now)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._back.wait()
                return
        raise _away_error(charge, pause)

    # --- while Redis is away ---------------------------------------------------------------------

    def _own_share(self) -> LocalShare:
        if self._share is None:
            settings = self._settings
            self._share = LocalShare(
                settings.share(self._part),
                settings.clock,
                settings.observer,
                patience=settings.patience,
            )
        return self._share

    def _lost(self, reason: str) -> None:
        if self._closed:
            return
        self._away_since = since = self._settings.now()
        self._back.clear()
        share = self._own_share()
        self._restrain(share)
        self._settings.observer(SharedBudgetLost(reason))
        again = self._reconnect(share, since)
        self._reconnecting = asyncio.get_running_loop().create_task(again)

    def _unsent(self, charge: Charge, status: str, wait: float) -> None:
        self._own_share().take_refusal(charge, status, wait)

    def _restrain(self, share: LocalShare) -> None:
        """Keep shut what was shut, and the pools that all processes had nearly used up."""
        replica = self._link.replica
        if replica is None:
            return
        now = self._link.time()
        share.go_on(replica.gate, replica.pools, self._settings.now() - now)
        for pool, room in replica.rooms(now):
            few = room <= pool.limit * self._part * len(replica.members)
            if pool.used and not pool.shut_for and few:
                charge = Charge(pool.name, pool.kind, 0, pool.account)
                share.shut_pool(charge, pool.resets_in, guess=True)

    async def _reconnect(self, share: LocalShare, since: float) -> None:
        """Try to reach Redis until it is back; then report what was spent and heard here."""
        pause = self._settings.lease * _FIRST_PAUSE
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._settings.lease * _LONGEST_PAUSE)
            try:
                await self._link.connect(lambda: share.report(since))
            except AwayError:
                continue
            except ConfigurationError as error:
                self._settings.observer(SharedBudgetLost(str(error)))
                pause = self._settings.lease
                continue
            break
        self._away_since = None
        self._back.set()
        share.dismiss()
        self._settings.observer(SharedBudgetBack(self._settings.now() - since))

    # --- the rest --------------------------------------------------------------------------------

    def snapshot(self) -> BudgetSnapshot:
        """Return every pool as last seen in Redis; while it is away, the share of this process."""
        if self._away_since is not None:
            return self._own_share().snapshot()
        replica = self._link.replica
        if replica is None:
            return BudgetSnapshot((), 0.0, self._settings.limits.requests_per_second)
        return replica.snapshot(self._link.time())

    async def refresh(self) -> BudgetSnapshot:
        """Return every pool as it is in Redis now, after all that this process has to send."""
        self._loop.enter()
        await self._link.read()
        return self.snapshot()

    def forecast(self, charge: Charge, calls: int) -> float:
        """Return the seconds until the last of so many more calls can be sent.

        The forecast puts them behind the calls that waited when Redis was last asked.
        """
        replica = self._link.replica
        if self._away_since is not None and self._own_share().fits(charge):
            return self._own_share().forecast(charge, calls)
        if replica is None:
            limits = self._settings.limits
            before = max(0, calls * charge.weight - 1)
            return before // limits.of(charge.kind) * limits.window
        return replica.forecast(charge, calls, self._link.time())

    async def close(self) -> None:
        """Refuse all waiters, send what is left to send, and close the connections."""
        if self._closed:
            return
        self._loop.leave()
        self._closed = True
        task, self._reconnecting = self._reconnecting, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._back.set()
        if self._share is not None:
            await self._share.close()
        await self._link.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_closed"):  # a traceback may show one with a bad configuration
            return "<RedisBudget refused>"
        state = "closed" if self._closed else "away" if self._away_since is not None else "open"
        return f"<RedisBudget {self._name}, {state}>"


def _away_error(charge: Charge, pause: float) -> BudgetExceededError:
    return BudgetExceededError(
        f"{charge.pool}: the spent weight is not known while Redis is away; nothing was sent",
        pool=charge.pool,
        retry_after=pause,
    )
