"""A life, lived to its end, and the morning after, when everybody recovers and syncs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import apsw

from binance_dust import Credentials, Ledger
from binance_dust.ledger import _file, _thread
from binance_dust.sandbox import Permissions, Rules
from binance_dust.sandbox._admission import AdmittedRequest
from binance_dust.sandbox._dust import convert
from binance_dust.sandbox._endpoints import BY_NAME
from binance_dust.sandbox._exchange import Exchange
from binance_dust.sandbox._parameters import read_parameters
from binance_dust.sandbox._refusals import Refusal
from binance_dust.sandbox._replies._flow import repay
from binance_dust.sandbox._replies._margin import _exchange as exchange_debts
from binance_dust.sandbox._replies._sale import convert_accept, convert_quote
from binance_dust.sandbox._replies._wallets import transfer
from tests.conversion.far import MEMORY
from tests.money.disk import Connection, Disk
from tests.money.life import Deed, Job, Key, Life, Program, Stroke
from tests.money.line import Roads
from tests.money.loop import InlineThread
from tests.money.oracle import Oracle
from tests.money.process import MoneyProcess
from tests.worlds.engine import Engine
from tests.worlds.exchange import EPOCH

if TYPE_CHECKING:
    from tests.money.oracle import BrokenRule

_PATIENCE: Final = 3 * 3600.0
_NIGHT: Final = 200.0
"""Seconds after which every call has expired, and every record shows."""
_AMOUNTS: Final = {"ADA": "6.21", "XRP": "1.5", "DOGE": "20", "TRX": "7.5", "LINK": "0.31"}
_DEBTS: Final = {"ETH": "0.001", "XRP": "0.5", "DOGE": "12"}
_FUNDING: Final = {"DOGE": "21", "TRX": "6.5", "ADA": "0.5"}
_LARGE: Final = {"LTC": "2", "SOL": "1"}
_MARGIN: Final = {"USDT": "8", "ETH": "0.0004", "XRP": "2"}


class MoneyStage:
    """Everything that there is in a life."""

    def __init__(self, life: Life, folder: Path) -> None:
        self.life = life
        self.folder = folder
        self.engine = Engine()
        self.disk = Disk(life.seed) if life.storage.fails else None
        if self.disk is not None:
            self.disk.before_write = self._before_write
        self.harmed = False
        """Whether somebody has replaced or cut a file."""
        self._full_until: float | None = None
        self.wall = life.machine.wall
        rules = Rules(
            log_lag=life.rules.log_lag,
            cooldown=life.rules.cooldown,
            liability_cooldown=life.rules.cooldown,
            sale_seconds=life.rules.sale_seconds,
            remember=1,
        )
        self.exchange = Exchange(seed=life.seed, rules=rules, clock=self.true)
        for program in life.programs if not life.storage.new else ():
            self.path(program.ledger).write_bytes(_empty_ledger())
        self._keys: dict[tuple[str, bool], Credentials] = {}
        balances = {asset: _AMOUNTS[asset] for asset in life.rules.balances}
        balances |= {asset: _LARGE[asset] for asset in life.rules.large}
        debts = {asset: _DEBTS[asset] for asset in life.rules.debts}
        for account in ("alice", "bob"):
            self._open(account, balances, debts)
        self.roads = Roads(self.engine, self.exchange, life.line, life.rules.uid, life.seed)
        self.oracle = Oracle(self)
        self.roads.on_sent = self.oracle.sent
        self.roads.on_done = self.oracle.carried_out
        self.processes: list[MoneyProcess] = []
        self.buried: list[MoneyProcess] = []
        self.notes: list[str] = []
        self.hits: Counter[str] = Counter()
        self.moved: set[str] = set()
        """Assets that the owner has touched."""
        self._coming = 0

    # --- what there is ---------------------------------------------------------------------------

    def true(self) -> float:
        """True time, which is the exchange's."""
        return EPOCH + self.engine.now

    def path(self, ledger: int) -> Path:
        """Where a ledger is."""
        return self.folder / f"{ledger}.db"

    def connect(self, path: Path) -> Any:
        """Open a file to read it, with the SQLite that the ledgers use."""
        if self.disk is not None:
            return Connection(path)
        return sqlite3.connect(path, isolation_level=None)

    def copy(self, path: Path, into: Path) -> None:
        """Copy a ledger: what is certain of it, if the disk may lose some."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{into}{suffix}").unlink(missing_ok=True)
        if self.disk is not None:
            self.disk.certain(path, into)
            return
        for suffix in ("", "-wal"):
            if (here := Path(f"{path}{suffix}")).exists():
                shutil.copyfile(here, f"{into}{suffix}")

    def works(self, process: MoneyProcess) -> None:
        """Tell the disk who works now; what one process has lost is no other's matter."""
        _file._ABANDONED = process.abandoned  # type: ignore[misc]
        if self.disk is not None:
            self.disk.owner = process

    def credentials(self, key: Key) -> Credentials:
        """Give a key, with the name that a program gives it."""
        made = self._keys[key.account, key.second]
        return Credentials(made.api_key, made.secret.reveal(), name=key.name)

    def _open(self, name: str, balances: dict[str, str], debts: dict[str, str]) -> None:
        accounts = self.exchange.accounts
        rules = self.life.rules
        held = {asset: _MARGIN[asset] for asset in rules.margin}
        self._keys[name, False] = accounts.open(
            name,
            balances,
            margin=held or bool(debts),
            debts=debts or None,
            funding={asset: _FUNDING[asset] for asset in rules.funding},
            permissions=Permissions(universal_transfer=True),
        )
        self._keys[name, True] = accounts.add_key(name, label=None, key="hmac")

    def note(self, text: str) -> None:
        """Write down what happened."""
        text = text.replace(f"{self.folder}/", "")
        self.notes.append(f"{self.engine.now:10.4f}  {text}")

    # --- what happens ----------------------------------------------------------------------------

    def struck(self, process: MoneyProcess, stroke: Stroke) -> None:
        """Write down where a stroke has hit."""
        where = sorted({_where(task) for task in asyncio.all_tasks(process.loop)} - {""})
        self.hits[f"{stroke.what} at {', '.join(where)}"] += 1
        self.note(f"process {process.number}: {stroke.what}, step {process.loop.steps}")

    def start_later(self, program: Program) -> None:
        """Start a program anew that has died."""
        if self.life.storage.files:
            return  # in one machine's process, a newcomer would not see the file as it is
        self._coming += 1
        jobs = ("recover", *program.jobs)
        again = Program(jobs=jobs, key=program.key, ledger=program.ledger, target=program.target)

        def start() -> None:
            self._coming -= 1
            self.start(again)

        self.engine.at(self.engine.now + program.back_after, start)

    def start(self, program: Program, strokes: tuple[Stroke, ...] = ()) -> MoneyProcess:
        """Start a process."""
        process = MoneyProcess(self, len(self.processes), program, strokes)
        self.processes.append(process)
        return process

    def deed(self, deed: Deed) -> None:
        """Let the owner do something at the website."""
        account, market = self.exchange.accounts["alice"], self.exchange.market
        conditions = AdmittedRequest(
            market=market,
            rules=self.exchange.rules,
            now=self.exchange.clock.now(),
            endpoint=BY_NAME["exchange_small_liabilities"],
            parameters=read_parameters("", ""),
            sender=account,
        )
        self.note(f"owner: {deed}")
        self.moved.update(deed.assets)
        for asset in deed.assets:
            if deed.what == "deposit":
                account.deposit(asset, _AMOUNTS.get(asset, "1"))
            elif deed.what == "withdraw" and account.free(asset):
                account.withdraw(asset, account.free(asset) / 2)
            elif deed.what == "fund":
                account.deposit(asset, _FUNDING.get(asset, "1"), "FUNDING")
            elif deed.what in ("gather", "sell", "repay"):
                self._beside_dust(deed.what, asset, conditions)
        held = [asset for asset in deed.assets if account.free(asset)]
        debts = account.margin.debts if account.margin is not None else {}
        owed = [asset for asset in deed.assets if asset in debts]
        endpoint = "dust_transfer" if deed.target == "BNB" else "dust_convert"
        with contextlib.suppress(Refusal):
            if deed.what == "convert" and held:
                convert(account, "SPOT", held, deed.target, conditions, endpoint=endpoint)
            elif deed.what == "exchange" and owed:
                exchange_debts(conditions, owed)

    def _beside_dust(self, what: str, asset: str, conditions: AdmittedRequest) -> None:
        """Let the owner gather, sell or pay an asset: as a program of ours would, to the digit."""
        account = conditions.account

        def ask(query: str) -> AdmittedRequest:
            return replace(conditions, parameters=read_parameters(query, ""))

        margin = account.margin
        with contextlib.suppress(Refusal):
            if what == "gather":
                amount = account.free(asset, "FUNDING")
                transfer(ask(f"type=FUNDING_MAIN&asset={asset}&amount={amount:f}"))
            elif what == "sell":
                amount = account.free(asset)
                offer = convert_quote(ask(f"fromAsset={asset}&toAsset=BNB&fromAmount={amount:f}"))
                convert_accept(ask(f"quoteId={offer.get('quoteId', '')}"))
            elif margin is not None and asset in margin.debts:
                amount = min(margin.debts[asset].total, margin.wallet[asset].free)
                repay(ask(f"asset={asset}&isIsolated=FALSE&type=REPAY&amount={amount:f}"))

    def suspend(self) -> None:
        """Let the machine sleep: the monotonic clock stands still."""
        self.note("suspended")
        for loop in self.engine.loops:
            loop.go_to_sleep(self.life.machine.suspend_for)

    def step_wall(self) -> None:
        """Step the machine's own clock."""
        self.note(f"the wall clock steps by {self.life.machine.step}")
        self.wall += self.life.machine.step

    # --- the disk --------------------------------------------------------------------------------

    def _before_write(self, write: int) -> None:
        """Fail as the life says, at one write or from there on."""
        storage, disk = self.life.storage, self.disk
        assert disk is not None
        if self.roads.smooth:
            return
        if storage.fails == "full" and write >= storage.at_write:
            if self._full_until is None:
                self.note("the disk is full")
                self._full_until = self.engine.now + storage.lasts
            if self.engine.now < self._full_until:
                raise apsw.FullError
        elif write == storage.at_write:
            self._strike_disk(disk)

    def _strike_disk(self, disk: Disk) -> None:
        """Let the process die in the middle of a write, or all of them, or only the write fail."""
        fails = self.life.storage.fails
        self.note(f"the disk: {fails}")
        self.hits[f"{fails} at write {self.life.storage.at_write}"] += 1
        if fails == "kill" and disk.owner is not None and disk.owner.alive:
            disk.owner.kill()
        if fails == "power":
            for process in [each for each in self.processes if not each.done]:
                process.kill()
            disk.fail()
            self.oracle.power_failed()
        raise apsw.IOError

    def harm(self) -> None:
        """Let somebody do something to the files of the first program's ledger."""
        ledger, what = self.life.programs[0].ledger, self.life.storage.files
        path = self.path(ledger)
        self.note(f"somebody: {what}")
        self.harmed = True
        if not path.exists():
            return
        if what in ("no log", "no side files"):
            path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
        if what == "no side files":
            path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        if what == "cut":
            os.truncate(path, 0)
        if what == "restored":
            self._anew(path)
        self.oracle.harmed(ledger)

    def _anew(self, path: Path) -> None:
        """Put a copy of a file in its place."""
        draft = path.with_name("draft.db")
        shutil.copyfile(path, draft)
        draft.replace(path)

    # --- the life --------------------------------------------------------------------------------

    def live(self) -> None:
        """Live the life, and the morning after."""
        life, engine = self.life, self.engine
        for deed in life.owner:
            engine.at(deed.at, self.deed, deed)
        if life.machine.suspend_for:
            engine.at(life.machine.suspend_at, self.suspend)
        if life.machine.step:
            engine.at(life.machine.step_at, self.step_wall)
        if life.storage.files:
            engine.at(life.storage.files_at, self.harm)
        for number, program in enumerate(life.programs):
            strokes = tuple(stroke for stroke in life.strokes if stroke.process == number)
            self.start(program, strokes)
        self._until_done()
        engine.run(engine.now + _NIGHT, lambda: False)
        self.note("the morning after")
        self.roads.smooth = True
        if self.harmed and self.path(life.programs[0].ledger).exists():
            self._anew(self.path(life.programs[0].ledger))  # nobody has it open any more
        ways = dict.fromkeys((program.ledger, program.key) for program in life.programs)
        self._by_each(ways, ("recover", "sync", "count"))
        if self.oracle.morning(ways):
            self.note("noon")
            self._by_each(ways, ("resolve", "sync", "count"))
        self.oracle.noon(ways)

    def _by_each(self, ways: Iterable[tuple[int, str]], jobs: tuple[Job, ...]) -> None:
        for ledger, key in ways:
            self.start(Program(jobs=jobs, key=key, ledger=ledger))
            self._until_done()

    def _until_done(self) -> None:
        engine = self.engine
        engine.run(
            engine.now + _PATIENCE,
            lambda: not self._coming and all(process.done for process in self.processes),
        )
        for process in self.processes:
            if not process.done:
                self.oracle.endless(process)
                process.kill()

    def end(self) -> None:
        """Close everything."""
        for process in self.processes:
            process.end()
        self.oracle.close()
        if self.disk is not None:
            self.disk.close()


class Lived:
    """What came of a life."""

    def __init__(self, stage: MoneyStage) -> None:
        self.life = stage.life
        self.violations: list[BrokenRule] = stage.oracle.violations
        self.notes = stage.notes
        self.hits = stage.hits
        self.longest = stage.processes[0].loop.steps
        """The steps of the first process."""
        self.writes = 0 if stage.disk is None else stage.disk.writes
        self.steps = sum(process.loop.steps for process in stage.processes)
        self.calls = len(stage.roads.calls)
        self.checks = stage.oracle.checks


def play(life: Life) -> Lived:
    """Live a life."""
    random.seed(life.seed)
    _empty_ledger()  # in a thread of its own, before there is none
    folder = Path(tempfile.mkdtemp(dir=MEMORY, prefix="money-"))
    try:
        stage = MoneyStage(life, folder)
        with patch.object(_thread, "ThreadPoolExecutor", InlineThread), _below(stage.disk):
            try:
                stage.live()
            finally:
                stage.end()
        return Lived(stage)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _below(disk: Disk | None) -> Iterator[None]:
    """Put a disk below the ledgers; nobody waits for another in real time."""
    lost, no_time = _file._ABANDONED, SimpleNamespace(sleep=lambda _: None)
    with ExitStack() as stack:
        stack.enter_context(patch.object(_file, "_ABANDONED", lost))
        stack.enter_context(patch.object(_file, "time", no_time))
        stack.enter_context(_in_place_of_sqlite(disk))
        # apsw tells it of failures while SQLite cleans up after a failure.
        stack.enter_context(patch.object(sys, "excepthook", lambda *_: None))
        yield


@contextlib.contextmanager
def _in_place_of_sqlite(disk: Disk | None) -> Iterator[None]:
    if disk is None:
        yield
        return
    names = ("Error", "OperationalError", "Row", "SQLITE_BUSY")
    module = SimpleNamespace(
        connect=disk.connect, **{name: getattr(sqlite3, name) for name in names}
    )
    with patch.object(_file, "sqlite3", module):
        yield


@functools.cache
def _empty_ledger() -> bytes:
    """Make an empty ledger once: migrations are tested elsewhere."""

    async def make(path: Path) -> None:
        async with Ledger(path):
            pass

    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder, "empty.db")
        asyncio.run(make(path))
        return path.read_bytes()


def _where(task: asyncio.Task[Any]) -> str:
    """Name the lines of the package at which a task waits, from the outermost to the innermost."""
    lines: list[str] = []
    waiting: Any = task.get_coro()
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
        if frame is not None and "binance_dust" in frame.f_code.co_filename:
            lines.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "ag_await", None)
    return " > ".join(lines)
