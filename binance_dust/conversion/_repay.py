"""Margin debts, paid from what is held of the same asset: the same safety, one call for each debt.

The exchange of small debts only gathers them. This pays: what is owed in cross margin, as far as
the same asset is free there. Nothing is bought for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util import exact
from binance_dust._util.checks import instance, to_timedelta
from binance_dust._util.html import Record
from binance_dust._util.words import count
from binance_dust.conversion import _guards, _policy, _tables
from binance_dust.conversion._account import AccountContext, debts_of, margin_holdings
from binance_dust.conversion._calls import repayment_call
from binance_dust.conversion._quote import BaseQuote, Reason, Skipped
from binance_dust.conversion._recover import recover
from binance_dust.conversion._send import refuses_one, send
from binance_dust.errors import (
    DustError,
    ExchangeError,
    GuardError,
    LedgerError,
    OutcomeUnknownError,
)
from binance_dust.ledger import Kind
from binance_dust.ledger._entry import funds_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.client import DustClient
    from binance_dust.conversion._policy import Keep
    from binance_dust.ledger import Claim, Ledger, LedgerEntry, LedgerLine
    from binance_dust.models import MarginAccount

__all__ = ["Repayer", "RepaymentLine", "RepaymentQuote", "RepaymentReceipt", "plan_repayments"]

_QUOTE_TTL: Final = timedelta(seconds=60)
_HEAD: Final = ("asset", "owed", "free", "paid")


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

    def __str__(self) -> str:
        return _tables.as_text(
            f"{self.account}: debts to pay, as of {self.at:%F %T} UTC",
            self._rows(),
            (count(len(self.lines), "debt"), None, None, None),
            self.skipped,
            head=_HEAD,
        )

    def _repr_html_(self) -> str:
        total = (count(len(self.lines), "debt"), None, None, None)
        caption = f"{self.account}: debts to pay"
        return _tables.as_html(caption, self._rows(), total, self.skipped, head=_HEAD)

    def _rows(self) -> list[tuple[_tables.Cell, ...]]:
        return [(line.asset, line.owed, line.free, line.amount) for line in self.lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepaymentReceipt(Record):
    """Which debts were paid. The ledger has the same."""

    account: str
    lines: tuple[LedgerLine, ...]
    """Each paid debt; `amount` is in the line's own asset, so nothing is added up."""
    dropped: tuple[Skipped, ...] = ()
    """What was in the quote and was not paid, and why."""
    entry_ids: tuple[int, ...] = ()
    """The ledger's entries, one for each call that was sent, also for refused calls."""
    at: datetime
    """When it was over, by the exchange's clock."""

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets that were paid."""
        return tuple(line.asset for line in self.lines)

    @property
    def complete(self) -> bool:
        """Whether everything in the quote was paid."""
        return not self.dropped

    def __bool__(self) -> bool:
        return bool(self.lines)

    def __str__(self) -> str:
        return _tables.as_text(
            f"{self.account}: debts paid, {self.at:%F %T} UTC",
            [(line.asset, line.amount) for line in self.lines],
            (count(len(self.lines), "debt"), None),
            self.dropped,
            head=("asset", "paid"),
        )


class Repayer:
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
        quote_ttl: timedelta | float = _QUOTE_TTL,
    ) -> None:
        """Take the rules; nothing is sent."""
        self._context = AccountContext(client, ledger)
        self._keep = _policy.KeepRule(keep)
        self._quote_ttl = to_timedelta(quote_ttl, "quote_ttl")

    @property
    def client(self) -> DustClient:
        """The account."""
        return self._context.client

    @property
    def ledger(self) -> Ledger:
        """The record."""
        return self._context.ledger

    @property
    def funds(self) -> frozenset[str]:
        """What it moves, as `LedgerEntry.funds`: an open entry of other funds is no obstacle."""
        return frozenset({funds_of(Kind.REPAYMENT, "MARGIN")})

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
        context, ttl = self._context, self._quote_ttl
        await context.prepare(*self.funds)
        _guards.check_quote(
            quote, account=context.account, key_id=context.key_id, now=context.now(), ttl=ttl
        )
        async with context.claimed("convert") as claim:
            account = await context.client.margin_account()
            run = _Payments(context, claim, quote, ttl)
            try:
                await run.pay(account)
            except (OutcomeUnknownError, LedgerError) as error:
                error.entry_ids = tuple(run.ids)
                raise
        return RepaymentReceipt(
            account=quote.account,
            lines=tuple(run.done),
            dropped=tuple(run.dropped),
            entry_ids=tuple(run.ids),
            at=context.now(),
        )

    async def recover(self) -> list[LedgerEntry]:
        """Find out how the account's open entries ended: the same as `Converter.recover`."""
        return await recover(self._context)

    async def next_eligible_at(self) -> datetime:
        """Say when to try the next repayment: now, as it has no cooldown."""
        return self._context.now()

    def __repr__(self) -> str:
        return f"<Repayer {self._context.account}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("a Repayer holds a client, which holds a key, and is never pickled")


class _Payments:
    """The calls of one quote, and what they have done so far."""

    def __init__(
        self, context: AccountContext, claim: Claim, quote: RepaymentQuote, ttl: timedelta
    ) -> None:
        self._context = context
        self._claim = claim
        self._quote = quote
        self._ttl = ttl
        self.done: list[LedgerLine] = []
        self.dropped: list[Skipped] = []
        self.ids: list[int] = []

    async def pay(self, account: MarginAccount) -> None:
        """Pay what is still as it was quoted; `account` was read a moment ago."""
        owed = debts_of(account)
        left = self._still_as_quoted(account)
        if not left:
            raise GuardError(
                f"{self._context.account}: every debt has changed since the quote: "
                + "; ".join(map(str, self.dropped)),
                account=self._context.account,
            )
        for n, (line, amount) in enumerate(left):
            try:
                await self._pay(line, owed[line.asset], amount)
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
            now, can_pay = owed.get(line.asset, line.owed * 0), free.get(line.asset, line.owed * 0)
            if _guards.is_changed(line.owed, now):
                self._drop(line, Reason.CHANGED, f"{line.owed:f} owed then, {now:f} now")
            elif can_pay < line.amount:
                self._drop(line, Reason.CHANGED, f"{line.free:f} free then, {can_pay:f} now")
            else:
                # With the interest of the minute since, if all of it was to be paid.
                wanted = now if line.amount == line.owed else line.amount
                left.append((line, min(wanted, can_pay)))
        return left

    async def _pay(self, line: RepaymentLine, owed: Decimal, amount: Decimal) -> None:
        context = self._context
        _guards.refuse_old(self._quote, now=context.now(), ttl=self._ttl)
        funds_call = repayment_call(line.asset, owed, amount)
        result = await send(context, self._claim, funds_call, self.ids.append)
        self.done.extend(result.lines)

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
        held = free.get(asset, owed * 0)
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
