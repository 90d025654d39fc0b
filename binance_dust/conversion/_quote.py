"""A quote: what would be done, what it would bring, what is skipped, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from binance_dust._util import exact
from binance_dust._util.html import Record
from binance_dust._util.words import count
from binance_dust.conversion import _tables
from binance_dust.errors import ConfigurationError
from binance_dust.ledger._entry import LineTotals
from binance_dust.models._reasons import Reason

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from binance_dust.endpoints import AccountType
    from binance_dust.models import LastChance

__all__ = [
    "BaseQuote",
    "GatherLine",
    "LiabilityLine",
    "LiabilityQuote",
    "Quote",
    "QuoteLine",
    "Reason",
    "Skipped",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped(Record):
    """An asset, or a part of it, that is not converted."""

    asset: str
    amount: Decimal
    reason: Reason
    detail: str = ""
    """More about the reason, where there is more to say."""
    until: datetime | None = None
    """When the reason ends by itself, where that is known."""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        until = "" if self.until is None else f" until {self.until:%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.asset} {self.amount:f}: {self.reason}{until}{detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseQuote:
    """What all quotes share: account and times, and how they are narrowed."""

    account: str
    target: str
    """What dust becomes, or what will be owed instead of the small debts."""
    lines: tuple[Any, ...]
    skipped: tuple[Skipped, ...] = ()
    """All else that is held or owed, and why it is not in the plan."""
    at: datetime
    """When it was read, by the exchange's clock."""
    expires_at: datetime
    """When it becomes too old to be carried out."""
    eligible_at: datetime | None = None
    """When the account may do it, if that is later than now."""
    key_id: str | None = None
    """Identifies the client that it is for, without revealing its key."""

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets that are in it."""
        return tuple(line.asset for line in self.lines)

    def age(self, now: datetime) -> timedelta:
        """Tell how old it is; `now` is `session.now()`."""
        return now - self.at

    def expired(self, now: datetime) -> bool:
        """Tell whether it is too old to be carried out."""
        return now >= self.expires_at

    def only(self, *assets: str) -> Self:
        """Keep these assets, and leave the others out."""
        self._require(assets)
        return self._leave_out(set(self.assets) - set(assets))

    def without(self, *assets: str) -> Self:
        """Leave these assets out."""
        self._require(assets)
        return self._leave_out(set(assets))

    def why_not(self, asset: str) -> tuple[Skipped, ...]:
        """Say why an asset, or a part of it, is not in it; empty if all of it is."""
        return tuple(skipped for skipped in self.skipped if skipped.asset == asset)

    def _require(self, assets: tuple[str, ...]) -> None:
        """Reject a name that is not in the quote, since it may be misspelt."""
        for asset in assets:
            if asset in self.assets:
                continue
            why = "; ".join(str(skipped) for skipped in self.why_not(asset))
            raise ConfigurationError(
                f"{asset} is not in this quote: {why or 'there is none of it'}"
            )

    def _leave_out(self, assets: set[str]) -> Self:
        left_out = tuple(
            Skipped(asset=line.asset, amount=line.amount, reason=Reason.LEFT_OUT)
            for line in self.lines
            if line.asset in assets
        )
        lines = tuple(line for line in self.lines if line.asset not in assets)
        return replace(self, lines=lines, skipped=self.skipped + left_out)

    def __bool__(self) -> bool:
        return bool(self.lines)

    def _table(self) -> _tables.Rows:
        """Give caption, columns, rows and last row of the quote as a table."""
        raise NotImplementedError

    def __str__(self) -> str:
        caption, head, rows, total = self._table()
        caption = f"{caption}, as of {self.at:%F %T} UTC"
        return _tables.as_text(caption, rows, total, self.skipped, head=head)

    def _repr_html_(self) -> str:
        caption, head, rows, total = self._table()
        return _tables.as_html(caption, rows, total, self.skipped, head)


# --- dust ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteLine(Record):
    """One asset that can be converted now, with the exchange's own estimate."""

    asset: str
    full_name: str
    amount: Decimal
    """All of it that is free: a conversion always takes all."""
    gross: Decimal
    """In the target, before the fee."""
    fee: Decimal
    """In the target."""
    net: Decimal
    """In the target, after the fee."""
    sale: bool = False
    """Whether it is too much for dust, and is sold by quote. Then `gross` is its worth by the
    exchange's valuation, and `fee` what the price takes of that."""

    @property
    def fee_rate(self) -> Decimal:
        """The part of the gross that the fee takes."""
        return _rate(self.fee, self.gross)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherLine(Record):
    """Dust of the funding wallet that is brought to the spot wallet first."""

    asset: str
    amount: Decimal
    """All of it that is free there."""
    in_bitcoin: Decimal
    """Its worth, as the exchange values it. What it brings is known when it is in the spot wallet:
    the exchange's list shows nothing of other wallets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote(BaseQuote, LineTotals):
    """A plan: nothing has happened yet. Read it, narrow it, print it, then `convert` it.

    The estimates are the exchange's. It locks no price: a conversion is settled at the market price
    of its moment, and is not carried out if that has moved by 5 %.
    """

    account_type: AccountType
    lines: tuple[QuoteLine, ...]
    last_chances: tuple[LastChance, ...] = ()
    """What is held and will be delisted, the soonest first: if the converter was told of it."""
    gather: tuple[GatherLine, ...] = ()
    """What is brought from the funding wallet first. No sum has it yet."""

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets that are in it, also those that are gathered."""
        lines = (line.asset for line in self.lines)
        return tuple(dict.fromkeys((*lines, *(line.asset for line in self.gather))))

    def __bool__(self) -> bool:
        return bool(self.lines or self.gather)

    def _leave_out(self, assets: set[str]) -> Self:
        gather = tuple(line for line in self.gather if line.asset not in assets)
        listed = {line.asset for line in self.lines}
        left_out = tuple(
            Skipped(asset=line.asset, amount=line.amount, reason=Reason.LEFT_OUT)
            for line in self.gather
            if line.asset in assets - listed
        )
        without = replace(self, gather=gather, skipped=self.skipped + left_out)
        # A dataclass with slots is made anew, and a bare `super()` would know the first one.
        return super(Quote, without)._leave_out(assets)

    @property
    def fee_rate(self) -> Decimal:
        """The part of the gross that the fees take together."""
        return _rate(self.fee, self.gross)

    @property
    def _caption(self) -> str:
        return f"{self.account} ({self.account_type}) into {self.target}"

    def __str__(self) -> str:
        total = (count(len(self.lines), "asset"), None, self.gross, _fee(self), self.net)
        return _tables.as_text(
            f"{self._caption}, as of {self.at:%F %T} UTC",
            [(_name(line), line.amount, line.gross, _fee(line), line.net) for line in self.lines],
            total,
            self.skipped,
            notes=self._notes,
        )

    def _repr_html_(self) -> str:
        below: list[Skipped | str] = [*self.skipped, *self._notes]
        return _tables.as_html(
            self._caption,
            [
                (f"{_name(line)} ({line.full_name})", line.amount, line.gross, line.fee, line.net)
                for line in self.lines
            ],
            ("all", None, self.gross, self.fee, self.net),
            below,
        )

    @property
    def _notes(self) -> list[str]:
        first = [
            f"first: {line.asset} {line.amount:f} from the funding to the spot wallet"
            for line in self.gather
        ]
        return [*first, *(f"soon: {each}" for each in self.last_chances)]


def _rate(fee: Decimal, gross: Decimal) -> Decimal:
    return exact.ratio(fee, gross) if gross else Decimal(0)


def _name(line: QuoteLine) -> str:
    return f"{line.asset}, sold by quote" if line.sale else line.asset


def _fee(of: Quote | QuoteLine) -> str:
    return f"{of.fee:f} ({_tables.percent(of.fee_rate)})"


# --- small margin debts --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LiabilityLine(Record):
    """One small debt that can be exchanged now."""

    asset: str
    principal: Decimal
    interest: Decimal
    worth: Decimal
    """In the quote's target, as the exchange counts it."""

    @property
    def amount(self) -> Decimal:
        """What is owed: principal and interest."""
        return exact.total((self.principal, self.interest))


@dataclass(frozen=True, slots=True, kw_only=True)
class LiabilityQuote(BaseQuote):
    """A plan: which small debts would become one debt. It does not reduce what is owed."""

    lines: tuple[LiabilityLine, ...]

    @property
    def worth(self) -> Decimal:
        """What will be owed instead, in `target`."""
        return exact.total(line.worth for line in self.lines)

    def _table(self) -> _tables.Rows:
        caption = f"{self.account}: small debts into one of {self.target}"
        rows = [(line.asset, line.amount, line.worth) for line in self.lines]
        total = (count(len(self.lines), "debt"), None, self.worth)
        return caption, ("asset", "owed", self.target), rows, total
