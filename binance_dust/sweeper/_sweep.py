"""Sweep many accounts, once or on a schedule.

The schedule is not stored. The ledger has what each account converted and when, and that is enough
to go on after a restart as if there had been none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, Unpack

from binance_dust._util.checks import instance, to_timedelta
from binance_dust._util.results import Results, Stream
from binance_dust.client import DustClient
from binance_dust.conversion import Converter, LiabilityExchanger, Repayer
from binance_dust.conversion._policy import Keep, KeepRule
from binance_dust.endpoints import to_account_types
from binance_dust.errors import ConfigurationError
from binance_dust.ledger import Kind, Ledger, account_of
from binance_dust.models import Delistings
from binance_dust.sweeper._order import in_order, read_first
from binance_dust.sweeper._report import Outcome, SweepReport
from binance_dust.sweeper._turn import AccountTurn, CleanUp, UnderWay

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.endpoints import AccountType, WalletName
    from binance_dust.sweeper._order import First
    from binance_dust.sweeper._turn import Choose

__all__ = ["AccountRules", "Sweep", "SweepRules", "sweep"]

_LONGEST_SLEEP: Final = 900.0
"""Seconds, after which the clock is read again: the machine may have been suspended, or its clock
set."""
_LOOK_BACK: Final = 100
"""Entries among which the newest conversion is looked for: transfers come before one, not after."""
_AFTER_FAILURE: Final = timedelta(hours=1)
"""At most; on a schedule of minutes the next turn comes sooner."""
_AFTER_ELIGIBILITY: Final = timedelta(seconds=1)
"""Two clocks differ a little, and a try too early may cost the whole wait again."""
_RULES_OF_DEBTS: Final = frozenset({"keep", "quote_ttl", "cooldown"})
"""The rules of a sweep that `LiabilityExchanger` has as well."""
OF_SPOT: Final = frozenset({"gather", "above", "above_max"})
"""The rules of a sweep that are for the spot wallet only."""
_PARTS: Final = 8
"""A turn that failed is repeated after this part of the schedule."""


class SweepRules(TypedDict, total=False):
    """The rules of `Converter`, the same for every account."""

    target: str
    keep: Keep
    max_fee_rate: Decimal | str
    min_value: Decimal | str | int
    quote_ttl: timedelta | float
    cooldown: timedelta | float
    when_below: Mapping[str, Decimal | str | int]
    delistings: Delistings | None
    together: bool
    gather: bool
    above: Literal["convert"] | None
    above_max: Decimal | str | int | None


class AccountRules(SweepRules, total=False):
    """The rules of one account, and its wallets."""

    account_types: Iterable[AccountType]


def sweep(  # noqa: PLR0913 - the public face, all by keyword
    clients: Iterable[DustClient] | AsyncIterable[DustClient],
    *,
    ledger: Ledger,
    dry_run: bool = True,
    every: timedelta | float | None = None,
    choose: Choose | None = None,
    first: First | None = None,
    account_types: Iterable[WalletName] = ("SPOT",),
    liabilities: bool = False,
    repay: bool = False,
    concurrency: int = 16,
    each: Callable[[DustClient], AccountRules] | None = None,
    **rules: Unpack[SweepRules],
) -> Sweep:
    """Clean up many accounts: settle what is open, quote, guard, convert, report.

        async with sweep(clients, ledger=ledger, dry_run=False) as reports:
            async for report in reports:
                print(report)

    By default it is a dry run: it reads, and reports what would be converted. `rules` are those of
    `Converter`: `target`, `keep`, `max_fee_rate`, `min_value`, `cooldown`, `when_below` and so on.
    With `liabilities` small margin debts are gathered into one as well; with `repay` debts are paid
    after that, as far as the same asset is free in the cross-margin account. `gather` and `above`
    are for the spot wallet; the margin wallet of a sweep is converted without them.

    `choose` gets each plan before it is carried out, and returns the part that should be:
    `lambda quote: quote.only("ADA")`. If it raises a `DustError`, only that account stops.

    `each` gives the rules and wallets of one account; each rule that it gives replaces the one for
    all.

    `first` are names of accounts that have their turn first, in this order. Or it is
    `await client.delistings()`: then those come first that hold what will be delisted, the soonest
    first, and each quote says until when it can be converted. That reads the balances of all
    accounts beforehand.

    With `every` it never ends: each account's turn comes again after that time, or, if it is still
    cooling down, when it may convert. The ledger knows what was converted before, so a restart
    changes nothing. Leaving the loop starts nothing new, and finishes what is under way.
    """
    if not isinstance(clients, Iterable | AsyncIterable):
        raise TypeError(f"clients must be iterable, not {type(clients).__name__}")
    instance(ledger, Ledger, "ledger")
    instance(dry_run, bool, "dry_run")
    instance(liabilities, bool, "liabilities")
    instance(repay, bool, "repay")
    if instance(concurrency, int, "concurrency") < 1:
        raise ConfigurationError(f"concurrency must be at least 1, not {concurrency}")
    pause = None if every is None else to_timedelta(every, "every")
    if pause is not None and pause <= timedelta(0):
        raise ConfigurationError(f"every must be longer than nothing, not {every}")
    wallets = to_account_types(account_types)
    if not wallets and not liabilities and not repay:
        raise ConfigurationError("no account_types and no liabilities: there is nothing to sweep")
    _refuse_rules_of_spot(rules, wallets if each is None else ("SPOT",))

    first = read_first(first)
    rules.setdefault("delistings", first if isinstance(first, Delistings) else None)

    # Read once for all accounts: an iterator would be empty for all but the first.
    rules["keep"] = KeepRule(rules.get("keep", ()))

    def rules_of(client: DustClient) -> tuple[dict[str, Any], Sequence[AccountType]]:
        own: dict[str, Any] = {**rules, **(each(client) if each is not None else {})}
        own_wallets = tuple(own.pop("account_types", wallets))
        return own, own_wallets if wallets else ()

    def clean_ups(client: DustClient) -> Iterator[CleanUp]:
        own, own_wallets = rules_of(client)
        of_margin = {name: rule for name, rule in own.items() if name not in OF_SPOT}
        for wallet in own_wallets:
            known = own if wallet == "SPOT" else of_margin
            converter = Converter(client, ledger=ledger, account_type=wallet, **known)
            yield CleanUp(
                converter, converter.convert, "dust", account_type=wallet, target=converter.target
            )
        of_debts = {name: rule for name, rule in own.items() if name in _RULES_OF_DEBTS}
        if liabilities:
            exchanger = LiabilityExchanger(client, ledger=ledger, **of_debts)
            yield CleanUp(exchanger, exchanger.exchange, "liabilities", target="USDT")
        if repay:
            of_payments = {name: rule for name, rule in of_debts.items() if name != "cooldown"}
            repayer = Repayer(client, ledger=ledger, **of_payments)
            yield CleanUp(repayer, repayer.repay, "repayments", target="")

    return Sweep(
        _SweepRun(
            clients,
            ledger=ledger,
            clean_ups=clean_ups,
            choose=choose,
            first=first,
            wallets_of=lambda client: rules_of(client)[1],
            dry_run=dry_run,
            every=pause,
            concurrency=concurrency,
        )
    )


def _refuse_rules_of_spot(rules: SweepRules, wallets: Iterable[AccountType]) -> None:
    """Refuse what is for the spot wallet, in a sweep without it."""
    if "SPOT" not in wallets and OF_SPOT & {name for name, rule in rules.items() if rule}:
        raise ConfigurationError("gather and above are for the spot wallet only")


class Sweep(Stream[SweepReport]):
    """A sweep under way: iterate it for its reports.

    Leaving it finishes the conversions that have begun: `async with` waits for them.
    """

    __slots__ = ("_run",)

    def __init__(self, run: _SweepRun) -> None:
        """Prepare; nothing is read before the first report is awaited."""
        super().__init__(run.results.of(run.run, run.under_way.finish))
        self._run = run

    def __repr__(self) -> str:
        return f"<Sweep {self._run.done} turns done>"


class _SweepRun:
    """Gives each account its turn, and delivers the reports."""

    def __init__(  # noqa: PLR0913 - what a sweep is made of, all by keyword
        self,
        clients: Iterable[DustClient] | AsyncIterable[DustClient],
        *,
        ledger: Ledger,
        clean_ups: Callable[[DustClient], Iterable[CleanUp]],
        choose: Choose | None,
        first: First | None,
        wallets_of: Callable[[DustClient], Sequence[AccountType]],
        dry_run: bool,
        every: timedelta | None,
        concurrency: int,
    ) -> None:
        self._clients = clients
        self._ledger = ledger
        self._clean_ups = clean_ups
        self._choose = choose
        self._first = first
        self._wallets_of = wallets_of
        self._dry_run = dry_run
        self._every = every
        self._slots = asyncio.Semaphore(concurrency)
        self._ahead = asyncio.Semaphore(2 * concurrency)
        self.results: Results[SweepReport] = Results(concurrency)
        self.under_way: UnderWay = UnderWay()
        self.done: int = 0

    async def run(self) -> None:
        """Give every account its turn, or its turns."""
        async with asyncio.TaskGroup() as group:
            async for client in self._in_order():
                if self._every is not None:
                    group.create_task(self._again_and_again(client, self._every))
                    continue
                await self._ahead.acquire()
                task = group.create_task(self._once(client))
                task.add_done_callback(lambda _: self._ahead.release())

    async def _once(self, client: DustClient) -> None:
        for report in await self._turn(client):
            await self._deliver(report)

    async def _again_and_again(self, client: DustClient, every: timedelta) -> None:
        due = _first_turn(await self._last_conversion(client), every, client.session.now())
        while True:
            await _sleep_until(due, client)
            reports = await self._turn(client)
            due = min(next_turn(report, every) for report in reports)
            for report in reports:
                await self._deliver(replace(report, next_at=due))

    async def _turn(self, client: DustClient) -> list[SweepReport]:
        """Do the clean-ups of an account one after the other: they share its claim."""
        # In the lane of scans: single calls of a bot go first.
        client = client._for_scans()  # noqa: SLF001
        async with self._slots:
            return [
                await AccountTurn(
                    clean_up, self.under_way, choose=self._choose, dry_run=self._dry_run
                ).run()
                for clean_up in self._clean_ups(client)
            ]

    async def _deliver(self, report: SweepReport) -> None:
        self.done += 1
        await self.results.put(report)

    async def _last_conversion(self, client: DustClient) -> datetime | None:
        """Read from the ledger when the account converted last."""
        newest = self._ledger.entries(
            account=account_of(client), status="confirmed", newest_first=True, limit=_LOOK_BACK
        )
        done = [entry.at async for entry in newest if entry.kind is not Kind.TRANSFER]
        return next(iter(done), None)

    async def _in_order(self) -> AsyncGenerator[DustClient, None]:
        async with aclosing(self._each_client()) as clients:
            if self._first is None:
                async for client in clients:
                    yield client
                return
            ordered = await in_order(clients, self._first, self._wallets_of)
        for client in ordered:
            yield client

    async def _each_client(self) -> AsyncGenerator[DustClient, None]:
        if isinstance(self._clients, AsyncIterable):
            async for client in self._clients:
                yield instance(client, DustClient, "each client")
            return
        for client in self._clients:
            yield instance(client, DustClient, "each client")


async def _sleep_until(due: datetime, client: DustClient) -> None:
    while (left := (due - client.session.now()).total_seconds()) > 0:  # noqa: ASYNC110 - a clock
        await asyncio.sleep(min(left, _LONGEST_SLEEP))


def _first_turn(last: datetime | None, every: timedelta, now: datetime) -> datetime:
    """Say when an account's first turn is; `last` is when it converted last."""
    return now if last is None else max(now, last + every)


def next_turn(report: SweepReport, every: timedelta) -> datetime:
    """Say when an account's next turn is, after this report."""
    match report.outcome:
        case Outcome.RESTING if report.next_at is not None and report.next_at > report.at:
            return report.next_at + _AFTER_ELIGIBILITY
        case Outcome.RESTING:
            return report.at + min(every, _AFTER_FAILURE)
        case Outcome.FAILED | Outcome.STOPPED | Outcome.BUSY | Outcome.UNKNOWN:
            return report.at + min(every / _PARTS, _AFTER_FAILURE)
        case _:
            return report.at + every
