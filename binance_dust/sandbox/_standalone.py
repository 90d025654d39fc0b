"""A sandbox for other programs: served with its accounts until cancelled, its keys in a file."""

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


async def serve_forever(  # noqa: PLR0913 - what `Sandbox` takes, by keyword
    *,
    accounts: int = 25,
    seed: int = 0,
    port: int = 9000,
    host: str = "127.0.0.1",
    exposed: bool = False,
    opened: Callable[[Sandbox, Sequence[Credentials]], object] | None = None,
    **rules: Unpack[RuleChanges],
) -> NoReturn:
    """Serve a sandbox with random accounts until cancelled. It takes faults over HTTP.

    `opened` is called once it listens, with the sandbox and the keys of the accounts. Print the
    keys there, or pass them to `write_accounts`.
    """
    async with Sandbox(
        seed=seed, port=port, host=host, exposed=exposed, control=True, **rules
    ) as exchange:
        keys = exchange.open_accounts(accounts)
        if opened is not None:
            opened(exchange, keys)
        while True:
            await asyncio.Event().wait()


def write_accounts(
    path: str | os.PathLike[str], accounts: Iterable[Credentials], *, overwrite: bool = False
) -> Path:
    """Write an accounts file that `Credentials.load` reads, and that only its owner can read.

    An existing file is an error unless `overwrite` is set: it may contain real keys.
    """
    path = Path(path)
    text = "\n".join(_table(credentials) for credentials in accounts)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if overwrite else os.O_EXCL)
    descriptor = os.open(path, flags, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - opened for its owner only
        if overwrite:
            # An existing file may be readable by others.
            path.chmod(0o600)
        file.write(text)
    return path


def _table(credentials: Credentials) -> str:
    """Write the table of one account; JSON quotes a text like TOML."""
    entries = {
        "api_key": credentials.api_key,
        "secret": credentials.secret.reveal(),
    }
    name = credentials.name or credentials.api_key[:8]
    lines = [f"[{_quoted(name)}]", *(f"{key} = {_quoted(text)}" for key, text in entries.items())]
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
