"""Small liabilities: debts of less than 10 USDT, exchanged into one debt in USDT.

The exchange does not reduce what is owed; it gathers it (margin documents, 2026-01): at most ten
coins a call, once in six hours. None of its refusals has a documented code, so the codes below are
the sandbox's choice from the margin list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from binance_dust.sandbox._account import Debt, DebtExchange
from binance_dust.sandbox._amounts import floored, rounded
from binance_dust.sandbox._market import QUOTA
from binance_dust.sandbox._refusals import Refusal

if TYPE_CHECKING:
    from decimal import Decimal

    from binance_dust.sandbox._account import Account, Margin
    from binance_dust.sandbox._dust import Scene

MOST_COINS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallDebt:
    """One debt that may be exchanged."""

    asset: str
    debt: Debt
    quantity: Decimal
    """Its value in USDT."""


def listed(margin: Margin, scene: Scene) -> list[SmallDebt]:
    """List the debts that are small enough, by name."""
    found = []
    for asset, debt in sorted(margin.debts.items()):
        value = scene.market.value(asset, debt.total, scene.moment)
        if asset != QUOTA and 0 < value < scene.rules.liability_ceiling:
            found.append(SmallDebt(asset=asset, debt=debt, quantity=rounded(value)))
    return found


def exchange(
    account: Account, margin: Margin, assets: list[str], scene: Scene
) -> list[DebtExchange]:
    """Exchange these debts into one in USDT: all of them, or none."""
    rules, moment = scene.rules, scene.moment
    last = account.debts_exchanged_at
    if last is not None and moment.true - last < rules.liability_cooldown:
        raise Refusal(rules.liability_cooldown_code, "Only exchange once in 6 hours.")
    if len(assets) > MOST_COINS:
        raise Refusal(-3026, f"At most {MOST_COINS} coins may be exchanged at once.")
    small = {item.asset: item for item in listed(margin, scene)}
    for asset in assets:
        if asset not in scene.market or not scene.market[asset].marginable:
            raise Refusal(-3027, f"{asset} is not a valid margin asset.")
        if asset not in small:
            raise Refusal(-3015, "Repay amount exceeds borrow amount.")

    done = []
    for asset in assets:
        owed = margin.debts.pop(asset)
        value = floored(scene.market.value(asset, owed.total, moment))
        done.append(
            DebtExchange(
                account=account.name,
                asset=asset,
                amount=owed.total,
                target=QUOTA,
                target_amount=value,
                at_ms=moment.ms,
            )
        )
        sofar = margin.debts.get(QUOTA, Debt(0))
        margin.debts[QUOTA] = Debt(sofar.principal + value, interest=sofar.interest)
    account.debt_exchanges.extend(done)
    account.debts_exchanged_at = moment.true
    return done
