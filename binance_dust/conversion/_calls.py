"""The calls that move funds: how each kind is made, and how its answer is read.

`send` does the rest, the same for all: intent on record, one call, outcome on record. What became
of a call whose answer was lost is found by its kind's witness (`ledger/_witness.py`).
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from binance_dust import endpoints
from binance_dust._util import exact
from binance_dust.conversion._guards import TOLERANCE
from binance_dust.conversion._send import FundsCall, SendResult
from binance_dust.errors import NoAnswerError, RejectedError, UnreadableAnswerError
from binance_dust.ledger import Kind, can_have_done, converted_lines, from_liabilities
from binance_dust.ledger._records import from_order, moved
from binance_dust.ledger._witness import GATHERING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from binance_dust.conversion._account import AccountContext
    from binance_dust.conversion._policy import Policy
    from binance_dust.ledger import LedgerEntry, LedgerLine
    from binance_dust.models import ConvertOrder, ConvertQuote, DustConversion, TransactionId

__all__ = [
    "conversion_call",
    "exchange_call",
    "read_conversion",
    "repayment_call",
    "sale_call",
    "transfer_call",
]

_READINGS: Final = 6
_BETWEEN_READINGS: Final = 5.0
"""Seconds between two readings of the history after the exchange accepted the call."""
_BETWEEN_LOOKS: Final = 2.0
"""Seconds between two looks at an order: one costs 100 of an account's 180,000."""


# --- dust ----------------------------------------------------------------------------------------


def conversion_call(held: Mapping[str, Decimal], policy: Policy) -> FundsCall:
    """Build the call that converts all that is free of these assets."""
    client_id = None
    if policy.kind is Kind.DUST:
        call = endpoints.DUST_TRANSFER(assets=held, account_type=policy.wallet)
    else:
        # It helps to find the call again. It never keeps the call from being done twice: the
        # exchange promises nothing about it.
        client_id = f"bd-{secrets.token_hex(12)}"
        call = endpoints.DUST_CONVERT(
            assets=held, target_asset=policy.target, account_type=policy.wallet, client_id=client_id
        )
    return FundsCall(
        kind=policy.kind,
        account_type=policy.account_type,
        target=policy.target,
        held=held,
        call=call,
        read=_read_conversion,
        client_id=client_id,
    )


async def _read_conversion(answer: DustConversion, _: LedgerEntry, now: datetime) -> SendResult:
    return read_conversion(answer, now)


def read_conversion(answer: DustConversion, now: datetime) -> SendResult:
    """Read what a conversion did; amounts that can't be true raise `UnreadableAnswerError`."""
    lines = tuple(
        line for line in converted_lines(answer.transfer_result, now) if line.amount or line.gross
    )
    gross, fee = answer.total_transferred, answer.total_service_charge
    if not lines:
        if gross is None or fee is None:
            raise UnreadableAnswerError(
                "no converted asset, and not both totals", path="DustConversion.transfer_result"
            )
        if gross or fee:
            raise UnreadableAnswerError(
                f"a total of {gross:f} with a fee of {fee:f}, and no converted asset",
                path="DustConversion.transfer_result",
            )
        return SendResult(lines=(), nothing="the exchange answered that it converted nothing")
    sums = (
        ("gross", gross, exact.total(line.gross for line in lines)),
        ("fee", fee, exact.total(line.fee for line in lines)),
    )
    most = exact.product(TOLERANCE, Decimal(len(lines)))
    notes = tuple(
        f"the exchange's total {name} is {total:f}, and its rows add up to {rows:f}"
        for name, total, rows in sums
        if total is not None and exact.difference(total, rows).copy_abs() > most
    )
    return SendResult(lines=lines, transaction_id=lines[0].transaction_id, notes=notes)


# --- from the funding wallet, and sales by quote -------------------------------------------------


def transfer_call(asset: str, amount: Decimal) -> FundsCall:
    """Build the call that moves all that is free of an asset from the funding to the spot wallet.

    Its answer has a number, and no time: it was done just now.
    """

    async def read(answer: TransactionId, entry: LedgerEntry, now: datetime) -> SendResult:
        return _moved(Kind.TRANSFER, entry, amount, now, answer)

    return FundsCall(
        kind=Kind.TRANSFER,
        account_type="SPOT",
        target=asset,
        held={asset: amount},
        amounts={asset: amount},
        call=endpoints.TRANSFER(kind=GATHERING, asset=asset, amount=amount),
        read=read,
    )


def sale_call(
    context: AccountContext, offer: ConvertQuote, quote_id: str, *, asset: str, target: str
) -> FundsCall:
    """Build the call that accepts a quote. It is not sent after the quote has expired."""

    async def read(answer: ConvertOrder, entry: LedgerEntry, _: datetime) -> SendResult:
        """Read how it ended from the order: the answer only says that it has begun."""
        order = answer
        for look in range(_READINGS):
            if look:
                await asyncio.sleep(_BETWEEN_LOOKS)
            # It may be slow to know the order of a quote that it has just accepted.
            with suppress(RejectedError):
                order = await context.client.convert_status(quote_id=quote_id)
            if order.is_failed:
                failed = f"the exchange's order {answer.order_id} has failed"
                return SendResult(lines=(), nothing=failed)
            if order is not answer and (done := from_order(order, entry)) is not None:
                return SendResult(lines=done.lines, transaction_id=done.transaction_id)
        raise NoAnswerError("its order is not done yet", account=context.client.name)

    return FundsCall(
        kind=Kind.SALE,
        account_type="SPOT",
        target=target,
        held={asset: offer.from_amount},
        amounts={asset: offer.from_amount},
        call=endpoints.CONVERT_ACCEPT(quote_id=quote_id),
        read=read,
        client_id=quote_id,
        until=offer.valid_timestamp,
    )


# --- debts ---------------------------------------------------------------------------------------


def exchange_call(
    context: AccountContext, owed: Mapping[str, Decimal], *, target: str
) -> FundsCall:
    """Build the call that exchanges small debts. Its answer is empty: the history says more."""

    async def read(_: Any, entry: LedgerEntry, __: datetime) -> SendResult:
        for reading in range(_READINGS):
            if reading:
                await asyncio.sleep(_BETWEEN_READINGS)
            rows = context.client.small_liability_history(start=entry.sent_after, unread=[])
            seen = list(from_liabilities([row async for row in rows], entry.account))
            lines: list[LedgerLine] = [
                line
                for each in await context.ledger.unclaimed(seen, besides=entry.id)
                if can_have_done(entry, each, in_part=True)
                for line in each.lines
            ]
            # Twice the same asset: another exchange was made as well, and one of the two is ours.
            if sorted(line.asset for line in lines) == sorted(entry.assets):
                by_asset = {line.asset: line for line in lines}
                return SendResult(lines=tuple(by_asset[asset] for asset in entry.assets))
        raise NoAnswerError("the history does not show it yet", account=context.client.name)

    return FundsCall(
        kind=Kind.LIABILITIES,
        account_type="MARGIN",
        target=target,
        held=owed,
        call=endpoints.EXCHANGE_SMALL_LIABILITIES(assets=owed),
        read=read,
    )


def repayment_call(asset: str, owed: Decimal, amount: Decimal) -> FundsCall:
    """Build the call that pays a part of a debt, or all of it. Its answer has only a number."""

    async def read(answer: TransactionId, entry: LedgerEntry, now: datetime) -> SendResult:
        return _moved(Kind.REPAYMENT, entry, amount, now, answer)

    return FundsCall(
        kind=Kind.REPAYMENT,
        account_type="MARGIN",
        target=asset,
        held={asset: owed},
        amounts={asset: amount},
        call=endpoints.REPAY(asset=asset, is_isolated="FALSE", amount=amount, type="REPAY"),
        read=read,
    )


def _moved(
    kind: Kind, entry: LedgerEntry, amount: Decimal, now: datetime, answer: TransactionId
) -> SendResult:
    record = moved(kind, entry.account, entry.target, amount, now, answer.tran_id)
    return SendResult(lines=record.lines, transaction_id=answer.tran_id)
