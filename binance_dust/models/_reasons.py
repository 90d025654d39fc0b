"""Why something that an account holds is not converted."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from decimal import Decimal

    from binance_dust.models._dust import MarginAsset, UserAsset

__all__ = ["Reason", "unusable"]


class Reason(enum.StrEnum):
    """Why something is not converted."""

    # What the account did with it.
    IN_ORDER = "in an order"
    """That part of it is locked; the rest may be converted."""
    FROZEN = "frozen by the exchange"
    """The exchange froze it for its own reasons."""
    WITHDRAWING = "being withdrawn"
    """It is leaving the account."""
    IN_LAUNCH = "committed to a launch"
    """It is subscribed to a sale of new assets."""
    # What the exchange's rules say.
    TARGET = "is the target itself"
    """It can't be converted into itself."""
    ABOVE_CEILING = "worth too much to be dust"
    """The exchange converts no balance above a ceiling."""
    TOO_SMALL = "too small to be worth anything"
    """Its worth rounds to nothing, or it has no price."""
    UNSUPPORTED = "not on the exchange's list"
    """It is delisted or was never supported; `detail` says what else is possible."""
    COOLING_DOWN = "cooling down"
    """It, or the whole account, was converted too recently; `until` says until when."""
    TOO_MANY = "more than go in one call"
    """A later quote will take it."""
    NOT_SOLD = "not sold by quote"
    """It is too much for dust, and the exchange does not sell it by quote, or not so much or so
    little of it; `detail` says more."""
    NOT_PERMITTED = "the key may not move it"
    """The key lacks a permission; `detail` names it."""
    NOTHING_HELD = "nothing is held to pay it with"
    """A debt is paid from what is free of the same asset in the cross-margin account."""
    # What this converter was told.
    KEPT = "kept"
    """It is in `keep`."""
    FEE_TOO_HIGH = "the fee is too high"
    """The fee is above `max_fee_rate`."""
    BELOW_MIN_VALUE = "worth less than min_value"
    """It would bring less of the target."""
    NOT_NEEDED = "not needed now"
    """There is enough of what `when_below` names; `detail` says how much."""
    ABOVE_MAX = "worth more than above_max"
    """It is too much for dust, and for this converter too."""
    NO_PRICE = "without a second price to compare with"
    """Nothing is sold, or taken for dust, by one price alone."""
    LEFT_OUT = "left out of this quote"
    """`only` or `without` left it out."""
    # What turned out when it was tried.
    CHANGED = "the balance has changed since the quote"
    """A conversion would take an amount that was not in the quote."""
    REFUSED = "refused by the exchange"
    """The exchange said that nothing was done; `detail` has its words."""
    PRICE_MOVED = "the price has moved since the quote"
    """It would bring less than 95 % of what was quoted."""
    NOT_DONE = "not converted, without a reason given"
    """The exchange accepted the call, and did not convert it."""
    NOT_TRIED = "not tried any more"
    """The error that stopped the call before would have stopped this one too."""


_PARTS: Final = {
    "locked": Reason.IN_ORDER,
    "freeze": Reason.FROZEN,
    "withdrawing": Reason.WITHDRAWING,
    "ipoable": Reason.IN_LAUNCH,
}


def unusable(held: UserAsset | MarginAsset) -> dict[Reason, Decimal]:
    """Give the parts of a balance that can't be used now, each above zero."""
    parts = {reason: getattr(held, name, None) for name, reason in _PARTS.items()}
    return {reason: amount for reason, amount in parts.items() if amount is not None and amount > 0}
