"""The price of a report's target in another asset, as one real answer of the exchange gives it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util.exact import ratio
from binance_dust._util.html import Record
from binance_dust.errors import DustError

if TYPE_CHECKING:
    from datetime import datetime

    from binance_dust.client import DustClient

__all__ = ["TargetPrice", "read_price"]

_ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPrice(Record):
    """What one of an asset is worth in another, and how that is known."""

    of: str
    unit: str
    """The asset that it is counted in."""
    value: Decimal | None
    """`None` if it could not be read: it is never guessed."""
    source: str
    """Which answer gave it, or why there is none."""
    at: datetime
    """When it was read, by the exchange's clock."""


async def read_price(client: DustClient, of: str, unit: str) -> TargetPrice:
    """Read a price: what the exchange's Convert would give for one of an asset (uid 200).

    A price that can't be read is a `TargetPrice` without a value, with the reason.
    """
    value: Decimal | None = None
    try:
        offer = await client.convert_quote(of, unit, amount=_ONE)
        found = ratio(offer.to_amount, offer.from_amount) if offer.from_amount else Decimal(0)
    except DustError as error:
        source = str(error)
    else:
        value = found if found > 0 else None
        source = f"an offer of the exchange's Convert for 1 {of}"
        if value is None:
            source = f"{source} gives {offer.to_amount:f} {unit}"
    return TargetPrice(of=of, unit=unit, value=value, source=source, at=client.session.now())
