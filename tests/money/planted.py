"""Faults on purpose, made in the package for a moment: each invariant notices one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final
from unittest.mock import patch

from binance_dust.conversion import _calls, _mover, _recover, _run
from binance_dust.conversion._evidence import Done, NotDone, NotYet
from binance_dust.ledger import (
    Kind,
    Ledger,
    SettledBy,
    _entries,
    _outcomes,
    _owners,
    _store,
    _sync,
    _witness,
)
from binance_dust.ledger._records import moved
from binance_dust.ledger._totals import RunningTotals
from tests.money import disk, oracle, play
from tests.money.life import Deed, Job, Life, Line, Program, Rules, Storage, Stroke

LOST: Final = Life(
    programs=(Program(jobs=("convert", "recover")),), line=Line(writes=("lost request",))
)
DONE: Final = replace(LOST, line=Line(writes=("lost answer",)))
RACE: Final = Life(
    programs=(Program(), Program(jobs=("recover", "convert"), begin=1.0)),
    line=Line(writes=("late request",), late=4.5),
)


FUNDING: Final = Rules(funding=("DOGE",))
LARGE: Final = Rules(large=("LTC",), balances=())
MARGIN: Final = Rules(debts=("ETH",), margin=("ETH",))
_BESIDE: Final[tuple[tuple[Job, Rules], ...]] = (
    ("gather", FUNDING),
    ("sell", LARGE),
    ("repay", MARGIN),
)
BESIDE: Final = {
    job: replace(DONE, programs=(Program(jobs=(job, "recover")),), rules=rules)
    for job, rules in _BESIDE
}
"""Calls beside dust that are carried out, and whose answer is lost."""


def _raced(job: Job) -> tuple[Program, ...]:
    return (Program(jobs=(job,)), Program(jobs=("recover", job), begin=1.0))


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault, the life in which it is made, and the invariant that notices it."""

    kind: str
    why: str
    life: Life
    make: Callable[[ExitStack], None]
    more: tuple[Life, ...] = ()
    """Tried as well, until one shows it."""

    @property
    def lives(self) -> tuple[Life, ...]:
        """The lives in which it may show."""
        return (self.life, *self.more)

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make the fault for a moment."""
        with ExitStack() as stack:
            self.make(stack)
            yield


def _put(stack: ExitStack, where: Any, name: str, what: Any) -> None:
    stack.enter_context(patch.object(where, name, what))


def _raises(*_: Any, **__: Any) -> Any:
    raise ValueError("broken")


async def _nothing(*_: Any, **__: Any) -> list[Any]:
    return []


def _crash(stack: ExitStack) -> None:
    _put(stack, _run.Run, "_receipt", _raises)


def _never_enough(stack: ExitStack) -> None:
    _put(stack, play, "_PATIENCE", 300.0)
    _put(stack, _recover, "_LONGEST", 1e9)
    _put(stack, _recover, "conclude", lambda *_: NotYet("never"))


def _intend_less(stack: ExitStack) -> None:
    """Write down that a call expires before it does."""
    intend = _store.LedgerStore.intend

    def early(store: Any, intent: Any, *more: Any) -> Any:
        return intend(store, replace(intent, expires_at=intent.intended_at), *more)

    _put(stack, _store.LedgerStore, "intend", early)


def _conclude_at_once(stack: ExitStack) -> None:
    async def examine(*_: Any) -> Any:
        return NotDone("nothing is there")

    _put(stack, _recover, "_examine", examine)


def _take_silence_for_no(stack: ExitStack) -> None:
    """Take a call without an answer for one that was refused."""

    async def reject(ledger: Any, entry: int, reason: str, *, now: Any, **_: Any) -> Any:
        return await ledger.reject(entry, reason, now=now, by=SettledBy.ANSWER)

    _put(stack, Ledger, "leave_unknown", reject)


def _know_nothing_again(stack: ExitStack) -> None:
    _put(stack, _outcomes, "own_entry", lambda *_, **__: None)


def _write_more(stack: ExitStack) -> None:
    row = _entries._line_row

    def more(entry: int, position: int, line: Any) -> Any:
        return row(entry, position, replace(line, gross=line.gross * 2))

    _put(stack, _entries, "_line_row", more)


def _read_nothing(stack: ExitStack) -> None:
    _put(stack, _sync, "from_dust_log", lambda *_: [])


def _show_less(stack: ExitStack) -> None:
    receipt = _run.Run._receipt

    def less(run: Any) -> Any:
        made = receipt(run)
        return replace(made, lines=made.lines[:1])

    _put(stack, _run.Run, "_receipt", less)


def _take_transfers_for_income(stack: ExitStack) -> None:
    _put(stack, Kind, "converts", property(lambda _: True))


def _see_no_order(stack: ExitStack) -> None:
    async def read(_: Any) -> _witness.Shown:
        return _witness.Shown()

    _put(stack, _witness, "_read_order", read)


def _sell_by_the_answer(stack: ExitStack) -> None:
    """Take the answer to an accepted quote for the sale itself."""

    def done(order: Any, entry: Any) -> Any:
        (asset,) = entry.assets
        return None if order.is_failed else moved(Kind.SALE, "", asset, Decimal(1), entry.at, 1)

    _put(stack, _calls, "from_order", done)


def _keep_claims(stack: ExitStack) -> None:
    _put(stack, Ledger, "release_soon", lambda *_: None)


def _never_sync(stack: ExitStack) -> None:
    """Let commits return before they are on the disk."""
    execute = disk.Connection.execute

    def carelessly(connection: Any, sql: str, *values: Any) -> Any:
        return execute(connection, sql.replace("synchronous = FULL", "synchronous = OFF"), *values)

    _put(stack, disk.Connection, "execute", carelessly)


def _count_twice(stack: ExitStack) -> None:
    include = RunningTotals.include

    def twice(totals: Any, *key: str, **sums: Any) -> None:
        include(totals, *key, **sums)
        include(totals, *key, **sums)

    _put(stack, RunningTotals, "include", twice)


def _never_recover(stack: ExitStack) -> None:
    _put(stack, _mover, "recover", _nothing)


def _take_any_record(stack: ExitStack) -> None:
    def first(_: Any, evidence: Any) -> Any:
        return Done(min(evidence.shown.records, key=lambda record: record.at))

    _put(stack, _recover, "conclude", first)


def _trust_names(stack: ExitStack) -> None:
    """Take everybody for the account whose name he has."""
    bind = _owners.bind

    def by_name(db: Any, name: str, key_id: str, **more: Any) -> Any:
        return bind(db, name, key_id, **more | {"uid": None, "adopt": True})

    _put(stack, _owners, "bind", by_name)


PLANTED: Final[tuple[Planted, ...]] = (
    Planted(oracle.CRASHED, "an error that is none of ours", Life(), _crash),
    Planted(oracle.ENDLESS, "recovery never has enough", LOST, _never_enough),
    Planted(oracle.UNRECORDED, "an intent expires before its call", Life(), _intend_less),
    Planted(
        oracle.BESIDE,
        "recovery concludes at once, and the next call goes",
        RACE,
        _conclude_at_once,
        tuple(
            replace(RACE, strokes=(Stroke(what="cancel", step=step, after=0.5),))
            for step in range(30, 60)
        ),
    ),
    Planted(oracle.EARLY, "recovery concludes at once", RACE, _conclude_at_once),
    Planted(
        oracle.AFTER, "recovery concludes at once, and the call comes", RACE, _conclude_at_once
    ),
    Planted(oracle.UNHEARD, "silence is taken for a no", LOST, _take_silence_for_no),
    Planted(oracle.WRONG, "silence is taken for a no", DONE, _take_silence_for_no),
    Planted(
        oracle.TWICE,
        "what is known is imported again",
        Life(programs=(Program(jobs=("convert", "sync")),)),
        _know_nothing_again,
    ),
    Planted(oracle.INVENTED, "twice of what was credited", Life(), _write_more),
    Planted(oracle.MISSING, "sync reads nothing", Life(owner=(Deed(),)), _read_nothing),
    Planted(oracle.RECEIPT, "a receipt shows one asset of two", Life(), _show_less),
    Planted(
        oracle.DEAD,
        "a claim is never released",
        Life(
            programs=(Program(jobs=("convert", "convert")),), owner=(Deed(what="deposit", at=1.0),)
        ),
        _keep_claims,
    ),
    Planted(
        oracle.FORGOTTEN,
        "commits are not flushed, and the power fails",
        Life(),
        _never_sync,
        tuple(Life(storage=Storage(fails="power", at_write=write)) for write in range(20, 140, 3)),
    ),
    Planted(
        oracle.FOREIGN,
        "recovery takes the first record that it sees",
        Life(
            programs=(Program(jobs=("convert", "recover"), begin=0.7),),
            owner=(Deed(at=0.6), Deed(what="deposit", at=0.65)),
            line=Line(writes=("lost answer",)),
        ),
        _take_any_record,
    ),
    Planted(
        oracle.MIXED,
        "accounts are known by their names alone",
        Life(
            programs=(
                Program(jobs=("convert", "sync")),
                Program(jobs=("convert", "sync"), key="namesake", begin=5.0),
            )
        ),
        _trust_names,
    ),
    Planted(oracle.SUMS, "every entry is added up twice", Life(), _count_twice),
    Planted(
        oracle.SUMS,
        "what comes from the funding wallet is counted as income",
        Life(programs=(Program(jobs=("gather",)),), rules=FUNDING),
        _take_transfers_for_income,
    ),
    *(
        Planted(oracle.WRONG, f"silence is taken for a no: {job}", life, _take_silence_for_no)
        for job, life in BESIDE.items()
    ),
    *(
        Planted(
            oracle.EARLY,
            f"recovery concludes at once: {job}",
            replace(life, line=Line(writes=("late request",), late=4.5), programs=_raced(job)),
            _conclude_at_once,
        )
        for job, life in BESIDE.items()
    ),
    Planted(oracle.FOREVER, "the order of a sale is never read", BESIDE["sell"], _see_no_order),
    Planted(
        oracle.INVENTED,
        "the answer to an accepted quote is taken for the sale",
        Life(programs=(Program(jobs=("sell",)),), rules=LARGE),
        _sell_by_the_answer,
    ),
    Planted(oracle.FOREVER, "nobody recovers", LOST, _never_recover),
)
