"""Moved: `page` and `write_page` are in `binance_dust.reports` now."""

from __future__ import annotations

import warnings

from binance_dust.reports import page, write_page

__all__ = ["page", "write_page"]

warnings.warn(
    "binance_dust.page is binance_dust.reports now, and goes with 0.3",
    DeprecationWarning,
    stacklevel=2,
)
