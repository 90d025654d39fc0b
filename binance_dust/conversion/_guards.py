"""What stops a conversion before anything is sent: rules, an old quote, a new balance, a cooldown.

Values in, nothing or a `GuardError` out. Only `read_eligibility` does I/O: it reads the ledger.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util.exact import difference, product, ratio
from binance_dust.conversion._quote import Reason, Skipped
from binance_dust.conversion._tables import percent
from binance_dust.errors import CoolingDownError, GuardError
from binance_dust.ledger import Cooldowns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime, timedelta

    from binance_dust.conversion._account import HeldAsset
    from binance_dust.conversion._policy import Policy
    from binance_dust.conversion._quote import BaseQuote, LiabilityLine, Quote, QuoteLine
    from binance_dust.ledger import Ledger, LedgerEntry, LedgerLine, Observed, Scope

__all__ = [
    "TOLERANCE",
    "Eligibility",
    "changed_balance",
    "changed_debts",
    "check_quote",
    "check_rules",
    "deviations",
    "is_changed",
    "not_needed",
    "read_eligibility",
    "refuse_cooling",
    "refuse_needless",
    "refuse_old",
    "rule_against",
]

TOLERANCE: Final = Decimal("0.00000001")
"""By how much a row of a preview may differ from the row of the conversion, apart from the price:
previews round half up, conversions cut (computed from published rows of 2021 to 2026)."""
_GROWTH: Final = Decimal("1.01")
"""Interest is added every hour. A debt that grew by more than this was borrowed on."""


# --- a quote -------------------------------------------------------------------------------------


def check_rules(quote: Quote, policy: Policy) -> None:
    """Stop a conversion that the policy does not allow."""
    account = quote.account
    if (quote.target, quote.account_type) != (policy.target, policy.account_type):
        raise GuardError(
            f"{account}: this quote is for {quote.account_type} into {quote.target}, and this "
            f"converter for {policy.account_type} into {policy.target}",
            account=account,
        )
    # The quote may be of another converter, which may do more than this one.
    if quote.gather and not policy.gather:
        raise GuardError(
            f"{account}: this quote gathers from the funding wallet, and this converter does not",
            account=account,
        )
    for line in quote.lines:
        found = rule_against(line, policy)
        if found is not None:
            reason, detail = found
            raise GuardError(
                f"{account}: {line.asset}: {reason}{f' ({detail})' if detail else ''}",
                account=account,
            )


def check_quote(  # noqa: PLR0913 - what any quote is compared with, all by keyword
    quote: BaseQuote,
    *,
    account: str,
    key_id: str,
    keep: frozenset[str],
    now: datetime,
    ttl: timedelta,
) -> None:
    """Stop a quote that is for another account, too early, empty, too old, or of what is kept."""
    if (quote.account, quote.key_id) != (account, key_id):
        raise GuardError(f"{account}: this quote is for {quote.account}", account=account)
    if quote.eligible_at is not None:
        refuse_cooling(quote.eligible_at, account=account, now=now)
    if not quote:
        raise GuardError(f"{account}: nothing in this quote can be carried out", account=account)
    refuse_old(quote, now=now, ttl=ttl)
    for asset in quote.assets:
        if asset in keep:
            raise GuardError(f"{account}: {asset}: {Reason.KEPT}", account=account)


def refuse_old(quote: BaseQuote, *, now: datetime, ttl: timedelta) -> None:
    """Stop a quote that is too old, by its own expiry or by this converter's `ttl`."""
    if now >= min(quote.expires_at, quote.at + ttl):
        age = quote.age(now).total_seconds()
        raise GuardError(
            f"{quote.account}: this quote is {age:.0f} s old: ask for a new one",
            account=quote.account,
        )


def not_needed(held: Mapping[str, HeldAsset], policy: Policy) -> str | None:
    """Say of what there is enough, so that nothing needs to be converted."""
    for asset, amount in policy.when_below.items():
        free = held[asset].free if asset in held else Decimal(0)
        if free >= amount:
            return f"{free:f} {asset} is not below {amount:f}"
    return None


def refuse_needless(held: Mapping[str, HeldAsset], policy: Policy, *, account: str) -> None:
    """Stop a conversion that is not needed any more."""
    if (enough := not_needed(held, policy)) is not None:
        raise GuardError(f"{account}: not needed any more: {enough}", account=account)


# --- one asset -----------------------------------------------------------------------------------


def rule_against(  # noqa: PLR0911 - a line for each rule
    line: QuoteLine, policy: Policy
) -> tuple[Reason, str] | None:
    """Say which rule of the policy forbids to convert an asset, if one does."""
    if line.asset == policy.target:
        return Reason.TARGET, ""
    if line.asset in policy.keep:
        return Reason.KEPT, ""
    if (too_much := _too_much(line, policy)) is not None:
        return too_much
    if (rates := _too_costly(line, policy)) is not None:
        return Reason.FEE_TOO_HIGH, rates
    if line.net < policy.min_value:
        return Reason.BELOW_MIN_VALUE, f"{line.net:f} {policy.target}"
    if line.net <= 0:
        # Also if min_value is 0: an asset is never given away for nothing.
        return Reason.TOO_SMALL, f"would bring {line.net:f} {policy.target}"
    return None


def _too_much(line: QuoteLine, policy: Policy) -> tuple[Reason, str] | None:
    if not line.sale:
        return None
    if policy.above_max is None:
        return Reason.ABOVE_CEILING, "and this converter sells nothing"
    if line.net > policy.above_max:
        return Reason.ABOVE_MAX, f"{line.net:f} {policy.target}, at most {policy.above_max:f}"
    return None


def _too_costly(line: QuoteLine | LedgerLine, policy: Policy) -> str | None:
    # What is not credited is a cost, also if it is not called a fee.
    cost = max(line.fee, difference(line.gross, line.net))
    # A fee of one unit of the eighth decimal is rounding.
    if difference(cost, TOLERANCE) <= product(line.gross, policy.max_fee_rate):
        return None
    rate = ratio(cost, line.gross) if line.gross else Decimal(1)
    return f"{percent(rate)}, at most {percent(policy.max_fee_rate)} allowed"


def changed_balance(line: QuoteLine, held: Mapping[str, HeldAsset]) -> Skipped | None:
    """Skip an asset if its balance is not the quoted one: all that is free would be converted."""
    holding = held.get(line.asset)
    free = holding.free if holding else Decimal(0)
    if difference(free, line.amount).copy_abs() < TOLERANCE:
        return None
    return _changed(line, free)


def changed_debts(
    lines: Iterable[LiabilityLine], owed: Mapping[str, Decimal]
) -> dict[str, Skipped]:
    """Find debts that changed since the quote by more than an hour's interest."""
    found: dict[str, Skipped] = {}
    for line in lines:
        now = owed.get(line.asset, Decimal(0))
        if is_changed(line.amount, now):
            found[line.asset] = _changed(line, now)
    return found


def is_changed(owed: Decimal, now: Decimal) -> bool:
    """Whether a debt is less than it was, or grew by more than an hour's interest."""
    return not owed <= now <= product(owed, _GROWTH)


def _changed(line: QuoteLine | LiabilityLine, now: Decimal) -> Skipped:
    return Skipped(
        asset=line.asset,
        amount=line.amount,
        reason=Reason.CHANGED,
        detail=f"{line.amount:f} then, {now:f} now",
    )


def deviations(line: LedgerLine, quoted: QuoteLine | None, policy: Policy) -> Iterator[str]:
    """Say how a converted asset differs from its quote. It is too late to stop it."""
    if quoted is None:
        yield f"{line.asset} was converted, and was not asked for"
    elif difference(line.amount, quoted.amount).copy_abs() > TOLERANCE:
        yield f"{line.asset}: {line.amount:f} were converted, and {quoted.amount:f} were quoted"
    if (rates := _too_costly(line, policy)) is not None:
        yield f"{line.asset}: the fee was {rates}"


# --- the cooldown --------------------------------------------------------------------------------


def refuse_cooling(until: datetime, *, account: str, now: datetime) -> None:
    """Stop an account that is still cooling down."""
    if until > now:
        raise CoolingDownError(
            f"cooling down until {until:%F %T} UTC", account=account, retry_at=until
        )


class Eligibility:
    """When one account may convert again, as far as is known."""

    def __init__(self, entries: Iterable[LedgerEntry], scope: Scope, configured: timedelta) -> None:
        """Learn from entries of this and other accounts, in any order."""
        ordered = sorted(entries, key=lambda entry: (entry.at, entry.id))
        self._cooldowns = Cooldowns(ordered)
        self._scope = scope
        self._configured = configured
        own = (entry for entry in ordered if scope.account in (entry.account, entry.owner))
        self._assets = {asset for entry in own for asset in entry.assets}

    def next_at(self, now: datetime, assets: Iterable[str] | None = None) -> datetime:
        """Say when to try next with these assets; `now` if they may be tried already.

        Assets that are converted one by one cool down one by one. Without `assets`: when all
        that were converted before may be converted again.
        """
        return self._cooldowns.next_eligible_at(
            self._scope,
            now=now,
            configured=self._configured,
            assets=self._assets if assets is None else assets,
        )

    def wait_until(self, now: datetime, assets: Iterable[str] | None = None) -> datetime | None:
        """Say until when to wait; `None` if there is no known reason to wait."""
        until = self.next_at(now, assets)
        return until if until > now else None

    def cooling(self, assets: Iterable[str], now: datetime) -> dict[str, datetime]:
        """Say which of the assets are cooling down, and until when."""
        found = {asset: self.next_at(now, [asset]) for asset in assets}
        return {asset: until for asset, until in found.items() if until > now}


async def read_eligibility(
    ledger: Ledger, scope: Scope, configured: timedelta, records: Iterable[Observed] = ()
) -> Eligibility:
    """Read the ledger; `records` are the exchange's, which the ledger may not have yet."""
    # A record that the ledger has too is of the same moment, so it changes nothing.
    shown = [record.as_entry() for record in records if record.kind is scope.kind]
    return Eligibility([*await ledger.cooldown_evidence(scope), *shown], scope, configured)
