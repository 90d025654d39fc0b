"""Lives for accounts, drawn by seed: dust everywhere, debts and oddities here and there."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Final

from binance_dust.sandbox._account import Debt, Holding
from binance_dust.sandbox._amounts import floored
from binance_dust.sandbox._market import QUOTA

if TYPE_CHECKING:
    from binance_dust.sandbox._amounts import Amount
    from binance_dust.sandbox._market import Market

# How many of the accounts have what, in a hundred.
_UNSUPPORTED: Final = 40
_PARTLY_LOCKED: Final = 40
_MARGIN: Final = 50
_DEBTS: Final = 70


@dataclass(slots=True)
class Life:
    """What an account will be opened with."""

    balances: dict[str, Amount | Holding] = field(default_factory=dict)
    margin: dict[str, Amount | Holding] | bool = False
    debts: dict[str, Amount | Debt] | None = None


def draw(seed: int, name: str, market: Market) -> Life:
    """Draw a life, always the same for one seed and name."""
    random = Random(f"{seed}/{name}/life")  # noqa: S311 - to be repeated, not guarded

    def worth(asset: str, low: float, high: float) -> Decimal:
        """Draw an amount that is worth so many USDT when the exchange opens."""
        value = Decimal(f"{random.uniform(low, high):.4f}")
        return floored(value / market[asset].price)

    def one_in(hundred: int) -> bool:
        return random.randrange(100) < hundred

    listed = [asset for asset in market if asset.symbol not in ("BNB", QUOTA)]
    sound = [asset.symbol for asset in listed if asset.convertible]
    unsound = [asset.symbol for asset in listed if not asset.convertible]
    life = Life()
    for asset in random.sample(sound, random.randint(3, 8)):
        life.balances[asset] = worth(asset, 0.05, 4.0)
    rich, partly, odd = random.choice(sound), random.choice(sound), random.choice(unsound)
    life.balances |= {
        "BNB": worth("BNB", 0.2, 60.0),
        QUOTA: worth(QUOTA, 0.5, 400.0),
        rich: worth(rich, 40.0, 900.0),
    }
    if one_in(_UNSUPPORTED):
        life.balances[odd] = worth(odd, 0.1, 3.0)
    if one_in(_PARTLY_LOCKED):
        life.balances[partly] = Holding(
            worth(partly, 0.3, 3.0), locked=worth(partly, 0.1, 2.0), freeze=worth(partly, 0.1, 1.0)
        )
    if one_in(_MARGIN):
        life.margin = {QUOTA: worth(QUOTA, 50.0, 300.0)}
        borrowable = [asset.symbol for asset in listed if asset.marginable]
        if one_in(_DEBTS):
            life.debts = {
                asset: Debt(principal, interest=floored(principal / 97))
                for asset in random.sample(borrowable, random.randint(1, 4))
                for principal in (worth(asset, 0.1, 14.0),)
            }
    return life
