"""What a scan asks one account, and in which order: the cheap questions first.

Whether there are small debts is answered by the first of these that can:

    is margin enabled at all?            weight 1     no: no debts
    is anything owed there?              weight 10    no: no debts
    the list of small debts              weight 100

Where a cheap question fails, the list itself is asked. Parts that do not depend on one another are
asked at the same time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from binance_dust._answers.codes import has_no_margin
from binance_dust._util.exact import ensure_readable
from binance_dust.errors import CredentialsError, DustError
from binance_dust.reports import AccountReport, Settled
from binance_dust.scanner._desk import ENDPOINTS, Question

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from binance_dust import models
    from binance_dust.client import DustClient
    from binance_dust.endpoints import AccountType
    from binance_dust.scanner._desk import Desk, Liabilities, Share

    Deliver: TypeAlias = Callable[[AccountReport], Awaitable[None]]

R = TypeVar("R")


class _Found(NamedTuple):
    """What the cheap questions have brought."""

    assets: list[models.UserAsset]
    quote: models.ConvertibleAssets | None


class Visit:
    """One account, from its first question to its report."""

    __slots__ = ("_account_type", "_client", "_debt", "_desk", "_errors", "_margin", "_target")

    def __init__(  # noqa: PLR0913 - what there is to know, all by keyword
        self,
        client: DustClient,
        *,
        desk: Desk,
        target: str,
        account_type: AccountType | None,
        margin: Share,
        debt: Share,
    ) -> None:
        """Prepare; nothing is asked."""
        self._client = client._for_scans()  # noqa: SLF001 - only scans have this lane
        self._desk = desk
        self._target = target
        self._account_type = account_type
        self._margin = margin
        self._debt = debt
        self._errors: dict[str, DustError] = {}

    async def run(self, liabilities: Liabilities, deliver: Deliver) -> None:
        """Ask everything, and deliver a report. Errors are part of the report.

        The place is kept until somebody takes the report: a slow reader slows the scan down, and
        no reports pile up.
        """
        desk, client = self._desk, self._client
        async with desk.slots:
            assets, quote, scouted = await asyncio.gather(
                self._part("assets", Question.ASSETS, client.user_assets),
                self._part(
                    "quote",
                    Question.QUOTE,
                    lambda: client.convertible_assets(
                        self._target, account_type=self._account_type
                    ),
                ),
                self._scout(liabilities),
            )
            found = _Found(assets or [], quote)
            settled: Settled | None = scouted
            if settled is Settled.LIST and self._key_is_refused():
                # The list would be refused as well, and cost a hundred.
                self._errors["liabilities"] = self._errors["assets"]
                desk.tallies[Question.LIST].due -= 1
                settled = None
            if settled is not Settled.LIST:
                await deliver(self._report(found, settled))
                return
            await desk.held.acquire()
        # Out of the slot: others go on meanwhile, there is room in the other lanes.
        try:
            listed, settled = await self._list()
            await deliver(self._report(found, settled, listed))
        finally:
            desk.held.release()

    def _report(
        self,
        found: _Found,
        settled: Settled | None,
        listed: list[models.SmallLiability] | None = None,
    ) -> AccountReport:
        return AccountReport(
            account=self._client.name,
            target=self._target,
            at=self._client.session.now(),
            assets=found.assets,
            quote=found.quote,
            liabilities=listed or [],
            settled_by=settled,
            errors=self._errors,
        )

    async def _scout(self, liabilities: Liabilities) -> Settled:
        """Find out whether the list has to be asked for."""
        settled = Settled.NOT_ASKED
        if liabilities == "auto":
            settled = await self._scout_cheaply()
            self._debt.saw(yes=settled is Settled.LIST)
        elif liabilities:
            settled = Settled.LIST
        self._desk.scouted += 1
        self._desk.tallies[Question.LIST].due += settled is Settled.LIST
        return settled

    async def _scout_cheaply(self) -> Settled:
        try:
            info = await self._ask(Question.MARGIN_ENABLED, self._client.account_info())
        except DustError:
            return Settled.LIST
        self._margin.saw(yes=info.is_margin_enabled)
        if not info.is_margin_enabled:
            return Settled.NO_MARGIN
        self._desk.tallies[Question.MARGIN_DEBT].due += 1
        try:
            margin = await self._ask(Question.MARGIN_DEBT, self._client.margin_account())
        except DustError as error:
            return Settled.NO_MARGIN if has_no_margin(error) else Settled.LIST
        return Settled.LIST if margin.has_debt else Settled.NO_DEBT

    async def _list(self) -> tuple[list[models.SmallLiability] | None, Settled | None]:
        try:
            listed = await self._ask(Question.LIST, self._client.small_liabilities())
        except DustError as error:
            if has_no_margin(error):
                return None, Settled.NO_MARGIN
            self._errors["liabilities"] = _bare(error)
            return None, None
        return listed, Settled.LIST

    def _key_is_refused(self) -> bool:
        """Whether the exchange doesn't take this key at all, and not just for one part."""
        return all(
            isinstance(self._errors.get(part), CredentialsError) for part in ("assets", "quote")
        )

    async def _part(
        self, part: str, question: Question, ask: Callable[[], Awaitable[R]]
    ) -> R | None:
        # Called here and not before: a visit may be stopped before this begins, and a coroutine
        # that was made and never awaited is a warning.
        try:
            return await self._ask(question, ask())
        except DustError as error:
            self._errors[part] = _bare(error)
            return None

    async def _ask(self, question: Question, answer: Awaitable[R]) -> R:
        desk = self._desk
        tally = desk.tallies[question]
        tally.asked += 1
        time = asyncio.get_running_loop().time
        # An answer that was waited for in line says nothing of how long answers take.
        room = desk.session.forecast(ENDPOINTS[question], 1) <= 0
        began = time()
        try:
            found = await answer
            # Here, where it is a part that fails, and not where somebody adds up reports.
            ensure_readable(found)
        finally:
            tally.answered += 1
            if room:
                tally.took.append(time() - began)
        return found


def _bare(error: DustError) -> DustError:
    """Drop the traceback: it would keep the whole visit in memory for as long as the report."""
    return error.with_traceback(None)
