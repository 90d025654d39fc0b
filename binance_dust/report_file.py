"""Moved: `ReportFile` and `read_reports` are in `binance_dust.reports` now."""

from __future__ import annotations

import warnings

from binance_dust.reports import ReportFile, read_reports

__all__ = ["ReportFile", "read_reports"]

warnings.warn(
    "binance_dust.report_file is binance_dust.reports now, and goes with 0.3",
    DeprecationWarning,
    stacklevel=2,
)
