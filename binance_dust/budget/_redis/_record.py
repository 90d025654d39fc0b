"""What this process has spent of a shared pool, remembered for a window: should Redis forget it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.budget._ledger import Ledger
from binance_dust.budget._names import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from binance_dust.budget._protocol import Charge

_SWEEP: Final = 2


def spent_in(ledger: Ledger, now: float, since: float) -> tuple[list[float], int]:
    """Give ages and weights of what was answered since a moment, flat, and the rest that counts."""
    rest = ledger.spent(now)
    rows: list[float] = []
    for slot in ledger.answered_slots():
        rest -= slot.weight
        if slot.last >= since:
            rows += [now - slot.earliest, now - slot.last, slot.weight]
    return rows, rest


class Record:
    """Own spending in one pool."""

    __slots__ = ("charge", "flying", "ledger")

    def __init__(self, charge: Charge, window: float) -> None:
        """Begin with nothing spent."""
        self.charge = charge
        self.ledger = Ledger(window)
        self.flying = 0
        """Weight that is on its way."""


class Records:
    """Own spending in all pools; what was not used for a window goes by itself."""

    __slots__ = ("_all", "_window")

    def __init__(self, window: float) -> None:
        """Begin with nothing spent."""
        self._window = window
        self._all: dict[str, Record] = {}

    def of(self, charge: Charge, now: float) -> Record:
        """Find the record of a charge's pool."""
        key = key_of(charge)
        record = self._all.get(key)
        if record is None:
            self._sweep(now)
            record = self._all[key] = Record(charge, self._window)
        return record

    def _sweep(self, now: float) -> None:
        """Look at the oldest few: they go faster than new ones come."""
        for _ in range(min(_SWEEP, len(self._all))):
            key = next(iter(self._all))
            record = self._all.pop(key)
            if record.ledger.spent(now):
                self._all[key] = record

    def __iter__(self) -> Iterator[Record]:
        return iter(self._all.values())
