"""The fleet: workers behind many addresses, asked as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, Self, Unpack

from binance_dust._util.checks import instance, to_timedelta
from binance_dust._util.lifetimes import Closing
from binance_dust.endpoints import to_account_type, to_account_types
from binance_dust.errors import ConfigurationError, NotSentError
from binance_dust.fleet._asking import StatusJob, WorkerInfo
from binance_dust.fleet._assignments import Assignments
from binance_dust.fleet._conversions import report_from_plain
from binance_dust.fleet._estimate import EstimateJob
from binance_dust.fleet._job import FleetStream, Job, JobKind, Jobs, Timing
from binance_dust.fleet._messages import CONVERT, READ
from binance_dust.fleet._queues import FleetQueues
from binance_dust.fleet._rounds import SweepRounds
from binance_dust.models import Delistings
from binance_dust.reports import AccountReport
from binance_dust.scanner._lanes import questions
from binance_dust.sweeper import Outcome, SweepReport
from binance_dust.sweeper._sweep import OF_SPOT

if TYPE_CHECKING:
    from binance_dust.endpoints import WalletName
    from binance_dust.errors import DustError
    from binance_dust.scanner import ScanEstimate
    from binance_dust.scanner._lanes import Liabilities
    from binance_dust.sweeper import SweepRules

__all__ = ["Fleet"]

_CONVERSIONS: Final = 16
"""Conversions that a worker has in hand at once: few, since a lost worker's are not repeated."""


class Fleet(Closing):
    """The workers that meet at a URL, asked as one.

        async with Fleet("redis://queue.internal") as fleet:
            async for report in fleet.scan("all"):
                print(report.account, report.net)

    Workers may come and go at any time. At `memory://` meet those of this process and event loop.
    """

    def __init__(
        self,
        url: str = "memory://",
        *,
        name: str = "binance-dust",
        key: str | None = None,
        timing: Timing | None = None,
    ) -> None:
        """Say where to meet the workers; nothing is opened. `name` keeps fleets at a URL apart.

        `key` is a text that fleet and workers share: messages without it are dropped.
        """
        self._queues = FleetQueues(url, name, key=key)
        self._timing = instance(Timing() if timing is None else timing, Timing, "timing")

    # --- life ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect to the queues."""
        await self._queues.open()

    async def close(self) -> None:
        """Close the connections. Closing twice is no harm."""
        await self._queues.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    # --- work ------------------------------------------------------------------------------------

    def scan(  # noqa: PLR0913 - the public face, all by keyword
        self,
        accounts: Iterable[str] | Literal["all"] = "all",
        *,
        target: str = "BNB",
        liabilities: Liabilities = "auto",
        elsewhere: bool = False,
        delistings: bool = False,
        account_type: WalletName | None = None,
        skip: Iterable[str] = (),
    ) -> FleetStream[AccountReport]:
        """Read many accounts at many addresses, and report on each as soon as it is done.

        Like `binance_dust.scan`, but with names: "all" are all accounts that the workers have keys
        of. An account that no worker can read is reported with an error. For `delistings=True` each
        worker asks once, for all of its accounts.
        """
        instance(delistings, bool, "delistings")
        questions(liabilities, elsewhere=elsewhere)
        wallet = None if account_type is None else to_account_type(account_type)
        if not instance(target, str, "target").strip():
            raise ConfigurationError("target is empty; name an asset, BNB say")

        wanted = {"elsewhere": elsewhere, "delistings": delistings}
        more = [part for part, is_wanted in wanted.items() if is_wanted]

        def give_up(account: str, error: NotSentError) -> AccountReport:
            errors = dict.fromkeys(("assets", "quote", *more, "liabilities"), error)
            now = datetime.now(UTC)
            return AccountReport(account=account, target=target, at=now, errors=errors)

        job = Job(
            self._queues,
            self._assignments(accounts, skip=skip),
            JobKind(
                task=READ,
                options={
                    "target": target,
                    "liabilities": liabilities,
                    "account_type": wallet,
                    # Only if it is asked for: workers of older versions do not know it.
                    **dict.fromkeys(more, True),
                },
                read=AccountReport.from_plain,
                account=lambda report: report.account,
                give_up=give_up,
                has_failed=lambda report: not report.ok,
                errors=lambda report: report.errors.values(),
            ),
            timing=self._timing,
        )
        return FleetStream(Jobs(job))

    def sweep(  # noqa: PLR0913 - the public face, all by keyword
        self,
        accounts: Iterable[str] | Literal["all"] = "all",
        *,
        dry_run: bool = True,
        account_types: Iterable[WalletName] | None = None,
        account_type: WalletName = "SPOT",
        liabilities: bool = False,
        every: timedelta | float | None = None,
        **rules: Unpack[SweepRules],
    ) -> FleetStream[SweepReport]:
        """Convert the dust of many accounts, each where its ledger is, and at most once.

        Like `binance_dust.sweeper.sweep`, but with names: a dry run unless told otherwise, with the
        rules of `Converter`, of several wallets (`account_types`), with small debts
        (`liabilities`), once or for ever (`every`). An account goes to workers that have its key
        and a ledger; they must all have the same ledger. If a worker is lost, no other one repeats
        its conversions: the next worker finds out their outcome by reading.
        """
        instance(dry_run, bool, "dry_run")
        instance(liabilities, bool, "liabilities")
        for name in OF_SPOT & {name for name, rule in rules.items() if rule}:
            raise ConfigurationError(f"a fleet's sweep takes no {name}: it converts dust alone")
        pause = None if every is None else to_timedelta(every, "every")
        if pause is not None and pause <= timedelta(0):
            raise ConfigurationError(f"every must be longer than nothing, not {every}")
        wallets = to_account_types((account_type,) if account_types is None else account_types)
        # Only what is asked for: workers of older versions do not know the rest.
        more: dict[str, Any] = {} if pause is None else {"every": pause.total_seconds()}
        parts: list[dict[str, Any]] = [{**more, "account_type": wallet} for wallet in wallets]
        if liabilities:
            parts.append({**more, "account_type": "MARGIN", "what": "liabilities"})
        if not parts:
            raise ConfigurationError("no account_types and no liabilities: nothing to sweep")
        names = _names(accounts)
        # Read once for all parts: an iterator would be empty for all but the first.
        plain = {name: _plain_rule(rule) for name, rule in rules.items()}
        makers = [
            partial(self._sweep_job, names, {"dry_run": dry_run, **plain, **part}) for part in parts
        ]
        return FleetStream(SweepRounds(makers, every=pause))

    def _sweep_job(
        self, names: tuple[str, ...] | None, options: dict[str, Any], skip: Iterable[str]
    ) -> Job[SweepReport]:
        def give_up(account: str, error: NotSentError) -> SweepReport:
            return SweepReport(
                account=account,
                what=options.get("what", "dust"),
                account_type=options["account_type"],
                target=options.get("target", "BNB"),
                outcome=Outcome.FAILED,
                at=datetime.now(UTC),
                error=error,
            )

        return Job(
            self._queues,
            self._assignments(
                "all" if names is None else names, skip=skip, funds=True, room=_CONVERSIONS
            ),
            JobKind(
                task=CONVERT,
                options=options,
                read=report_from_plain,
                account=lambda report: report.account,
                give_up=give_up,
                has_failed=lambda report: (
                    report.outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.UNKNOWABLE)
                ),
                errors=_sure_errors,
                funds=not options["dry_run"],
            ),
            timing=self._timing,
        )

    async def estimate(
        self,
        accounts: Iterable[str] | Literal["all"] = "all",
        *,
        liabilities: Liabilities = "auto",
        elsewhere: bool = False,
        margin_share: float = 1.0,
        debt_share: float = 1.0,
    ) -> ScanEstimate:
        """Say how long the limits will make a scan last, with the workers that are there now.

        Each worker estimates its part, so what its budgets have spent already counts. `session` of
        a lane is the number of its worker, in the order of their names.
        """
        questions(liabilities, elsewhere=elsewhere)
        options = {
            "liabilities": liabilities,
            **({"elsewhere": True} if elsewhere else {}),
            "margin_share": margin_share,
            "debt_share": debt_share,
        }
        return await EstimateJob(self._queues, self._timing, _names(accounts), options).run()

    async def status(self) -> tuple[WorkerInfo, ...]:
        """Say which workers are there, in the order of their names; none is no error."""
        return await StatusJob(self._queues, self._timing).run()

    def _assignments(
        self,
        accounts: Iterable[str] | Literal["all"],
        *,
        skip: Iterable[str] = (),
        funds: bool = False,
        room: int | None = None,
    ) -> Assignments:
        return Assignments(
            _names(accounts),
            skip=_names(skip) or (),
            patience=self._timing.patience,
            wait=self._timing.wait,
            funds=funds,
            room=room,
        )

    def __repr__(self) -> str:
        return f"<Fleet {self._queues!r}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("a Fleet is bound to its process and its loop: make another one there")


def _names(accounts: Iterable[str] | str) -> tuple[str, ...] | None:
    if accounts == "all":
        return None
    if isinstance(accounts, str) or not isinstance(accounts, Iterable):
        raise TypeError('accounts must be "all" or a collection of names')
    return tuple(instance(name, str, "each name") for name in accounts)


def _sure_errors(report: SweepReport) -> tuple[DustError, ...]:
    """Give the error of a turn that surely converted nothing; else nothing: it is not repeated."""
    moved = report.receipt is not None or report.settled or report.unsettled
    failed = report.outcome is Outcome.FAILED and not moved
    return (report.error,) if failed and report.error is not None else ()


def _plain_rule(rule: Any) -> Any:
    """Write a rule of `Converter` for JSON, in a form that `Converter` takes."""
    if isinstance(rule, timedelta):
        return rule.total_seconds()
    if isinstance(rule, Decimal):
        return str(rule)
    if isinstance(rule, str | int | float | None):
        return rule
    if isinstance(rule, Mapping):
        return {name: _plain_rule(amount) for name, amount in rule.items()}
    if callable(rule):
        raise ConfigurationError("a function stays where it is: give it to workers, as their rules")
    if isinstance(rule, Delistings):
        raise ConfigurationError("a fleet's sweep takes no delistings")
    return sorted(rule)
