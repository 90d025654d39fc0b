"""Replies about the cross-margin account's movements: repayments, and the record of capital flow.

The flow is made from the account's own records: conversions and transfers of the margin wallet,
exchanged debts, repayments. What comes in is positive, what goes out is negative; no document says
so.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from binance_dust.sandbox import _refusals
from binance_dust.sandbox._account import Debt, Repayment
from binance_dust.sandbox._amounts import ZERO, text
from binance_dust.sandbox._clock import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from binance_dust.sandbox._account import Account
    from binance_dust.sandbox._admission import AdmittedRequest, ReplyFunction

_LONGEST_DAYS: Final = 7
_USUAL_ROWS: Final = 500
_MOST_ROWS: Final = 1_000


class FlowRow(NamedTuple):
    """One movement of the margin account."""

    at_ms: int
    transaction_id: int
    kind: str
    asset: str
    amount: Decimal


def repay(request: AdmittedRequest) -> dict[str, int]:
    """Pay a debt, its interest first, from the free part of the margin wallet."""
    parameters, margin, account = request.parameters, request.margin, request.account
    asset = parameters.text("asset") or ""
    if parameters.choice("isIsolated", "TRUE", "FALSE") != "FALSE":
        raise _refusals.invalid("isIsolated")
    if parameters.choice("type", "BORROW", "REPAY") != "REPAY":
        raise _refusals.Refusal(-3008, "Borrow not allowed.")
    if asset not in request.market or not request.market[asset].marginable:
        raise _refusals.Refusal(-3027, f"{asset} is not a valid margin asset.")
    amount = parameters.amount("amount") or ZERO
    if amount <= 0:
        raise _refusals.invalid("amount")
    owed = margin.debts.get(asset, Debt(0))
    if amount > owed.total:
        raise _refusals.Refusal(-3015, "Repay amount exceeds borrow amount.")
    if amount > margin.wallet[asset].free:
        raise _refusals.Refusal(-3041, "Balance is not enough")
    interest = min(amount, owed.interest)
    left = Debt(owed.principal - (amount - interest), interest=owed.interest - interest)
    if left.total:
        margin.debts[asset] = left
    else:
        del margin.debts[asset]
    margin.wallet.add(asset, amount.copy_negate())
    done = Repayment(
        asset=asset,
        amount=amount,
        transaction_id=account.next_movement(),
        at_ms=request.now.ms,
    )
    account.repayments.append(done)
    return {"tranId": done.transaction_id}


def capital_flow(request: AdmittedRequest) -> list[dict[str, Any]]:
    """List movements within seven days, newest first."""
    parameters = request.parameters
    request.margin  # noqa: B018 - refuses an account without margin
    since, until = _bounds(request)
    limit = parameters.whole_number("limit")
    limit = _USUAL_ROWS if limit is None else limit
    if not 0 < limit <= _MOST_ROWS:
        raise _refusals.invalid("limit")
    rows = sorted(_flow(request.account), key=lambda row: row.at_ms)
    asset, kind = parameters.text("asset"), parameters.text("type")
    after = parameters.whole_number("fromId")
    # An id of its own for each row, that stays when older ones come to be known.
    numbered = [
        (at_ms * 1_000 + n, row)
        for at_ms, same in groupby(rows, key=lambda row: row.at_ms)
        for n, row in enumerate(same)
    ]
    shown = [
        (number, row)
        for number, row in reversed(numbered)
        if since <= row.at_ms <= until
        and asset in (None, row.asset)
        and kind in (None, row.kind)
        and (after is None or number > after)
    ]
    return [
        {
            "id": number,
            "tranId": row.transaction_id,
            "timestamp": row.at_ms,
            "asset": row.asset,
            "symbol": "",
            "type": row.kind,
            "amount": text(row.amount),
            "note": "",
        }
        for number, row in shown[:limit]
    ]


def _bounds(request: AdmittedRequest) -> tuple[int, int]:
    """Read the range of time: a missing bound is seven days from the other."""
    start = request.parameters.whole_number("startTime")
    end = request.parameters.whole_number("endTime")
    longest = _LONGEST_DAYS * DAY_MS
    if start is None:
        until = request.now.ms if end is None else end
        return until - longest, until
    end = start + longest if end is None else end
    if not 0 <= end - start <= longest:
        raise _refusals.Refusal(-4047, f"Time interval must be within 0-{_LONGEST_DAYS} days")
    return start, end


def _flow(account: Account) -> Iterator[FlowRow]:
    for done in account.conversions:
        if done.wallet == "MARGIN":
            for row in done.rows:
                cells = row.at_ms, done.transaction_id, "SMALL_BALANCE_CONVERT"
                yield FlowRow(*cells, row.asset, row.amount.copy_negate())
                yield FlowRow(*cells, done.target, row.net)
    for debt in account.debt_exchanges:
        # They have no number: those of one call share their time.
        cells = debt.at_ms, debt.at_ms, "SMALL_CONVERT"
        yield FlowRow(*cells, debt.asset, debt.amount)
        yield FlowRow(*cells, debt.target, debt.target_amount.copy_negate())
    for moved in account.transfers:
        if "MARGIN" in moved.kind.split("_"):
            comes = moved.kind.endswith("_MARGIN")
            amount = moved.amount if comes else moved.amount.copy_negate()
            yield FlowRow(moved.at_ms, moved.transaction_id, "TRANSFER", moved.asset, amount)
    for paid in account.repayments:
        amount = paid.amount.copy_negate()
        yield FlowRow(paid.at_ms, paid.transaction_id, "REPAY", paid.asset, amount)


REPLIES: Final[Mapping[str, ReplyFunction]] = {
    "repay": repay,
    "capital_flow": capital_flow,
}
