"""A sandbox for other programs: it opens with accounts, stays open, and writes a file of keys."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import aiohttp
import pytest

from binance_dust.credentials import Credentials
from binance_dust.sandbox import Sandbox, serve_forever, write_accounts
from tests.systems import posix

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


async def test_it_serves_until_cancelled() -> None:
    opened: asyncio.Future[tuple[Sandbox, Sequence[Credentials]]] = asyncio.Future()
    serving = asyncio.create_task(
        serve_forever(
            accounts=3,
            seed=7,
            port=0,
            window=2.0,
            opened=lambda exchange, keys: opened.set_result((exchange, keys)),
        )
    )

    exchange, keys = await opened
    url = f"{exchange.url}/sapi/v1/system/status"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200

    assert [credentials.name for credentials in keys] == ["alice", "bob", "carol"]
    assert exchange.rules.window == 2.0
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with pytest.raises(RuntimeError, match="not open"):
        _ = exchange.url


@posix
def test_written_accounts_are_read_back(tmp_path: Path) -> None:
    exchange = Sandbox(seed=7)
    keys = [
        *exchange.open_accounts(2),
        exchange.open_account("edward", key="ed25519"),
        exchange.open_account('quoted "name" \\ 币'),
    ]

    path = write_accounts(tmp_path / "accounts.toml", keys)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    read = Credentials.load(path)
    assert [(one.name, one.api_key) for one in read] == [(one.name, one.api_key) for one in keys]
    assert [one.secret.reveal().strip() for one in read] == [
        one.secret.reveal().strip() for one in keys
    ]


@posix
def test_an_existing_file_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text("[real]\n")
    path.chmod(0o644)
    keys = Sandbox().open_accounts(1)

    with pytest.raises(FileExistsError):
        write_accounts(path, keys)
    assert path.read_text() == "[real]\n"

    write_accounts(path, keys, overwrite=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in Credentials.load(path)] == ["alice"]
