"""The page put together: one HTML file that loads nothing else, written whole or not at all."""

from __future__ import annotations

import base64
import contextlib
import decimal
import hashlib
import json
import os
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from binance_dust._util import checks
from binance_dust._util.files import draft_beside, mode_of, open_new, put_in_place
from binance_dust._util.html import escaped, moment
from binance_dust._version import __version__
from binance_dust.errors import ConfigurationError
from binance_dust.reports._page._advice import manual
from binance_dust.reports._page._figures import EXACT, ledger_figures, report_figures
from binance_dust.reports._page._overview import overview
from binance_dust.reports._page._sections import sections

if TYPE_CHECKING:
    from collections.abc import Iterable

    from binance_dust.ledger import LedgerEntry
    from binance_dust.reports._account import AccountReport
    from binance_dust.reports._page._figures import LedgerFigures, ReportFigures
    from binance_dust.reports._page._sections import Section
    from binance_dust.reports._price import TargetPrice

__all__ = ["page", "write_page"]

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
    checks.instance(title, str, "title")
    checks.instance(rehearsal, bool, "rehearsal")
    made_at = _aware(made_at or datetime.now(UTC))
    found, booked = report_figures(reports), ledger_figures(entries)
    with decimal.localcontext(EXACT):
        return _document(title, found, booked, made_at, rehearsal=rehearsal, price=price)


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

    A reader sees the old file or the new one, never a part of it. `rehearsal` marks it as one of a
    sandbox. `price` is as for `page`.
    """
    file = Path(path)
    named = {} if title is None else {"title": title}
    text = page(
        reports, entries=entries, made_at=made_at, rehearsal=rehearsal, price=price, **named
    )
    draft = draft_beside(file)
    try:
        _write(draft, text, mode_of(file))
        put_in_place(draft, file)
    except OSError as error:
        problem = f"{file}: can't be written: {error.strerror or error}"
    else:
        return file
    finally:
        # If the draft could not be made, removing it may fail for the same reason.
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    raise ConfigurationError(problem)


def _aware(made_at: datetime) -> datetime:
    if checks.instance(made_at, datetime, "made_at").tzinfo is None:
        raise ConfigurationError(f"made_at has no time zone: {made_at}")
    return made_at


def _document(  # noqa: PLR0913 - all that is on a page
    title: str,
    reports: ReportFigures,
    ledger: LedgerFigures,
    made_at: datetime,
    *,
    rehearsal: bool,
    price: TargetPrice | None,
) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    shown = sections(reports, ledger, manual())
    rest = {table.key: table.rest() for section in shown for table in section.tables}
    parts = (
        _head(title, style, script),
        _banner(title, reports, made_at, rehearsal=rehearsal),
        _contents(shown),
        '<main id="main" tabindex="-1">\n<section aria-label="Summary">',
        f"{overview(reports, ledger, price)}</section>\n",
        *map(_section, shown),
        "</main>\n",
        _colophon(made_at),
        f'<script type="application/json" id="rest">{_json(rest)}</script>\n',
        f"<script>{script}</script>\n</body>\n</html>\n",
    )
    return "".join(parts)


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
    if not reports.accounts:
        return f"Made {moment(made_at)}."
    times = [each.at for each in reports.accounts]
    first, last = moment(min(times)), moment(max(times))
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


def _section(section: Section) -> str:
    lead = f'<p class="lead">{section.lead}</p>' if section.lead else ""
    return (
        f'<section id="{section.key}" aria-labelledby="{section.key}-title">'
        f'<h2 id="{section.key}-title">{section.title}</h2>{lead}'
        f"{''.join(table.html() for table in section.tables)}</section>\n"
    )


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
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _write(draft: Path, text: str, mode: int | None) -> None:
    with os.fdopen(open_new(draft, mode=mode), "w", encoding="utf-8", newline="\n") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
