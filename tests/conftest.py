"""What all tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples in every run: a test that fails now and then would tell nothing.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", parent=settings.get_profile("steady"), max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

FOLDER = pytest.StashKey[Path]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep all that a run leaves in one folder: its processes, Redis and browser obey `TMPDIR`.

    The name is short, because paths of sockets have to be.
    """
    if hasattr(config, "workerinput"):
        return  # workers have it from the process that started them
    config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="dust-"))
    os.environ["TMPDIR"] = tempfile.tempdir = str(config.stash[FOLDER])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Keep what a failed run leaves, and say where it is."""
    if exitstatus == pytest.ExitCode.TESTS_FAILED:
        folder = config.stash[FOLDER]
        del config.stash[FOLDER]
        terminalreporter.write_line(f"what the tests wrote is kept in {folder}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    folder = config.stash.get(FOLDER, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
