"""Draws the pictures of README and docs from the real demo: `python docs/pictures.py`.

The terminal becomes an SVG that loads nothing from elsewhere. Chromium shows the report.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from binance_dust import Ledger, Session, scan
from binance_dust.reports import write_page
from binance_dust.sandbox import Sandbox

PICTURES: Final = Path(__file__).parent / "pictures"
TERMINAL: Final = PICTURES / "terminal.svg"
COLUMNS: Final = 100
DEMO: Final = ("demo", "--accounts", "6", "--seed", "26", "--html", "report.html")
DESK: Final = 60
NOW: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
YEARS: Final = timedelta(days=600)
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
WINDOW: Final = "1280,815"

DARK: Final = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [
        (72, 79, 88),
        (255, 123, 114),
        (86, 211, 100),
        (227, 179, 65),
        (121, 192, 255),
        (210, 168, 255),
        (118, 227, 234),
        (230, 237, 243),
    ],
)


def printed(*arguments: str, folder: Path) -> str:
    """Return what a command prints to a terminal, with its colours."""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "binance_dust", *arguments],
        cwd=folder,
        env=os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def drawn(text: str, title: str) -> str:
    """Draw what a terminal shows. The frame of rich loads a font from a server; ours does not."""
    before, _, rest = CONSOLE_SVG_FORMAT.partition("@font-face")
    frame = before + rest[rest.index(".{unique_id}-matrix") :]
    frame = frame.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere)
        console.print(Text.from_ansi(text))
    return console.export_svg(
        title=title, theme=DARK, code_format=frame, font_aspect_ratio=0.61, unique_id="terminal"
    )


async def write_report(page: Path) -> None:
    """Write the page of a desk with two years of conversions and one broken key."""
    drawing = random.Random(7)  # noqa: S311 - a picture, not a key
    async with (
        Sandbox(seed=7, clock=NOW.timestamp) as exchange,
        Session(base_url=exchange.url) as session,
        Ledger(page.with_suffix(".db")) as ledger,
    ):
        clients = [session.client(account) for account in exchange.open_accounts(DESK)]
        for client in clients:
            times = [NOW - YEARS * drawing.random() for _ in range(drawing.randrange(8))]
            exchange.make_history(client.name, sorted(times))
            await ledger.sync(client)
        exchange.faults.fail(401, account=clients[7].name, times=100)
        reports = [report async for report in scan(clients)]
        entries = [entry async for entry in ledger.entries()]
    write_page(page, reports, entries=entries, made_at=NOW, title="Dust of a desk")


def photograph(page: Path, target: Path, *, dark: bool) -> None:
    """Take a picture of a page in a browser."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit("no Chromium here: apt-get install chromium")
    dark_mode = ("--blink-settings=preferredColorScheme=0",) if dark else ()
    arguments = ("--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WINDOW}")
    subprocess.run(  # noqa: S603 - a browser from the path, with our arguments
        [browser, *arguments, *dark_mode, f"--screenshot={target}", page.as_uri()],
        check=True,
        capture_output=True,
    )


def draw(*, only_terminal: bool) -> None:
    """Draw all pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        TERMINAL.write_text(drawn(printed(*DEMO, folder=folder), "binance-dust demo"))
        if only_terminal:
            return
        asyncio.run(write_report(folder / "report.html"))
        photograph(folder / "report.html", PICTURES / "report.png", dark=False)
        photograph(folder / "report.html", PICTURES / "report-dark.png", dark=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terminal", action="store_true", help="draw the terminal only")
    draw(only_terminal=parser.parse_args().terminal)
