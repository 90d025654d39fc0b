"""The accounts of a worker, each by its name, and whether the exchange takes their keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from binance_dust._util.checks import instance
from binance_dust.client import DustClient
from binance_dust.errors import ConfigurationError, CredentialsError
from binance_dust.reports import AccountReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from binance_dust.session import Session

__all__ = ["by_name", "not_read", "try_out"]

_TRIED_KEYS: Final = 3
"""Keys that are tried at most."""


def by_name(clients: Iterable[DustClient]) -> dict[str, DustClient]:
    """Find each client by its name; refuse a name that stands for two."""
    found: dict[str, DustClient] = {}
    for client in clients:
        name = instance(client, DustClient, "each client").name
        if found.setdefault(name, client) is not client:
            raise ConfigurationError(f"two accounts are called {name!r}")
    if not found:
        raise ConfigurationError("a worker needs accounts")
    return found


async def try_out(clients: Iterable[DustClient]) -> None:
    """Ask the exchange for its time and whether it accepts a key; raise what goes wrong.

    One key that is refused says little: a few of different places in the file are tried.
    """
    of_session: dict[Session, list[DustClient]] = {}
    for client in clients:
        of_session.setdefault(client.session, []).append(client)
    for of_one in of_session.values():
        # The first call binds the address, and asks for the time by itself.
        step = -(-len(of_one) // _TRIED_KEYS)
        refused: CredentialsError | None = None
        for client in of_one[::step]:
            try:
                await client.key_permissions()
            except CredentialsError as error:
                refused = error
            else:
                break
        else:
            assert refused is not None  # noqa: S101 - there is a client
            raise refused


def not_read(account: str, error: ConfigurationError) -> AccountReport:
    """Report that an account was not read."""
    errors = dict.fromkeys(("assets", "quote", "liabilities"), error)
    return AccountReport(account=account, at=datetime.now(UTC), errors=errors)
