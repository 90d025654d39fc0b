"""Rules and dashboard: they ask for series that there are, and a real Prometheus answers."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from binance_dust.sandbox import Sandbox
from binance_dust.telemetry._series import SERIES, SeriesKind
from tests.cli.scraper import options_for, running
from tests.redis_server import a_server

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text("utf-8"))
NAMES = {series.prometheus for series in SERIES} | {
    f"{series.prometheus}_{suffix}"
    for series in SERIES
    if series.kind is SeriesKind.HISTOGRAM
    for suffix in ("bucket", "count", "sum")
}
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool")


def queries() -> list[tuple[str, str]]:
    """Give each query of the dashboard, as Grafana would send it, with its panel's title."""
    return [
        (panel["title"], with_variables(target["expr"]))
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    ]


def with_variables(text: str) -> str:
    return text.replace("$instance", ".*").replace("$__rate_interval", "10s")


def series_in(text: str) -> set[str]:
    return set(re.findall(r"binance_dust_\w+", text))


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_rules_and_dashboard_ask_for_series_that_there_are() -> None:
    asked = set()
    for text in [query for _, query in queries()] + [rule["expr"] for rule in rules()]:
        asked |= series_in(text)

    assert asked <= NAMES
    # And every series is looked at by one of them.
    shown = {name.removesuffix("_bucket").removesuffix("_count") for name in asked}
    assert {series.prometheus for series in SERIES} - shown == set()


def test_labels_that_are_asked_for_are_those_of_the_series() -> None:
    known = {label for series in SERIES for label in series.labels} | {"instance", "job", "le"}
    for _, query in queries():
        for labels in re.findall(r"by \(([^)]*)\)", query):
            assert set(labels.split(", ")) <= known
        assert set(re.findall(r"(\w+)=~?\"", query)) <= known


def test_every_alert_is_tested() -> None:
    tests = yaml.safe_load((RULES.parent / "rules_test.yml").read_text("utf-8"))["tests"]
    fires: set[str] = set()
    quiet: set[str] = set()
    for test in tests:
        for case in test["alert_rule_test"]:
            (fires if case["exp_alerts"] else quiet).add(case["alertname"])

    assert fires == quiet == {rule["alert"] for rule in rules()}


@needs_promtool
def test_promtool_finds_no_fault_and_the_rules_pass_their_tests(tmp_path: Path) -> None:
    # The dashboard's queries too: as rules, so that they are parsed.
    recorded = [
        {"record": f"panel:{number}", "expr": query} for number, (_, query) in enumerate(queries())
    ]
    page = tmp_path / "dashboard.yml"
    page.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}), "utf-8")
    for command in (
        ("check", "rules", "rules.yml", str(page)),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "rules_test.yml"),
    ):
        done = subprocess.run(  # noqa: S603 - found above
            [str(shutil.which("promtool")), *command],
            cwd=RULES.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


# --- a real Prometheus ---------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Prometheus:
    """Debian's Prometheus, with the configuration of `deploy/`."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._http = http

    async def api(self, path: str, **query: str) -> Any:
        async with self._http.get(f"{self.url}/api/v1/{path}", params=query) as answer:
            said = await answer.json()
        assert said["status"] == "success", said
        return said["data"]

    async def value(self, query: str) -> list[float]:
        found = (await self.api("query", query=query))["result"]
        return [float(each["value"][1]) for each in found]

    async def until(self, query: str, *, seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not await self.value(query):  # noqa: ASYNC110
                await asyncio.sleep(0.2)


@asynccontextmanager
async def prometheus(*targets: str) -> AsyncIterator[Prometheus]:
    config = yaml.safe_load((RULES.parent / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES)]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = list(targets)
    listen = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "prometheus.yml")
        file.write_text(yaml.safe_dump(config), "utf-8")  # noqa: ASYNC240 - a few lines
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - it starts at once
            [
                str(shutil.which("prometheus")),
                f"--config.file={file}",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={listen}",
                "--log.level=error",
            ]
        )
        try:
            async with aiohttp.ClientSession() as http:
                server = Prometheus(f"http://{listen}", http)
                await ready(server)
                yield server
        finally:
            process.terminate()
            process.wait(20)


async def ready(server: Prometheus) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await server.api("status/buildinfo")
            except (aiohttp.ClientError, AssertionError):
                await asyncio.sleep(0.2)
            else:
                return


def addresses(*scrapers: Any) -> Iterator[str]:
    for scraper in scrapers:
        yield scraper.url.removeprefix("http://")


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("prometheus"), reason="no prometheus")
async def test_prometheus_scrapes_a_running_sweep_and_every_query_is_answered(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as stack:
        exchange = await stack.enter_async_context(Sandbox(seed=7, window=2.0))
        accounts = exchange.open_accounts(90)
        exchange.faults.delay(0.1, endpoint="POST /sapi/v3/asset/getUserAsset", times=None)
        stuck = exchange.faults.delay(
            600, endpoint="POST /sapi/v3/asset/getUserAsset", account=accounts[-1].name, times=None
        )
        exchange.faults.fail(503, endpoint="GET /sapi/v1/asset/dribblet", times=5)
        given = options_for(exchange, tmp_path, accounts)
        books = ("--ledger", str(tmp_path / "desk.db"), "--yes", "--every", "7d")
        redis = stack.enter_context(a_server())
        fleet = ("--fleet", redis.url)
        worker = await stack.enter_async_context(
            running(capfd, "worker", *fleet, *given, "--grace", "0.1")
        )
        scan = await stack.enter_async_context(running(capfd, "scan", *fleet))
        sweep = await stack.enter_async_context(
            running(capfd, "sweep", *given, *books, "--concurrency", "1")
        )
        server = await stack.enter_async_context(prometheus(*addresses(sweep, worker, scan)))

        await server.until(
            'sum(increase(binance_dust_accounts_total{outcome="converted"}[10s])) > 2'
        )
        # Now, so that Prometheus sees the counter rise from the 0 that it began with.
        exchange.faults.lose_answer(endpoint="POST /sapi/v1/asset/dust", times=1)
        await server.until('binance_dust_conversions_total{outcome="unknown"} > 0')
        await server.until("binance_dust_workers > 0")
        await server.until('ALERTS{alertname="BinanceDustOutcomeUnknown"}')

        assert len(await server.value("up == 1")) == 3
        for title, query in queries():
            # What is shown only when it happens is there all the same.
            whole = query.removesuffix(" > 0")
            assert await server.value(whole), f"{title}: {whole}"
        (group,) = (await server.api("rules"))["groups"]
        assert {rule["health"] for rule in group["rules"]} == {"ok"}
        assert stuck.hits
        capfd.readouterr()
