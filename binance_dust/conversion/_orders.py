"""Which call converts dust, and what its answer means."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from binance_dust import endpoints
from binance_dust._util import exact
from binance_dust.conversion._policy import TOLERANCE
from binance_dust.conversion._send import Answer, Order, correlation_id
from binance_dust.errors import UnreadableAnswerError
from binance_dust.ledger import Kind, converted_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.conversion._policy import Policy
    from binance_dust.ledger import LedgerEntry
    from binance_dust.models import DustConversion

__all__ = ["order", "read_conversion"]

NOTHING = "the exchange answered that it converted nothing"


def order(held: Mapping[str, Decimal], policy: Policy) -> Order:
    """Write the call that converts these, of which so much is free."""
    client_id = None
    if policy.kind is Kind.DUST:
        call = endpoints.DUST_TRANSFER(assets=held, account_type=policy.wallet)
    else:
        client_id = correlation_id()
        call = endpoints.DUST_CONVERT(
            assets=held, target_asset=policy.target, account_type=policy.wallet, client_id=client_id
        )
    return Order(
        kind=policy.kind,
        account_type=policy.account_type,
        target=policy.target,
        held=held,
        call=call,
        read=_read,
        client_id=client_id,
    )


async def _read(answer: DustConversion, _: LedgerEntry) -> Answer:
    return read_conversion(answer)


def read_conversion(answer: DustConversion) -> Answer:
    """Read what a conversion did; amounts that are none raise `UnreadableAnswerError`."""
    lines = tuple(
        line for line in converted_lines(answer.transfer_result) if line.amount or line.gross
    )
    gross, fee = answer.total_transferred, answer.total_service_charge
    if not lines:
        if gross or fee:
            raise UnreadableAnswerError(
                f"a total of {gross:f} with a fee of {fee:f}, and nothing that was converted",
                path="DustConversion.transfer_result",
            )
        return Answer(lines=(), nothing=NOTHING)
    sums = (
        ("gross", gross, exact.total(line.gross for line in lines)),
        ("fee", fee, exact.total(line.fee for line in lines)),
    )
    most = exact.product(TOLERANCE, Decimal(len(lines)))
    notes = tuple(
        f"the exchange's total {name} of {total:f} is not what its rows come to, {rows:f}"
        for name, total, rows in sums
        if exact.difference(total, rows).copy_abs() > most
    )
    return Answer(lines=lines, transaction_id=lines[0].transaction_id, notes=notes)
