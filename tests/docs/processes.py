"""The examples as processes of their own, as their readers run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from binance_dust import Credentials

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"

unix = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to end a process by")


def environment(alice: Credentials | None = None) -> dict[str, str]:
    keys = {}
    if alice is not None:
        keys = {"BINANCE_API_KEY": alice.api_key, "BINANCE_API_SECRET": alice.secret.reveal()}
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{EXAMPLES}"}
    # As readers run them: what finds our own faults makes them slower.
    return os.environ | path | {"PYTHONDEVMODE": ""} | keys


@contextmanager
def running(
    *command: str | Path, cwd: Path, alice: Credentials | None = None, **more: str
) -> Iterator[subprocess.Popen[str]]:
    """Start a process, all of whose output is one stream; it is not left behind, nor for ever."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, *command],
        cwd=cwd,
        env=environment(alice) | {"PYTHONUNBUFFERED": "1"} | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Read what a process writes, up to and with the first line that has these words."""
    assert process.stdout is not None
    written = ""
    for line in process.stdout:
        written += line
        if words in line:
            return written
    pytest.fail(f"it never wrote {words!r}:\n{written}")


def end(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Ask a process to end, and give what it wrote until it had."""
    process.send_signal(number)
    written, _ = process.communicate(timeout=60)
    return written


def until(happened: Callable[[], bool]) -> None:
    """Wait for another process, and not for ever."""
    for _ in range(6000):
        if happened():
            return
        time.sleep(0.005)
    pytest.fail("the other process does nothing")
