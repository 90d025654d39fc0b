"""What the exchange shows about an open entry, and what that proves: values in, values out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust.conversion._evidence import (
    Done,
    Evidence,
    NotDone,
    NotYet,
    Unknowable,
    conclude,
    conclude_again,
)
from binance_dust.ledger import Kind, LedgerEntry, LedgerLine, Observed
from binance_dust.ledger._witness import Flow, Movement, Shown
from tests.conversion.values import NOW, seconds

D = Decimal


BEGAN, EXPIRES = NOW - seconds(1), NOW + seconds(35)


def entry(**changes: Any) -> LedgerEntry:
    fields: dict[str, Any] = {
        "id": 1,
        "account": "alice",
        "kind": Kind.DUST,
        "account_type": "SPOT",
        "target": "BNB",
        "assets": ("ADA", "XRP"),
        "held": {"ADA": D(6), "XRP": D(1)},
        "status": "intended",
        "at": NOW,
        "intended_at": NOW,
        "sent_after": BEGAN,
        "expires_at": EXPIRES,
    }
    return LedgerEntry(**fields | changes)


def record(
    *assets: str, at: datetime = NOW, number: int | None = 7, target: str = "BNB"
) -> Observed:
    lines = tuple(
        LedgerLine(asset=asset, amount=D(1), gross=D(1), fee=D(0), at=at, transaction_id=number)
        for asset in assets
    )
    return Observed(
        account="alice",
        kind=Kind.DUST,
        account_type="SPOT",
        target=target,
        transaction_id=number,
        at=at,
        lines=lines,
    )


def read(
    *, complete: bool = True, unread: Any = (), hidden: str = "what the witness says", **given: Any
) -> Evidence:
    """Say what was read; `complete` says whether the records showed all that there are."""
    records = given.pop("records")
    shown = Shown(records=records, unread=unread, hidden=None if complete else hidden)
    return Evidence(start=BEGAN, end=EXPIRES, shown=shown, **given)


BEFORE = {"ADA": D(6), "XRP": D(1)}


GONE = {"ADA": D(0), "XRP": D(0)}


WHOLE = record("ADA", "XRP")


@pytest.mark.parametrize(
    ("late", "records", "held", "complete", "conclusion"),
    [
        # The log shows one that fits, and no other can come: whatever the balances are.
        (10.001, [WHOLE], BEFORE, True, Done),
        (500, [WHOLE], GONE, False, Done),
        # Until then, another one may come: it may be of a conversion on the website.
        (-10, [WHOLE], GONE, True, NotYet),
        (10, [WHOLE], GONE, True, NotYet),
        # Two fit.
        (11, [WHOLE, record("ADA", "XRP", number=8)], GONE, True, Unknowable),
        (500, [WHOLE, record("ADA", "XRP", number=8)], BEFORE, True, Unknowable),
        (
            500,
            [record("ADA"), record("ADA", number=8)],
            {"ADA": D(0), "XRP": D(1)},
            True,
            Unknowable,
        ),
        (500, [WHOLE, record("ADA", number=8)], GONE, True, Done),
        # The exchange may still accept it: nothing else means anything.
        (-10, [], BEFORE, True, NotYet),
        (0, [], BEFORE, True, NotYet),
        (0, [], GONE, True, NotYet),
        (0, [record("ADA")], {"ADA": D(0), "XRP": D(1)}, True, NotYet),
        # It can't any more, and a late record would look the same.
        (10.001, [], BEFORE, True, NotYet),
        (59.9, [], BEFORE, True, NotYet),
        (60, [], BEFORE, True, NotDone),
        (60, [], {"ADA": D(7), "XRP": D(1)}, True, NotDone),
        # A balance is less, and nothing says why.
        (60, [], GONE, True, NotYet),
        (79, [], {"XRP": D(1)}, True, NotYet),
        (80, [], {"XRP": D(1)}, True, Unknowable),
        (80, [], GONE, True, Unknowable),
        # The log is full: what it does not show may be behind.
        (60, [], BEFORE, False, NotYet),
        (80, [], BEFORE, False, Unknowable),
        # Records of other calls prove nothing.
        (60, [record("ADA", "XRP", at=NOW - seconds(2))], BEFORE, True, NotDone),
        (60, [record("ADA", "XRP", at=EXPIRES + seconds(11))], BEFORE, True, NotDone),
        (60, [record("ADA", "XRP", target="USDT")], BEFORE, True, NotDone),
        (60, [record("ADA", "XRP", "LTC")], BEFORE, True, NotDone),
        # In part, and the rest is where it was; in several records; in part, and the rest is gone.
        (60, [record("ADA")], {"ADA": D(0), "XRP": D(1)}, True, Done),
        (59, [record("ADA")], {"ADA": D(0), "XRP": D(1)}, True, NotYet),
        (11, [record("ADA"), record("XRP", number=8)], GONE, True, Done),
        (10, [record("ADA"), record("XRP", number=8)], GONE, True, NotYet),
        (80, [record("ADA")], GONE, True, Unknowable),
        (80, [record("ADA")], {"ADA": D(0), "XRP": D(1)}, False, Unknowable),
    ],
)
def test_what_a_reading_proves(
    late: float, records: list[Observed], held: dict[str, D], complete: bool, conclusion: type
) -> None:
    evidence = read(clock=EXPIRES + seconds(late), records=records, held=held, complete=complete)

    assert type(conclude(entry(), evidence)) is conclusion


def test_a_conclusion_says_what_was_done() -> None:
    both = [record("XRP", number=8), record("ADA")]
    held = {"ADA": D(0), "XRP": D(0)}

    whole = conclude(entry(), read(clock=EXPIRES + seconds(11), records=both, held=held))
    part = conclude(
        entry(), read(clock=EXPIRES + seconds(60), records=both[:1], held={"ADA": D(6)})
    )

    assert isinstance(whole, Done)
    assert whole.record.assets == {"ADA", "XRP"}
    assert whole.note is None
    assert isinstance(part, Done)
    assert part.note == "in part: ADA stayed"


def test_records_that_fit_alike_are_named() -> None:
    later, earlier = record("ADA", "XRP", at=NOW + seconds(9), number=9), WHOLE

    conclusion = conclude(
        entry(), read(clock=EXPIRES + seconds(11), records=[later, earlier], held={})
    )

    assert isinstance(conclusion, Unknowable)
    assert "(9, 7)" in conclusion.reason


def test_combined_records_have_the_id_of_the_earliest() -> None:
    parts = [record("XRP", at=NOW + seconds(1), number=9), record("ADA", number=8)]

    conclusion = conclude(entry(), read(clock=EXPIRES + seconds(11), records=parts, held={}))

    assert isinstance(conclusion, Done)
    assert conclusion.record.transaction_id == 8


def test_records_with_two_targets_are_not_combined() -> None:
    debts = entry(kind=Kind.LIABILITIES, account_type="MARGIN", target="USDT")
    parts = [
        replace(record(asset, target=target), kind=Kind.LIABILITIES, account_type="MARGIN")
        for asset, target in (("ADA", "USDT"), ("XRP", "USDC"))
    ]

    conclusion = conclude(debts, read(clock=EXPIRES + seconds(99), records=parts, held=GONE))

    assert isinstance(conclusion, Unknowable)


@pytest.mark.parametrize(
    ("late", "held", "complete", "words"),
    [
        (10, BEFORE, True, "can still carry it out"),
        (11, BEFORE, True, "may be late"),
        (60, BEFORE, True, "60 s after the exchange could accept it for the last time"),
        (80, {"ADA": D(6)}, True, "less XRP than before"),
        (80, {}, True, "less ADA, XRP than before"),
        (80, BEFORE, False, "what the witness says"),
    ],
)
def test_a_conclusion_says_why(late: float, held: dict[str, D], complete: bool, words: str) -> None:
    evidence = read(clock=EXPIRES + seconds(late), records=[], held=held, complete=complete)

    conclusion = conclude(entry(), evidence)

    assert isinstance(conclusion, NotYet | NotDone | Unknowable)
    assert words in conclusion.reason


@pytest.mark.parametrize(
    ("records", "named"),
    [
        ([WHOLE, record("ADA", "XRP", number=8), record("ADA", number=9)], "fit it (7, 8), and"),
        ([record("ADA"), record("ADA", number=8)], "fit it (7, 8), and"),
        ([record("ADA", "XRP", number=None), record("ADA", "XRP", number=None)], "fit it, and"),
    ],
)
def test_records_that_fit_are_named_by_their_numbers(records: list[Observed], named: str) -> None:
    found = conclude(entry(), read(clock=EXPIRES + seconds(99), records=records, held=GONE))

    assert isinstance(found, Unknowable)
    assert named in found.reason


def test_of_a_record_with_all_assets_and_another_with_some_the_first_is_the_call_s() -> None:
    records = [record("ADA", number=8), WHOLE]

    found = conclude(entry(), read(clock=EXPIRES + seconds(99), records=records, held=GONE))

    assert found == Done(WHOLE)


@pytest.mark.parametrize(
    ("at", "records", "number"),
    [
        (NOW, [], 7),
        (BEGAN, [], 7),
        (EXPIRES + seconds(10), [], 7),
        (BEGAN - seconds(0.001), [], None),
        (EXPIRES + seconds(10.001), [], None),
        # The log has a part of it, and does not say whose: the flow does not, either.
        (NOW, [record("ADA", number=8)], None),
    ],
)
@pytest.mark.parametrize("kind", [Kind.DUST, Kind.LIABILITIES])
def test_the_second_witness_finds_the_call_by_assets_and_time(
    at: datetime, records: list[Observed], number: int | None, kind: Kind
) -> None:
    flow = Flow(movements=[Movement(number=7, at=at, assets=frozenset({"ADA", "XRP", "BNB"}))])
    reading = read(
        clock=EXPIRES + seconds(99), records=[replace(each, kind=kind) for each in records], held={}
    )
    first = Unknowable("less than before")

    found = conclude_again(entry(kind=kind), reading, flow, first)

    if number is None:
        assert found is first
    else:
        assert isinstance(found, Done)
        # Exchanged debts have no number in the ledger.
        assert found.record.transaction_id == (7 if kind is Kind.DUST else None)
        assert (found.record.at, found.record.lines) == (at, ())


def test_what_is_under_way_or_has_failed_says_so_itself() -> None:
    """An order, or a transfer, has a status of its own."""

    def say(late: float, **shown: Any) -> Any:
        given = {"start": BEGAN, "end": EXPIRES, "clock": EXPIRES + seconds(late)}
        return conclude(entry(), Evidence(**given, shown=Shown(**shown), held={}))

    assert say(500, pending="order 7 is PROCESS") == NotYet("order 7 is PROCESS")
    assert say(11, refused="order 7 has failed") == NotDone("order 7 has failed")
    assert isinstance(say(9, refused="order 7 has failed"), NotYet)


@given(
    late=st.floats(-100, 1000),
    held=st.dictionaries(st.sampled_from(["ADA", "XRP"]), st.integers(0, 9).map(Decimal)),
    complete=st.booleans(),
)
def test_absence_is_proof_only_late_and_with_full_balances(
    late: float, held: dict[str, D], complete: bool
) -> None:
    conclusion = conclude(
        entry(), read(clock=EXPIRES + seconds(late), records=[], held=held, complete=complete)
    )

    assert not isinstance(conclusion, Done)
    if isinstance(conclusion, NotDone):
        assert late >= 60
        assert complete
        assert all(held.get(asset, D(0)) >= before for asset, before in BEFORE.items())
