"""Many accounts at once: `scan` reads them, `estimate_scan` says beforehand how long that takes.

_scan.py        accounts come in, reports go out
_account.py     what one account is asked, and in which order
_lanes.py       how often a session is asked each question, and how long that will take
"""

from __future__ import annotations

from binance_dust.scanner._lanes import (
    LaneEstimate,
    LaneProgress,
    Question,
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
