"""The right to send one call, and the four ways in which it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._pool import Pool


class Desk(Protocol):
    """Who gave an admission, and hears of its end."""

    def now(self) -> float:
        """Read the monotonic clock."""
        ...

    def settled(self, admission: LocalAdmission, answer: Feedback) -> None:
        """Hear what the exchange answered."""
        ...

    def lost(self, admission: LocalAdmission) -> None:
        """Hear that no answer came."""
        ...

    def released(self, admission: LocalAdmission) -> None:
        """Hear that it never left."""
        ...


class LocalAdmission:
    """An admission of `LocalBudget`."""

    __slots__ = (
        "_desk",
        "_over",
        "alone",
        "answered_before",
        "cleared_before",
        "cut_before",
        "extra",
        "pool",
        "sent_at",
        "weight",
        "witness",
    )

    def __init__(self, desk: Desk, pool: Pool, weight: int, now: float) -> None:
        """Begin when it is granted: from here on it counts."""
        self._desk = desk
        self._over = False
        self.pool: Pool = pool
        self.weight: int = weight
        self.extra: int = 0
        """Weight of copies that left unseen."""
        self.mark(now)
        self.witness: bool = False
        """Whether it is the first after a cut of the clock."""
        self.alone: bool = False
        """Whether, besides, nothing was on its way around the cut."""

    def mark(self, now: float) -> None:
        """Remember what was known when it left: its header is to be read in that light."""
        count = self.pool.count
        self.sent_at: float = now
        self.answered_before: int = count.ledger.answered
        """Weight of the pool that had been answered: the header can't have missed it."""
        self.cleared_before: int = count.cleared
        """Weight that the exchange had forgotten for certain: the header can't show it."""
        self.cut_before: int = count.cut_at
        """All weight that had been taken at the last cut: tells whose window the header is of."""

    def sent(self, extra: int = 0) -> None:
        """Say that the call leaves now, or that `extra` copies of it left unseen: they count."""
        if self._over:
            return
        if extra > 0:
            self.extra += self.weight * extra
            self.pool.count.ledger.taken += self.weight * extra
        else:
            self.mark(self._desk.now())

    def settle(self, answer: Feedback) -> None:
        """Say what the exchange answered."""
        if not self._over:
            self._over = True
            self._desk.settled(self, answer)

    def unknown(self) -> None:
        """Say that it was sent and nothing came back: it counts for a full window from now."""
        if not self._over:
            self._over = True
            self._desk.lost(self)

    def release(self) -> None:
        """Say that it never left this machine: its weight goes back."""
        if not self._over:
            self._over = True
            self._desk.released(self)

    def __repr__(self) -> str:
        state = "over" if self._over else "open"
        return f"<Admission {state}: {self.weight} of {self.pool.name}>"
