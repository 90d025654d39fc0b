"""Until when assets cool down, by the ledger and by the exchange's own log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.ledger import Kind, from_dust_log

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from binance_dust.conversion._account import Desk
    from binance_dust.conversion._policy import Policy
    from binance_dust.ledger import LedgerEntry
    from binance_dust.models import DustLog

__all__ = ["cooling", "eligible_at", "history", "kind_of", "logged"]


def kind_of(policy: Policy) -> Kind:
    """Say which call converts: to BNB the one that is proven with many assets."""
    return Kind.DUST if policy.target == "BNB" else Kind.DUST_CONVERT


async def history(desk: Desk, kind: Kind, policy: Policy) -> list[LedgerEntry]:
    """Read what the ledger has of one kind of conversion, oldest first."""
    found = desk.ledger.entries(account=desk.account, kind=kind, account_type=policy.account_type)
    return [entry async for entry in found]


def logged(log: DustLog, desk: Desk, kind: Kind, policy: Policy) -> list[LedgerEntry]:
    """Read the exchange's own log as entries, for what the ledger does not have (yet)."""
    return [
        seen.as_entry()
        for seen in from_dust_log(log, desk.account, policy.account_type)
        if seen.kind is kind
    ]


def eligible_at(
    entries: Iterable[LedgerEntry],
    assets: Iterable[str],
    *,
    kind: Kind,
    cooldown: timedelta,
    now: datetime,
) -> datetime:
    """Say when assets may be converted again; `now`, if they may already."""
    if not cooldown:
        return now
    wanted = frozenset(assets)
    times = [
        line.at
        for entry in entries
        if entry.status == "confirmed"
        for line in entry.lines
        # One by one converted assets cool down one by one, as far as anybody has seen.
        if kind is Kind.DUST or line.asset in wanted
    ]
    return max((at + cooldown for at in times), default=now) if times else now


def cooling(
    entries: list[LedgerEntry],
    assets: Iterable[str],
    *,
    kind: Kind,
    cooldown: timedelta,
    now: datetime,
) -> dict[str, datetime]:
    """Say of each asset that cools down until when."""
    found = {
        asset: eligible_at(entries, [asset], kind=kind, cooldown=cooldown, now=now)
        for asset in assets
    }
    return {asset: until for asset, until in found.items() if until > now}
