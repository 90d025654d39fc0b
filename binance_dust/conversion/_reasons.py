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
    FROZEN = "frozen by the exchange"
    WITHDRAWING = "being withdrawn"
    IN_LAUNCH = "committed to a launch"
    # What the exchange's rules say.
    TARGET = "is the target itself"
    ABOVE_CEILING = "worth too much to be dust"
    TOO_SMALL = "too small to be worth anything"
    UNSUPPORTED = "not on the exchange's list"
    COOLING_DOWN = "cooling down"
    TOO_MANY = "more than go in one call"
    # What this converter was told.
    KEPT = "kept"
    FEE_TOO_HIGH = "the fee is too high"
    BELOW_MIN_VALUE = "worth less than min_value"
    LEFT_OUT = "left out of this quote"
    # What turned out when it was tried.
    CHANGED = "the balance has changed since the quote"
    REFUSED = "refused by the exchange"
    NOT_DONE = "not converted, without a reason given"
    NOT_TRIED = "not tried any more"


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
