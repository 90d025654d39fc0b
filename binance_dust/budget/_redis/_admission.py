"""The right to send one call, given by Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._protocol import Charge
    from binance_dust.budget._redis._flights import Flights


class RedisAdmission:
    """An admission of `RedisBudget`. How it ends is told without waiting."""

    __slots__ = ("_flights", "charge", "id", "over", "sent_at", "weight")

    def __init__(self, flights: Flights, name: str, charge: Charge, now: float) -> None:
        """Begin when it is heard to be granted."""
        self._flights = flights
        self.over = False
        self.id = name
        self.charge = charge
        self.weight = charge.weight
        """With that of copies."""
        self.sent_at = now

    def sent(self, extra: int = 0) -> None:
        """Say that the call leaves now, or that `extra` copies of it left unseen: they count.

        The moment itself is not passed on: it counts from when it was granted, which is earlier,
        and what its header proves is read in the light of that moment, which is safe.
        """
        if not self.over and extra > 0:
            self.weight += self.charge.weight * extra
            self._flights.copied(self, extra)

    def settle(self, answer: Feedback) -> None:
        """Say what the exchange answered."""
        if not self.over:
            self.over = True
            self._flights.settled(self, answer)

    def unknown(self) -> None:
        """Say that it was sent and nothing came back: it counts for a full window from now."""
        if not self.over:
            self.over = True
            self._flights.lost(self)

    def release(self) -> None:
        """Say that it never left this machine: its weight goes back."""
        if not self.over:
            self.over = True
            self._flights.released(self)

    def __repr__(self) -> str:
        state = "over" if self.over else "open"
        return f"<Admission {state}: {self.weight} of {self.charge.pool}, shared>"
