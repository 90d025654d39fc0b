"""What a scan finds out about one account."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from binance_dust._util.checks import instance
from binance_dust._util.exact import difference, to_moment, total
from binance_dust._util.html import escaped, moment, table
from binance_dust._util.plain import FORMAT, answer_from_plain, error_from_plain, newer, plain
from binance_dust.errors import ConfigurationError, DustError
from binance_dust.models import (
    ConvertibleAssets,
    LastChance,
    SmallLiability,
    UserAsset,
    WalletBalance,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

__all__ = ["AccountReport", "Settled"]


class Settled(enum.StrEnum):
    """Which answer settled whether an account has small margin debts."""

    NOT_ASKED = "not asked"
    """The scan was told not to ask."""
    NO_MARGIN = "no margin"
    """The account has no margin, so it can have no debt (weight 1)."""
    NO_DEBT = "no debt"
    """Its cross-margin account owes nothing (weight 10)."""
    LIST = "list"
    """The list itself was asked for (weight 100)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """One account, as a scan found it.

    A part that failed is empty, or lacks the rows that can't be read. `errors` says why, by the
    name of the part: `assets`, `quote`, `elsewhere`, `delistings` or `liabilities`.
    """

    account: str
    target: str = "BNB"
    at: datetime
    """When the last part was read, by the exchange's clock."""
    assets: list[UserAsset] = field(default_factory=list)
    quote: ConvertibleAssets | None = None
    """What can be converted into `target` now, with the exchange's estimates."""
    elsewhere: list[WalletBalance] | None = None
    """Other wallets than spot that hold something; `None` if they were not asked for or asking
    failed. Only spot and margin can be converted: what lies elsewhere has to be moved first."""
    liabilities: list[SmallLiability] = field(default_factory=list)
    last_chances: list[LastChance] = field(default_factory=list)
    """What it holds and will be delisted, the soonest first: if the scan was to say so."""
    settled_by: Settled | None = None
    """How `liabilities` is known; `None` if asking failed."""
    errors: Mapping[str, DustError] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every part was read."""
        return not self.errors

    @property
    def gross(self) -> Decimal:
        """What converting all the dust would bring before fees, in `target`."""
        return self.quote.gross if self.quote else Decimal(0)

    @property
    def net(self) -> Decimal:
        """What converting all the dust would bring, in `target`."""
        return self.quote.net if self.quote else Decimal(0)

    @property
    def fee(self) -> Decimal:
        """What converting all the dust would cost, in `target`."""
        return self.quote.fee if self.quote else Decimal(0)

    @property
    def owed(self) -> dict[str, Decimal]:
        """What the small debts are worth, by the asset that the exchange counts them in."""
        units = dict.fromkeys(row.liability_asset for row in self.liabilities)
        return {
            unit: total(
                row.liability_qty for row in self.liabilities if row.liability_asset == unit
            )
            for unit in units
        }

    def _repr_html_(self) -> str:
        """Show the report as tables in a notebook."""
        parts = [
            _shown(self, part)
            for part in (_dust_table, _delisting_table, _elsewhere_table, _debt_table, _error_table)
        ]
        heading = f"{escaped(self.account)}</strong>, {escaped(moment(self.at))}"
        return f"<div><p><strong>{heading}</p>{''.join(parts)}</div>"

    def to_plain(self) -> dict[str, Any]:
        """Give the report as plain values for JSON; `from_plain` reads it again."""
        sums = _sums(self.quote)
        return {
            "account": self.account,
            "target": self.target,
            "at": plain(self.at),
            "assets": plain(self.assets),
            "quote": None if self.quote is None else plain(self.quote) | sums,
            **sums,
            "elsewhere": plain(self.elsewhere),
            "last_chances": plain(self.last_chances),
            "liabilities": plain(self.liabilities),
            "settled_by": plain(self.settled_by),
            "errors": {part: plain(error) for part, error in self.errors.items()},
            "format": FORMAT,
        }

    @classmethod
    def from_plain(cls, value: Mapping[str, Any]) -> AccountReport:
        """Read a report that `to_plain` wrote; raise `ConfigurationError` for anything else.

        Amounts are converted when they are first used, as in an answer.
        """
        try:
            written = instance(value.get("format", 1), int, "format")
            if written <= FORMAT:
                return _read(value)
        except (LookupError, TypeError, AttributeError, ValueError, DustError) as error:
            reason = f"no {error}" if isinstance(error, LookupError) else str(error)
        else:
            raise ConfigurationError(f"this report {newer(written)}")
        raise ConfigurationError(f"this is no report of a scan: {reason[:200]}")


def _sums(quote: ConvertibleAssets | None) -> dict[str, str | None]:
    """Give the sums of a quote, by their names in Python."""
    return {name: plain(getattr(quote, name, None)) for name in ("gross", "fee", "net")}


def _read(value: Mapping[str, Any]) -> AccountReport:
    quote, settled_by = value["quote"], value["settled_by"]
    wallets = value.get("elsewhere")  # older reports have none
    return AccountReport(
        account=instance(value["account"], str, "account"),
        target=instance(value["target"], str, "target"),
        at=to_moment(value["at"]),
        assets=[answer_from_plain(UserAsset, row) for row in value["assets"]],
        quote=None if quote is None else answer_from_plain(ConvertibleAssets, quote),
        elsewhere=None
        if wallets is None
        else [answer_from_plain(WalletBalance, each) for each in wallets],
        last_chances=[answer_from_plain(LastChance, row) for row in value.get("last_chances", ())],
        liabilities=[answer_from_plain(SmallLiability, row) for row in value["liabilities"]],
        settled_by=None if settled_by is None else Settled(settled_by),
        errors={part: error_from_plain(error) for part, error in value["errors"].items()},
    )


def _shown(report: AccountReport, part: Callable[[AccountReport], str]) -> str:
    """Show a part, or why it can't be read: a repr never raises."""
    try:
        return part(report)
    except DustError as error:
        return f"<p>{escaped(str(error))}</p>"


def _dust_table(report: AccountReport) -> str:
    if report.quote is None:
        return ""
    details = report.quote.details
    rows = [
        (
            row.asset,
            row.amount,
            row.gross,
            row.fee,
            row.net,
        )
        for row in sorted(details, key=lambda row: row.net, reverse=True)
    ]
    return table(
        f"Dust, in {report.target}",
        ("asset", "amount", "gross", "fee", "net"),
        rows,
        footer=("all", None, report.gross, report.fee, report.net),
    )


class WalletRow(NamedTuple):
    """One balance in another wallet."""

    wallet: str
    asset: str
    """Empty if the exchange gave the worth of a wallet, and not what is in it."""
    free: Decimal | None
    total: Decimal | None
    worth: Decimal | None
    """In BTC."""

    @property
    def unavailable(self) -> Decimal | None:
        """What is locked, frozen or being withdrawn."""
        if self.free is None or self.total is None:
            return None
        return difference(self.total, self.free)


def wallet_rows(report: AccountReport) -> Iterator[WalletRow]:
    """Give what lies in other wallets, balance by balance."""
    for wallet in report.elsewhere or ():
        name = wallet.wallet_name
        for row in wallet.asset_balances or ():
            yield WalletRow(name, row.asset, row.free, row.total, row.btc_valuation)
        if not wallet.asset_balances:
            yield WalletRow(name, "", None, None, wallet.balance)


def _elsewhere_table(report: AccountReport) -> str:
    if not report.elsewhere:
        return ""
    head = ("wallet", "asset", "free", "total", "worth in BTC")
    return table("In other wallets", head, list(wallet_rows(report)))


def _delisting_table(report: AccountReport) -> str:
    if not report.last_chances:
        return ""
    rows = [(each.asset, each.account_type, str(each)) for each in report.last_chances]
    return table("Soon delisted", ("asset", "wallet", "until when"), rows)


def _debt_table(report: AccountReport) -> str:
    if not report.liabilities:
        return ""
    return table(
        "Small liabilities",
        ("asset", "principal", "interest", "worth", "in"),
        [
            (row.asset, row.principal, row.interest, row.liability_qty, row.liability_asset)
            for row in report.liabilities
        ],
    )


def _error_table(report: AccountReport) -> str:
    if report.ok:
        return ""
    rows = [(part, type(error).__name__, str(error)) for part, error in report.errors.items()]
    return table("Could not be read", ("part", "error", "reason"), rows)
