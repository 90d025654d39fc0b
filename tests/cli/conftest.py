"""Fixtures: run commands in this process, against a sandbox in a thread of its own."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from binance_dust import Credentials
from binance_dust.cli import main
from binance_dust.cli._streams import MessageLevel, set_messages
from binance_dust.sandbox import Sandbox, write_accounts
from tests.systems import needs_address

WINDOW = 0.5


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Done]
Keep = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_accounts_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("BINANCE_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder for the user's data, in place of the real one."""
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def usual_messages() -> None:
    """An earlier command of this process may have asked for others."""
    set_messages(least=MessageLevel.INFO, as_json=False)


@pytest.fixture(autouse=True)
def no_colours_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """rich, and argparse since Python 3.14, colour what goes to a pipe if they are told to."""
    for name in ("FORCE_COLOR", "PYTHON_COLORS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    with Sandbox(seed=7, window=WINDOW) as exchange:
        yield exchange


@pytest.fixture
def time_passes(exchange: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """At the exchange a minute passes as soon as the first conversion is carried out.

    Until a lost call is over, nothing is concluded from what the exchange shows. And what has to
    be read again is read again soon.
    """
    monkeypatch.setattr("binance_dust.conversion._recover._BETWEEN_READINGS", 0.1)
    ended = threading.Event()

    def wait() -> None:
        while not ended.wait(0.01):
            if exchange.conversions:
                exchange.faults.jump_clock(60)
                return

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    yield
    ended.set()
    waiting.join()


@pytest.fixture
def secrets() -> list[str]:
    """Texts that no output may show."""
    return []


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], secrets: list[str], caplog: pytest.LogCaptureFixture
) -> Run:
    """Run a command in this process, and search its output for secrets."""

    def run(*arguments: str) -> Done:
        for argument in arguments:
            if argument.startswith("127."):
                needs_address(argument)
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        for secret in secrets:
            assert secret not in told.out + told.err + caplog.text
        assert "Traceback" not in told.err
        assert "\x1b" not in told.out + told.err, "no colours in a pipe"
        return Done(code, told.out, told.err)

    return run


@pytest.fixture
def keep(tmp_path: Path, secrets: list[str]) -> Keep:
    """Write an accounts file."""

    def keep(*accounts: Credentials, name: str = "accounts.toml") -> Path:
        secrets.extend(text for each in accounts for text in (each.api_key, each.secret.reveal()))
        return write_accounts(tmp_path / name, accounts)

    return keep


@pytest.fixture
def at(exchange: Sandbox) -> tuple[str, ...]:
    """The arguments that lead to the sandbox."""
    return ("--base-url", exchange.url, "--window", str(WINDOW), "--attempts", "2")


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture
def three_accounts(exchange: Sandbox, keep: Keep) -> str:
    """An accounts file: alice has debts, bob has margin and no debt, carol has no margin."""
    return str(
        keep(
            exchange.open_account("alice", ADA="6.21", debts={"ETH": "0.0011", "SOL": "0.02"}),
            exchange.open_account("bob", ADA="5", margin={"USDT": "10"}),
            exchange.open_account("carol", ADA="4", XLM="7"),
        )
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "dust.db"


@pytest.fixture
def two_accounts(
    exchange: Sandbox, keep: Keep, at: tuple[str, ...], ledger: Path
) -> tuple[str, ...]:
    """The arguments that lead to two accounts with dust, and their ledger."""
    accounts = [
        exchange.open_account("alice", ADA="6.21", XRP="1.5", BNB="0.5"),
        exchange.open_account("bob", ADA="3.5", DOGE="7"),
    ]
    return ("--accounts", str(keep(*accounts)), *at, "--ledger", str(ledger))
