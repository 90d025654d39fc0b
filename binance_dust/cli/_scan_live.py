"""What a scan looks like while it goes, and what has happened to it so far."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table

from binance_dust._util.words import duration
from binance_dust.cli._console import complain, shown
from binance_dust.cli._events import in_words
from binance_dust.cli._live import headline, shown_live
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
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from rich.console import RenderableType

    from binance_dust.budget import PoolSnapshot
    from binance_dust.scanner import LaneProgress, Scan, ScanProgress
    from binance_dust.session import Session

    Sessions: TypeAlias = Mapping[Session, str | None]
    """Those of a scan in its order, each with the local address that it goes out by."""

_BAR: Final = 24

_WORDS: Final = {
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


class Watch:
    """An observer that counts what happens, and keeps the last thing that went wrong."""

    def __init__(self, *, aloud: bool) -> None:
        """Count; `aloud` tells of what goes wrong as well, where nothing is drawn."""
        self.counts: Counter[str] = Counter()
        self.waited = 0.0
        self.last = ""
        self._aloud = aloud

    def __call__(self, event: Event, /) -> None:
        """Take note of an event."""
        if isinstance(event, Waited):
            self.counts["waits"] += 1
            self.waited = max(self.waited, event.seconds)
        text = in_words(event)
        if text is None:
            return
        self.counts[_COUNTED[type(event)]] += 1
        self.last = text
        if self._aloud:
            complain(text)

    def __str__(self) -> str:
        told = [f"{count:,} {what}" for what, count in self.counts.items()]
        if self.waited:
            told.append(f"longest wait {duration(self.waited)}")
        return ", ".join(told) or "no waits"


def shown_scan(
    scan: Scan,
    watch: Watch,
    sessions: Sessions,
) -> AbstractAsyncContextManager[None]:
    """Show a scan while it goes."""
    return shown_live(
        lambda: draw(scan.progress, watch, sessions),
        lambda: f"{headline(scan.progress)}; {watch}",
    )


def draw(
    progress: ScanProgress,
    watch: Watch,
    sessions: Sessions,
) -> Group:
    """Draw a scan as it is now."""
    top = Table.grid(padding=(0, 2))
    top.add_row(
        ProgressBar(total=progress.total or 1, completed=progress.done, width=_BAR),
        headline(progress),
    )
    parts: list[RenderableType] = [
        top,
        _lanes(progress.lanes, sessions),
        f"[dim]{watch}[/]",
    ]
    shut = max((session.budget.snapshot().shut_for for session in sessions), default=0.0)
    if shut:
        parts.append(f"[bold red]shut out for {duration(shut)}[/]")
    if watch.last:
        parts.append(f"[yellow]{shown(watch.last)}[/]")
    return Group(*parts)


def _lanes(
    lanes: Sequence[LaneProgress],
    sessions: Sessions,
) -> Table:
    several = len(sessions) > 1
    table = Table(box=None, pad_edge=False, header_style="dim")
    titles = ("asked for", "answered", "expected", "budget used", "waiting", "last in", "")
    for title in (("address",) if several else ()) + titles:
        right = title not in ("address", "asked for", "")
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    of_session = [(address or "any", _pools(session)) for session, address in sessions.items()]
    for lane in lanes:
        if lane.expected:
            address, pools = of_session[lane.session]
            cells = _cells(lane, pools.get(lane.question))
            table.add_row(*((address,) if several else ()), *cells)
    return table


def _cells(lane: LaneProgress, pool: PoolSnapshot | None) -> tuple[str, ...]:
    state = ""
    if pool is not None and pool.shut_for:
        state = f"[bold red]refused: shut for {duration(pool.shut_for)}[/]"
    elif pool is not None and pool.others:
        state = f"others spend {pool.others:,}"
    return (
        _WORDS[lane.question],
        f"{lane.answered:,}",
        f"{lane.expected:,}",
        f"{pool.used:,} of {pool.limit:,}" if pool else "",
        f"{pool.waiting:,}" if pool and pool.waiting else "",
        duration(lane.seconds_left) if lane.seconds_left else "",
        state,
    )


def _pools(session: Session) -> dict[Question, PoolSnapshot]:
    """Find the budget of each question, where the address has one."""
    from binance_dust import endpoints

    by_name = {pool.name: pool for pool in session.budget.snapshot().pools if pool.account is None}
    titles = {question: endpoints.ALL[question].title for question in Question}
    return {question: by_name[title] for question, title in titles.items() if title in by_name}
