"""The books as files: for a spreadsheet, for tax tools, for other programs.

_forms.py    which columns, in which words
_cells.py    what may stand in a cell
_whole.py    never half a file
_writer.py   rows and lines, in the order of time
"""

from __future__ import annotations

from binance_dust.ledger.export._forms import FORMS, Style
from binance_dust.ledger.export._writer import Exported, Sink, write_csv, write_json_lines

__all__ = ["FORMS", "Exported", "Sink", "Style", "write_csv", "write_json_lines"]
