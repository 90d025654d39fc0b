"""Streams that can't take everything: no name, and no closed door, keeps a command from its end."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from binance_dust.cli import main
from binance_dust.sandbox import Sandbox

NAME = "zoë"
COIN = "币安人生"


@pytest.fixture
def desk(exchange: Sandbox, keep: Callable[..., Path], at: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments that lead to an account that not every stream can spell."""
    exchange.market.list_asset(COIN, price="0.1")
    account = exchange.open_account(NAME)
    exchange.accounts[NAME].deposit(COIN, "3.5")
    return ("--accounts", str(keep(account)), *at)


def in_ascii(*arguments: str) -> tuple[int, bytes]:
    """Run a command where the terminal, or the system, knows ASCII only."""
    out = io.BytesIO()
    stream = io.TextIOWrapper(out, encoding="ascii", write_through=True)
    with contextlib.redirect_stdout(stream):
        code = main(arguments)
    return code, out.getvalue()


def behind_closed_doors(*arguments: str) -> int:
    """Run a command as `>&- 2>&-` does: Python has no streams then."""
    with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
        code = main(arguments)
        for stream in (sys.stdout, sys.stderr):
            stream.close()
    return code


def test_what_a_stream_can_not_spell_is_spelled_out(desk: tuple[str, ...], tmp_path: Path) -> None:
    code, out = in_ascii("convert", *desk, "--ledger", str(tmp_path / "dust.db"), "--yes")

    assert code == 0
    assert r"zo\xeb spot dust converted" in out.decode("ascii")


def test_lines_of_json_are_json_in_any_encoding(desk: tuple[str, ...], tmp_path: Path) -> None:
    books = ("--ledger", str(tmp_path / "dust.db"))
    code, out = in_ascii("convert", *desk, *books, "--yes", "--json")

    row = json.loads(out.decode("ascii"))
    assert (code, row["account"], row["outcome"]) == (0, NAME, "converted")
    assert row["receipt"]["lines"][0]["asset"] == COIN


@pytest.mark.parametrize("style", ["plain", "jsonl"])
def test_an_exported_file_is_the_same_on_the_standard_output(
    desk: tuple[str, ...], tmp_path: Path, style: str
) -> None:
    books = ("--ledger", str(tmp_path / "dust.db"), "--style", style)
    main(["convert", *desk, *books[:2], "--yes"])

    code, out = in_ascii("export", "-", *books)

    assert (code, main(["export", str(tmp_path / "file"), *books])) == (0, 0)
    assert out == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize("lines", [(), ("--json",)])
def test_streams_that_were_closed_for_us_end_nothing(
    desk: tuple[str, ...], exchange: Sandbox, tmp_path: Path, lines: tuple[str, ...]
) -> None:
    books = ("--ledger", str(tmp_path / "dust.db"))

    assert behind_closed_doors("convert", *desk, *books, "--only", "TYPO", *lines) in {0, 1}
    assert behind_closed_doors("convert", *desk, *books, "--yes", *lines) == 0
    assert len(exchange.conversions) == 1
