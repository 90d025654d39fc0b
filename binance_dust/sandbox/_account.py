"""What an account is made of: wallets, debts, what its keys may do, and what it has converted.

`Account` has a spot and a funding wallet, perhaps a cross-margin account (`Margin`: a wallet and
debts), the `Permissions` of its keys, and a record of its conversions and exchanged debts.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Self

from binance_dust.sandbox._amounts import ZERO, added, exact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from binance_dust.sandbox._amounts import Amount
    from binance_dust.sandbox._keys import SignatureCheck

WalletName = Literal["SPOT", "MARGIN", "FUNDING"]


@dataclass(frozen=True, slots=True, init=False)
class Holding:
    """How much of one asset a wallet holds: the free part, and the parts that can't be used."""

    free: Decimal
    locked: Decimal
    """In open orders."""
    freeze: Decimal
    """Frozen by the exchange."""
    withdrawing: Decimal
    """In a withdrawal under way."""
    ipoable: Decimal
    """Subscribed to a token launch."""

    def __init__(
        self,
        free: Amount = ZERO,
        *,
        locked: Amount = ZERO,
        freeze: Amount = ZERO,
        withdrawing: Amount = ZERO,
        ipoable: Amount = ZERO,
    ) -> None:
        """Keep each part exactly as it was written."""
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
        """Keep both parts exactly as they were written."""
        object.__setattr__(self, "principal", exact(principal))
        object.__setattr__(self, "interest", exact(interest))

    @property
    def total(self) -> Decimal:
        """Both parts together."""
        return self.principal + self.interest


class Wallet:
    """Holdings by asset; any other asset is held at zero."""

    __slots__ = ("_holdings",)

    def __init__(self, holdings: Mapping[str, Amount | Holding] | None = None) -> None:
        """Start with these holdings."""
        self._holdings = {
            asset: held if isinstance(held, Holding) else Holding(held)
            for asset, held in (holdings or {}).items()
        }

    def __getitem__(self, asset: str) -> Holding:
        return self._holdings.get(asset, _NOTHING)

    def __setitem__(self, asset: str, holding: Holding) -> None:
        self._holdings[asset] = holding

    def __iter__(self) -> Iterator[tuple[str, Holding]]:
        """List every asset with a holding above zero, by name."""
        return iter(sorted((asset, held) for asset, held in self._holdings.items() if held.total))

    def add(self, asset: str, amount: Decimal) -> None:
        """Add to the free part; a negative amount takes from it."""
        held = self[asset]
        self[asset] = replace(held, free=added(held.free, amount))

    def __repr__(self) -> str:
        return f"<Wallet {dict(self)}>"


_NOTHING = Holding()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What a key may do: the flags of `account/apiRestrictions` that matter here."""

    reading: bool = True
    spot_and_margin_trading: bool = True
    margin: bool = True
    withdrawals: bool = False
    universal_transfer: bool = False
    """Transfers between wallets; off until the owner of the key allows it, as on the website."""
    addresses: frozenset[str] = frozenset()
    """Where the key may be used from; empty means anywhere."""

    def __post_init__(self) -> None:
        """Accept any collection of addresses."""
        object.__setattr__(self, "addresses", frozenset(self.addresses))

    def allows(self, right: str) -> bool:
        """Tell whether the key has a right, by the exchange's name of it."""
        match right:
            case "enableReading":
                return self.reading
            case "enableSpotAndMarginTrading":
                return self.spot_and_margin_trading
            case "enableMargin":
                return self.margin
            case "permitsUniversalTransfer":
                return self.universal_transfer
            case _:
                return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionRow:
    """One asset of a conversion."""

    asset: str
    amount: Decimal
    gross: Decimal
    fee: Decimal
    at_ms: int

    @property
    def net(self) -> Decimal:
        """Amount that was credited."""
        return self.gross - self.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """One conversion that the exchange has executed."""

    account: str
    endpoint: str
    """`dust_transfer` or `dust_convert`."""
    transaction_id: int
    wallet: WalletName
    target: str
    rows: tuple[ConversionRow, ...]
    at_ms: int
    done_at: float
    """In true time."""
    client_id: str | None = None

    @property
    def gross(self) -> Decimal:
        """Sum of all rows, before the fee."""
        return sum((row.gross for row in self.rows), ZERO)

    @property
    def fee(self) -> Decimal:
        """Fee of all rows."""
        return sum((row.fee for row in self.rows), ZERO)

    @property
    def net(self) -> Decimal:
        """Amount that was credited, for all rows."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One transfer between two wallets."""

    kind: str
    """From where to where, as in `FUNDING_MAIN`."""
    asset: str
    amount: Decimal
    transaction_id: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repayment:
    """One repayment of a margin debt."""

    asset: str
    amount: Decimal
    transaction_id: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A quote, and the order that it became when it was accepted."""

    quote_id: str
    wallet: WalletName
    asset: str
    amount: Decimal
    target: str
    brings: Decimal
    until_ms: int
    """Until when it can be accepted."""
    order_id: int | None = None
    """Missing while it was not accepted."""
    status: str = ""
    """`PROCESS`, `SUCCESS` or `FAIL`."""
    at_ms: int = 0
    accepted_at: float = 0.0
    """In true time."""


@dataclass(slots=True)
class Margin:
    """A cross-margin account: a wallet of its own, and debts."""

    wallet: Wallet = field(default_factory=Wallet)
    debts: dict[str, Debt] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        holdings: Mapping[str, Amount | Holding] | None,
        debts: Mapping[str, Amount | Debt] | None,
    ) -> Self:
        """Make one from the amounts of a caller."""
        owed = {
            asset: debt if isinstance(debt, Debt) else Debt(debt)
            for asset, debt in (debts or {}).items()
        }
        return cls(Wallet(holdings), owed)


@dataclass(slots=True, eq=False, kw_only=True)
class Account:
    """One account of the exchange. A test may read it and change it at any time."""

    name: str
    uid: int
    """Its number: the same for all of its keys, and no other account's."""
    keys: dict[str, SignatureCheck] = field(repr=False)
    """For each of its API keys, the check of its signatures."""
    first_transaction: int = field(repr=False)
    opened_ms: int
    spot: Wallet
    funding: Wallet = field(default_factory=Wallet)
    margin: Margin | None = None
    permissions: Permissions = field(default_factory=Permissions)
    """What its keys may do; may be replaced at any time."""
    spot_bnb_burn: bool = True
    interest_bnb_burn: bool = False
    conversions: list[Conversion] = field(default_factory=list, repr=False)
    """Executed conversions, oldest first."""
    debt_exchanges: list[DebtExchange] = field(default_factory=list, repr=False)
    transfers: list[Transfer] = field(default_factory=list, repr=False)
    """Transfers between wallets, oldest first."""
    repayments: list[Repayment] = field(default_factory=list, repr=False)
    """Repaid debts, oldest first."""
    sales: dict[str, Sale] = field(default_factory=dict, repr=False)
    """Quotes by their id, with what became of them."""
    shown_prices: dict[str, tuple[float, Decimal]] = field(default_factory=dict, repr=False)
    """For each asset: when its price was last shown, in true time, and the price."""
    debts_exchanged_at: float | None = field(default=None, repr=False)

    @property
    def api_key(self) -> str:
        """The key that it was opened with, or the oldest that is left."""
        return next(iter(self.keys), "")

    def next_movement(self) -> int:
        """Give the number of the next transfer or repayment; conversions have numbers below."""
        return self.first_transaction + 5_000 + len(self.transfers) + len(self.repayments)

    def free(self, asset: str, wallet: WalletName = "SPOT") -> Decimal:
        """Give the free balance of one asset."""
        return self.wallet(wallet)[asset].free

    def deposit(self, asset: str, amount: Amount, wallet: WalletName = "SPOT") -> None:
        """Add to the free balance, as a deposit or a trade would."""
        self.wallet(wallet).add(asset, exact(amount))

    def withdraw(self, asset: str, amount: Amount, wallet: WalletName = "SPOT") -> None:
        """Take from the free balance, as a withdrawal or a trade would."""
        self.wallet(wallet).add(asset, exact(amount).copy_negate())

    def hold(self, asset: str, holding: Holding, wallet: WalletName = "SPOT") -> None:
        """Set the holding of one asset, with its locked and frozen parts."""
        self.wallet(wallet)[asset] = holding

    def owe(self, asset: str, debt: Amount | Debt) -> None:
        """Set the debt of one asset; an account without margin gets it."""
        if self.margin is None:
            self.margin = Margin()
        self.margin.debts[asset] = debt if isinstance(debt, Debt) else Debt(debt)

    def record(self, done: Conversion | DebtExchange) -> None:
        """Add something of the past to the record, in order of time. Balances do not change."""
        if isinstance(done, Conversion):
            insort(self.conversions, done, key=lambda conversion: conversion.at_ms)
        else:
            insort(self.debt_exchanges, done, key=lambda exchange: exchange.at_ms)

    def wallet(self, name: WalletName) -> Wallet:
        """Give a wallet; raises `LookupError` for the margin wallet of an account without one."""
        if name == "SPOT":
            return self.spot
        if name == "FUNDING":
            return self.funding
        if self.margin is None:
            message = f"account {self.name!r} has no margin"
            raise LookupError(message)
        return self.margin.wallet
