"""The regular clean-up: `sweep` converts the dust of many accounts, now or on a schedule.

_report.py      what became of one account
_visit.py       one account: settle, quote, convert
_schedule.py    when an account's turn comes again
_sweep.py       many accounts, once or for ever
"""

from __future__ import annotations

from binance_dust.sweeper._report import Outcome, SweepReport
from binance_dust.sweeper._sweep import Rules, Sweep, sweep

__all__ = ["Outcome", "Rules", "Sweep", "SweepReport", "sweep"]
