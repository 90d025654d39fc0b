"""A sandbox for other programs: opened with its accounts, and kept open."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Unpack

from binance_dust.sandbox._sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from binance_dust.credentials import Credentials
    from binance_dust.sandbox._rules import RuleChanges


async def serve_forever(
    *,
    accounts: int = 25,
    seed: int = 0,
    port: int = 9000,
    host: str = "127.0.0.1",
    opened: Callable[[Sandbox, Sequence[Credentials]], object] | None = None,
    **rules: Unpack[RuleChanges],
) -> NoReturn:
    """Serve a sandbox with a lively mix of accounts until cancelled.

    `opened` is called once it listens, with the sandbox and the accounts' keys: print them there,
    or hand them to `write_accounts`.
    """
    async with Sandbox(seed=seed, port=port, host=host, **rules) as exchange:
        keys = exchange.open_accounts(accounts)
        if opened is not None:
            opened(exchange, keys)
        while True:
            await asyncio.Event().wait()


def write_accounts(
    path: str | os.PathLike[str], accounts: Iterable[Credentials], *, overwrite: bool = False
) -> Path:
    """Write an accounts file that `Credentials.load` reads, for its owner's eyes only.

    A file that is there already is left alone, unless told to overwrite it: it may hold real keys.
    """
    path = Path(path)
    text = "\n".join(_table(credentials) for credentials in accounts)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if overwrite else os.O_EXCL)
    descriptor = os.open(path, flags, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - opened for its owner only
        if overwrite:
            # It may have been there before, and open to more eyes.
            path.chmod(0o600)
        file.write(text)
    return path


def _table(credentials: Credentials) -> str:
    """Write one account's table; JSON quotes a text the way TOML does."""
    entries = {
        "api_key": credentials.api_key,
        "secret": credentials.secret.reveal(),
    }
    name = credentials.name or credentials.api_key[:8]
    lines = [f"[{_quoted(name)}]", *(f"{key} = {_quoted(text)}" for key, text in entries.items())]
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
