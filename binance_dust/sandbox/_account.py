"""One account: what it holds, what it owes, what its key may do, what it did."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Self

from binance_dust.sandbox._amounts import ZERO, added, exact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from binance_dust.sandbox._amounts import Amount
    from binance_dust.sandbox._signature import Verifier

WalletName = Literal["SPOT", "MARGIN"]


@dataclass(frozen=True, slots=True, init=False)
class Holding:
    """How much of one asset a wallet holds, and which parts of it can't be used."""

    free: Decimal
    locked: Decimal
    """In open orders."""
    freeze: Decimal
    """Frozen by the exchange."""
    withdrawing: Decimal
    """On its way out."""
    ipoable: Decimal
    """In a launch."""

    def __init__(
        self,
        free: Amount = ZERO,
        *,
        locked: Amount = ZERO,
        freeze: Amount = ZERO,
        withdrawing: Amount = ZERO,
        ipoable: Amount = ZERO,
    ) -> None:
        """Keep every part as the exact decimal that was written."""
        put = object.__setattr__
        put(self, "free", exact(free))
        put(self, "locked", exact(locked))
        put(self, "freeze", exact(freeze))
        put(self, "withdrawing", exact(withdrawing))
        put(self, "ipoable", exact(ipoable))

    @property
    def total(self) -> Decimal:
        """All parts together."""
        return self.free + self.locked + self.freeze + self.withdrawing + self.ipoable


@dataclass(frozen=True, slots=True, init=False)
class Debt:
    """What an account owes of one asset."""

    principal: Decimal
    interest: Decimal

    def __init__(self, principal: Amount, *, interest: Amount = ZERO) -> None:
        """Keep both parts as the exact decimals that were written."""
        object.__setattr__(self, "principal", exact(principal))
        object.__setattr__(self, "interest", exact(interest))

    @property
    def total(self) -> Decimal:
        """Both parts together."""
        return self.principal + self.interest


class Wallet:
    """Holdings by asset; an asset that isn't there is held at zero."""

    __slots__ = ("_holdings",)

    def __init__(self, holdings: Mapping[str, Amount | Holding] | None = None) -> None:
        """Begin with these."""
        self._holdings = {
            asset: held if isinstance(held, Holding) else Holding(held)
            for asset, held in (holdings or {}).items()
        }

    def __getitem__(self, asset: str) -> Holding:
        return self._holdings.get(asset, _NOTHING)

    def __setitem__(self, asset: str, holding: Holding) -> None:
        self._holdings[asset] = holding

    def __iter__(self) -> Iterator[tuple[str, Holding]]:
        """Go through what is there, by name."""
        return iter(sorted((asset, held) for asset, held in self._holdings.items() if held.total))

    def add(self, asset: str, amount: Decimal) -> None:
        """Add to the free part, or take from it where `amount` is negative."""
        held = self[asset]
        self[asset] = replace(held, free=added(held.free, amount))

    def __repr__(self) -> str:
        return f"<Wallet {dict(self)}>"


_NOTHING = Holding()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What a key may do: the bits of `account/apiRestrictions` that matter here."""

    reading: bool = True
    spot_and_margin_trading: bool = True
    margin: bool = True
    withdrawals: bool = False
    addresses: frozenset[str] = frozenset()
    """Where it may be used from; from everywhere when empty."""

    def __post_init__(self) -> None:
        """Take any collection of addresses."""
        object.__setattr__(self, "addresses", frozenset(self.addresses))

    def allows(self, right: str) -> bool:
        """Tell whether the key has a right, by the exchange's name for it."""
        match right:
            case "enableReading":
                return self.reading
            case "enableSpotAndMarginTrading":
                return self.spot_and_margin_trading
            case "enableMargin":
                return self.margin
            case _:
                return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One asset of a conversion, as it was carried out."""

    asset: str
    amount: Decimal
    gross: Decimal
    fee: Decimal
    at_ms: int

    @property
    def net(self) -> Decimal:
        """What came in for it."""
        return self.gross - self.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """One conversion that was carried out."""

    account: str
    endpoint: str
    """`dust_transfer` or `dust_convert`."""
    transaction_id: int
    wallet: WalletName
    target: str
    rows: tuple[Row, ...]
    at_ms: int
    done_at: float
    """In true time."""
    client_id: str | None = None

    @property
    def gross(self) -> Decimal:
        """What all rows came to before the fee."""
        return sum((row.gross for row in self.rows), ZERO)

    @property
    def fee(self) -> Decimal:
        """What the exchange kept."""
        return sum((row.fee for row in self.rows), ZERO)

    @property
    def net(self) -> Decimal:
        """What came in."""
        return self.gross - self.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtExchange:
    """One debt that was exchanged into another."""

    account: str
    asset: str
    amount: Decimal
    target: str
    target_amount: Decimal
    at_ms: int


@dataclass(slots=True)
class Margin:
    """A cross-margin account."""

    wallet: Wallet = field(default_factory=Wallet)
    debts: dict[str, Debt] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        holdings: Mapping[str, Amount | Holding] | None,
        debts: Mapping[str, Amount | Debt] | None,
    ) -> Self:
        """Make one from what a caller wrote."""
        owed = {
            asset: debt if isinstance(debt, Debt) else Debt(debt)
            for asset, debt in (debts or {}).items()
        }
        return cls(Wallet(holdings), owed)


@dataclass(slots=True, eq=False, kw_only=True)
class Account:
    """One account of the exchange, open to be looked at and changed by a test at any time."""

    name: str
    api_key: str = field(repr=False)
    verifier: Verifier = field(repr=False)
    first_transaction: int = field(repr=False)
    opened_ms: int
    spot: Wallet
    funding: Wallet = field(default_factory=Wallet)
    margin: Margin | None = None
    permissions: Permissions = field(default_factory=Permissions)
    """What its key may do; put another in its place at any time."""
    spot_bnb_burn: bool = True
    interest_bnb_burn: bool = False
    conversions: list[Conversion] = field(default_factory=list, repr=False)
    """What was carried out, oldest first."""
    debt_exchanges: list[DebtExchange] = field(default_factory=list, repr=False)
    shown: dict[str, tuple[float, Decimal]] = field(default_factory=dict, repr=False)
    """When each asset was last previewed, in true time, and at what price."""
    debts_exchanged_at: float | None = field(default=None, repr=False)

    def free(self, asset: str, wallet: WalletName = "SPOT") -> Decimal:
        """Tell the free balance of one asset."""
        return self.wallet(wallet)[asset].free

    def deposit(self, asset: str, amount: Amount, wallet: WalletName = "SPOT") -> None:
        """Add to the free balance, as a deposit or a trade would."""
        self.wallet(wallet).add(asset, exact(amount))

    def withdraw(self, asset: str, amount: Amount, wallet: WalletName = "SPOT") -> None:
        """Take from the free balance, as a withdrawal or a trade would."""
        self.wallet(wallet).add(asset, exact(amount).copy_negate())

    def hold(self, asset: str, holding: Holding, wallet: WalletName = "SPOT") -> None:
        """Set what is held of one asset, with its locked and frozen parts."""
        self.wallet(wallet)[asset] = holding

    def owe(self, asset: str, debt: Amount | Debt) -> None:
        """Set what is owed of one asset; the account gets margin if it had none."""
        if self.margin is None:
            self.margin = Margin()
        self.margin.debts[asset] = debt if isinstance(debt, Debt) else Debt(debt)

    def record(self, done: Conversion | DebtExchange) -> None:
        """Put something of the past on record, in its place; balances stay as they are."""
        if isinstance(done, Conversion):
            insort(self.conversions, done, key=lambda conversion: conversion.at_ms)
        else:
            insort(self.debt_exchanges, done, key=lambda exchange: exchange.at_ms)

    def wallet(self, name: WalletName) -> Wallet:
        """Find a wallet; an account without margin has no margin wallet."""
        if name == "SPOT":
            return self.spot
        if self.margin is None:
            message = f"account {self.name!r} has no margin"
            raise LookupError(message)
        return self.margin.wallet
