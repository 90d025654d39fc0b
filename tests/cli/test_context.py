"""The context of commands: where accounts come from, how they connect, how each is asked."""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from binance_dust import ConfigurationError, Credentials
from binance_dust.cli._context import add_arguments, ask_each, open_context
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Keep, Run
from tests.systems import posix

ENVIRON = {
    "BINANCE_API_KEY": "key-of-the-desk",
    "BINANCE_API_SECRET": "secret-of-the-desk",
    "BINANCE_DESK7_API_KEY": "key-of-desk7",
    "BINANCE_DESK7_API_SECRET": "secret-of-desk7",
}
"""Made up."""


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Keys in the environment, which a test may change."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.toml"
    tables = [f'[{name}]\napi_key = "key-{name}"\nsecret = "secret-{name}"\n' for name in "abc"]
    path.write_text("\n".join(tables), encoding="utf-8")
    path.chmod(0o600)
    return path


async def chosen(*arguments: str) -> list[Credentials]:
    """Give the accounts of a command with these arguments; nothing is sent."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    async with open_context(parser.parse_args(arguments)) as context:
        return [client.credentials for client in context.clients]


def names(accounts: Sequence[Credentials]) -> list[str | None]:
    return [account.name for account in accounts]


async def test_a_file_gives_all_of_its_accounts_or_the_named_ones(file: Path) -> None:
    given = ("--accounts", str(file))
    several = ("--account", "c", "--account", "a", "--account", "c")

    assert names(await chosen(*given)) == ["a", "b", "c"]
    assert names(await chosen(*given, *several)) == ["c", "a"]
    with pytest.raises(ConfigurationError, match=r"no account 'x'; there are a, b, c"):
        await chosen(*given, "--account", "a", "--account", "x")


async def test_the_environment_may_name_the_file_and_the_argument_wins(
    file: Path, keys: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys.setenv("BINANCE_DUST_ACCOUNTS", str(file))

    assert names(await chosen()) == ["a", "b", "c"]
    assert names(await chosen("--account", "b")) == ["b"]
    with pytest.raises(ConfigurationError, match=r"other\.toml"):
        await chosen("--accounts", str(tmp_path / "other.toml"))


async def test_without_a_file_the_environment_holds_the_keys(keys: pytest.MonkeyPatch) -> None:
    (desk,) = await chosen()
    named = await chosen("--account", "desk7", "--account", "desk7")

    assert (desk.name, desk.api_key) == (None, "key-of-the-desk")
    assert [each.api_key for each in named] == ["key-of-desk7"]
    with pytest.raises(ConfigurationError, match="BINANCE_DESK8_API_KEY"):
        await chosen("--account", "desk8")
    keys.delenv("BINANCE_API_KEY")
    with pytest.raises(ConfigurationError, match=r"--accounts FILE.*--sandbox"):
        await chosen()


@pytest.mark.parametrize("command", ["doctor", "liabilities", "history", "bnb-burn", "scan"])
def test_a_name_is_printed_without_control_characters_or_markup(
    run: Run, exchange: Sandbox, keep: Keep, command: str, at: tuple[str, ...]
) -> None:
    # `run` looks for the escape itself.
    name = "[red]desk[/]\x1b[2J"
    open_account = exchange.open_account(name, ADA="6.21", debts={"ETH": "0.001"})
    path = keep(open_account)
    exchange.faults.refuse(401, code=-2015, account=name, times=4, retry_after=None)

    done = run(command, "--accounts", str(path), *at)

    assert r"[red]desk[/]\x1b[2J" in done.out + done.err


@pytest.mark.parametrize(
    "command", [("liabilities",), ("history",), ("bnb-burn",), ("sync", "--ledger", ":memory:")]
)
def test_an_account_that_fails_is_named_once(
    run: Run,
    exchange: Sandbox,
    keep: Keep,
    command: tuple[str, ...],
    at: tuple[str, ...],
) -> None:
    path = keep(exchange.open_account("zacharias"))
    exchange.faults.refuse(401, code=-2015, times=None, retry_after=None, account="zacharias")

    done = run(*command, "--accounts", str(path), *at)

    told = [line for line in (done.out + done.err).splitlines() if "-2015" in line]
    assert {line.count("zacharias") for line in told} == {1}


COMMANDS = ["doctor", "liabilities", "history", "bnb-burn"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_accounts_is_wrong_use(run: Run, command: str) -> None:
    done = run(command)

    assert (done.code, done.out) == (2, "")
    assert "no accounts: give --accounts FILE" in done.err


@posix
@pytest.mark.parametrize("command", COMMANDS)
def test_an_accounts_file_that_is_missing_public_or_broken_is_an_error(
    run: Run, command: str, file: Path
) -> None:
    missing = run(command, "--accounts", str(file.with_name("missing.toml")))
    file.chmod(0o644)
    open_to_all = run(command, "--accounts", str(file))
    file.chmod(0o600)
    file.write_text('[alice]\napi_key = "key"\nsecret = "precious', encoding="utf-8")
    broken = run(command, "--accounts", str(file))

    assert {missing.code, open_to_all.code, broken.code} == {2}
    assert f"missing.toml: {os.strerror(errno.ENOENT)}" in missing.err
    assert "everybody can read accounts.toml; run: chmod 600" in open_to_all.err
    assert "not TOML" in broken.err
    assert "precious" not in broken.err


@pytest.mark.parametrize("command", COMMANDS)
def test_an_exchange_that_cannot_be_reached_is_a_failure(
    run: Run, command: str, exchange: Sandbox, keep: Keep, closed_port: int
) -> None:
    file = keep(exchange.open_account("alice"))

    done = run(
        command,
        "--accounts",
        str(file),
        "--base-url",
        f"http://127.0.0.1:{closed_port}",
        "--attempts",
        "1",
    )

    assert done.code == 1
    assert "no connection" in done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--headroom", "1"), "less than 1"),
        (("--headroom", "x"), "is not an amount"),
        (("--window", "0"), "above zero"),
        (("--attempts", "0"), "1 or more"),
        (("--sandbox-accounts", "0"), "1 or more"),
        (("--sandbox", "--base-url", "http://127.0.0.1:1"), "leave out --base-url"),
        (("--sandbox", "--accounts", "x.toml"), "leave out --accounts"),
        (("--sandbox", "--proxy", "http://127.0.0.1:1"), "leave out --proxy"),
        (("--sandbox", "--account", "nobody"), "no account 'nobody'; there are alice, bob"),
        (("--sandbox", "--local-addr", "nowhere"), "local_addr must be an address"),
        (("--base-url", "http://example.org"), "plain http goes to this machine only"),
        (("--base-url", "gopher://x"), "base_url must be like"),
        (("--proxy", "nonsense"), "proxy must be like"),
    ],
)
def test_a_wrong_option_of_the_connection_is_wrong_use(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)

    done = run("liabilities", *arguments)

    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_accounts_are_spread_over_the_local_addresses(
    run: Run, exchange: Sandbox, keep: Keep, at: tuple[str, ...]
) -> None:
    file = keep(*exchange.open_accounts(4))
    addresses = ("--local-addr", "127.0.0.2", "--local-addr", "127.0.0.3")

    done = run("bnb-burn", "--accounts", str(file), *addresses, *at)

    assert done.code == 0
    asked = {(seen.account, seen.address) for seen in exchange.requests if seen.account}
    assert asked == {
        ("alice", "127.0.0.2"),
        ("bob", "127.0.0.3"),
        ("carol", "127.0.0.2"),
        ("dave", "127.0.0.3"),
    }


# --- one question to every account ---------------------------------------------------------------


async def test_answers_come_in_the_order_of_the_accounts_and_errors_are_answers() -> None:
    under_way = most = 0

    async def ask(client: Any) -> str:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(5 - client % 5):
            await asyncio.sleep(0)
        under_way -= 1
        if client == 3:
            raise ConfigurationError("three")
        return f"answer {client}"

    clients: Any = range(20)
    found: Any = [
        (client, str(answer)) async for client, answer in ask_each(clients, ask, at_once=4)
    ]

    assert found == [(n, "three" if n == 3 else f"answer {n}") for n in range(20)]
    assert most == 4


async def test_leaving_early_cancels_what_is_running() -> None:
    ended: list[int] = []

    async def ask(client: Any) -> int:
        try:
            await asyncio.sleep(0 if client == 0 else 3600)
        finally:
            ended.append(client)
        return 0

    clients: Any = range(100)
    async with aclosing(ask_each(clients, ask, at_once=3)) as answers:
        async for _ in answers:
            await asyncio.sleep(0)
            break

    assert sorted(ended) == [0, 1, 2, 3]
    assert len(asyncio.all_tasks()) == 1


def test_a_proxy_of_the_environment_is_used_and_its_password_not_shown(
    run: Run, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BINANCE_DUST_PROXY", "http://me:canary@127.0.0.1:9")
    with Sandbox(seed=7) as exchange:
        file = keep(exchange.open_account("alice"))
        done = run(
            "scan", "--accounts", str(file), "--base-url", exchange.url, "--attempts", "1", "--json"
        )

        assert done.code == 1
        assert "canary" not in done.out + done.err
        assert exchange.requests == ()
