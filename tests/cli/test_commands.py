"""Each command as a program: what it prints, its exit code, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from binance_dust import Credentials, endpoints
from tests.cli.conftest import complaints

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "binance_dust", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own interpreter
        command(*arguments), env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def test_the_demo_goes_from_a_scan_to_the_books_and_says_what_to_try_next(tmp_path: Path) -> None:
    page = tmp_path / "report.html"

    done = run("demo", "--accounts", "20", "--html", str(page))

    assert done.returncode == 0, done.stderr
    assert "with 20 accounts" in done.stdout
    assert "All dust would bring" in done.stdout
    assert ", 0 refused for their weight" in done.stdout
    assert "Read, never sent again" in done.stdout
    assert "Equal to the last digit" in done.stdout
    assert "Try next:" in done.stdout
    assert "A rehearsed desk" in page.read_text(encoding="utf-8")
    assert "Traceback" not in done.stderr
    assert "\x1b[" not in done.stdout, "no colours in a pipe"


def test_the_same_seed_shows_the_same_desk() -> None:
    def desk(seed: str) -> list[str]:
        lines = run("demo", "--accounts", "5", "--seed", seed).stdout.splitlines()
        return [line for line in lines if "would bring" in line or " BNB " in line]

    assert desk("3") == desk("3") != desk("4")


def test_the_endpoints_are_listed_for_eyes_and_for_programs() -> None:
    table = run("endpoints").stdout
    rows = [json.loads(line) for line in run("endpoints", "--json").stdout.splitlines()]

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
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        command("sandbox", "--accounts", "3", "--json", "--write", str(file)),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
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
def test_wrong_use_is_told_and_exits_with_2(arguments: tuple[str, ...], says: str) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_exists_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text("precious", encoding="utf-8")

    done = run("sandbox", "--write", str(file))

    assert done.returncode == 1
    assert "File exists" in done.stderr
    assert "Traceback" not in done.stderr
    assert file.read_text(encoding="utf-8") == "precious"


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("sandbox", "--port", str(taken.getsockname()[1]))

    assert done.returncode == 1
    assert "address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_who_has_enough_is_no_error() -> None:
    line = f"{sys.executable} -m binance_dust endpoints --json | head -n 1"
    done = subprocess.run(  # noqa: S602 - a pipe needs a shell
        line, shell=True, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )

    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


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
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", code, word],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.splitlines()[-1] == "[]"


def test_help_and_version() -> None:
    assert "binance-dust demo" in run("--help").stdout
    assert run("--version").stdout.startswith("binance-dust 0.")


def test_without_the_extra_the_command_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['rich'] = None;"
        "from binance_dust.cli import main; sys.exit(main(['endpoints']))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "binance-dust[cli]" in done.stderr
