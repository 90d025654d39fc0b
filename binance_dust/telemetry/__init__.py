"""Events and states as metrics: for OpenTelemetry (extra `otel`) or Prometheus (extra `metrics`).

    Session(observer=Telemetry())                        # OpenTelemetry's meters
    Session(observer=Telemetry(registry=registry))       # the Prometheus client's

_series.py   every series, in a table
_sinks.py    the two ways out

What happens comes as events: `Telemetry` is an observer. What is, is asked for: `watch` says whom
to ask, and `refresh` asks. Every counter exists from the start, at 0, so that an alert can tell
nothing from no answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust import endpoints
from binance_dust.errors import ConfigurationError
from binance_dust.events import (
    Answered,
    Banned,
    ClockLearnt,
    Event,
    FundsCallEnded,
    Refused,
    Retried,
    SharedBudgetBack,
    SharedBudgetLost,
    Waited,
)
from binance_dust.ledger import OPEN, Kind
from binance_dust.sweeper import Outcome, SweepReport
from binance_dust.telemetry import _series as s
from binance_dust.telemetry._sinks import OtelSink, PrometheusSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from opentelemetry.metrics import MeterProvider
    from prometheus_client import CollectorRegistry

    from binance_dust.fleet import FleetProgress, Worker
    from binance_dust.ledger import Ledger
    from binance_dust.reports import AccountReport
    from binance_dust.session import Session

__all__ = ["Telemetry"]

_ENDED: Final = ("confirmed", "rejected", "unknown")
_STATES: Final = ("here", "aside", "gone")


class Telemetry:
    """An observer that records events as metrics, and what else it is shown.

    With a `registry` of the Prometheus client, there; else with OpenTelemetry: with `provider`, or
    without one with OpenTelemetry's global one. Both have the same series.
    """

    def __init__(
        self,
        provider: MeterProvider | None = None,
        *,
        registry: CollectorRegistry | None = None,
    ) -> None:
        """Create the series, all counters at 0."""
        if provider is not None and registry is not None:
            raise ConfigurationError("provider or registry: metrics go one way")
        self._sink: OtelSink | PrometheusSink = (
            OtelSink(provider) if registry is None else PrometheusSink(registry)
        )
        self._sessions: dict[Session, str] = {}
        self._ledger: Ledger | None = None
        self._worker: Worker | None = None
        self._progress: Callable[[], FleetProgress] | None = None
        self._turns: dict[tuple[str, str, str], datetime] = {}
        """When each account's turn comes next."""
        self._begin()

    def _begin(self) -> None:
        record = self._sink.record
        for endpoint in endpoints.ALL.values():
            record(s.RETRIES, 0, endpoint.title)
            record(s.REFUSALS, 0, endpoint.title)
        for kind in Kind:
            for ended in _ENDED:
                record(s.CONVERSIONS, 0, kind.value, ended)
        for outcome in ("read", "failed"):
            record(s.ACCOUNTS, 0, "scan", outcome)
        for end in Outcome:
            record(s.ACCOUNTS, 0, "sweep", end.name.lower())
        for series in (s.BANS, s.BUDGET_LOSSES, s.BUDGET_LOST, s.LAST, s.NEXT):
            record(series, 0)

    # --- what happens ----------------------------------------------------------------------------

    def __call__(self, event: Event, /) -> None:
        """Record an event, if there is a series for it."""
        record = self._sink.record
        match event:
            case Waited(pool=pool, seconds=seconds):
                record(s.WAITS, seconds, pool)
            case Answered(endpoint=endpoint, status=status, seconds=seconds):
                record(s.REQUESTS, seconds, endpoint, str(status))
            case Retried(endpoint=endpoint):
                record(s.RETRIES, 1, endpoint)
            case Refused(pool=pool):
                record(s.REFUSALS, 1, pool)
            case Banned():
                record(s.BANS, 1)
            case ClockLearnt(offset=offset):
                record(s.CLOCK, offset)
            case FundsCallEnded(kind=kind, outcome=outcome):
                record(s.CONVERSIONS, 1, kind, outcome)
            case SharedBudgetLost():
                record(s.BUDGET_LOST, 1)
                record(s.BUDGET_LOSSES, 1)
            case SharedBudgetBack():
                record(s.BUDGET_LOST, 0)
            case _:
                pass

    def count(self, report: AccountReport | SweepReport) -> None:
        """Count an account that a scan or a sweep is done with."""
        if not isinstance(report, SweepReport):
            self._sink.record(s.ACCOUNTS, 1, "scan", "read" if report.ok else "failed")
            return
        self._sink.record(s.ACCOUNTS, 1, "sweep", report.outcome.name.lower())
        self._sink.record(s.LAST, report.at.timestamp())
        turn = (report.account, report.what, report.account_type)
        if report.next_at is None:
            self._turns.pop(turn, None)
        else:
            self._turns[turn] = report.next_at
        soonest = min(self._turns.values(), default=None)
        self._sink.record(s.NEXT, 0 if soonest is None else soonest.timestamp())

    # --- what is ---------------------------------------------------------------------------------

    def watch(
        self,
        *,
        sessions: Any = (),
        ledger: Ledger | None = None,
        worker: Worker | None = None,
        progress: Callable[[], FleetProgress] | None = None,
    ) -> None:
        """Say whom `refresh` asks.

        `sessions` maps each session to the name of its address, or lists them. `progress` gives how
        far a fleet is: `lambda: reports.progress`.
        """
        named = sessions if hasattr(sessions, "items") else dict.fromkeys(sessions)
        self._sessions |= {each: name or "default" for each, name in named.items()}
        self._ledger = self._ledger if ledger is None else ledger
        self._worker = self._worker if worker is None else worker
        self._progress = self._progress if progress is None else progress

    async def refresh(self) -> None:
        """Read the gauges anew: pools, the ledger's open entries, workers. It sends nothing."""
        self._read_pools()
        if self._worker is not None:
            self._sink.record(s.IN_HAND, self._worker.in_hand)
        if self._progress is not None:
            self._read_workers(self._progress())
        if self._ledger is not None:
            await self._read_ledger(self._ledger)

    def _read_pools(self) -> None:
        for series in (s.USED, s.LIMIT, s.WAITING):
            self._sink.clear(series)
        for session, address in self._sessions.items():
            if session.closed:
                continue
            snapshot = session.budget.snapshot()
            self._sink.record(s.SHUT, snapshot.shut_for, address)
            most: dict[tuple[str, str], tuple[int, int, int]] = {}
            for pool in snapshot.pools:
                key, values = (pool.name, pool.kind.value), (pool.used, pool.limit, pool.waiting)
                # Of the pools of accounts, the one that is nearest to its limit.
                most[key] = max(most.get(key, values), values)
            for (endpoint, payer), values in most.items():
                for series, value in zip((s.USED, s.LIMIT, s.WAITING), values, strict=True):
                    self._sink.record(series, value, address, endpoint, payer)

    def _read_workers(self, progress: FleetProgress) -> None:
        states = dict.fromkeys(_STATES, 0)
        for worker in progress.workers:
            states["gone" if not worker.here else "aside" if worker.aside else "here"] += 1
        for state, count in states.items():
            self._sink.record(s.WORKERS, count, state)

    async def _read_ledger(self, ledger: Ledger) -> None:
        began = [entry.at async for entry in ledger.entries(status=OPEN)]
        age = 0.0
        if began:
            now = next(iter(self._sessions)).now() if self._sessions else max(began)
            age = max(0.0, (now - min(began)).total_seconds())
        self._sink.record(s.OPEN, len(began))
        self._sink.record(s.OLDEST, age)
