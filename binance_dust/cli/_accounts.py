"""Where a command's accounts come from: a file, the environment, or a sandbox of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from binance_dust.credentials import Credentials
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

FILE_VARIABLE: Final = "BINANCE_DUST_ACCOUNTS"
"""The environment may name the accounts file, for whoever tires of writing it."""
_ONE_VARIABLE: Final = "BINANCE_API_KEY"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how accounts are chosen."""
    group = parser.add_argument_group(
        "accounts",
        f"From --accounts, else the file that {FILE_VARIABLE} names, else the environment.",
    )
    group.add_argument("--accounts", metavar="FILE", help="an accounts file (TOML), a table each")
    group.add_argument(
        "--account",
        metavar="NAME",
        action="append",
        default=[],
        help="only this one, again for more; without a file BINANCE_<NAME>_API_KEY is read",
    )


def find_accounts(
    options: argparse.Namespace, environ: Mapping[str, str] | None = None
) -> Sequence[Credentials]:
    """Give the accounts that a command was asked for, in the order asked."""
    environ = os.environ if environ is None else environ
    path = options.accounts or environ.get(FILE_VARIABLE)
    if path:
        return choose(Credentials.load(path, environ=environ), options.account)
    if options.account:
        return [Credentials.from_env(name, environ=environ) for name in _once(options.account)]
    if not environ.get(_ONE_VARIABLE):
        raise ConfigurationError(
            "no accounts: give --accounts FILE, or set BINANCE_API_KEY and BINANCE_API_SECRET,"
            " or try it with --sandbox"
        )
    return [Credentials.from_env(environ=environ)]


def choose(accounts: Sequence[Credentials], names: Sequence[str]) -> Sequence[Credentials]:
    """Choose accounts by name; all of them where none is named."""
    if not names:
        return accounts
    by_name = {account.name: account for account in accounts}
    strange = [name for name in names if name not in by_name]
    if strange:
        raise ConfigurationError(
            f"no account {', '.join(map(repr, strange))}; there are {_some_of(by_name)}"
        )
    return [by_name[name] for name in _once(names)]


def _once(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _some_of(names: Mapping[str | None, object]) -> str:
    shown = [str(name) for name in names]
    most = 8
    rest = len(shown) - most
    return ", ".join(shown[:most]) + (f" and {rest} more" if rest > 0 else "")
