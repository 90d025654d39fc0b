"""The rules file: read by one reader, never loosened by options, checked by the doctor."""

from __future__ import annotations

import argparse
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_dust import ConfigurationError
from binance_dust.cli._rules import find_rules, merged
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Keep, Run
from tests.systems import posix

RULES = """
keep = ["bnb"]
max_fee_rate = 0.03

[alice]
keep = ["ADA"]
wallets = ["spot", "margin"]
max_fee_rate = "2.5%"
when_below = ["BNB=0.05", "eth=1"]

[bob]
target = "USDT"
min_value = "0.5"
"""


class NamedClient:
    def __init__(self, name: str) -> None:
        self.name = name


def found(path: Path, account: str, **asked: Any) -> dict[str, Any]:
    options = argparse.Namespace(rules=str(path), sandbox=False, target=asked.get("target"))
    client: Any = NamedClient(account)
    return dict(merged(options, find_rules(options), asked)(client))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(RULES, encoding="utf-8")
    path.chmod(0o644)
    return path


def test_an_account_has_the_rules_for_all_and_its_own(file: Path) -> None:
    assert found(file, "carol") == {"keep": {"BNB"}, "max_fee_rate": Decimal("0.03")}
    assert found(file, "alice") == {
        "keep": {"BNB", "ADA"},
        "max_fee_rate": Decimal("0.025"),
        "account_types": ("SPOT", "MARGIN"),
        "when_below": {"BNB": Decimal("0.05"), "ETH": Decimal(1)},
    }
    assert found(file, "bob") == {
        "keep": {"BNB"},
        "max_fee_rate": Decimal("0.03"),
        "target": "USDT",
        "min_value": Decimal("0.5"),
    }


def test_options_only_tighten_limits(file: Path) -> None:
    loose = {"keep": ["XRP"], "max_fee_rate": Decimal("0.1"), "min_value": Decimal("0.1")}

    assert found(file, "bob", **loose) == found(file, "bob") | {"keep": {"BNB", "XRP"}}
    tight = found(file, "bob", max_fee_rate=Decimal("0.01"), min_value=Decimal(2))
    assert (tight["max_fee_rate"], tight["min_value"]) == (Decimal("0.01"), 2)
    low = {"BNB": Decimal("0.01"), "ETH": Decimal(3), "USDT": Decimal(9)}
    assert found(file, "bob", when_below=low)["when_below"] == low
    both = found(file, "alice", when_below=low)["when_below"]
    assert both == {"BNB": Decimal("0.01"), "ETH": Decimal(1), "USDT": Decimal(9)}


def test_a_least_value_never_counts_in_another_asset(file: Path) -> None:
    assert found(file, "bob", target="USDT")["min_value"] == Decimal("0.5")
    with pytest.raises(ConfigurationError, match=r"min_value is in USDT, and --target is BNB"):
        found(file, "alice", target="BNB")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[alice\n", "not TOML"),
        ('kep = ["ADA"]', "unknown rule kep: did you mean keep?"),
        ('[alice]\nkeep = "ADA"', r'\[alice\]: keep must be a list of names, like \["ADA"\]'),
        ("max_fee_rate = 3", "max_fee_rate 3 is more than the whole: 3 % is written 3%"),
        ('min_value = "much"', "min_value 'much' is not an amount"),
        ("min_value = true", "min_value must be a number"),
        ('wallets = ["funding"]', r'wallets must be of \["spot", "margin"\]'),
        ('when_below = ["BNB"]', "when_below 'BNB' names no amount: write BNB=0.05"),
        ('when_below = "BNB=0.05"', "when_below must be a list of names"),
        ("target = 1", "target must be the name of an asset"),
        ('[alice.rules]\nkeep = ["ADA"]', "unknown rule rules"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(file: Path, text: str, says: str) -> None:
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=says):
        found(file, "alice")


@posix
def test_a_file_that_others_can_write_is_refused(file: Path) -> None:
    file.chmod(0o666)

    with pytest.raises(ConfigurationError, match="chmod go-w"):
        found(file, "alice")


@pytest.mark.parametrize("command", ["sweep", "convert"])
def test_commands_go_by_the_rules(
    run: Run, two_accounts: tuple[str, ...], file: Path, command: str, exchange: Sandbox
) -> None:
    done = run(command, *two_accounts, "--rules", str(file), "--json")

    plans = {row["account"]: row["quote"] for row in done.rows if row["account_type"] == "SPOT"}
    assert plans["alice"]["target"] == "BNB"
    assert "ADA" in {each["asset"] for each in plans["alice"]["skipped"]}
    assert plans["bob"]["target"] == "USDT"
    assert {row["account_type"] for row in done.rows if row["account"] == "alice"} == {
        "SPOT",
        "MARGIN",
    }


def test_what_is_kept_is_not_exchanged_either(
    run: Run, exchange: Sandbox, keep: Keep, at: tuple[str, ...], file: Path
) -> None:
    account = exchange.open_account("alice", debts={"ADA": "1", "XRP": "1"})
    file.write_text('[alice]\nkeep = ["ADA"]\n', encoding="utf-8")

    done = run(
        *("liabilities", "--exchange", "--yes", "--json", "--ledger", ":memory:"),
        *("--accounts", str(keep(account)), *at, "--rules", str(file)),
    )

    (row,) = done.rows
    assert [line["asset"] for line in row["receipt"]["lines"]] == ["XRP"]


def test_rules_of_an_account_that_is_not_there_are_refused_before_anything_is_asked(
    run: Run, two_accounts: tuple[str, ...], file: Path, exchange: Sandbox
) -> None:
    """A misspelt name would protect nobody."""
    file.write_text('[alcie]\nkeep = ["ADA"]\n', encoding="utf-8")

    done = run("convert", "--yes", *two_accounts, "--rules", str(file))
    checked = run("doctor", *two_accounts[:-2], "--rules", str(file))

    assert (done.code, exchange.conversions) == (2, ())
    assert "no account 'alcie': did you mean alice?" in done.err
    assert checked.code == 1
    assert "did you mean alice?" in checked.out
    file.write_text(RULES, encoding="utf-8")
    narrowed = run("convert", *two_accounts, "--account", "bob", "--rules", str(file))
    assert narrowed.code == 0
    assert (
        "2 accounts with rules of their own"
        in run("doctor", *two_accounts[:-2], "--rules", str(file)).out
    )


def test_one_key_under_two_names_is_noticed(
    run: Run, exchange: Sandbox, keep: Keep, at: tuple[str, ...]
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    file = keep(alice)
    text = file.read_text(encoding="utf-8")
    file.write_text(text + text.replace("alice", "alicia"), encoding="utf-8")

    done = run("bnb-burn", "--accounts", str(file), *at)

    assert "alice and alicia have the same key, so they are one account" in done.err
