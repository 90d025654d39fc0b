"""Commands that share limits with other programs through Redis, across modules."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from binance_dust.cli._fleet import watched_redis
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Keep, Run
from tests.redis_server import Server, a_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server() as server:
        yield server


@pytest.fixture
def asked(keep: Keep) -> Iterator[tuple[str, ...]]:
    """Accounts at an exchange with a window longer than the test."""
    with Sandbox(seed=7, window=3600) as exchange:
        file = keep(exchange.open_account("alice"), exchange.open_account("bob"))
        window = ("--window", "3600", "--attempts", "1")
        yield ("--accounts", str(file), "--base-url", exchange.url, *window)


def test_a_scan_by_a_fleet_fails_at_once_without_its_redis(run: Run, closed_port: int) -> None:
    done = run("scan", "--fleet", f"redis://127.0.0.1:{closed_port}")

    assert done.code == 1
    assert done.err == (
        f"binance-dust: no Redis at 127.0.0.1:{closed_port} (ConnectionError),"
        " and the fleet's workers are met there\n"
    )


async def test_a_lost_redis_is_said_once_and_that_it_is_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], server: Server
) -> None:
    answers = [None, "ConnectionError", "ConnectionError", None, None]
    asked = asyncio.Event()

    async def why_not(_: object) -> str | None:
        if len(answers) == 1:
            asked.set()
        return answers.pop(0) if answers else None

    monkeypatch.setattr("binance_dust.cli._fleet._why_not", why_not)
    monkeypatch.setattr("binance_dust.cli._fleet._LOOK_AGAIN", 0)

    async with watched_redis("redis://me:hunter2@queue.internal", needed=False):
        await asked.wait()
        await asyncio.sleep(0)

    lost, back = capsys.readouterr().err.splitlines()
    assert lost == (
        "binance-dust: no Redis at queue.internal:6379 (ConnectionError):"
        " it is asked again until it answers"
    )
    assert back.startswith("binance-dust: Redis at queue.internal:6379 answers again, after ")


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_the_next_program_knows_what_the_first_has_spent(
    run: Run,
    asked: tuple[str, ...],
    server: Server,
    by: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Each case uses its own address: Redis holds a budget for each.
    shared = ["--local-addr", "127.0.0.7"]
    if by == "argument":
        shared = ["--local-addr", "127.0.0.8", "--redis", server.url]
    else:
        monkeypatch.setenv("BINANCE_DUST_REDIS", server.url)

    first = run("bnb-burn", *asked, *shared)
    rows = run("doctor", "--json", "--probe", "recv-window", *asked, *shared).rows

    assert first.code == 0
    (burn,) = [row for row in rows if row.get("pool") == "GET /sapi/v1/bnbBurn"]
    assert (burn["used"], burn["others"]) == (4, 0)
    assert any(row.get("probe") == "recv-window" and row["settled"] for row in rows)


def test_without_redis_reads_go_on_and_say_so_and_no_password_shows(
    run: Run,
    asked: tuple[str, ...],
    closed_port: int,
    secrets: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets.append("hunter2")
    monkeypatch.setenv("BINANCE_DUST_REDIS", f"redis://:hunter2@127.0.0.1:{closed_port}/0")

    done = run("bnb-burn", *asked)

    assert done.code == 0
    assert "Redis can't be asked" in done.err
    assert "alice" in done.out


def test_a_wrong_redis_url_is_wrong_use(run: Run, asked: tuple[str, ...]) -> None:
    no_url = run("bnb-burn", *asked, "--redis", "http://127.0.0.1")
    rehearsed = run("bnb-burn", "--sandbox", "--redis", "redis://127.0.0.1")

    assert (no_url.code, rehearsed.code) == (2, 2)
    assert "redis://" in no_url.err
    assert "leave out --redis" in rehearsed.err
