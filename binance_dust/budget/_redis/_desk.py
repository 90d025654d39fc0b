"""A process at Redis: it asks for whoever waits here, hears, and is heard of."""

from __future__ import annotations

import asyncio
import contextlib
from copy import copy
from typing import TYPE_CHECKING, Final

from binance_dust.budget import _denials
from binance_dust.budget._names import key_of, name_of
from binance_dust.budget._protocol import Lane
from binance_dust.budget._redis._courier import Courier, Op
from binance_dust.budget._redis._crowd import Crowd, Waiter
from binance_dust.budget._redis._flights import Flights
from binance_dust.budget._redis._messages import Look, Reply, opening, read_letter
from binance_dust.budget._redis._store import AwayError
from binance_dust.budget._redis._views import Views
from binance_dust.errors import ConfigurationError
from binance_dust.events import Banned, BoundaryLearnt, BoundaryLost, Refused, Waited

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust.budget._protocol import Charge
    from binance_dust.budget._redis._admission import RedisAdmission
    from binance_dust.budget._redis._setting import Setting
    from binance_dust.budget._redis._store import Store
    from binance_dust.errors import DustError

_LANES: Final = {Lane.CALL: 1, Lane.SCAN: 2}
_BEATS: Final = 3
"""In a lease."""
_DEAF: Final = 2
"""Beats that did not come round, after which nobody believes that messages arrive."""


class Desk(Courier):
    """One process of those that share a pool."""

    def __init__(
        self,
        store: Store,
        channel: str,
        setting: Setting,
        *,
        on_lost: Callable[[str], None],
        on_unsaid: Callable[[Charge, str, float], None],
    ) -> None:
        """Begin unconnected.

        `on_lost` is told once for each time that Redis can't be asked, `on_unsaid` of each answer
        that it can't be told of yet.
        """
        super().__init__(store, channel, setting)
        self._on_lost = on_lost
        self._on_unsaid = on_unsaid
        self._tickets = 0
        self._crowd = Crowd(self._due)
        self._left: dict[int, Waiter] = {}
        """Who left before Redis had said where they stand."""
        self._beating: asyncio.TimerHandle | None = None
        self._beat = 0
        self._heard_beat = 0
        self.flights = Flights(setting, self._say)
        self.views = Views()

    # --- asking ----------------------------------------------------------------------------------

    async def admit(
        self, charge: Charge, deadline: float | None, lane: Lane, asked: float
    ) -> RedisAdmission:
        """Wait until a call may be sent; `AwayError` if Redis goes away meanwhile."""
        self._tickets += 1
        waiter = Waiter(self._tickets, charge, key_of(charge), lane, deadline=deadline, asked=asked)
        limits = self._setting.limits
        self._crowd.add(waiter, charge.weight * limits.window / limits.of(charge.kind))
        self._ask(waiter)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled():
                if waiter.future.exception() is None:
                    waiter.future.result().release()
            else:
                self._leave(waiter)
            raise

    def _ask(self, waiter: Waiter) -> None:
        now, charge = self._setting.now(), waiter.charge
        left = False if waiter.deadline is None else waiter.deadline - now
        self._say(
            "a",
            waiter.ticket,
            *opening(charge),
            charge.weight,
            _LANES[waiter.lane],
            now - waiter.asked,
            waiter.behind,
            waiter.since,
            left,
        )

    def _leave(self, waiter: Waiter) -> None:
        if self._crowd.pop(waiter.ticket) is not None:
            self._give_up_place(waiter)

    def _give_up_place(self, waiter: Waiter) -> None:
        if not waiter.since:
            self._left[waiter.ticket] = waiter
            return
        weight, lane = waiter.charge.weight, _LANES[waiter.lane]
        self._say("c", waiter.ticket, waiter.key, weight, lane, waiter.since)

    def _tell(self, waiter: Waiter, error: DustError) -> None:
        if not waiter.future.done():
            waiter.future.set_exception(error)

    def _due(self, key: str) -> None:
        """Look at a pool again: its head may go, or somebody's deadline has come."""
        now = self._setting.now()
        self._tell_late(key, now, 0.0)
        if key in self._crowd:
            self._say("v", key)

    def _tell_late(self, key: str, now: float, chance: float) -> None:
        for waiter in self._crowd.hopeless(key, now + chance):
            charge = waiter.charge
            self._tell(waiter, _denials.too_late(name_of(charge), charge.weight, chance))
            self._give_up_place(waiter)

    def _introduce(self, pid: str) -> tuple[list[Op], dict[RedisAdmission, str]]:
        self._beat = self._heard_beat = 0
        return self.flights.introduce(pid)

    # --- hearing ---------------------------------------------------------------------------------

    def _hear(self, pid: str, data: bytes) -> None:
        letter = read_letter(data)
        self._heard_beat = max(self._heard_beat, letter.beat)
        for ticket in letter.grants:
            self._grant(f"{pid}:{ticket}", ticket)
        for look in letter.looks:
            self._look(look)
        if letter.gate >= 0:
            self._shut(letter.gate)

    def _heard(self, ops: list[Op], reply: Reply) -> None:
        now = self._setting.now()
        self.flights.told(ops)
        for ticket, since in reply.joined:
            self._joined(ticket, since)
        for ticket in reply.grants:
            self._grant(f"{self._pid}:{ticket}", ticket)
        for ticket, why, seconds in reply.refused:
            self._refused(ticket, why, seconds)
        for view in reply.views:
            self.views.put(view, now)
        self.views.processes = reply.processes
        for kind, pool, seconds in reply.events:
            self._report(kind, pool, seconds)
        for look in reply.looks:
            self._look(look)
        self._shut(reply.gate)
        self._keep_alive()
        if ops and not reply.known:
            self._stand_again()

    def _stand_again(self) -> None:
        """Take the old places in line, having been taken for dead."""
        for waiter in self._crowd:
            if waiter.since:
                self._ask(waiter)

    def _joined(self, ticket: int, since: str) -> None:
        waiter = self._crowd.get(ticket)
        if waiter is not None:
            waiter.since = since
            # Also without a look: it may be taken for dead.
            lease, now = self._setting.lease, self._setting.now()
            self._crowd.look_at(waiter.key, now + lease, now)
            return
        waiter = self._left.pop(ticket, None)
        if waiter is not None:
            waiter.since = since
            self._give_up_place(waiter)

    def _grant(self, name: str, ticket: int) -> None:
        self._left.pop(ticket, None)
        waiter = self._crowd.pop(ticket)
        if waiter is None:
            self._say("r", name)
            return
        now, charge = self._setting.now(), waiter.charge
        admission = self.flights.begin(name, charge, now)
        if waiter.future.done():  # cancelled, and its task has not run yet
            admission.release()
            return
        waiter.future.set_result(admission)
        self._keep_alive()
        if waiter.since and now > waiter.asked:
            self._setting.observer(Waited(name_of(charge), now - waiter.asked))

    def _refused(self, ticket: int, why: str, seconds: float) -> None:
        self._left.pop(ticket, None)
        waiter = self._crowd.pop(ticket)
        if waiter is None:
            return
        name, weight = name_of(waiter.charge), waiter.charge.weight
        match why:
            case "never":
                self._tell(waiter, _denials.never_fits(name, weight, round(seconds)))
            case "late":
                self._tell(waiter, _denials.too_late(name, weight, seconds))
            case _:
                server = self._setting.clock.server_time()
                self._tell(waiter, _denials.shut_out(name, seconds, server))

    def _look(self, look: Look) -> None:
        now = self._setting.now()
        self.views.shut(look.key, look.shut_for, now)
        self._tell_late(look.key, now, look.chance)
        self._crowd.look_at(look.key, now + look.delay, now)

    def _shut(self, seconds: float) -> None:
        self.views.shut_until = self._setting.now() + seconds
        if seconds <= self._setting.patience:
            return
        server = self._setting.clock.server_time()
        for waiter in self._crowd:
            self._tell(waiter, _denials.shut_out(name_of(waiter.charge), seconds, server))
            self._leave(waiter)

    def _report(self, kind: str, pool: str, seconds: float) -> None:
        observer = self._setting.observer
        match kind:
            case "refused":
                observer(Refused(pool, seconds))
            case "banned":
                observer(Banned(seconds))
            case "learnt":
                observer(BoundaryLearnt(pool))
            case _:
                observer(BoundaryLost(pool))

    # --- being alive -----------------------------------------------------------------------------

    def _keep_alive(self) -> None:
        """Be heard of while anything of ours is at stake."""
        if self._beating is None and not self._gone and (self._crowd or self.flights):
            loop = asyncio.get_running_loop()
            self._beating = loop.call_later(self._setting.lease / _BEATS, self._on_beat)

    def _on_beat(self) -> None:
        self._beating = None
        if self._gone or not (self._crowd or self.flights):
            return
        if self._beat - self._heard_beat >= _DEAF:
            self.lose("its messages don't arrive")
            return
        self._beat += 1
        self._say("h", self._beat)
        self._keep_alive()

    def _went_away(self, reason: str) -> None:
        self._stop_beating()
        self._left.clear()
        self._refuse_all(AwayError(reason))
        self._on_lost(reason)

    def _unsaid(self, op: Op) -> None:
        if op[0] == "s":
            self._on_unsaid(op[1].charge, op[3], op[4])

    def _refuse_all(self, error: DustError) -> None:
        for waiter in self._crowd.everybody():
            self._tell(waiter, copy(error))

    def _stop_beating(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None

    async def look(self) -> None:
        """Have a new look at every pool."""
        for view, _ in self.views:
            self._say("v", view.key)
        await self.flush()

    async def close(self) -> None:
        """Say what is left to say, and go."""
        self._stop_beating()
        self._refuse_all(_denials.closed())
        await self.flush()
        pid, self._gone = self._pid, True
        if pid is not None:
            with contextlib.suppress(AwayError, ConfigurationError):
                await self._call(pid, [*self._ops, ["q"]])
        self._ops.clear()
        await self._store.close()
