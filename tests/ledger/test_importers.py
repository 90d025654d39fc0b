"""Exported files are read by the programs that they are for: every row, and every sum."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from binance_dust import Converter, Ledger, Session
from binance_dust._util.exact import total
from binance_dust.ledger import Kind, LedgerEntry
from binance_dust.ledger._records import moved
from binance_dust.ledger.export import Exported, JournalStyle
from binance_dust.sandbox import Sandbox
from tests.ledger.importers import (
    Transaction,
    by_beancount,
    by_bittytax,
    by_hledger,
)
from tests.ledger.makers import HOUR, MINUTE, intent, line, seen

pytestmark = pytest.mark.skipif(
    find_spec("bittytax") is None, reason="a session of its own installs them: nox -s importers"
)

TRADES = 55
MOVES = 3
ODD = ("币安人生", "1INCH", "1000SATS")


@pytest.fixture
async def books(ledger: Ledger) -> Ledger:
    """Convert dust of 54 assets, and write down a call of every other kind."""
    names = [*ODD, *(f"A{number:02}" for number in range(51))]
    dust: Any = {name: f"{number % 9 + 1}.{number:04}" for number, name in enumerate(names)}
    async with Sandbox(seed=7) as exchange:
        alice = exchange.open_account("alice", **dust)
        async with Session(base_url=exchange.url) as session:
            converter = Converter(session.client(alice), ledger=ledger)
            done = await converter.convert(await converter.quote())
            assert len(done.lines) == TRADES - 1
    at = done.lines[-1].at + MINUTE
    sold = line("LTC", amount=Decimal("0.12345678"), gross=Decimal(12), fee=Decimal(0), at=at)
    debt = line("ETH", gross=Decimal("1.8576"), fee=Decimal(0), at=at + HOUR)
    of_debts: Any = {"kind": Kind.LIABILITIES, "account_type": "MARGIN", "target": "USDT"}
    six = Decimal("6.000000000000000001")
    await ledger.record(
        [
            seen(sold, kind=Kind.SALE, target="USDT", transaction_id=7, at=at),
            seen(debt, **of_debts, transaction_id=None, at=at + HOUR),
            moved(Kind.TRANSFER, "alice", "1INCH", six, at + 2 * HOUR, 8),
            moved(Kind.REPAYMENT, "alice", "USDT", six, at + 3 * HOUR, 9),
        ],
        now=at,
    )
    return ledger


async def lines_of(ledger: Ledger) -> list[tuple[LedgerEntry, str, Decimal, Decimal, Decimal]]:
    return [
        (entry, each.asset, each.amount, each.gross, each.fee)
        async for entry in ledger.entries(status="confirmed")
        for each in entry.lines
    ]


async def test_bittytax_takes_every_trade(books: Ledger, path: Path) -> None:
    file = path.with_name("books.csv")
    done = await books.export_csv(file, style="bittytax")

    found = await asyncio.to_thread(by_bittytax, file)

    assert done == Exported(TRADES, liabilities_left_out=1, moves_left_out=MOVES - 1)
    assert found["failed"] == 0
    assert len(found["records"]) == TRADES
    expected = [each for each in await lines_of(books) if each[0].kind.converts]
    for record, (entry, asset, amount, gross, fee) in zip(found["records"], expected, strict=True):
        assert record["type"] == "Trade"
        assert (record["sold"][0], Decimal(record["sold"][1])) == (asset, amount)
        assert (record["received"][0], Decimal(record["received"][1])) == (entry.target, gross)
        charged = record["fee"] and (record["fee"][0], Decimal(record["fee"][1]))
        assert charged == ((entry.target, fee) if fee else None)
        assert record["wallet"] == "Binance alice (rehearsal)"
        happened = [each.at for each in entry.lines if each.asset == asset]
        assert datetime.fromisoformat(record["at"]) in happened
    for target in ("BNB", "USDT"):
        kept = [each for each in found["records"] if each["received"][0] == target]
        sums = [
            total(Decimal(each[part][1]) for each in kept if each[part])
            for part in ("received", "fee")
        ]
        (booked,) = [each for each in await books.totals("target") if each.target == target]
        assert sums == [booked.gross, booked.fee]


@pytest.mark.parametrize("style", ["hledger", "beancount"])
async def test_a_journal_has_every_row_and_its_balances_are_the_sums(
    books: Ledger, path: Path, style: JournalStyle
) -> None:
    file = path.with_name("books.journal")
    done = await books.export_journal(file, style=style)

    found, names = await read(file, style)

    assert done.rows == len(found) == TRADES + MOVES
    assert set(names.values()) == (set() if style == "hledger" else set(ODD))
    assert {name: done.renamed[name] for name in names.values()} == {
        name: fit for fit, name in names.items()
    }
    fit = {name: done.renamed.get(name, name) for name in (*ODD, "BNB")}
    for got, (entry, asset, amount, gross, fee) in zip(found, await lines_of(books), strict=True):
        assert got.tags["entry"] == str(entry.id)
        assert got.tags["kind"] == entry.kind
        sold, target = fit.get(asset, asset), fit.get(entry.target, entry.target)
        by_kind = {
            Kind.LIABILITIES: [(sold, amount), (target, -gross)],
            Kind.TRANSFER: [(sold, -amount), (sold, amount)],
            Kind.REPAYMENT: [(sold, amount), (sold, -amount)],
        }
        trade = [(sold, -amount), (target, gross - fee), *([(target, fee)] if fee else ())]
        posted = [(posting.asset, posting.amount) for posting in got.postings]
        assert posted == by_kind.get(entry.kind, trade)

    alice = "alice (rehearsal)" if style == "hledger" else "Alice-rehearsal"
    held = balances(found, f"Assets:Binance:{alice}:Spot")
    for each in await books.totals("target"):
        assert held[each.target] == each.net
    for each in await books.totals("asset"):
        moved_in = Decimal("6.000000000000000001") if each.key == "1INCH" else 0
        assert held[fit.get(each.key, each.key)] == moved_in - (each.sold or 0)
    owed = balances(found, f"Liabilities:Binance:{alice}:Margin")
    assert owed == {"ETH": Decimal("6.21"), "USDT": Decimal("4.142400000000000001")}


async def read(file: Path, style: JournalStyle) -> tuple[list[Transaction], dict[str, str]]:
    if style == "hledger":
        return await asyncio.to_thread(by_hledger, file), {}
    return await asyncio.to_thread(by_beancount, file)


def balances(found: Iterable[Transaction], account: str) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for posting in (each for transaction in found for each in transaction.postings):
        if posting.account == account:
            sums[posting.asset] = total((sums.get(posting.asset, Decimal(0)), posting.amount))
    return sums


NASTY = ('a "quoted; name', "two  blanks | and more\n", "a:b", "a-b", "Ä@x", "x", "X", "-", "123")


@pytest.mark.parametrize("style", ["hledger", "beancount"])
async def test_no_name_breaks_a_journal_and_no_two_become_one(
    ledger: Ledger, path: Path, style: JournalStyle
) -> None:
    for number, name in enumerate(NASTY):
        done = seen(line(name, transaction_id=number), transaction_id=number, account=name)
        await ledger.record([done], now=done.at)
    await ledger.intend(intent(account=NASTY[0]), length=HOUR)
    file = path.with_name("books.journal")

    written = await ledger.export_journal(file, style=style)
    found, _ = await read(file, style)

    assert (written.rows, written.unsettled, len(found)) == (len(NASTY), 1, len(NASTY))
    assert len({each.postings[0].asset for each in found}) == len(NASTY)
    assert len({each.postings[0].account for each in found}) == len(NASTY)
    assert all(each.postings[0].amount == Decimal("-6.21") for each in found)
