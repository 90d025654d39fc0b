"""An agent asks by the official SDK's own client, and the sandbox answers."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from binance_dust import ConfigurationError, Credentials, Ledger, RetryPolicy, Session
from binance_dust.cli import doctor
from binance_dust.cli import mcp as command
from binance_dust.cli._agent import AgentDesk, CallRecord
from binance_dust.cli._context import CommandContext
from binance_dust.sandbox import Sandbox
from binance_dust.sweeper import AccountRules
from tests.cli.program import ENVIRONMENT

pytestmark = pytest.mark.skipif(find_spec("mcp") is None, reason="needs the extra mcp")

TOLERANCE = Decimal("0.00000001")  # previews round, conversions cut
READS = {"scan", "quote", "books", "doctor"}


def sdk() -> Any:
    """Import the SDK when a test runs: every worker of a run collects, and it takes a second."""
    return import_module("mcp")


class AskingAgent:
    """The SDK's client, at a server on a sandbox."""

    def __init__(
        self,
        client: Any,
        exchange: Sandbox,
        ledger: Ledger,
        record: Path,
        keys: list[Credentials],
    ) -> None:
        self.client = client
        self.exchange = exchange
        self.ledger = ledger
        self.record = record
        self.keys = keys
        self.heard: list[str] = []

    async def ask(self, tool: str, **arguments: Any) -> Any:
        """Give the answer of a tool that succeeded."""
        result = await self.client.call_tool(tool, arguments)
        self.heard.append(result.content[0].text)
        assert not result.is_error, result.content[0].text
        return result.structured_content

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Give what a tool says that failed."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error
        text: str = result.content[0].text
        self.heard.append(text)
        return text

    def on_record(self) -> list[dict[str, Any]]:
        return written(self.record)


def written(record: Path) -> list[dict[str, Any]]:
    """Read what is on record."""
    return [json.loads(line) for line in record.read_text("utf-8").splitlines()]


@asynccontextmanager
async def agent(
    folder: Path,
    *,
    may_convert: bool = True,
    max_value: str | None = None,
    rules: AccountRules | None = None,
    record: Path | None = None,
) -> AsyncIterator[AskingAgent]:
    """Start a server in this process, with what the command would make of its options."""
    record = record or folder / "dust.db.mcp.jsonl"
    async with (
        Sandbox(seed=7, volatility=0) as exchange,
        Ledger(folder / "dust.db") as ledger,
        Session(base_url=exchange.url, retry=RetryPolicy(attempts=1)) as session,
    ):
        keys = [
            exchange.open_account("alice", ADA="6.21", XRP="2.5"),
            exchange.open_account("bob", TRX="30"),
        ]
        clients = [session.client(each) for each in keys]
        context = CommandContext(
            clients, {session: None}, exchange.url, frozenset({"alice", "bob"})
        )
        desk = AgentDesk(
            context,
            ledger,
            rules=lambda _: {} if rules is None else rules,
            examine=partial(doctor.examine, options("--sandbox"), context),
            max_value=None if max_value is None else Decimal(max_value),
            target="BNB",
            record=CallRecord(str(record)),
        )
        server = command.make_server(desk, may_convert=may_convert)
        async with sdk().Client(server) as client:
            yield AskingAgent(client, exchange, ledger, record, keys)
        await desk.finish()


async def test_an_agent_converts_once_by_a_quote_that_a_person_agreed_to(tmp_path: Path) -> None:
    async with agent(tmp_path) as one:
        seen = await one.ask("scan", accounts=["alice"])
        quote = await one.ask("quote", account="alice")
        done = await one.ask("convert", quote_id=quote["quote_id"])
        again = await one.refused("convert", quote_id=quote["quote_id"])
        books = await one.ask("books", by="asset")

        assert [row["asset"] for row in seen["accounts"][0]["assets"]] == ["ADA", "XRP"]
        assert seen["net"] == quote["net"]
        assert abs(Decimal(done["net"]) - Decimal(quote["net"])) <= len(done["lines"]) * TOLERANCE
        assert (done["outcome"], done["dropped"]) == ("converted", [])
        assert "NOT DONE, nothing was sent:" in again
        assert "was used already" in again
        assert len(one.exchange.conversions) == 1
        (entry,) = [each async for each in one.ledger.entries()]
        assert (entry.status, entry.id) == ("confirmed", done["entry_ids"][0])
        assert Decimal(books["sums"][0]["net"]) + Decimal(books["sums"][1]["net"]) == entry.net
        assert books["outcomes_unknown"] == []


async def test_without_the_flag_there_is_no_tool_that_converts(tmp_path: Path) -> None:
    async with agent(tmp_path, may_convert=False) as one:
        tools = (await one.client.list_tools()).tools
        quote = await one.ask("quote", account="alice")
        told = one.client.instructions

        assert {tool.name for tool in tools} == READS
        assert all(tool.annotations.read_only_hint for tool in tools)
        assert "only reads" in told
        assert (await one.client.call_tool("convert", {"quote_id": quote["quote_id"]})).is_error
        assert not one.exchange.conversions


async def test_texts_say_what_a_model_has_to_know(tmp_path: Path) -> None:
    async with agent(tmp_path) as one:
        tools = {tool.name: tool for tool in (await one.client.list_tools()).tools}

        assert tools.keys() == READS | {"convert"}
        assert tools["convert"].annotations.destructive_hint
        assert "moves funds" in tools["convert"].description
        assert "OUTCOME UNKNOWN" in tools["convert"].description
        assert tools["books"].input_schema["properties"]["by"]["enum"][0] == "month"
        assert tools["quote"].input_schema["required"] == ["account"]
        assert "person agrees" in one.client.instructions


async def test_a_stale_quote_converts_nothing(tmp_path: Path) -> None:
    async with agent(tmp_path, rules={"quote_ttl": timedelta(milliseconds=1)}) as one:
        quote = await one.ask("quote", account="alice")
        said = await one.refused("convert", quote_id=quote["quote_id"])

        assert re.search(r"NOT DONE, nothing was sent: alice: this quote is \d+ s old", said)
        assert not one.exchange.conversions


async def test_a_quote_above_the_highest_value_converts_nothing(tmp_path: Path) -> None:
    async with agent(tmp_path, max_value="0.0001") as one:
        quote = await one.ask("quote", account="alice")
        said = await one.refused("convert", quote_id=quote["quote_id"])

        assert Decimal(quote["gross"]) > Decimal("0.0001")
        assert "at most 0.0001 at once (--max-value)" in said
        assert not one.exchange.conversions


async def test_the_server_s_rules_hold_whatever_an_agent_asks(tmp_path: Path) -> None:
    async with agent(tmp_path, rules={"keep": ["ADA"]}, max_value="1") as one:
        quote = await one.ask("quote", account="alice")

        assert [line["asset"] for line in quote["lines"]] == ["XRP"]
        assert ("ADA", "kept") in [(each["asset"], each["reason"]) for each in quote["skipped"]]
        assert "no account 'carol': there are alice, bob" in await one.refused(
            "quote", account="carol"
        )
        assert "started for SPOT only" in await one.refused(
            "quote", account="alice", wallet="margin"
        )
        assert "has given no quote 'made up'" in await one.refused("convert", quote_id="made up")
        nothing = await one.ask("quote", account="bob")
        assert nothing["quote_id"] is not None


async def test_a_lost_answer_is_told_as_such_with_what_to_do(tmp_path: Path) -> None:
    async with agent(tmp_path) as one:
        one.exchange.faults.lose_answer(endpoint="/sapi/v1/asset/dust")
        quote = await one.ask("quote", account="alice")
        said = await one.refused("convert", quote_id=quote["quote_id"])
        books = await one.ask("books")
        next_one = await one.ask("quote", account="alice")

        assert "OUTCOME UNKNOWN: funds may have moved." in said
        assert "binance-dust recover" in said
        assert "Do not try it again" in said
        (left,) = books["outcomes_unknown"]
        assert (left["status"], left["what_ends_it"]) == ("unknown", "binance-dust recover")
        assert next_one["quote_id"] is None  # the balance is gone: it was carried out
        last = one.on_record()[-5]
        assert (last["ended"], last["entries"]) == ("unknown", [left["id"]])
        assert len(one.exchange.conversions) == 1


async def test_every_call_is_on_record_before_it_begins_and_no_secret_is_anywhere(
    tmp_path: Path,
) -> None:
    async with agent(tmp_path) as one:
        quote = await one.ask("quote", account="alice")
        await one.ask("doctor")
        await one.refused("convert", quote_id="no")
        await one.ask("convert", quote_id=quote["quote_id"])
        await one.ask("scan")
        lines = one.on_record()

        assert [line.get("tool", line.get("ended")) for line in lines] == [
            *("quote", "answered", "doctor", "answered", "convert", "refused"),
            *("convert", "answered", "scan", "answered"),
        ]
        assert lines[6]["arguments"] == {"quote_id": quote["quote_id"]}
        assert len(lines[7]["entries"]) == 1
        everything = one.record.read_text("utf-8") + "".join(one.heard)
        for each in one.keys:
            assert each.api_key not in everything
            assert each.secret.reveal() not in everything
        if os.name == "posix":
            assert stat.S_IMODE(one.record.stat().st_mode) == 0o600


async def test_nothing_is_done_that_can_not_be_written_down(tmp_path: Path) -> None:
    async with agent(tmp_path, record=tmp_path) as one:
        said = await one.refused("quote", account="alice")

        assert "the record of calls can't be written" in said
        assert not one.exchange.requests


async def test_what_was_done_is_told_though_its_end_can_not_be_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for lost in (False, True):
        folder = tmp_path / str(lost)
        folder.mkdir()
        async with agent(folder) as one:
            quote = await one.ask("quote", account="alice")
            begun = CallRecord.begin

            def begin_and_lose(
                self: CallRecord, *call: Any, begun: Any = begun, folder: Path = folder
            ) -> int:
                number: int = begun(self, *call)
                self.path = str(folder)
                return number

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(CallRecord, "begin", begin_and_lose)
                if lost:
                    one.exchange.faults.lose_answer(endpoint="/sapi/v1/asset/dust")
                    said = await one.refused("convert", quote_id=quote["quote_id"])
                    assert "OUTCOME UNKNOWN" in said
                else:
                    said = await one.ask("convert", quote_id=quote["quote_id"])
                    assert said["outcome"] == "converted"
        assert "the record of calls can't be written" in capsys.readouterr().err


async def test_an_agent_that_gives_up_does_not_make_an_outcome_unknown(tmp_path: Path) -> None:
    async with agent(tmp_path) as one:
        quote = await one.ask("quote", account="alice")
        one.exchange.faults.delay(0.2, endpoint="/sapi/v1/asset/dust")
        with pytest.raises(Exception, match=r"(?i)time"):
            await one.client.call_tool(
                "convert", {"quote_id": quote["quote_id"]}, read_timeout_seconds=0.1
            )

    async with Ledger(tmp_path / "dust.db") as ledger:
        (entry,) = [each async for each in ledger.entries()]
    assert entry.status == "confirmed"


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(arguments)


async def test_a_highest_value_without_the_right_to_convert_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="add --allow-conversions"):
        await command.run(options("--sandbox", "--max-value", "1"))


async def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server", None)

    with pytest.raises(ConfigurationError, match=r"binance-dust\[cli,mcp\]"):
        await command.run(options("--sandbox"))


@pytest.mark.long
def test_the_sdk_is_imported_when_an_agent_is_served() -> None:
    code = (
        "import sys, binance_dust, binance_dust.cli.mcp;"
        "print([name for name in ('mcp', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.long
async def test_a_process_of_its_own_serves_over_stdio_and_ends_with_its_agent(
    tmp_path: Path,
) -> None:
    ledger = tmp_path / "dust.db"
    arguments = ["-m", "binance_dust", "mcp", "--sandbox", "--allow-conversions"]
    started = sdk().StdioServerParameters(
        command=sys.executable, args=[*arguments, "--ledger", str(ledger)], env=dict(ENVIRONMENT)
    )
    async with asyncio.timeout(60), sdk().Client(started) as client:
        seen = (await client.call_tool("scan", {})).structured_content
        account = seen["accounts"][0]["account"]
        quote = (await client.call_tool("quote", {"account": account})).structured_content
        done = await client.call_tool("convert", {"quote_id": quote["quote_id"]})

    assert done.structured_content["outcome"] == "converted"
    async with Ledger(ledger) as books:
        assert [entry.status async for entry in books.entries()] == ["confirmed"]
    assert len(written(Path(f"{ledger}.mcp.jsonl"))) == 6
