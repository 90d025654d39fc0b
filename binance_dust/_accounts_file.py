"""The accounts file: what each table says about an account's key; programs that print secrets."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from binance_dust._util.files import read_private
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from binance_dust.signers import Signer

__all__ = ["read_accounts_file"]

P = ParamSpec("P")
R = TypeVar("R")

_FIELDS: Final = ("api_key", "secret", "password")
_SOURCES: Final = ("", "_env", "_file")
_SIGNERS: Final = ("ssh_agent", "sign_command")
_COMMAND: Final = "secret_command"
_ENTRIES: Final = {f"{field}{source}" for field in _FIELDS for source in _SOURCES}.union(
    _SIGNERS, (_COMMAND,)
)
_PATIENCE: Final = 10.0
"""Seconds that a program may take to print a secret."""
_NAMED: Final = 3
"""Accounts that an error names; the rest is counted."""


def read_accounts_file(
    path: Path, environ: Mapping[str, str]
) -> dict[str, tuple[dict[str, Any], Path | None]]:
    """Read the arguments of each account's credentials, and where its secret lies unencrypted.

    Errors may come from frames that hold secrets: catch them, and drop the traceback.
    """
    import tomllib

    text = read_private(path, f"accounts file {path}")
    problem = None
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # The error's text holds line and column only; its `doc` would hold the secrets.
        problem = f"accounts file {path}: not TOML: {error}"
    except (ValueError, RecursionError):
        problem = f"accounts file {path}: not TOML that can be read: too long or nested too deep"
    if problem is not None:
        raise ConfigurationError(problem)
    if not tables:
        raise ConfigurationError(
            f"accounts file {path}: no account in it; write a table for each account: [alice]"
        )
    read = {name: _one_account(path, name, table, environ) for name, table in tables.items()}
    _run_commands(path, read)
    return {name: (parts, _plain_file(path, tables[name])) for name, parts in read.items()}


def _one_account(
    path: Path, name: str, table: object, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Read the parts of one account; its secret is still to be printed if `argv` is among them."""
    subject = f"accounts file {path}, [{name}]"
    if not isinstance(table, dict):
        raise ConfigurationError(f"accounts file {path}: {name} is not in an account's table")
    unknown = sorted(set(table) - _ENTRIES)
    if unknown:
        message = (
            f"{subject}: unknown entry {', '.join(unknown)}; known: {', '.join(sorted(_ENTRIES))}"
        )
        raise ConfigurationError(message)
    ways = [key for key in table if key.startswith("secret") or key in _SIGNERS]
    if len(ways) > 1:
        raise ConfigurationError(f"{subject}: give one of {' and '.join(ways)}")
    parts: dict[str, Any] = {
        field: _one_value(path, subject, field, table, environ) for field in _FIELDS
    }
    if parts["api_key"] is None:
        raise ConfigurationError(f"{subject}: needs api_key, api_key_env or api_key_file")
    if not ways:
        raise ConfigurationError(
            f"{subject}: needs secret, secret_env or secret_file, or one of {_COMMAND},"
            f" {' and '.join(_SIGNERS)}"
        )
    if parts["password"] and ways[0] in _SIGNERS:
        raise ConfigurationError(f"{subject}: a password is for a secret, and {ways[0]} has none")
    if ways[0] in _SIGNERS:
        parts["signer"] = _signer(path, subject, ways[0], table[ways[0]])
    elif ways[0] == _COMMAND:
        parts["argv"] = _argv(subject, _COMMAND, table[_COMMAND])
    return parts


def _signer(path: Path, subject: str, entry: str, value: object) -> Signer:
    from binance_dust.signers import Command, SshAgent

    if entry == "sign_command":
        return Command(_argv(subject, entry, value))
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(
            f"{subject}: {entry} must be the path of a public key, or its text"
        )
    key = value if value.startswith(("ssh-", "-----")) else path.parent / _expanded(value, subject)
    return _named(subject, SshAgent, key)


def _argv(subject: str, entry: str, value: object) -> tuple[str, ...]:
    from binance_dust.signers._command import check_argv

    return _named(subject, check_argv, value, entry)


def _named(subject: str, make: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Say which account of which file an error is about."""
    try:
        return make(*args, **kwargs)
    except (ConfigurationError, TypeError) as error:
        problem = f"{subject}: {error}"
    raise ConfigurationError(problem)


def _plain_file(path: Path, table: Mapping[str, Any]) -> Path | None:
    """Say in which file a secret lies so that reading the file is enough."""
    if "secret" in table or "password" in table:
        return path
    if "secret_file" in table and not {"password_env", "password_file"} & set(table):
        return path.parent / Path(table["secret_file"])
    return None


def _run_commands(path: Path, read: dict[str, dict[str, Any]]) -> None:
    """Let programs print the secrets of all accounts that have one, at the same time."""
    commands = {name: parts.pop("argv") for name, parts in read.items() if "argv" in parts}
    if not commands:
        return
    from binance_dust.signers._command import print_secrets, program

    bad = []
    for name, output in print_secrets(commands, _PATIENCE).items():
        subject = f"[{name}] {_COMMAND} ({program(commands[name])})"
        if isinstance(output, str):
            bad.append(f"{subject}: {output}")
            continue
        text = output.decode("utf-8", "replace").strip()
        if not text or "\ufffd" in text:
            bad.append(
                f"{subject}: it printed {'no text' if text else 'nothing'}; is it the right one?"
            )
        read[name]["secret"] = text
    if bad:
        more = f"; and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        raise ConfigurationError(f"accounts file {path}, {'; '.join(bad[:_NAMED])}{more}")


def _one_value(
    path: Path, subject: str, field: str, table: Mapping[str, Any], environ: Mapping[str, str]
) -> str | None:
    given = [entry for entry in (field, f"{field}_env", f"{field}_file") if entry in table]
    if not given:
        return None
    if len(given) > 1:
        raise ConfigurationError(f"{subject}: give one of {' and '.join(given)}")
    value = table[given[0]]
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{subject}: {given[0]} must be a text that is not empty")
    if given[0].endswith("_env"):
        if not environ.get(value, "").strip():
            raise ConfigurationError(f"{subject}: set {value} in the environment")
        return environ[value].strip()
    if given[0].endswith("_file"):
        return read_private(path.parent / _expanded(value, subject), subject).strip()
    return value


def _expanded(value: str, subject: str) -> Path:
    """Replace `~` with the home directory."""
    with contextlib.suppress(RuntimeError):
        return Path(value).expanduser()
    raise ConfigurationError(f"{subject}: {value} names an unknown home directory")
