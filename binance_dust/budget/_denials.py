"""What budgets say when a call can't be admitted."""

from __future__ import annotations

from datetime import UTC, datetime

from binance_dust._answers.weight import BANNED
from binance_dust.errors import BannedError, BudgetExceededError, ConfigurationError


def closed() -> ConfigurationError:
    """Say that nobody is served any more."""
    return ConfigurationError("the session, or the budget that it shares, is closed: make another")


def never_fits(pool: str, weight: int, limit: int) -> ConfigurationError:
    """Say that one call is more than a whole window allows."""
    return ConfigurationError(f"{pool}: a call of weight {weight} can never fit into {limit}")


def too_late(pool: str, weight: int, wait: float) -> BudgetExceededError:
    """Say that the weight is there only after the deadline; `wait` is 0 if that has passed."""
    when = f"is free in {wait:.1f} s, and that" if wait else "was not free in time, and now it"
    return BudgetExceededError(
        f"{pool}: weight {weight} {when} is too late",
        pool=pool,
        retry_after=wait,
    )


def shut_out(pool: str, seconds: float, server_time: float | None) -> BannedError:
    """Say that the address is banned for longer than anybody wants to wait."""
    until = None
    if server_time is not None:
        until = datetime.fromtimestamp(server_time + seconds, tz=UTC)
    return BannedError(
        "the address is shut out; nothing was sent",
        status=BANNED,
        endpoint=pool,
        until=until,
        retry_after=seconds,
    )
