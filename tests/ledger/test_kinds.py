"""Transfers, sales and repayments in the books: beside what converts, and never taken for it."""

from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from binance_dust import GuardError, Ledger, UnreadableAnswerError
from binance_dust.ledger import (
    Kind,
    Observed,
    SettledBy,
    _schema,
    can_have_done,
)
from binance_dust.ledger._entry import funds_of
from binance_dust.ledger._records import from_capital_flow, from_order, from_transfers, moved
from binance_dust.models import CapitalFlow, ConvertOrder, TransferRecord
from tests.ledger.makers import MINUTE, NOW, intent, line, seen
from tests.ledger.test_migration import AT, write_old

ONE = Decimal(1)
TRANSFER = {"kind": Kind.TRANSFER, "target": "ADA", "held": {"ADA": Decimal("6.21")}}
SALE = {"kind": Kind.SALE, "held": {"LTC": Decimal(2)}, "client_id": "12415572564"}
REPAYMENT = {"kind": Kind.REPAYMENT, "account_type": "MARGIN", "target": "USDT"}
KINDS: dict[Kind, dict[str, Any]] = {
    Kind.TRANSFER: TRANSFER,
    Kind.SALE: SALE,
    Kind.REPAYMENT: REPAYMENT,
}


def wanted(kind: Kind, **changes: Any) -> Any:
    """Make the intent of one of these calls; a repayment pays less than what is owed."""
    made = intent(**(KINDS[kind] | changes))
    if kind is Kind.REPAYMENT:
        made = replace(made, held={"USDT": Decimal(3)}, amounts={"USDT": ONE})
    return made


# --- one at a time -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "blocks"),
    [
        (wanted(Kind.TRANSFER), intent(), False),
        (intent(), wanted(Kind.TRANSFER), False),
        (wanted(Kind.TRANSFER), wanted(Kind.TRANSFER), True),
        (wanted(Kind.SALE), intent(), True),
        (intent(kind=Kind.DUST_CONVERT), wanted(Kind.SALE), True),
        (wanted(Kind.SALE), wanted(Kind.TRANSFER), False),
        (wanted(Kind.REPAYMENT), intent(kind=Kind.LIABILITIES, account_type="MARGIN"), True),
        (wanted(Kind.REPAYMENT), intent(account_type="MARGIN"), False),
    ],
    ids=lambda each: f"{each.account_type} {each.kind}" if not isinstance(each, bool) else "",
)
async def test_calls_of_the_same_funds_go_one_at_a_time(
    ledger: Ledger, first: Any, second: Any, blocks: bool
) -> None:
    await ledger.intend(first, length=MINUTE)

    if not blocks:
        assert (await ledger.intend(second, length=MINUTE)).open
        return
    with pytest.raises(GuardError, match="recover"):
        await ledger.intend(second, length=MINUTE)


def test_the_file_refuses_what_the_ledger_refuses() -> None:
    """Whatever writes into it: the trigger knows the same rule as `funds_of`."""
    insert = (
        "INSERT INTO entries (account, kind, account_type, target, status, at, owner)"
        " VALUES ('alice', ?, 'SPOT', 'BNB', 'intended', '', 'alice')"
    )
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        for script in _schema.MIGRATIONS:
            db.executescript(script)
        for first, second in product(Kind, Kind):
            db.execute("BEGIN")
            db.execute(insert, (first.value,))
            refused = False
            try:
                db.execute(insert, (second.value,))
            except sqlite3.IntegrityError:
                refused = True
            if db.in_transaction:
                db.execute("ROLLBACK")
            assert refused is (funds_of(first, "SPOT") == funds_of(second, "SPOT")), (first, second)


# --- records -------------------------------------------------------------------------------------


def transferred(amount: str = "6.21", status: str = "CONFIRMED") -> TransferRecord:
    return TransferRecord(
        asset="ADA", amount=Decimal(amount), status=status, tran_id=77, timestamp=NOW
    )


async def test_a_transfer_is_found_by_asset_amount_and_time(ledger: Ledger) -> None:
    held = {"ADA": Decimal("6.21")}
    entry = await ledger.intend(wanted(Kind.TRANSFER, amounts=held), length=MINUTE)
    (record,) = from_transfers([transferred(), transferred(status="FAILED")], "alice")

    assert can_have_done(entry, record)
    assert record.transaction_id == 77
    (other,) = from_transfers([transferred("6.2")], "alice")
    assert not can_have_done(entry, other)
    # The record of a conversion of as much has another kind.
    assert not can_have_done(entry, seen(line(), target="ADA"))


async def test_a_repayment_is_found_by_what_it_paid(ledger: Ledger) -> None:
    entry = await ledger.intend(wanted(Kind.REPAYMENT), length=MINUTE)
    rows = [
        CapitalFlow(tran_id=5, timestamp=NOW, asset="USDT", type=kind, amount=amount)
        for kind, amount in (("REPAY", -ONE), ("BORROW", ONE), ("REPAY", Decimal(-3)))
    ]
    paid, other = from_capital_flow(rows, "alice")

    assert can_have_done(entry, paid)
    (row,) = paid.lines
    assert (row.amount, row.gross, row.net) == (ONE, ONE, ONE)
    assert paid.account_type == "MARGIN"
    assert not can_have_done(entry, other)
    assert (await ledger.entry(entry.id)).amounts == {"USDT": ONE}
    assert (await ledger.entry(entry.id)).held == {"USDT": Decimal(3)}


async def test_an_order_is_a_record_when_it_is_done(ledger: Ledger) -> None:
    entry = await ledger.intend(wanted(Kind.SALE), length=MINUTE)
    order = ConvertOrder(
        order_id=9,
        order_status="SUCCESS",
        create_time=NOW,
        from_asset="LTC",
        from_amount=Decimal(2),
        to_asset="BNB",
        to_amount=Decimal("0.25"),
    )
    record = from_order(order, entry)

    assert record is not None
    assert can_have_done(entry, record)
    assert (record.lines[0].net, record.transaction_id) == (Decimal("0.25"), 9)
    for status in ("PROCESS", "ACCEPT_SUCCESS", "FAIL"):
        unfinished = ConvertOrder(order_id=9, order_status=status)
        assert from_order(unfinished, entry) is None
    for name in ("from_asset", "to_asset", "from_amount", "to_amount", "order_id", "create_time"):
        words = "number or a time" if name in ("order_id", "create_time") else "amounts"
        with pytest.raises(UnreadableAnswerError, match=words):
            from_order(msgspec.structs.replace(order, **{name: None}), entry)


async def test_equal_numbers_of_two_kinds_are_two_records(ledger: Ledger) -> None:
    """A transfer and a conversion are counted by different parts of the exchange."""
    entry = await ledger.intend(wanted(Kind.TRANSFER, target="BNB"), length=MINUTE)
    done = moved(Kind.TRANSFER, "alice", "ADA", Decimal("6.21"), NOW, 45178372831)
    await ledger.confirm(entry.id, done.lines, transaction_id=45178372831, now=NOW)

    recorded = await ledger.record([seen(line())], now=NOW + MINUTE)

    assert len(recorded.added) == 1


async def test_a_person_can_confirm_a_transfer_and_the_amount_is_known(ledger: Ledger) -> None:
    entry = await ledger.intend(
        wanted(Kind.TRANSFER, amounts={"ADA": Decimal("6.21")}), length=MINUTE
    )
    await ledger.leave_unknown(entry.id, "gone", now=NOW, needs_resolve=True)

    done = await ledger.resolve(
        entry.id, "confirmed", "seen on the website", now=NOW + MINUTE, transaction_id=77
    )

    assert done.settled_by is SettledBy.HAND
    assert [(each.asset, each.amount) for each in done.lines] == [("ADA", Decimal("6.21"))]


# --- sums and files ------------------------------------------------------------------------------


async def _confirm(ledger: Ledger, kind: Kind, done: Observed) -> None:
    entry = await ledger.intend(wanted(kind), length=MINUTE)
    await ledger.confirm(entry.id, done.lines, transaction_id=done.transaction_id, now=NOW)


async def _filled(ledger: Ledger) -> None:
    """One of each kind."""
    await ledger.record([seen(line())], now=NOW)
    sold = replace(line("LTC", gross=Decimal("0.25")), fee=Decimal(0), transaction_id=9)
    await _confirm(ledger, Kind.SALE, seen(sold, kind=Kind.SALE, transaction_id=9))
    await _confirm(ledger, Kind.TRANSFER, moved(Kind.TRANSFER, "alice", "ADA", ONE, NOW, 77))
    await _confirm(ledger, Kind.REPAYMENT, moved(Kind.REPAYMENT, "alice", "USDT", ONE, NOW, 78))
    debt = line("ETH", gross=Decimal(2), fee=Decimal(0), transaction_id=None)
    exchanged = seen(
        debt, kind=Kind.LIABILITIES, account_type="MARGIN", target="USDT", transaction_id=None
    )
    await ledger.record([exchanged], now=NOW)


async def test_sums_count_sales_and_never_what_only_moved(ledger: Ledger) -> None:
    await _filled(ledger)

    sums = {(each.key, each.target): each.net for each in await ledger.totals("kind")}
    debts = await ledger.totals("kind", liabilities=True)

    assert sums == {("dust", "BNB"): Decimal("0.01741756"), ("sale", "BNB"): Decimal("0.25")}
    assert [(each.key, each.target, each.net) for each in debts] == [
        ("liabilities", "USDT", Decimal(2))
    ]
    (month,) = await ledger.totals("month")
    assert (month.count, month.net) == (2, Decimal("0.26741756"))


async def test_the_plain_style_shows_each_kind_in_its_columns(ledger: Ledger) -> None:
    await _filled(ledger)
    text = io.StringIO()
    await ledger.export_csv(text)
    rows = {row["kind"]: row for row in csv.DictReader(io.StringIO(text.getvalue()))}

    def filled(kind: str) -> dict[str, str]:
        trade = {"sold", "received", "debt", "moved"}
        return {k: v for k, v in rows[kind].items() if v and k.partition("_")[0] in trade}

    assert filled("sale") == {
        "sold_asset": "LTC",
        "sold_amount": "6.21",
        "received_asset": "BNB",
        "received_amount": "0.25",
    }
    assert filled("transfer") == {"moved_asset": "ADA", "moved_amount": "1"}
    assert filled("repayment") == {"debt_ended_asset": "USDT", "debt_ended_amount": "1"}
    assert filled("liabilities")["debt_begun_amount"] == "2"


@pytest.mark.parametrize("style", ["koinly", "cointracking", "blockpit"])
async def test_a_tax_tool_gets_trades_and_sales_only(ledger: Ledger, style: Any) -> None:
    await _filled(ledger)
    text = io.StringIO()

    exported = await ledger.export_csv(text, style=style)

    assert (exported.rows, exported.liabilities_left_out, exported.moves_left_out) == (2, 1, 2)
    assert "alice: sold by quote" in text.getvalue()


# --- ledgers of the version before ---------------------------------------------------------------


def _everything(path: Path) -> tuple[list[Any], dict[str, str]]:
    with closing(sqlite3.connect(path)) as db:
        rows: list[Any] = [
            tuple(db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall())  # noqa: S608
            for table in ("entries", "lines", "names", "keys", "conversions", "open_entries")
        ]
        rows.append(db.execute("SELECT entry_id, position, asset, held FROM asked").fetchall())
        rows.append(db.execute("SELECT seq FROM sqlite_sequence").fetchall())
        schema = dict(db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    return rows, schema


async def test_a_ledger_of_the_version_before_keeps_all_that_it_had(tmp_path: Path) -> None:
    old, fresh = tmp_path / "old.db", tmp_path / "fresh.db"
    write_old(old, 5)
    with closing(sqlite3.connect(old)) as db:
        db.executescript(
            """
            INSERT INTO entries (account, key_id, kind, account_type, target, status, at, owner,
              intended_at, transaction_id) VALUES
              ('alice', 'k1', 'dust', 'SPOT', 'BNB', 'confirmed', '=AT', 'alice', '=AT', 7),
              ('alice', 'k1', 'liabilities', 'MARGIN', 'USDT', 'unknown', '=AT', 'alice', '=AT',
               NULL),
              ('bob', 'k2', 'dust_convert', 'SPOT', 'USDT', 'rejected', '=AT', 'bob', '=AT',
               NULL);
            INSERT INTO asked VALUES (1, 0, 'ADA', '6.21'), (2, 0, 'ETH', '0.001'),
              (3, 0, 'XRP', NULL);
            INSERT INTO lines VALUES (1, 0, 'ADA', '6.21', '0.2', '0.1', '0.1', '=AT', 7);
            INSERT INTO names VALUES ('bob', 'bob');
            """.replace("=AT", AT)
        )
    before, _ = _everything(old)
    async with Ledger(fresh):
        pass

    async with Ledger(old) as ledger:
        found = [entry async for entry in ledger.entries()]
        with pytest.raises(GuardError, match="entry 2"):
            await ledger.intend(wanted(Kind.REPAYMENT), length=MINUTE)

    after, schema = _everything(old)
    assert after == before
    assert schema == _everything(fresh)[1]
    assert [entry.status for entry in found] == ["confirmed", "unknown", "rejected"]
    assert found[0].lines[0].net == Decimal("0.1")
    async with Ledger(old) as ledger:
        assert (await ledger.intend(wanted(Kind.TRANSFER), length=MINUTE)).id == 4
        await ledger.reject(4, "refused", now=NOW + timedelta(seconds=1))
    with closing(sqlite3.connect(old)) as db:
        with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
            db.execute("DELETE FROM entries")
        with pytest.raises(sqlite3.IntegrityError, match="final"):
            db.execute("UPDATE entries SET status = 'rejected' WHERE id = 1")
        assert db.execute("PRAGMA user_version").fetchone() == (_schema.VERSION,)
