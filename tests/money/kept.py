"""Lives that once failed, or stand for a finding, each with a line why. None is ever taken out.

`open` names what a life still violates: what is mended is taken out of it, and nothing is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.money.life import Deed, Life, Line, Program, Rules, Storage, Stroke


@dataclass(frozen=True, slots=True)
class KeptLife:
    """A life that once failed."""

    why: str
    life: Life
    open: frozenset[str] = frozenset()


OPEN: Final[frozenset[str]] = frozenset()
"""What drawn lives still violate. Nothing is added."""

KEPT: Final[tuple[KeptLife, ...]] = (
    KeptLife(
        "two keys of one account under two names, and no fault at all",
        Life(
            programs=(
                Program(jobs=("convert", "sync")),
                Program(jobs=("sync",), key="other name", begin=5.0),
            )
        ),
    ),
    KeptLife(
        "two keys of one account under two names convert at once",
        Life(programs=(Program(), Program(key="other name"))),
    ),
    KeptLife(
        "a key with a name, and then without",
        Life(
            programs=(
                Program(jobs=("debts",)),
                Program(jobs=("debts",), key="unnamed", begin=124.867),
            ),
            rules=Rules(debts=("ETH", "XRP", "DOGE")),
        ),
    ),
    KeptLife(
        "a key without a name is rotated",
        Life(
            programs=(
                Program(key="unnamed"),
                Program(jobs=("recover", "sync"), key="rotated", begin=30.0),
            ),
            line=Line(writes=("lost answer",)),
        ),
    ),
    KeptLife(
        "two accounts of one name in one ledger",
        Life(programs=(Program(), Program(key="namesake", begin=1.056))),
    ),
    KeptLife(
        "the owner converts the same while our call is on its way, and sync reads it",
        Life(
            programs=(Program(), Program(jobs=("sync",), begin=2.0)),
            owner=(Deed(at=1.5),),
            line=Line(writes=("late execution",), late=4.5),
        ),
    ),
    KeptLife(
        "a call is refused for its time, and sent again after its entry was settled by the log",
        Life(
            seed=4060,
            programs=(Program(), Program(jobs=("sync",), begin=13.905)),
            owner=(Deed(at=11.802),),
            line=Line(way=1.139, writes=("late execution",), late=4.9),
        ),
    ),
    KeptLife(
        "a receipt has one record, and its entry another",
        Life(
            seed=4296,
            programs=(Program(target="USDT"), Program(jobs=("sweep",), begin=3.836)),
            owner=(Deed(at=0.589, assets=("ADA",), target="USDT"),),
            line=Line(writes=("late execution",), late=4.9),
        ),
    ),
    KeptLife(
        "the owner has converted the same a second before, and our answer is lost",
        Life(
            seed=3166,
            programs=(
                Program(jobs=("convert", "convert")),
                Program(jobs=("recover",), begin=5.397),
            ),
            owner=(Deed(at=0.143), Deed(what="deposit", at=0.347)),
            line=Line(writes=("lost answer",)),
        ),
    ),
    KeptLife(
        "a process is killed that holds the account",
        Life(programs=(Program(back_after=0.1),), strokes=(Stroke(step=31),)),
    ),
    KeptLife(
        "a job is cancelled while it takes the account",
        Life(
            programs=(Program(jobs=("convert", "convert")),),
            strokes=(Stroke(what="cancel", step=31),),
        ),
    ),
    KeptLife(
        "two accounts of one name begin at once, and nobody tells their numbers",
        Life(
            programs=(Program(begin=0.01), Program(key="namesake"), Program(begin=70.0)),
            rules=Rules(uid="lost"),
        ),
    ),
    KeptLife(
        "a claim can't be released, because the disk is full",
        Life(
            programs=(Program(jobs=("convert", "convert")),),
            storage=Storage(fails="full", at_write=45, lasts=0.5),
            rules=Rules(balances=("ADA",)),
        ),
    ),
    KeptLife(
        "a call is carried out twice, and has two records",
        Life(
            seed=1103238,
            owner=(Deed(what="deposit", at=0.223),),
            line=Line(way=0.015, jitter=0.01, writes=("twice",), late=0.5),
        ),
    ),
    KeptLife(
        "a call is refused for its time, and sent again after the file was cut",
        Life(
            seed=1109921,
            storage=Storage(files="cut", files_at=0.801),
            line=Line(writes=("late execution",), late=5.2),
        ),
    ),
    KeptLife(
        "a process is killed that recovers",
        Life(
            programs=(Program(), Program(jobs=("recover",), begin=12.0, back_after=0.1)),
            line=Line(writes=("lost request",)),
            strokes=(Stroke(process=1, step=25),),
        ),
    ),
    KeptLife(
        "two accounts exchange the same debts in the same millisecond, and no record has a number",
        Life(
            seed=75491,
            programs=(Program(jobs=("sweep",)), Program(jobs=("sweep",), key="bob")),
            line=Line(jitter=0.0),
            rules=Rules(debts=("ETH", "XRP", "DOGE")),
        ),
    ),
)
