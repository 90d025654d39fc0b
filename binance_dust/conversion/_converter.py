"""The converter: quote, guard, convert, recover."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from binance_dust._util.checks import instance, to_timedelta
from binance_dust.conversion import _guards, _policy
from binance_dust.conversion._account import read_holdings, read_listed
from binance_dust.conversion._gather import read_gather
from binance_dust.conversion._mover import QUOTE_TTL, FundsMover
from binance_dust.conversion._plan import plan_dust
from binance_dust.conversion._quote import Quote
from binance_dust.conversion._run import Run
from binance_dust.conversion._sales import plan_sales
from binance_dust.conversion._worth import Worth, find_worth, with_ceiling
from binance_dust.endpoints import to_account_type
from binance_dust.errors import CooldownError
from binance_dust.ledger import Kind, from_dust_log
from binance_dust.ledger._entry import funds_of
from binance_dust.models import Delistings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from binance_dust.client import DustClient
    from binance_dust.conversion._account import HeldAsset
    from binance_dust.conversion._policy import Keep
    from binance_dust.conversion._quote import GatherLine, QuoteLine
    from binance_dust.conversion._receipt import Receipt
    from binance_dust.endpoints import AccountType, WalletName
    from binance_dust.ledger import Ledger

__all__ = ["COOLDOWN", "MAX_FEE_RATE", "QUOTE_TTL", "Converter"]

COOLDOWN: Final = timedelta(hours=24)
"""The longest that any source names (1 h in 2026, 6 h in 2021, 24 h in 2018). Too long costs only
patience, and the ledger learns what is enough."""
MAX_FEE_RATE: Final = Decimal("0.05")
"""Above the rates seen for ordinary assets (2 to 2.6 %), and below the 10 % of Alpha tokens."""


class Converter(FundsMover):
    """Turns one account's dust into a target, at most once, with everything on record.

        converter = Converter(client, ledger=ledger)
        quote = await converter.quote()
        print(quote)
        receipt = await converter.convert(quote.without("XRP"))

    It never sends a call again that may have been carried out. If that isn't known, `convert`
    raises `OutcomeUnknownError`, and `recover` finds out by reading.
    """

    def __init__(  # noqa: PLR0913 - the public face, all by keyword
        self,
        client: DustClient,
        *,
        ledger: Ledger,
        target: str = "BNB",
        account_type: WalletName = "SPOT",
        keep: Keep = (),
        max_fee_rate: Decimal | str = MAX_FEE_RATE,
        min_value: Decimal | str | int = 0,
        quote_ttl: timedelta | float = QUOTE_TTL,
        cooldown: timedelta | float = COOLDOWN,
        when_below: Mapping[str, Decimal | str | int] | None = None,
        delistings: Delistings | None = None,
        together: bool = False,
        gather: bool = False,
        above: Literal["convert"] | None = None,
        above_max: Decimal | str | int | None = None,
    ) -> None:
        """Take the rules; nothing is sent.

        `keep` are assets to leave alone, or a function that returns them: it is given the client
        before each quote and each conversion, and may be async. Assets that cost a larger part than
        `max_fee_rate`, or bring less than `min_value` of the target, are skipped. A quote is good
        for `quote_ttl`. The account waits for `cooldown` between conversions until its history
        shows what is enough; 0 leaves that to the exchange. `when_below={"BNB": "0.05"}` converts
        only while less than that is free in the wallet, of each asset that it names. `delistings`,
        from `client.delistings()`, let quotes say what can be converted until when. `together`
        sends several assets in one `dust_convert` (targets other than BNB). This is not proven to
        work: by default each asset has a call of its own.

        `gather` brings dust of the funding wallet to the spot wallet first. `above="convert"` sells
        by quote what is too much for dust, up to a worth of `above_max` in the target. Both are for
        the spot wallet.
        """
        keep = _policy.KeepRule(keep)
        self._policy = policy = _policy.Policy(
            target=target,
            account_type=to_account_type(account_type),
            keep=keep.names,
            max_fee_rate=_policy.to_decimal(max_fee_rate, "max_fee_rate"),
            min_value=_policy.to_decimal(min_value, "min_value"),
            quote_ttl=to_timedelta(quote_ttl, "quote_ttl"),
            cooldown=to_timedelta(cooldown, "cooldown"),
            when_below=_policy.to_when_below({} if when_below is None else when_below),
            gather=instance(gather, bool, "gather"),
            above_max=_policy.most_to_sell(above, above_max),
        )
        wallet, ttl = policy.account_type, policy.quote_ttl
        super().__init__(client, ledger, policy.kind, wallet, keep, ttl, policy.cooldown)
        self._together = instance(together, bool, "together")
        self._delistings = instance(
            Delistings() if delistings is None else delistings, Delistings, "delistings"
        )

    @property
    def target(self) -> str:
        """What dust is turned into."""
        return self._policy.target

    @property
    def account_type(self) -> AccountType:
        """The wallet."""
        return self._policy.account_type

    @property
    def funds(self) -> frozenset[str]:
        """What it moves, as `LedgerEntry.funds`: an open entry of other funds is no obstacle."""
        found = super().funds
        if self._policy.gather:
            found |= {funds_of(Kind.TRANSFER, self._policy.account_type)}
        return found

    # --- reading ---------------------------------------------------------------------------------

    async def quote(self) -> Quote:
        """Read what can be converted now, what it would bring, and what stays and why."""
        context = self._context
        await context.check_ledger()
        policy = replace(self._policy, keep=await self._keep(context.client))
        held = await read_holdings(context.client, policy.account_type, valued=True)
        listed = await read_listed(context.client, policy)
        eligibility = await self._read_eligibility()
        at = context.now()
        worth = await self._read_worth(held, listed, policy)
        lines, skipped = plan_dust(
            listed,
            held,
            policy,
            worth=worth,
            cooling=eligibility.cooling([line.asset for line in listed], at),
        )
        gather: tuple[GatherLine, ...] = ()
        needed = _guards.not_needed(held, policy) is None
        if needed and policy.above_max is not None:
            sales, skipped = await plan_sales(context.client, policy, worth, held, skipped)
            lines += sales
        if needed and policy.gather:
            names = [line.asset for line in listed]
            gather, there = await read_gather(
                context.client, policy, worth, held, names, lambda a: eligibility.cooling(a, at)
            )
            skipped += there
        waits = [each.until for each in skipped if each.until is not None]
        return Quote(
            account=context.account,
            key_id=context.key_id,
            account_type=policy.account_type,
            target=policy.target,
            lines=lines,
            gather=gather,
            skipped=skipped,
            last_chances=self._delistings.among(
                [each.asset for each in held.values() if each.total], policy.account_type
            ),
            at=at,
            expires_at=at + policy.quote_ttl,
            # If nothing can be converted, the time is worth knowing. Without dust too, if the
            # account cools down as a whole and not asset by asset.
            eligible_at=None
            if lines or gather
            else min(waits, default=eligibility.wait_until(at, ())),
        )

    async def next_eligible_at(self, assets: Iterable[str] | None = None) -> datetime:
        """Say when to try the next conversion; now, if it may be tried already.

        Dust for targets other than BNB cools down asset by asset. Name the assets to convert.
        Without names: when all that were converted before may be converted again.
        """
        await self._context.check_ledger()
        eligibility = await self._read_eligibility()
        return eligibility.next_at(self._context.now(), assets)

    # --- moving funds ----------------------------------------------------------------------------

    async def convert(self, quote: Quote) -> Receipt:
        """Convert what a quote says, once.

        `GuardError`: a rule stopped it, and nothing was sent. `OutcomeUnknownError`: funds may have
        moved, and `recover` finds out. If a part was converted, the receipt says what was not, and
        why. If the exchange refused all of it, its error is raised.
        """
        instance(quote, Quote, "quote")
        context = self._context
        policy = replace(self._policy, keep=await self._check(quote))
        _guards.check_rules(quote, policy)
        async with context.claimed("convert") as claim:
            dust = [line.asset for line in quote.lines if not line.sale]
            dust += [line.asset for line in quote.gather]
            if dust:
                await self._refuse_cooling(dust)
            held = await read_holdings(context.client, policy.account_type)
            _guards.refuse_needless(held, policy, account=context.account)
            run = Run(context, claim, policy, quote, together=self._together)
            try:
                return await run.convert(held)
            except CooldownError as error:
                # The refusal is on record now, and shows how long the wait is.
                error.retry_at = (await self._learn()).wait_until(context.now(), dust)
                raise

    # --- parts -----------------------------------------------------------------------------------

    async def _read_worth(
        self, held: dict[str, HeldAsset], listed: list[QuoteLine], policy: _policy.Policy
    ) -> Worth:
        """Read the ceiling, but only if something that is held needs it."""
        known = {line.asset for line in listed} | {policy.target} | policy.keep
        unlisted = (each.free_in_bitcoin for each in held.values() if each.asset not in known)
        if not policy.gather and not any(unlisted):
            return Worth()
        answer = await self._context.client.convertible_assets(
            policy.target, account_type=policy.wallet
        )
        worth = find_worth(answer, held, listed, target=policy.target)
        if policy.above_max is None:
            return worth
        # What is sold has to be above the ceiling, and not only seem so.
        return await with_ceiling(self._context.client, worth)

    async def _read_eligibility(self) -> _guards.Eligibility:
        """Learn from the ledger, and from the newest page of the exchange's log."""
        context, policy = self._context, self._policy
        if not policy.cooldown:
            return await self._learn()
        log = await context.client.dust_log(account_type=policy.wallet)
        return await self._learn(from_dust_log(log, context.owner, policy.account_type))

    def __repr__(self) -> str:
        policy = self._policy
        return f"<Converter {self._context.account} {policy.account_type} into {policy.target}>"
