"""What a command that moves funds shows on stderr: progress, lost answers, a tally at the end.

A lost answer is said at once, with what is done now and how long that takes at most. A terminal
counts down; a pipe gets a line now and then.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from binance_dust._util.words import count, duration
from binance_dust.cli._problems import Problems
from binance_dust.cli._streams import MessageLevel, print_stderr
from binance_dust.events import Event, FundsCallEnded, OutcomeAwaited, OutcomeRead

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from binance_dust.cli._progress import Drawing
    from binance_dust.sweeper import SweepReport

__all__ = ["MoveWatch"]

_PACE: Final = 3
"""Accounts from which on the time left is guessed by the pace."""
_NAMED: Final = 3
"""Lost answers that are shown one by one; the rest is counted."""


@dataclass(frozen=True, slots=True)
class _AwaitedEntry:
    """How one call ended is being read. Times are those of the clock."""

    account: str
    known_at: float
    given_up_at: float

    def line(self, entry: int, now: float) -> str:
        left, at_most = self.known_at - now, self.given_up_at - now
        when = f"known in {duration(left)}" if left > 0 else f"{duration(max(at_most, 0))} at most"
        return f"{self.account}: reading how entry {entry} ended, {when}"


class MoveWatch:
    """An observer, which also takes the reports. It is shown while a command runs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin at zero."""
        self._clock = clock
        self._began = clock()
        self._problems = Problems(self._say, clock)
        self._total = 0
        self._done: set[str] = set()
        self._outcomes: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._reading: dict[int, _AwaitedEntry] = {}
        self._drawing: Drawing | None = None

    def __call__(self, event: Event, /) -> None:
        """Take an event of a session."""
        match event:
            case FundsCallEnded(account=account, outcome=outcome, entry_id=entry):
                self._calls[outcome] += 1
                if outcome == "unknown":
                    self._say(
                        f"{account}: no answer to the call of entry {entry}: funds may have moved."
                        " It is not sent again; reading finds out how it ended"
                    )
            case OutcomeAwaited(account, entry, _, seconds, at_most):
                now = self._clock()
                new = entry not in self._reading
                self._reading[entry] = _AwaitedEntry(account, now + seconds, now + at_most)
                if new:
                    left = f"known in {duration(seconds)} as a rule, " if seconds else ""
                    self._say(
                        f"{account}: reading how entry {entry} ended, nothing is sent again:"
                        f" {left}in {duration(at_most)} at most"
                    )
            case OutcomeRead(account, entry, outcome):
                self._reading.pop(entry, None)
                self._say(f"{account}: entry {entry} is {outcome}", MessageLevel.INFO)
            case _:
                pass
        self._problems(event)

    def take(self, report: SweepReport) -> None:
        """Take the report of an account's turn."""
        self._outcomes[report.outcome] += 1
        self.done(report.account)

    def done(self, account: str) -> None:
        """Note that an account is done, and make room for what is printed about it."""
        self._done.add(account)
        self.clear()

    def clear(self) -> None:
        """Take the drawing away until its next turn: something is printed now."""
        if self._drawing is not None:
            self._drawing.clear()

    def _say(self, text: str, level: MessageLevel = MessageLevel.WARNING) -> None:
        self.clear()
        print_stderr(text, level)

    # --- what is shown ---------------------------------------------------------------------------

    @asynccontextmanager
    async def shown(self, total: int, *, for_ever: bool = False) -> AsyncIterator[None]:
        """Show the progress of this many accounts, and a tally if it is ended early.

        What goes on `for_ever` has no progress in a pipe: a line now and then would fill a log.
        """
        from binance_dust.cli._progress import Drawing

        self._total, self._began = total, self._clock()
        first = 1 if for_ever else 0
        self._drawing = Drawing(self._lines, lambda: "; ".join(self._lines()[first:]))
        try:
            async with self._drawing.shown():
                yield
        except asyncio.CancelledError:
            self._say(f"stopped after {self._so_far()}{self._calls_so_far()}")
            raise
        finally:
            self._problems.end()

    @asynccontextmanager
    async def finishing(self) -> AsyncIterator[None]:
        """Say, if it is ended early, that what has begun is finished first."""
        try:
            yield
        except asyncio.CancelledError:
            self._say("ending: calls that have begun are finished, and nothing new begins")
            raise

    def _lines(self) -> list[str]:
        now = self._clock()
        gone = now - self._began
        done, left = len(self._done), self._total - len(self._done)
        parts = [self._so_far(), f"{duration(gone)} gone"]
        if done >= _PACE and left > 0 and not self._reading:
            parts.append(f"{duration(gone / done * left)} left at this pace")
        reading = [each.line(entry, now) for entry, each in self._reading.items()]
        if (rest := len(reading) - _NAMED) > 0:
            reading[_NAMED:] = [f"and {count(rest, 'more call')}"]
        return [", ".join(parts), *reading]

    def _so_far(self) -> str:
        outcomes = [f"{times:,} {outcome}" for outcome, times in self._outcomes.most_common()]
        done = min(len(self._done), self._total)
        return ", ".join([f"{done:,} of {count(self._total, 'account')}", *outcomes])

    def _calls_so_far(self) -> str:
        # Of calls that have no end yet the ledger knows, and tells.
        if not self._calls:
            return ""
        ended = ", ".join(f"{times:,} {outcome}" for outcome, times in self._calls.items())
        return f"; of the calls that move funds {ended}"
