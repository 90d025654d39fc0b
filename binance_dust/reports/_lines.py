"""A report as lines of a file: JSON for programs, CSV for spreadsheets.

In either format a report is a number of whole lines, and a reader can tell when it is complete: in
JSON it is one line, and in CSV it ends with its row `total`.

In CSV a text that a spreadsheet would take for a formula gets an apostrophe in front. Control
characters are escaped, so that a line of the file is always one row. Amounts are written as they
are.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import msgspec

from binance_dust._util.exact import total
from binance_dust._util.plain import FORMAT, newer, plain
from binance_dust.errors import ConfigurationError
from binance_dust.reports._account import wallet_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from binance_dust.reports._account import AccountReport

COLUMNS: Final = (
    "account",
    "at",
    "part",
    "asset",
    "amount",
    "unavailable",
    "gross",
    "fee",
    "net",
    "unit",
    "error",
)
_TOTAL: Final = "total"


class StoredReport(NamedTuple):
    """One report as it stands in a file."""

    account: str
    target: str
    ok: bool
    """Whether every part was read."""
    text: bytes


class ForeignLineError(Exception):
    """A line that this package did not write; the text gives its number."""


class _ReportLine(msgspec.Struct):
    """The fields that a line must have to be a report."""

    account: str
    target: str
    at: str
    assets: msgspec.Raw
    liabilities: msgspec.Raw
    errors: dict[str, msgspec.Raw]
    format: int = 1


class JsonLines:
    """A line of JSON for each report: `AccountReport.to_plain`."""

    head: Final = b""
    _BEGIN: Final = b'{"account":"'

    def __init__(self) -> None:
        """Prepare the decoder once."""
        self._decode = msgspec.json.Decoder(_ReportLine).decode

    def encode(self, report: AccountReport) -> bytes:
        """Write a report as one line."""
        return msgspec.json.encode(report.to_plain()) + b"\n"

    def reports(self, lines: Iterable[bytes]) -> Iterator[StoredReport]:
        """Give a report for each line."""
        for number, line in enumerate(lines, start=1):
            try:
                known = self._decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                raise ForeignLineError(f"line {number}") from None
            if known.format > FORMAT:
                raise ConfigurationError(f"line {number} {newer(known.format)}")
            yield StoredReport(known.account, known.target, not known.errors, line)

    def may_begin(self, torn: bytes) -> bool:
        """Whether a line that was cut off begins as a report does."""
        return torn.startswith(self._BEGIN) or self._BEGIN.startswith(torn)


class CsvRows:
    """Rows for spreadsheets; the last row of a report has its totals."""

    # Without this mark at the beginning, spreadsheets do not read the file as UTF-8.
    head: Final = b"\xef\xbb\xbf" + (",".join(COLUMNS) + "\r\n").encode()

    def encode(self, report: AccountReport) -> bytes:
        """Write a report as rows."""
        out = io.StringIO()
        rows = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
        common = {"account": _cell(report.account), "at": plain(report.at)}
        rows.writerows(common | _cells(row) for row in report_rows(report))
        rows.writerow(common | _cells(_total_of(report)))
        return out.getvalue().encode()

    def reports(self, lines: Iterable[bytes]) -> Iterator[StoredReport]:
        """Give the reports that have their row `total`."""
        rows: list[bytes] = []
        for number, line in enumerate(lines, start=1):
            if number == 1:
                if line != self.head:
                    raise ForeignLineError("line 1")
                continue
            try:
                cells = dict(zip(COLUMNS, next(csv.reader([line.decode()])), strict=True))
            except (ValueError, csv.Error):
                raise ForeignLineError(f"line {number}") from None
            rows.append(line)
            if cells["part"] == _TOTAL:
                account, target = _text(cells["account"]), _text(cells["unit"])
                yield StoredReport(account, target, not cells["error"], b"".join(rows))
                rows = []

    def may_begin(self, torn: bytes) -> bool:
        """Whether a line that was cut off can be the head; behind it any row can be cut off."""
        return self.head.startswith(torn)


Format: TypeAlias = JsonLines | CsvRows
FORMATS: Final[dict[str, type[Format]]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".csv": CsvRows,
}


def report_rows(report: AccountReport) -> Iterator[dict[str, Any]]:
    """Give a row for each asset of each part of a report, and for each part that failed."""
    for held in report.assets:
        parts = (held.locked, held.freeze, held.withdrawing, held.ipoable)
        yield {
            "part": "assets",
            "asset": held.asset,
            "amount": held.free,
            "unavailable": total(part for part in parts if part is not None),
        }
    for line in report.quote.details if report.quote else ():
        yield {
            "part": "quote",
            "asset": line.asset,
            "amount": line.amount,
            "gross": line.gross,
            "fee": line.fee,
            "net": line.net,
            "unit": report.target,
        }
    for lies in wallet_rows(report):
        yield {
            "part": f"elsewhere: {lies.wallet}",
            "asset": lies.asset,
            "amount": lies.free,
            "unavailable": lies.unavailable,
            "gross": lies.worth,
            "unit": "BTC",
        }
    for chance in report.last_chances:
        what = "delisted" if chance.goes else "some pairs delisted"
        yield {"part": f"{what}: {plain(chance.until)}", "asset": chance.asset}
    for debt in report.liabilities:
        yield {
            "part": "liabilities",
            "asset": debt.asset,
            "amount": total((debt.principal, debt.interest)),
            "gross": debt.liability_qty,
            "unit": debt.liability_asset,
        }
    for part, error in report.errors.items():
        yield {"part": part, "error": str(error)}


def _total_of(report: AccountReport) -> dict[str, Any]:
    sums = ("gross", "fee", "net") if report.quote else ()
    return {
        "part": _TOTAL,
        **{name: getattr(report, name) for name in sums},
        "unit": report.target,
        "error": ", ".join(report.errors),
    }


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _cell(value) if isinstance(value, str) else plain(value)
        for name, value in row.items()
    }


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\\]")
_ESCAPED: Final = re.compile(r"\\(?:u([0-9a-f]{4})|(\\))")
_FORMULA: Final = ("=", "+", "-", "@", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a formula begins, also in full width; and the apostrophe, so that `_text` can undo it."""


def _cell(text: str) -> str:
    """Write a text so that a spreadsheet shows it on one line and does not compute it."""

    def escape(found: re.Match[str]) -> str:
        return "\\\\" if found[0] == "\\" else f"\\u{ord(found[0]):04x}"

    safe = _CONTROL.sub(escape, text)
    return f"'{safe}" if safe.startswith(_FORMULA) else safe


def _text(cell: str) -> str:
    """Read what `_cell` wrote."""
    return _ESCAPED.sub(
        lambda found: "\\" if found[2] else chr(int(found[1], 16)), cell.removeprefix("'")
    )
