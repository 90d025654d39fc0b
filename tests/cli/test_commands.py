"""The commands without accounts, and what holds for all: what they print, and how they end."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request
from functools import partial
from pathlib import Path

import pytest

from binance_dust import Credentials, endpoints
from tests.cli.conftest import Run
from tests.cli.program import complaints, execute, start


@pytest.fixture
def demo(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the demo, which leaves its ledger where temporary files are."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return partial(run, "demo")


def test_the_demo_goes_from_a_scan_to_the_books_and_says_what_to_try_next(
    demo: Run, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"

    done = demo("--accounts", "20", "--html", str(page))

    assert done.code == 0, done.err
    assert "with 20 accounts" in done.out
    assert "All dust would bring" in done.out
    assert ", 0 refused for their weight" in done.out
    assert "Read, never sent again" in done.out
    assert "Equal to the last digit" in done.out
    assert "Try next:" in done.out
    assert "A rehearsed desk" in page.read_text(encoding="utf-8")


def test_the_same_seed_shows_the_same_desk(demo: Run) -> None:
    def desk(seed: str) -> list[str]:
        lines = demo("--accounts", "5", "--seed", seed).out.splitlines()
        return [line for line in lines if "would bring" in line or " BNB " in line]

    assert desk("3") == desk("3") != desk("4")


def test_the_endpoints_are_listed_for_eyes_and_for_programs(run: Run) -> None:
    table = run("endpoints").out
    rows = run("endpoints", "--json").rows

    assert [row["name"] for row in rows] == list(endpoints.ALL)
    assert all(row["path"] in table for row in rows)
    assert {row["name"] for row in rows if not row["sent_again"]} == {
        "dust_convert",
        "dust_transfer",
        "exchange_small_liabilities",
    }


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_sandbox_serves_other_programs_until_it_is_told_to_end(
    tmp_path: Path, end: signal.Signals
) -> None:
    file = tmp_path / "accounts.toml"
    process = start("sandbox", "--accounts", "3", "--json", "--write", str(file))
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]

    with urllib.request.urlopen(f"{url}/api/v3/time") as answer:  # noqa: S310 - loopback
        assert json.load(answer)["serverTime"]
    assert len(Credentials.load(file)) == 3
    process.send_signal(end)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 0
    assert complaints(errors) == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "required: COMMAND"),
        (("fly",), "invalid choice"),
        (("sandbox", "--port", "99999"), "from 0 to 65535"),
        (("sandbox", "--port", "x"), "no whole number"),
        (("sandbox", "--accounts", "-1"), "must not be negative"),
        (("sandbox", "--window", "0"), "above zero"),
        (("demo", "--accounts", "many"), "no whole number"),
    ],
)
def test_wrong_use_is_told_and_exits_with_2(
    run: Run, arguments: tuple[str, ...], says: str
) -> None:
    done = run(*arguments)

    assert done.code == 2
    assert says in done.err


def test_a_file_that_exists_is_not_written_over(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text("precious", encoding="utf-8")

    done = run("sandbox", "--write", str(file))

    assert done.code == 1
    assert "File exists" in done.err
    assert file.read_text(encoding="utf-8") == "precious"


def test_a_port_that_is_taken_is_told(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("sandbox", "--port", str(taken.getsockname()[1]))

    assert done.code == 1
    assert "address already in use" in done.err


def test_help_and_a_wrong_word_are_told_without_importing_what_commands_need() -> None:
    code = (
        "import sys\n"
        "from binance_dust.cli import main\n"
        "try:\n    main([sys.argv[1]])\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'rich', 'aiohttp', 'asyncio', 'msgspec', 'binance_dust.session'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    for word in ("--help", "fly"):
        assert execute(code, word).stdout.splitlines()[-1] == "[]"


def test_help_and_version(run: Run) -> None:
    assert "binance-dust demo" in run("--help").out
    assert run("--version").out.startswith("binance-dust 0.")


def test_without_the_extra_the_command_says_what_to_install() -> None:
    done = execute(
        "import sys; sys.modules['rich'] = None;"
        "from binance_dust.cli import main; sys.exit(main(['endpoints']))"
    )

    assert done.returncode == 1
    assert "binance-dust[cli]" in done.stderr
