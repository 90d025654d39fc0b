"""The hour itself: starts all parts, brings on world after world, kills, and judges in the end."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from binance_dust import Credentials, Ledger
from binance_dust.ledger import LedgerEntry
from tests.proof.whole import books, traffic, turns
from tests.proof.whole.exchange import BOOKS, KEYS, REQUESTS
from tests.proof.whole.journal import Witness, read, witness
from tests.proof.whole.parts import ROOT, Part, Setting, command, make, prepare, until
from tests.proof.whole.weigh import growth
from tests.proof.whole.worlds import ADDRESSES, CALM, PARTS, WORLDS_OF_AN_HOUR, Blow, Step, draw

_PORTS: Final = range(20_000, 32_000, 2)
_ENDS: Final = ("sweep", *ADDRESSES)
"""What an operator tells to end before the books are looked at."""
_BOOKS_GROW: Final = ("exchange", "prometheus")
"""Parts that keep what happened, and so grow by nature."""
_SETTLED: Final = 150.0
"""Seconds that the last calm has to last: an open call is settled a minute and a half after it."""
_SCAN: Final = 0.2
"""The part of a world that is over when a scan begins in it."""
_NO_FLEET: Final = 2
"""The exit code of a scan that finds no Redis."""
_CALM: Final = 2.5
"""Sweeps at the end of the last calm in which nothing may fail."""
_CALM_LEAST: Final = 45.0
"""The same in seconds, at least: a busy machine may take a while for a sweep."""


@dataclass(slots=True)
class Scan:
    """One scan of all accounts by the fleet, beside the sweep."""

    world: str
    process: subprocess.Popen[bytes]
    began: float
    seconds: float = 0.0
    code: int | None = None

    def look(self, now: float) -> None:
        """Take note if it has ended."""
        if self.code is None and (code := self.process.poll()) is not None:
            self.code, self.seconds = code, now - self.began


@dataclass(slots=True)
class Outcome:
    """What the hour left."""

    setting: Setting
    steps: tuple[Step, ...]
    began: float
    """Since the epoch."""
    seconds: float = 0.0
    parts: dict[str, Part] = field(default_factory=dict)
    kills: list[tuple[float, str]] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)
    turns: turns.Turns = field(default_factory=turns.Turns)
    witness: Witness = field(default_factory=Witness)
    traffic: traffic.Traffic = field(default_factory=traffic.Traffic)
    entries: list[LedgerEntry] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    """What the operator had to say by hand."""
    alerts: Counter[str] = field(default_factory=Counter)
    """Alerts that fired, with the seconds for which they did."""
    wrong: list[str] = field(default_factory=list)
    """Every invariant that does not hold."""


def free_ports() -> dict[str, int]:
    """Find ports that nobody uses, of those that no connection is given while a part is gone."""
    asked = iter(random.sample(_PORTS, len(_PORTS)))
    # The exchange needs the next one as well.
    return {part: next(port for port in asked if _is_free(port, port + 1)) for part in PARTS}


def _is_free(*ports: int) -> bool:
    try:
        for port in ports:
            socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def setting_for(folder: Path, *, minutes: float, seed: int, accounts: int) -> Setting:
    """Choose how fast to live: sweeps and windows of a minute in an hour, shorter in less."""
    every = max(10, min(60, round(minutes)))
    cooldown = every * 3 // 4
    rules = {"window": every, "cooldown": cooldown - 5, "liability_cooldown": cooldown - 5}
    return Setting(
        folder=folder,
        seed=seed,
        accounts=accounts,
        every=every,
        cooldown=cooldown,
        ports=free_ports(),
        rules=json.dumps(rules),
        scrape=max(1, every // 12),
    )


class Hour:
    """Runs the parts through the plan."""

    def __init__(self, setting: Setting, minutes: float, tell: Callable[[str], None]) -> None:
        """Plan; nothing is started."""
        self._setting = setting
        self._length = minutes * 60 / WORLDS_OF_AN_HOUR
        self._tell = tell
        self._zero = time.monotonic()
        self.parts = make(setting, self.clock)
        self.out = Outcome(setting, draw(setting.seed), time.time(), parts=self.parts)

    def clock(self) -> float:
        """Give the seconds since the hour began."""
        return time.monotonic() - self._zero

    # --- what happens ----------------------------------------------------------------------------

    def run(self) -> None:
        """Live through it all."""
        setting = self._setting
        prepare(setting)
        for name in ("exchange", "redis", "prometheus"):
            self.parts[name].start()
        until(lambda: _answers(setting.ports["exchange"] + 1), "the exchange answers")
        until(lambda: _answers(setting.ports["redis"]), "Redis answers")
        for name in _ENDS:
            self.parts[name].start()
        for step in self.out.steps:
            self._live(step)
        self.out.seconds = self.clock()

    def _live(self, step: Step) -> None:
        """Live through one world, with its blows and its kills."""
        began, length = self.clock(), self._length
        if step is self.out.steps[-1]:
            length = max(length, _SETTLED)
        self._tell(f"{began / 60:5.1f} min: {step.world.name}")
        base: dict[str, Any] = dict(step.world.rules)
        begin = Blow(0.0, rules=base)
        blows: list[tuple[float, Callable[[], None]]] = [
            (0.0, lambda: self._post("faults", None)),
            (0.0, lambda: self._strike(Blow(0.0, {"fault": "drift_clock", "seconds": 0.0}), step)),
            *(
                (blow.at * length, lambda blow=blow: self._strike(blow, step))
                for blow in (begin, *step.world.blows)
            ),
            *((at * length, lambda part=part: self._kill(part)) for at, part in step.kills),
            (_SCAN * length, lambda: self._scan(step)),
        ]
        for at, strike in sorted(blows, key=lambda blow: blow[0]):
            self._wait(began + at)
            strike()
        self._wait(began + length)

    def _wait(self, until_then: float) -> None:
        """Weigh the parts meanwhile, and start those again that are gone."""
        while True:
            for part in self.parts.values():
                part.look(self.clock())
            for scan in self.out.scans:
                scan.look(self.clock())
            left = until_then - self.clock()
            if left <= 0:
                return
            time.sleep(min(left, max(1.0, self._setting.every / 12)))

    def _scan(self, step: Step) -> None:
        """Have the fleet scan all accounts meanwhile, small debts included."""
        began = command(self._setting, "scan")
        process = self.parts["sweep"].open(f"scan-{len(self.out.scans) + 1}", began)
        self.out.scans.append(Scan(step.world.name, process, self.clock()))

    def _kill(self, name: str) -> None:
        self._tell(f"{self.clock() / 60:5.1f} min: kill -9 {name}")
        self.out.kills.append((self.clock(), name))
        self.parts[name].kill()

    def _strike(self, blow: Blow, step: Step) -> None:
        if blow.rules is not None:
            rules = {**step.world.rules, **blow.rules}
            self._post("world", {"name": step.world.name, "rules": rules})
        if blow.fault is not None:
            fault = dict(blow.fault)
            if fault["fault"] == "ban":
                fault["seconds"] = fault["seconds"] * self._length
            self._post("faults", fault)

    def _post(self, what: str, body: dict[str, Any] | None) -> None:
        """Tell the exchange; while it is gone, wait until it is back."""
        port = self._setting.ports["exchange"] + (what == "world")
        path = "/world" if what == "world" else "/sandbox/faults"
        method = "DELETE" if body is None else "POST"
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        latest = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10):  # noqa: S310
                    return
            except urllib.error.HTTPError as error:
                raise RuntimeError(error.read().decode()) from None
            except OSError:
                if time.monotonic() > latest:
                    raise
                self._wait(self.clock() + 0.5)

    # --- the end ---------------------------------------------------------------------------------

    def settle(self) -> None:
        """End the workers, and settle what is open: read first, and say by hand what is left."""
        out, setting = self.out, self._setting
        for name in _ENDS:
            code = self.parts[name].end()
            if code not in (0, 130, 143, -15, None):
                out.wrong.append(f"{name} ended with {code} after SIGTERM")
        for _ in range(3):
            if not self._open():
                break
            self._operate("recover")
        out.wrong += books.denied(self._all(), witness(read(setting.folder / BOOKS)))
        self._operate("sync")
        out.witness = witness(read(setting.folder / BOOKS))
        for entry in self._open():
            self._resolve(entry)
        self._operate("sync")

    def _open(self) -> list[LedgerEntry]:
        return [entry for entry in self._all() if entry.open]

    def _all(self) -> list[LedgerEntry]:
        async def read_all() -> list[LedgerEntry]:
            async with Ledger(self._setting.ledger) as ledger:
                return [entry async for entry in ledger.entries()]

        return asyncio.run(read_all())

    def _operate(self, *arguments: str) -> int:
        """Give a command as an operator does; its words go to a file."""
        ours = command(self._setting, "sweep")[:3]
        with (self._setting.folder / "operator.out").open("ab") as said:
            done = subprocess.run(  # noqa: S603 - our own command
                (*ours, *arguments, *self._setting.asks),
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                timeout=600,
                check=False,
            )
        self._tell(f"operator: {' '.join(arguments)}: exit code {done.returncode}")
        return done.returncode

    def _resolve(self, entry: LedgerEntry) -> None:
        """Look at the exchange's record, as on its website, and say what became of a call."""
        known = {each.transaction_id for each in self._all() if each.transaction_id is not None}
        move = books.matching(entry, self.out.witness, known)
        how: tuple[str, ...] = ("--rejected",)
        if move is not None:
            how = ("--confirmed", *(str(move.transaction_id),) * (move.transaction_id is not None))
        self.out.resolved.append(f"entry {entry.id} of {entry.account} ({entry.reason}): {how}")
        self._operate("resolve", str(entry.id), *how, "--reason", "seen in the exchange's history")

    def judge(self) -> None:
        """Hold books, exchange, processes and calls against what has to be."""
        out, setting = self.out, self._setting
        self._judge_books()
        out.traffic = traffic.count(read(setting.folder / REQUESTS), 1.5 * setting.every)
        starts = [
            (out.began + life.began, ADDRESSES[part.name])
            for part in self.parts.values()
            if part.name in ADDRESSES
            for life in part.lives
        ]
        out.wrong += traffic.faults(out.traffic, starts)
        for part in self.parts.values():
            if part.kills != 1:
                out.wrong.append(f"{part.name} was killed {part.kills} times")
            for life in part.lives:
                out.wrong += growth(life, memory=part.name not in _BOOKS_GROW)
        self._judge_words()
        self._judge_scans()
        self._judge_turns()

    def _judge_books(self) -> None:
        out, setting = self.out, self._setting
        port = setting.ports["exchange"] + 1
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/books", timeout=60) as answer:
            told = json.load(answer)
        self.parts["exchange"].end()
        out.witness = seen = witness(read(setting.folder / BOOKS))
        out.wrong += books.balances(told["spot"], seen.balances, "balance")
        out.wrong += books.balances(told["debts"], seen.debts, "debt")
        out.entries = self._all()
        out.wrong += books.entries(out.entries, seen)

        async def add_up() -> None:
            async with Ledger(setting.ledger) as ledger:
                for by in ("account", "asset"):
                    out.wrong.extend(books.sums(await ledger.totals(by), seen, by))
                file = setting.folder / "books.csv"
                await ledger.export_csv(file)
                out.wrong.extend(books.export(file, seen))
                await ledger.export_journal(setting.folder / "books.journal", style="hledger")

        asyncio.run(add_up())

    def _judge_words(self) -> None:
        """No program may have ended in a way that it does not know itself."""
        for path in sorted(self._setting.folder.glob("*.err")):
            text = path.read_text("utf-8", "replace")
            if times := text.count("Traceback (most recent call last)"):
                self.out.wrong.append(f"{path.name} has {times} tracebacks")
            if times := text.count("never retrieved") + text.count("Unclosed"):
                self.out.wrong.append(f"{path.name} has {times} tasks or sessions left behind")

    def _judge_scans(self) -> None:
        """Every scan ends; in calm all accounts are read."""
        for number, scan in enumerate(self.out.scans, start=1):
            rows = (self._setting.folder / f"scan-{number}.out").read_text("utf-8").count("\n")
            if scan.code is None:
                self.out.wrong.append(f"the scan in {scan.world!r} did not end")
            elif rows != self._setting.accounts and scan.code != _NO_FLEET:
                self.out.wrong.append(f"the scan in {scan.world!r} told of {rows} accounts")
            elif scan.world == CALM.name and scan.code:
                self.out.wrong.append(f"the scan in calm ended with {scan.code}")

    def _judge_turns(self) -> None:
        """In the end of the last calm nothing may fail, and every account has its turn."""
        out, setting = self.out, self._setting
        worlds = out.traffic.worlds
        judged = max(_CALM_LEAST, _CALM * setting.every)
        calm = out.began + out.seconds - judged
        out.turns = turns.count(self._reports(), [at for at, _ in worlds], calm)
        accounts = Credentials.load(setting.folder / KEYS).names
        # A short world may be over before anybody's turn came.
        long_enough = [name for _, name in worlds] if self._length > judged else ()
        out.wrong += turns.faults(out.turns, accounts, long_enough)
        if out.traffic.last_refusal > calm:
            out.wrong.append("calm, and yet refused")

    def _reports(self) -> Iterator[dict[str, Any]]:
        with (self._setting.folder / "sweep.out").open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("}\n"):
                    yield json.loads(line)

    def stop(self) -> None:
        """Leave nothing running."""
        for scan in self.out.scans:
            if scan.process.poll() is None:
                scan.process.kill()
                scan.process.wait()
        for part in reversed(self.parts.values()):
            part.end(patience=10)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
