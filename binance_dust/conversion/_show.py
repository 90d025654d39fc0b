"""Quotes and receipts for eyes: aligned text, and a table for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

__all__ = ["html_table", "percent", "table"]

Row = tuple[str, ...]


def percent(part: Decimal) -> str:
    """Write a part as a percentage."""
    return f"{part * 100:.2f} %"


def table(head: Row, rows: Sequence[Row], total: Row) -> list[str]:
    """Write a table in columns: names to the left, numbers to the right."""
    everything = [head, *rows, total]
    widths = [max(len(row[n]) for row in everything) for n in range(len(head))]

    def line(row: Row) -> str:
        cells = [
            text.rjust(width) if n else text.ljust(width)
            for n, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return [line(row) for row in everything]


def html_table(
    caption: str, head: Row, rows: Sequence[Row], total: Row, notes: Iterable[str]
) -> str:
    """Write a table for a notebook."""

    def line(row: Row, tag: str) -> str:
        cells = "".join(f"<{tag}>{escape(text)}</{tag}>" for text in row)
        return f"<tr>{cells}</tr>"

    body = "".join(line(row, "td") for row in rows)
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f"<table><caption>{escape(caption)}</caption><thead>{line(head, 'th')}</thead>"
        f"<tbody>{body}</tbody><tfoot>{line(total, 'th')}</tfoot></table>"
        + (f"<ul>{listed}</ul>" if listed else "")
    )
