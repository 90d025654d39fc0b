"""What the doctor prints: tables for people, lines of JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from binance_dust._util.words import count
from binance_dust.cli._doctor_checks import NORMAL, AccountAnswers, Finding, Level, severity
from binance_dust.cli._output import (
    as_json,
    escape,
    make_console,
    print_json,
    reason_of,
)
from binance_dust.cli._tables import TerminalTable, figure, figures, prose, text
from binance_dust.errors import DustError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from binance_dust.budget import PoolSnapshot
    from binance_dust.cli._context import CommandContext
    from binance_dust.cli._probe import Probe, ProbeResult

_COLOURS: Final = {
    Level.OK: "green",
    Level.NOTE: "cyan",
    Level.WARNING: "yellow",
    Level.PROBLEM: "bold red",
}
_NAMED: Final = 3
"""Account names in one line; the rest is counted."""


class Printer(Protocol):
    """Prints what the doctor finds, as it finds it."""

    def exchange(self, context: CommandContext) -> None:
        """Print which exchange is checked, for how many accounts."""

    def finding(self, finding: Finding) -> None:
        """Print a finding."""

    def account(self, answers: AccountAnswers) -> None:
        """Print the state of one account."""

    def accounts_end(self) -> None:
        """Print what waited for the last account."""

    def probes(self, probes: Iterable[Probe]) -> None:
        """Print a list of probes."""

    def probe(self, probe: Probe, account: str | None, result: ProbeResult) -> None:
        """Print the result of a probe."""

    def budgets(self, pools: list[tuple[str | None, PoolSnapshot]]) -> None:
        """Print the weight that was spent."""

    def end(self, worst: Level) -> None:
        """Print the overall result."""


def make_printer(*, as_json: bool) -> Printer:
    """Make a printer."""
    return JsonPrinter() if as_json else _TablePrinter()


class JsonPrinter:
    """Writes each finding as an object: to stdout, or wherever it is told."""

    def __init__(self, write: Callable[[Mapping[str, Any]], object] = print_json) -> None:
        """Take what is called with each object."""
        self._to = write
        self._mark: dict[str, Any] = {}

    def _write(self, row: Mapping[str, Any]) -> None:
        self._to({**row, **self._mark})

    def exchange(self, context: CommandContext) -> None:
        if context.rehearsal:
            self._mark = {"rehearsal": True}
        self._write(
            {"about": "exchange", "base_url": context.base_url, "accounts": len(context.clients)}
        )

    def finding(self, finding: Finding) -> None:
        self._write(as_json(finding))

    def account(self, answers: AccountAnswers) -> None:
        self._write({"about": "account", "account": answers.account, **_state(answers)})

    def accounts_end(self) -> None:
        pass

    def probes(self, probes: Iterable[Probe]) -> None:
        for probe in probes:
            self._write({"probe": probe.name, "doubt": probe.doubt, "asks": probe.cost})

    def probe(self, probe: Probe, account: str | None, result: ProbeResult) -> None:
        about = {"probe": probe.name, "account": account, "doubt": probe.doubt, "asks": probe.cost}
        self._write({"about": "probe", **about, **as_json(result)})

    def budgets(self, pools: list[tuple[str | None, PoolSnapshot]]) -> None:
        for address, pool in pools:
            self._write(
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
        self._write({"about": "end", "level": worst.value})


class _TablePrinter:
    def __init__(self) -> None:
        self._out = make_console()
        self._accounts = TerminalTable(
            text("account", 0),
            *(text(title) for title in ("reads", "converts", "withdraws", "addresses")),
            text("margin", 3),
            text("status", 2),
            text("BNB fees", 4),
            text("signs", 5),
        )
        self._findings: dict[tuple[Level, str, str], list[str]] = {}
        self._any_probe = False

    def exchange(self, context: CommandContext) -> None:
        where = f"[bold]{escape(context.base_url)}[/]"
        self._out.print(f"{where}, {count(len(context.clients), 'account')}\n")

    def finding(self, finding: Finding) -> None:
        if finding.account is None:
            self._line(finding.level, finding.about, escape(finding.text))
            return
        key = finding.level, finding.about, reason_of(finding.text, finding.account)
        self._findings.setdefault(key, []).append(finding.account)

    def account(self, answers: AccountAnswers) -> None:
        state = _state(answers)
        cells = (
            _STATE_WORDS[name].get(state[name], _unknown(state[name])) for name in _STATE_WORDS
        )
        signs = escape(answers.signs)
        if isinstance(answers.signature, float):
            signs += f", {_short(answers.signature)}"
        self._accounts.add_row(f"[cyan]{escape(answers.account)}[/]", *cells, signs)

    def accounts_end(self) -> None:
        self._out.print()
        self._out.print(self._accounts)
        self._out.print()
        worst_first = sorted(self._findings, key=lambda key: severity(key[0]), reverse=True)
        for level, about, words in worst_first:
            accounts = self._findings[level, about, words]
            self._line(level, about, f"[cyan]{_names(accounts)}[/]: {escape(words)}")

    def probes(self, probes: Iterable[Probe]) -> None:
        table = TerminalTable(
            text("probe", 0), prose("what is in doubt"), prose("what it asks at most", 2)
        )
        for probe in probes:
            table.add_row(f"[cyan]{probe.name}[/]", escape(probe.doubt), escape(probe.cost))
        self._out.print(table)

    def probe(self, probe: Probe, account: str | None, result: ProbeResult) -> None:
        out = self._out
        if not self._any_probe:
            out.print("\n[bold]probes[/]")
            self._any_probe = True
        whose = f" [dim]({escape(account)})[/]" if account else ""
        out.print(f"[cyan]{probe.name}[/]{whose}: {escape(probe.doubt)}")
        out.print(f"  asked      {escape(probe.cost)}")
        word = "[green]settled[/]  " if result.settled else "[yellow]unsettled[/]"
        word = "[yellow]no answer[/]" if result.failed else word
        out.print(f"  {word}  {escape(result.answer)}")
        if result.configure is not None:
            out.print(f"  configure  {escape(result.configure)}")

    def budgets(self, pools: list[tuple[str | None, PoolSnapshot]]) -> None:
        if not pools:
            return
        table = TerminalTable(
            text("budget", 0),
            text("of"),
            text("address", 3),
            figure("limit", 2),
            *figures("used", "by others"),
        )
        for address, pool in pools:
            table.add_row(
                escape(pool.name),
                escape(pool.account or pool.kind.value),
                escape(address or "any"),
                f"{pool.limit:,}",
                f"{pool.used:,}",
                f"{pool.others:,}" if pool.others else "[dim]none seen[/]",
            )
        self._out.print()
        self._out.print(table)

    def end(self, worst: Level) -> None:
        verdict = {
            Level.PROBLEM: "Something does not work: see above.",
            Level.WARNING: "It works. Look at the warnings above.",
        }.get(worst, "Everything is as it should be.")
        self._out.print(f"\n[{_COLOURS[worst]}]{verdict}[/]")

    def _line(self, level: Level, about: str, words: str) -> None:
        colour = _COLOURS[level]
        table = TerminalTable(text("", 0), text("", 0), prose("", 0))
        table.add_row(f"[{colour}]{level.value:<7}[/]", f"{about:<9}", words)
        self._out.print(table)


def _state(answers: AccountAnswers) -> dict[str, Any]:
    """Give the state of an account; `None` for each failed call."""
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
        "signs": answers.signs,
        "signature": answers.signature if isinstance(answers.signature, float) else None,
    }


_STATE_WORDS: Final[dict[str, dict[Any, str]]] = {
    "reads": {True: "yes", False: "[bold red]no[/]"},
    "converts": {True: "yes", False: "[yellow]no[/]"},
    "withdraws": {True: "[yellow]yes[/]", False: "no"},
    "restricted": {True: "restricted", False: "[yellow]any[/]"},
    "margin": {True: "yes", False: "no"},
    "status": {NORMAL: "normal"},
    "bnb_fees": {True: "on", False: "[cyan]off[/]"},
}


def _short(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{milliseconds * 1000:.0f} µs" if milliseconds < 1 else f"{milliseconds:.0f} ms"


def _unknown(value: object) -> str:
    return "[dim]?[/]" if value is None else f"[yellow]{escape(str(value))}[/]"


def _names(accounts: list[str]) -> str:
    rest = len(accounts) - _NAMED
    named = ", ".join(escape(name) for name in accounts[: _NAMED if rest > 1 else None])
    return f"{named} and {rest} more" if rest > 1 else named
