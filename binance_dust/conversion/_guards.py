"""What stops any plan before anything is sent, be it of dust or of debts.

All of it is plain: values in, nothing or a `GuardError` out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.errors import GuardError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from binance_dust.conversion._narrowing import Narrowing

__all__ = ["check_plan", "refuse_cooling", "refuse_old"]


def check_plan(
    plan: Narrowing, *, account: str, key_id: str, now: datetime, ttl: timedelta
) -> None:
    """Stop what is for somebody else, too early, empty or too old."""
    if (plan.account, plan.key_id) != (account, key_id):
        raise GuardError(f"{account}: this quote is for {plan.account}", account=account)
    if plan.eligible_at is not None:
        refuse_cooling(plan.eligible_at, account=account, now=now)
    if not plan.lines:
        raise GuardError(f"{account}: nothing in this quote can be carried out", account=account)
    refuse_old(plan, now=now, ttl=ttl)


def refuse_cooling(until: datetime, *, account: str, now: datetime) -> None:
    """Stop before the account may do it again."""
    if until > now:
        raise GuardError(
            f"{account}: cooling down until {until:%F %T} UTC", account=account, retry_at=until
        )


def refuse_old(plan: Narrowing, *, now: datetime, ttl: timedelta) -> None:
    """Stop a plan that is too old: by its own time, and by that of who carries it out."""
    if now >= min(plan.expires_at, plan.at + ttl):
        age = plan.age(now).total_seconds()
        raise GuardError(
            f"{plan.account}: this quote is {age:.0f} s old: ask for a new one",
            account=plan.account,
        )
