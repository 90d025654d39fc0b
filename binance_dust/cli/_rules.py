"""The rules file: what may be converted in which account, and into what.

    keep = ["BNB"]              # for every account
    max_fee_rate = "3%"

    [alice]                     # for alice besides: `keep` adds, the others replace
    target = "USDT"
    min_value = "0.5"
    wallets = ["spot", "margin"]
    when_below = ["BNB=0.05"]   # only while less than that is free

It holds no secrets, so it can be kept where changes are reviewed. What is given on the command line
as well never loosens it: assets to keep add up, and of two limits the tighter one counts.
"""

from __future__ import annotations

import argparse
import os
import stat
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from binance_dust.cli import _arguments
from binance_dust.cli._parser import suggestion
from binance_dust.conversion._policy import lower
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from binance_dust.client import DustClient
    from binance_dust.sweeper import AccountRules

__all__ = ["RulesFile", "add_option", "find_rules", "merged"]

_VARIABLE: Final = "BINANCE_DUST_RULES"
_WALLETS: Final = ("SPOT", "MARGIN")


@dataclass(frozen=True, slots=True)
class RulesFile:
    """The rules of all accounts; an empty one has none."""

    path: Path | None = None
    accounts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Of each account that has some of its own, with those for every account."""
    common: dict[str, Any] = field(default_factory=dict)

    def of(self, account: str) -> dict[str, Any]:
        """Give the rules of an account."""
        return self.accounts.get(account, self.common)

    def refuse_unknown(self, names: Iterable[str] | None) -> None:
        """Refuse rules of accounts that are not there: a misspelt name would protect nobody."""
        if names is None:
            return
        known = [*names]
        for name in self.accounts:
            if name not in known:
                raise ConfigurationError(
                    f"rules file {self.path}: no account {name!r}{suggestion(name, known)}"
                )


def add_option(parser: argparse._ActionsContainer) -> None:
    """Add the option that names the file."""
    parser.add_argument(
        "--rules",
        metavar="FILE",
        help=f"rules for each account (TOML); else the file that {_VARIABLE} names. Options on the"
        " command line only tighten them",
    )


def find_rules(options: argparse.Namespace) -> RulesFile:
    """Read the file that the options or the environment name, if there is one."""
    path = options.rules or (None if options.sandbox else os.environ.get(_VARIABLE))
    return _read(Path(path)) if path else RulesFile()


def merged(
    options: argparse.Namespace, file: RulesFile, asked: dict[str, Any]
) -> Callable[[DustClient], AccountRules]:
    """Give what finds an account's rules: those of the file, and what the command line `asked`."""
    for rules in (file.common, *file.accounts.values()):
        target = asked.get("target")
        if target and rules.get("min_value") and rules.get("target", "BNB") != target:
            raise ConfigurationError(
                f"rules file {file.path}: min_value is in {rules.get('target', 'BNB')},"
                f" and --target is {options.target}: leave one of them out"
            )

    def of(client: DustClient) -> AccountRules:
        own = file.of(client.name)
        both: Any = {**own, **asked}
        both["keep"] = {*own.get("keep", ()), *asked.get("keep", ())}
        for name, tighter in (("max_fee_rate", min), ("min_value", max)):
            given = [rules[name] for rules in (own, asked) if name in rules]
            if given:
                both[name] = tighter(given)
        lows = [rules["when_below"] for rules in (own, asked) if "when_below" in rules]
        if lows:
            both["when_below"] = lower(lows[0], lows[-1])
        return both  # type: ignore[no-any-return]

    return of


# --- reading -------------------------------------------------------------------------------------


def _read(path: Path) -> RulesFile:
    import tomllib

    subject = f"rules file {path}"
    try:
        text = path.read_text(encoding="utf-8")
        if os.name == "posix" and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ConfigurationError(f"{subject}: others can write it; run: chmod go-w {path}")
        found = tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        raise ConfigurationError(f"{subject}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{subject}: not TOML: {error}") from None
    tables = {name: value for name, value in found.items() if isinstance(value, dict)}
    common = _rules({name: each for name, each in found.items() if name not in tables}, subject)
    accounts = {}
    for name, table in tables.items():
        own = _rules(table, f"{subject}, [{name}]")
        accounts[name] = common | own
        accounts[name]["keep"] = {*common.get("keep", ()), *own.get("keep", ())}
    return RulesFile(path, accounts, common)


def _rules(table: Mapping[str, Any], subject: str) -> dict[str, Any]:
    found = {}
    for name, value in table.items():
        read = _READERS.get(name)
        if read is None:
            near = suggestion(name, _READERS) or f"; known: {', '.join(_READERS)}"
            raise ConfigurationError(f"{subject}: unknown rule {name}{near}")
        try:
            key, rule = read(value)
        except argparse.ArgumentTypeError as error:
            raise ConfigurationError(f"{subject}: {name} {error}") from None
        found[key] = rule
    return found


def _names(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise argparse.ArgumentTypeError('must be a list of names, like ["ADA"]')
    return value


def _keep(value: object) -> tuple[str, Any]:
    return "keep", {_arguments.asset(each) for each in _names(value)}


def _target(value: object) -> tuple[str, Any]:
    if not isinstance(value, str):
        raise argparse.ArgumentTypeError('must be the name of an asset, like "BNB"')
    return "target", _arguments.asset(value)


def _wallets(value: object) -> tuple[str, Any]:
    wallets = [each.upper() for each in _names(value)]
    if not wallets or set(wallets) - set(_WALLETS):
        raise argparse.ArgumentTypeError('must be of ["spot", "margin"]')
    return "account_types", tuple(dict.fromkeys(wallets))


def _when_below(value: object) -> tuple[str, Any]:
    return "when_below", dict(_arguments.least(each) for each in _names(value))


def _number(read: Callable[[str], Decimal], name: str) -> Callable[[object], tuple[str, Any]]:
    def reader(value: object) -> tuple[str, Any]:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise argparse.ArgumentTypeError("must be a number")
        return name, read(str(value))

    return reader


_READERS: Final[dict[str, Callable[[object], tuple[str, Any]]]] = {
    "keep": _keep,
    "target": _target,
    "wallets": _wallets,
    "when_below": _when_below,
    "max_fee_rate": _number(_arguments.rate, "max_fee_rate"),
    "min_value": _number(_arguments.amount, "min_value"),
}
