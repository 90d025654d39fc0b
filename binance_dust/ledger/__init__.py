"""The books: what was to be moved, what was moved, and what it brought.

_entry.py       what is remembered of one call
_schema.py      the tables, and how they change from version to version
_file.py        the file, opened so that what is committed stays
_rows.py        rows, and what they stand for
_query.py       what to look for
_entries.py     entries as the tables have them
_books.py       whose books they are: a real exchange's, or of rehearsals
_claims.py      who may work on an account
_observed.py    what the exchange's own records say
_matching.py    which of our calls a record of the exchange's belongs to
_marks.py       how far those have been read, and what can't be had
_store.py       the work on the file, all of it blocking: one transaction each
_thread.py      the thread that does it, off the event loop
_ledger.py      what users call
_walk.py        which times to ask a log for that shows its newest hundred only
_sync.py        the exchange's own records into the ledger
_cooldown.py    when an account may convert again, learnt
_totals.py      sums
_picture.py     sums, drawn
export/         files for spreadsheets and tax tools
"""

from __future__ import annotations

from binance_dust.ledger._books import Books, books_of
from binance_dust.ledger._claims import Claim
from binance_dust.ledger._cooldown import Cooldowns, Lesson, Scope, next_eligible_at
from binance_dust.ledger._entry import (
    OPEN,
    Intent,
    Kind,
    LedgerEntry,
    LedgerLine,
    Observed,
    SettledBy,
    Status,
)
from binance_dust.ledger._ledger import Ledger, account_of
from binance_dust.ledger._marks import Missing
from binance_dust.ledger._matching import can_have_done, own_entry
from binance_dust.ledger._observed import converted_lines, from_dust_log, from_liabilities
from binance_dust.ledger._picture import Series, chart, series
from binance_dust.ledger._store import Recorded
from binance_dust.ledger._sync import SyncReport
from binance_dust.ledger._totals import Total, totals
from binance_dust.ledger.export import Exported

__all__ = [
    "OPEN",
    "Books",
    "Claim",
    "Cooldowns",
    "Exported",
    "Intent",
    "Kind",
    "Ledger",
    "LedgerEntry",
    "LedgerLine",
    "Lesson",
    "Missing",
    "Observed",
    "Recorded",
    "Scope",
    "Series",
    "SettledBy",
    "Status",
    "SyncReport",
    "Total",
    "account_of",
    "books_of",
    "can_have_done",
    "chart",
    "converted_lines",
    "from_dust_log",
    "from_liabilities",
    "next_eligible_at",
    "own_entry",
    "series",
    "totals",
]
