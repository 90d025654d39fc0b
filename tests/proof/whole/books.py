"""Whether the books and the exchange agree: each entry, each sum, each file, and each balance."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from binance_dust.ledger import Kind, LedgerEntry, Total
from tests.proof.whole.journal import ZERO, Move, Witness

_KINDS: Final = {"dust": (Kind.DUST, Kind.DUST_CONVERT), "liabilities": (Kind.LIABILITIES,)}
_ASKEW: Final = 10_000
"""Milliseconds by which the exchange's clock may have been moved since."""
_MARK: Final = " (rehearsal)"
"""What a file of a rehearsal says behind each account."""


def entries(found: Iterable[LedgerEntry], witness: Witness) -> list[str]:
    """Compare entry by entry: each move has one entry, of ours, that says the same; none has two.

    So nothing moved twice: a second move of one call would have no entry, or one that was imported.
    """
    found = list(found)
    wrong = [
        f"entry {entry.id} of {entry.account} is {entry.status}: {entry.reason}"
        if entry.open
        else f"entry {entry.id} of {entry.account} happened without a call of ours"
        for entry in found
        if entry.open or entry.imported
    ]
    known: dict[tuple[str, int | None], LedgerEntry] = {}
    debts: dict[str, list[LedgerEntry]] = {}
    confirmed = {entry.id: entry for entry in found if entry.status == "confirmed"}
    for entry in confirmed.values():
        if entry.kind is Kind.LIABILITIES:
            debts.setdefault(entry.account, []).append(entry)
        elif known.setdefault((entry.account, entry.transaction_id), entry) is not entry:
            wrong.append(f"transaction {entry.transaction_id} has two entries")
    for move in witness.moves:
        same = _of(move, known, debts.get(move.account, ()), confirmed)
        if same is None:
            wrong.append(f"{_named(move)} is not in the books")
            continue
        del confirmed[same.id]
        if same.kind not in _KINDS[move.kind]:
            wrong.append(f"{_named(move)} is a {same.kind} in the books")
        if _rows(same) != _rows(move):
            wrong.append(f"{_named(move)}: {_rows(move)} at the exchange, {_rows(same)} here")
    return wrong + [
        f"entry {entry.id} of {entry.account} is confirmed, and never happened"
        for entry in confirmed.values()
    ]


def denied(found: Iterable[LedgerEntry], witness: Witness) -> list[str]:
    """Name the entries that are rejected, and happened. A `sync` would mend them: ask before it."""
    found = list(found)
    confirmed = [entry for entry in found if entry.status == "confirmed"]
    numbers = {(entry.account, entry.transaction_id) for entry in confirmed}
    rows = {(entry.account, *_rows(entry)) for entry in confirmed}
    left = [
        move
        for move in witness.moves
        if (move.account, move.transaction_id) not in numbers
        and (move.account, *_rows(move)) not in rows
    ]
    return [
        f"entry {entry.id} of {entry.account} is rejected, and happened: {entry.reason}"
        for entry in found
        if entry.status == "rejected" and matching(entry, Witness(moves=left), ()) is not None
    ]


def _of(
    move: Move,
    known: Mapping[tuple[str, int | None], LedgerEntry],
    debts: Sequence[LedgerEntry],
    left: Collection[int],
) -> LedgerEntry | None:
    """Find a move's entry, of those that no move before had.

    Exchanged debts have no number: what they say has to do.
    """
    if move.kind == "dust":
        entry = known.get((move.account, move.transaction_id))
        return entry if entry is not None and entry.id in left else None
    return next((each for each in debts if each.id in left and _rows(each) == _rows(move)), None)


def _named(move: Move) -> str:
    return f"{move.kind} {move.transaction_id or move.at_ms} of {move.account}"


def _rows(of: Move | LedgerEntry) -> list[tuple[str, Decimal, Decimal, Decimal]]:
    if isinstance(of, Move):
        return sorted((row.asset, row.amount, row.gross, row.fee) for row in of.rows)
    return sorted((line.asset, line.amount, line.gross, line.fee) for line in of.lines)


def sums(totals: Sequence[Total], witness: Witness, by: str) -> list[str]:
    """Compare `ledger.totals` by `account` or `asset` with what the exchange did."""
    expected: dict[str, list[Decimal]] = {}
    for move in witness.moves:
        if move.kind == "dust":
            for row in move.rows:
                key = row.asset if by == "asset" else move.account
                gross, fee = expected.setdefault(key, [ZERO, ZERO])
                expected[key] = [gross + row.gross, fee + row.fee]
    told = {total.key: [total.gross, total.fee] for total in totals}
    return [
        f"the sum of {key}: {told.get(key)} in the books, {expected.get(key)} at the exchange"
        for key in sorted({*told, *expected})
        if told.get(key) != expected.get(key)
    ]


def export(path: Path, witness: Witness) -> list[str]:
    """Compare the plain file for spreadsheets with what the exchange did, row by row."""
    told: Counter[tuple[str, ...]] = Counter()
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["kind"] != Kind.LIABILITIES and row["status"] == "confirmed":
                account = row["account"].removesuffix(_MARK)
                told[_row(account, row["sold_asset"], row["sold_amount"], row["fee"])] += 1
    done = Counter(
        _row(move.account, row.asset, row.amount, row.fee)
        for move in witness.moves
        if move.kind == "dust"
        for row in move.rows
    )
    return [f"only in the file: {row}" for row in (told - done)] + [
        f"not in the file: {row}" for row in (done - told)
    ]


def _row(account: str, asset: str, amount: object, fee: object) -> tuple[str, ...]:
    """Name a row; a spreadsheet's apostrophe before a name is no part of it."""
    exact = (f"{Decimal(str(each)).normalize():f}" for each in (amount, fee))
    return (account, asset.removeprefix("'"), *exact)


def balances(
    told: Mapping[str, str], added: Mapping[tuple[str, str], Decimal], what: str
) -> list[str]:
    """Compare what the exchange says of balances (or debts) with its own journal, added up."""
    shown = {name: Decimal(amount) for name, amount in told.items() if Decimal(amount)}
    summed = {" ".join(at): amount for at, amount in added.items() if amount}
    return [
        f"{what} of {name}: {shown.get(name)} is shown, {summed.get(name)} was moved"
        for name in sorted({*shown, *summed})
        if shown.get(name) != summed.get(name)
    ]


def matching(entry: LedgerEntry, witness: Witness, known: Collection[int]) -> Move | None:
    """Find what became of an open entry, as its owner would on the website.

    `known` are the transactions that the books have already.
    """
    assert entry.sent_after is not None
    assert entry.expires_at is not None
    first, last = (at.timestamp() * 1000 for at in (entry.sent_after, entry.expires_at))
    for move in witness.moves:
        if (
            move.account == entry.account
            and entry.kind in _KINDS[move.kind]
            and sorted(row.asset for row in move.rows) == sorted(entry.assets)
            and first - _ASKEW <= move.at_ms <= last + _ASKEW
            and move.transaction_id not in known
        ):
            return move
    return None
