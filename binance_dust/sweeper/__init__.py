"""The regular clean-up: `sweep` converts the dust of many accounts, now or on a schedule.

_sweep.py   many accounts, once or for ever; when an account's next turn is
_turn.py    one account's turn: settle, quote, convert
_order.py   which accounts have their turn first
_report.py  how a turn ended
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

from binance_dust.sweeper._report import Outcome, SweepReport
from binance_dust.sweeper._sweep import AccountRules, Sweep, SweepRules, sweep

if TYPE_CHECKING:
    Rules: TypeAlias = SweepRules

__all__ = ["AccountRules", "Outcome", "Sweep", "SweepReport", "SweepRules", "sweep"]


if not TYPE_CHECKING:  # or a misspelt name would pass every type checker

    def __getattr__(name: str) -> Any:
        if name == "Rules":
            text = "binance_dust.sweeper.Rules is SweepRules now, and goes with 0.3"
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            return SweepRules
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
