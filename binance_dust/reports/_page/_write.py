"""The page as a file: there whole, or as it was before."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from binance_dust.errors import ConfigurationError
from binance_dust.reports._page._document import page

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from binance_dust.ledger import LedgerEntry
    from binance_dust.reports._account import AccountReport

__all__ = ["write_page"]


def write_page(
    path: str | os.PathLike[str],
    reports: Iterable[AccountReport],
    *,
    entries: Iterable[LedgerEntry] = (),
    title: str | None = None,
    made_at: datetime | None = None,
) -> Path:
    """Write the page of `reports` and `entries` to a file, and give its path.

    Whoever looks meanwhile sees the old file or the new one, never a part of it.
    """
    file = Path(path)
    named = {} if title is None else {"title": title}
    text = page(reports, entries=entries, made_at=made_at, **named)
    draft = file.parent / f".{file.name}.{secrets.token_hex(4)}"
    try:
        _write(draft, text)
        draft.replace(file)
    except OSError as error:
        problem = f"{file}: can't be written: {error.strerror or error}"
    else:
        return file
    finally:
        # Where there never was a draft, looking for it may fail as making it did.
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    raise ConfigurationError(problem)


def _write(draft: Path, text: str) -> None:
    with draft.open("x", encoding="utf-8", newline="\n") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
