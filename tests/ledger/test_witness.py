"""What each kind of call leaves behind at the exchange, and what may be missing there, as tables.

What follows from it: tests/conversion/test_evidence.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from binance_dust import RejectedError, UnavailableError
from binance_dust.client import DustClient
from binance_dust.errors import Delivery, ExchangeError
from binance_dust.ledger import Kind, LedgerEntry
from binance_dust.ledger._witness import (
    Flow,
    Movement,
    Shown,
    has_second_witness,
    read_again,
    read_records,
)
from binance_dust.models import (
    CapitalFlow,
    ConvertOrder,
    DustLog,
    DustLogDetail,
    DustLogEntry,
    SmallLiabilityExchange,
    TransferRecord,
    UnreadRow,
)
from tests.ledger.makers import MINUTE, NOW

ONE = Decimal(1)
DAY = timedelta(days=1)
START, END = NOW - MINUTE, NOW + MINUTE
LATER = NOW + DAY
"""The exchange's clock when it is read."""
WALLETS = dict.fromkeys((Kind.LIABILITIES, Kind.REPAYMENT), "MARGIN")


def entry(kind: Kind, **changes: Any) -> LedgerEntry:
    fields: dict[str, Any] = {
        "id": 1,
        "account": "alice",
        "kind": kind,
        "account_type": WALLETS.get(kind, "SPOT"),
        "target": "BNB",
        "assets": ("ADA", "XRP"),
        "status": "unknown",
        "at": NOW,
        "sent_after": START,
        "expires_at": END,
        "client_id": "q1",
    }
    return LedgerEntry(**fields | changes)


class Exchange:
    """Answers every question with these rows, and keeps what it was asked for."""

    def __init__(self, *answers: Any, unread: Sequence[UnreadRow] = ()) -> None:
        self.answers = list(answers)
        self.unread = unread
        self.asked: list[dict[str, Any]] = []

    @property
    def client(self) -> DustClient:
        return cast("DustClient", self)

    async def dust_log(self, **asked: Any) -> DustLog:
        self.asked.append(asked)
        return cast("DustLog", self.answers.pop(0))

    async def convert_status(self, **asked: Any) -> ConvertOrder:
        self.asked.append(asked)
        if isinstance(self.answers[0], Exception):
            raise self.answers[0]
        return cast("ConvertOrder", self.answers[0])

    async def _rows(
        self, *, unread: list[UnreadRow] | None = None, **asked: Any
    ) -> AsyncIterator[Any]:
        self.asked.append(asked)
        if unread is not None:
            unread.extend(self.unread)
        for row in self.answers:
            yield row

    small_liability_history = transfers = capital_flow = _rows


async def shown(exchange: Exchange, asked: LedgerEntry, clock: datetime = LATER) -> Shown:
    return await read_records(exchange.client, asked, clock=clock, start=START, end=END)


# --- the rows ------------------------------------------------------------------------------------


def logged(assets: Sequence[str] = ("ADA", "XRP"), at: datetime = NOW) -> DustLogEntry:
    return DustLogEntry(
        trans_id=7,
        operate_time=at,
        user_asset_dribblet_details=[
            DustLogDetail(
                from_asset=asset,
                amount=ONE,
                transferred_amount=ONE,
                service_charge_amount=Decimal(0),
                operate_time=at,
                trans_id=7,
            )
            for asset in assets
        ],
    )


def debt(asset: str = "ADA") -> SmallLiabilityExchange:
    return SmallLiabilityExchange(
        asset=asset, amount=ONE, target_asset="USDT", target_amount=ONE, timestamp=NOW
    )


def transfer(status: str, asset: str = "ADA") -> TransferRecord:
    return TransferRecord(asset=asset, amount=ONE, status=status, tran_id=77, timestamp=NOW)


def flow(number: int | None, asset: str, milliseconds: int = 0, kind: str = "X") -> CapitalFlow:
    at = NOW + timedelta(milliseconds=milliseconds)
    return CapitalFlow(tran_id=number, timestamp=at, asset=asset, type=kind, amount=-ONE)


DONE = ConvertOrder(
    order_id=9,
    order_status="SUCCESS",
    create_time=NOW,
    from_asset="ADA",
    from_amount=ONE,
    to_asset="BNB",
    to_amount=ONE,
)


# --- where it is looked for ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "rows", "asked"),
    [
        (Kind.DUST, [DustLog(user_asset_dribblets=[logged()])], {"account_type": None}),
        (Kind.DUST_CONVERT, [DustLog(user_asset_dribblets=[logged()])], {"account_type": None}),
        (Kind.LIABILITIES, [debt()], {}),
        (Kind.TRANSFER, [transfer("CONFIRMED")], {"kind": "FUNDING_MAIN"}),
        (Kind.REPAYMENT, [flow(5, "ADA", kind="REPAY")], {"kind": "REPAY"}),
    ],
)
async def test_each_kind_of_call_has_its_witness(
    kind: Kind, rows: list[Any], asked: dict[str, Any]
) -> None:
    exchange = Exchange(*rows)

    found = await shown(exchange, entry(kind))

    assert [record.account for record in found.records] == ["alice"]
    assert not found.unread
    assert (found.hidden, found.pending, found.refused) == (None, None, None)
    assert exchange.asked == [{"start": START, "end": END} | asked]


async def test_the_wallet_of_the_log_is_named_unless_it_is_spot() -> None:
    log = DustLog(user_asset_dribblets=[logged(["LTC"])])
    exchange = Exchange(log, log)

    await shown(exchange, entry(Kind.DUST, account_type="MARGIN"))

    assert [asked["account_type"] for asked in exchange.asked] == ["MARGIN", "MARGIN"]


@pytest.mark.parametrize("kind", [Kind.LIABILITIES, Kind.TRANSFER, Kind.REPAYMENT])
async def test_what_is_older_than_the_exchange_keeps_is_not_asked_for(kind: Kind) -> None:
    """It would refuse the whole range, and what it shows proves no absence."""
    kept = (179 if kind is Kind.TRANSFER else 89) * DAY
    for age, cut in ((kept - MINUTE, False), (kept, True), (400 * DAY, True)):
        exchange = Exchange()

        found = await shown(exchange, entry(kind), clock=START + age)

        (asked,) = exchange.asked
        start = START + age - kept if cut else START
        assert (asked["start"], asked["end"]) == (start, max(start, END))
        assert (found.hidden is not None) is cut


# --- what may be missing -------------------------------------------------------------------------


def unread(at: datetime | None) -> UnreadRow:
    return UnreadRow(place="$.rows[0]", why="no amount", at=at)


@pytest.mark.parametrize("kind", [Kind.DUST, Kind.LIABILITIES, Kind.TRANSFER])
async def test_a_record_that_can_not_be_read_counts_if_it_may_be_of_that_time(kind: Kind) -> None:
    second = timedelta(seconds=1)
    times = [None, START - second, START, NOW, END, END + second]
    rows = [unread(at) for at in times]
    log = DustLog(user_asset_dribblets=[logged()], unread=rows)
    exchange = Exchange(log) if kind is Kind.DUST else Exchange(unread=rows)

    found = await shown(exchange, entry(kind))

    assert [row.at for row in found.unread] == [None, START, NOW, END]


@pytest.mark.parametrize(("full", "in_part"), [(100, 0), (60, 40), (99, 0), (59, 40)])
async def test_a_page_of_a_hundred_records_may_hide_more_whether_they_can_be_read_or_not(
    full: int, in_part: int
) -> None:
    page = [logged()] * full

    found = await shown(
        Exchange(DustLog(user_asset_dribblets=page, unread=[unread(NOW)] * in_part)),
        entry(Kind.DUST),
    )

    assert (found.hidden is not None) is (full + in_part == 100)


@pytest.mark.parametrize(
    ("since", "hidden"), [(None, False), (timedelta(0), False), (timedelta(seconds=1), True)]
)
async def test_the_newest_page_tells_whether_the_log_reaches_back(
    since: timedelta | None, hidden: bool
) -> None:
    """Unless the call is so new that the newest page would show it."""
    full = [] if since is None else [logged(["LTC"], START + since)] * 100
    empty, newest = DustLog(user_asset_dribblets=[]), DustLog(user_asset_dribblets=full)
    early, late = Exchange(empty), Exchange(empty, newest)

    assert (await shown(early, entry(Kind.DUST), clock=END)).hidden is None
    found = await shown(late, entry(Kind.DUST), clock=END + timedelta(milliseconds=1))

    assert (found.hidden is not None) is hidden
    assert len(early.asked) == 1
    assert late.asked[1] == {"account_type": None}


# --- transfers and sales -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "pending", "records"),
    [
        ([transfer("PENDING")], "transfer 77 is still under way", 0),
        ([transfer("PENDING", "LTC")], None, 0),
        ([transfer("FAILED")], None, 0),
        ([transfer("CONFIRMED")], None, 1),
        ([transfer("CONFIRMED"), transfer("PENDING", "XRP")], "transfer 77 is still under way", 1),
        ([], None, 0),
    ],
)
async def test_a_transfer_under_way_is_waited_for(
    rows: list[TransferRecord], pending: str | None, records: int
) -> None:
    found = await shown(Exchange(*rows), entry(Kind.TRANSFER))

    assert (found.pending, len(found.records)) == (pending, records)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (DONE, {}),
        (ConvertOrder(order_id=9, order_status="PROCESS"), {"pending": "order 9 is PROCESS"}),
        (
            ConvertOrder(order_id=9, order_status="FAIL"),
            {"refused": "the exchange's order 9 has failed"},
        ),
        (RejectedError("no such quote", code=-1102), {}),
        (
            ExchangeError("odd", code=-9999, delivery=Delivery.UNCLEAR),
            {"hidden": "the exchange does not say what became of the quote: -9999 odd"},
        ),
    ],
)
async def test_a_sale_is_what_its_order_says(answer: Any, told: dict[str, str]) -> None:
    exchange = Exchange(answer)

    found = await shown(exchange, entry(Kind.SALE))

    assert exchange.asked == [{"quote_id": "q1"}]
    said = {name: getattr(found, name) for name in ("pending", "refused", "hidden")}
    assert {name: words for name, words in said.items() if words} == told
    assert [record.transaction_id for record in found.records] == ([9] if answer is DONE else [])


async def test_an_order_that_can_not_be_read_now_is_no_answer() -> None:
    with pytest.raises(UnavailableError):
        await shown(Exchange(UnavailableError("later", status=503)), entry(Kind.SALE))


async def test_a_sale_whose_quote_is_not_known_is_not_found() -> None:
    exchange = Exchange()

    found = await shown(exchange, entry(Kind.SALE, client_id=None))

    assert found == Shown(hidden="the ledger does not have the quote's id")
    assert exchange.asked == []


# --- the second witness --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "wallet", "has"),
    [
        (Kind.DUST, "MARGIN", True),
        (Kind.DUST_CONVERT, "MARGIN", True),
        (Kind.LIABILITIES, "MARGIN", True),
        (Kind.REPAYMENT, "MARGIN", False),  # the flow is its first
        (Kind.DUST, "SPOT", False),
        (Kind.SALE, "SPOT", False),
    ],
)
def test_only_what_the_margin_account_does_has_a_second_witness(
    kind: Kind, wallet: str, has: bool
) -> None:
    assert has_second_witness(entry(kind, account_type=wallet)) is has


async def test_rows_of_one_number_or_else_of_one_moment_are_one_movement() -> None:
    exchange = Exchange(
        flow(7, "ADA"),
        flow(7, "BNB", 40),
        flow(8, "ADA", 40),
        flow(None, "XRP", 50),
        flow(None, "BNB", 50),
        flow(None, "XRP", 60),
    )

    found = await read_again(
        exchange.client,
        entry(Kind.DUST, account_type="MARGIN"),
        clock=LATER,
        start=START,
        end=END,
    )

    def movement(number: int | None, milliseconds: int, *assets: str) -> Movement:
        at = NOW + timedelta(milliseconds=milliseconds)
        return Movement(number=number, at=at, assets=frozenset(assets))

    assert found == Flow(
        movements=[
            movement(7, 0, "ADA", "BNB"),
            movement(8, 40, "ADA"),
            movement(None, 50, "XRP", "BNB"),
            movement(None, 60, "XRP"),
        ]
    )
    assert exchange.asked == [{"kind": "SMALL_BALANCE_CONVERT", "start": START, "end": END}]
