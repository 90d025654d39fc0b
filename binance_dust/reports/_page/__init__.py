"""A report to look at: one self-contained HTML page of accounts, dust, debts and what came in."""

from __future__ import annotations

from binance_dust.reports._page._document import page
from binance_dust.reports._page._write import write_page

__all__ = ["page", "write_page"]
