"""Entries as they stand in the tables, for files: texts, and no entries are made of them.

An export of a million rows does nothing with an amount or a time but write it down again. So it
takes the texts, which are exact, from one query for each page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from binance_dust.ledger._schema import OPEN_ONLY

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = ["BookRow", "read_json", "read_rows"]


class BookRow(NamedTuple):
    """A line of a confirmed entry, or an asset of an open one. Amounts and times are texts."""

    entry: int
    account: str
    """With `(rehearsal)` behind it if these are the books of rehearsals: a statement of a sandbox
    is never taken for a real one."""
    account_type: str
    kind: str
    target: str
    status: str
    transaction_id: int | None
    """The entry's."""
    at: str
    """When the exchange converted the line; of an open entry, when it was intended."""
    asset: str
    """Empty for an entry without any line or asset: it is no row, but it is counted."""
    amount: str
    gross: str
    fee: str
    net: str
    line_id: int | None
    """The line's transaction."""

    @property
    def number(self) -> str:
        """The number of the exchange's record, if it has one."""
        found = self.line_id if self.transaction_id is None else self.transaction_id
        return "" if found is None else str(found)


_ROWS: Final = f"""
SELECT entries.id,
       entries.account || CASE WHEN EXISTS (SELECT 1 FROM books WHERE whose = 'local')
                               THEN ' (rehearsal)' ELSE '' END,
       entries.account_type, entries.kind, entries.target,
       entries.status, entries.transaction_id, coalesce(lines.at, entries.at),
       coalesce(lines.asset, asked.asset, ''), lines.amount, lines.gross, lines.fee, lines.net,
       lines.transaction_id
  FROM entries
  LEFT JOIN lines ON lines.entry_id = entries.id AND entries.status = 'confirmed'
  LEFT JOIN asked ON asked.entry_id = entries.id AND {OPEN_ONLY}
  WHERE entries.id IN ({{ids}}) AND entries.status <> 'rejected'
  ORDER BY entries.at, entries.id, lines.position, asked.position
"""  # noqa: S608 - our own text


def _time(column: str) -> str:
    """Write a time as `plain` does: without microseconds that are zero."""
    return f"replace({column}, '.000000Z', 'Z')"


def _of_asked(column: str) -> str:
    return f"""
    json((SELECT json_group_object(asset, {column}) FILTER (WHERE {column} IS NOT NULL)
            FROM asked WHERE entry_id = entries.id))
    """  # noqa: S608 - our own text


_JSON: Final = f"""
SELECT json_object(
         'id', id,
         'account', account,
         'kind', kind,
         'account_type', account_type,
         'target', target,
         'assets',
         json((SELECT json_group_array(asset) FROM asked WHERE entry_id = entries.id)),
         'status', status,
         'at', {_time("at")},
         'client_id', client_id,
         'key_id', key_id,
         'held', {_of_asked("held")},
         'amounts', {_of_asked("amount")},
         'intended_at', {_time("intended_at")},
         'sent_after', {_time("sent_after")},
         'expires_at', {_time("expires_at")},
         'settled_at', {_time("settled_at")},
         'settled_by', settled_by,
         'transaction_id', transaction_id,
         'code', code,
         'reason', reason,
         'lines',
         json((SELECT json_group_array(json_object(
                        'asset', asset,
                        'amount', amount,
                        'gross', gross,
                        'fee', fee,
                        'at', {_time("lines.at")},
                        'transaction_id', transaction_id,
                        'net', net
                      )) FROM lines WHERE entry_id = entries.id)),
         'owner', coalesce(nullif(owner, ''), account),
         'needs_resolve', json(CASE needs_resolve WHEN 0 THEN 'false' ELSE 'true' END)
       ),
       {OPEN_ONLY}
  FROM entries WHERE id IN ({{ids}}) ORDER BY at, id
"""  # noqa: S608 - our own text
"""Written by SQLite, because a million entries as objects of Python take half a minute."""


def read_rows(db: sqlite3.Connection, ids: Sequence[int]) -> list[BookRow]:
    """Read the rows of entries, in order of time; rejected entries have none."""
    return list(map(BookRow._make, db.execute(_with(_ROWS, ids))))


def read_json(db: sqlite3.Connection, ids: Sequence[int]) -> list[tuple[str, bool]]:
    """Read entries with all of their fields, each as JSON and whether it is open, by time."""
    return [(text, bool(is_open)) for text, is_open in db.execute(_with(_JSON, ids))]


def _with(sql: str, ids: Sequence[int]) -> str:
    return sql.format(ids=", ".join(map(str, ids)))
