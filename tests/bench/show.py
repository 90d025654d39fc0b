"""Tables as text for a terminal, and as Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.results import OURS, Measured, Row, Table, behind


def as_text(table: Table) -> str:
    """Write a table for a terminal, and below it where we are not ahead."""
    heads = [column.title for column in table.columns]
    lines = [[table.first, *heads], *([row.who, *_cells(table, row)] for row in table.rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    text = [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join(
        [table.title, *text, *(f"Not ahead of {each.who}: {each.text}" for each in behind(table))]
    )


def as_markdown(table: Table) -> str:
    """Write a table for a page."""
    heads = " | ".join([table.first, *(column.title for column in table.columns)])
    rows = [f"| {heads} |", "|" + " --- |" * (len(table.columns) + 1)]
    for row in table.rows:
        who = f"**{row.who}**" if row.who == OURS else row.who
        rows.append(f"| {' | '.join([who, *_cells(table, row)])} |")
    return "\n".join(rows)


def section(measured: Measured, picture: str | None) -> str:
    """Write all that a page says of a table: the figures, how they were taken, who is ahead."""
    return "\n\n".join(_parts(measured, picture))


def _parts(measured: Measured, picture: str | None) -> Iterator[str]:
    table, machine = measured.table, measured.machine
    yield f"**{table.title}**"
    yield as_markdown(table)
    if picture is not None:
        yield f"![{table.title}]({picture})"
    yield (
        f"{table.about} Python {machine.python}, {machine.system}, {machine.processors} "
        f"processors, {machine.day}."
    )
    found = list(behind(table))
    if found:
        yield "Where we are not ahead:"
        yield "\n".join(f"- **{each.who}**: {each.text}" for each in found)


def _cells(table: Table, row: Row) -> list[str]:
    return [column.text(value) for column, value in zip(table.columns, row.values, strict=True)]
