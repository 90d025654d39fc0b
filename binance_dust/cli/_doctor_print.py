"""How the doctor speaks: to eyes in tables, to programs in lines of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from binance_dust._util.words import count
from binance_dust.cli._console import console, make_table, reason_of, shown
from binance_dust.cli._doctor_checks import GRAVITY, NORMAL, Answers, Finding, Level
from binance_dust.cli._json import as_json, print_json
from binance_dust.errors import DustError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from binance_dust.budget import PoolSnapshot
    from binance_dust.cli._desk import Desk
    from binance_dust.cli._probes import Probe, Verdict

_COLOURS: Final = {
    Level.OK: "green",
    Level.NOTE: "cyan",
    Level.WARNING: "yellow",
    Level.PROBLEM: "bold red",
}
_NAMED: Final = 3
"""Accounts that one line names; the rest it counts."""


class Printer(Protocol):
    """What the doctor has to say, as it finds it."""

    def place(self, desk: Desk) -> None:
        """Say where it looks."""

    def finding(self, finding: Finding) -> None:
        """Say what it found."""

    def account(self, answers: Answers) -> None:
        """Say what one account is like."""

    def accounts_end(self) -> None:
        """Say that there are no more accounts."""

    def probes(self, probes: Iterable[Probe]) -> None:
        """Say which probes there are."""

    def probe(self, probe: Probe, account: str | None, verdict: Verdict) -> None:
        """Say what a probe found, or why it did not."""

    def budgets(self, pools: list[tuple[str | None, PoolSnapshot]]) -> None:
        """Say what has been spent."""

    def end(self, worst: Level) -> None:
        """Say how it is, all in all."""


def make(*, as_json: bool) -> Printer:
    """Make one of the two."""
    return _Json() if as_json else _Tables()


class _Json:
    def place(self, desk: Desk) -> None:
        print_json({"about": "exchange", "base_url": desk.base_url, "accounts": len(desk.clients)})

    def finding(self, finding: Finding) -> None:
        print_json(as_json(finding))

    def account(self, answers: Answers) -> None:
        print_json({"about": "account", "account": answers.account, **_state(answers)})

    def accounts_end(self) -> None:
        pass

    def probes(self, probes: Iterable[Probe]) -> None:
        for probe in probes:
            print_json({"probe": probe.name, "doubt": probe.doubt, "asks": probe.cost})

    def probe(self, probe: Probe, account: str | None, verdict: Verdict) -> None:
        about = {"probe": probe.name, "account": account, "doubt": probe.doubt, "asks": probe.cost}
        print_json({"about": "probe", **about, **as_json(verdict)})

    def budgets(self, pools: list[tuple[str | None, PoolSnapshot]]) -> None:
        for address, pool in pools:
            print_json(
                {
                    "about": "budget",
                    "address": address,
                    "pool": pool.name,
                    "kind": pool.kind.value,
                    "account": pool.account,
                    "limit": pool.limit,
                    "used": pool.used,
                    "others": pool.others,
                    "shut_for": pool.shut_for,
                }
            )

    def end(self, worst: Level) -> None:
        print_json({"about": "end", "level": worst.value})


class _Tables:
    def __init__(self) -> None:
        self._out = console()
        self._accounts = make_table(
            "account", "reads", "converts", "withdraws", "addresses", "margin", "status", "BNB fees"
        )
        self._said: dict[tuple[Level, str, str], list[str]] = {}
        self._probed = False

    def place(self, desk: Desk) -> None:
        where = f"[bold]{shown(desk.base_url)}[/]"
        self._out.print(f"{where}, {count(len(desk.clients), 'account')}\n", soft_wrap=True)

    def finding(self, finding: Finding) -> None:
        if finding.account is None:
            self._line(finding.level, finding.about, shown(finding.text))
            return
        key = finding.level, finding.about, reason_of(finding.text, finding.account)
        self._said.setdefault(key, []).append(finding.account)

    def account(self, answers: Answers) -> None:
        state = _state(answers)
        cells = (_WORDS[name].get(state[name], _unknown(state[name])) for name in _WORDS)
        self._accounts.add_row(f"[cyan]{shown(answers.account)}[/]", *cells)

    def accounts_end(self) -> None:
        self._out.print()
        self._out.print(self._accounts)
        self._out.print()
        gravest_first = sorted(self._said, key=lambda said: GRAVITY(said[0]), reverse=True)
        for level, about, text in gravest_first:
            accounts = self._said[level, about, text]
            self._line(level, about, f"[cyan]{_names(accounts)}[/]: {shown(text)}")

    def probes(self, probes: Iterable[Probe]) -> None:
        table = make_table("probe", "what is in doubt", "what it asks at most")
        for probe in probes:
            table.add_row(f"[cyan]{probe.name}[/]", shown(probe.doubt), shown(probe.cost))
        self._out.print(table)

    def probe(self, probe: Probe, account: str | None, verdict: Verdict) -> None:
        out = self._out
        if not self._probed:
            out.print("\n[bold]probes[/]")
            self._probed = True
        whom = f" [dim]({shown(account)})[/]" if account else ""
        out.print(f"[cyan]{probe.name}[/]{whom}: {shown(probe.doubt)}", soft_wrap=True)
        out.print(f"  asked      {shown(probe.cost)}", soft_wrap=True)
        word = "[green]settled[/]  " if verdict.settled else "[yellow]unsettled[/]"
        word = "[yellow]no answer[/]" if verdict.failed else word
        out.print(f"  {word}  {shown(verdict.answer)}", soft_wrap=True)
        if verdict.configure is not None:
            out.print(f"  configure  {shown(verdict.configure)}", soft_wrap=True)

    def budgets(self, pools: list[tuple[str | None, PoolSnapshot]]) -> None:
        if not pools:
            return
        numbers = ("limit", "used", "by others")
        table = make_table("address", "budget", "", *numbers, right=numbers)
        for address, pool in pools:
            table.add_row(
                shown(address or "any"),
                shown(pool.name),
                shown(pool.account or pool.kind.value),
                f"{pool.limit:,}",
                f"{pool.used:,}",
                f"{pool.others:,}" if pool.others else "[dim]none seen[/]",
            )
        self._out.print()
        self._out.print(table)

    def end(self, worst: Level) -> None:
        text = {
            Level.PROBLEM: "Something does not work: see above.",
            Level.WARNING: "It works. Look at the warnings above.",
        }.get(worst, "Everything is as it should be.")
        self._out.print(f"\n[{_COLOURS[worst]}]{text}[/]")

    def _line(self, level: Level, about: str, text: str) -> None:
        colour = _COLOURS[level]
        self._out.print(f"[{colour}]{level.value:<8}[/] {about:<10} {text}", soft_wrap=True)


def _state(answers: Answers) -> dict[str, Any]:
    """Give what an account is like, `None` where it did not tell."""
    key, status, burn = answers.permissions, answers.status, answers.burn
    rights: dict[str, bool | None]
    if isinstance(key, DustError):
        rights = dict.fromkeys(("reads", "converts", "withdraws", "restricted"))
    else:
        rights = {
            "reads": key.enable_reading,
            "converts": key.enable_spot_and_margin_trading,
            "withdraws": key.enable_withdrawals,
            "restricted": key.ip_restrict,
        }
    return {
        **rights,
        "margin": answers.margin,
        "status": None if isinstance(status, DustError) else status.data,
        "bnb_fees": None if isinstance(burn, DustError) else burn.spot_bnb_burn,
    }


_WORDS: Final[dict[str, dict[Any, str]]] = {
    "reads": {True: "yes", False: "[bold red]no[/]"},
    "converts": {True: "yes", False: "[yellow]no[/]"},
    "withdraws": {True: "[yellow]yes[/]", False: "no"},
    "restricted": {True: "restricted", False: "[yellow]any[/]"},
    "margin": {True: "yes", False: "no"},
    "status": {NORMAL: "normal"},
    "bnb_fees": {True: "on", False: "[cyan]off[/]"},
}


def _unknown(value: object) -> str:
    return "[dim]?[/]" if value is None else f"[yellow]{shown(str(value))}[/]"


def _names(accounts: list[str]) -> str:
    rest = len(accounts) - _NAMED
    named = ", ".join(shown(name) for name in accounts[: _NAMED if rest > 1 else None])
    return f"{named} and {rest} more" if rest > 1 else named
