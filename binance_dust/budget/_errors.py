"""The errors of a budget that can't admit a call."""

from __future__ import annotations

from datetime import UTC, datetime

from binance_dust._answers.weight import BANNED, FORBIDDEN
from binance_dust.errors import (
    BannedError,
    BudgetExceededError,
    ConfigurationError,
    NotSentError,
)


def closed() -> ConfigurationError:
    """Make the error of a budget that was closed."""
    return ConfigurationError("the session, or the budget that it shares, is closed: make another")


def never_fits(pool: str, weight: int, limit: int) -> ConfigurationError:
    """Make the error of a call that weighs more than a whole window allows."""
    return ConfigurationError(f"{pool}: a call of weight {weight} can never fit into {limit}")


def too_late(pool: str, weight: int, wait: float) -> BudgetExceededError:
    """Make the error of a call that can't be sent before its deadline.

    `wait` is the seconds until the weight is free; 0 if the deadline has passed.
    """
    when = f"is free in {wait:.1f} s, and that" if wait else "was not free in time, and now it"
    return BudgetExceededError(
        f"{pool}: weight {weight} {when} is too late",
        pool=pool,
        retry_after=wait,
    )


def shut(pool: str, wait: float) -> BudgetExceededError:
    """Make the error of a call that would have to wait too long, as a refusal has said."""
    return BudgetExceededError(
        f"{pool}: the exchange refused a call and said to wait {wait:.0f} s more; nothing was sent",
        pool=pool,
        retry_after=wait,
    )


def stopped(pool: str) -> NotSentError:
    """Make the error of a call that was admitted, but not yet sent when a refusal was heard."""
    return NotSentError("the exchange refused another call meanwhile", endpoint=pool)


def void(pool: str) -> NotSentError:
    """Make the error of a call that others have given up: its process was stopped meanwhile."""
    text = "this process was not heard for too long, so its admission is void"
    return NotSentError(text, endpoint=pool)


def banned(pool: str, seconds: float, server_time: float | None) -> BannedError:
    """Make the error of a call that would have to wait too long for the end of a ban."""
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


def walled(pool: str, seconds: float) -> BannedError:
    """Make the error of a call that would have to wait too long behind a firewall.

    A firewall does not say for how long it blocks.
    """
    return BannedError(
        f"a firewall refuses this address, for {seconds:.0f} s more by our guess; nothing was sent",
        status=FORBIDDEN,
        endpoint=pool,
        retry_after=seconds,
    )


def past_latest(latest: datetime, error: BudgetExceededError) -> BudgetExceededError:
    """Name the time that would pass: the caller did not set it."""
    by = latest.astimezone(UTC)
    return BudgetExceededError(
        f"{error}: what moves funds is sent by {by:%H:%M:%S} UTC, as the ledger says, or never",
        pool=error.pool,
        retry_after=error.retry_after,
    )
