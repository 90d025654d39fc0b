"""The right to send one call, given by `LocalBudget`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from binance_dust.budget import _errors
from binance_dust.budget._count import AdmittedCall, PoolCall

if TYPE_CHECKING:
    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._pool import Pool


class Owner(Protocol):
    """The budget that gave an admission: it is told how the call ends."""

    def now(self) -> float:
        """Read the monotonic clock."""
        ...

    def stopped(self, call: LocalAdmission) -> bool:
        """Whether a refusal was heard since a call was admitted."""
        ...

    def settle(self, call: LocalAdmission, answer: Feedback, now: float) -> None:
        """Take the answer of the exchange."""
        ...

    def lose(self, call: LocalAdmission, now: float) -> None:
        """Record that a call gets no answer."""
        ...

    def give_back(self, call: LocalAdmission, now: float) -> None:
        """Record that a call never left."""
        ...


class LocalAdmission(PoolCall):
    """An admission of `LocalBudget`."""

    __slots__ = ("_budget", "_over")

    def __init__(
        self, budget: Owner, pool: Pool, weight: int, documented: int | None = None
    ) -> None:
        """Start when the call is admitted: from now on it counts."""
        AdmittedCall.__init__(self, weight, documented)
        self.pool = pool
        self._budget = budget
        self._over = False

    def sent(self, extra: int = 0) -> None:
        """Record that the call leaves now, or that the transport sent `extra` copies of it.

        Raises `NotSentError`, and gives the weight back, if a refusal was heard meanwhile.
        """
        if self._over:
            return
        if extra > 0:
            self.pool.count.add_copies(self, extra)
        elif self._budget.stopped(self):
            self.release()
            raise _errors.stopped(self.pool.name)
        else:
            self.pool.count.mark(self, self._budget.now())

    def settle(self, answer: Feedback) -> None:
        """End with the answer of the exchange."""
        if not self._over:
            self._over = True
            self._budget.settle(self, answer, self._budget.now())

    def unknown(self) -> None:
        """End without an answer to a call that was sent: it counts for a full window from now."""
        if not self._over:
            self._over = True
            self._budget.lose(self, self._budget.now())

    def release(self) -> None:
        """End a call that never left this machine: its weight goes back."""
        if not self._over:
            self._over = True
            self._budget.give_back(self, self._budget.now())

    def __repr__(self) -> str:
        state = "over" if self._over else "open"
        return f"<Admission {state}: {self.weight} of {self.pool.name}>"
