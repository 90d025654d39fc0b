"""How records are read, and which of our calls a record belongs to, as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from binance_dust import UnreadableAnswerError
from binance_dust._util.exact import from_moment
from binance_dust.ledger import (
    Kind,
    LedgerEntry,
    SettledBy,
    can_have_done,
    from_dust_log,
    from_liabilities,
    own_entry,
)
from binance_dust.ledger._records import may_be_ours, same_ids, same_lines
from binance_dust.models import DustLog, SmallLiabilityExchange
from tests.ledger.makers import NOW, line, seen

PROCESSING = timedelta(seconds=10)
LINES = (line("ADA", transaction_id=7), line("XRP", transaction_id=8))
RENUMBERED = tuple(replace(each, transaction_id=98) for each in LINES)
SEEN = seen(*LINES, transaction_id=7)


def entry(**changes: Any) -> LedgerEntry:
    fields: dict[str, Any] = {
        "id": 1,
        "account": "alice",
        "kind": Kind.DUST,
        "account_type": "SPOT",
        "target": "BNB",
        "assets": ("ADA", "XRP"),
        "status": "confirmed",
        "at": NOW,
        "sent_after": NOW - timedelta(seconds=1),
        "expires_at": NOW + timedelta(seconds=5),
        "transaction_id": 7,
        "lines": LINES,
    }
    return LedgerEntry(**fields | changes)


OTHERS = [{"account": "bob"}, {"account_type": "MARGIN"}, {"target": "USDT"}]


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"transaction_id": None}, True),
        ({"transaction_id": 9}, True),
        ({"lines": ()}, True),
        ({"lines": (), "transaction_id": 9}, False),
        ({"lines": (), "transaction_id": None}, False),
        *[(other, False) for other in OTHERS],
    ],
)
def test_the_same_id_in_the_same_place(changes: dict[str, Any], same: bool) -> None:
    assert same_ids(entry(**changes), SEEN) is same


def test_two_missing_ids_are_not_the_same_id() -> None:
    bare = tuple(replace(each, transaction_id=None) for each in LINES)
    assert not same_ids(entry(transaction_id=None, lines=bare), seen(*bare, transaction_id=None))


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"lines": LINES[::-1]}, True),
        ({"kind": Kind.DUST_CONVERT}, True),
        ({"kind": Kind.LIABILITIES}, False),
        ({"lines": LINES[:1]}, False),
        ({"lines": (LINES[0], replace(LINES[1], amount=Decimal(1)))}, False),
        ({"lines": (LINES[0], replace(LINES[1], gross=Decimal(1)))}, False),
        ({"lines": (LINES[0], replace(LINES[1], at=NOW + timedelta(seconds=1)))}, False),
        ({"lines": (LINES[0], replace(LINES[1], asset="LTC"))}, False),
        *[(other, False) for other in OTHERS],
    ],
)
def test_the_same_lines_in_the_same_place(changes: dict[str, Any], same: bool) -> None:
    assert same_lines(entry(**changes), SEEN) is same


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"lines": LINES[:1]}, True),
        ({"lines": (LINES[0], replace(LINES[1], amount=Decimal(1)))}, True),
        ({"lines": tuple(replace(each, amount=Decimal(1)) for each in LINES)}, False),
        ({"lines": ()}, False),
        *[(other, False) for other in OTHERS],
    ],
)
def test_one_line_is_enough_for_our_call_and_for_records_without_id(
    changes: dict[str, Any], same: bool
) -> None:
    bare = seen(*(replace(each, transaction_id=None) for each in LINES), transaction_id=None)

    assert same_lines(entry(intended_at=NOW, **changes), SEEN) is same
    assert same_lines(entry(**changes), bare) is same


@pytest.mark.parametrize(
    ("changes", "can"),
    [
        ({}, True),
        ({"sent_after": NOW}, True),
        ({"sent_after": NOW + timedelta(milliseconds=1)}, False),
        ({"expires_at": NOW - PROCESSING}, True),
        ({"expires_at": NOW - PROCESSING - timedelta(milliseconds=1)}, False),
        ({"sent_after": None}, False),
        ({"expires_at": None}, False),
        ({"assets": ("ADA",)}, False),
        ({"assets": ("ADA", "XRP", "LTC")}, False),
        ({"kind": Kind.DUST_CONVERT}, True),
        ({"kind": Kind.LIABILITIES}, False),
        *[(other, False) for other in OTHERS],
    ],
)
def test_the_records_that_a_call_can_have_made(changes: dict[str, Any], can: bool) -> None:
    assert can_have_done(entry(**changes), SEEN) is can


def test_a_part_is_enough_if_asked_for_but_nothing_is_not() -> None:
    whole = entry(assets=("ADA", "XRP", "LTC"))
    assert can_have_done(whole, SEEN, in_part=True)
    assert can_have_done(entry(), SEEN, in_part=True)
    assert not can_have_done(entry(assets=("ADA",)), SEEN, in_part=True)
    assert not can_have_done(entry(assets=()), replace(SEEN, lines=()))


def test_debts_may_become_a_debt_in_another_target() -> None:
    debts = replace(SEEN, kind=Kind.LIABILITIES, account_type="MARGIN", target="FDUSD")
    assert can_have_done(entry(kind=Kind.LIABILITIES, account_type="MARGIN"), debts)


UNSURE: dict[str, Any] = {"transaction_id": None, "lines": ()}


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([], None),
        # By id or by lines; confirmed entries come before uncertain ones.
        ([entry(lines=())], 1),
        ([entry(transaction_id=99, lines=RENUMBERED)], 1),
        ([entry(id=1, status="unknown", **UNSURE), entry(id=2)], 2),
        # Uncertain: open entries first, then those rejected by reading; the oldest first.
        ([entry(status="intended", **UNSURE)], 1),
        ([entry(status="rejected", settled_by=SettledBy.READING, **UNSURE)], 1),
        (
            [
                entry(id=1, status="rejected", settled_by=SettledBy.READING, **UNSURE),
                entry(id=2, status="unknown", **UNSURE),
            ],
            2,
        ),
        ([entry(id=5, status="unknown", **UNSURE), entry(id=4, status="unknown", **UNSURE)], 4),
        ([entry(status="unknown", assets=("ADA",), **UNSURE)], None),
        # Certain: refused by the exchange, settled by hand, or confirmed as another record.
        ([entry(status="rejected", settled_by=SettledBy.ANSWER, **UNSURE)], None),
        ([entry(status="rejected", settled_by=SettledBy.HAND, **UNSURE)], None),
        ([entry(settled_by=SettledBy.READING, **UNSURE)], None),
        ([entry(status="rejected", settled_by=SettledBy.ANSWER)], None),
    ],
)  # fmt: skip
def test_the_entry_that_a_record_belongs_to(entries: list[LedgerEntry], found: int | None) -> None:
    own = own_entry(entries, SEEN)

    assert (None if own is None else own.id) == found


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({"status": "intended"}, True),
        ({"status": "unknown"}, True),
        ({"status": "rejected", "settled_by": SettledBy.READING}, True),
        ({"status": "rejected", "settled_by": SettledBy.ANSWER}, False),
        ({"status": "confirmed", "settled_by": SettledBy.READING}, False),
        ({"status": "unknown", "assets": ("ADA", "XRP", "LTC")}, True),
        ({"status": "unknown", "assets": ("ADA",)}, False),
        *[({"status": "unknown"} | other, False) for other in OTHERS],
    ],
)
def test_the_calls_that_a_record_may_be_of(changes: dict[str, Any], may: bool) -> None:
    assert may_be_ours(entry(**UNSURE | changes), SEEN) is may


def logged(at: datetime, **changes: Any) -> dict[str, Any]:
    detail = {
        "transId": 7,
        "fromAsset": "ADA",
        "amount": "6.21",
        "transferedAmount": "0.01777302",
        "serviceChargeAmount": "0.00035546",
        "operateTime": from_moment(at),
    }
    return detail | changes


def test_a_log_record_has_the_log_s_own_time_or_else_that_of_its_first_detail() -> None:
    later = NOW + timedelta(seconds=3)
    group = {
        "transId": 9,
        "totalTransferedAmount": "0.01777302",
        "totalServiceChargeAmount": "0.00035546",
        "userAssetDribbletDetails": [
            logged(later),
            logged(NOW, fromAsset="XRP"),
            logged(NOW, fromAsset="LTC", operateTime=None),
        ],
    }
    groups = [group | {"operateTime": from_moment(NOW - timedelta(seconds=1))}, group]
    log = msgspec.convert({"total": 2, "userAssetDribblets": groups}, DustLog)

    records = list(from_dust_log(log, "alice", "SPOT"))

    assert [record.at for record in records] == [NOW - timedelta(seconds=1), NOW]
    assert [line.at for line in records[0].lines] == [later, NOW, NOW - timedelta(seconds=1)]
    assert [record.ids for record in records] == [{7, 9}, {7, 9}]


def test_a_log_record_without_any_time_can_not_be_read() -> None:
    group = {"transId": 9, "userAssetDribbletDetails": [logged(NOW, operateTime=None)]}
    log = msgspec.convert({"total": 1, "userAssetDribblets": [group]}, DustLog)

    with pytest.raises(UnreadableAnswerError, match="it has no time"):
        list(from_dust_log(log, "alice", "SPOT"))


def test_each_amount_that_a_call_said_has_to_be_that_of_the_record() -> None:
    said = {"ADA": LINES[0].amount, "XRP": LINES[1].amount}

    assert can_have_done(entry(amounts=said), SEEN)
    assert not can_have_done(entry(amounts=said | {"XRP": Decimal(1)}), SEEN)


def test_an_exchange_of_debts_has_no_fee() -> None:
    row = {
        "asset": "ETH",
        "amount": "0.00083434",
        "targetAsset": "USDT",
        "targetAmount": "1.8576",
        "bizType": "EXCHANGE_SMALL_LIABILITY",
        "timestamp": from_moment(NOW),
    }

    (record,) = from_liabilities([msgspec.convert(row, SmallLiabilityExchange)], "alice")

    assert (record.lines[0].gross, record.lines[0].net) == (Decimal("1.8576"), Decimal("1.8576"))


def test_a_record_as_an_entry_is_an_imported_confirmation_without_a_number() -> None:
    shown = SEEN.as_entry()

    assert (shown.id, shown.status, shown.imported) == (0, "confirmed", True)
    assert (shown.assets, shown.lines) == (("ADA", "XRP"), LINES)
