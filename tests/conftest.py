"""What all tests share."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from importlib.metadata import packages_distributions
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
LONGEST = 104 - len("/dust-12345678/org.chromium.Chromium.123456/SingletonSocket") - 1
"""Characters of a folder that leave room for a socket below it; macOS allows the fewest, 104."""

OURS = {"binance_dust", "tests", "docs", "bot", "conftest"}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep all that a run leaves in one folder: its processes, Redis and browser obey `TMPDIR`.

    The name is short, because paths of sockets have to be.
    """
    for line in warnings_of_dependencies():
        config.addinivalue_line("filterwarnings", line)
    if hasattr(config, "workerinput"):
        return  # workers have it from the process that started them
    config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="dust-", dir=short_folder()))
    os.environ["TMPDIR"] = tempfile.tempdir = str(config.stash[FOLDER])


def short_folder() -> str | None:
    """Give the folder for a run's own folder; `None` is where `TMPDIR` says.

    nox and macOS name folders at such length that Chromium's socket does not fit below them.
    """
    return "/tmp" if os.name == "posix" and len(tempfile.gettempdir()) > LONGEST else None  # noqa: S108


def warnings_of_dependencies() -> list[str]:
    """Give filters that show, and do not fail for, deprecation warnings inside a dependency.

    A newer Python may bring such warnings, and the lock holds the dependency as it is. Warnings in
    our own code are errors. `nox -s latest` says `-W error`, which comes after these filters.
    """
    names = sorted({re.escape(name) for name in packages_distributions()} - OURS)
    module = rf"({'|'.join(names)})(\.|$)"
    return [
        *(
            f"default::{category}:{module}"
            for category in ("DeprecationWarning", "PendingDeprecationWarning")
        ),
        # uvloop 0.22, which ccxt pins. It is compiled, so its caller seems to be at fault.
        "default:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning",
    ]


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
