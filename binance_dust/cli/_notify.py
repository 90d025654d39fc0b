"""`--notify`: tell somebody of an unknown outcome, a ban or a failed sweep, once for each.

A URL gets a POST of JSON. Anything else is a command, which gets the JSON on its standard input.
Neither gets a key: the object has names and texts, and a command's environment has no `BINANCE_`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import time
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from binance_dust._util.words import count, duration
from binance_dust.cli import _arguments
from binance_dust.cli._streams import print_stderr
from binance_dust.errors import ConfigurationError, DustError
from binance_dust.events import Banned, Event, FundsCallEnded

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Mapping

    from binance_dust.sweeper import SweepReport

__all__ = ["Notifier", "add_option"]

_VARIABLE: Final = "BINANCE_DUST_NOTIFY"
_PATIENCE: Final = 10.0
"""Seconds that a server or a command may take."""


def add_option(parser: argparse._ActionsContainer) -> None:
    """Add the option that says whom to tell."""
    parser.add_argument(
        "--notify",
        type=_arguments.open_url,
        metavar="TARGET",
        help="tell a URL (POST) or a command (standard input) of unknown outcomes, bans and failed"
        f" sweeps, in JSON; else the one in {_VARIABLE}, where a URL may hold a token",
    )


class Notifier:
    """Sends messages while a command runs; without a target it does nothing."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Read the target; nothing is sent."""
        self._target: str = options.notify or os.environ.get(_VARIABLE, "")
        self._command: str = options.command
        self._is_url = self._target.startswith(("http://", "https://"))
        self._argv = [] if self._is_url else _split(self._target)
        self._sent: set[object] = set()
        self._banned_until = 0.0
        self._bad: dict[str, int] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def __call__(self, event: Event, /) -> None:
        """Take an event of a session."""
        match event:
            case FundsCallEnded(account=account, outcome="unknown", entry_id=entry):
                self._unknown(account, entry)
            case Banned(seconds=seconds):
                now = time.monotonic()
                if now >= self._banned_until:
                    self._send("ban", f"this address is banned for {duration(seconds)}")
                self._banned_until = max(self._banned_until, now + seconds)
            case _:
                pass

    def take(self, report: SweepReport, *, one_by_one: bool = False) -> None:
        """Take the report of an account's turn.

        `one_by_one`: the sweep has no end, so each account that fails is told at once, and again
        only after it was well in the meantime.
        """
        from binance_dust.sweeper import Outcome

        for entry in report.unsettled:
            self._unknown(report.account, entry.id)
        key = ("failed", report.account, report.what, report.account_type)
        bad = (Outcome.FAILED, Outcome.STOPPED, Outcome.UNKNOWN, Outcome.UNKNOWABLE)
        if report.outcome not in bad:
            self._sent.discard(key)
            return
        self._bad[report.outcome] = self._bad.get(report.outcome, 0) + 1
        if one_by_one and key not in self._sent:
            self._sent.add(key)
            self._send(f"failed {self._command}", str(report), report.account)

    def _unknown(self, account: str, entry: int) -> None:
        if ("unknown", entry) not in self._sent:
            self._sent.add(("unknown", entry))
            text = f"it is not known how the call of entry {entry} ended: funds may have moved"
            self._send("unknown outcome", text, account)

    @asynccontextmanager
    async def told(self, *, one_by_one: bool = False) -> AsyncIterator[None]:
        """Send until the end: then also that accounts have failed, and wait for what is sent."""
        failed = f"failed {self._command}"
        try:
            yield
        except DustError as error:
            self._send(failed, str(error))
            raise
        finally:
            if self._bad and not one_by_one:
                turns = ", ".join(f"{times:,} {outcome}" for outcome, times in self._bad.items())
                self._send(failed, f"{count(sum(self._bad.values()), 'turn')}: {turns}")
            while self._sending:
                await asyncio.wait(self._sending)

    # --- sending ---------------------------------------------------------------------------------

    def _send(self, what: str, text: str, account: str | None = None) -> None:
        if not self._target:
            return
        message = {
            "about": what,
            "account": account,
            "text": text,
            "command": self._command,
            "at": f"{datetime.now(UTC):%FT%TZ}",
        }
        task = asyncio.create_task(self._deliver(message))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _deliver(self, message: Mapping[str, str | None]) -> None:
        body = json.dumps(message).encode()
        problem = await (
            _post(self._target, body) if self._is_url else _run(self._argv, body + b"\n")
        )
        if problem is not None:
            # The URL may hold a token.
            where = urlsplit(self._target).hostname if self._is_url else self._argv[0]
            print_stderr(f"{message['about']}: not told to {where}: {problem}")


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise ConfigurationError(f"--notify: not a command: {error}") from None


async def _post(url: str, body: bytes) -> str | None:
    """Post, and give the reason if that fails."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    headers = {"Content-Type": "application/json"}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return None if answer.ok else f"it answered {answer.status}"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return type(error).__name__


async def _run(argv: list[str], body: bytes) -> str | None:
    """Run a command with a message on its input, and give the reason if that fails."""
    environment = {name: text for name, text in os.environ.items() if "BINANCE_" not in name}
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            env=environment,
        )
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    try:
        await asyncio.wait_for(process.communicate(body), _PATIENCE)
    except TimeoutError:
        return f"it took longer than {duration(_PATIENCE)}"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return None if process.returncode == 0 else f"it ended with {process.returncode}"
