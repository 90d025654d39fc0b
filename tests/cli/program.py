"""Commands in processes of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start a command with its output in pipes."""
    pipe = subprocess.PIPE
    usual: dict[str, Any] = {"env": ENVIRONMENT, "stdout": pipe, "stderr": pipe}
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "binance_dust", *arguments], text=True, **(usual | options)
    )


def execute(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run lines of Python in an interpreter of their own."""
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code, *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def complaints(errors: str) -> str:
    """Leave out asyncio's notes on slow steps, which a busy machine makes in development mode."""
    return re.sub(r"(?m)^Executing <.*> took .* seconds\n", "", errors)
