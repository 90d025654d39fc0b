"""Where a command's accounts come from, and what is said where there are none."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from binance_dust import ConfigurationError, Credentials
from binance_dust.cli import _arguments
from binance_dust.cli._accounts import find_accounts
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Keep, Run

ENVIRON = {
    "BINANCE_API_KEY": "key-of-the-desk",
    "BINANCE_API_SECRET": "secret-of-the-desk",
    "BINANCE_DESK7_API_KEY": "key-of-desk7",
    "BINANCE_DESK7_API_SECRET": "secret-of-desk7",
}
"""Made up."""


def options(accounts: str | None = None, account: Sequence[str] = ()) -> argparse.Namespace:
    return argparse.Namespace(accounts=accounts, account=list(account))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.toml"
    tables = [f'[{name}]\napi_key = "key-{name}"\nsecret = "secret-{name}"\n' for name in "abc"]
    path.write_text("\n".join(tables), encoding="utf-8")
    path.chmod(0o600)
    return path


def names(accounts: Sequence[Credentials]) -> list[str | None]:
    return [account.name for account in accounts]


def test_a_file_gives_all_of_its_accounts_or_the_named_ones(file: Path) -> None:
    assert names(find_accounts(options(str(file)), {})) == ["a", "b", "c"]
    assert names(find_accounts(options(str(file), ["c", "a", "c"]), {})) == ["c", "a"]
    with pytest.raises(ConfigurationError, match=r"no account 'x'; there are a, b, c"):
        find_accounts(options(str(file), ["a", "x"]), {})


def test_the_environment_may_name_the_file_and_the_argument_wins(
    file: Path, tmp_path: Path
) -> None:
    environ = ENVIRON | {"BINANCE_DUST_ACCOUNTS": str(file)}

    assert names(find_accounts(options(), environ)) == ["a", "b", "c"]
    assert names(find_accounts(options(account=["b"]), environ)) == ["b"]
    with pytest.raises(ConfigurationError, match=r"other\.toml"):
        find_accounts(options(str(tmp_path / "other.toml")), environ)


def test_without_a_file_the_environment_holds_the_keys() -> None:
    (desk,) = find_accounts(options(), ENVIRON)
    named = find_accounts(options(account=["desk7", "desk7"]), ENVIRON)

    assert (desk.name, desk.api_key) == (None, "key-of-the-desk")
    assert [each.api_key for each in named] == ["key-of-desk7"]
    with pytest.raises(ConfigurationError, match="BINANCE_DESK8_API_KEY"):
        find_accounts(options(account=["desk8"]), ENVIRON)
    with pytest.raises(ConfigurationError, match=r"--accounts FILE.*--sandbox"):
        find_accounts(options(), {})


@pytest.mark.parametrize("command", ["doctor", "liabilities", "history", "bnb-burn", "scan"])
def test_a_name_steers_no_terminal_and_is_no_markup(
    run: Run, exchange: Sandbox, keep: Keep, command: str, at: tuple[str, ...]
) -> None:
    # `run` looks for the escape itself.
    name = "[red]desk[/]\x1b[2J"
    open_account = exchange.open_account(name, ADA="6.21", debts={"ETH": "0.001"})
    path = keep(open_account)
    exchange.faults.refuse(401, code=-2015, account=name, times=4, retry_after=None)

    done = run(command, "--accounts", str(path), *at)

    assert "[red]desk[/] [2J" in done.out + done.err


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
    exchange.faults.refuse(401, code=-2015, times=None, retry_after=None)

    done = run(*command, "--accounts", str(path), *at)

    told = [line for line in (done.out + done.err).splitlines() if "-2015" in line]
    assert {line.count("zacharias") for line in told} == {1}


COMMANDS = ["doctor", "liabilities", "history", "bnb-burn"]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_accounts_are_wrong_use(run: Run, command: str) -> None:
    done = run(command)

    assert (done.code, done.out) == (2, "")
    assert "no accounts: give --accounts FILE" in done.err


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_wrong_with_a_file_is_told(run: Run, command: str, file: Path) -> None:
    missing = run(command, "--accounts", str(file.with_name("missing.toml")))
    file.chmod(0o644)
    open_to_all = run(command, "--accounts", str(file))
    file.chmod(0o600)
    file.write_text('[alice]\napi_key = "key"\nsecret = "precious', encoding="utf-8")
    broken = run(command, "--accounts", str(file))

    assert {missing.code, open_to_all.code, broken.code} == {2}
    assert "missing.toml: No such file or directory" in missing.err
    assert "everybody can read accounts.toml; run: chmod 600" in open_to_all.err
    assert "not TOML" in broken.err
    assert "precious" not in broken.err


@pytest.mark.parametrize("command", COMMANDS)
def test_no_network_is_told_and_is_a_failure(
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
        (("--headroom", "x"), "is no number"),
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
def test_wrong_connections_are_wrong_use(
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


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T08:30", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T08:30+02:00", datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
        ("2026-11-01T08:30Z", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_times_are_in_utc_unless_they_name_a_zone(text: str, moment: datetime) -> None:
    read = _arguments.moment(text)

    assert (read, read.utcoffset()) == (moment, timedelta(0))


def test_times_may_be_told_by_how_long_ago() -> None:
    before = datetime.now(UTC)
    day, week, hour = (_arguments.moment(text) for text in ("30d", "2w", "6h"))
    after = datetime.now(UTC)

    assert before <= day + timedelta(days=30) <= after
    assert before <= week + timedelta(weeks=2) <= after
    assert before <= hour + timedelta(hours=6) <= after
    for wrong in ("yesterday", "30", "-3d", "3m", "0001-01-01T00:00+05:00"):
        with pytest.raises(argparse.ArgumentTypeError, match="is no time"):
            _arguments.moment(wrong)
