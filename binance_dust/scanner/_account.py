"""What a scan asks one account, and in which order: the cheap questions first.

Whether there are small debts is asked step by step, until a step gives the answer:

    is margin enabled at all?            weight 1     no: no debts
    is anything owed there?              weight 10    no: no debts
    the list of small debts              weight 100

If a cheap question fails, the list is asked. Parts that do not depend on each other are asked at
the same time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, TypeVar

from binance_dust._answers.codes import has_no_margin
from binance_dust._util.exact import ensure_readable
from binance_dust._util.rows import without_unreadable
from binance_dust._util.words import count
from binance_dust.errors import CredentialsError, DustError, UnreadableAnswerError
from binance_dust.models import Delistings
from binance_dust.models._delistings import soonest
from binance_dust.reports import AccountReport, Settled
from binance_dust.scanner._lanes import ENDPOINTS, Question, SeenShare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from binance_dust import models
    from binance_dust.client import DustClient
    from binance_dust.endpoints import AccountType
    from binance_dust.scanner._lanes import Liabilities, SessionPart

    Deliver: TypeAlias = Callable[[AccountReport], Awaitable[None]]

R = TypeVar("R")

_SPOT: Final = "Spot"


class _Read(NamedTuple):
    """The parts that every scan reads."""

    assets: list[models.UserAsset]
    quote: models.ConvertibleAssets | None
    elsewhere: list[models.WalletBalance] | None
    delistings: models.Delistings


class DeskSchedules:
    """What will be delisted, read once for all accounts: with the first key that is accepted.

    If it can't be read for another reason than a key, it is not asked for again.
    """

    __slots__ = ("_error", "_found", "_reading")

    def __init__(self, wanted: models.Delistings | bool) -> None:  # noqa: FBT001 - the user's choice
        """Take what is known already, or read it later if it is wanted."""
        known = wanted if isinstance(wanted, Delistings) else None
        self._found = Delistings() if wanted is False else known
        self._error: DustError | None = None
        self._reading = asyncio.Lock()

    async def of(self, client: DustClient) -> models.Delistings:
        """Give the schedules; read them with this account's key if they are not known."""
        if self._found is not None:
            return self._found
        async with self._reading:
            if self._error is not None:
                raise self._error
            if self._found is None:
                try:
                    self._found = await client.delistings()
                except CredentialsError:
                    raise
                except DustError as error:
                    self._error = error
                    raise
            return self._found


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPlan:
    """What all accounts of a scan are asked, and what was learnt from those before."""

    schedules: DeskSchedules
    target: str = "BNB"
    liabilities: Liabilities = "auto"
    elsewhere: bool = False
    account_type: AccountType | None = None
    margin: SeenShare = field(default_factory=SeenShare)
    debt: SeenShare = field(default_factory=SeenShare)


class AccountScan:
    """One account, from its first question to its report."""

    __slots__ = ("_client", "_errors", "_part", "_plan")

    def __init__(self, client: DustClient, part: SessionPart, plan: ScanPlan) -> None:
        """Prepare; nothing is asked."""
        self._client = client._for_scans()  # noqa: SLF001 - only scans have this lane
        self._part = part
        self._plan = plan
        self._errors: dict[str, DustError] = {}

    async def run(self, deliver: Deliver) -> None:
        """Ask everything, and deliver a report. Errors are part of the report.

        The account keeps its place until the report is taken: a slow reader slows the scan down,
        and no reports pile up.
        """
        part, client, plan = self._part, self._client, self._plan
        async with part.places:
            assets, quote, wallets, known = await asyncio.gather(
                self._try("assets", Question.ASSETS, client.user_assets),
                self._try(
                    "quote",
                    Question.QUOTE,
                    lambda: client.convertible_assets(plan.target, account_type=plan.account_type),
                ),
                self._look_elsewhere(),
                self._check_debts(),
            )
            read = _Read(assets or [], quote, wallets, await self._look_ahead())
            settled: Settled | None = known
            if settled is Settled.LIST and self._key_is_refused():
                # The list would be refused as well, for a weight of 100.
                self._errors["liabilities"] = self._errors["assets"]
                settled = None
            self._count_debts(settled)
            if settled is not Settled.LIST:
                await deliver(self._report(read, settled))
                return
            await part.waiting_places.acquire()
        # The place is free now: other accounts go on, since the other lanes have room.
        try:
            listed, settled = await self._list()
            await deliver(self._report(read, settled, listed))
        finally:
            part.waiting_places.release()

    def _report(
        self,
        read: _Read,
        settled: Settled | None,
        listed: list[models.SmallLiability] | None = None,
    ) -> AccountReport:
        return AccountReport(
            account=self._client.name,
            target=self._plan.target,
            at=self._client.session.now(),
            assets=read.assets,
            quote=read.quote,
            elsewhere=read.elsewhere,
            liabilities=listed or [],
            settled_by=settled,
            last_chances=self._last_chances(read),
            errors=self._errors,
        )

    def _last_chances(self, read: _Read) -> list[models.LastChance]:
        """Find what the account holds and will be delisted."""
        if not read.delistings:
            return []
        held = {"SPOT": [row.asset for row in read.assets]}
        if self._plan.account_type == "MARGIN" and read.quote is not None:
            # What margin holds is not asked for: its dust is known.
            held["MARGIN"] = [row.asset for row in read.quote.details]
        for wallet in read.elsewhere or ():
            held[wallet.wallet_name] = [row.asset for row in wallet.asset_balances or ()]
        found = {
            (each.asset, each.account_type): each
            for name, assets in held.items()
            for each in read.delistings.among(assets, name)
        }
        return sorted(found.values(), key=soonest)

    async def _look_elsewhere(self) -> list[models.WalletBalance] | None:
        """Read what lies in other wallets than spot, if the scan is to say so."""
        if not self._plan.elsewhere:
            return None
        found = await self._try(
            "elsewhere", Question.WALLETS, lambda: self._client.wallet_balances(details=True)
        )
        if found is None:
            return None
        # The spot wallet is in the assets, with more of each.
        return [each for each in found if each.wallet_name != _SPOT and _holds(each)]

    async def _look_ahead(self) -> models.Delistings:
        """Read what will be delisted, if the scan is to say so and no account has."""
        try:
            return await self._plan.schedules.of(self._client)
        except DustError as error:
            self._errors["delistings"] = _bare(error)
            return Delistings()

    async def _check_debts(self) -> Settled:
        """Find out whether the list has to be asked for."""
        if self._plan.liabilities == "auto":
            return await self._check_margin()
        return Settled.LIST if self._plan.liabilities else Settled.NOT_ASKED

    def _count_debts(self, settled: Settled | None) -> None:
        """Count whether the list is needed: the rest of the scan is estimated from this.

        A refused key says nothing about debts, so that it is in no average.
        """
        needed = settled is Settled.LIST
        if self._plan.liabilities == "auto" and settled is not None:
            self._plan.debt.saw(yes=needed)
        self._part.debts_known += 1
        self._part.lanes[Question.LIST].needed += needed

    async def _check_margin(self) -> Settled:
        try:
            info = await self._ask(Question.MARGIN_ENABLED, self._client.account_info())
        except DustError:
            return Settled.LIST
        if info.is_margin_enabled is not None:
            self._plan.margin.saw(yes=info.is_margin_enabled)
        if info.is_margin_enabled is False:
            return Settled.NO_MARGIN
        self._part.lanes[Question.MARGIN_DEBT].needed += 1
        try:
            margin = await self._ask(Question.MARGIN_DEBT, self._client.margin_account())
        except DustError as error:
            return Settled.NO_MARGIN if has_no_margin(error) else Settled.LIST
        return Settled.LIST if margin.has_debt else Settled.NO_DEBT

    async def _list(self) -> tuple[list[models.SmallLiability] | None, Settled | None]:
        try:
            listed = await self._ask(
                Question.LIST, self._client.small_liabilities(), part="liabilities"
            )
        except DustError as error:
            if has_no_margin(error):
                return None, Settled.NO_MARGIN
            self._errors["liabilities"] = _bare(error)
            return None, None
        return listed, Settled.LIST

    def _key_is_refused(self) -> bool:
        """Whether the exchange refuses this key for everything, not just for one part."""
        return all(
            isinstance(self._errors.get(part), CredentialsError) for part in ("assets", "quote")
        )

    async def _try(
        self, name: str, question: Question, ask: Callable[[], Awaitable[R]]
    ) -> R | None:
        # `ask` makes the coroutine only here: a scan may be stopped before this begins, and Python
        # warns about a coroutine that is never awaited.
        try:
            return await self._ask(question, ask(), part=name)
        except DustError as error:
            self._errors[name] = _bare(error)
            return None

    async def _ask(self, question: Question, answer: Awaitable[R], *, part: str | None = None) -> R:
        """Ask; a part of the report is kept without the rows that can't be read."""
        lane = self._part.lanes[question]
        lane.asked += 1
        time = asyncio.get_running_loop().time
        began = time()
        # A call that had to wait, for weight or the pace, does not show how long answers take.
        timed = self._part.pace.take(began) and lane.is_timed
        timed = timed and self._part.session.forecast(ENDPOINTS[question], 1) <= 0
        try:
            found = await answer
            # Checked here, so that only this part fails, and not a later sum over reports.
            if part is None:
                ensure_readable(found)
                return found
            found, unread = without_unreadable(found)
            if unread:
                self._errors[part] = UnreadableAnswerError(
                    f"{count(len(unread), 'row')} left out: {unread[0]}",
                    endpoint=ENDPOINTS[question].title,
                    account=self._client.name,
                    path=unread[0].place,
                )
        finally:
            lane.answered += 1
            if timed:
                lane.took.append(time() - began)
        return found


def _holds(wallet: models.WalletBalance) -> bool:
    return bool(wallet.asset_balances) or wallet.balance > 0


def _bare(error: DustError) -> DustError:
    """Drop the traceback: it would keep the whole scan of the account in memory with the report."""
    return error.with_traceback(None)
