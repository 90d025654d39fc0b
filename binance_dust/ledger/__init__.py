"""The ledger: what was to be converted, what was converted, and what it brought.

_ledger.py    `Ledger`: what users call
_reader.py    the part of it that reads: entries, sums, files, cooldowns
_entry.py     what is remembered of one call
_totals.py    sums by month, asset, account or target; sums over time, as bars
_sums.py      the same sums of a whole ledger, by SQL
_cooldown.py  when an account may convert again, learnt from its entries
_records.py   the exchange's own records, and which of our calls each belongs to
_sync.py      imports the exchange's own records
_walk.py      which time ranges to ask a log for that shows only its newest hundred
_synced.py    which time ranges were read, and which records the exchange does not show
_access.py    who may write: real or local books; claims on accounts
_holders.py   whether the process that took a claim is alive
_entries.py   entries in the tables: read, inserted, settled
_outcomes.py  which outcome is believed; the exchange's records among the entries
_owners.py    which names and keys are one account
_identify.py  asks the exchange for the number of a key's account
_witness.py   what the exchange's records show of a call, for each kind of call
_resolve.py   settles by hand what can't be known
_rows.py      entries as flat rows, for files
_query.py     the search for entries
_store.py     one transaction for each piece of work
_thread.py    the thread of its own in which that is done
_file.py      opens the file so that a commit stays
_schema.py    the tables, their migrations, and times as text
export/       files for spreadsheets, tax tools and other programs
"""

from __future__ import annotations

from binance_dust.ledger._access import Books, Claim, account_of, books_of
from binance_dust.ledger._cooldown import Cooldowns, Lesson, Scope, next_eligible_at
from binance_dust.ledger._entry import (
    OPEN,
    Intent,
    Kind,
    LedgerEntry,
    LedgerLine,
    SettledBy,
    Status,
)
from binance_dust.ledger._ledger import Ledger
from binance_dust.ledger._outcomes import Recorded
from binance_dust.ledger._owners import Identity, KnownAccount
from binance_dust.ledger._records import (
    Observed,
    can_have_done,
    converted_lines,
    from_dust_log,
    from_liabilities,
    own_entry,
)
from binance_dust.ledger._sync import SyncReport
from binance_dust.ledger._synced import Missing
from binance_dust.ledger._totals import Series, Total, chart, series, totals
from binance_dust.ledger.export import Exported, JournalAccounts

__all__ = [
    "OPEN",
    "Books",
    "Claim",
    "Cooldowns",
    "Exported",
    "Identity",
    "Intent",
    "JournalAccounts",
    "Kind",
    "KnownAccount",
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
