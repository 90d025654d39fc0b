"""Which ranges of the exchange's records were read: joined, never with a hole; and what is missing.

How they are read: test_sync.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from binance_dust.ledger import _schema
from binance_dust.ledger._synced import (
    Missing,
    SyncedRange,
    add_missing,
    add_range,
    forget_missing,
    merge_ranges,
    read_missing,
    read_range,
)
from tests.ledger.makers import HOUR, NOW


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        for script in _schema.MIGRATIONS:
            connection.executescript(script)
        yield connection


def span(since: int, until: int) -> SyncedRange:
    """Make a range of hours."""
    return SyncedRange(NOW + since * HOUR, NOW + until * HOUR)


def gap(account: str = "alice", start: int = 0, end: int = 1, **changes: Any) -> Missing:
    fields: dict[str, Any] = {"source": "SPOT", "shown": 100, "counted": None}
    start_and_end = {"start": NOW + start * HOUR, "end": NOW + end * HOUR}
    return Missing(account=account, **fields | start_and_end | changes)


RANGES = pytest.mark.parametrize(
    ("known", "new", "joined"),
    [
        (span(0, 2), span(2, 3), span(0, 3)),
        (span(0, 2), span(1, 3), span(0, 3)),
        (span(0, 9), span(1, 3), span(0, 9)),
        (span(0, 2), span(3, 4), None),
    ],
)


@RANGES
def test_ranges_that_touch_are_one(
    db: sqlite3.Connection, known: SyncedRange, new: SyncedRange, joined: SyncedRange | None
) -> None:
    assert (known.joined(new), new.joined(known)) == (joined, joined)

    add_range(db, "alice", "SPOT", known)
    add_range(db, "alice", "SPOT", new)

    # With a hole, what is known stays: the next sync begins there.
    assert read_range(db, "alice", "SPOT") == (joined or known)
    assert read_range(db, "alice", "MARGIN") is read_range(db, "bob", "SPOT") is None


@RANGES
@pytest.mark.parametrize("turned", [False, True])
def test_two_names_of_one_account_have_read_one_range(
    db: sqlite3.Connection,
    known: SyncedRange,
    new: SyncedRange,
    joined: SyncedRange | None,
    turned: bool,
) -> None:
    ours, theirs = (new, known) if turned else (known, new)
    add_range(db, "alice", "SPOT", ours)
    add_range(db, "desk", "SPOT", theirs)
    add_range(db, "desk", "MARGIN", theirs)

    merge_ranges(db, "desk", "alice")

    # With a hole, the newer one stays: the next sync reads what is older.
    assert read_range(db, "alice", "SPOT") == (joined or new)
    assert read_range(db, "alice", "MARGIN") == theirs
    assert read_range(db, "desk", "SPOT") is read_range(db, "desk", "MARGIN") is None


def test_what_is_missing_of_two_names_is_missing_once(db: sqlite3.Connection) -> None:
    for each in (gap(), gap("desk"), gap("desk", 5, 6), gap("bob")):
        add_missing(db, each)

    merge_ranges(db, "desk", "alice")

    assert read_missing(db, "alice") == [gap(), gap("alice", 5, 6)]
    assert read_missing(db, None) == [gap(), gap("alice", 5, 6), gap("bob")]


@pytest.mark.parametrize(
    ("read", "forgotten"),
    [
        (span(1, 3), True),
        (span(0, 4), True),
        (span(2, 4), False),
        (span(0, 2), False),
    ],
)
def test_what_is_read_again_as_a_whole_is_missing_no_more(
    db: sqlite3.Connection, read: SyncedRange, forgotten: bool
) -> None:
    others = [gap("alice", 1, 3, source="MARGIN"), gap("bob", 1, 3)]
    for each in (gap("alice", 1, 3), *others):
        add_missing(db, each)

    forget_missing(db, "alice", "SPOT", read)

    left = [] if forgotten else [gap("alice", 1, 3)]
    assert sorted(read_missing(db, None), key=str) == sorted([*left, *others], key=str)


AT = "2026-11-21T12:00:00+00:00"
UNTIL = "2026-11-21T13:00:00+00:00"
NO_RECORD = "a record that is not shown or can't be read"


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (gap(), f"there may be more than the 100 shown, {AT} to {UNTIL}"),
        (gap(counted=103), f"3 of 103 not shown, {AT} to {UNTIL}"),
        (gap(shown=0, counted=1), f"{NO_RECORD}, {AT} to {UNTIL}"),
        (gap(end=0, shown=0, counted=1), f"{NO_RECORD}, {AT}"),
    ],
)
def test_what_is_missing_is_said(missing: Missing, said: str) -> None:
    assert str(missing) == f"alice SPOT: {said}"
