"""A desk at work for hours of virtual time, through storms and calm; then it is weighed.

A day of the desk is made of rounds of ten minutes: a storm, time to recover, and calm. In calm
everything must go as if there had never been a storm. Between rounds, with nothing under way, what
the package holds is counted: tasks, timers, pools, waiters, objects, memory.
"""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from binance_dust import DustClient, DustError, OutcomeUnknownError, Session, scan
from binance_dust.errors import Delivery
from tests.budget.virtual import VirtualLoop, run
from tests.proof.rough import RoughWorld

STORM, RECOVERY, CALM = 180.0, 240.0, 180.0
_NOTHING_DONE: Final = {Delivery.UNSENT, Delivery.REFUSED, Delivery.FINAL}
_PACKAGE: Final = (
    tracemalloc.Filter(inclusive=True, filename_pattern="*/binance_dust/*"),
    tracemalloc.Filter(inclusive=False, filename_pattern="*/binance_dust/sandbox/*"),
)
_IN_CALM: Final = {"fine", "cancelled", "CooldownError", "NotConvertibleError"}
"""What single calls end with in calm: what was converted once can't be converted again."""
_READS: Final = (
    *("user_assets", "dust_assets", "dust_log", "small_liabilities", "margin_account"),
    *("bnb_burn", "key_permissions", "account_info", "system_status", "server_time"),
)


@dataclass(frozen=True, slots=True)
class Weight:
    """What is there when nothing is under way."""

    tasks: int
    timers: int
    waiting: int
    in_flight: int
    pools: int
    allowance: float
    """Retries that are left."""
    objects: int
    memory: int
    """Bytes that the package's own lines have allocated; 0 where that is not traced."""


@dataclass
class Soak:
    """What a desk went through."""

    weights: list[Weight] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    """What calls ended with, by the name of the error."""
    struck: dict[str, int] = field(default_factory=dict)
    conversions: int = 0
    seconds: float = 0.0
    """Virtual ones."""


class Desk:
    """Scans and single calls, some of them cancelled, with accounts that come and go."""

    def __init__(self, world: RoughWorld, soak: Soak) -> None:
        """Open for business."""
        self._world = world
        self._soak = soak
        self._told: dict[str, Counter[str]] = {}
        self._opened = 0
        self._clients: list[DustClient] = []
        self.session: Session = world.session()

    def meet(self, count: int) -> None:
        """Take on new accounts in the place of the old."""
        names = [f"account-{self._opened + number}" for number in range(count)]
        self._opened += count
        self._clients = [self.session.client(self._world.account(name)) for name in names]

    async def round(self, pace: float) -> None:
        """Work through a storm, the time after it and the calm."""
        world, clients = self._world, self._clients
        storm = asyncio.create_task(world.storm(STORM))
        await self._work(clients, STORM, pace)
        await storm
        await self._work(clients, RECOVERY, pace)
        before, refusals = Counter(self._soak.calls), world.refusals
        await self._work(clients, CALM, pace)
        spoilt = self._soak.calls - before
        assert set(spoilt) <= _IN_CALM, f"calm, and yet {spoilt}"
        assert world.refusals == refusals, "calm, and yet refused"
        self._compare()

    async def _work(self, clients: list[DustClient], seconds: float, pace: float) -> None:
        """Scan, and meanwhile make single calls, one after about `pace` seconds."""
        world, end = self._world, self._world.loop.time() + seconds
        running = {asyncio.create_task(self._keep_scanning(clients, end))}
        while world.loop.time() < end:
            await asyncio.sleep(world.dice.expovariate(1 / pace))
            call = asyncio.create_task(self._call(world.dice.choice(clients)))
            running.add(call)
            call.add_done_callback(running.discard)
            if world.dice.random() < 0.1:
                hook = world.loop.call_later(world.dice.uniform(0.0, 3.0), call.cancel)
                call.add_done_callback(lambda _, hook=hook: hook.cancel())  # type: ignore[misc]
        # A ban of a minute, and retries after it, may still be waited for.
        await asyncio.gather(*running, return_exceptions=True)
        for task in running:
            if not task.cancelled():
                task.result()

    async def _keep_scanning(self, clients: list[DustClient], end: float) -> None:
        while self._world.loop.time() < end:
            await self._scan(clients)
            await asyncio.sleep(self._world.dice.uniform(0.0, 30.0))

    async def _scan(self, clients: list[DustClient]) -> None:
        stop = self._world.dice.choice((3, len(clients), len(clients)))
        done = 0
        async with scan(clients, liabilities=self._world.dice.random() < 0.5) as reports:
            async for report in reports:
                for error in report.errors.values():
                    self._soak.calls[type(error).__name__] += 1
                self._soak.calls["fine"] += report.ok
                done += 1
                if done == stop:
                    break

    async def _call(self, client: DustClient) -> None:
        dice, calls = self._world.dice, self._soak.calls
        if dice.random() < 0.2:
            return await self._write(client)
        try:
            await getattr(client, dice.choice(_READS))()
        except DustError as error:
            calls[type(error).__name__] += 1
        except asyncio.CancelledError:
            calls["cancelled"] += 1
        else:
            calls["fine"] += 1
        return None

    async def _write(self, client: DustClient) -> None:
        """Convert, and note what was told about it."""
        told = "unknown"
        try:
            await client.dust_transfer(["ADA"])
        except OutcomeUnknownError:
            self._soak.calls["OutcomeUnknownError"] += 1
        except DustError as error:
            self._soak.calls[type(error).__name__] += 1
            assert getattr(error, "delivery", Delivery.UNSENT) in _NOTHING_DONE, repr(error)
            told = "nothing"
        except asyncio.CancelledError:
            self._soak.calls["cancelled"] += 1
        else:
            self._soak.calls["fine"] += 1
            told = "done"
        self._told.setdefault(client.name, Counter())[told] += 1

    def _compare(self) -> None:
        """Hold what was told of conversions against the exchange's books."""
        for name, told in self._told.items():
            if name in self._world.lied_to:
                continue
            done = len(self._world.exchange.accounts[name].conversions)
            assert told["done"] <= done <= 1, f"{name} was told {told}, and {done} were done"
            assert told["done"] or told["unknown"] or not done, f"{name} was told of none"
        self._soak.conversions = sum(told["done"] for told in self._told.values())

    def weigh(self) -> Weight:
        """Count what the package holds now."""
        gc.collect()
        loop = self._world.loop
        assert isinstance(loop, VirtualLoop)
        snapshot = self.session.budget.snapshot()
        return Weight(
            tasks=len(asyncio.all_tasks()),
            timers=loop.timers,
            waiting=snapshot.waiting,
            in_flight=sum(pool.in_flight for pool in snapshot.pools),
            pools=len(snapshot.pools),
            allowance=self.session._pipeline.allowance._left,
            objects=sum(map(_is_ours, gc.get_objects())),
            memory=_traced(),
        )


def _is_ours(thing: Any) -> bool:
    module = getattr(type(thing), "__module__", "")
    return (
        isinstance(module, str)
        and module.startswith("binance_dust")
        and not module.startswith("binance_dust.sandbox")
    )


def _traced() -> int:
    if not tracemalloc.is_tracing():
        return 0
    taken = tracemalloc.take_snapshot().filter_traces(_PACKAGE)
    return sum(each.size for each in taken.statistics("filename"))


def soak(
    *,
    seed: int,
    rounds: int,
    accounts: int = 8,
    pace: float = 1.0,
    newcomers: bool = True,
    after: Callable[[Weight], None] | None = None,
) -> Soak:
    """Have a desk work through so many rounds of ten minutes.

    With `newcomers` each round has accounts of its own, as if a thousand came and went. Without,
    memory can be compared: the exchange, which is in this process too, forgets no account.
    """
    gone = Soak()
    # Pauses before sending again are drawn from the interpreter's own dice.
    random.seed(seed)

    async def main() -> None:
        world = RoughWorld(seed=seed, remember=100)
        desk = Desk(world, gone)
        async with desk.session:
            for number in range(rounds):
                if newcomers or not number:
                    desk.meet(accounts)
                await desk.round(pace)
                gone.weights.append(desk.weigh())
                if after is not None:
                    after(gone.weights[-1])
        gone.struck, gone.seconds = world.struck, world.loop.time()

    run(main())
    return gone
