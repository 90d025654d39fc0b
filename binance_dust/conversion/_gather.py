"""Dust of the funding wallet: what of it is brought to the spot wallet, where it can be converted.

The exchange's list of dust shows the spot and the margin wallet only. So what it would take of the
funding wallet is worked out from worths: what is below the exchange's ceiling for dust, together
with what is in the spot wallet already. What can't be compared with the ceiling stays.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util.exact import difference, product, ratio, total
from binance_dust.conversion._guards import TOLERANCE
from binance_dust.conversion._quote import GatherLine, Reason, Skipped
from binance_dust.conversion._worth import with_ceiling, with_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from binance_dust.client import DustClient
    from binance_dust.conversion._account import HeldAsset
    from binance_dust.conversion._policy import Policy
    from binance_dust.conversion._worth import Worth
    from binance_dust.models import FundingAsset

__all__ = ["changed_funding", "plan_gather", "read_gather"]

_THERE: Final = "in the funding wallet"
_NEEDED: Final = "permitsUniversalTransfer"


async def read_gather(  # noqa: PLR0913, PLR0917 - what is known of the spot wallet
    client: DustClient,
    policy: Policy,
    worth: Worth,
    held: Mapping[str, HeldAsset],
    listed: Iterable[str],
    cooling: Callable[[Iterable[str]], Mapping[str, datetime]],
) -> tuple[tuple[GatherLine, ...], tuple[Skipped, ...]]:
    """Read the funding wallet, and plan what is brought from there.

    `listed` are the assets that the exchange's list shows in the spot wallet. `cooling` says which
    assets could not be converted now, and until when: they are not brought before.
    """
    rows = await client.funding_assets(btc_valuation=True)
    if not rows:
        return (), ()
    worth = await with_ceiling(client, worth)
    if policy.min_value:
        worth = await with_target(client, worth, policy.target)
    lines, skipped = plan_gather(rows, policy, worth, held, frozenset(listed))
    waits = cooling([line.asset for line in lines])
    skipped += tuple(
        _skip(line.asset, line.amount, Reason.COOLING_DOWN, until=waits[line.asset])
        for line in lines
        if line.asset in waits
    )
    lines = tuple(line for line in lines if line.asset not in waits)
    if not lines:
        return lines, skipped
    if (await client.key_permissions()).permits_universal_transfer is False:
        refused = (_skip(line.asset, line.amount, Reason.NOT_PERMITTED, _NEEDED) for line in lines)
        return (), (*skipped, *refused)
    return lines, skipped


def plan_gather(
    rows: Sequence[FundingAsset],
    policy: Policy,
    worth: Worth,
    held: Mapping[str, HeldAsset],
    listed: frozenset[str],
) -> tuple[tuple[GatherLine, ...], tuple[Skipped, ...]]:
    """Divide what is free in the funding wallet into what is brought and what stays there."""
    lines: dict[str, GatherLine] = {}
    skipped: list[Skipped] = []
    for row in sorted(rows, key=lambda each: each.asset):
        if row.free <= 0 or row.asset in lines:
            continue
        in_bitcoin = _free_in_bitcoin(row)
        found = _why_not(row.asset, in_bitcoin, policy, worth, held, listed)
        if found is None:
            lines[row.asset] = GatherLine(asset=row.asset, amount=row.free, in_bitcoin=in_bitcoin)
        else:
            skipped.append(_skip(row.asset, row.free, *found))
    return tuple(lines.values()), tuple(skipped)


def changed_funding(line: GatherLine, rows: Iterable[FundingAsset]) -> Skipped | None:
    """Skip an asset if the funding wallet does not hold what was quoted any more."""
    free = total(row.free for row in rows if row.asset == line.asset)
    if difference(free, line.amount).copy_abs() < TOLERANCE:
        return None
    return _skip(
        line.asset, line.amount, Reason.CHANGED, f"{line.amount:f} then, {free:f} now, {_THERE}"
    )


def _why_not(  # noqa: PLR0911, PLR0913, PLR0917 - a line for each rule
    asset: str,
    in_bitcoin: Decimal,
    policy: Policy,
    worth: Worth,
    held: Mapping[str, HeldAsset],
    listed: frozenset[str],
) -> tuple[Reason, str] | None:
    if asset == policy.target:
        return Reason.TARGET, _THERE
    if asset in policy.keep:
        return Reason.KEPT, _THERE
    if not in_bitcoin:
        return Reason.TOO_SMALL, f"or without a price, {_THERE}"
    in_spot = held.get(asset)
    together = total((in_bitcoin, (in_spot and in_spot.free_in_bitcoin) or Decimal(0)))
    if worth.limit is None or worth.bitcoin is None:
        return Reason.NO_PRICE, _THERE
    if not worth.is_dust(together):
        return Reason.ABOVE_CEILING, f"the ceiling is {worth.limit:f} USDT, {_THERE}"
    if in_spot is not None and in_spot.free and asset not in listed:
        return Reason.UNSUPPORTED, f"what is in the spot wallet is not either, {_THERE}"
    brings = worth.in_target(in_bitcoin)
    if brings is not None and brings < policy.min_value:
        return Reason.BELOW_MIN_VALUE, f"about {brings:.8f} {policy.target}, {_THERE}"
    return None


def _free_in_bitcoin(row: FundingAsset) -> Decimal:
    """Say what the free part is worth; it is above zero."""
    if row.btc_valuation is None:
        return Decimal(0)
    return ratio(product(row.btc_valuation, row.free), row.total)


def _skip(
    asset: str,
    amount: Decimal,
    reason: Reason,
    detail: str = _THERE,
    until: datetime | None = None,
) -> Skipped:
    return Skipped(asset=asset, amount=amount, reason=reason, detail=detail, until=until)
