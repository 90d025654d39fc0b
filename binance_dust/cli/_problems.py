"""Events in words, and problems said once: each cause is one line, and then it is counted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from binance_dust._util.words import count, duration
from binance_dust.cli._streams import MessageLevel, print_stderr, shown
from binance_dust.events import (
    Banned,
    Event,
    Refused,
    Retried,
    SharedBudgetBack,
    SharedBudgetLost,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust.events import Observer

__all__ = ["ExchangeOpened", "Problems", "describe", "details", "to_all"]

_AGAIN: Final = 15.0
"""Seconds until a cause that goes on is said again, with its count."""
_NAMED: Final = 3
"""Accounts that such a line names; the rest is counted."""


class ExchangeOpened(Event, frozen=True):
    """A command's own: which exchange the next events are about."""

    base_url: str


def to_all(*observers: Observer) -> Observer:
    """Give an observer that tells several, in their order."""

    def tell(event: Event, /) -> None:
        for each in observers:
            each(event)

    return tell


def describe(event: Event) -> str | None:
    """Describe an event that is a problem; `None` for all others."""
    match event:
        case Refused(pool=pool, seconds=seconds):
            return f"{pool}: refused for its weight (429), shut for {duration(seconds)}"
        case Banned(seconds=seconds):
            return f"this address is banned (418) for {duration(seconds)}"
        case Retried(account=account, reason=reason, pause=pause):
            # The reason begins with the name of the error's class.
            _, _, text = reason.partition(": ")
            subject = f"{account}: " if account and f"({account})" not in text else ""
            return f"{subject}{text}; again in {pause:.1f} s"
        case SharedBudgetLost(reason=reason):
            return f"Redis can't be asked ({reason}): reads go on within a share of the limits"
        case SharedBudgetBack(seconds=seconds):
            return f"Redis can be asked again, after {duration(seconds)}"
        case _:
            return None


def details(event: Event) -> str:
    """Write an event with all that it says."""
    values = msgspec.structs.asdict(event)
    told = (f"{name} {value}" for name, value in values.items() if value not in (None, ""))
    return f"{type(event).__name__}: {', '.join(told)}"


@dataclass(slots=True)
class _Cause:
    """How often one cause was met, by whom, and when it was said last."""

    text: str
    said_at: float
    times: int = 1
    said_times: int = 1
    accounts: dict[str, None] = field(default_factory=dict)

    def __str__(self) -> str:
        names = [*self.accounts]
        rest = len(names) - _NAMED
        whose = ", ".join(names[:_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")
        return f"{self.text}: {count(self.times, 'time')} by now{f' ({whose})' if whose else ''}"


class Problems:
    """The usual observer of a command's sessions: says problems on stderr."""

    def __init__(
        self,
        say: Callable[[str], object] = print_stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin without any; `say` prints a line."""
        self._say = say
        self._clock = clock
        self._host = "the exchange"
        self._causes: dict[tuple[str, str], _Cause] = {}

    def __call__(self, event: Event, /) -> None:
        """Say what is new about a problem."""
        match event:
            case ExchangeOpened(base_url=url):
                self._host = urlsplit(url).netloc or self._host
            case Retried(endpoint=endpoint, account=account, reason=reason):
                cause = _cause_of(reason, endpoint, account)
                asker = f"{account}: {endpoint}" if account else endpoint
                first = f"{self._host}: {cause} ({asker}); what is safe to ask again is asked again"
                self._note("retry", f"{self._host}: {cause}", first, account)
            case Refused(pool=pool):
                self._note("refused", f"{pool}: refused for its weight (429)", describe(event))
            case Banned():
                self._note("banned", "this address is banned (418)", describe(event))
            case SharedBudgetLost():
                self._note("redis", "Redis can't be asked", describe(event))
            case SharedBudgetBack():
                # The next loss is news again.
                self._causes.pop(("redis", "Redis can't be asked"), None)
                self._say(describe(event) or "")
            case _ if (text := describe(event)) is not None:
                self._say(text)
            case _ if shown(MessageLevel.DEBUG):
                print_stderr(details(event), MessageLevel.DEBUG)

    def end(self) -> None:
        """Say how often each cause was met since it was said."""
        for cause in self._causes.values():
            self._count(cause)
        self._causes.clear()

    def _note(self, kind: str, text: str, first: str | None, account: str | None = None) -> None:
        now = self._clock()
        cause = self._causes.get((kind, text))
        if cause is None:
            cause = self._causes[kind, text] = _Cause(text, now)
            self._say(first or text)
        else:
            cause.times += 1
        if account:
            cause.accounts[account] = None
        if now - cause.said_at >= _AGAIN:
            cause.said_at = now
            self._count(cause)

    def _count(self, cause: _Cause) -> None:
        if cause.times > cause.said_times:
            cause.said_times = cause.times
            self._say(str(cause))


def _cause_of(reason: str, endpoint: str, account: str | None) -> str:
    """Leave out which call met it, so that the calls of all accounts have one cause."""
    _, _, text = reason.partition(": ")
    text = text.removeprefix(endpoint)
    if account:
        text = text.replace(f" ({account})", "", 1)
    return text.removeprefix(":").strip() or reason
