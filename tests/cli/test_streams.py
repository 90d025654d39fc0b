"""Streams that know ASCII only, or are closed: every command still reaches its end."""

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
def account(exchange: Sandbox, keep: Callable[..., Path], at: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments for an account with a name that ASCII cannot spell."""
    exchange.market.list_asset(COIN, price="0.1")
    opened = exchange.open_account(NAME)
    exchange.accounts[NAME].deposit(COIN, "3.5")
    return ("--accounts", str(keep(opened)), *at)


def in_ascii(*arguments: str) -> tuple[int, bytes]:
    """Run a command with a stdout that knows ASCII only."""
    out = io.BytesIO()
    stream = io.TextIOWrapper(out, encoding="ascii", write_through=True)
    with contextlib.redirect_stdout(stream):
        code = main(arguments)
    return code, out.getvalue()


def with_closed_streams(*arguments: str) -> int:
    """Run a command as `>&- 2>&-` does: Python has no streams then."""
    with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
        code = main(arguments)
        for stream in (sys.stdout, sys.stderr):
            stream.close()
    return code


def test_a_character_outside_the_encoding_is_escaped(
    account: tuple[str, ...], tmp_path: Path
) -> None:
    code, out = in_ascii("convert", *account, "--ledger", str(tmp_path / "dust.db"), "--yes")

    assert code == 0
    assert r"zo\xeb spot dust converted" in out.decode("ascii")


def test_lines_of_json_are_json_in_any_encoding(account: tuple[str, ...], tmp_path: Path) -> None:
    books = ("--ledger", str(tmp_path / "dust.db"))
    code, out = in_ascii("convert", *account, *books, "--yes", "--json")

    row = json.loads(out.decode("ascii"))
    assert (code, row["account"], row["outcome"]) == (0, NAME, "converted")
    assert row["receipt"]["lines"][0]["asset"] == COIN


@pytest.mark.parametrize("style", ["plain", "jsonl"])
def test_an_exported_file_is_the_same_on_the_standard_output(
    account: tuple[str, ...], tmp_path: Path, style: str
) -> None:
    books = ("--ledger", str(tmp_path / "dust.db"), "--style", style)
    main(["convert", *account, *books[:2], "--yes"])

    code, out = in_ascii("export", "-", *books)

    assert (code, main(["export", str(tmp_path / "file"), *books])) == (0, 0)
    assert out == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize("lines", [(), ("--json",)])
def test_closed_streams_end_no_command(
    account: tuple[str, ...], exchange: Sandbox, tmp_path: Path, lines: tuple[str, ...]
) -> None:
    books = ("--ledger", str(tmp_path / "dust.db"))

    assert with_closed_streams("convert", *account, *books, "--only", "TYPO", *lines) in {0, 1}
    assert with_closed_streams("convert", *account, *books, "--yes", *lines) == 0
    assert len(exchange.conversions) == 1
