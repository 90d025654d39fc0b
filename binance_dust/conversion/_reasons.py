"""Why something that is held is not converted."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

__all__ = ["Reason", "Skipped"]


class Reason(enum.StrEnum):
    """Why not."""

    # What the account did with it.
    IN_ORDER = "in an order"
    """That part of it is locked; the rest may go."""
    FROZEN = "frozen by the exchange"
    """By the exchange, for reasons of its own."""
    WITHDRAWING = "being withdrawn"
    """On its way out."""
    IN_LAUNCH = "committed to a launch"
    """Subscribed to a sale of new assets."""
    # What the exchange's rules say.
    TARGET = "is the target itself"
    """Nothing becomes itself."""
    ABOVE_CEILING = "worth too much to be dust"
    """The exchange converts no balance above a ceiling."""
    TOO_SMALL = "too small to be worth anything"
    """Of no worth that could be counted, or without a price."""
    UNSUPPORTED = "not on the exchange's list"
    """Delisted, or never supported; `detail` has what else it might be."""
    COOLING_DOWN = "cooling down"
    """It, or the whole account, converted too recently; `until` says until when."""
    TOO_MANY = "more than go in one call"
    """Another quote, later, takes it."""
    # What this converter was told.
    KEPT = "kept"
    """It is one of `keep`."""
    FEE_TOO_HIGH = "the fee is too high"
    """Above `max_fee_rate`."""
    BELOW_MIN_VALUE = "worth less than min_value"
    """It would bring less of the target."""
    LEFT_OUT = "left out of this quote"
    """By `only` or `without`."""
    # What turned out when it was tried.
    CHANGED = "the balance has changed since the quote"
    """A conversion would take what nobody has seen."""
    REFUSED = "refused by the exchange"
    """In words that say that nothing was done; `detail` has them."""
    NOT_DONE = "not converted, without a reason given"
    """The exchange said yes, and did not convert it."""
    NOT_TRIED = "not tried any more"
    """What stopped the call before it would have met it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An asset, or a part of it, that is not converted."""

    asset: str
    amount: Decimal
    reason: Reason
    detail: str = ""
    """More about the reason, where there is more to say."""
    until: datetime | None = None
    """When the reason goes away by itself, where that is known."""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        until = "" if self.until is None else f" until {self.until:%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.asset} {self.amount:f}: {self.reason}{until}{detail}"
