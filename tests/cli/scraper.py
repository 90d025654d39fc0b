"""Runs a command in this loop, and asks it for its metrics."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from binance_dust import Credentials
from binance_dust.cli import load, make_parser
from binance_dust.sandbox import Sandbox, write_accounts
from tests.cli.conftest import WINDOW


def options_for(exchange: Sandbox, tmp_path: Path, accounts: list[Credentials]) -> tuple[str, ...]:
    keys = str(write_accounts(tmp_path / "accounts.toml", accounts))
    return ("--accounts", keys, "--base-url", exchange.url, "--window", str(WINDOW))


class Scraper:
    """Asks a command that runs."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._http = http

    async def get(self, path: str) -> tuple[int, str]:
        async with self._http.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def until(self, line: str) -> str:
        """Ask until a line is there, and give the page."""
        async with asyncio.timeout(60):
            while line not in (page := (await self.get("/metrics"))[1]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return page


@asynccontextmanager
async def running(
    capfd: pytest.CaptureFixture[str], command: str, *arguments: str
) -> AsyncIterator[Scraper]:
    """Run a command with `--metrics 0`, and end it as Ctrl-C does."""
    parser = make_parser({command: load(command)})
    options = parser.parse_args([command, "--metrics", "0", *arguments])
    task = asyncio.ensure_future(load(command).run(options))
    said = ""
    async with asyncio.timeout(60):
        while not (found := re.search(r"metrics at (http://127\.0\.0\.1:\d+)/metrics\n", said)):
            if task.done():
                await task
            await asyncio.sleep(0.02)
            said += capfd.readouterr().err
    try:
        async with aiohttp.ClientSession() as http:
            yield Scraper(found[1], http)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
