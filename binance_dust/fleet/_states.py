"""Workers and accounts as the fleet knows them, and which worker is sick: without I/O.

A call that fails because of the worker (its address, its clock, its copy of a key) says nothing
about the account. So the account is tried on another worker, and that shows whose fault it was. If
it succeeds there, it was the first worker's. If a worker that is well fails too, or if there is no
other, it is the account's.

A worker with several failures that wait for this verdict gets no new accounts. A sick worker fails
fast, has room at once, and would otherwise get most of them. If it is found guilty again and again
it is put aside: it gets nothing while another worker can do it. After a while it gets one account,
to show whether it is well again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from binance_dust.errors import (
    BannedError,
    BudgetExceededError,
    ClockError,
    ConfigurationError,
    CredentialsError,
    NoAnswerError,
    NotSentError,
    RateLimitedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from binance_dust.errors import DustError
    from binance_dust.fleet._messages import WorkerStatus

__all__ = ["AccountState", "Health", "WorkerState", "first_of_worker"]

_OF_WORKERS: Final = (
    *(BannedError, RateLimitedError, BudgetExceededError),  # its address
    *(NotSentError, NoAnswerError),  # its network
    *(ClockError, CredentialsError, ConfigurationError),  # its clock, copies of keys, and settings
)
"""Errors that another worker may not meet."""
_MOST: Final = 3
"""A worker is doubted after so many failures of its own without a success between them."""
_PAUSE: Final = 60.0
"""Seconds until a worker that is put aside gets one account again; twice as long each time."""
_LONGEST_PAUSE: Final = 3600.0


def first_of_worker(errors: Iterable[DustError]) -> DustError | None:
    """Give the first error that may be the worker's and not the account's."""
    return next((error for error in errors if isinstance(error, _OF_WORKERS)), None)


@dataclass(slots=True)
class Health:
    """How a worker has done so far."""

    failed: int = 0
    """Accounts that failed here, and not on another worker."""
    why: str | None = None
    """The last error that may have been its own."""
    open: int = 0
    """Failures whose fault is not known yet."""
    guilty: int = 0
    """Failures of its own since its last success."""
    successes: int = 0
    _failed_at: float = 0.0
    _pause: float = 0.0
    """Since its last failure; above 0 if it is put aside."""

    @property
    def well(self) -> bool:
        """Whether a failure of this worker says something about the account."""
        return self.successes > 0 and not self.guilty

    @property
    def doubted(self) -> bool:
        """Whether it gets no new accounts for now, if another worker can do them."""
        return self.aside or self.open + self.guilty >= _MOST

    @property
    def aside(self) -> bool:
        """Whether it is put aside; also while it shows that it is well again."""
        return self._pause > 0

    def may_show(self, now: float) -> bool:
        """Whether it is put aside, and it is time to give it one account."""
        return self.aside and now >= self._failed_at + self._pause

    def succeeds(self) -> None:
        """Count a success: it is well, and no longer put aside."""
        self.successes += 1
        self.guilty, self._pause = 0, 0.0

    def fails(self, error: DustError, now: float) -> None:
        """Count a failure that may be its own."""
        self.why = f"{type(error).__name__}: {error}"
        self.open += 1
        if self.may_show(now):
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._failed_at = now

    def is_judged(self, *, guilty: bool) -> None:
        """Take the verdict on an open failure; found guilty often enough, it is put aside."""
        self.open -= 1
        if not guilty:
            return
        self.failed += 1
        self.guilty += 1
        if self.guilty >= _MOST and not self.aside:
            self._pause = _PAUSE


@dataclass(slots=True)
class WorkerState:
    """A worker as the fleet knows it."""

    status: WorkerStatus
    accounts: frozenset[str]
    heard_at: float
    in_hand: set[int] = field(default_factory=set)
    done: int = 0
    health: Health = field(default_factory=Health)


@dataclass(slots=True)
class AccountState:
    name: str
    worker: str | None = None
    """The worker that has it in hand."""
    handed_at: float = 0.0
    missing: int = 0
    """Answers in a row that did not name it."""
    tries: int = 0
    ended: bool = False
    no_worker_since: float | None = None
    """Since when no worker is there that could do it."""
    since: float | None = None
    """When it was handed out first, by the exchange's time."""
    ledger: str | None = None
    """The ledger of the worker that it was handed out to first."""
    failed_at: list[str] = field(default_factory=list)
    """Workers at which it failed, perhaps because of them."""
