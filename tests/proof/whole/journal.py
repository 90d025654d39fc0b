"""What the exchange of the hour has done, one line of JSON for each change, written at once.

A real exchange forgets nothing when one of its servers dies. A sandbox has its books in memory. So
each change is on disk before its answer leaves: if the sandbox is killed between the two, the next
one reads the change here. A change that is not here was never answered, and never happened.

The same lines are the witness in the end: they are read without the sandbox, and added up anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

ZERO = Decimal(0)


class Journal:
    """Writes lines, each in one piece; what is written outlives the process that wrote it."""

    def __init__(self, path: Path) -> None:
        """Open the file to append."""
        self._file = path.open("ab", buffering=0)

    def write(self, **change: Any) -> None:
        """Add a line."""
        self._file.write(json.dumps(change, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Read the lines; the last one may have been cut by a kill, and does not count then."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield json.loads(line)


def mend(path: Path) -> None:
    """Cut off a last line that a kill left unfinished, so that the next line is one of its own."""
    if path.exists():
        whole = path.read_bytes()
        path.write_bytes(whole[: whole.rfind(b"\n") + 1])


@dataclass(frozen=True, slots=True)
class Row:
    """One asset of a conversion, or one debt that became another."""

    asset: str
    amount: Decimal
    gross: Decimal
    fee: Decimal


@dataclass(frozen=True, slots=True)
class Move:
    """One call that moved funds at the exchange."""

    account: str
    kind: str
    """`dust` or `liabilities`."""
    transaction_id: int | None
    target: str
    rows: tuple[Row, ...]
    at_ms: int


@dataclass(slots=True)
class Witness:
    """The exchange's record of an hour, added up without the exchange."""

    moves: list[Move] = field(default_factory=list)
    balances: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """Free spot balance by account and asset: deposits and conversions, added up."""
    debts: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """What is owed, by account and asset, interest included."""
    opened: int = 0
    """How often an exchange was started on this journal."""

    def add(self, account: str, asset: str, amount: Decimal) -> None:
        """Change a balance."""
        at = account, asset
        self.balances[at] = self.balances.get(at, ZERO) + amount

    def owe(self, account: str, asset: str, amount: Decimal) -> None:
        """Change a debt."""
        at = account, asset
        self.debts[at] = self.debts.get(at, ZERO) + amount


def witness(lines: Iterable[dict[str, Any]]) -> Witness:
    """Add the lines up."""
    seen = Witness()
    for line in lines:
        account = line.get("account", "")
        match line["what"]:
            case "opened":
                seen.opened += 1
            case "holds" | "deposit":
                seen.add(account, line["asset"], Decimal(line["amount"]))
            case "owes":
                seen.owe(account, line["asset"], Decimal(line["amount"]))
            case "conversion":
                move = _move(line, "dust")
                for row in move.rows:
                    seen.add(account, row.asset, -row.amount)
                    seen.add(account, move.target, row.gross - row.fee)
                seen.moves.append(move)
            case "debts":
                move = _move(line, "liabilities")
                for row in move.rows:
                    seen.owe(account, row.asset, -row.amount)
                    seen.owe(account, move.target, row.gross)
                seen.moves.append(move)
    return seen


def _move(line: dict[str, Any], kind: str) -> Move:
    return Move(
        line["account"],
        kind,
        line.get("transaction_id"),
        line["target"],
        tuple(Row(asset, *map(Decimal, amounts)) for asset, *amounts in line["rows"]),
        line["at_ms"],
    )
