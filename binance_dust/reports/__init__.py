"""Reports on accounts: as values, as lines, as files, as a page.

_account.py     what a scan finds out about one account
_lines.py       a report as a line of JSON or rows of CSV
_file.py        reports on disk, resumed after a crash
_price.py       the price of the target in another asset
_page/          one self-contained HTML page
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from binance_dust.reports._account import AccountReport, Settled

if TYPE_CHECKING:
    from binance_dust.reports._file import ReportFile, read_reports
    from binance_dust.reports._page import page, write_page
    from binance_dust.reports._price import TargetPrice, read_price

__all__ = [
    "AccountReport",
    "ReportFile",
    "Settled",
    "TargetPrice",
    "page",
    "read_price",
    "read_reports",
    "write_page",
]

# Files and pages are imported when first asked for: a scan needs neither.
_HOMES = {
    "TargetPrice": "_price",
    "ReportFile": "_file",
    "page": "_page",
    "read_price": "_price",
    "read_reports": "_file",
    "write_page": "_page",
}


if not TYPE_CHECKING:  # or a misspelt name would pass every type checker

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
