"""The columns of each CSV style, and how a line of an entry is written in them.

Each row is an asset that was sold for the target. Tax tools differ in one point that changes
balances: whether the received amount is before or after the fee. Each layout says which, and where
that is documented. All times are UTC.

Exchanged debts are not trades: nothing was sold or received; one debt replaced another. A tax tool
would book the sale of an asset that was never held. Neither are transfers between wallets of one
account, nor repayments. So a tool's layout leaves them out, and the export counts them. The plain
layout shows them in columns of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from binance_dust._util.exact import from_moment
from binance_dust.ledger._entry import Kind
from binance_dust.ledger._schema import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from binance_dust.ledger._rows import BookRow

__all__ = ["CONVERTS", "LAYOUTS", "CsvLayout", "Style"]

_BEGINS_A_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the wide ones are meant
"""Characters that make a cell a formula, also in full width (OWASP, "CSV Injection", 2026-11)."""

_SMALL: Final = "small balance converted"
CONVERTS: Final = frozenset(kind.value for kind in Kind if kind.converts)
"""The kinds that are trades."""

Style = Literal["plain", "koinly", "cointracking", "blockpit", "bittytax", "rotki"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvLayout:
    """The columns of one style, and how to fill them."""

    header: str
    """The names of its columns, as the file's first line has them."""
    row: Callable[[BookRow], tuple[str, ...]]
    trades_only: bool = True
    """Whether it takes only confirmed trades."""


def _plain_row(row: BookRow) -> tuple[str, ...]:
    trade: tuple[str, ...] = (_text(row.asset), row.amount, _text(row.target), row.net)
    nothing: tuple[str, ...] = ("", "", "", "")
    sold, debts, moved = trade, nothing, nothing[:2]
    if row.kind not in CONVERTS:
        sold, debts = nothing, trade
    if row.kind == Kind.REPAYMENT:
        debts = (*trade[:2], "", "")  # no other debt takes its place
    if row.kind == Kind.TRANSFER:
        debts, moved = nothing, trade[:2]
    return (
        f"{row.at[:23]}Z",
        _text(row.account),
        row.account_type,
        row.kind,
        *sold,
        row.fee,
        row.number,
        row.status,
        *debts,
        str(row.entry),
        *moved,
    )


# What is received is after the fee, and the fee is in the received asset.
_PLAIN: Final = CsvLayout(
    header=(
        "date,account,account_type,kind,sold_asset,sold_amount,received_asset,"
        "received_amount,fee,transaction_id,status,debt_ended_asset,debt_ended_amount,"
        "debt_begun_asset,debt_begun_amount,entry,moved_asset,moved_amount"
    ),
    row=_plain_row,
    trades_only=False,
)


# Koinly, universal template: support.koinly.io/en/articles/9489976 (dates in UTC, as written here),
# header as in files made for it, read 2026-11. The fee comes on top of both sides ("bought for
# $10,000, fee $100, cost $10,100"; one in coins is a disposal of its own: articles/9490025), so
# what is received stands here before the fee.
def _koinly_row(row: BookRow) -> tuple[str, ...]:
    return (
        f"{_seconds(row)} UTC",
        row.amount,
        _text(row.asset),
        row.gross,
        _text(row.target),
        *_fee(row),
        "",
        "",
        "",  # no label means a trade
        _text(_comment(row)),
        _line_number(row),
    )


_KOINLY: Final = CsvLayout(
    header=(
        "Date,Sent Amount,Sent Currency,Received Amount,Received Currency,Fee Amount,"
        "Fee Currency,Net Worth Amount,Net Worth Currency,Label,Description,TxHash"
    ),
    row=_koinly_row,
)


# CoinTracking, custom import: header of cointracking.info/import/import_csv as quoted by programs
# that write it, read 2026-11. Its own exports have dates like 2020-05-14 11:46:20 (in
# github.com/rotki/rotki/issues/995), which no day and month can swap in. The fee is "mainly
# informational"; in the currency of a side it is in that side's amount already: "Buy = 0.99 BTC,
# Sell = 500 USD, Fee = 0.01 BTC" (cointracking.freshdesk.com/solution/articles/29000007202).
def _cointracking_row(row: BookRow) -> tuple[str, ...]:
    return (
        "Trade",
        row.net,
        _text(row.target),
        row.amount,
        _text(row.asset),
        *_fee(row),
        "Binance",
        _text(row.account),
        _text(_comment(row)),
        _seconds(row),
        "",
        _line_number(row),
        "",
        "",
    )


_COINTRACKING: Final = CsvLayout(
    header=(
        "Type,Buy Amount,Buy Currency,Sell Amount,Sell Currency,Fee,Fee Currency,Exchange,"
        "Trade-Group,Comment,Date,Liquidity pool (optional),Tx-ID (optional),"
        "Buy Value in Account Currency (optional),Sell Value in Account Currency (optional)"
    ),
    row=_cointracking_row,
)


# Blockpit, manual import: header, label and dates (30.12.2025 23:59:59, UTC) as in programs that
# write and read it, 2026-11. "Trade, fee in the currency of the buy asset: the total amount (incl.
# fee) of the incoming asset is entered" (cryptotax.io, generic import; Blockpit's earlier name).
def _blockpit_row(row: BookRow) -> tuple[str, ...]:
    fee, currency = _fee(row)
    return (
        f"{row.at[8:10]}.{row.at[5:7]}.{row.at[:4]} {row.at[11:19]}",
        _text(f"Binance {row.account}"),
        "Trade",
        _text(row.asset),
        row.amount,
        _text(row.target),
        row.gross,
        currency,
        fee,
        _text(_comment(row)),
        _line_number(row),
    )


_BLOCKPIT: Final = CsvLayout(
    header=(
        "Date (UTC),Integration Name,Label,Outgoing Asset,Outgoing Amount,Incoming Asset,"
        "Incoming Amount,Fee Asset (optional),Fee Amount (optional),Comment (optional),"
        "Trx. ID (optional)"
    ),
    row=_blockpit_row,
)


# BittyTax 0.6.0, transaction records: header of its template, read by its `import_records.py`,
# 2026-12. A fee is "a separate spend transaction" (`t_row.py`): what is bought is before it.
def _bittytax_row(row: BookRow) -> tuple[str, ...]:
    return (
        "Trade",
        row.gross,
        _text(row.target),
        "",
        row.amount,
        _text(row.asset),
        "",
        *_fee(row),
        "",
        _text(f"Binance {row.account}"),
        f"{row.at[:23]}Z",
        _text(_comment(row)),
    )


_BITTYTAX: Final = CsvLayout(
    header=(
        "Type,Buy Quantity,Buy Asset,Buy Value in GBP,Sell Quantity,Sell Asset,"
        "Sell Value in GBP,Fee Quantity,Fee Asset,Fee Value in GBP,Wallet,Timestamp,Note"
    ),
    row=_bittytax_row,
)


# rotki, generic trades: docs.rotki.com, usage guide, "rotki Generic Import", and its importer
# (rotkehlchen/data_import/importers/rotki_trades.py), read 2026-12. Times are milliseconds. A fee
# is an event of its own beside the swap: what is received is before it.
def _rotki_row(row: BookRow) -> tuple[str, ...]:
    return (
        "binance",
        _text(row.asset),
        _text(row.target),
        row.gross,
        row.amount,
        *_fee(row),
        _text(_comment(row)),
        str(from_moment(moment(row.at))),
    )


_ROTKI: Final = CsvLayout(
    header=(
        "Location,Spend Currency,Receive Currency,Receive Amount,Spend Amount,Fee,"
        "Fee Currency,Description,Timestamp"
    ),
    row=_rotki_row,
)

LAYOUTS: Final[Mapping[Style, CsvLayout]] = {
    "plain": _PLAIN,
    "koinly": _KOINLY,
    "cointracking": _COINTRACKING,
    "blockpit": _BLOCKPIT,
    "bittytax": _BITTYTAX,
    "rotki": _ROTKI,
}


def _fee(row: BookRow) -> tuple[str, str]:
    return (row.fee, _text(row.target)) if row.fee.strip("0.") else ("", "")


def _comment(row: BookRow) -> str:
    return f"{row.account}: {'sold by quote' if row.kind == Kind.SALE else _SMALL}"


def _line_number(row: BookRow) -> str:
    """Give each line its own id: tools take rows with equal ids for duplicates."""
    return f"{row.number}-{row.asset}" if row.number else ""


def _seconds(row: BookRow) -> str:
    return f"{row.at[:10]} {row.at[11:19]}"


def _text(value: str) -> str:
    """Write a name so that no spreadsheet takes it for a formula."""
    return f"'{value}" if value.startswith(_BEGINS_A_FORMULA) else value
