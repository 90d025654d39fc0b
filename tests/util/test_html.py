"""Tables in HTML: figures keep all digits, and no text acts as markup."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust._util.html import escaped, figure, moment, table
from binance_dust._util.words import visible


class Cells(HTMLParser):
    """Reads a table back: its cells, and every tag that it is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self._open = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"style", "scope", "colspan"}
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.rows[-1][-1] += data


TAGS = {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "bdi"}


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        (Decimal("0E-8"), 0, "0.00000000"),
        (Decimal("1E+3"), 0, "1,000"),
        (Decimal("1.5"), 4, "1.5000"),
        (Decimal("-1234567.000000001"), 8, "-1,234,567.000000001"),
        (Decimal("0.1234567890123456789012345678901"), 8, "0.1234567890123456789012345678901"),
        (1234567, 8, "1,234,567"),
    ],
)
def test_a_figure_has_every_digit(value: Decimal | int, places: int, expected: str) -> None:
    assert figure(value, places=places) == expected


def test_a_time_is_shown_in_utc() -> None:
    east = datetime(2026, 11, 21, 1, 0, tzinfo=timezone(timedelta(hours=8)))

    assert moment(east) == "2026-11-20 17:00:00 UTC"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("币安人生", "币安人生"),
        ("שלום", "שלום"),
        ("abc\u202etxt", "abc\\u202etxt"),
        ("a\x00b\nc", "a\\x00b\\nc"),
        ("\ud800", "\\ud800"),
    ],
)
def test_characters_that_could_move_other_text_are_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_escaped_text_is_safe_in_an_attribute_too() -> None:
    assert escaped("\"'<&>") == "&quot;&#x27;&lt;&amp;&gt;"


@given(
    st.text(),
    st.lists(st.tuples(st.text(), st.one_of(st.none(), st.text(), st.integers()))),
)
def test_a_table_shows_the_text_of_its_cells_and_nothing_more(
    caption: str, rows: list[tuple[str, str | int | None]]
) -> None:
    read = Cells(table(caption, ("name", "value"), rows))

    assert read.tags <= TAGS
    assert read.rows[0] == ["name", "value"]
    for (name, value), shown in zip(rows, read.rows[1:], strict=True):
        expected = f"{value:,}" if isinstance(value, int) else visible(value or "")
        assert shown == [visible(name), expected]


def test_figures_of_a_column_end_at_the_same_place() -> None:
    rows = [("a", Decimal("1.5")), ("b", Decimal(2)), ("c", Decimal("0.123456789012"))]

    read = Cells(table("", ("name", "value"), rows, footer=("all", Decimal(3))))

    assert [row[1] for row in read.rows[1:]] == [
        "1.50000000",
        "2.00000000",
        "0.123456789012",
        "3.00000000",
    ]


def test_the_first_rows_are_shown_and_the_rest_is_counted() -> None:
    read = Cells(table("", ("n",), [(n,) for n in range(1500)], most=3, footer=("all",)))

    assert read.rows == [["n"], ["0"], ["1"], ["2"], ["and 1,497 more"], ["all"]]


def test_an_empty_table_keeps_its_header() -> None:
    assert Cells(table("none", ("a", "b"), [])).rows == [["a", "b"]]
