"""How often a fleet asks who is there, and for how long it waits for whom."""

from __future__ import annotations

from dataclasses import dataclass

from binance_dust._util.checks import positive
from binance_dust.errors import ConfigurationError

__all__ = ["Timing"]


@dataclass(frozen=True, slots=True)
class Timing:
    """How often a fleet asks who is there, and for how long it waits for whom."""

    pulse: float = 1.0
    """Seconds between two roll calls."""
    patience: float = 5.0
    """Seconds after which a worker that doesn't answer is lost."""
    gather: float = 2.0
    """Seconds for all who are there to answer, before the first order to move funds is handed out:
    workers with different ledgers of one account have to be noticed by then."""
    wait: float = 30.0
    """Seconds that are waited for somebody to come who can do what nobody can."""

    def __post_init__(self) -> None:
        """Refuse what can't work."""
        for name in ("pulse", "patience", "gather", "wait"):
            positive(getattr(self, name), name)
        if self.patience < 2 * self.pulse:
            raise ConfigurationError("patience must be at least two pulses: one may be missed")
