"""The entries as files for spreadsheets, tax tools and other programs.

_layouts.py  the columns of each style, and what may stand in a cell
_journal.py  transactions for hledger and Beancount, and the names that they take
_writer.py   CSV and JSON lines; a file is replaced only when the new one is complete
"""

from __future__ import annotations

from binance_dust.ledger.export._journal import JournalAccounts, JournalStyle
from binance_dust.ledger.export._layouts import LAYOUTS, Style
from binance_dust.ledger.export._writer import (
    Exported,
    Sink,
    refuse_ledger_files,
    write_csv,
    write_journal,
    write_json_lines,
)

__all__ = [
    "LAYOUTS",
    "Exported",
    "JournalAccounts",
    "JournalStyle",
    "Sink",
    "Style",
    "refuse_ledger_files",
    "write_csv",
    "write_journal",
    "write_json_lines",
]
