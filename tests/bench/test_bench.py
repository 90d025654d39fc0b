"""The benchmarks' own logic, and that each of those that the suite can afford still runs."""

from __future__ import annotations

import math
import platform
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.bench import (
    calls,
    compare,
    decoding,
    desk,
    keep,
    keys,
    ledger,
    limiters,
    memory,
    plot,
    scan,
    show,
    startup,
    stub,
)
from tests.bench.alone import ROOT
from tests.bench.clients import OURS
from tests.bench.results import Column, Machine, Measured, Row, Table, behind

BENCHES = [calls, compare, decoding, desk, keys, ledger, limiters, memory, scan, startup]
MACHINE = Machine("3.11.7", "Linux x86_64", 2, "2026-11-21")


def a_table(**changes: object) -> Table:
    given: dict[str, object] = {
        "name": "calls",
        "title": "CPU of a call, µs",
        "about": "The best of seven rounds.",
        "columns": (Column("7 assets"), Column("answered", 0, "more"), Column("share", 1, None)),
        "rows": (
            Row(OURS, (100.0, 300, 2.0)),
            Row("quicker", (99.0, 300, 1.0)),
            Row("slower", (1_500.0, 120, None)),
        ),
        "reasons": {"quicker": "It does less."},
    }
    return Table(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "accounts", "windows"),
    [
        ("fixed", 1, 0.0),
        ("fixed", 120, 0.0),
        ("fixed", 121, 0.6),
        ("fixed", 240, 0.6),
        ("fixed", 300, 1.6),
        ("sliding", 120, 0.0),
        ("sliding", 121, 1.0),
        ("sliding", 300, 2.0),
        ("sliding", 361, 3.0),
    ],
)
def test_the_least_time_is_that_of_the_windows_that_have_to_pass(
    mode: str, accounts: int, windows: float
) -> None:
    assert scan.least(mode, accounts, 3.0) == pytest.approx(3 * windows)


def test_who_is_as_good_as_we_are_by_the_digits_shown_is_named_with_the_reason() -> None:
    (found,) = behind(a_table())

    assert found.who == "quicker"
    assert found.figures == ("7 assets 99, ours 100", "answered 300, ours 300")
    assert found.text == "7 assets 99, ours 100; answered 300, ours 300. It does less."


@pytest.mark.parametrize(
    ("theirs", "better", "best", "named"),
    [
        (99.6, "less", None, True),
        (99.6, "less", 100, False),
        (101.0, "more", 100, False),
        (101.0, "more", 101, True),
        (100.4, "less", None, True),
        (100.6, "less", None, False),
        (99.4, "more", None, False),
        (99.6, "more", None, True),
        (101.0, "more", None, True),
        (1.0, None, None, False),
        (None, "less", None, False),
    ],
)
def test_whoever_is_not_behind_us_is_named(
    theirs: float | None, better: str | None, best: float | None, *, named: bool
) -> None:
    column = Column("figure", 0, better, best)  # type: ignore[arg-type]
    rows = (Row(OURS, (100.0,)), Row("other", (theirs,)))

    assert bool(list(behind(a_table(columns=(column,), rows=rows)))) is named


def test_a_reason_may_be_of_one_figure_and_a_missing_one_is_confessed() -> None:
    reasons = {"quicker: answered": "So are we."}

    first, second = behind(a_table(reasons=reasons))

    assert first.text == "7 assets 99, ours 100. Nobody has found out why."
    assert second.text == "answered 300, ours 300. So are we."


def test_nobody_is_named_where_we_are_not_in_the_table() -> None:
    assert list(behind(a_table(rows=(Row("one way", (1.0, 1, 1.0)),)))) == []


def test_a_table_is_the_same_figures_on_a_terminal_and_on_a_page() -> None:
    assert show.as_text(a_table()).splitlines() == [
        "CPU of a call, µs",
        "client        7 assets  answered  share",
        "binance_dust       100       300    2.0",
        "quicker             99       300    1.0",
        "slower           1,500       120      -",
        "Not ahead of quicker: 7 assets 99, ours 100; answered 300, ours 300. It does less.",
    ]
    assert show.as_markdown(a_table()).splitlines() == [
        "| client | 7 assets | answered | share |",
        "| --- | --- | --- | --- |",
        "| **binance_dust** | 100 | 300 | 2.0 |",
        "| quicker | 99 | 300 | 1.0 |",
        "| slower | 1,500 | 120 | - |",
    ]


def test_a_page_says_how_it_was_measured_and_who_is_ahead() -> None:
    text = show.section(Measured(a_table(), MACHINE), "../pictures/bench-calls.svg")

    assert "![CPU of a call, µs](../pictures/bench-calls.svg)" in text
    assert "rounds. Python 3.11.7, Linux x86_64, 2 processors, 2026-11-21." in text
    assert text.endswith(
        "- **quicker**: 7 assets 99, ours 100; answered 300, ours 300. It does less."
    )


def test_what_is_saved_is_read_again_and_a_new_table_takes_the_old_ones_place(
    tmp_path: Path,
) -> None:
    other = Measured(a_table(name="scan-fixed", plot=None), MACHINE)
    old, new = (Measured(a_table(about=about), MACHINE) for about in ("old", "new"))

    keep.save(tmp_path, [old, other])
    keep.save(tmp_path, [new])

    found = keep.load(tmp_path / "measurements.jsonl")
    assert list(found.values()) == [other, new]  # in the order of the page, not of the runs
    assert [file.name for file in (tmp_path / "pictures").iterdir()] == ["bench-calls.svg"]


def shapes(text: str, kind: str) -> list[ET.Element]:
    return list(ET.fromstring(text).iter(f"{{http://www.w3.org/2000/svg}}{kind}"))  # noqa: S314


def test_bars_are_as_long_as_their_figures_and_too_long_ones_are_cut() -> None:
    picture = plot.draw(a_table(columns=(Column("7 assets"), *[Column("", 0, None)] * 2)))

    ours, quicker, slower = (
        float(each.attrib["width"])
        for each in shapes(picture, "rect")
        if each.attrib["class"] != "ground"
    )
    assert quicker / ours == pytest.approx(0.99, abs=0.002)
    assert slower / ours == pytest.approx(plot.LONGEST, abs=0.01)
    assert len([each for each in shapes(picture, "path") if each.attrib["class"] == "cut"]) == 1
    assert "1,500" in {each.text for each in shapes(picture, "text")}


def test_lines_go_by_powers_of_ten_and_end_where_nothing_was_measured() -> None:
    rows = (Row(OURS, (40.0, 40.0, 40.0, 1.0)), Row("ccxt", (100.0, 1_000.0, None, 960.0)))
    columns = (Column("100"), Column("1,000"), Column("10,000"), Column("KiB an account"))
    picture = plot.draw(a_table(columns=columns, rows=rows, plot="lines", axis="accounts"))

    ours, ccxt = (
        [tuple(map(float, place.split())) for place in each.attrib["d"][1:].split(" L")]
        for each in shapes(picture, "path")
        if each.attrib["class"].startswith("line")
    )
    assert len({y for _, y in ours}) == 1
    assert ours[1][0] - ours[0][0] == pytest.approx(ours[2][0] - ours[1][0], abs=0.2)
    assert len(ccxt) == 2
    assert ccxt[1][1] < ccxt[0][1]


def test_names_at_the_ends_of_lines_are_moved_apart_in_order() -> None:
    found = plot.spread({"a": 10.0, "b": 12.0, "c": 100.0, "d": 9.0}, 15.0)

    assert found == {"d": 9.0, "a": 24.0, "b": 39.0, "c": 100.0}


@pytest.mark.long
@pytest.mark.parametrize("bench", BENCHES)
def test_a_measurement_still_runs_and_its_tables_have_their_places(bench: Any) -> None:
    for table in bench.measure(bench.TINY):
        assert table.name in keep.NAMES
        assert all(len(row.values) == len(table.columns) for row in table.rows), table.name
        figures = [v for row in table.rows for v in row.values if isinstance(v, float | int)]
        assert all(math.isfinite(value) and value >= 0 for value in figures), table.name


@pytest.mark.long
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_a_read_maps_no_memory_anew() -> None:
    """Two page faults a call before a session had freed a block larger than a read."""
    code = """
import asyncio, resource, sys
from tests.bench import clients

def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

async def main():
    async with clients.ours(sys.argv[1]) as desk:
        account = desk()
        for _ in range(20): await account.ask()
        before = faults()
        for _ in range(200): await account.ask()
        print((faults() - before) / 200)

asyncio.run(main())
"""
    with stub.serving() as url:
        command = [sys.executable, "-c", code, url]
        told = subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout  # noqa: S603

    assert float(told) < 1
