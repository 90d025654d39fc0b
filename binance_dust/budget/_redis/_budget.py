"""The weight budgets of one outgoing address, shared by processes and hosts."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, Final, Literal

from binance_dust._util.checks import instance, positive
from binance_dust._util.lifetimes import Closing, OneLoop
from binance_dust.budget import _denials
from binance_dust.budget._limits import RateLimits
from binance_dust.budget._names import key_of
from binance_dust.budget._protocol import Charge, Lane
from binance_dust.budget._redis._desk import Desk
from binance_dust.budget._redis._record import Records
from binance_dust.budget._redis._setting import LoopClock, Setting
from binance_dust.budget._redis._share import BackError, Share
from binance_dust.budget._redis._store import AwayError, RedisStore, connector, import_redis
from binance_dust.errors import BudgetExceededError, ConfigurationError
from binance_dust.events import Reporter, SharedBudgetBack, SharedBudgetLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from binance_dust.budget._protocol import Admission, BudgetSnapshot, Clock
    from binance_dust.budget._redis._store import Store
    from binance_dust.events import Event

__all__ = ["RedisBudget"]

_SHORTEST_LEASE: Final = 0.5
_LONGEST_LEASE: Final = 5.0
"""Seconds, unless told: a twelfth of a window, but any process may hang for half a second."""
_FIRST_PAUSE: Final = 1 / 50
_LONGEST_PAUSE: Final = 1 / 5
"""Parts of a lease, between attempts to reach Redis again: all are back before it ends."""


class RedisBudget(Closing):
    """One pool for all processes and hosts behind one address, in Redis or Valkey.

        async with RedisBudget("redis://127.0.0.1:6379/0", name="203.0.113.7") as budget:
            async with Session(budget=budget) as session:
                ...

    All who go out by one address give the same `name` and the same `limits` (unless told, those of
    the session); two addresses are two names. One budget may serve several sessions of one process.
    Nothing is opened before the first call, and whoever creates it closes it, after its sessions.

    While Redis can't be asked, each process goes on reading within its `share` of the limits, and
    says so (`SharedBudgetLost`). `share` times the number of processes should stay below 1. Calls
    that move funds wait for Redis, or with `funds="fail"` raise `BudgetExceededError` at once.
    """

    def __init__(  # noqa: PLR0913 - the public face, all by keyword
        self,
        url: str | Callable[[], Redis],
        *,
        limits: RateLimits | None = None,
        name: str = "default",
        timeout: float = 1.0,
        lease: float | None = None,
        share: float = 0.1,
        funds: Literal["wait", "fail"] = "wait",
        prefix: str = "binance-dust",
    ) -> None:
        """Check the configuration; nothing is opened.

        `url` is Redis' address, or a function that makes a `redis.asyncio.Redis` (for Sentinel).
        `timeout` bounds each question to it. A process that was not heard of for `lease` seconds
        (5, or less where windows are short) is taken for dead: what it had admitted counts for a
        window more, and its places in line go to the next.
        """
        timeout = positive(timeout, "timeout")
        instance(name, str, "name")
        if not name or any(ord(letter) <= ord(" ") or letter in "{}" for letter in name):
            raise ConfigurationError("name must be one word without braces")
        connect = url if callable(url) else connector(instance(url, str, "url"), timeout)
        import_redis()
        if limits is not None:
            instance(limits, RateLimits, "limits")
        if lease is not None:
            positive(lease, "lease")
        if funds not in ("wait", "fail"):
            raise ConfigurationError(f"funds must be 'wait' or 'fail', not {funds!r}")
        self._loop = OneLoop("a RedisBudget")
        self._name = name
        self._limits = limits
        self._own_limits = limits is not None
        self._lease = lease
        self._part = positive(share, "share", most=1)
        self._funds = funds
        self._setting = Setting(LoopClock(), Reporter(None), math.inf)
        self._desk = Desk(
            self._make_store(connect, f"{prefix}:{name}", timeout),
            f"{prefix}:{name}:",
            self._setting,
            on_lost=self._lost,
            on_unsaid=self._unsaid,
        )
        self._go_by(limits or RateLimits())
        self._share: Share | None = None
        """Made when it is first needed, and kept: what it has spent counts the next time too."""
        self._away_since: float | None = None
        self._back = asyncio.Event()
        self._back.set()
        self._returning: asyncio.Task[None] | None = None
        self._closed = False

    def _make_store(self, connect: Callable[[], Redis], prefix: str, timeout: float) -> Store:
        return RedisStore(connect, prefix, timeout)

    def attach(
        self,
        clock: Clock,
        observer: Callable[[Event], None],
        *,
        patience: float,
        limits: RateLimits,
    ) -> None:
        """Take what a session has, and its limits where this budget was given none.

        Of several sessions the last one is asked for the time.
        """
        if self._limits is None:
            self._limits = limits
            self._go_by(limits)
        elif not self._own_limits and limits != self._limits:
            raise ConfigurationError("sessions that share a budget have to agree on their limits")
        setting = self._setting
        setting.clock, setting.observer, setting.patience = clock, observer, patience

    def _go_by(self, limits: RateLimits) -> None:
        lease = self._lease
        if lease is None:
            lease = min(_LONGEST_LEASE, max(_SHORTEST_LEASE, limits.window / 12))
        self._setting.go_by(limits, lease)
        self._setting.share(self._part)  # refuses what leaves nothing
        self._desk.flights.records = Records(limits.window)

    # --- admission -------------------------------------------------------------------------------

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        """Wait until a call may be sent.

        Raises `BudgetExceededError` as soon as it is known that the call can't be sent before
        `deadline`, and `BannedError` when the address is shut out for longer than anybody wants to
        wait.
        """
        self._loop.enter()
        asked = self._setting.now()
        while True:
            if self._closed:
                raise _denials.closed()
            if self._away_since is None:
                with contextlib.suppress(AwayError):
                    return await self._desk.admit(charge, deadline, lane, asked)
            elif charge.moves_funds or not self._own_share().fits(charge):
                await self._wait(charge, deadline)
            else:
                with contextlib.suppress(BackError):
                    return await self._own_share().admit(charge, deadline=deadline, lane=lane)

    async def _wait(self, charge: Charge, deadline: float | None) -> None:
        """Wait for Redis with what is not sent on a guess."""
        now, pause = self._setting.now(), self._setting.lease * _LONGEST_PAUSE
        if charge.moves_funds and self._funds == "fail":
            raise _unsure(charge, pause)
        left = None if deadline is None else max(0.0, deadline - now)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._back.wait()
                return
        raise _unsure(charge, pause)

    # --- while Redis is away ---------------------------------------------------------------------

    def _own_share(self) -> Share:
        if self._share is None:
            setting = self._setting
            self._share = Share(
                setting.share(self._part),
                setting.clock,
                setting.observer,
                patience=setting.patience,
            )
        return self._share

    def _lost(self, reason: str) -> None:
        if self._closed:
            return
        self._away_since = self._setting.now()
        self._back.clear()
        self._hold_back(self._own_share())
        self._setting.observer(SharedBudgetLost(reason))
        self._returning = asyncio.get_running_loop().create_task(self._return())

    def _unsaid(self, charge: Charge, status: str, wait: float) -> None:
        self._own_share().heed(charge, status, wait)

    def _hold_back(self, share: Share) -> None:
        """Keep shut what was shut, and what all together had nearly used up."""
        now, views = self._setting.now(), self._desk.views
        if views.shut_until > now:
            share.stay_away(views.shut_until - now)
        snapshot = views.snapshot(self._setting.limits, now)
        for pool, (view, _) in zip(snapshot.pools, views, strict=True):
            charge = Charge(pool.name, pool.kind, 0, pool.account)
            if pool.shut_for:
                share.hold(charge, pool.shut_for)
            elif pool.used and view.room <= pool.limit * self._part * views.processes:
                share.hold(charge, pool.resets_in, guess=True)

    async def _return(self) -> None:
        """Try to reach Redis until it is there."""
        pause = self._setting.lease * _FIRST_PAUSE
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._setting.lease * _LONGEST_PAUSE)
            try:
                await self._desk.greet(self._report)
            except AwayError:
                continue
            except ConfigurationError as error:
                self._setting.observer(SharedBudgetLost(str(error)))
                pause = self._setting.lease
                continue
            break
        self._returning = None
        since, self._away_since = self._away_since, None
        self._back.set()
        if self._share is not None:
            self._share.dismiss()
        if since is not None:
            self._setting.observer(SharedBudgetBack(self._setting.now() - since))

    def _report(self) -> list[list[object]]:
        """Say what was spent and heard here meanwhile."""
        share, since = self._share, self._away_since
        if share is None or since is None:
            return []
        ops: list[list[object]] = [["g", share.shut_for]] if share.shut_for else []
        return ops + list(share.report(since))

    # --- the rest --------------------------------------------------------------------------------

    def snapshot(self) -> BudgetSnapshot:
        """Show every pool as Redis last told it; while it is away, the share of this process."""
        if self._away_since is not None:
            return self._own_share().snapshot()
        return self._desk.views.snapshot(self._setting.limits, self._setting.now())

    async def refresh(self) -> BudgetSnapshot:
        """Show every pool as it is in Redis now, with all that this process has to say."""
        self._loop.enter()
        if self._away_since is None:
            await self._desk.look()
        return self.snapshot()

    def forecast(self, charge: Charge, calls: int) -> float:
        """Foretell the seconds until the last of so many more calls can be sent.

        They are counted behind those that stood in line when Redis was last asked.
        """
        if self._away_since is not None and self._own_share().fits(charge):
            return self._own_share().forecast(charge, calls)
        limits = self._setting.limits
        return self._desk.views.forecast(
            key_of(charge),
            calls * charge.weight,
            limits.of(charge.kind),
            limits.window,
            self._setting.now(),
        )

    async def close(self) -> None:
        """Say what is left to say, let go of whoever waits, and close the connections."""
        if self._closed:
            return
        self._loop.leave()
        self._closed = True
        returning, self._returning = self._returning, None
        if returning is not None:
            returning.cancel()
            await asyncio.gather(returning, return_exceptions=True)
        self._back.set()
        if self._share is not None:
            await self._share.close()
        await self._desk.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_closed"):  # a traceback may show one that was refused
            return "<RedisBudget refused>"
        state = "closed" if self._closed else "away" if self._away_since is not None else "open"
        return f"<RedisBudget {self._name}, {state}>"


def _unsure(charge: Charge, pause: float) -> BudgetExceededError:
    return BudgetExceededError(
        f"{charge.pool}: what is spent is not known while Redis is away; nothing was sent",
        pool=charge.pool,
        retry_after=pause,
    )
