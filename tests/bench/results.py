"""What a measurement gives: tables as data, and where we are not ahead in them."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Iterator
from typing import Literal

import msgspec

OURS = "binance_dust"


class Column(msgspec.Struct, frozen=True):
    """One figure of every row."""

    title: str
    digits: int = 0
    better: Literal["less", "more"] | None = "less"
    """Which is better, where it is a contest at all."""
    best: float | None = None
    """The best that there can be: whoever has it is not behind anybody."""

    def text(self, value: float | str | None) -> str:
        """Write a value as a table shows it."""
        if isinstance(value, str):
            return value
        return "-" if value is None else f"{value:,.{self.digits}f}"


class Row(msgspec.Struct, frozen=True):
    """Whoever was measured, and what was found; none where it was not, which the table explains."""

    who: str
    values: tuple[float | str | None, ...]

    def figure(self, at: int) -> float | None:
        """Give a value that can be drawn."""
        value = self.values[at]
        return None if isinstance(value, str) else value


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Figures that were taken in one run, side by side."""

    name: str
    title: str
    """What was measured, and its unit."""
    about: str
    """How it was measured, in a sentence or two."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    first: str = "client"
    """What the rows are."""
    reasons: dict[str, str] = {}
    """Why somebody who is ahead of us is, by name: `ccxt`, or in one figure `ccxt: HMAC`."""
    plot: Literal["bars", "lines"] | None = "bars"
    axis: str = ""
    """For lines: what the columns count."""


class Machine(msgspec.Struct, frozen=True):
    """Where and when."""

    python: str
    system: str
    processors: int
    day: str


class Measured(msgspec.Struct, frozen=True):
    """A table, and where it is from: one line of what is saved."""

    table: Table
    machine: Machine


class Behind(msgspec.Struct, frozen=True):
    """Somebody whom we do not lead, and in what."""

    who: str
    figures: tuple[str, ...]
    reason: str | None

    @property
    def text(self) -> str:
        """Say in what, and why."""
        return f"{'; '.join(self.figures)}. {self.reason or 'Nobody has found out why.'}"


def this_machine() -> Machine:
    """Say where we are."""
    system = f"{platform.system()} {platform.machine()}"
    day = dt.datetime.now(dt.UTC).date().isoformat()
    return Machine(platform.python_version(), system, os.cpu_count() or 1, day)


def behind(table: Table) -> Iterator[Behind]:
    """Find everybody who is as good as we are, or better, by the digits that are shown.

    Where we are as good as anybody can be, nobody is.
    """
    ours = next((row for row in table.rows if row.who == OURS), None)
    if ours is None:
        return
    for row in table.rows:
        if row.who.startswith(OURS):  # also in another way, as on uvloop
            continue
        found: dict[str | None, list[str]] = {}
        for column, theirs, mine in zip(table.columns, row.values, ours.values, strict=True):
            if _not_led(column, theirs, mine):
                figures = f"{column.title} {column.text(theirs)}, ours {column.text(mine)}"
                found.setdefault(_reason(table, row, column), []).append(figures)
        for reason, all_of_it in found.items():
            yield Behind(row.who, tuple(all_of_it), reason)


def _reason(table: Table, row: Row, column: Column) -> str | None:
    return table.reasons.get(f"{row.who}: {column.title}", table.reasons.get(row.who))


def _not_led(column: Column, theirs: float | str | None, mine: float | str | None) -> bool:
    if column.better is None or not isinstance(theirs, float | int):
        return False
    if not isinstance(mine, float | int):
        return False
    theirs, mine = round(theirs, column.digits), round(mine, column.digits)
    if mine == column.best:
        return False
    return theirs <= mine if column.better == "less" else theirs >= mine
