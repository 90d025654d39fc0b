"""One conversion: its calls, one after another; which batch to try next; and the receipt.

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

from typing import TYPE_CHECKING, Final

from binance_dust._util import exact
from binance_dust.conversion import _guards
from binance_dust.conversion._account import read_listed
from binance_dust.conversion._quote import Reason, Skipped
from binance_dust.conversion._receipt import Receipt
from binance_dust.conversion._send import conversion_call, send
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
    from binance_dust.conversion._quote import Quote
    from binance_dust.ledger import Claim, LedgerLine

__all__ = ["CulpritSearch", "Run"]

_NOTHING_SPENT: Final = "nothing was converted, and the cooldown is not spent"
_SEVERAL_TO_BLAME: Final = (
    "more than one of these assets is to blame, and the exchange does not say which: narrow the "
    "quote with only() or without()"
)


class Run:
    """The conversion of one quote, and what it has done so far."""

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
        self._claim = claim
        self._policy = policy
        self._quote = quote
        self._in_one_call = policy.kind is Kind.DUST or together
        self._by_asset = {line.asset: line for line in quote.lines}
        self._held: Mapping[str, HeldAsset] = {}
        self._done: list[LedgerLine] = []
        self._dropped: list[Skipped] = []
        self._entry_ids: list[int] = []
        self._notes: list[str] = []

    async def convert(self, held: Mapping[str, HeldAsset]) -> Receipt:
        """Convert what is still as it was quoted; `held` was read a moment ago."""
        self._held = held
        for line in self._quote.lines:
            if (why := _guards.changed_balance(line, held)) is not None:
                self._dropped.append(why)
        gone = {skipped.asset for skipped in self._dropped}
        assets = tuple(asset for asset in self._quote.assets if asset not in gone)
        if not assets:
            raise GuardError(
                f"{self._context.account}: every balance has changed since the quote: "
                + "; ".join(map(str, self._dropped)),
                account=self._context.account,
            )
        try:
            if self._in_one_call:
                await self._convert_batch(assets)
            else:
                await self._convert_singly(assets)
        except (OutcomeUnknownError, LedgerError) as error:
            error.entry_ids = tuple(self._entry_ids)
            raise
        return self._receipt()

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
        refused = isinstance(error, ExchangeError)
        self._drop(first, Reason.REFUSED if refused else Reason.NOT_TRIED, str(error))
        for asset in others:
            self._drop(asset, Reason.NOT_TRIED, "see the one before")

    async def _send(self, batch: tuple[str, ...]) -> None:
        # Checked before each call: the quote gets older during the conversion.
        _guards.refuse_old(self._quote, now=self._context.now(), ttl=self._policy.quote_ttl)
        held = {asset: self._held[asset].free for asset in batch}
        result = await send(
            self._context, self._claim, conversion_call(held, self._policy), self._entry_ids.append
        )
        self._done.extend(result.lines)
        self._notes.extend(result.notes)
        for line in result.lines:
            quoted = self._by_asset.get(line.asset)
            self._notes.extend(_guards.deviations(line, quoted, self._policy))
        done = {line.asset for line in result.lines}
        for asset in batch:
            if asset not in done:
                self._drop(asset, Reason.NOT_DONE, result.nothing or "")

    async def _unlisted(self, batch: tuple[str, ...]) -> tuple[str, ...]:
        """Read which assets of a batch the exchange no longer lists."""
        listed = {line.asset for line in await read_listed(self._context.client, self._policy)}
        return tuple(asset for asset in batch if asset not in listed)

    def _drop(self, asset: str, reason: Reason, detail: str) -> None:
        line = self._by_asset[asset]
        self._dropped.append(Skipped(asset=asset, amount=line.amount, reason=reason, detail=detail))

    def _receipt(self) -> Receipt:
        return Receipt(
            account=self._quote.account,
            account_type=self._quote.account_type,
            target=self._quote.target,
            lines=tuple(self._done),
            dropped=tuple(self._dropped),
            entry_ids=tuple(self._entry_ids),
            quoted_net=exact.total(
                self._by_asset[line.asset].net
                for line in self._done
                if line.asset in self._by_asset
            ),
            notes=tuple(self._notes),
            at=self._context.now(),
        )


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
