"""Progress on stderr while a command runs: drawn on a terminal, a line now and then in a pipe.

stdout holds results only. The progress is read in the event loop's own thread, between two reports.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rich.console import Group
from rich.live import Live

from binance_dust._util.words import count, duration
from binance_dust.cli._output import escape, make_console
from binance_dust.cli._problems import Problems, describe
from binance_dust.cli._streams import MessageLevel, print_stderr, shows_only_progress
from binance_dust.cli._tables import TerminalTable, figure, figures, prose, text
from binance_dust.events import (
    Banned,
    Event,
    Refused,
    Retried,
    SharedBudgetBack,
    SharedBudgetLost,
    Waited,
)
from binance_dust.scanner import Question

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from rich.console import RenderableType

    from binance_dust.budget import PoolSnapshot
    from binance_dust.fleet import FleetProgress, FleetStream, WorkerProgress
    from binance_dust.scanner import LaneProgress, Scan, ScanProgress
    from binance_dust.session import Session

    Sessions: TypeAlias = Mapping[Session, str | None]
    """The sessions of a scan in its order, each with its local address."""

_DRAW_SECONDS: Final = 0.25
_LINE_SECONDS: Final = 15.0
_BAR_WIDTH: Final = 24

_TITLES: Final = {
    Question.ASSETS: "assets",
    Question.QUOTE: "quotes",
    Question.MARGIN_ENABLED: "margin?",
    Question.MARGIN_DEBT: "any debt?",
    Question.LIST: "list of debts",
}

_COUNTED: Final[dict[type[Event], str]] = {
    Refused: "refused",
    Banned: "bans",
    Retried: "sent again",
    SharedBudgetLost: "times without Redis",
    SharedBudgetBack: "times with it again",
}


class EventCounter:
    """An observer that counts events, and keeps the last problem."""

    def __init__(self, *, print_problems: bool) -> None:
        """Begin at zero; `print_problems` also prints each problem, where nothing is drawn."""
        self.counts: Counter[str] = Counter()
        self.longest_wait = 0.0
        self.last_problem = ""
        self._problems = Problems() if print_problems else None

    def __call__(self, event: Event, /) -> None:
        """Count an event."""
        if isinstance(event, Waited):
            self.counts["waits"] += 1
            self.longest_wait = max(self.longest_wait, event.seconds)
        if self._problems is not None:
            self._problems(event)
        text, what = describe(event), _COUNTED.get(type(event))
        if text is not None and what is not None:
            self.counts[what] += 1
            self.last_problem = text

    def end(self) -> None:
        """Say how often problems came since they were said."""
        if self._problems is not None:
            self._problems.end()

    def __str__(self) -> str:
        parts = [f"{count:,} {what}" for what, count in self.counts.items()]
        if self.longest_wait:
            parts.append(f"longest wait {duration(self.longest_wait)}")
        return ", ".join(parts) or "no waits"


# --- drawn or printed ----------------------------------------------------------------------------


def can_draw() -> bool:
    """Whether stderr is a terminal, and shows nothing else."""
    return sys.stderr.isatty() and shows_only_progress()


class Drawing:
    """Progress that is drawn again and again, or printed as lines; it disappears at the end."""

    def __init__(
        self, draw: Callable[[], Sequence[RenderableType]], line: Callable[[], str]
    ) -> None:
        """Take what draws, for a terminal, and what says it in a line, for a pipe.

        An empty line is not printed: there is nothing to say now.
        """
        self._draw = draw
        self._line = line
        self._live: Live | None = None

    def clear(self) -> None:
        """Take it away until the next time it is drawn, so that something can be printed."""
        if self._live is not None:
            self._live.stop()

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show it until the end."""
        task = asyncio.create_task(self._show())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _show(self) -> None:
        # The work goes on when the terminal, or the reader of the pipe, goes away.
        with suppress(OSError):
            await (self._draw_again_and_again() if can_draw() else self._print_lines())

    async def _draw_again_and_again(self) -> None:
        live = Live(console=make_console(stderr=True), auto_refresh=False, transient=True)
        self._live = live
        try:
            while True:
                live.start()
                live.update(Group(*self._draw()), refresh=True)
                await asyncio.sleep(_DRAW_SECONDS)
        finally:
            live.stop()

    async def _print_lines(self) -> None:
        while True:
            await asyncio.sleep(_LINE_SECONDS)
            if line := self._line():
                print_stderr(line, MessageLevel.INFO)


def progress_line(progress: ScanProgress | FleetProgress, *more: str) -> str:
    """Say in one line how far the work is."""
    done, total = progress.done, progress.total
    accounts = count(done, "account") if total is None else f"{done:,} of {count(total, 'account')}"
    parts = [accounts, f"{progress.failed:,} failed", *more]
    parts.append(f"{duration(progress.elapsed)} gone")
    if progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    return ", ".join(parts)


# --- a scan by this process ----------------------------------------------------------------------


def show_scan(
    scan: Scan, events: EventCounter, sessions: Sessions
) -> AbstractAsyncContextManager[None]:
    """Show the progress of a scan."""
    return Drawing(
        lambda: draw_scan(scan.progress, events, sessions),
        lambda: f"{progress_line(scan.progress)}; {events}",
    ).shown()


def draw_scan(
    progress: ScanProgress, events: EventCounter, sessions: Sessions
) -> list[RenderableType]:
    """Draw a scan as it is now."""
    parts: list[RenderableType] = [
        f"{_bar(progress)}  {progress_line(progress)}",
        _lane_table(progress.lanes, sessions),
        f"[dim]{events}[/]",
    ]
    shut = max((session.budget.snapshot().shut_for for session in sessions), default=0.0)
    if shut:
        parts.append(f"[bold red]shut out for {duration(shut)}[/]")
    if events.last_problem:
        parts.append(f"[yellow]{escape(events.last_problem)}[/]")
    return parts


def _bar(progress: ScanProgress | FleetProgress) -> str:
    done = _BAR_WIDTH * progress.done // max(progress.total or 1, progress.done, 1)
    return f"[magenta]{'━' * done}[/][dim]{'━' * (_BAR_WIDTH - done)}[/]"


def _lane_table(lanes: Sequence[LaneProgress], sessions: Sessions) -> TerminalTable:
    several = len(sessions) > 1
    table = TerminalTable(
        *((text("address", 0),) if several else ()),
        text("asked for", 0),
        *figures("answered", "expected"),
        text("budget used", 2),
        figure("waiting", 3),
        text("last in"),
        text("", 0),
    )
    by_session = [(address or "any", _pools(session)) for session, address in sessions.items()]
    for lane in lanes:
        if lane.expected:
            address, pools = by_session[lane.session]
            cells = _lane_cells(lane, pools.get(lane.question))
            table.add_row(*((address,) if several else ()), *cells)
    return table


def _lane_cells(lane: LaneProgress, pool: PoolSnapshot | None) -> tuple[str, ...]:
    state = ""
    if pool is not None and pool.shut_for:
        state = f"[bold red]refused: shut for {duration(pool.shut_for)}[/]"
    elif pool is not None and pool.others:
        state = f"others spend {pool.others:,}"
    return (
        _TITLES[lane.question],
        f"{lane.answered:,}",
        f"{lane.expected:,}",
        f"{pool.used:,} of {pool.limit:,}" if pool else "",
        f"{pool.waiting:,}" if pool and pool.waiting else "",
        duration(lane.seconds_left) if lane.seconds_left else "",
        state,
    )


def _pools(session: Session) -> dict[Question, PoolSnapshot]:
    """Find the pool of each question, if the address has one."""
    from binance_dust import endpoints

    by_name = {pool.name: pool for pool in session.budget.snapshot().pools if pool.account is None}
    titles = {question: endpoints.ALL[question].title for question in Question}
    return {question: by_name[title] for question, title in titles.items() if title in by_name}


# --- a scan by a fleet ---------------------------------------------------------------------------


def show_fleet(scan: FleetStream[Any]) -> AbstractAsyncContextManager[None]:
    """Show the progress of a fleet's scan or sweep."""
    return Drawing(lambda: _draw_fleet(scan.progress), lambda: _fleet_line(scan.progress)).shown()


def _draw_fleet(progress: FleetProgress) -> list[RenderableType]:
    table = TerminalTable(
        text("worker", 0), *figures("done", "in hand"), text("last in"), prose("")
    )
    for worker in progress.workers:
        table.add_row(
            escape(worker.name),
            f"{worker.done:,}",
            f"{worker.in_hand:,}",
            duration(worker.seconds_left) if worker.seconds_left else "",
            _worker_state(worker),
        )
    return [_fleet_line(progress), table]


def _fleet_line(progress: FleetProgress) -> str:
    here = sum(worker.here for worker in progress.workers)
    return progress_line(progress, count(here, "worker"))


def _worker_state(worker: WorkerProgress) -> str:
    if not worker.here:
        return "[yellow]gone[/]"
    return f"[bold red]put aside: {escape(worker.why or '')}[/]" if worker.aside else ""
