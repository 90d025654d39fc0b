"""Each stroke at each step: ordinary lives, of each job and of what a job can meet.

Drawn lives hit any step sooner or later. These hit every one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tests.money.life import Deed, Life, Line, Program, Rules, Storage, Stroke
from tests.money.play import play

_LOST: Final = Line(writes=("lost answer",))
_NEVER: Final = Line(writes=("lost request",))
_DEBTS: Final = Rules(debts=("ETH", "XRP"))
_SECOND: Final = Program(jobs=("recover", "convert"), begin=2.0)

BASES: Final[dict[str, Life]] = {
    "convert": Life(programs=(Program(), _SECOND)),
    "convert one by one": Life(programs=(Program(target="USDT"), replace(_SECOND, target="USDT"))),
    "an answer is lost": Life(programs=(Program(jobs=("convert", "recover")), _SECOND), line=_LOST),
    "a call is lost": Life(programs=(Program(jobs=("convert", "recover")),), line=_NEVER),
    "a call is late": Life(
        programs=(Program(), replace(_SECOND, begin=0.5)),
        line=Line(writes=("late request",), late=4.5),
    ),
    "the owner does the same": Life(
        programs=(Program(jobs=("convert", "recover", "sync")),),
        owner=(Deed(at=1.0),),
        line=Line(writes=("late execution",), late=3.0),
    ),
    "sweep": Life(programs=(Program(jobs=("sweep", "sweep")),), rules=_DEBTS),
    "debts": Life(programs=(Program(jobs=("debts", "recover")),), line=_LOST, rules=_DEBTS),
    "beside dust": Life(
        programs=(
            Program(jobs=("clean", "repay")),
            Program(jobs=("recover", "clean", "repay"), begin=2.0),
        ),
        rules=Rules(
            balances=("ADA",), funding=("DOGE",), large=("LTC",), debts=("ETH",), margin=("ETH",)
        ),
    ),
    "a new ledger": Life(programs=(Program(), _SECOND), storage=Storage(new=True)),
    "sync": Life(
        programs=(Program(jobs=("sync", "convert")),), owner=(Deed(what="deposit"), Deed())
    ),
}
STROKES: Final = (
    Stroke(what="crash"),
    Stroke(what="crash", after=0.02),
    Stroke(what="cancel"),
    Stroke(what="cancel", after=0.02),
    Stroke(what="freeze", lasts=31.0),
    Stroke(what="freeze", lasts=100.0),
)
DISKS: Final = (
    Storage(fails="kill"),
    Storage(fails="power"),
    Storage(fails="once"),
    Storage(fails="full", lasts=20.0),
)


def each(base: str, every: int = 1, first: int = 1) -> Iterator[Life]:
    """Give a base life with each stroke at its steps, and with each failure at its writes."""
    life = BASES[base]
    back = tuple(replace(program, back_after=0.1) for program in life.programs)
    lived = play(life)
    for step in range(first, lived.longest + 1, every):
        for stroke in STROKES:
            yield replace(life, programs=back, strokes=(replace(stroke, step=step),))
    probe = play(replace(life, storage=replace(life.storage, fails="once", at_write=10**9)))
    for write in range(first, probe.writes + 1, every):
        for disk in DISKS:
            storage = replace(disk, at_write=write, new=life.storage.new)
            yield replace(life, programs=back, storage=storage)
