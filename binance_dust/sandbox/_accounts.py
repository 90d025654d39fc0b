"""The accounts of an exchange: opened one by one, or many at once by seed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from binance_dust.credentials import Credentials
from binance_dust.sandbox import _keys as keys
from binance_dust.sandbox import _lively as lively
from binance_dust.sandbox._account import Account, Margin, Permissions, Wallet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from binance_dust.sandbox._account import Debt, Holding
    from binance_dust.sandbox._amounts import Amount
    from binance_dust.sandbox._clock import ServerClock
    from binance_dust.sandbox._keys import KeyKind
    from binance_dust.sandbox._market import Market

_NAMES: Final = (
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy",
    "kim", "leo", "mallory", "niaj", "olivia", "peggy", "quentin", "rupert", "sybil", "trent",
    "ursula", "victor", "wendy", "xavier", "yves", "zoe",
)  # fmt: skip


class Accounts:
    """Opens accounts, and finds them by name or key."""

    def __init__(self, seed: int, market: Market, clock: ServerClock) -> None:
        """Begin with none."""
        self._seed = seed
        self._market = market
        self._clock = clock
        self._by_name: dict[str, Account] = {}
        self._by_key: dict[str, Account] = {}

    def __getitem__(self, name: str) -> Account:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Account]:
        return iter(list(self._by_name.values()))

    def __len__(self) -> int:
        return len(self._by_name)

    def by_key(self, api_key: str | None) -> Account | None:
        """Find whose key this is."""
        return None if api_key is None else self._by_key.get(api_key)

    def open(  # noqa: PLR0913 - what an account is made of, all by keyword
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
        """Open an account, and give its owner the key."""
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
        pair = keys.make(self._seed, name, key)
        random = Random(f"{self._seed}/{name}/transactions")  # noqa: S311 - to be repeated
        account = Account(
            name=name,
            api_key=pair.api_key,
            verifier=pair.verifier,
            # As long as the real ones, and far enough apart that no two accounts share one.
            first_transaction=random.randrange(10_000_000, 90_000_000) * 10_000,
            opened_ms=self._clock.moment().ms,
            spot=Wallet(balances),
            funding=Wallet(funding),
            margin=None if margin is False and debts is None else Margin.of(holdings, debts),
            permissions=permissions or Permissions(),
        )
        self._by_name[name] = account
        self._by_key[pair.api_key] = account
        return Credentials(pair.api_key, pair.secret, name=name)

    def open_many(self, count: int) -> list[Credentials]:
        """Open a lively mix: dust everywhere, debts and oddities here and there."""
        return [self._open_lively() for _ in range(count)]

    def _free_name(self) -> str:
        for name in _NAMES:
            if name not in self._by_name:
                return name
        number = len(self._by_name) + 1
        while f"account-{number:04}" in self._by_name:
            number += 1
        return f"account-{number:04}"

    def _open_lively(self) -> Credentials:
        name = self._free_name()
        life = lively.draw(self._seed, name, self._market)
        return self.open(name, life.balances, margin=life.margin, debts=life.debts)

    def __repr__(self) -> str:
        return f"<Accounts {len(self)} open>"
