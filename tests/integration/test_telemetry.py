"""Events become metrics, by endpoint and never by account."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from binance_dust import ConfigurationError, RetryPolicy, Session
from binance_dust.events import Banned, BoundaryLearnt, Refused, Waited
from binance_dust.sandbox import Sandbox
from binance_dust.telemetry import Telemetry

LOG = "GET /sapi/v1/asset/dribblet"


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def telemetry(reader: InMemoryMetricReader) -> Telemetry:
    return Telemetry(MeterProvider([reader]))


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    assert data is not None
    (resource,) = data.resource_metrics
    (scope,) = resource.scope_metrics
    return {metric.name: list(metric.data.data_points) for metric in scope.metrics}


async def test_calls_are_measured_by_endpoint(
    exchange: Sandbox, reader: InMemoryMetricReader, telemetry: Telemetry
) -> None:
    exchange.faults.lose_answer(endpoint=LOG)
    retry = RetryPolicy(max_wait=0.01)
    async with Session(base_url=exchange.url, observer=telemetry, retry=retry) as session:
        await session.client(exchange.open_account("alice")).dust_log()

    found = points(reader)
    requests = {
        (point.attributes["endpoint"], point.attributes["status"]): point.count
        for point in found["binance_dust.request.duration"]
    }
    assert requests == {("GET /api/v3/time", "200"): 1, (LOG, "200"): 1}
    retries = {point.attributes["endpoint"]: point.value for point in found["binance_dust.retries"]}
    assert {endpoint for endpoint, count in retries.items() if count} == {LOG}
    assert len(found["binance_dust.clock.offset"]) == 1


def test_waits_refusals_and_bans_are_counted(
    reader: InMemoryMetricReader, telemetry: Telemetry
) -> None:
    for event in (Waited(LOG, 2.0), Refused(LOG, 7.0), Banned(60.0), BoundaryLearnt(LOG)):
        telemetry(event)

    found = points(reader)
    assert found["binance_dust.wait.duration"][0].sum == 2.0
    assert sum(point.value for point in found["binance_dust.refusals"]) == 1
    assert found["binance_dust.bans"][0].value == 1
    assert not [p for row in found.values() for p in row if "account" in p.attributes]


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with pytest.raises(ConfigurationError, match=r"binance-dust\[otel\]"):
        Telemetry()
