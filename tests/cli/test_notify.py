"""`--notify`: trouble is told once, to a URL or a command, and never with a secret."""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from binance_dust import ConfigurationError
from binance_dust import events as happened
from binance_dust.cli._notify import Notifier
from binance_dust.sandbox import Sandbox
from binance_dust.sweeper import Outcome
from tests.cli.conftest import Run
from tests.systems import posix

DUST = "POST /sapi/v1/asset/dust"
LOG = "GET /sapi/v1/asset/dribblet"


class TurnReport:
    account, what, account_type = "alice", "dust", "SPOT"
    unsettled = ()

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def __str__(self) -> str:
        return f"alice (SPOT dust): {self.outcome}"


def notifier(monkeypatch: pytest.MonkeyPatch) -> tuple[Notifier, list[tuple[str, str | None]]]:
    options = argparse.Namespace(notify="https://hooks.internal/token", command="sweep")
    made, sent = Notifier(options), []

    def send(what: str, text: str, account: str | None = None) -> None:
        sent.append((what, account))

    monkeypatch.setattr(made, "_send", send)
    return made, sent


def test_each_trouble_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, sent = notifier(monkeypatch)

    for _ in range(3):
        made(happened.FundsCallEnded("alice", "dust", "unknown", 7))
        made(happened.FundsCallEnded("alice", "dust", "confirmed", 8))
        made(happened.Banned(130))

    assert sent == [("unknown outcome", "alice"), ("ban", None)]


async def test_a_sweep_that_fails_is_told_at_its_end_or_by_account_if_it_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns: list[Any] = [
        TurnReport(outcome)
        for outcome in (Outcome.FAILED, Outcome.FAILED, Outcome.CONVERTED, Outcome.FAILED)
    ]
    once, sent_once = notifier(monkeypatch)
    async with once.told():
        for turn in turns:
            once.take(turn)
    for_ever, sent = notifier(monkeypatch)
    async with for_ever.told(one_by_one=True):
        for turn in turns:
            for_ever.take(turn, one_by_one=True)

    assert sent_once == [("failed sweep", None)]
    assert sent == [("failed sweep", "alice")] * 2


@posix
@pytest.mark.usefixtures("time_passes")
def test_a_command_gets_json_and_no_secret(
    run: Run,
    two_accounts: tuple[str, ...],
    exchange: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("BINANCE_API_SECRET", "hunter2")
    out = tmp_path / "told"
    exchange.faults.lose_answer(endpoint=DUST, account="alice")
    exchange.faults.fail(
        400, code=-1102, after_executing=False, endpoint=LOG, account="alice", skip=1, times=None
    )

    done = run(
        *("sweep", "--yes", *two_accounts, "--account", "alice"),
        *("--notify", f"sh -c 'cat >> {out}; env >> {out}'"),
    )

    text = out.read_text(encoding="utf-8")
    messages = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert done.code == 3
    assert [(each["about"], each["account"]) for each in messages] == [
        ("unknown outcome", "alice"),
        ("failed sweep", None),
    ]
    assert "entry 1" in messages[0]["text"]
    assert messages[1]["text"] == "1 turn: 1 unknown"
    assert "hunter2" not in text


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any]]]:
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if len(got) == 1 else 500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/token-of-the-hook", got
        serving.shutdown()
        thread.join()


def test_a_url_gets_a_post_and_its_token_is_never_shown(
    run: Run,
    two_accounts: tuple[str, ...],
    exchange: Sandbox,
    server: tuple[str, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, got = server
    monkeypatch.setenv("BINANCE_DUST_NOTIFY", url)
    exchange.faults.fail(401, code=-2015, account="alice", times=None)

    told = run("convert", *two_accounts)
    refused = run("convert", *two_accounts)

    assert [each["about"] for each in got] == ["failed convert"] * 2
    assert got[0]["text"] == "1 turn: 1 failed"
    assert "not told" not in told.err
    assert "failed convert: not told to 127.0.0.1: it answered 500" in refused.err
    assert "token-of-the-hook" not in told.err + refused.err


@pytest.mark.parametrize("command", ["scan", "sweep"])
def test_a_fleet_that_can_not_be_asked_is_told(
    run: Run, server: tuple[str, list[Any]], command: str
) -> None:
    pytest.importorskip("taskiq_redis")
    url, got = server

    done = run(command, "--fleet", "redis://127.0.0.1:1", "--notify", url)

    assert done.code == 1
    ((about, text),) = [(each["about"], each["text"]) for each in got]
    assert about == f"failed {command}"
    assert "no Redis at 127.0.0.1:1" in text


def test_what_can_not_be_told_is_said(
    run: Run, exchange: Sandbox, two_accounts: tuple[str, ...]
) -> None:
    exchange.faults.fail(401, code=-2015, account="alice", times=None)

    done = run("sweep", *two_accounts, "--notify", "no-such-program-here")

    assert "failed sweep: not told to no-such-program-here: " in done.err
    with pytest.raises(ConfigurationError, match="not a command"):
        Notifier(argparse.Namespace(notify="sh 'x", command="sweep"))
