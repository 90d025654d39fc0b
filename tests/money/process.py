"""A process of ours: its loop, its session, its ledger; the jobs that it does, and its death."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from binance_dust import Converter, Credentials, DustError, Ledger, Session, sweep
from binance_dust.client import DustClient
from binance_dust.conversion import LiabilityExchanger, Receipt, Repayer, RepaymentReceipt
from binance_dust.ledger import OPEN
from tests.money.life import KEYS
from tests.money.line import BASE_URL, Wire
from tests.money.loop import StepLoop
from tests.worlds.exchange import EPOCH

if TYPE_CHECKING:
    from binance_dust.ledger._store import LedgerStore
    from tests.money.life import Key, Program, Stroke
    from tests.money.play import MoneyStage

_SELL: Final = {"above": "convert", "above_max": 1_000_000}
_PAUSE: Final = 1.0
"""Seconds between two jobs."""
_ROLES: Final = {
    "convert": {"convert"},
    "gather": {"convert"},
    "sell": {"convert"},
    "clean": {"convert"},
    "debts": {"convert"},
    "repay": {"convert"},
    "sweep": {"convert", "recover"},
    "recover": {"recover"},
    "sync": set[str](),
    "resolve": set[str](),
    "count": set[str](),
}


@dataclass(slots=True, eq=False)
class Work:
    """A job under way, or over."""

    process: MoneyProcess
    job: str
    began: float
    over: float | None = None
    receipts: list[Receipt | RepaymentReceipt] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def roles(self) -> set[str]:
        """Which claims it may hold."""
        return _ROLES[self.job]

    def __str__(self) -> str:
        return f"{self.job} of process {self.process.number}"


class _MoneyTime:
    """This process's clocks."""

    def __init__(self, process: MoneyProcess) -> None:
        self._stage = process.stage
        self.monotonic = process.loop.time

    def wall(self) -> float:
        return EPOCH + self._stage.engine.now + self._stage.wall


class MoneyProcess:
    """One process, from its start to its end or death."""

    def __init__(
        self, stage: MoneyStage, number: int, program: Program, strokes: tuple[Stroke, ...] = ()
    ) -> None:
        self.stage = stage
        self.number = number
        self.program = program
        self.key: Key = KEYS[program.key]
        self.works: list[Work] = []
        self.done = False
        self._strokes = {stroke.step: stroke for stroke in strokes}
        self._task: asyncio.Task[Any] | None = None
        self.store: LedgerStore | None = None
        """Its open file, also when it has ended."""
        self.abandoned: set[Any] = set()
        """Files that it has lost."""
        self.loop = StepLoop(stage.engine, self._before_step)
        # Nothing can be noticed that happens to a file between the last look and the call.
        self.loop.slow = 0.0 if stage.life.storage.files else stage.life.machine.slow_disk
        self.loop.before_work = lambda: stage.works(self)
        self.loop.after_work = self._after_work
        stage.engine.loops.append(self.loop)
        self._main = self.loop.create_task(self._run())
        self._main.add_done_callback(self._ended)
        self.loop.wake = stage.engine.now

    @property
    def alive(self) -> bool:
        """Whether it was not killed; it may be frozen."""
        return self.loop.alive

    @property
    def under_way(self) -> list[Work]:
        """Its jobs under way."""
        return [work for work in self.works if work.over is None] if self.alive else []

    @property
    def credentials(self) -> Credentials:
        """Its key, with the name that it gives it."""
        return self.stage.credentials(self.key)

    def _after_work(self, error: BaseException | None) -> None:
        """Let the oracle judge a piece of work on the ledger."""
        self.stage.oracle.look(self)
        if error is not None:
            self.stage.oracle.refused(self, error)

    # --- what befalls it -------------------------------------------------------------------------

    def _before_step(self, step: int) -> None:
        stroke = self._strokes.pop(step, None)
        if stroke is None:
            return
        if stroke.after:
            engine = self.stage.engine
            engine.at(engine.now + stroke.after, self._strike, stroke)
        else:
            self._strike(stroke)
            if stroke.what == "freeze":
                self.loop.steps -= 1  # it wakes up before the same step

    def _strike(self, stroke: Stroke) -> None:
        if self.done:
            return
        self.stage.struck(self, stroke)
        if stroke.what == "crash":
            self.kill()
        elif stroke.what == "freeze":
            self.loop.stop_for(stroke.lasts)
        elif self._task is not None:
            self._task.cancel()

    def kill(self) -> None:
        """Die at once: nothing is finished, and nobody hears of it."""
        self.loop.alive = False
        self.stage.engine.loops.remove(self.loop)
        self.done = True
        if self.store is not None and (lock := self.store._holder._file) is not None:
            lock.close()  # the system releases it
        self.stage.buried.append(self)
        if self.program.back_after:
            self.stage.start_later(self.program)

    def end(self) -> None:
        """Close what is left of it, when nothing matters any more."""
        self.loop.bury()
        self.stage.works(self)
        if self.store is not None:
            with contextlib.suppress(sqlite3.Error):
                self.store._connection.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not self.alive:
            return
        self.done = True
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, DustError):
            self.stage.note(f"process {self.number}: {type(error).__name__}: {error}")
        else:
            self.stage.oracle.crashed(f"process {self.number}", error)

    # --- what it does ----------------------------------------------------------------------------

    async def _run(self) -> None:
        if self.program.begin:
            await asyncio.sleep(self.program.begin)
        # Nobody lets go of a file while another waits in real time.
        async with Ledger(self.stage.path(self.program.ledger), busy_timeout=0.01) as ledger:
            self.store = ledger._thread._store
            session = Session(base_url=BASE_URL, time=_MoneyTime(self))
            wire: Any = Wire(self.stage.roads, self)
            session._pipeline = replace(session._pipeline, transport=wire)  # type: ignore[misc]
            async with session:
                client = DustClient(self.credentials, session)
                for number, job in enumerate(self.program.jobs):
                    if number:
                        await asyncio.sleep(_PAUSE)
                    await self._work(Work(self, job, self.stage.engine.now), client, ledger)

    async def _work(self, work: Work, client: DustClient, ledger: Ledger) -> None:
        self.works.append(work)
        self._task = asyncio.ensure_future(self._do(work, client, ledger))
        await asyncio.wait([self._task])
        work.over = self.stage.engine.now
        error = None if self._task.cancelled() else self._task.exception()
        self._task = None
        work.error = error
        if isinstance(error, DustError):
            self.stage.note(f"{work}: {type(error).__name__}: {error}")
        elif error is not None:
            self.stage.oracle.crashed(str(work), error)
        else:
            self.stage.note(f"{work}: done, {len(work.receipts)} receipts")

    async def _do(self, work: Work, client: DustClient, ledger: Ledger) -> None:
        stage = self.stage
        converter = Converter(client, ledger=ledger, cooldown=0)
        match work.job:
            case "convert" | "gather" | "sell" | "clean" | "debts" | "repay":
                quote, carry_out = self._mover(work.job, client, ledger)
                if plan := await quote():
                    work.receipts.append(await carry_out(plan))
                    await stage.oracle.receipt(work, ledger)
            case "recover":
                await converter.recover()
            case "sync":
                await ledger.sync(client)
            case "resolve":
                await self._resolve(client, ledger)
            case "count":
                dust = await ledger.totals("target")
                debts = await ledger.totals("target", liabilities=True)
                stage.oracle.counted(self.program.ledger, dust, debts)
            case "sweep":
                await self._sweep(work, client, ledger)

    def _mover(self, job: str, client: DustClient, ledger: Ledger) -> tuple[Any, Any]:
        """Give what plans a job, and what carries the plan out."""
        if job == "debts":
            exchanger = LiabilityExchanger(client, ledger=ledger, cooldown=0)
            return exchanger.quote, exchanger.exchange
        if job == "repay":
            repayer = Repayer(client, ledger=ledger)
            return repayer.quote, repayer.repay
        rules: dict[str, Any] = {"target": self.program.target, "cooldown": 0}
        rules |= {"gather": True} if job in ("gather", "clean") else {}
        rules |= _SELL if job in ("sell", "clean") else {}
        converter = Converter(client, ledger=ledger, **rules)
        return converter.quote, converter.convert

    async def _sweep(self, work: Work, client: DustClient, ledger: Ledger) -> None:
        life = self.stage.life.rules
        rules: dict[str, Any] = {"target": self.program.target, "cooldown": 0}
        rules |= {"liabilities": bool(life.debts), "repay": bool(life.margin)}
        rules |= {"gather": True} if life.funding else {}
        rules |= _SELL if life.large else {}
        swept = sweep([client], ledger=ledger, dry_run=False, **rules)
        async with swept as reports:
            async for report in reports:
                self.stage.note(f"{work}: {report}")
                if report.receipt is not None:
                    work.receipts.append(report.receipt)
                    await self.stage.oracle.receipt(work, ledger)

    async def _resolve(self, client: DustClient, ledger: Ledger) -> None:
        """Settle by hand what is open still: a person looks at the exchange, and knows."""
        stage, number = self.stage, self.program.ledger
        await client.session.learn_time()
        owner = (await ledger.identify(client)).owner
        for entry in [each async for each in ledger.entries(status=OPEN) if each.owner == owner]:
            made = stage.oracle.made_by(number, entry.id)
            found = (
                getattr(each, "transaction_id", None) or getattr(each, "order_id", None)
                for each in made
            )
            numbers = [number for number in found if number is not None]
            stage.note(f"by hand: entry {entry.id}, made {made}: {entry.reason}")
            await ledger.resolve(
                entry.id,
                "confirmed" if made else "rejected",
                "a person looked",
                now=client.session.now(),
                transaction_id=numbers[0] if numbers else None,
                client=client if made else None,
            )
