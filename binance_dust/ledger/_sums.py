"""Sums over entries that are not made: SQL groups the amounts, and Python adds up each group.

SQLite's numbers are floats, so it only joins the amounts of a group, as texts, and each text is
added up exactly. All of it is read in parts: a call that has to be written down meanwhile waits for
one part, and the memory that is needed does not grow with the ledger.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from binance_dust._util.exact import total_of_texts

if TYPE_CHECKING:
    import sqlite3

    from binance_dust.ledger._query import Query
    from binance_dust.ledger._totals import By, RunningTotals

__all__ = ["include", "parts"]

_KEYS: Final[dict[By, str]] = {
    "month": "substr(entry.at, 1, 7)",
    "asset": "lines.asset",
    "account": "coalesce(nullif(entry.owner, ''), entry.account)",
    "target": "entry.target",
    "kind": "entry.kind",
}
_ENTRIES: Final = 20_000
"""Entries of a part: some 30 milliseconds."""
_SPARSE: Final = 8
"""If fewer than one of so many ids is wanted, they are named; else all between are looked at."""


def parts(db: sqlite3.Connection, query: Query) -> list[str]:
    """Divide the entries of a query: give conditions for their ids, which don't overlap.

    An entry is in one part whatever is written meanwhile, because ids don't change as times do.
    """
    # What the indexes by time or account answer alone.
    where, values = replace(query, status=None).where()
    found = f"(SELECT id FROM entries{where})"  # noqa: S608 - our own text
    count, first, last = db.execute(
        f"SELECT count(*), min(id), max(id) FROM {found}",  # noqa: S608 - our own text
        values,
    ).fetchone()
    if count and (last - first) <= _SPARSE * count:
        return [
            f"id BETWEEN {begin} AND {min(begin + _ENTRIES - 1, last)}"
            for begin in range(first, last + 1, _ENTRIES)
        ]
    ids = [row[0] for row in db.execute(f"SELECT id FROM {found} ORDER BY id", values)]  # noqa: S608
    return [
        f"id IN ({', '.join(map(str, ids[begin : begin + _ENTRIES]))})"
        for begin in range(0, len(ids), _ENTRIES)
    ]


def include(db: sqlite3.Connection, totals: RunningTotals, query: Query, part: str) -> None:
    """Add up the entries of a query that are in a part, and count them in."""
    where, values = query.where()
    kinds = ", ".join(repr(kind.value) for kind in totals.kinds)
    sold = "group_concat(lines.amount, ' ')" if totals.by == "asset" else "'0'"
    # A row of this table is found by its id here: an index would be one step more.
    sql = f"""
    SELECT {_KEYS[totals.by]}, entry.target, count(DISTINCT entry.id),
           group_concat(lines.gross, ' '), group_concat(lines.fee, ' '), {sold}
      FROM (SELECT * FROM entries NOT INDEXED{where or " WHERE true"}
              AND {part} AND kind IN ({kinds})) AS entry
      JOIN lines ON lines.entry_id = entry.id GROUP BY 1, 2
    """  # noqa: S608 - our own text; values are bound
    for key, target, count, *amounts in db.execute(sql, values):
        gross, fee, sum_sold = map(total_of_texts, amounts)
        totals.include(key, target, count=count, gross=gross, fee=fee, sold=sum_sold)
