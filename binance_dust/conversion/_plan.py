"""The plan: which of all that is held or owed goes, and why the rest does not.

Pure rules. The exchange's list says what can go. The plan adds nothing to it: it only takes away
what the user keeps or what must wait. The exchange does not say why something is not listed, so
the plan works that out from the parts of the balance, its worth, and the exchange's ceiling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust import endpoints
from binance_dust.conversion._guards import not_needed, rule_against
from binance_dust.conversion._quote import LiabilityLine, Reason, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.conversion._account import HeldAsset
    from binance_dust.conversion._policy import Policy
    from binance_dust.conversion._quote import QuoteLine
    from binance_dust.conversion._worth import Worth
    from binance_dust.models import SmallLiability

__all__ = ["plan_debts", "plan_dust", "target_of_debts"]

_MOST_DEBTS: Final = endpoints.EXCHANGE_SMALL_LIABILITIES.most_names


# --- dust ----------------------------------------------------------------------------------------


def plan_dust(
    listed: Iterable[QuoteLine],
    held: Mapping[str, HeldAsset],
    policy: Policy,
    *,
    worth: Worth,
    cooling: Mapping[str, datetime],
) -> tuple[tuple[QuoteLine, ...], tuple[Skipped, ...]]:
    """Divide what is held into what is converted and what is skipped.

    `cooling` has the assets that are cooling down, and until when.
    """
    lines: list[QuoteLine] = []
    skipped: list[Skipped] = []
    names: set[str] = set()
    for line in listed:
        if line.asset in names:
            # All of an asset goes at once: a second row of it does not mean twice as much.
            continue
        names.add(line.asset)
        why = _skip_listed(line, policy, cooling)
        if why is None:
            lines.append(line)
        else:
            skipped.append(why)
    if (enough := not_needed(held, policy)) is not None:
        skipped.extend(
            Skipped(asset=line.asset, amount=line.amount, reason=Reason.NOT_NEEDED, detail=enough)
            for line in lines
        )
        lines.clear()
    for holding in sorted(held.values(), key=lambda each: each.asset):
        skipped.extend(_skip_held(holding, policy, worth, listed=holding.asset in names))
    return tuple(lines), tuple(skipped)


def _skip_listed(
    line: QuoteLine, policy: Policy, cooling: Mapping[str, datetime]
) -> Skipped | None:
    found = rule_against(line, policy)
    if found is not None:
        reason, detail = found
        return Skipped(asset=line.asset, amount=line.amount, reason=reason, detail=detail)
    if line.asset in cooling:
        return Skipped(
            asset=line.asset,
            amount=line.amount,
            reason=Reason.COOLING_DOWN,
            detail=f"would bring {line.net:f} {policy.target}",
            until=cooling[line.asset],
        )
    return None


def _skip_held(
    holding: HeldAsset, policy: Policy, worth: Worth, *, listed: bool
) -> Iterator[Skipped]:
    """Explain the parts of a holding that are not on the list."""
    if holding.asset == policy.target:
        if not listed and holding.total:
            yield Skipped(asset=holding.asset, amount=holding.total, reason=Reason.TARGET)
        return
    if holding.free and not listed:
        reason, detail = _why_not_listed(holding, policy, worth)
        yield Skipped(asset=holding.asset, amount=holding.free, reason=reason, detail=detail)
    for reason, amount in holding.unusable.items():
        yield Skipped(asset=holding.asset, amount=amount, reason=reason)


def _why_not_listed(holding: HeldAsset, policy: Policy, worth: Worth) -> tuple[Reason, str]:
    if holding.asset in policy.keep:
        return Reason.KEPT, ""
    in_bitcoin = holding.free_in_bitcoin
    if in_bitcoin is None:
        # The margin wallet comes without valuations.
        return Reason.UNSUPPORTED, "or too much or too little of it to be dust"
    if worth.is_too_much(in_bitcoin):
        limit = "" if worth.limit is None else f"the ceiling is {worth.limit:f} USDT"
        return Reason.ABOVE_CEILING, limit
    if not in_bitcoin:
        return Reason.TOO_SMALL, "or without a price"
    return Reason.UNSUPPORTED, "its worth would fit: delisted, or never supported"


# --- small margin debts --------------------------------------------------------------------------


def target_of_debts(listed: Sequence[SmallLiability]) -> str:
    """Say what small debts become: as the exchange lists it; USDT, as in 2026, without a list."""
    return listed[0].liability_asset if listed else "USDT"


def plan_debts(
    listed: Sequence[SmallLiability],
    owed: Mapping[str, Decimal],
    *,
    target: str,
    keep: frozenset[str],
    until: datetime | None,
) -> tuple[tuple[LiabilityLine, ...], tuple[Skipped, ...]]:
    """Divide what is owed into what is exchanged and what is skipped; the largest go first."""
    offers: dict[str, LiabilityLine] = {}
    for row in listed:
        # A second row of a debt does not mean twice as much of it.
        offers.setdefault(
            row.asset,
            LiabilityLine(
                asset=row.asset,
                principal=row.principal,
                interest=row.interest,
                worth=row.liability_qty,
            ),
        )
    lines: list[LiabilityLine] = []
    skipped: list[Skipped] = []
    for line in sorted(offers.values(), key=lambda each: each.worth, reverse=True):
        if line.asset in keep:
            skipped.append(_skip_debt(line, Reason.KEPT))
        elif until is not None:
            skipped.append(_skip_debt(line, Reason.COOLING_DOWN, until=until))
        elif len(lines) == _MOST_DEBTS:
            skipped.append(_skip_debt(line, Reason.TOO_MANY))
        else:
            lines.append(line)
    for asset, amount in sorted(owed.items()):
        if asset not in offers:
            skipped.append(_skip_unlisted_debt(asset, amount, target))
    return tuple(lines), tuple(skipped)


def _skip_debt(line: LiabilityLine, reason: Reason, *, until: datetime | None = None) -> Skipped:
    return Skipped(asset=line.asset, amount=line.amount, reason=reason, until=until)


def _skip_unlisted_debt(asset: str, amount: Decimal, target: str) -> Skipped:
    if asset == target:
        return Skipped(asset=asset, amount=amount, reason=Reason.TARGET)
    detail = "too large, or of an asset that is not exchanged"
    return Skipped(asset=asset, amount=amount, reason=Reason.UNSUPPORTED, detail=detail)
