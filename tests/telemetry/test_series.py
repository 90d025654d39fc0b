"""Series for both ways out: the same names, there from the start, bounded in number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest

from binance_dust import ConfigurationError, Ledger, endpoints
from binance_dust.budget import BudgetSnapshot, LimitKind, PoolSnapshot
from binance_dust.events import (
    Answered,
    Banned,
    FundsCallEnded,
    Refused,
    Retried,
    SharedBudgetBack,
    SharedBudgetLost,
    Waited,
)
from binance_dust.ledger import Intent, Kind
from binance_dust.reports import AccountReport
from binance_dust.sweeper import Outcome, SweepReport
from binance_dust.telemetry import Telemetry
from binance_dust.telemetry._series import SERIES, SeriesKind

LOG = "GET /sapi/v1/asset/dribblet"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Page:
    """What Prometheus reads, and the telemetry behind it."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.telemetry = Telemetry(registry=self.registry)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"binance_dust_{name}", labels)

    @property
    def text(self) -> str:
        return generate_latest(self.registry).decode()


@pytest.fixture
def page() -> Page:
    return Page()


def fill(telemetry: Telemetry) -> None:
    for series in SERIES:
        telemetry._sink.record(series, 1.0, *("x" for _ in series.labels))


def test_both_ways_have_the_same_series(page: Page) -> None:
    reader = InMemoryMetricReader()
    fill(Telemetry(MeterProvider([reader])))
    fill(page.telemetry)

    data = reader.get_metrics_data()
    assert data is not None
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    assert {metric.name for metric in metrics} == {series.otel for series in SERIES}
    families = {family.name for family in page.registry.collect()}
    assert families == {series.prometheus.removesuffix("_total") for series in SERIES}
    assert len(families) == len(SERIES) == 20


def test_names_follow_the_rules_of_prometheus() -> None:
    assert {series.otel: series.prometheus for series in SERIES}.items() >= {
        "binance_dust.wait.duration": "binance_dust_wait_duration_seconds",
        "binance_dust.refusals": "binance_dust_refusals_total",
        "binance_dust.pool.used": "binance_dust_pool_used",
        "binance_dust.sweep.last.timestamp": "binance_dust_sweep_last_timestamp_seconds",
    }.items()


def test_every_counter_of_trouble_is_there_at_zero_before_anything_happens(page: Page) -> None:
    for endpoint in endpoints.ALL.values():
        assert page.value("refusals_total", endpoint=endpoint.title) == 0
        assert page.value("retries_total", endpoint=endpoint.title) == 0
    for kind in Kind:
        for outcome in ("confirmed", "rejected", "unknown"):
            assert page.value("conversions_total", kind=kind, outcome=outcome) == 0
    for end in Outcome:
        assert page.value("accounts_total", task="sweep", outcome=end.name.lower()) == 0
    assert page.value("accounts_total", task="scan", outcome="failed") == 0
    for name in ("bans_total", "budget_losses_total", "budget_lost"):
        assert page.value(name) == 0


def test_waits_of_seconds_and_of_minutes_fall_into_different_buckets(page: Page) -> None:
    for seconds in (0.005, 0.7, 4.0, 45.0, 90.0, 500.0):
        page.telemetry(Waited(LOG, seconds))

    counts = [
        page.value("wait_duration_seconds_bucket", endpoint=LOG, le=bound)
        for bound in ("0.01", "1.0", "5.0", "60.0", "120.0", "600.0", "+Inf")
    ]
    assert counts == [1, 2, 3, 4, 5, 6, 6]
    # OpenTelemetry's own bounds begin 0, 5, 10, 25: all waits would be in the first.
    reader = InMemoryMetricReader()
    telemetry = Telemetry(MeterProvider([reader]))
    telemetry(Waited(LOG, 0.7))
    data = reader.get_metrics_data()
    assert data is not None
    found = {each.name: each for each in data.resource_metrics[0].scope_metrics[0].metrics}
    point: Any = found["binance_dust.wait.duration"].data.data_points[0]
    assert point.explicit_bounds[:3] == (0.01, 0.1, 0.5)


def test_events_are_counted(page: Page) -> None:
    for event in (
        Refused(LOG, 7.0),
        Banned(60.0),
        Retried(LOG, "alice", 1, "timeout", 0.5),
        Answered(LOG, "alice", 200, 0.2),
        FundsCallEnded("alice", "dust", "unknown", 7),
        SharedBudgetLost("refused"),
    ):
        page.telemetry(event)

    assert page.value("refusals_total", endpoint=LOG) == 1
    assert page.value("bans_total") == 1
    assert page.value("retries_total", endpoint=LOG) == 1
    assert page.value("request_duration_seconds_count", endpoint=LOG, status="200") == 1
    assert page.value("conversions_total", kind="dust", outcome="unknown") == 1
    assert (page.value("budget_lost"), page.value("budget_losses_total")) == (1, 1)
    page.telemetry(SharedBudgetBack(3.0))
    assert (page.value("budget_lost"), page.value("budget_losses_total")) == (0, 1)


def test_no_series_is_of_an_account(page: Page) -> None:
    fill(page.telemetry)
    before = len(page.text.splitlines())
    for number in range(500):
        name = f"secret-desk-{number}"
        page.telemetry(Answered(LOG, name, 200, 0.2))
        page.telemetry(Retried(LOG, name, 1, f"of {name}", 0.5))
        page.telemetry(FundsCallEnded(name, "dust", "confirmed", number))
        page.telemetry.count(AccountReport(account=name, at=NOW))
        page.telemetry.count(turn(name, Outcome.CONVERTED))

    lines = page.text.splitlines()
    assert "secret-desk" not in page.text
    # One more: an answer to this endpoint with this status, its buckets, count and sum.
    assert len(lines) == before + 12 + 2
    assert page.value("accounts_total", task="sweep", outcome="converted") == 500
    labels = {label for series in SERIES for label in series.labels}
    assert "account" not in labels


def turn(account: str, outcome: Outcome, **more: Any) -> SweepReport:
    return SweepReport(
        account=account,
        what="dust",
        account_type="SPOT",
        target="BNB",
        outcome=outcome,
        **{"at": NOW} | more,
    )


def test_the_last_turn_and_the_next_are_known(page: Page) -> None:
    hour = timedelta(hours=1)
    page.telemetry.count(turn("alice", Outcome.CONVERTED, next_at=NOW + 5 * hour))
    page.telemetry.count(turn("bob", Outcome.RESTING, at=NOW + hour, next_at=NOW + 3 * hour))

    assert page.value("sweep_last_timestamp_seconds") == (NOW + hour).timestamp()
    assert page.value("sweep_next_timestamp_seconds") == (NOW + 3 * hour).timestamp()
    page.telemetry.count(turn("bob", Outcome.CONVERTED, next_at=NOW + 9 * hour))
    assert page.value("sweep_next_timestamp_seconds") == (NOW + 5 * hour).timestamp()
    page.telemetry.count(turn("alice", Outcome.NOTHING))
    page.telemetry.count(turn("bob", Outcome.NOTHING))
    assert page.value("sweep_next_timestamp_seconds") == 0


class WatchedSession:
    """The part of a session that is asked."""

    closed = False

    def __init__(self, *pools: PoolSnapshot, shut_for: float = 0.0) -> None:
        self._pools, self._shut_for = pools, shut_for

    @property
    def budget(self) -> Any:
        return self

    def snapshot(self) -> BudgetSnapshot:
        return BudgetSnapshot(self._pools, self._shut_for, 500.0)

    def now(self) -> datetime:
        return NOW


def pool(kind: LimitKind, account: str | None, used: int, limit: int) -> PoolSnapshot:
    return PoolSnapshot(LOG, kind, account, limit, used, 0, 3, 1.0, 0.0, True, 0)


async def test_pools_are_shown_by_address_and_of_accounts_only_the_fullest(page: Page) -> None:
    pools = [pool(LimitKind.IP, None, 11_900, 12_000)]
    pools += [
        pool(LimitKind.UID, f"key-{number}", number, 180_000) for number in range(499, -1, -1)
    ]
    session: Any = WatchedSession(*pools, shut_for=90.0)
    page.telemetry.watch(sessions={session: "10.0.0.2"})

    await page.telemetry.refresh()

    of_address = {"address": "10.0.0.2", "endpoint": LOG, "payer": "ip"}
    assert page.value("pool_used", **of_address) == 11_900
    assert page.value("pool_limit", **of_address) == 12_000
    assert page.value("pool_waiting", **of_address) == 3
    assert page.value("pool_used", **of_address | {"payer": "uid"}) == 499
    assert page.value("address_shut_seconds", address="10.0.0.2") == 90
    assert "key-" not in page.text
    session.closed = True
    await page.telemetry.refresh()
    assert page.value("pool_used", **of_address) is None


async def test_workers_are_counted_by_state(page: Page) -> None:
    states = [(True, False), (True, True), (False, False)]
    workers = [SimpleNamespace(here=here, aside=aside) for here, aside in states]
    progress: Any = SimpleNamespace(workers=workers)
    page.telemetry.watch(progress=lambda: progress)

    await page.telemetry.refresh()

    found = {state: page.value("workers", state=state) for state in ("here", "aside", "gone")}
    assert found == {"here": 1, "aside": 1, "gone": 1}


async def test_the_oldest_open_entry_is_known_by_its_age(page: Page) -> None:
    session: Any = WatchedSession()
    async with Ledger(":memory:") as ledger:
        page.telemetry.watch(sessions=[session], ledger=ledger)
        await page.telemetry.refresh()
        assert (page.value("entries_open"), page.value("entries_oldest_seconds")) == (0, 0)
        for minutes, account in ((90, "alice"), (5, "bob")):
            at = NOW - timedelta(minutes=minutes)
            entry = await ledger.intend(
                Intent(
                    account=account,
                    kind=Kind.DUST,
                    account_type="SPOT",
                    target="BNB",
                    held={"ADA": Decimal("6.21")},
                    intended_at=at,
                    sent_after=at,
                    expires_at=at + timedelta(seconds=35),
                ),
                now=at,
                length=timedelta(seconds=90),
            )

        await page.telemetry.refresh()

        assert (page.value("entries_open"), page.value("entries_oldest_seconds")) == (2, 5400)
        assert entry.open


def test_metrics_go_one_way() -> None:
    with pytest.raises(ConfigurationError, match="one way"):
        Telemetry(MeterProvider(), registry=CollectorRegistry())


def test_series_say_what_they_are() -> None:
    for series in SERIES:
        assert series.text
        assert bool(series.bounds) == (series.kind is SeriesKind.HISTOGRAM)
        assert list(series.bounds) == sorted(series.bounds)
