"""The page put together: one HTML file that loads nothing else, written whole or not at all."""

from __future__ import annotations

import base64
import contextlib
import decimal
import hashlib
import os
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from binance_dust._util import checks
from binance_dust._util.files import draft_beside, mode_of, open_new, put_in_place, writing
from binance_dust._util.html import escaped, moment
from binance_dust._version import __version__
from binance_dust.errors import ConfigurationError
from binance_dust.reports._page._figures import (
    EXACT,
    ReportFigures,
    ledger_figures,
    read_report,
)
from binance_dust.reports._page._overview import overview
from binance_dust.reports._page._rows import TableRows
from binance_dust.reports._page._sections import sections
from binance_dust.reports._page._sorting import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from binance_dust.ledger import LedgerEntry
    from binance_dust.reports._account import AccountReport
    from binance_dust.reports._page._figures import LedgerFigures
    from binance_dust.reports._page._sections import Section
    from binance_dust.reports._page._table import Table
    from binance_dust.reports._price import TargetPrice

__all__ = ["PageDraft", "page", "write_page"]

_REHEARSAL: Final = "A rehearsal on a sandbox: nothing on this page is real."
_TITLE: Final = "Dust and small debts"
_DAY: Final = len("2026-11-21 ")
_ICON: Final = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Ccircle cx='8' cy='8' r='5' fill='%23b7791f'/%3E%3C/svg%3E"
)


def page(  # noqa: PLR0913 - the public face, all by keyword
    reports: Iterable[AccountReport],
    *,
    entries: Iterable[LedgerEntry] = (),
    title: str = _TITLE,
    made_at: datetime | None = None,
    rehearsal: bool = False,
    price: TargetPrice | None = None,
) -> str:
    """Make one self-contained HTML page of a scan's reports and a ledger's entries.

    Either may be empty. The page loads nothing, and its own content policy forbids it to.
    `rehearsal` marks it as one of a sandbox. `price`, from `read_price`, says what dust would be
    worth in another asset.
    """
    draft = PageDraft()
    made_at = _checked(title, made_at, rehearsal=rehearsal)
    for report in reports:
        draft.add(report)
    parts = draft.parts(title, entries, made_at, rehearsal=rehearsal, price=price)
    with decimal.localcontext(EXACT):
        return "".join(parts)


def write_page(  # noqa: PLR0913 - the public face, all by keyword
    path: str | os.PathLike[str],
    reports: Iterable[AccountReport],
    *,
    entries: Iterable[LedgerEntry] = (),
    title: str | None = None,
    made_at: datetime | None = None,
    rehearsal: bool = False,
    price: TargetPrice | None = None,
) -> Path:
    """Write the page of `reports` and `entries` to a file, and give its path.

    Reports are taken one by one and not kept: they may come from `read_reports`, of a file that is
    larger than the memory. A reader sees the old file or the new one, never a part of it.
    `rehearsal` marks it as one of a sandbox. `price` is as for `page`.
    """
    named = _TITLE if title is None else title
    made_at = _checked(named, made_at, rehearsal=rehearsal)
    with PageDraft(Path(path)) as draft:
        for report in reports:
            draft.add(report)
        return draft.write(entries, named, made_at, rehearsal=rehearsal, price=price)


class PageDraft:
    """A page that takes its reports one by one, and holds sums and a few rows of each table.

    The other rows wait in a scratch file beside the page, which is gone at the end.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Begin a page at `path`; without a path it can only be read as a text."""
        self._path: Final = path
        self._scratch: Final = Scratch(None if path is None else path.parent)
        self._rows: Final = TableRows(self._scratch)
        self._figures: Final = ReportFigures()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.close()

    def add(self, report: AccountReport) -> None:
        """Take one report."""
        found = read_report(report)
        self._figures.add(found)
        with writing(self._path):
            self._rows.add(found)

    def parts(
        self,
        title: str,
        entries: Iterable[LedgerEntry],
        made_at: datetime,
        *,
        rehearsal: bool,
        price: TargetPrice | None,
    ) -> Iterator[str]:
        """Give the page in parts: once, and when all reports were added."""
        booked = ledger_figures(entries)
        figures, rows = self._figures, self._rows
        return _document(title, figures, rows, booked, made_at, rehearsal=rehearsal, price=price)

    def write(
        self,
        entries: Iterable[LedgerEntry] = (),
        title: str = _TITLE,
        made_at: datetime | None = None,
        *,
        rehearsal: bool = False,
        price: TargetPrice | None = None,
    ) -> Path:
        """Write the page in one step."""
        assert self._path is not None  # noqa: S101 - only a page with a path is written
        made_at = made_at or datetime.now(UTC)
        parts = self.parts(title, entries, made_at, rehearsal=rehearsal, price=price)
        draft = draft_beside(self._path)
        try:
            with writing(self._path), decimal.localcontext(EXACT):
                _write(draft, parts, mode_of(self._path))
                put_in_place(draft, self._path)
        finally:
            # If the draft could not be made, removing it may fail for the same reason.
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
        return self._path


def _checked(title: str, made_at: datetime | None, *, rehearsal: bool) -> datetime:
    """Refuse what is no title, mark or time; give the time."""
    checks.instance(title, str, "title")
    checks.instance(rehearsal, bool, "rehearsal")
    made_at = made_at or datetime.now(UTC)
    if checks.instance(made_at, datetime, "made_at").tzinfo is None:
        raise ConfigurationError(f"made_at has no time zone: {made_at}")
    return made_at


def _document(  # noqa: PLR0913 - all that is on a page
    title: str,
    reports: ReportFigures,
    rows: TableRows,
    ledger: LedgerFigures,
    made_at: datetime,
    *,
    rehearsal: bool,
    price: TargetPrice | None,
) -> Iterator[str]:
    style, script = _asset("page.css"), _asset("page.js")
    shown = sections(reports, rows, ledger, _manual())
    yield _head(title, style, script)
    yield _banner(title, reports, made_at, rehearsal=rehearsal)
    yield _contents(shown)
    yield '<main id="main" tabindex="-1">\n<section aria-label="Summary">'
    yield f"{overview(reports, ledger, price)}</section>\n"
    for section in shown:
        yield from _section(section)
    yield f"</main>\n{_colophon(made_at)}"
    yield '<script type="application/json" id="rest">'
    yield from _rest([table for section in shown for table in section.tables])
    yield f"</script>\n<script>{script}</script>\n</body>\n</html>\n"


def _manual() -> str | None:
    """Say where the pages of docs are, by what the installed package says of itself."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        urls = metadata("binance-dust").get_all("Project-URL") or []
    except PackageNotFoundError:
        return None
    found = (url.partition(", ")[2] for url in urls if url.startswith("Documentation, "))
    return next((url.rpartition("/")[0] + "/" for url in found), None)


def _head(title: str, style: str, script: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f'<meta name="generator" content="binance_dust {__version__}">\n'
        f'<title>{escaped(title)}</title>\n<link rel="icon" href="{_ICON}">\n'
        f"<style>{style}</style>\n</head>\n<body>\n"
    )


def _banner(title: str, reports: ReportFigures, made_at: datetime, *, rehearsal: bool) -> str:
    mark = f'<p class="rehearsal">{_REHEARSAL}</p>' if rehearsal else ""
    return (
        '<a class="skip" href="#main">Skip to the figures</a>\n'
        f"<header><div><h1>{escaped(title)}</h1><p>{_when(reports, made_at)}</p>{mark}</div>"
        '<button type="button" id="scheme" hidden>Dark colours</button></header>\n'
    )


def _when(reports: ReportFigures, made_at: datetime) -> str:
    if reports.first is None or reports.last is None:
        return f"Made {moment(made_at)}."
    first, last = moment(reports.first), moment(reports.last)
    if first == last:
        return f"Read {last}."
    if first[:_DAY] == last[:_DAY]:
        return f"Read {first.removesuffix(' UTC')} to {last[_DAY:]}."
    return f"Read {first} to {last}."


def _contents(sections: list[Section]) -> str:
    items = "".join(f'<li><a href="#{each.key}">{each.title}</a></li>' for each in sections)
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>\n' if items else ""


def _colophon(made_at: datetime) -> str:
    return (
        "<footer><p>Gross, fee and net of what could be converted are the exchange's own"
        " estimates when it was asked. Figures in tables have every digit; times are in UTC.</p>"
        f"<p>Made {moment(made_at)} by binance_dust {__version__}. This page is one file and loads"
        " nothing else.</p></footer>\n"
    )


def _section(section: Section) -> Iterator[str]:
    lead = f'<p class="lead">{section.lead}</p>' if section.lead else ""
    yield (
        f'<section id="{section.key}" aria-labelledby="{section.key}-title">'
        f'<h2 id="{section.key}-title">{section.title}</h2>{lead}'
    )
    for table in section.tables:
        yield from table.html()
    yield "</section>\n"


def _rest(tables: list[Table]) -> Iterator[str]:
    """Give the rows that are not in the HTML as one object of JSON, by table."""
    yield "{"
    for index, table in enumerate(tables):
        yield f"{',' if index else ''}{_json(table.key)}:["
        for number, row in enumerate(table.rest()):
            yield f"{',' if number else ''}{_json(row)}"
        yield "]"
    yield "}"


def _policy(style: str, script: str) -> str:
    """Allow only our own style and script, by their hashes."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}';"
        " img-src data:; base-uri 'none'; form-action 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _json(value: object) -> str:
    # In a script element only `<` can end the data or begin a comment.
    return msgspec.json.encode(value).decode().replace("<", "\\u003c")


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _write(draft: Path, parts: Iterator[str], mode: int | None) -> None:
    with os.fdopen(open_new(draft, mode=mode), "w", encoding="utf-8", newline="\n") as out:
        out.writelines(parts)
        out.flush()
        os.fsync(out.fileno())
