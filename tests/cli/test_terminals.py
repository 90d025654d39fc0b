"""Terminals of 60, 80 and 120 columns: what every command prints there, and how it is laid out."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from binance_dust.cli import COMMANDS, load_all, make_parser
from binance_dust.cli._output import console_class
from binance_dust.cli._streams import print_stderr
from binance_dust.cli._tables import TerminalTable, figure, prose, text, wrapped
from binance_dust.cli._watch import MoveWatch, _AwaitedEntry
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Keep, Run
from tests.cli.test_progress import DrawnSession, drawn, lane, pool, progress

WIDTHS = (60, 80, 120)
COLOUR = re.compile("\x1b\\[[0-9;]*[34][0-9][0-9;]*m")
CONTROL = re.compile("\x1b\\[[0-9;]*m")
DRAWN = re.compile("[━▏▎▍▌▋▊▉█#]+")

LONG = "desk-of-a-long-name-in-a-long-room"


def plain(table: TerminalTable, width: int) -> list[str]:
    return [line.plain for line in table.lines(width)]


def history() -> TerminalTable:
    table = TerminalTable(
        text("when", 0), text("account", 0), figure("amount"), figure("fee", 3), figure("net", 0)
    )
    table.add_row("2026-11-30 08:00", "alice", "12,116.21", "0.00004637", "0.00227 BNB")
    table.add_row("2026-11-30 08:01", "bob", "6", "", "10.5 USDT", style="bold")
    return table


def test_decimal_points_stand_below_one_another() -> None:
    assert plain(history(), 100) == [
        "when              account     amount         fee            net",
        "2026-11-30 08:00  alice    12,116.21  0.00004637   0.00227 BNB",
        "2026-11-30 08:01  bob           6                 10.5     USDT",
    ]


def test_the_least_important_columns_go_below_their_row() -> None:
    assert plain(history(), 55) == [
        "when              account     amount            net",
        "2026-11-30 08:00  alice    12,116.21   0.00227 BNB",
        "    fee 0.00004637",
        "2026-11-30 08:01  bob           6     10.5     USDT",
    ]


def test_prose_is_wrapped_at_words_and_what_is_longer_than_the_terminal_stays_whole() -> None:
    table = TerminalTable(text("", 0), prose("", 0))
    table.add_row("ok", f"/home/{LONG}/{LONG} is there, and that is what counts")

    assert plain(table, 40) == [
        "ok",
        f"    /home/{LONG}/{LONG}",
        "    is there, and that is what counts",
    ]
    assert wrapped(Text(f"  12 x {LONG} failed\nall"), 30).plain.splitlines() == [
        "  12 x",
        f"    {LONG}",
        "    failed",
        "all",
    ]


def test_a_column_without_title_and_text_takes_no_room() -> None:
    table = TerminalTable(text("a", 0), text(""), text("b", 0))
    table.add_row("1", "", "2")

    assert plain(table, 80) == ["a  b", "1  2"]


def test_wide_characters_count_twice() -> None:
    table = TerminalTable(text("a", 0), text("b", 0))
    table.add_row("\u6f22\u5b57", "x")
    table.add_row("abcd", "y")

    assert plain(table, 80)[1:] == ["\u6f22\u5b57  x", "abcd  y"]


def test_messages_to_a_terminal_are_wrapped_at_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    message = f"no ledger at /home/{LONG}/{LONG}/binance-dust.db: name it with --ledger"

    print_stderr(message)
    in_a_pipe = capsys.readouterr().err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    print_stderr(message)

    assert in_a_pipe == f"binance-dust: {message}\n"
    told = capsys.readouterr().err
    assert told.split() == in_a_pipe.split()
    check_lines(told, 60)


@pytest.mark.parametrize("width", WIDTHS)
def test_help_breaks_no_name(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = load_all()
    assert set(modules) == set(COMMANDS)
    commands: Any = make_parser(modules)._subparsers
    for name, parser in commands._group_actions[0].choices.items():
        monkeypatch.setenv("COLUMNS", "1000")
        whole = set(parser.format_help().split())
        monkeypatch.setenv("COLUMNS", str(width))
        told = parser.format_help()
        assert not {*told.split()} - whole, name
        check_lines(told, width)


# --- every command -------------------------------------------------------------------------------


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """What is printed, before it is laid out."""
    printed: list[tuple[Any, Any]] = []
    real: Callable[..., None] = console_class().print

    def record(self: Any, *objects: Any, **options: Any) -> None:
        printed.append((objects, options))
        real(self, *objects, **options)

    monkeypatch.setattr(console_class(), "print", record)
    return printed


def replayed(printed: list[tuple[Any, Any]], width: int) -> str:
    """Print again, on a terminal of this width with NO_COLOR."""
    out = io.StringIO()
    console = console_class()(
        file=out, width=width, force_terminal=True, color_system="256", no_color=True
    )
    for objects, options in printed:
        console.print(*objects, **options)
    return out.getvalue()


def check_lines(told: str, width: int) -> None:
    for line in told.splitlines():
        assert len(line) <= width or len(line.split()) == 1, line


def words(told: str) -> set[str]:
    return set(DRAWN.sub(" ", told).split())


@pytest.fixture
def file(exchange: Sandbox, keep: Keep, at: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments that lead to two accounts, one of them with a long name."""
    accounts = [
        exchange.open_account("alice", ADA="6.21", SHIB="442123.995", debts={"ETH": "0.0011"}),
        exchange.open_account(LONG, XLM="1.23456789", DOGE="7", margin=True),
    ]
    return ("--accounts", str(keep(*accounts)), *at)


def test_no_command_breaks_a_figure_or_a_line(
    run: Run, file: tuple[str, ...], tmp_path: Path, recorded: list[tuple[Any, Any]]
) -> None:
    books = (*file, "--ledger", str(tmp_path / "dust.db"))
    page = str(tmp_path / "page.html")
    seen = set()
    for command in (
        "endpoints",
        "doctor --probe list",
        ("doctor", "--probe", "fees", *file),
        ("scan", "--estimate", *file),
        ("scan", "--elsewhere", "--html", page, "--out", f"{page}.jsonl", *file),
        ("bnb-burn", "--spot", "off", *file),
        ("quote", *books),
        ("sweep", *books),
        ("convert", "--yes", *books),
        ("liabilities", *file),
        ("liabilities", "--exchange", *books),
        ("history", *file),
        ("sync", *books),
        ("recover", *books),
        ("books", "--by", "account", "--html", page, "--ledger", books[-1]),
        ("adopt", "alice", *books),
    ):
        arguments = command.split() if isinstance(command, str) else command
        recorded.clear()
        told = run(*arguments).out
        printed = [*recorded]
        assert told, command
        for width in WIDTHS:
            screen = replayed(printed, width)
            assert not COLOUR.search(screen)
            screen = CONTROL.sub("", screen)
            check_lines(screen, width)
            # Titles may be told once or with each row; nothing else is lost or broken.
            assert not words(screen) - words(told), (command, width)
            assert not words(told) - words(screen), (command, width)
        seen.add(arguments[0])
    # `demo` prints what `scan`, `quote` and `books` do; these print no table.
    without = {"demo", "worker", "sandbox", "export", "resolve", "completion", "mcp", "fleet"}
    assert seen == set(COMMANDS) - without


@pytest.mark.long
def test_the_demo_breaks_no_figure_either(
    run: Run, tmp_path: Path, recorded: list[tuple[Any, Any]]
) -> None:
    told = run("demo", "--accounts", "4", "--html", str(tmp_path / "page.html")).out
    printed = [*recorded]

    for width in WIDTHS:
        screen = CONTROL.sub("", replayed(printed, width))
        check_lines(screen, width)
        assert words(screen) == words(told)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_drawn_while_a_command_runs_fits_too(width: int) -> None:
    watch = MoveWatch(lambda: 100.0)
    for entry in range(5):
        watch._reading[entry] = _AwaitedEntry(LONG, 145.0, 400.0)
    scan = drawn(progress(lane()), DrawnSession(pool(others=500)), width=width)
    whole = drawn(progress(lane()), DrawnSession(pool(others=500)), width=1000)
    moves = replayed([((line,), {}) for line in watch._lines()], width)

    for told, all_of_it in (
        ("\n".join(scan), "\n".join(whole)),
        (CONTROL.sub("", moves), "\n".join(watch._lines())),
    ):
        check_lines(told, width)
        assert words(told) == words(all_of_it)
