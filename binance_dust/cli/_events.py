"""What goes wrong inside a session, in words for whoever watches a command."""

from __future__ import annotations

from binance_dust._util.words import duration
from binance_dust.cli._console import complain
from binance_dust.events import (
    Banned,
    Event,
    Refused,
    Retried,
    SharedBudgetBack,
    SharedBudgetLost,
)


def in_words(event: Event) -> str | None:
    """Say what went wrong, `None` if nothing did."""
    match event:
        case Refused(pool=pool, seconds=seconds):
            return f"{pool}: refused for its weight (429), shut for {duration(seconds)}"
        case Banned(seconds=seconds):
            return f"this address is banned (418) for {duration(seconds)}"
        case Retried(account=account, reason=reason, pause=pause):
            # It begins with the name of the error's class.
            _, _, told = reason.partition(": ")
            whom = f"{account}: " if account and f"({account})" not in told else ""
            return f"{whom}{told}; again in {pause:.1f} s"
        case SharedBudgetLost(reason=reason):
            return f"Redis can't be asked ({reason}): reads go on within a share of the limits"
        case SharedBudgetBack(seconds=seconds):
            return f"Redis can be asked again, after {duration(seconds)}"
        case _:
            return None


def tell(event: Event, /) -> None:
    """Tell on stderr what would be a warning in the log: an observer."""
    text = in_words(event)
    if text is not None:
        complain(text)
