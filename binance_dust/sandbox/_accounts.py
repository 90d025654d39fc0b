"""The accounts of an exchange: opened with the caller's balances, or with random ones by seed.

Also draws the history of an account by seed: conversions from before the sandbox was opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Final

from binance_dust.credentials import Credentials
from binance_dust.sandbox._account import (
    Account,
    Conversion,
    ConversionRow,
    Debt,
    Holding,
    Margin,
    Permissions,
    Wallet,
)
from binance_dust.sandbox._amounts import floored
from binance_dust.sandbox._keys import make_key
from binance_dust.sandbox._market import QUOTA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from binance_dust.sandbox._account import WalletName
    from binance_dust.sandbox._amounts import Amount
    from binance_dust.sandbox._clock import ExchangeClock
    from binance_dust.sandbox._keys import KeyKind
    from binance_dust.sandbox._market import Asset, Market

_NAMES: Final = (
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy",
    "kim", "leo", "mallory", "niaj", "olivia", "peggy", "quentin", "rupert", "sybil", "trent",
    "ursula", "victor", "wendy", "xavier", "yves", "zoe",
)  # fmt: skip

# Share of random accounts, in percent.
_UNSUPPORTED: Final = 40
_PARTLY_LOCKED: Final = 40
_MARGIN: Final = 50
_DEBTS: Final = 70

# Conversions of a drawn history.
_MOST_ROWS: Final = 3
_ROW_WORTH_CENTS: Final = (50, 999)


class OpenAccounts:
    """The open accounts of an exchange: opens them, and finds them by name or key."""

    def __init__(self, seed: int, market: Market, clock: ExchangeClock) -> None:
        """Start without accounts."""
        self._seed = seed
        self._market = market
        self._clock = clock
        self._by_name: dict[str, Account] = {}
        self._by_key: dict[str, Account] = {}
        self._keys_made = 0

    def __getitem__(self, name: str) -> Account:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Account]:
        return iter(list(self._by_name.values()))

    def __len__(self) -> int:
        return len(self._by_name)

    def by_key(self, api_key: str | None) -> Account | None:
        """Find the account that a key belongs to."""
        return None if api_key is None else self._by_key.get(api_key)

    def open(  # noqa: PLR0913 - the parts of an account, all by keyword
        self,
        name: str | None,
        balances: Mapping[str, Amount | Holding],
        *,
        key: KeyKind = "hmac",
        permissions: Permissions | None = None,
        margin: Mapping[str, Amount | Holding] | bool = False,
        debts: Mapping[str, Amount | Debt] | None = None,
        funding: Mapping[str, Amount | Holding] | None = None,
    ) -> Credentials:
        """Open an account, and give its key."""
        for asset in balances:
            if asset != asset.upper():
                message = f"there is no option {asset!r}, and assets are written in capitals"
                raise TypeError(message)
        name = self._free_name() if name is None else name
        if name in self._by_name:
            message = f"account {name!r} is open already"
            raise ValueError(message)
        holdings = {} if isinstance(margin, bool) else margin
        for asset in (*balances, *holdings, *(debts or ()), *(funding or ())):
            if asset not in self._market:
                self._market.list_asset(asset)
        pair = make_key(self._seed, name, key)
        account = Account(
            name=name,
            uid=self._free_uid(name),
            keys={pair.api_key: pair.check},
            first_transaction=self._free_transactions(name),
            opened_ms=self._clock.now().ms,
            spot=Wallet(balances),
            funding=Wallet(funding),
            margin=None if margin is False and debts is None else Margin.of(holdings, debts),
            permissions=permissions or Permissions(),
        )
        self._by_name[name] = account
        self._by_key[pair.api_key] = account
        return Credentials(pair.api_key, pair.secret, name=name)

    def add_key(self, name: str, *, label: str | None, key: KeyKind) -> Credentials:
        """Make one more key of an account."""
        account = self._by_name[name]
        self._keys_made += 1
        pair = make_key(self._seed, f"{name}/{self._keys_made}", key)
        account.keys[pair.api_key] = pair.check
        self._by_key[pair.api_key] = account
        return Credentials(pair.api_key, pair.secret, name=label)

    def remove_key(self, api_key: str) -> None:
        """Take a key away; from then on it is no key at all."""
        del self._by_key.pop(api_key).keys[api_key]

    def open_many(self, count: int) -> list[Credentials]:
        """Open accounts with random balances; some have debts, locked parts or odd assets."""
        return [self._open_random() for _ in range(count)]

    def _free_uid(self, name: str) -> int:
        taken = {account.uid for account in self}
        random = Random(f"{self._seed}/{name}/uid")  # noqa: S311 - to be repeated
        return next(
            uid for uid in iter(lambda: random.randrange(10**8, 10**9), 0) if uid not in taken
        )

    def _free_transactions(self, name: str) -> int:
        """Draw the first of an account's numbers: as long as real ones, and no other account's."""
        taken = {account.first_transaction for account in self}
        random = Random(f"{self._seed}/{name}/transactions")  # noqa: S311 - to be repeated
        drawn = iter(lambda: random.randrange(10_000_000, 90_000_000) * 10_000, 0)
        return next(number for number in drawn if number not in taken)

    def _free_name(self) -> str:
        for name in _NAMES:
            if name not in self._by_name:
                return name
        number = len(self._by_name) + 1
        while f"account-{number:04}" in self._by_name:
            number += 1
        return f"account-{number:04}"

    def _open_random(self) -> Credentials:
        name = self._free_name()
        drawn = _draw_balances(self._seed, name, self._market)
        return self.open(name, drawn.spot, margin=drawn.margin, debts=drawn.debts)

    def __repr__(self) -> str:
        return f"<OpenAccounts {len(self)} open>"


@dataclass(slots=True)
class _RandomBalances:
    """What a random account is opened with."""

    spot: dict[str, Amount | Holding] = field(default_factory=dict)
    margin: dict[str, Amount | Holding] | bool = False
    debts: dict[str, Amount | Debt] | None = None


def _draw_balances(seed: int, name: str, market: Market) -> _RandomBalances:
    """Draw balances; the same seed and name give the same balances."""
    random = Random(f"{seed}/{name}/life")  # noqa: S311 - to be repeated, not guarded

    def worth(asset: str, low: float, high: float) -> Decimal:
        """Draw an amount worth between `low` and `high` USDT when the exchange opens."""
        value = Decimal(f"{random.uniform(low, high):.4f}")
        return floored(value / market[asset].price)

    def happens(percent: int) -> bool:
        return random.randrange(100) < percent

    listed = [asset for asset in market if asset.symbol not in ("BNB", QUOTA)]
    convertible = [asset.symbol for asset in listed if asset.convertible]
    unsupported = [asset.symbol for asset in listed if not asset.convertible]
    drawn = _RandomBalances()
    for asset in random.sample(convertible, random.randint(3, 8)):
        drawn.spot[asset] = worth(asset, 0.05, 4.0)
    large, partly_locked = random.choice(convertible), random.choice(convertible)
    odd = random.choice(unsupported)
    drawn.spot |= {
        "BNB": worth("BNB", 0.2, 60.0),
        QUOTA: worth(QUOTA, 0.5, 400.0),
        large: worth(large, 40.0, 900.0),
    }
    if happens(_UNSUPPORTED):
        drawn.spot[odd] = worth(odd, 0.1, 3.0)
    if happens(_PARTLY_LOCKED):
        drawn.spot[partly_locked] = Holding(
            worth(partly_locked, 0.3, 3.0),
            locked=worth(partly_locked, 0.1, 2.0),
            freeze=worth(partly_locked, 0.1, 1.0),
        )
    if happens(_MARGIN):
        drawn.margin = {QUOTA: worth(QUOTA, 50.0, 300.0)}
        borrowable = [asset.symbol for asset in listed if asset.marginable]
        if happens(_DEBTS):
            drawn.debts = {
                asset: Debt(principal, interest=floored(principal / 97))
                for asset in random.sample(borrowable, random.randint(1, 4))
                for principal in (worth(asset, 0.1, 14.0),)
            }
    return drawn


def draw_history(  # noqa: PLR0913 - the parts of a history, all by keyword
    seed: int,
    account: Account,
    market: Market,
    *,
    times_ms: Iterable[int],
    target: str,
    wallet: WalletName,
    ahead: float = 0.0,
) -> Iterator[Conversion]:
    """Draw conversions that an account made before the sandbox was opened, one for each time.

    Years of history cannot be made by converting: the cooldown and the clock stand in the way. The
    times are those of the exchange's clock, which is `ahead` of true time. The ids continue those
    of the account. Rows follow the exchange: at the prices of the market, amounts rounded down to
    eight places, and each fee the asset's own.
    """
    random = Random(f"{seed}/{account.name}/past/{wallet}/{target}")  # noqa: S311 - to be repeated
    assets = [asset for asset in market if asset.convertible and asset.symbol != target]
    first = account.first_transaction + len(account.conversions)
    for n, at_ms in enumerate(times_ms):
        sold = random.sample(assets, random.randint(1, _MOST_ROWS))
        yield Conversion(
            account=account.name,
            endpoint="dust_transfer" if target == "BNB" else "dust_convert",
            transaction_id=first + n,
            wallet=wallet,
            target=target,
            rows=tuple(_draw_row(random, asset, market[target], at_ms) for asset in sold),
            at_ms=at_ms,
            done_at=at_ms / 1000 - ahead,
        )


def _draw_row(random: Random, asset: Asset, target: Asset, at_ms: int) -> ConversionRow:
    worth = Decimal(random.randint(*_ROW_WORTH_CENTS)) / 100
    amount = floored(worth / asset.price)
    gross = floored(amount * asset.price / target.price)
    return ConversionRow(
        asset=asset.symbol, amount=amount, gross=gross, fee=floored(gross * asset.fee), at_ms=at_ms
    )
