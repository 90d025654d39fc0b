"""A life: programs of ours, an owner at the website, and what befalls them; all of it a value.

Each part, left alone, is an ordinary day. A life's `repr` names only what deviates, and can be
pasted into a test after `from tests.money.life import *`.

    life.py        lives and their parts (this file)
    draw.py        a life from one integer
    each.py        each stroke at each step of ordinary lives
    loop.py        an event loop that counts its steps; the thread of a ledger, without a thread
    line.py        the way to the exchange: calls travel by themselves, get lost, late or twice
    process.py     a process of ours: its session, its ledger, its jobs, its death
    play.py        a life, lived to its end, and the morning after
    disk.py        a disk below SQLite, which fails as disks do
    books.py       what stands in a ledger's file, read without the package
    oracle.py      what has to hold after every step, and what has to hold in the end
    shrink.py      the smallest life that still violates the same
    kept.py        lives that once failed
    planted.py     faults on purpose: each invariant notices one
    run.py         many lives, counted

Times are seconds; 0 is when the life begins. Steps are counted from 1: a step is what a task does
from one suspension to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from tests.worlds.world import Part

__all__ = [
    "KEYS",
    "Deed",
    "Key",
    "Life",
    "LifeMachine",
    "Line",
    "Program",
    "Rules",
    "Storage",
    "Stroke",
]

Job = Literal[
    "convert",
    "gather",
    "sell",
    "clean",
    "debts",
    "repay",
    "recover",
    "sync",
    "sweep",
    "resolve",
    "count",
]
"""What is moved by `convert`, from the funding wallet too (`gather`), by quote too (`sell`), or all
of that (`clean`); by `debts` and `repay`; and the others."""
Fate = Literal[
    "",
    "lost request",
    "lost answer",
    "late request",
    "late execution",
    "late answer",
    "unclear",
    "unclear, not done",
    "garbled",
    "refused",
    "twice",
]
"""What becomes of a call that moves funds. A second copy never comes alone: see `docs`."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of an account, and the name that a program gives it."""

    account: str
    second: bool = False
    """Whether it is the account's second key."""
    name: str | None = None


KEYS: Final = {
    "first": Key("alice", name="alice"),
    "other name": Key("alice", second=True, name="main"),
    "renewed": Key("alice", second=True, name="alice"),
    "unnamed": Key("alice"),
    "rotated": Key("alice", second=True),
    "namesake": Key("bob", name="alice"),
    "bob": Key("bob", name="bob"),
}


@dataclass(frozen=True, kw_only=True, repr=False)
class Program(Part):
    """What one process of ours does, one job after another."""

    jobs: tuple[Job, ...] = ("convert",)
    key: str = "first"
    ledger: int = 0
    begin: float = 0.0
    target: str = "BNB"
    back_after: float = 0.0
    """Seconds after its death it is started again, and recovers first; 0 for never."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Deed(Part):
    """What the owner, or a bot of his, does at the exchange."""

    what: Literal[
        "convert", "deposit", "withdraw", "exchange", "fund", "gather", "sell", "repay"
    ] = "convert"
    at: float = 0.0
    assets: tuple[str, ...] = ("ADA", "XRP")
    target: str = "BNB"


@dataclass(frozen=True, kw_only=True, repr=False)
class Stroke(Part):
    """What befalls a process just before one of its steps, or some time later."""

    what: Literal["crash", "freeze", "cancel"] = "crash"
    process: int = 0
    step: int = 1
    after: float = 0.0
    """Seconds after that step has begun; 0 is just before it."""
    lasts: float = 0.0
    """Seconds of a freeze."""


@dataclass(frozen=True, kw_only=True, repr=False)
class LifeMachine(Part):
    """The machine that all processes run on."""

    suspend_at: float = 0.0
    suspend_for: float = 0.0
    """The monotonic clock stands still meanwhile."""
    wall: float = 0.0
    """By how much its own clock is ahead in the beginning."""
    step_at: float = 0.0
    step: float = 0.0
    """By how much its own clock steps then."""
    slow_disk: float = 0.0
    """Seconds that a piece of work on a ledger takes."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Storage(Part):
    """The disk, and what becomes of the ledgers' files."""

    fails: Literal["", "kill", "power", "full", "once"] = ""
    """At a write: the process is killed there, the power fails, or the disk refuses."""
    at_write: int = 1
    lasts: float = 0.0
    """For so many seconds the disk is full."""
    new: bool = False
    """Whether there is no ledger yet."""
    files: Literal["", "no log", "no side files", "restored", "cut"] = ""
    """What somebody does to the files of the first program's ledger while it is open."""
    files_at: float = 0.0


@dataclass(frozen=True, kw_only=True, repr=False)
class Line(Part):
    """The way to the exchange and back."""

    way: float = 0.03
    jitter: float = 0.02
    writes: tuple[Fate, ...] = ()
    """What becomes of the calls that move funds, the first, the second and so on."""
    late: float = 3.0
    """Seconds by which something is late."""
    lost: float = 0.0
    """The part of the calls that only read whose answer is lost."""
    timeout: float = 10.0


@dataclass(frozen=True, kw_only=True, repr=False)
class Rules(Part):
    """How the exchange is."""

    log_lag: float = 0.0
    cooldown: float = 0.0
    uid: Literal["told", "refused", "lost"] = "told"
    """What comes of the question for the account's number."""
    balances: tuple[str, ...] = ("ADA", "XRP")
    debts: tuple[str, ...] = ()
    funding: tuple[str, ...] = ()
    """What lies in the funding wallet."""
    large: tuple[str, ...] = ()
    """What there is too much of to be dust."""
    margin: tuple[str, ...] = ()
    """What can be paid with."""
    sale_seconds: float = 0.0
    """How long a sale takes after it was accepted."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Life(Part):
    """A whole life. What chance decides in it follows from `seed`."""

    seed: int = 0
    programs: tuple[Program, ...] = (Program(),)
    owner: tuple[Deed, ...] = ()
    strokes: tuple[Stroke, ...] = ()
    machine: LifeMachine = field(default_factory=LifeMachine)
    storage: Storage = field(default_factory=Storage)
    line: Line = field(default_factory=Line)
    rules: Rules = field(default_factory=Rules)

    @property
    def deviates(self) -> frozenset[str]:
        """In what it is not an ordinary day of one program."""
        keys = {program.key for program in self.programs}
        parts = {
            "several programs": len(self.programs) > 1,
            "several keys": len(keys) > 1,
            "two accounts": len({KEYS[key].account for key in keys}) > 1,
            "two ledgers": len({program.ledger for program in self.programs}) > 1,
            "debts": any("debts" in program.jobs for program in self.programs),
            "sweep": any("sweep" in program.jobs for program in self.programs),
            "transfers": bool(self.rules.funding),
            "sales": bool(self.rules.large),
            "repayments": any("repay" in program.jobs for program in self.programs),
            "suspended": self.machine.suspend_for > 0,
            "wall clock": self.machine.wall != 0 or self.machine.step != 0,
            "slow disk": self.machine.slow_disk > 0,
            "unknown number": self.rules.uid != "told",
            "late records": self.rules.log_lag > 0,
            "cooldown": self.rules.cooldown > 0,
            "losses": self.line.lost > 0,
        }
        names = {name for name, deviates in parts.items() if deviates}
        names |= {f"owner: {deed.what}" for deed in self.owner}
        names |= {stroke.what for stroke in self.strokes}
        names |= {f"disk: {self.storage.fails}"} if self.storage.fails else set()
        names |= {"a new ledger"} if self.storage.new else set()
        names |= {f"files: {self.storage.files}"} if self.storage.files else set()
        return frozenset(names | {f"call {fate}" for fate in self.line.writes if fate})
