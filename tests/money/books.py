"""What stands in a ledger's file, read without the package: entries, and the records in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from binance_dust.sandbox import Conversion
from binance_dust.sandbox._account import Repayment, Sale, Transfer

OPEN: Final = ("intended", "unknown")
Record = tuple[str, str, Decimal, Decimal, int, int | None]
"""A row of a record: its family, asset, amount, gross, time and id."""
DUST, DEBTS, TRANSFER, SALE, REPAYMENT = "dust", "debts", "transfer", "sale", "repayment"
IMPORTED: Final = (DUST, DEBTS)
"""What `sync` reads, so that all of it is in the books, whoever has done it."""
_FAMILIES: Final = {"dust": DUST, "dust_convert": DUST, "liabilities": DEBTS}
_WITHOUT_TIME: Final = (TRANSFER, REPAYMENT)
"""The answer of these calls has a number, and no time."""


@dataclass(frozen=True, slots=True)
class BooksRow:
    """An entry as it stands in the file."""

    id: int
    account: str
    key_id: str | None
    kind: str
    status: str
    settled_by: str | None
    transaction_id: int | None
    expires_at: str | None
    reason: str | None
    _: KW_ONLY
    assets: frozenset[str]
    lines: tuple[tuple[str, str, str, str, int | None], ...]
    """Asset, amount, gross, time, id."""

    @property
    def open(self) -> bool:
        """Whether how it ended is not known."""
        return self.status in OPEN

    @property
    def expires(self) -> float:
        """After which time, by the exchange's clock, it can't be carried out any more."""
        return (
            0.0 if self.expires_at is None else datetime.fromisoformat(self.expires_at).timestamp()
        )

    @property
    def records(self) -> set[Record]:
        """The exchange's records that it stands for, row by row."""
        if self.status != "confirmed":
            return set()
        return {
            record_of(self.kind, asset, amount, gross, at, number)
            for asset, amount, gross, at, number in self.lines
        }

    def __str__(self) -> str:
        by = f" by {self.settled_by}" if self.settled_by else ""
        return f"entry {self.id} of {self.account} ({self.status}{by}, {sorted(self.assets)})"


class Books:
    """A ledger's file, as anybody reads it who opens the path."""

    def __init__(self, path: Path, connect: Callable[[Path], Any]) -> None:
        self.path = path
        self._connect = connect
        self._connection: Any = None
        self._file: tuple[int, int] | None = None
        self._version = -1
        self._rows: dict[int, BooksRow] = {}

    def read(self) -> tuple[dict[int, BooksRow], bool]:
        """Read all entries; tell whether anything has changed since the last reading."""
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return {}, False
        if self._file != (state.st_dev, state.st_ino):
            self.close()
            self._connection = self._connect(self.path)
            self._file, self._version = (state.st_dev, state.st_ino), -1
        db = self._connection
        version = db.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return self._rows, False
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'lines'").fetchone():
            return {}, False
        self._version = version
        asked: dict[int, set[str]] = {}
        for entry, asset in db.execute("SELECT entry_id, asset FROM asked"):
            asked.setdefault(entry, set()).add(asset)
        lines: dict[int, list[Any]] = {}
        for entry, *line in db.execute(
            "SELECT entry_id, asset, amount, gross, at, transaction_id FROM lines ORDER BY position"
        ):
            lines.setdefault(entry, []).append(tuple(line))
        found: list[tuple[Any, ...]] = db.execute(
            "SELECT id, account, key_id, kind, status, settled_by, transaction_id, expires_at,"
            " reason FROM entries"
        ).fetchall()
        self._rows = {
            row[0]: BooksRow(
                *row, assets=frozenset(asked.get(row[0], ())), lines=tuple(lines.get(row[0], ()))
            )
            for row in found
        }
        return self._rows, True

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def record_of(  # noqa: PLR0917 - the columns of a line, after its entry's kind
    kind: str,
    asset: str,
    amount: str | Decimal,
    gross: str | Decimal,
    at: str | datetime,
    number: int | None,
) -> Record:
    """Name a row of a record: all that is known of it, exact to the last digit."""
    family = _FAMILIES.get(kind, kind)
    time = datetime.fromisoformat(at) if isinstance(at, str) else at
    exact = (Decimal(amount).normalize(), Decimal(gross).normalize())
    shown = 0 if family in _WITHOUT_TIME else round(time.timestamp() * 1000)
    return (family, asset, *exact, shown, number)


def records_of(made: Any) -> list[Record]:
    """Name the rows of a record of the sandbox."""
    if isinstance(made, Transfer | Repayment):
        family = TRANSFER if isinstance(made, Transfer) else REPAYMENT
        amount = made.amount.normalize()
        return [(family, made.asset, amount, amount, 0, made.transaction_id)]
    if isinstance(made, Sale):
        amounts = (made.amount.normalize(), made.brings.normalize())
        return [(SALE, made.asset, *amounts, made.at_ms, made.order_id)]
    if isinstance(made, Conversion):
        return [
            (
                DUST,
                row.asset,
                row.amount.normalize(),
                row.gross.normalize(),
                row.at_ms,
                made.transaction_id,
            )
            for row in made.rows
        ]
    amounts = (made.amount.normalize(), made.target_amount.normalize())
    return [(DEBTS, made.asset, *amounts, made.at_ms, None)]
