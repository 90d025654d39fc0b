"""`sandbox`: a local exchange for other programs."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from binance_dust import Credentials, DustClient, OutcomeUnknownError
from tests.cli.conftest import Run
from tests.cli.program import complaints, start
from tests.systems import posix


@posix
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_sandbox_serves_other_programs_until_a_signal(
    tmp_path: Path, end: signal.Signals
) -> None:
    file = tmp_path / "accounts.toml"
    process = start("sandbox", "--accounts", "3", "--json", "--write", str(file))
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]

    with urllib.request.urlopen(f"{url}/api/v3/time") as answer:  # noqa: S310 - loopback
        assert json.load(answer)["serverTime"]
    assert len(Credentials.load(file)) == 3
    process.send_signal(end)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 0
    assert complaints(errors) == ""


def test_an_existing_file_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text("precious", encoding="utf-8")

    done = run("sandbox", "--write", str(file))

    assert done.code == 1
    assert os.strerror(errno.EEXIST) in done.err
    assert file.read_text(encoding="utf-8") == "precious"


@posix
def test_a_world_has_its_own_rules(tmp_path: Path) -> None:
    process = start("sandbox", "--json", "--world", "no-header", "--world", "sliding")
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]

    with urllib.request.urlopen(f"{url}/api/v3/time") as answer:  # noqa: S310 - loopback
        assert not [name for name in answer.headers if "USED-WEIGHT" in name]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)


def test_an_unknown_world_is_wrong_use(run: Run) -> None:
    done = run("sandbox", "--world", "flat")

    assert done.code == 2
    assert "half-limit" in done.err


def test_a_port_in_use_is_an_error(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("sandbox", "--port", port)

    assert done.code == 1
    assert port in done.err


@posix
def test_answers_to_calls_that_move_funds_get_lost(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    process = start("sandbox", "--json", "--lose-answers", "1", "--write", str(file))
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]

    with pytest.raises(OutcomeUnknownError):
        asyncio.run(convert(Credentials.load(file)[0], url))
    with urllib.request.urlopen(f"{url}/sandbox/faults") as answer:  # noqa: S310 - loopback
        assert json.load(answer) == []  # armed from there: none
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)


async def convert(account: Credentials, url: str) -> None:
    async with DustClient(account, base_url=url) as client:
        dust = await client.dust_assets()
        await client.dust_transfer([row.asset for row in dust.details[:1]])
