"""What goes on, while it does: drawn again and again on a terminal, a line now and then in a pipe.

Progress goes to stderr, so that stdout holds results only. What is drawn is read in the event
loop's own thread, between two reports.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from rich.live import Live

from binance_dust._util.words import count, duration
from binance_dust.cli._console import complain
from binance_dust.cli._rich import PlainConsole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rich.console import RenderableType

    from binance_dust.fleet import FleetProgress
    from binance_dust.scanner import ScanProgress

_DRAWN_EVERY: Final = 0.25
_TOLD_EVERY: Final = 15.0
"""Seconds, where nobody watches but a log."""


def draws() -> bool:
    """Tell whether there is a terminal to draw on."""
    return sys.stderr.isatty()


@asynccontextmanager
async def shown_live(
    draw: Callable[[], RenderableType], tell: Callable[[], str]
) -> AsyncIterator[None]:
    """Show what goes on, as a drawing or in a line; the drawing is gone when it ends."""
    task = asyncio.create_task(_show(draw, tell))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def headline(progress: ScanProgress | FleetProgress, *more: str) -> str:
    """Say in one line how far it is."""
    done, total = progress.done, progress.total
    far = count(done, "account") if total is None else f"{done:,} of {count(total, 'account')}"
    told = [far, f"{progress.failed:,} failed", *more]
    told.append(f"{duration(progress.elapsed)} gone")
    if progress.seconds_left is not None:
        told.append(f"{duration(progress.seconds_left)} left")
    return ", ".join(told)


async def _show(draw: Callable[[], RenderableType], tell: Callable[[], str]) -> None:
    # A terminal, or a reader, that went away must not take the work along.
    with suppress(OSError):
        await (_draw(draw) if draws() else _tell(tell))


async def _draw(draw: Callable[[], RenderableType]) -> None:
    console = PlainConsole(stderr=True, highlight=False)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(draw(), refresh=True)
            await asyncio.sleep(_DRAWN_EVERY)


async def _tell(tell: Callable[[], str]) -> None:
    while True:
        await asyncio.sleep(_TOLD_EVERY)
        complain(tell())
