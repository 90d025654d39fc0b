"""Until when an account rests: by the ledger, by the exchange's newest records, and as learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.ledger import Cooldowns

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from binance_dust.ledger import Ledger, LedgerEntry, Observed, Scope

__all__ = ["Rest", "learn"]


class Rest:
    """What is known of when one account may convert again."""

    def __init__(self, entries: Iterable[LedgerEntry], scope: Scope, configured: timedelta) -> None:
        """Learn from entries of this and other accounts, in any order."""
        ordered = sorted(entries, key=lambda entry: (entry.at, entry.id))
        self._cooldowns = Cooldowns(ordered)
        self._scope = scope
        self._configured = configured
        mine = (entry for entry in ordered if entry.account == scope.account)
        self._met = {asset for entry in mine for asset in entry.assets}

    def until(self, now: datetime, assets: Iterable[str] | None = None) -> datetime:
        """Say when an attempt with these assets is worth making; `now`, if it is already.

        One by one converted assets rest one by one. Without assets: all that was converted before.
        """
        return self._cooldowns.next_eligible_at(
            self._scope,
            now=now,
            configured=self._configured,
            assets=self._met if assets is None else assets,
        )

    def later(self, now: datetime, assets: Iterable[str] | None = None) -> datetime | None:
        """Say until when to wait; `None` where nothing that is known speaks against now."""
        until = self.until(now, assets)
        return until if until > now else None

    def resting(self, assets: Iterable[str], now: datetime) -> dict[str, datetime]:
        """Say of each asset that rests until when."""
        found = {asset: self.until(now, [asset]) for asset in assets}
        return {asset: until for asset, until in found.items() if until > now}


async def learn(
    ledger: Ledger, scope: Scope, configured: timedelta, records: Iterable[Observed] = ()
) -> Rest:
    """Read what the ledger knows; `records` are the exchange's, which it may not have (yet)."""
    # One that the ledger has too is of the same moment, and teaches nothing a second time.
    shown = [record.as_entry() for record in records if record.kind is scope.kind]
    return Rest([*await ledger.cooldown_evidence(scope), *shown], scope, configured)
