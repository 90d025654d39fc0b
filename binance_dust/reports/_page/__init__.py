"""A report to look at: one self-contained HTML page of accounts, dust, debts and what came in.

_document.py    the page put together, and written to a file
_overview.py    its top: main figures and charts
_sections.py    its sections
_table.py       one table
_rows.py        what each report adds to the tables; what to do about each kind of error
_sorting.py     rows in order, most of them in a scratch file
_figures.py     the sums that all of them show
page.css        its style, light and dark
page.js         sorting and filtering its tables
"""

from __future__ import annotations

from binance_dust.reports._page._document import PageDraft, page, write_page

__all__ = ["PageDraft", "page", "write_page"]
