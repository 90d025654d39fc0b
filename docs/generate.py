"""Writes the generated pages, and the generated parts of pages: `python docs/generate.py`."""

from __future__ import annotations

import argparse
import functools
import re
import textwrap
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from binance_dust import Credentials, Session, estimate_scan
from binance_dust.budget import RateLimits
from binance_dust.cli import load_all, make_parser
from binance_dust.endpoints import ALL, LimitKind, Replay
from binance_dust.telemetry._series import SERIES
from tests.bench import keep, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from binance_dust import DustClient
    from binance_dust.scanner import ScanEstimate

DOCS = Path(__file__).parent
README = DOCS.parent / "README.md"
FIRST_PAGE = DOCS / "index.md"
REFERENCE = DOCS / "reference"
SIZING = DOCS / "explanation" / "sizing-by-addresses.md"
MEASUREMENTS = DOCS / "explanation" / "measurements.md"
COMPARE = DOCS / "compare.md"
MEASURED = DOCS / "measurements.jsonl"
"""What `nox -s bench -- all --save docs` leaves."""

ENDPOINTS = """\
# Endpoints

Generated from `binance_dust.endpoints` by `docs/generate.py`. The outgoing address pays `ip`
weight: 12,000 a minute for each endpoint. The account pays `uid` weight: 180,000 a minute for each
endpoint. The address pays `request` weight: 6,000 a minute for all of `/api/v3`.

| Method | Endpoint | Security | Weight | Sent again |
| --- | --- | --- | --- | --- |
"""

COMMANDS = """\
# The command line

Generated from the parser of the commands by `docs/generate.py`. The commands come with the extra
`cli`:

```sh
python3 -m pip install 'binance-dust[cli]'
```

```console
$ binance-dust --version
$ binance-dust demo --accounts 10
$ binance-dust doctor --sandbox
$ binance-dust endpoints --json
```

Exit codes: 0 done, 1 something failed, 2 wrong use (nothing was sent), 3 an outcome is unknown,
130 ended by Ctrl-C, 143 ended by SIGTERM. In commands that move funds, *nothing to convert* and
*cooling down* are also 0, *failed*, *stopped by a rule* and *another process is at it* are 1,
*unknown* and *can't be known* are 3. `recover` ends with 3 while a call of these accounts is open:
it says which ones to read again in a few minutes, and which only `resolve` ends. `quote` says when
an account may convert again; with `--json` this is `next_at`.

Results go to stdout; progress, warnings and errors go to stderr. With `--json`, stdout holds only
lines of JSON. A pipe gets no colours and no terminal control codes. `NO_COLOR` takes the colours
from a terminal, too.
"""

SHARED: Final = ("accounts", "connection", "rehearsal", "messages")
"""Groups of options that all commands have, or all about accounts."""


def endpoints() -> str:
    """Write the page of the endpoints."""
    rows = (
        f"| `{name}` | {row.method} `{row.path}` | {row.security.value} | {row.weight} | "
        f"{'yes' if row.replay is Replay.SAFE else '**never**'} |"
        for name, row in ALL.items()
    )
    return ENDPOINTS + "\n".join(rows) + "\n"


def commands() -> str:
    """Write the page of the command line."""
    parser = make_parser(load_all())
    (chosen,) = (
        action
        for action in parser._actions  # noqa: SLF001 - argparse shows them nowhere else
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001 - likewise
    )
    parts = [COMMANDS]
    shared: dict[str, argparse._ArgumentGroup] = {}
    for name, command in chosen.choices.items():
        parts += _command(name, command, shared)
    parts.append(
        "## Accounts and connection\n\n"
        "For every command about accounts; the messages are for every command.\n"
    )
    for title, group in shared.items():
        text = f"{group.description}\n\n" if group.description else ""
        parts.append(f"### {title.capitalize()}\n\n{text}{_table(group)}\n")
    return "\n".join(parts).rstrip() + "\n"


def _command(
    name: str, command: argparse.ArgumentParser, shared: dict[str, argparse._ArgumentGroup]
) -> Iterator[str]:
    yield f"## {name}\n\n{_sentence(command.description or '')}\n"
    asks = False
    for group in command._action_groups:  # noqa: SLF001 - argparse shows them nowhere else
        if group.title in SHARED:
            shared.setdefault(group.title, group)
            asks = asks or group.title != "messages"
        elif table := _table(group):
            yield f"{_heading(group)}{table}\n"
    if command.epilog:
        yield f"{textwrap.fill(command.epilog, 104)}\n"
    if asks:
        yield "With all of [accounts and connection](#accounts-and-connection).\n"


def _heading(group: argparse._ArgumentGroup) -> str:
    """Name a group of options that only one command has."""
    if group.title in ("options", "positional arguments"):
        return ""
    text = f": {group.description}" if group.description else ""
    return f"**{_sentence(group.title or '')}**{text}\n\n"


def _table(group: argparse._ArgumentGroup) -> str:
    rows = [
        f"| {_call(action)} | {_cell((action.help or '').replace('%%', '%'))} |"
        for action in group._group_actions  # noqa: SLF001 - argparse shows them nowhere else
        if action.help is not argparse.SUPPRESS and action.dest != "help"
    ]
    return "\n".join(["| Option | |", "| --- | --- |", *rows]) if rows else ""


def _call(action: argparse.Action) -> str:
    """Write an option as it is used: `--account NAME`."""
    value = action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else None)
    takes = action.nargs != 0
    text = value if isinstance(value, str) else action.dest.upper()
    written = [*action.option_strings[-1:], *([text] if takes else [])]
    return _cell(f"`{' '.join(written)}`")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


# Sizing

SIZES: Final = (100, 300, 1_000, 2_000, 5_000, 10_000)
ADDRESSES: Final = (1, 2, 4, 8)
CASES: Final[dict[str, dict[str, Any]]] = {
    "Every account is asked for the list (`liabilities=True`)": {"liabilities": True},
    'Three in ten have margin, one in ten owes (`liabilities="auto"`)': {
        "margin_share": 0.3,
        "debt_share": 0.1,
    },
    "No account is asked for the list (`liabilities=False`)": {"liabilities": False},
}
MARK: Final = "<!-- {} by docs/generate.py -->"


class Standstill:
    """A clock that stands still, so that the page does not depend on the time of writing."""

    def monotonic(self) -> float:
        """Return a fixed time."""
        return 0.0

    def wall(self) -> float:
        """Return the beginning of a minute."""
        return 1_790_000_040.0


def sizing() -> str:
    """Write the page about sizing: new tables, and the rest unchanged."""
    tables = "\n\n".join(f"{title}:\n\n{_sizes(case)}" for title, case in CASES.items())
    return _renewed(SIZING, "sizes", tables)


def _renewed(page: Path, part: str, text: str) -> str:
    """Return a page with a new text for one part, and the rest unchanged."""
    begin, end = MARK.format(part), MARK.format(f"end of {part}")
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    return f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}"


def _sizes(case: dict[str, Any]) -> str:
    titles = "".join(f" {count} address{'es' * (count > 1)} |" for count in ADDRESSES)
    rows = [f"| accounts | what decides |{titles}", "| --- | --- |" + " --- |" * len(ADDRESSES)]
    for size in SIZES:
        found = [_estimate(size, addresses, case) for addresses in ADDRESSES]
        cells = "".join(f" {_minutes(estimate.seconds)} |" for estimate in found)
        rows.append(f"| {size:,} | {_slowest(found[0])} |{cells}")
    return "\n".join(rows)


def _estimate(accounts: int, addresses: int, case: dict[str, Any]) -> ScanEstimate:
    return estimate_scan(_clients(accounts, addresses), **case)


@functools.cache
def _clients(accounts: int, addresses: int) -> list[DustClient]:
    """Make accounts that are spread over addresses; nothing is sent."""
    sessions = [Session(time=Standstill()) for _ in range(addresses)]
    unused = Credentials("unused", "unused")
    return [sessions[number % addresses].client(unused) for number in range(accounts)]


def _slowest(estimate: ScanEstimate) -> str:
    lane = estimate.lanes[0]
    return f"`{lane.question}`" if lane.seconds >= estimate.seconds else "requests a second"


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    if whole < 1:
        return "at once"
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02} min"  # noqa: PLR2004


SERIES_PAGE: Final = REFERENCE / "pages-and-metrics.md"


def series() -> str:
    """Write the page about metrics: a new table of the series, and the rest unchanged."""
    rows = ["| Prometheus | OpenTelemetry | Kind | By | |", "| --- | --- | --- | --- | --- |"]
    for each in SERIES:
        labels = ", ".join(each.labels)
        names = f"`{each.prometheus}` | `{each.otel}`"
        rows.append(f"| {names} | {each.kind.value} | {labels} | {each.text} |")
    return _renewed(SERIES_PAGE, "series", "\n".join(rows))


# README

LIMITS: Final = """\
| Calls | Weight | Paid by | Calls a minute |
| --- | ---: | --- | ---: |
"""
PAYERS: Final = {
    LimitKind.IP: "the address",
    LimitKind.UID: "the account",
    LimitKind.REQUEST: "the address, for all of `/api/v3`",
}


def readme() -> str:
    """Write the table of limits into README: calls with a key, the most expensive first."""
    limits = RateLimits()
    calls: dict[tuple[int, str, int], list[str]] = {}
    for name, row in ALL.items():
        if row.security.needs_key:
            kind, cost = row.weight.kind, row.weight.cost
            let_through = limits.of(kind) // cost
            calls.setdefault((let_through, PAYERS[kind], cost), []).append(f"`{name}`")
    rows = (
        f"| {', '.join(names)} | {cost:,} | {payer} | {let_through:,} |"
        for (let_through, payer, cost), names in sorted(calls.items())
    )
    return _with_figures(_renewed(README, "limits", LIMITS + "\n".join(rows)))


# Measurements

KEPT: Final = keep.load(MEASURED)
DRAWN: Final = keep.pictures(KEPT)
PLACE: Final = re.compile(
    r"<!-- (?P<part>(?P<what>table|figures) of (?P<name>[a-z-]+)) by docs/generate.py -->\n"
    r".*?<!-- end of (?P=part) by docs/generate.py -->",
    re.DOTALL,
)


def figures(page: Path) -> str:
    """Write a page: the saved figures, and the rest unchanged."""
    return _with_figures(page.read_text(encoding="utf-8"))


def _with_figures(page: str) -> str:
    """Put tables, or whole sections of figures, between their marks."""
    return PLACE.sub(_figures, page)


def _figures(place: re.Match[str]) -> str:
    measured, picture = KEPT[place["name"]], f"bench-{place['name']}.svg"
    if place["what"] == "table":
        text = show.as_markdown(measured.table)
    else:
        text = show.section(measured, f"../pictures/{picture}" if picture in DRAWN else None)
    begin, end = MARK.format(place["part"]), MARK.format(f"end of {place['part']}")
    return f"{begin}\n\n{text}\n\n{end}"


PAGES: Final[dict[Path, Callable[[], str]]] = {
    REFERENCE / "endpoints.md": endpoints,
    REFERENCE / "command-line.md": commands,
    SIZING: sizing,
    SERIES_PAGE: series,
    README: readme,
    **{page: partial(figures, page) for page in (FIRST_PAGE, MEASUREMENTS, COMPARE)},
    **{DOCS / "pictures" / name: text.__str__ for name, text in DRAWN.items()},
}

if __name__ == "__main__":
    for path, page in PAGES.items():
        path.write_text(page(), encoding="utf-8")
