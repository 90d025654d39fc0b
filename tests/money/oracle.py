"""What has to hold after every step of a life, and what has to hold in the end.

The oracle knows what nobody in the life knows: which calls are on their way, what the exchange has
done, and who is alive. It reads the ledgers' files by itself.
"""

from __future__ import annotations

import sqlite3
import traceback
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from binance_dust import GuardError, Ledger
from binance_dust.conversion import RepaymentReceipt
from binance_dust.sandbox._account import Sale
from tests.money.books import IMPORTED, Books, BooksRow, Record, record_of, records_of
from tests.money.life import KEYS
from tests.money.line import KINDS, done_by

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from binance_dust.ledger import Total
    from tests.money.line import Call
    from tests.money.play import MoneyStage
    from tests.money.process import MoneyProcess, Work

_FIRST_ORDER: Final = 900_000_000_000_000_000
"""The sandbox's orders have numbers from here on."""
CRASHED: Final = "crashed"
ENDLESS: Final = "never ended"
UNRECORDED: Final = "sent without a record"
BESIDE: Final = "sent beside an open call"
EARLY: Final = "settled while it could still be carried out"
AFTER: Final = "carried out after it was settled"
UNHEARD: Final = "settled by an answer that never came"
TWICE: Final = "a record twice in the books"
INVENTED: Final = "a line that the exchange does not know"
MISSING: Final = "a record missing from the books"
MIXED: Final = "two accounts in one's books"
RECEIPT: Final = "a receipt differs from its entry"
DEAD: Final = "refused for a holder that is dead"
FOREVER: Final = "open though it can be known"
WRONG: Final = "rejected though it was carried out"
FOREIGN: Final = "confirmed by the record of another call"
FORGOTTEN: Final = "a commit that was lost"
SUMS: Final = "sums that differ from the exchange's"
INVARIANTS: Final = (
    CRASHED, ENDLESS, UNRECORDED, BESIDE, EARLY, AFTER, UNHEARD, TWICE, INVENTED, MISSING, MIXED,
    RECEIPT, DEAD, FOREVER, WRONG, FOREIGN, FORGOTTEN, SUMS,
)  # fmt: skip
BY_ENTRIES: Final = {RECEIPT, FOREVER, WRONG, FOREIGN, MISSING, UNHEARD, SUMS}
"""What nobody can ask of books that somebody has replaced or cut."""


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """An invariant that did not hold."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


class Oracle:
    """Looks after every step."""

    def __init__(self, stage: MoneyStage) -> None:
        self._stage = stage
        self._books: dict[int, Books] = {}
        self._seen: dict[int, dict[int, BooksRow]] = {}
        self._calls: dict[tuple[int, int], Call] = {}
        self._told: set[tuple[str, str]] = set()
        self._sums: dict[int, dict[tuple[bool, str], Decimal]] = {}
        self._receipts: list[tuple[int, Any]] = []
        self.violations: list[BrokenRule] = []
        self.checks: Counter[str] = Counter()

    def violated(self, kind: str, text: str, once: str = "") -> None:
        """Note a violation; with `once` not again for the same thing."""
        if (kind, once or text) in self._told:
            return
        if self._stage.harmed and kind in BY_ENTRIES:
            return
        self._told.add((kind, once or text))
        self._stage.note(f"VIOLATED {kind}: {text}")
        self.violations.append(BrokenRule(kind, f"{self._stage.engine.now:.3f} s: {text}"))

    def close(self) -> None:
        """Close the files."""
        for books in self._books.values():
            books.close()

    # --- after every piece of work on a ledger ---------------------------------------------------

    def look(self, process: MoneyProcess) -> None:
        """Judge what a process has just written into its ledger."""
        ledger = process.program.ledger
        rows, changed = self._read(ledger)
        if not changed:
            return
        before = self._seen.get(ledger, {})
        self._seen[ledger] = rows
        for row in rows.values():
            old = before.get(row.id)
            if row == old:
                continue
            if old is None or old.status != row.status:
                self._stage.note(f"ledger {ledger}: {row}, process {process.number}")
            if not row.open and (old is None or old.open):
                self._settled(ledger, row)
        self._once(ledger, rows)

    def _settled(self, ledger: int, row: BooksRow) -> None:
        """Judge an entry that has just been settled."""
        call = self._calls.get((ledger, row.id))
        by_answer = row.settled_by == "answer"
        if call is None:
            return
        if by_answer and not call.answered:
            self.violated(UNHEARD, f"{row}, {call}")
        now = self._stage.true() * 1000
        if not by_answer and call.can_come(now):
            self.violated(EARLY, f"{row}, {call}")

    def _once(self, ledger: int, rows: dict[int, BooksRow]) -> None:
        """See that every record is in one entry at most, and that the exchange knows it."""
        known = self._known()
        counts: Counter[Record] = Counter()
        accounts: dict[str, list[tuple[str, ...]]] = {}
        for row in rows.values():
            for record in row.records:
                counts[record] += 1
                if record not in known:
                    self.violated(INVENTED, f"{row}: {record}", once=str(record))
                else:
                    accounts.setdefault(row.account, []).append(known[record])
        for record, count in counts.items():
            if count > len(known.get(record, ("nobody",))):
                self.violated(TWICE, f"ledger {ledger}: {record}, {count} times", str(record))
        for name, owners in accounts.items():
            if not set(owners[0]).intersection(*owners):
                found = sorted({owner for each in owners for owner in each})
                self.violated(MIXED, f"ledger {ledger}: {name} has records of {found}")

    def _known(self) -> dict[Record, tuple[str, ...]]:
        """Give all of the exchange's records, and whose each is.

        Exchanged debts have no number, so two accounts can have the same record at one time.
        """
        known: dict[Record, tuple[str, ...]] = {}
        for account in self._stage.exchange.accounts:
            for made in done_by(account):
                for record in records_of(made):
                    known[record] = (*known.get(record, ()), account.name)
        return known

    def _read(self, ledger: int) -> tuple[dict[int, BooksRow], bool]:
        if ledger not in self._books:
            self._books[ledger] = Books(self._path(ledger), self._stage.connect)
        try:
            return self._books[ledger].read()
        except sqlite3.Error:
            if not self._stage.harmed:
                raise
            return {}, False

    def _path(self, ledger: int) -> Path:
        return self._stage.path(ledger)

    # --- calls -----------------------------------------------------------------------------------

    def sent(self, call: Call) -> None:
        """Judge a call that moves funds, at the moment in which it leaves."""
        ledger = call.process.program.ledger
        rows = self._on_disk(ledger)
        key_id = sha256(call.process.credentials.api_key.encode()).hexdigest()[:16]
        fitting = [
            row
            for row in rows.values()
            if row.status == "intended"
            and row.key_id == key_id
            and row.kind == KINDS[call.path]
            and row.assets == call.assets
            and self._may_go_again((ledger, row.id))
            and call.stamp + call.window <= row.expires * 1000 + 1
        ]
        self._stage.note(f"{call.path} {sorted(call.assets)} leaves process {call.process.number}")
        if len(fitting) != 1:
            self.violated(UNRECORDED, f"{call}: {list(map(str, rows.values()))}")
        else:
            call.entry = (ledger, fitting[0].id)
            self._calls[call.entry] = call
        now = self._stage.true() * 1000
        for other in self._stage.roads.calls[: call.number]:
            same = other.account == call.account and other.process.program.ledger == ledger
            if same and other.funds == call.funds and not other.answered and other.can_come(now):
                self.violated(BESIDE, f"{call} beside {other}")

    def _on_disk(self, ledger: int) -> dict[int, BooksRow]:
        """Read what is certain to be found by anybody who opens the path now."""
        stage, path = self._stage, self._path(ledger)
        if stage.disk is None and not stage.harmed:
            books = Books(path, stage.connect)
        else:
            stage.copy(path, into=stage.folder / "copy.db")
            books = Books(stage.folder / "copy.db", stage.connect)
        try:
            return books.read()[0]
        except sqlite3.Error:
            return {}  # there is no ledger any more
        finally:
            books.close()

    def power_failed(self) -> None:
        """See that everything is still there that was committed."""
        for ledger, seen in self._seen.items():
            rows = self._on_disk(ledger)
            for row in seen.values():
                left = rows.get(row.id)
                # More than was seen may be there: it was being written.
                if left is None or not (row.open or left.status == row.status):
                    self.violated(FORGOTTEN, f"ledger {ledger}: {row} was written, left is {left}")

    def harmed(self, ledger: int) -> None:
        """Forget what stood in a file that somebody has replaced."""
        self._seen.pop(ledger, None)
        for entry in [each for each in self._calls if each[0] == ledger]:
            del self._calls[entry]

    def _may_go_again(self, entry: tuple[int, int]) -> bool:
        """Whether no call of an entry has gone yet, or the one that has was refused."""
        before = self._calls.get(entry)
        return before is None or (before.answered and not before.made)

    def carried_out(self, call: Call) -> None:
        """Judge a call that the exchange is done with."""
        self._stage.note(f"{call}: {'carried out' if call.made else 'not carried out'}")
        if not call.made or call.entry is None or call.fate == "twice":
            return
        row = self._seen.get(call.entry[0], {}).get(call.entry[1])
        if row is not None and not row.open:
            self.violated(AFTER, f"{call}: {row}")

    # --- jobs ------------------------------------------------------------------------------------

    def refused(self, process: MoneyProcess, error: BaseException) -> None:
        """Judge a claim that was refused, at the moment in which it was."""
        if not isinstance(error, GuardError) or not error.busy or "took over" in str(error):
            return
        role = "convert" if "convert" in str(error) else "recover"
        others = [
            work
            for other in self._stage.processes
            if other.program.ledger == process.program.ledger
            and (other.key.account == process.key.account or other.key.name == process.key.name)
            for work in other.under_way
            if role in work.roles and (other is not process or len(process.under_way) > 1)
        ]
        self.checks["refused for a holder"] += 1
        if not others:
            self.violated(DEAD, f"process {process.number}: {error}")

    async def receipt(self, work: Work, ledger: Ledger) -> None:
        """Keep a receipt, and compare it with the entries that it names."""
        number = work.process.program.ledger
        receipt = work.receipts[-1]
        self._receipts.append((number, receipt))
        self._compare(number, receipt)

    def _compare(self, ledger: int, receipt: Any) -> None:
        rows, _ = self._read(ledger)
        found = [rows[each] for each in receipt.entry_ids if each in rows]
        written = {record for row in found for record in row.records}
        told = {
            record_of(kind, line.asset, line.amount, line.gross, line.at, line.transaction_id)
            for kind, line in _told(receipt)
        }
        self.checks["receipts"] += 1
        if told != written:
            self.violated(RECEIPT, f"{told} in the receipt, {written} in the books", str(told))

    def counted(self, ledger: int, dust: Iterable[Total], debts: Iterable[Total]) -> None:
        """Keep what a ledger says that all of it has brought."""
        both = [(False, total) for total in dust] + [(True, total) for total in debts]
        self._sums[ledger] = {(debt, total.target): total.net for debt, total in both}

    def _add_up(self, ledger: int, accounts: Iterable[str]) -> None:
        """Compare a ledger's sums with what the exchange has credited."""
        sums: dict[tuple[bool, str], Decimal] = {}
        sold = [sale for _, sale in self._by_us(ledger, accounts) if isinstance(sale, Sale)]
        for sale in sold:
            sums[False, sale.target] = sums.get((False, sale.target), Decimal(0)) + sale.brings
        for name in accounts:
            account = self._stage.exchange.accounts[name]
            for made in account.conversions:
                sums[False, made.target] = sums.get((False, made.target), Decimal(0)) + made.net
            for debt in account.debt_exchanges:
                before = sums.get((True, debt.target), Decimal(0))
                sums[True, debt.target] = before + debt.target_amount
        told = self._sums.get(ledger, {})
        self.checks["sums"] += len(sums)
        if told != sums:
            self.violated(SUMS, f"ledger {ledger}: {told}, at the exchange {sums}")

    def _by_us(self, ledger: int, accounts: Iterable[str]) -> list[tuple[str, Any]]:
        """Give what calls of ours have done that are in a ledger, and for which account."""
        return [
            (call.account, made)
            for (number, _), call in self._calls.items()
            if number == ledger and call.account in accounts
            for made in call.made
            # A quote is accepted once, and other calls may be carried out again.
            if call.fate != "twice" or isinstance(made, Sale)
        ]

    def crashed(self, who: str, error: BaseException) -> None:
        """Note an error that is none of the package's own."""
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
        self.violated(CRASHED, f"{who}: {error!r} at {where}")

    def endless(self, process: MoneyProcess) -> None:
        """Note a process that does not end."""
        self.violated(ENDLESS, f"process {process.number}: {process.under_way}")

    # --- the morning after -----------------------------------------------------------------------

    def made_by(self, ledger: int, entry: int) -> list[Any]:
        """Say what the call of an entry has done at the exchange."""
        call = self._calls.get((ledger, entry))
        return [] if call is None else call.made

    def morning(self, ways: Iterable[tuple[int, str]]) -> bool:
        """Judge what is open, when everybody has recovered and synced; tell whether any is."""
        still = False
        for ledger in dict.fromkeys(ledger for ledger, _ in ways):
            for row in self._rows(ledger).values():
                still |= row.open
                made = self._made(ledger, row)
                if row.open and not self._touched(row, made):
                    self.violated(FOREVER, f"{row}, made {made}: {row.reason}")
        return still

    def noon(self, ways: Iterable[tuple[int, str]]) -> None:
        """Judge the books, when a person has settled what nobody else can know."""
        for ledger in dict.fromkeys(ledger for ledger, _ in ways):
            rows = self._rows(ledger)
            for row in rows.values():
                self._outcome(ledger, row)
            self._complete(ledger, rows, ways)
        for ledger, receipt in self._receipts:
            self._compare(ledger, receipt)

    def _rows(self, ledger: int) -> dict[int, BooksRow]:
        rows, _ = self._read(ledger)
        return self._seen.get(ledger, rows)

    def _made(self, ledger: int, row: BooksRow) -> set[Record]:
        return {record for each in self.made_by(ledger, row.id) for record in records_of(each)}

    def _outcome(self, ledger: int, row: BooksRow) -> None:
        """Judge how an entry of ours stands in the end."""
        call, made = self._calls.get((ledger, row.id)), self._made(ledger, row)
        if row.open:
            self.violated(FOREVER, f"{row}: not even a person could settle it: {row.reason}")
        if call is None or not made or row.open:
            return
        whole = row.records <= made if call.fate == "twice" else row.records == made
        if row.status == "confirmed" and not whole:
            self.violated(FOREIGN, f"{row} has {row.records}, {call} has made {made}")
        if row.status == "rejected" and call.fate != "twice":
            self.violated(WRONG, f"{row}, {call} has made {made}")

    def _touched(self, row: BooksRow, made: set[Record]) -> bool:
        """Whether somebody else has moved what an entry is about, so that nobody can tell."""
        others = {asset for record in self._known() if record not in made for asset in record[1:2]}
        return bool(row.assets & (others | self._stage.moved))

    def _refused_by_name(
        self, ledger: int, ways: Iterable[tuple[int, str]], held: Counter[Record]
    ) -> set[str]:
        """Give those that came second of accounts that share a name: they have no books here."""
        named: dict[str, set[str]] = {}
        for each, key in ways:
            if each == ledger:
                named.setdefault(KEYS[key].name or key, set()).add(KEYS[key].account)
        seen = {
            owner for record, owners in self._known().items() if held[record] for owner in owners
        }
        return {
            account
            for accounts in named.values()
            for account in accounts - seen
            if len(accounts) > 1
        }

    def _complete(
        self, ledger: int, rows: dict[int, BooksRow], ways: Iterable[tuple[int, str]]
    ) -> None:
        """See that each record of the accounts of a ledger is once in its books."""
        accounts = {KEYS[key].account for each, key in ways if each == ledger}
        held = Counter(record for row in rows.values() for record in row.records)
        accounts -= self._refused_by_name(ledger, ways, held)
        self._add_up(ledger, accounts)
        known = {each: owners for each, owners in self._known().items() if each[0] in IMPORTED}
        for account, made in self._by_us(ledger, accounts):
            for record in records_of(made):
                known.setdefault(record, (account,))
        for record, owners in known.items():
            wanted = sum(owner in accounts for owner in owners)
            if wanted and not wanted <= held[record] <= len(owners):
                kind = MISSING if held[record] < wanted else TWICE
                self.violated(kind, f"ledger {ledger}: {record}, {held[record]} times", str(record))


def _told(receipt: Any) -> list[tuple[str, Any]]:
    """Give a receipt's lines, each with the kind of the call that it tells of."""
    if isinstance(receipt, RepaymentReceipt):
        return [("repayment", line) for line in receipt.lines]
    return [
        *(("transfer", line) for line in receipt.gathered),
        *((_kind_of(line.transaction_id), line) for line in receipt.lines),
    ]


def _kind_of(number: int | None) -> str:
    if number is None:
        return "liabilities"
    return "sale" if number >= _FIRST_ORDER else "dust"
