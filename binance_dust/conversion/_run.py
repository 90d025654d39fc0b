"""One conversion under way: the calls that it takes, one after another, and what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust._util import exact
from binance_dust.conversion import _policy
from binance_dust.conversion._culprits import Search
from binance_dust.conversion._guards import refuse_old
from binance_dust.conversion._listing import read_listed
from binance_dust.conversion._orders import order
from binance_dust.conversion._reasons import Reason, Skipped
from binance_dust.conversion._receipt import Receipt
from binance_dust.conversion._send import send
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
    from collections.abc import Mapping

    from binance_dust.conversion._account import Desk
    from binance_dust.conversion._holdings import Holding
    from binance_dust.conversion._policy import Policy
    from binance_dust.conversion._quote import Quote
    from binance_dust.ledger import Claim, LedgerLine

__all__ = ["Run"]

_NONE: Final = "nothing was converted, and the cooldown is not spent"
_NOT_SAID: Final = (
    "more than one of these assets is to blame, and which is not said: narrow the quote with only()"
    " or without()"
)


class Run:
    """What has been done of a quote so far."""

    def __init__(
        self, desk: Desk, claim: Claim, policy: Policy, quote: Quote, *, together: bool
    ) -> None:
        """Begin with nothing done."""
        self._desk = desk
        self._claim = claim
        self._policy = policy
        self._quote = quote
        self._in_one = policy.kind is Kind.DUST or together
        self._by_asset = {line.asset: line for line in quote.lines}
        self._held: Mapping[str, Holding] = {}
        self._done: list[LedgerLine] = []
        self._dropped: list[Skipped] = []
        self._entry_ids: list[int] = []
        self._notes: list[str] = []

    async def convert(self, held: Mapping[str, Holding]) -> Receipt:
        """Convert what is still as it was quoted; `held` was read a moment ago."""
        self._held = held
        for line in self._quote.lines:
            if (why := _policy.changed(line, held)) is not None:
                self._dropped.append(why)
        gone = {skipped.asset for skipped in self._dropped}
        assets = tuple(asset for asset in self._quote.assets if asset not in gone)
        if not assets:
            raise GuardError(
                f"{self._desk.account}: every balance has changed since the quote: "
                + "; ".join(map(str, self._dropped)),
                account=self._desk.account,
            )
        try:
            if self._in_one:
                await self._convert_batch(assets)
            else:
                await self._convert_singly(assets)
        except (OutcomeUnknownError, LedgerError) as error:
            error.entry_ids = tuple(self._entry_ids)
            raise
        return self._receipt()

    async def _convert_batch(self, assets: tuple[str, ...]) -> None:
        # The least valuable are suspected first: they cost least to leave out.
        search = Search(assets, sorted(assets, key=lambda asset: self._by_asset[asset].net))
        why = ""
        while batch := search.batch:
            try:
                await self._send(batch)
            except NotConvertibleError as error:
                why = error.message
                named = error.assets if len(error.assets) < len(batch) else ()
                search.refused(named, () if named else await self._unlisted(batch))
                if not search.batch:
                    error.add_note(_NONE if len(search.dropped) == len(assets) else _NOT_SAID)
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
        """Stop at an error that the rest would meet too: raise it, unless something was done."""
        if not self._done:
            raise error
        first, *others = rest
        refused = isinstance(error, ExchangeError)
        self._drop(first, Reason.REFUSED if refused else Reason.NOT_TRIED, str(error))
        for asset in others:
            self._drop(asset, Reason.NOT_TRIED, "see the one before")

    async def _send(self, batch: tuple[str, ...]) -> None:
        # Asked before each call: the quote grows older while it is being carried out.
        refuse_old(self._quote, now=self._desk.now(), ttl=self._policy.quote_ttl)
        held = {asset: self._held[asset].free for asset in batch}
        answer = await send(
            self._desk, self._claim, order(held, self._policy), self._entry_ids.append
        )
        self._done.extend(answer.lines)
        self._notes.extend(answer.notes)
        for line in answer.lines:
            quoted = self._by_asset.get(line.asset)
            self._notes.extend(_policy.surprises(line, quoted, self._policy))
        done = {line.asset for line in answer.lines}
        for asset in batch:
            if asset not in done:
                self._drop(asset, Reason.NOT_DONE, answer.nothing or "")

    async def _unlisted(self, batch: tuple[str, ...]) -> tuple[str, ...]:
        """Ask which of these the exchange lists no longer."""
        listed = {line.asset for line in await read_listed(self._desk.client, self._policy)}
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
            at=self._desk.now(),
        )
