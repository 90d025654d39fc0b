"""One conversion: its calls, one after another; which batch to try next; and the receipt.

What is to be gathered comes first, then dust, then sales. Each call is a movement of its own: it
has its entry, and if its outcome is unknown, nothing goes after it.

One asset that can't be converted fails a whole batch. A definite refusal costs nothing: nothing was
converted, and the cooldown is not spent. A success spends it. So the search never tries a small
batch to learn something: it might succeed, and the rest would have to wait. It tries the largest
batch that may work, and takes away

1. what the refusal names,
2. or what is no longer on the exchange's list,
3. or else one asset after another, until a batch without it succeeds.

If two assets are to blame and neither is named, it gives up: nothing was converted, and the caller
may narrow the quote.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util import exact
from binance_dust.conversion import _guards
from binance_dust.conversion._account import read_holdings, read_listed
from binance_dust.conversion._calls import conversion_call, sale_call, transfer_call
from binance_dust.conversion._gather import changed_funding
from binance_dust.conversion._quote import Reason, Skipped
from binance_dust.conversion._receipt import Receipt
from binance_dust.conversion._sales import rule_against_now
from binance_dust.conversion._send import FundsSender, refuses_one
from binance_dust.errors import (
    DustError,
    ExchangeError,
    GuardError,
    LedgerError,
    NotConvertibleError,
    OutcomeUnknownError,
)
from binance_dust.ledger import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from binance_dust.conversion._account import AccountContext, HeldAsset
    from binance_dust.conversion._policy import Policy
    from binance_dust.conversion._quote import Quote, QuoteLine
    from binance_dust.conversion._send import FundsCall, SendResult
    from binance_dust.ledger import Claim, LedgerLine

__all__ = ["CulpritSearch", "Run"]

_IN_SPOT: Final = "it is in the spot wallet now"
_NOTHING_SPENT: Final = "nothing was converted, and the cooldown is not spent"
_SEVERAL_TO_BLAME: Final = (
    "more than one of these assets is to blame, and the exchange does not say which: narrow the "
    "quote with only() or without()"
)


class Run:
    """What one quote says, carried out: gather, convert, sell; and what it has done so far."""

    def __init__(
        self,
        context: AccountContext,
        claim: Claim,
        policy: Policy,
        quote: Quote,
        *,
        together: bool,
    ) -> None:
        """Prepare; nothing is sent."""
        self._context = context
        self._sender = FundsSender(context, claim, policy.quote_ttl)
        self._policy = policy
        self._quote = quote
        self._in_one_call = policy.kind is Kind.DUST or together
        self._by_asset = {line.asset: line for line in quote.lines}
        self._held: Mapping[str, HeldAsset] = {}
        self._done: list[LedgerLine] = []
        self._gathered: list[LedgerLine] = []
        self._dropped: list[Skipped] = []
        self._notes: list[str] = []

    async def convert(self, held: Mapping[str, HeldAsset]) -> Receipt:
        """Carry out what is still as it was quoted; `held` was read a moment ago."""
        self._held = held
        await self._carry_out()
        return self._receipt()

    async def _carry_out(self) -> None:
        if self._quote.gather:
            await self._gather()
        left: list[QuoteLine] = []
        for line in self._quote.lines:
            if (why := _guards.changed_balance(line, self._held)) is not None:
                self._dropped.append(why)
            else:
                left.append(line)
        if not left and not self._gathered:
            raise GuardError(
                f"{self._context.account}: every balance has changed since the quote: "
                + "; ".join(map(str, self._dropped)),
                account=self._context.account,
            )
        sales = [line for line in left if line.sale]
        refusal = None
        if dust := tuple(line.asset for line in left if not line.sale):
            refusal = await self._convert_dust(dust)
        await self._sell_all(sales)
        if refusal is not None and not self._done:
            raise refusal

    async def _convert_dust(self, dust: tuple[str, ...]) -> DustError | None:
        """Convert dust; return the error by which nothing of it was converted."""
        try:
            await (self._convert_batch if self._in_one_call else self._convert_singly)(dust)
        except (OutcomeUnknownError, LedgerError):
            raise
        except DustError as error:
            for asset in dust:
                self._drop(asset, _reason_of(error), str(error))
            return error
        return None

    async def _convert_batch(self, assets: tuple[str, ...]) -> None:
        # The least valuable are suspected first: they cost least to leave out.
        search = CulpritSearch(assets, sorted(assets, key=lambda asset: self._by_asset[asset].net))
        why = ""
        while batch := search.batch:
            try:
                await self._send(batch)
            except NotConvertibleError as error:
                why = error.message
                named = error.assets if len(error.assets) < len(batch) else ()
                search.refused(named, () if named else await self._unlisted(batch))
                if not search.batch:
                    all_dropped = len(search.dropped) == len(assets)
                    error.add_note(_NOTHING_SPENT if all_dropped else _SEVERAL_TO_BLAME)
                    raise
            else:
                search.succeeded()
                break
        for asset in search.dropped:
            self._drop(asset, Reason.REFUSED, why)

    async def _convert_singly(self, assets: tuple[str, ...]) -> None:
        refusal: NotConvertibleError | None = None
        for n, asset in enumerate(assets):
            try:
                await self._send((asset,))
            except NotConvertibleError as error:
                refusal = error
                self._drop(asset, Reason.REFUSED, error.message)
            except (OutcomeUnknownError, LedgerError):
                raise
            except DustError as error:
                self._stop(assets[n:], error)
                return
        if refusal is not None and not self._done:
            raise refusal

    def _stop(self, rest: tuple[str, ...], error: DustError) -> None:
        """Stop at an error that the rest would meet too. Raise it if nothing was done yet."""
        if not self._done:
            raise error
        first, *others = rest
        self._drop(first, _reason_of(error), str(error))
        for asset in others:
            self._drop(asset, Reason.NOT_TRIED, "see the one before")

    async def _send(self, batch: tuple[str, ...]) -> None:
        held = {asset: self._held[asset].free for asset in batch}
        result = await self._move(conversion_call(held, self._policy))
        for line in result.lines:
            quoted = self._by_asset.get(line.asset)
            self._notes.extend(_guards.deviations(line, quoted, self._policy))
        self._done.extend(result.lines)
        done = {line.asset for line in result.lines}
        for asset in batch:
            if asset not in done:
                self._drop(asset, Reason.NOT_DONE, result.nothing or "")

    async def _move(self, funds_call: FundsCall) -> SendResult:
        """Send one call of the run, whatever it moves."""
        result = await self._sender.send(funds_call, self._quote)
        self._notes.extend(result.notes)
        return result

    async def _unlisted(self, batch: tuple[str, ...]) -> tuple[str, ...]:
        """Read which assets of a batch the exchange no longer lists."""
        listed = {line.asset for line in await read_listed(self._context.client, self._policy)}
        return tuple(asset for asset in batch if asset not in listed)

    # --- from the funding wallet, and sales by quote ---------------------------------------------

    async def _gather(self) -> None:
        """Bring dust to the spot wallet, one asset after another, and read what it brings there."""
        rows = await self._context.client.funding_assets()
        for n, line in enumerate(self._quote.gather):
            if (why := changed_funding(line, rows)) is not None:
                self._dropped.append(why)
                continue
            try:
                result = await self._move(transfer_call(line.asset, line.amount))
            except (OutcomeUnknownError, LedgerError):
                raise
            except DustError as error:
                if not self._gathered and not isinstance(error, ExchangeError):
                    raise
                self._skip(line.asset, line.amount, _reason_of(error), str(error))
                if refuses_one(error):
                    continue
                for rest in self._quote.gather[n + 1 :]:
                    self._skip(rest.asset, rest.amount, Reason.NOT_TRIED, str(error))
                break
            else:
                self._gathered.extend(result.lines)
        if self._gathered:
            await self._read_gathered()

    async def _read_gathered(self) -> None:
        """Quote anew what is dust: the exchange's list has what was brought only now."""
        client, policy, quote = self._context.client, self._policy, self._quote
        wanted = {line.asset: line.amount for line in quote.lines if not line.sale}
        for moved in self._gathered:
            amount = wanted.get(moved.asset, Decimal(0))
            wanted[moved.asset] = exact.total((amount, moved.amount))
        self._held = await read_holdings(client, policy.account_type)
        at = self._context.now()
        listed = {line.asset: line for line in await read_listed(client, policy)}
        lines = [line for line in quote.lines if line.sale]
        for asset, amount in wanted.items():
            line = listed.get(asset)
            if line is None:
                self._skip(asset, amount, Reason.UNSUPPORTED, _IN_SPOT)
            elif exact.difference(line.amount, amount).copy_abs() >= _guards.TOLERANCE:
                detail = f"{amount:f} expected, {line.amount:f} listed, {_IN_SPOT}"
                self._skip(asset, amount, Reason.CHANGED, detail)
            elif (found := _guards.rule_against(line, policy)) is not None:
                reason, detail = found
                self._skip(asset, amount, reason, f"{detail}, {_IN_SPOT}")
            else:
                lines.append(line)
        self._quote = replace(
            quote, lines=tuple(lines), at=at, expires_at=at + policy.quote_ttl, gather=()
        )
        self._by_asset = {line.asset: line for line in lines}

    async def _sell_all(self, sales: list[QuoteLine]) -> None:
        for n, line in enumerate(sales):
            if (error := await self._sell(line)) is not None:
                for rest in sales[n + 1 :]:
                    self._drop(rest.asset, Reason.NOT_TRIED, str(error))
                return

    async def _sell(self, line: QuoteLine) -> DustError | None:
        """Take a fresh quote, and accept it if it keeps the rules.

        Returns an error that the next sale would meet, too.
        """
        context, target = self._context, self._quote.target
        try:
            offer = await context.client.convert_quote(line.asset, target, amount=line.amount)
            found = rule_against_now(line, offer, self._policy, context.now())
            if found is not None or offer.quote_id is None:
                self._drop(line.asset, *(found or (Reason.CHANGED, "it can't be accepted")))
                return None
            result = await self._move(
                sale_call(context, offer, offer.quote_id, asset=line.asset, target=target)
            )
        except (OutcomeUnknownError, LedgerError):
            raise
        except DustError as error:
            if not self._done and not self._gathered and not isinstance(error, ExchangeError):
                raise
            self._drop(line.asset, _reason_of(error), str(error))
            return None if refuses_one(error) else error
        self._done.extend(result.lines)
        if result.nothing is not None:
            self._drop(line.asset, Reason.NOT_DONE, result.nothing)
        return None

    # --- what was done, and what was not ---------------------------------------------------------

    def _skip(self, asset: str, amount: Decimal, reason: Reason, detail: str) -> None:
        self._dropped.append(Skipped(asset=asset, amount=amount, reason=reason, detail=detail))

    def _drop(self, asset: str, reason: Reason, detail: str) -> None:
        self._skip(asset, self._by_asset[asset].amount, reason, detail)

    def _receipt(self) -> Receipt:
        return Receipt(
            account=self._quote.account,
            account_type=self._quote.account_type,
            target=self._quote.target,
            lines=tuple(self._done),
            gathered=tuple(self._gathered),
            dropped=tuple(self._dropped),
            entry_ids=tuple(self._sender.entry_ids),
            quoted_net=exact.total(
                self._by_asset[line.asset].net
                for line in self._done
                if line.asset in self._by_asset
            ),
            notes=tuple(self._notes),
            at=self._context.now(),
        )


def _reason_of(error: DustError) -> Reason:
    return Reason.REFUSED if isinstance(error, ExchangeError) else Reason.NOT_TRIED


class CulpritSearch:
    """The batches of one conversion, from all assets down to those that can be converted."""

    def __init__(self, assets: tuple[str, ...], suspects: Iterable[str] | None = None) -> None:
        """Begin with all assets; `suspects` says in which order to leave them out."""
        self._order = tuple(assets if suspects is None else suspects)
        self.dropped: list[str] = []
        """The assets that are known to be to blame, so far."""
        self._assets = assets
        self._suspects: list[str] | None = None
        """The assets that are still to be left out once, the next one first; `None` before step 3
        begins."""
        self._left_out: str | None = None

    @property
    def batch(self) -> tuple[str, ...]:
        """What to try next; empty when there is nothing left to try."""
        return tuple(asset for asset in self._assets if asset != self._left_out)

    def refused(self, named: tuple[str, ...], unlisted: tuple[str, ...] = ()) -> None:
        """Note that the batch was refused. `named` by the refusal, `unlisted` by the exchange."""
        batch = self.batch
        if len(batch) == 1:
            # A batch of one needs no name.
            self._drop(batch)
            return
        blamed = tuple(asset for asset in named if asset in batch)
        if blamed and len(blamed) < len(batch):
            self._drop(blamed)
            return
        gone = tuple(asset for asset in unlisted if asset in batch)
        if gone:
            self._drop(gone)
            return
        if self._suspects is None:
            self._suspects = [asset for asset in self._order if asset in self._assets]
        if self._suspects:
            self._left_out = self._suspects.pop(0)
        else:
            # Each was left out once, without success: more than one is to blame.
            self._assets, self._left_out = (), None

    def succeeded(self) -> None:
        """Note that the batch succeeded: the asset that was left out is the culprit."""
        if self._left_out is not None:
            self._drop((self._left_out,))

    def _drop(self, culprits: tuple[str, ...]) -> None:
        self.dropped.extend(culprits)
        self._assets = tuple(asset for asset in self._assets if asset not in culprits)
        self._suspects, self._left_out = None, None
