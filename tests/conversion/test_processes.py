"""Real processes on a real socket: one killed with -9, two at once. Crosses all modules."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from binance_dust import Converter, Credentials, Ledger, Session
from binance_dust.conversion._account import CLAIM_LENGTH
from binance_dust.sandbox import Sandbox

CONVERTER = """
import asyncio, json, os, sys
from binance_dust import Converter, Credentials, DustError, Ledger, Session

async def main():
    url, path, key, secret = sys.argv[1:]
    async with Session(base_url=url) as session, Ledger(path) as ledger:
        client = session.client(Credentials(key, secret, name="alice"))
        converter = Converter(client, ledger=ledger)
        quote = await converter.quote()
        print("ready", flush=True)
        word = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        try:
            if word == "recover\\n":
                await converter.recover()
            receipt = await converter.convert(quote)
            print(json.dumps({"receipt": list(receipt.transaction_ids)}), flush=True)
        except DustError as error:
            print(json.dumps({"error": type(error).__name__}), flush=True)

asyncio.run(main())
"""


class Child:
    """A converter in a process of its own, which waits for a word to begin."""

    def __init__(self, exchange: Sandbox, path: Path, alice: Credentials) -> None:
        arguments = [exchange.url, str(path), alice.api_key, alice.secret.reveal()]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", CONVERTER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )

    def until_ready(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def begin(self, word: str = "convert") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def outcome(self) -> Any:
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline())
        self._process.communicate()
        return answer

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


def until(happened: Callable[[], bool]) -> None:
    """Wait for another process, and not for ever."""
    for _ in range(6000):
        if happened():
            return
        time.sleep(0.005)
    pytest.fail("the other process does nothing")


async def settle(exchange: Sandbox, path: Path, alice: Credentials) -> list[str]:
    async with Session(base_url=exchange.url) as session, Ledger(path) as ledger:
        converter = Converter(session.client(alice), ledger=ledger)
        await converter.recover()
        entries = [entry async for entry in ledger.entries()]
        confirmed = [entry for entry in entries if entry.status == "confirmed"]
        assert [entry.transaction_id for entry in confirmed] == [
            done.transaction_id for done in exchange.conversions
        ]
        return [entry.status for entry in entries]


def test_of_two_processes_that_convert_at_the_same_moment_one_does(
    folder: Path,
) -> None:
    # The exchange's own cooldown is off, so it would do both.
    with Sandbox(seed=7, cooldown=0.0) as exchange:
        alice = exchange.open_account("alice", ADA="6.21", XRP="1.5")
        children = [Child(exchange, folder / "dust.db", alice) for _ in range(2)]
        for child in children:
            child.until_ready()
        for child in children:
            child.begin()
        outcomes = [child.outcome() for child in children]

        assert len(exchange.conversions) == 1
        receipts = [outcome["receipt"] for outcome in outcomes if "receipt" in outcome]
        assert receipts == [[exchange.conversions[0].transaction_id]]
        # The other one meets the claim, or comes when all is done and meets the cooldown.
        (error,) = (each["error"] for each in outcomes if "error" in each)
        assert error in {"GuardError", "CoolingDownError"}
        assert asyncio.run(settle(exchange, folder / "dust.db", alice)) == ["confirmed"]


@pytest.mark.parametrize("leg", ["request", "answer"])
def test_the_open_entry_of_a_killed_process_can_be_settled(folder: Path, leg: Any) -> None:
    with Sandbox(seed=7) as exchange:
        alice = exchange.open_account("alice", ADA="6.21", XRP="1.5")
        child = Child(exchange, folder / "dust.db", alice)
        child.until_ready()
        struck = exchange.faults.delay(0.5, on=leg, endpoint="/sapi/v1/asset/dust")
        child.begin()
        until(lambda: struck.hits > 0)
        child.kill()
        until(lambda: exchange.requests_of("/sapi/v1/asset/dust") != ())

        assert len(exchange.conversions) == 1
        exchange.faults.jump_clock(60)  # past the last moment at which it could be carried out
        assert asyncio.run(settle(exchange, folder / "dust.db", alice)) == ["confirmed"]


def test_a_killed_process_s_claim_is_free_at_once(folder: Path) -> None:
    """Killed between its claim and its intent: nothing was sent, and nothing is open."""
    with Sandbox(seed=7, cooldown=0.0) as exchange:
        alice = exchange.open_account("alice", ADA="6.21", XRP="1.5")
        first, second = (Child(exchange, folder / "dust.db", alice) for _ in range(2))
        for child in (first, second):
            child.until_ready()
        reading = exchange.faults.delay(30, endpoint="/sapi/v3/asset/getUserAsset")
        first.begin()
        until(lambda: reading.hits > 0)
        first.kill()
        killed = time.monotonic()

        second.begin()
        outcome = second.outcome()

        assert outcome == {"receipt": [exchange.conversions[0].transaction_id]}
        assert time.monotonic() - killed < CLAIM_LENGTH.total_seconds() / 5
        assert [file.name for file in folder.iterdir() if file.is_dir()] == []


def test_a_killed_recovery_s_claim_is_free_at_once(folder: Path) -> None:
    with Sandbox(seed=7) as exchange:
        alice = exchange.open_account("alice", ADA="6.21", XRP="1.5")
        path = folder / "dust.db"
        converter, recoverer = (Child(exchange, path, alice) for _ in range(2))
        for child in (converter, recoverer):
            child.until_ready()
        lost = exchange.faults.delay(30, on="answer", endpoint="/sapi/v1/asset/dust")
        converter.begin()
        until(lambda: lost.hits > 0)
        converter.kill()
        # Until then the log says nothing, and is not read.
        exchange.faults.jump_clock(60)
        reading = exchange.faults.delay(30, endpoint="/sapi/v1/asset/dribblet")
        recoverer.begin("recover")
        until(lambda: reading.hits > 0)
        recoverer.kill()

        assert asyncio.run(settle(exchange, path, alice)) == ["confirmed"]
