"""A report as lines of a file: JSON for programs, CSV for spreadsheets.

Whatever the format, a report is a block of whole lines that can be told complete from incomplete:
a line of JSON is a block, and a block of CSV ends with its row `total`.

In CSV a text that a spreadsheet would take for a formula gets an apostrophe in front, and control
characters are written out, so that a line of the file is always a row. Amounts are ours, and stay.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec

from binance_dust._util.exact import total
from binance_dust._util.plain import FORMAT, newer, plain
from binance_dust.errors import ConfigurationError

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


class Block(NamedTuple):
    """One report as it stands in a file."""

    account: str
    target: str
    ok: bool
    """Whether every part was read."""
    text: bytes


class NotOurs(Exception):  # noqa: N818 - never leaves the package's insides
    """What was found is no line that this package wrote; tells the line's number."""


class Format(Protocol):
    """How reports are written and found again."""

    @property
    def head(self) -> bytes:
        """What the file begins with."""
        ...

    def encode(self, report: AccountReport) -> bytes:
        """Write a report as whole lines."""
        ...

    def blocks(self, lines: Iterable[bytes]) -> Iterator[Block]:
        """Find the complete reports in whole lines; what is incomplete at the end is left out."""
        ...

    def may_begin(self, torn: bytes) -> bool:
        """Tell whether a line without an end can be the beginning of one of ours."""
        ...


class _Known(msgspec.Struct):
    """What a line must have to be a report."""

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
        self._decode = msgspec.json.Decoder(_Known).decode

    def encode(self, report: AccountReport) -> bytes:
        """Write a report as one line."""
        return msgspec.json.encode(report.to_plain()) + b"\n"

    def blocks(self, lines: Iterable[bytes]) -> Iterator[Block]:
        """Find the reports."""
        for number, line in enumerate(lines, start=1):
            try:
                known = self._decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                raise NotOurs(f"line {number}") from None
            if known.format > FORMAT:
                raise ConfigurationError(f"line {number} {newer(known.format)}")
            yield Block(known.account, known.target, not known.errors, line)

    def may_begin(self, torn: bytes) -> bool:
        """Tell whether it begins like a report, as far as it goes."""
        return torn.startswith(self._BEGIN) or self._BEGIN.startswith(torn)


class CsvRows:
    """Rows for spreadsheets; the one that ends a report has its totals."""

    # Spreadsheets take UTF-8 for something else unless the file begins with this mark.
    head: Final = b"\xef\xbb\xbf" + (",".join(COLUMNS) + "\r\n").encode()

    def encode(self, report: AccountReport) -> bytes:
        """Write a report as rows."""
        out = io.StringIO()
        rows = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
        common = {"account": _cell(report.account), "at": plain(report.at)}
        rows.writerows(common | row for row in _rows(report))
        return out.getvalue().encode()

    def blocks(self, lines: Iterable[bytes]) -> Iterator[Block]:
        """Find the reports that have their row `total`."""
        rows: list[bytes] = []
        for number, line in enumerate(lines, start=1):
            if number == 1:
                if line != self.head:
                    raise NotOurs("line 1")
                continue
            try:
                cells = dict(zip(COLUMNS, next(csv.reader([line.decode()])), strict=True))
            except (ValueError, csv.Error):
                raise NotOurs(f"line {number}") from None
            rows.append(line)
            if cells["part"] == _TOTAL:
                account, target = _text(cells["account"]), _text(cells["unit"])
                yield Block(account, target, not cells["error"], b"".join(rows))
                rows = []

    def may_begin(self, torn: bytes) -> bool:
        """Tell whether it can be the head or, behind it, any row."""
        return self.head.startswith(torn)


FORMATS: Final[dict[str, type[JsonLines | CsvRows]]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".csv": CsvRows,
}


def _rows(report: AccountReport) -> Iterator[dict[str, Any]]:
    for held in report.assets:
        yield {
            "part": "assets",
            "asset": _cell(held.asset),
            "amount": plain(held.free),
            "unavailable": plain(total((held.locked, held.freeze, held.withdrawing, held.ipoable))),
        }
    for line in report.quote.details if report.quote else ():
        yield {
            "part": "quote",
            "asset": _cell(line.asset),
            "amount": plain(line.amount_free),
            "gross": plain(line.to_target_asset_amount),
            "fee": plain(line.exchange),
            "net": plain(line.to_target_asset_off_exchange),
            "unit": _cell(report.target),
        }
    for debt in report.liabilities:
        yield {
            "part": "liabilities",
            "asset": _cell(debt.asset),
            "amount": plain(total((debt.principal, debt.interest))),
            "gross": plain(debt.liability_qty),
            "unit": _cell(debt.liability_asset),
        }
    for part, error in report.errors.items():
        yield {"part": _cell(part), "error": _cell(str(error))}
    sums = ("gross", "fee", "net") if report.quote else ()
    yield {
        "part": _TOTAL,
        **{name: plain(getattr(report, name)) for name in sums},
        "unit": _cell(report.target),
        "error": _cell(", ".join(report.errors)),
    }


_STEERING: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\\]")
_WRITTEN_OUT: Final = re.compile(r"\\(?:u([0-9a-f]{4})|(\\))")
_FORMULA: Final = ("=", "+", "-", "@", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula begins with, also in full width; and the apostrophe, so that it can be undone."""


def _cell(text: str) -> str:
    """Write a text so that a spreadsheet shows it, and neither breaks the line nor computes."""

    def write_out(found: re.Match[str]) -> str:
        return "\\\\" if found[0] == "\\" else f"\\u{ord(found[0]):04x}"

    safe = _STEERING.sub(write_out, text)
    return f"'{safe}" if safe.startswith(_FORMULA) else safe


def _text(cell: str) -> str:
    """Read what `_cell` wrote."""
    return _WRITTEN_OUT.sub(
        lambda found: "\\" if found[2] else chr(int(found[1], 16)), cell.removeprefix("'")
    )
