"""Many accounts at once: `scan` reads them, `estimate_scan` says beforehand how long that takes.

_scan.py        accounts come in, reports go out
_visit.py       what one account is asked, and in which order
_desk.py        what is asked of one session, and how much more will be
_progress.py    how far it is, and the time left
"""

from __future__ import annotations

from binance_dust.scanner._desk import Question
from binance_dust.scanner._progress import (
    LaneEstimate,
    LaneProgress,
    ScanEstimate,
    ScanProgress,
    estimate_scan,
)
from binance_dust.scanner._scan import Scan, scan

__all__ = [
    "LaneEstimate",
    "LaneProgress",
    "Question",
    "Scan",
    "ScanEstimate",
    "ScanProgress",
    "estimate_scan",
    "scan",
]
