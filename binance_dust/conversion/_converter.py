"""The converter: quote, guard, convert, recover."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util.checks import instance
from binance_dust.conversion import _policy
from binance_dust.conversion._account import Desk
from binance_dust.conversion._cooling import learn
from binance_dust.conversion._guards import refuse_cooling
from binance_dust.conversion._holdings import read_holdings
from binance_dust.conversion._listing import read_listed
from binance_dust.conversion._plan import Yardstick, plan, yardstick
from binance_dust.conversion._policy import Policy
from binance_dust.conversion._quote import Quote
from binance_dust.conversion._recover import recover
from binance_dust.conversion._run import Run
from binance_dust.errors import CooldownError
from binance_dust.ledger import Scope, from_dust_log

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from binance_dust.client import DustClient
    from binance_dust.conversion._cooling import Rest
    from binance_dust.conversion._holdings import Holding
    from binance_dust.conversion._quote import QuoteLine
    from binance_dust.conversion._receipt import Receipt
    from binance_dust.endpoints import AccountType
    from binance_dust.ledger import Ledger, LedgerEntry, Observed

__all__ = ["Converter"]

_COOLDOWN: Final = timedelta(hours=24)
"""The longest that any source names (1 h in 2026, 6 h in 2021, 24 h in 2018): too late costs
patience, and the ledger learns what is enough."""
_QUOTE_TTL: Final = timedelta(seconds=60)
_MAX_FEE_RATE: Final = Decimal("0.05")
"""Above all rates that were seen for ordinary assets (2 to 2.6 %), and below Alpha tokens' 10 %."""


class Converter:
    """Turns one account's dust into a target, at most once, and with everything on record.

        converter = Converter(client, ledger=ledger)
        quote = await converter.quote()
        print(quote)
        receipt = await converter.convert(quote.without("XRP"))

    It never sends anything a second time that may have been carried out. Where that isn't known,
    `convert` raises `OutcomeUnknownError`, and `recover` finds out by reading.
    """

    def __init__(  # noqa: PLR0913 - the public face, all by keyword
        self,
        client: DustClient,
        *,
        ledger: Ledger,
        target: str = "BNB",
        account_type: AccountType = "SPOT",
        keep: Iterable[str] = (),
        max_fee_rate: Decimal | str = _MAX_FEE_RATE,
        min_value: Decimal | str | int = 0,
        quote_ttl: timedelta | float = _QUOTE_TTL,
        cooldown: timedelta | float = _COOLDOWN,
        together: bool = False,
    ) -> None:
        """Take the rules; nothing is sent.

        `keep` are assets to leave alone. Assets that cost a larger part than `max_fee_rate`, or
        bring less than `min_value` of the target, are skipped. A quote is good for `quote_ttl`. The
        account rests for `cooldown` between conversions until its history shows what is enough; 0
        leaves that to the exchange. `together` sends several assets in one `dust_convert` (targets
        other than BNB), which nobody has proven to work: without it each goes in a call of its own.
        """
        self._desk = Desk(client, ledger)
        self._policy = Policy(
            target=target,
            account_type=account_type,
            keep=_policy.names(keep, "keep"),
            max_fee_rate=_policy.amount(max_fee_rate, "max_fee_rate"),
            min_value=_policy.amount(min_value, "min_value"),
            quote_ttl=_policy.span(quote_ttl, "quote_ttl"),
            cooldown=_policy.span(cooldown, "cooldown"),
        )
        self._together = instance(together, bool, "together")

    @property
    def client(self) -> DustClient:
        """The account."""
        return self._desk.client

    @property
    def ledger(self) -> Ledger:
        """The record."""
        return self._desk.ledger

    @property
    def target(self) -> str:
        """What dust is turned into."""
        return self._policy.target

    @property
    def account_type(self) -> AccountType:
        """The wallet."""
        return self._policy.account_type

    # --- reading ---------------------------------------------------------------------------------

    async def quote(self) -> Quote:
        """Read what can be converted now, what it would bring, and what stays and why."""
        desk, policy = self._desk, self._policy
        await desk.refuse_other_books()
        held = await read_holdings(desk.client, policy.account_type, valued=True)
        listed = await read_listed(desk.client, policy)
        rest = await self._rest()
        at = desk.now()
        lines, skipped = plan(
            listed,
            held,
            policy,
            measure=await self._measure(held, listed),
            cooling=rest.resting([line.asset for line in listed], at),
        )
        waits = [each.until for each in skipped if each.until is not None]
        return Quote(
            account=desk.account,
            key_id=desk.key_id,
            account_type=policy.account_type,
            target=policy.target,
            lines=lines,
            skipped=skipped,
            at=at,
            expires_at=at + policy.quote_ttl,
            # Where nothing is left to convert, the time is worth knowing: also without dust, if
            # the account rests as a whole and not asset by asset.
            eligible_at=None if lines else min(waits, default=rest.later(at, ())),
        )

    async def next_eligible_at(self, assets: Iterable[str] | None = None) -> datetime:
        """Say when the next conversion is worth trying; now, if it is already.

        Dust for targets other than BNB rests asset by asset: name those that are to be converted,
        or hear when all that were converted before may be again.
        """
        await self._desk.refuse_other_books()
        rest = await self._rest()
        return rest.until(self._desk.now(), assets)

    # --- moving funds ----------------------------------------------------------------------------

    async def convert(self, quote: Quote) -> Receipt:
        """Convert what a quote says, once.

        `GuardError`: a rule stopped it, and nothing was sent. `OutcomeUnknownError`: funds may have
        moved, and `recover` finds out. Where a part was converted, the receipt says what was not,
        and why; what the exchange refused altogether is raised.
        """
        instance(quote, Quote, "quote")
        desk = self._desk
        await desk.refuse_other_books()
        await desk.refuse_beside_open()
        await desk.client.session.learn_time()
        _policy.check(quote, self._policy, account=desk.account, key_id=desk.key_id, now=desk.now())
        async with desk.claimed("convert") as claim:
            # Another process may have converted since the quote: the ledger knows.
            until = (await self._learn()).until(desk.now(), quote.assets)
            refuse_cooling(until, account=desk.account, now=desk.now())
            held = await read_holdings(desk.client, self._policy.account_type)
            run = Run(desk, claim, self._policy, quote, together=self._together)
            try:
                return await run.convert(held)
            except CooldownError as error:
                # The refusal is on record by now, and teaches until when.
                error.retry_at = (await self._learn()).later(desk.now(), quote.assets)
                raise

    async def recover(self) -> list[LedgerEntry]:
        """Find out how the account's open entries ended, by reading alone; nothing is sent.

        Gives them as they stand then: confirmed, rejected, or still unknown, with the reason. Takes
        a minute or two where a call has left no trace, since a late record would look the same.
        """
        return await recover(self._desk)

    # --- parts -----------------------------------------------------------------------------------

    async def _measure(self, held: dict[str, Holding], listed: list[QuoteLine]) -> Yardstick:
        """Ask for what it takes to explain, if there is anything to explain."""
        known = {line.asset for line in listed} | {self._policy.target} | self._policy.keep
        if not any(each.free_in_bitcoin for each in held.values() if each.asset not in known):
            return Yardstick()
        target = self._policy.target
        answer = await self._desk.client.convertible_assets(
            target, account_type=self._policy.wallet
        )
        return yardstick(answer, held)

    async def _rest(self) -> Rest:
        """Learn when the account may convert, by ledger and by the exchange's newest records."""
        desk, policy = self._desk, self._policy
        if not policy.cooldown:
            return await self._learn()
        log = await desk.client.dust_log(account_type=policy.wallet)
        return await self._learn(from_dust_log(log, desk.account, policy.account_type))

    async def _learn(self, records: Iterable[Observed] = ()) -> Rest:
        desk, policy = self._desk, self._policy
        scope = Scope(desk.account, policy.kind, policy.account_type)
        return await learn(desk.ledger, scope, policy.cooldown, records)

    def __repr__(self) -> str:
        policy = self._policy
        return f"<Converter {self._desk.account} {policy.account_type} into {policy.target}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("a Converter holds a client, which holds a key, and is never pickled")
