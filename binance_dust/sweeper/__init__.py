"""The regular clean-up: `sweep` converts the dust of many accounts, now or on a schedule.

_sweep.py   many accounts, once or for ever; when an account's next turn is
_turn.py    one account's turn: settle, quote, convert
_order.py   which accounts have their turn first
_report.py  how a turn ended
"""

from __future__ import annotations

from binance_dust.sweeper._report import Outcome, SweepReport
from binance_dust.sweeper._sweep import AccountRules, Sweep, SweepRules, sweep

__all__ = ["AccountRules", "Outcome", "Sweep", "SweepReport", "SweepRules", "sweep"]
