"""Margin debts, paid from what is held of the same asset: the same safety, one call for each debt.

The exchange of small debts only gathers them. This pays: what is owed in cross margin, as far as
the same asset is free there. Nothing is bought for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util import exact
from binance_dust._util.checks import instance
from binance_dust._util.html import Record
from binance_dust._util.words import count
from binance_dust.conversion import _guards, _tables
from binance_dust.conversion._account import debts_of, margin_holdings
from binance_dust.conversion._calls import repayment_call
from binance_dust.conversion._mover import QUOTE_TTL, FundsMover
from binance_dust.conversion._quote import BaseQuote, Reason, Skipped
from binance_dust.conversion._receipt import BaseReceipt
from binance_dust.conversion._send import FundsSender, refuses_one
from binance_dust.errors import (
    DustError,
    ExchangeError,
    GuardError,
    LedgerError,
    OutcomeUnknownError,
)
from binance_dust.ledger import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from binance_dust.client import DustClient
    from binance_dust.conversion._policy import Keep
    from binance_dust.ledger import Ledger, LedgerLine
    from binance_dust.models import MarginAccount

__all__ = ["Repayer", "RepaymentLine", "RepaymentQuote", "RepaymentReceipt", "plan_repayments"]

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepaymentLine(Record):
    """One debt, and how much of it can be paid now."""

    asset: str
    owed: Decimal
    """Principal and interest."""
    free: Decimal
    """What is free of it in the cross-margin account."""

    @property
    def amount(self) -> Decimal:
        """What would be paid: all of the debt, or all that is free."""
        return min(self.owed, self.free)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepaymentQuote(BaseQuote, Record):
    """A plan: which debts would be paid, each in its own asset."""

    target: str = ""
    """Empty: nothing is received, and no other debt begins."""
    lines: tuple[RepaymentLine, ...]

    def _table(self) -> _tables.Rows:
        rows = [(line.asset, line.owed, line.free, line.amount) for line in self.lines]
        total = (count(len(self.lines), "debt"), None, None, None)
        return f"{self.account}: debts to pay", ("asset", "owed", "free", "paid"), rows, total


@dataclass(frozen=True, slots=True, kw_only=True)
class RepaymentReceipt(BaseReceipt, Record):
    """Which debts were paid. `amount` of a line is in its own asset, so nothing is added up."""

    def __str__(self) -> str:
        return _tables.as_text(
            f"{self.account}: debts paid, {self.at:%F %T} UTC",
            [(line.asset, line.amount) for line in self.lines],
            (count(len(self.lines), "debt"), None),
            self.dropped,
            head=("asset", "paid"),
        )


class Repayer(FundsMover):
    """Pays an account's cross-margin debts from what is free of the same assets, all on record.

    It pays any debt, also a large one: name in `keep` what is part of a position. Each debt has a
    call of its own. The rules are those of the other calls that move funds.
    """

    def __init__(
        self,
        client: DustClient,
        *,
        ledger: Ledger,
        keep: Keep = (),
        quote_ttl: timedelta | float = QUOTE_TTL,
    ) -> None:
        """Take the rules; nothing is sent."""
        super().__init__(client, ledger, Kind.REPAYMENT, "MARGIN", keep, quote_ttl)

    async def quote(self) -> RepaymentQuote:
        """Read what is owed and what can be paid of it now."""
        context = self._context
        await context.check_ledger()
        keep = await self._keep(context.client)
        account = await context.client.margin_account()
        at = context.now()
        lines, skipped = plan_repayments(account, keep)
        return RepaymentQuote(
            account=context.account,
            key_id=context.key_id,
            lines=lines,
            skipped=skipped,
            at=at,
            expires_at=at + self._quote_ttl,
        )

    async def repay(self, quote: RepaymentQuote) -> RepaymentReceipt:
        """Pay the debts of a quote, each once. Errors mean the same as for `convert`.

        A debt that the exchange refuses to take back is in the receipt's `dropped`.
        """
        instance(quote, RepaymentQuote, "quote")
        context = self._context
        await self._check(quote)
        async with context.claimed("convert") as claim:
            account = await context.client.margin_account()
            sender = FundsSender(context, claim, self._quote_ttl)
            run = _Payments(sender, quote)
            await run.pay(account)
        return RepaymentReceipt(
            account=quote.account,
            lines=tuple(run.done),
            dropped=tuple(run.dropped),
            entry_ids=tuple(sender.entry_ids),
            at=context.now(),
        )

    async def next_eligible_at(self) -> datetime:
        """Say when to try the next repayment: now, as it has no cooldown."""
        return self._context.now()


class _Payments:
    """The calls of one quote, and what they have done so far."""

    def __init__(self, sender: FundsSender, quote: RepaymentQuote) -> None:
        self._sender = sender
        self._quote = quote
        self.done: list[LedgerLine] = []
        self.dropped: list[Skipped] = []

    async def pay(self, account: MarginAccount) -> None:
        """Pay what is still as it was quoted; `account` was read a moment ago."""
        owed = debts_of(account)
        left = self._still_as_quoted(account)
        if not left:
            raise GuardError(
                f"{self._quote.account}: every debt has changed since the quote: "
                + "; ".join(map(str, self.dropped)),
                account=self._quote.account,
            )
        for n, (line, amount) in enumerate(left):
            try:
                call = repayment_call(line.asset, owed[line.asset], amount)
                self.done.extend((await self._sender.send(call, self._quote)).lines)
            except (OutcomeUnknownError, LedgerError):
                raise
            except DustError as error:
                if not self.done and (len(left) == 1 or not refuses_one(error)):
                    raise
                refused = isinstance(error, ExchangeError)
                self._drop(line, Reason.REFUSED if refused else Reason.NOT_TRIED, str(error))
                if refuses_one(error):
                    continue
                for rest, _ in left[n + 1 :]:
                    self._drop(rest, Reason.NOT_TRIED, str(error))
                return

    def _still_as_quoted(self, account: MarginAccount) -> list[tuple[RepaymentLine, Decimal]]:
        """Say how much of each debt is paid, and drop those that have changed."""
        owed, free = debts_of(account), _free_of(account)
        left: list[tuple[RepaymentLine, Decimal]] = []
        for line in self._quote.lines:
            now, can_pay = owed.get(line.asset, _NOTHING), free.get(line.asset, _NOTHING)
            if _guards.is_changed(line.owed, now):
                self._drop(line, Reason.CHANGED, f"{line.owed:f} owed then, {now:f} now")
            elif can_pay < line.amount:
                self._drop(line, Reason.CHANGED, f"{line.free:f} free then, {can_pay:f} now")
            else:
                # With the interest of the minute since, if all of it was to be paid.
                wanted = now if line.amount == line.owed else line.amount
                left.append((line, min(wanted, can_pay)))
        return left

    def _drop(self, line: RepaymentLine, reason: Reason, detail: str) -> None:
        self.dropped.append(
            Skipped(asset=line.asset, amount=line.amount, reason=reason, detail=detail)
        )


def plan_repayments(
    account: MarginAccount, keep: frozenset[str]
) -> tuple[tuple[RepaymentLine, ...], tuple[Skipped, ...]]:
    """Divide what is owed into what can be paid and what stays."""
    free = _free_of(account)
    lines: list[RepaymentLine] = []
    skipped: list[Skipped] = []
    for asset, owed in sorted(debts_of(account).items()):
        held = free.get(asset, _NOTHING)
        if asset in keep:
            skipped.append(Skipped(asset=asset, amount=owed, reason=Reason.KEPT))
            continue
        if held > 0:
            lines.append(RepaymentLine(asset=asset, owed=owed, free=held))
        if held < owed:
            left = exact.difference(owed, held)
            skipped.append(Skipped(asset=asset, amount=left, reason=Reason.NOTHING_HELD))
    return tuple(lines), tuple(skipped)


def _free_of(account: MarginAccount) -> Mapping[str, Decimal]:
    return {asset: held.free for asset, held in margin_holdings(account).items()}
