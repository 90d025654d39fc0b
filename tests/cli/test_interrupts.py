"""Commands that end early, across all modules: Ctrl-C, SIGTERM, and a closed pipe."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from binance_dust import cli
from binance_dust.cli._ledger import RECOVER_HINT
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Keep
from tests.cli.program import ENVIRONMENT, complaints, start
from tests.systems import posix

pytestmark = posix


@pytest.mark.parametrize(
    ("command", "end", "code", "says"),
    [
        (("doctor", "--probe", "all"), signal.SIGINT, 130, "interrupted"),
        (("liabilities",), signal.SIGTERM, 143, "terminated"),
    ],
)
def test_a_signal_ends_a_command_at_once(
    keep: Keep, command: tuple[str, ...], end: signal.Signals, code: int, says: str
) -> None:
    with Sandbox(seed=7) as exchange:
        alice = exchange.open_account("alice", margin=True)
        # Its answer does not come during the test.
        slow = exchange.faults.delay(600, endpoint="/sapi/v1/account/info", times=None)
        process = start(*command, "--accounts", str(keep(alice)), "--base-url", exchange.url)
        while not slow.hits:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(end)
        told, errors = process.communicate(timeout=30)

    assert process.returncode == code
    assert complaints(errors) == f"binance-dust: {says}\n"
    assert "Traceback" not in told


def test_a_second_ctrl_c_names_the_calls_without_an_answer(keep: Keep, tmp_path: Path) -> None:
    with Sandbox(seed=7) as exchange:
        alice = exchange.open_account("alice", ADA="6.21")
        slow = exchange.faults.delay(600, endpoint="/sapi/v1/asset/dust")
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [
                *(sys.executable, "-m", "binance_dust", "convert", "--yes"),
                *("--accounts", str(keep(alice)), "--base-url", exchange.url),
                *("--ledger", str(tmp_path / "dust.db")),
            ],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not slow.hits:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        # The first one waits for the calls that were sent, the second one does not.
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)

    assert process.returncode == 130
    assert complaints(errors).splitlines() == [
        "binance-dust: ending: calls that have begun are finished, and nothing new begins",
        "binance-dust: stopped after 0 of 1 account",
        f"binance-dust: 1 call without an answer; {RECOVER_HINT}",
        "binance-dust: interrupted",
    ]


def test_ctrl_c_during_imports_prints_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load", interrupted)

    assert cli.main(["endpoints"]) == 130
    assert capsys.readouterr().err == "binance-dust: interrupted\n"


@pytest.mark.parametrize(
    "line",
    [
        "endpoints | true",
        "scan --sandbox --json | true",
        "doctor --sandbox | head -n 1",
    ],
)
def test_a_closed_pipe_is_not_a_failure(line: str) -> None:
    assert code_before_a_pipe(line) == "0"


@pytest.mark.parametrize("command", ["convert", "sweep"])
def test_what_moves_funds_goes_on_when_its_reader_has_gone(
    command: str, keep: Keep, tmp_path: Path
) -> None:
    """And it gives its own exit code: one answer is lost for good."""
    with Sandbox(seed=7) as exchange:
        file = keep(*(exchange.open_account(f"a{n}", ADA="6.21") for n in range(12)))
        exchange.faults.fail(401, code=-2015, account="a11", times=None)
        options = f"--accounts {file} --base-url {exchange.url} --ledger {tmp_path}/dust.db"

        code = code_before_a_pipe(f"{command} --yes --json {options} | head -n 1")

        assert len(exchange.conversions) == 11
        assert code == "1"


def code_before_a_pipe(line: str) -> str:
    done = subprocess.run(  # noqa: S602 - a pipe needs a shell
        f"{sys.executable} -m binance_dust {line}; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert re.sub(r"binance-dust: 5 accounts to scan; .*\n", "", complaints(done.stderr)) == ""
    return done.stdout.splitlines()[-1]
