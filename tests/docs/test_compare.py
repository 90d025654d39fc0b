"""The page that compares: what it shows of others runs with them, and its names are theirs."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

from binance_dust import DustClient
from binance_dust.sandbox import Sandbox
from tests.docs.test_code_blocks import blocks


def peers() -> Any:
    return importlib.import_module("tests.sandbox.peers")


PAGE = Path(__file__).parents[2] / "docs" / "compare.md"
TEXT = PAGE.read_text(encoding="utf-8")
BEFORE = [code for _, code in blocks(PAGE, "python", before=True)]
SDK = {
    "wallet": ("binance_sdk_wallet.rest_api", "WalletRestAPI"),
    "margin": ("binance_sdk_margin_trading.rest_api", "MarginTradingRestAPI"),
    "convert": ("binance_sdk_convert.rest_api", "ConvertRestAPI"),
}


@pytest.fixture
async def exchange(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A sandbox in the place where each of the others looks for the exchange."""
    async with Sandbox(seed=7) as exchange:
        monkeypatch.setattr(peers().AsyncClient, "API_URL", f"{exchange.url}/api")
        monkeypatch.setattr(peers().AsyncClient, "MARGIN_API_URL", f"{exchange.url}/sapi")
        describe, make = peers().ccxt.binance.describe, peers().ConfigurationRestAPI.__init__

        def described(self: Any) -> Any:
            found = describe(self)
            bases = {"public": "api/v3", "private": "api/v3", "sapi": "sapi/v1"}
            bases["sapiV3"] = "sapi/v3"
            found["urls"]["api"] |= {name: f"{exchange.url}/{base}" for name, base in bases.items()}
            found["options"]["fetchMarkets"] = {"types": ["spot"]}
            return found

        def configured(self: Any, *arguments: Any, **named: Any) -> None:
            make(self, *arguments, **({"base_path": exchange.url} | named))

        monkeypatch.setattr(peers().ccxt.binance, "describe", described)
        monkeypatch.setattr(peers().ConfigurationRestAPI, "__init__", configured)
        yield exchange


# ccxt asks aiohttp for what newer Pythons have mended themselves, and is told so.
@pytest.mark.filterwarnings("ignore:enable_cleanup_closed:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the SDK has no way to close its sockets
@pytest.mark.parametrize("code", BEFORE, ids=lambda code: code.split()[1])
async def test_the_programs_of_others_do_what_they_are_said_to(
    code: str, exchange: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    alice = exchange.open_account("alice", ADA="6.21", AR="0.00856", debts={"ETH": "0.001"})
    scope: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), scope)  # noqa: S102 - our own page
    program = scope["program"]

    if "asked" in inspect.signature(program).parameters:
        async with DustClient(alice, base_url=exchange.url) as client:
            await program([client.small_liabilities] * 3)
        assert capsys.readouterr().out.count("ETH") == 3
        return
    if inspect.iscoroutinefunction(program):
        await program(alice.api_key, alice.secret.reveal())
    else:
        await asyncio.to_thread(program, alice.api_key, alice.secret.reveal())

    (done,) = exchange.conversions
    assert done.rows[0].asset == "ADA"
    assert "ADA" in capsys.readouterr().out


def test_each_program_of_others_has_one_of_ours_and_takes_ten_lines() -> None:
    ours = [code for _, code in blocks(PAGE, "python") if code.endswith("\nrehearse(program)\n")]

    assert len(BEFORE) == len(ours) == 4
    for code in (*BEFORE, *ours):
        _, _, program = code.rpartition("def program(")
        assert len(program.split("\n\n")[0].splitlines()) <= 10, code


def rows(heads: str) -> list[list[str]]:
    """Give the cells of the table that has these heads."""
    table = TEXT.partition(heads)[2].partition("\n\n")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]
    ]


@pytest.mark.parametrize("row", rows("| this library | "), ids=lambda row: row[0].strip("`"))
def test_the_names_are_those_of_the_libraries(row: list[str]) -> None:
    ours, python_binance, of_ccxt, sdk = row
    package, _, name = sdk.partition(": ")
    module, rest = SDK[package]

    assert hasattr(DustClient, ours.strip("`"))
    assert python_binance == "-" or hasattr(peers().AsyncClient, python_binance.strip("`"))
    assert of_ccxt == "-" or hasattr(peers().ccxt.binance, of_ccxt.strip("`"))
    assert hasattr(getattr(importlib.import_module(module), rest), name.strip("`"))
