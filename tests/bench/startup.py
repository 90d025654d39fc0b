"""What importing costs, in fresh interpreters, taken in turns."""

from __future__ import annotations

import subprocess
import sys
import time

IMPORTS = {
    "nothing": "pass",
    "aiohttp": "import aiohttp",
    "binance_dust": "from binance_dust import Session",
    "binance_dust and its sandbox": (
        "from binance_dust import Session; from binance_dust.sandbox import Sandbox"
    ),
    "command line, for --help": "from binance_dust.cli import make_parser; make_parser({})",
    "command line, for a scan": "from binance_dust.cli import load; load('scan')",
    "python-binance": "import binance",
    "ccxt": "import ccxt.async_support",
    "official SDK (wallet)": "import binance_sdk_wallet.wallet",
}
ROUNDS = 7


def run() -> None:
    """Measure and print."""
    best = dict.fromkeys(IMPORTS, float("inf"))
    for _ in range(ROUNDS):
        for name, code in IMPORTS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
            best[name] = min(best[name], time.perf_counter() - began)
    print("\nImport, ms above an empty interpreter")
    for name, seconds in best.items():
        if name != "nothing":
            print(f"{name:34}{(seconds - best['nothing']) * 1e3:14.0f}")
