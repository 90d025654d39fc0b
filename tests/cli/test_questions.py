"""Questions that lead somewhere: what is said to wrong names, doubtful values and old files."""

from __future__ import annotations

import json
import shlex
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from binance_dust.cli import COMMANDS, load_all, make_parser
from binance_dust.cli._arguments import rate
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.systems import posix


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("scna",), "there is no command 'scna': did you mean scan?"),
        (("scan", "--acounts", "x"), "'--acounts' is not understood: did you mean --accounts?"),
        (("scan", "nonsense"), "'nonsense' is not understood; "),
        (("quote", "--max-fee-rate", "5"), "5 is more than the whole: 5 % is written 5%, or 0.05"),
        (("quote", "--max-fee-rate", "500%"), "500% is more than the whole"),
        (("export", "x.csv", "--stile", "koinly"), "did you mean --style?"),
        (("liabilities", "--sandbox", "--account", "alcie"), "did you mean alice?"),
    ],
)
def test_wrong_use_is_one_line_that_names_what_was_meant(
    run: Run, arguments: tuple[str, ...], says: str
) -> None:
    done = run(*arguments)

    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert says in done.err


def test_without_a_command_the_commands_are_listed_by_what_one_wants(run: Run) -> None:
    done = run()

    assert done.code == 2
    assert "Find out how a call ended:\n  recover" in done.out
    assert all(f"  {name} " in done.out for name in COMMANDS)


def test_every_example_of_help_can_be_typed() -> None:
    modules = load_all()
    parser = make_parser(modules)
    for name, module in modules.items():
        assert module.EXAMPLES
        for arguments, _ in module.EXAMPLES:
            words = shlex.split(arguments.partition(" > ")[0])
            assert parser.parse_command([name, *words]).command == name


def test_a_part_of_the_whole_may_be_written_in_percent() -> None:
    assert rate("5%") == rate("5 %") == rate("0.05") == Decimal("0.05")
    assert rate("100%") == 1


@pytest.mark.parametrize("command", ["sweep", "convert"])
def test_an_asset_to_keep_that_nobody_has_is_said(
    run: Run, two_accounts: tuple[str, ...], command: str
) -> None:
    done = run(command, *two_accounts, "--keep", "NOPE", "--keep", "ADA")

    assert done.code == 0
    assert "no account has NOPE, so there was nothing to keep" in done.err


def test_where_an_account_could_not_be_read_nothing_is_said_of_what_nobody_has(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox
) -> None:
    exchange.faults.refuse(401, code=-2015, account="alice", times=None, retry_after=None)

    done = run("sweep", *two_accounts, "--keep", "XRP")

    assert "no account has" not in done.err


@pytest.fixture
def some_books(run: Run, two_accounts: tuple[str, ...], ledger: Path) -> Path:
    assert run("sweep", *two_accounts, "--yes").code == 0
    return ledger


def test_an_account_that_the_books_do_not_know_is_said(run: Run, some_books: Path) -> None:
    for command in (("books",), ("export", "-")):
        done = run(*command, "--ledger", str(some_books), "--account", "alcie")

        assert (done.code, done.out) == (2, "")
        assert "know no account 'alcie': did you mean alice?" in done.err


def test_an_export_writes_over_nothing_unless_it_is_told_to(run: Run, some_books: Path) -> None:
    out = some_books.with_name("trades.csv")
    arguments = ("export", str(out), "--ledger", str(some_books))
    first = run(*arguments)
    written = out.read_text(encoding="utf-8")
    out.write_text("mine", encoding="utf-8")

    again = run(*arguments)

    assert (first.code, again.code) == (0, 2)
    assert "is there already: name another file, or add --force" in again.err
    assert out.read_text(encoding="utf-8") == "mine"
    assert run(*arguments, "--force").code == 0
    assert out.read_text(encoding="utf-8") == written


def test_a_user_without_a_folder_for_data_is_told_to_name_the_file(
    run: Run, two_accounts: tuple[str, ...], home: Path
) -> None:
    home.write_text("in the way", encoding="utf-8")

    done = run("quote", *two_accounts[:-2])

    assert done.code == 2
    assert f"there can be no books in {home}" in done.err
    assert "name their file with --ledger" in done.err


@posix
def test_the_books_have_one_home_from_every_folder(
    run: Run, two_accounts: tuple[str, ...], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = two_accounts[:-2]  # without --ledger
    folder = home.parent / "somewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)

    assert run("convert", "--yes", *accounts).code == 0

    assert [path.name for path in home.glob("*.db")] == ["binance-dust.db"]
    assert home.stat().st_mode & 0o077 == 0
    monkeypatch.chdir(home.parent)
    assert "alice" in run("books", "--by", "account").out


def test_books_of_an_earlier_version_are_never_passed_over_in_silence(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, some_books: Path
) -> None:
    """They may hold an open call and a cooldown, which empty books would not know."""
    monkeypatch.chdir(some_books.parent)
    old = some_books.rename(some_books.with_name("binance-dust.db"))

    refused = run("books")

    assert refused.code == 2
    assert f"{old} holds the books of an earlier version" in refused.err
    assert f"move it to {home / old.name}, or name it with --ledger" in refused.err
    assert run("books", "--ledger", old.name).code == 0
    home.mkdir()
    (home / old.name).write_bytes(old.read_bytes())
    told = run("books")
    assert told.code == 0
    assert f"{old} of an earlier version is not read" in told.err


def test_messages_can_be_more_fewer_or_lines_of_json(
    run: Run, two_accounts: tuple[str, ...]
) -> None:
    usual = run("scan", *two_accounts[:-2])
    quiet = run("scan", *two_accounts[:-2], "-q")
    more = run("scan", *two_accounts[:-2], "-v", "--log-format", "json")

    assert "2 accounts to scan" in usual.err
    assert quiet.err == ""
    lines = [json.loads(line) for line in more.err.splitlines()]
    assert {"level", "at", "text"} == set(lines[0])
    assert {"info", "debug"} == {line["level"] for line in lines}
    assert any("Answered: " in line["text"] for line in lines)
    assert quiet.out == usual.out


@posix
def test_a_shell_completes_commands_and_options(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(run("completion", "bash").out, encoding="utf-8")
    asked = (
        f". {script}; COMP_WORDS=(binance-dust sc); COMP_CWORD=1; _shtab_binance_dust;"
        'echo "${COMPREPLY[@]}"'
    )

    done = subprocess.run(  # noqa: S603 - a script of ours
        ["/bin/bash", "-c", asked], capture_output=True, text=True, check=False
    )

    assert done.stdout.split() == ["scan"], done.stderr
