"""The page in a real browser: it sorts, filters, switches, prints, speaks, and asks for nothing."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from binance_dust.errors import CredentialsError
from binance_dust.reports import write_page
from tests.reports.page.browser import CHROMIUM, Browser, Tab
from tests.reports.page.samples import AT, debt, dust, entry, report

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None, reason="there is no chromium here to look at the page with"
    ),
    pytest.mark.asyncio(loop_scope="module"),
]

HOSTILE = "</script><img src=x onerror=alert(1)>"


def write(folder: Path, accounts: int) -> Path:
    reports = [
        report(
            f"desk-{n:04}" if n else HOSTILE,
            dust("ADA", "1", f"{n + 1}.00000001", "0.00000001"),
            *([dust("币安人生", "1", "0.5", "0.01")] if n < 3 else []),
            debts=[debt("ETH", "0.001", "0", "0.3552")] if n % 20 == 0 else [],
            errors={"liabilities": CredentialsError("no", code=-2015)} if n == 7 else None,
        )
        for n in range(accounts)
    ]
    # Two figures that one float stands for: only exact digits tell them apart.
    reports += [
        report("less", dust("XRP", "1", "90071992547409.92000001", "0")),
        report("more", dust("XRP", "1", "90071992547409.92000002", "0")),
        report("fine", dust("XRP", "1", "0.000000001", "0")),
    ]
    entries = [
        entry(n, "desk-0001", datetime(2025 + n // 12, n % 12 + 1, 3, tzinfo=UTC), f"{n}", "0.01")
        for n in range(20)
    ]
    return write_page(folder / "report.html", reports, entries=entries, made_at=AT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with Browser(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("page"), 120)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a page with more rows than are written as HTML."""
    return write(tmp_path_factory.mktemp("large"), 1200)


@pytest_asyncio.fixture(loop_scope="module")
async def tab(browser: Browser, file: Path) -> AsyncIterator[Tab]:
    """Give the page in a tab; whatever a test does with it, it complains of nothing."""
    async with browser.tab() as opened:
        await opened.open(file)
        yield opened
        assert opened.complaints == []
        assert opened.requests == [file.as_uri()]


async def column(tab: Tab, table: str, index: int, part: str = "tBodies[0]") -> list[str]:
    """Give the shown cells of one column."""
    return await tab.run(  # type: ignore[no-any-return]
        f"[...document.getElementById('{table}-table').{part}.rows]"
        f".filter(row => !row.hidden).map(row => row.cells[{index}].textContent)"
    )


async def click(tab: Tab, selector: str) -> None:
    await tab.run(f"document.querySelector({selector!r}).click()")


async def filter_by(tab: Tab, table: str, words: str) -> str:
    """Type into a table's filter, and give what it says then."""
    await tab.run(f"(e => (e.focus(), e.select()))(document.getElementById('{table}-filter'))")
    await tab.write(words)
    return await said_of(tab, table)


async def said_of(tab: Tab, table: str) -> str:
    return await tab.run(  # type: ignore[no-any-return]
        f"document.getElementById('{table}-filter').closest('.tools')"
        ".querySelector('[role=status]').textContent"
    )


async def test_figures_sort_by_all_their_digits_and_names_as_people_do(tab: Tab) -> None:
    assert (await column(tab, "accounts", 0))[:3] == ["more", "less", "desk-0119"]

    await click(tab, "#accounts-table th:nth-child(4) button")
    assert (await column(tab, "accounts", 3))[:2] == ["0.000000001", "1.49000000"]
    assert await tab.run(
        "[...document.querySelectorAll('#accounts-table [aria-sort]')]"
        ".map(th => [th.textContent, th.getAttribute('aria-sort')])"
    ) == [["net", "ascending"]]

    await click(tab, "#accounts-table th:nth-child(4) button")
    assert (await column(tab, "accounts", 3))[:2] == [
        "90,071,992,547,409.92000002",
        "90,071,992,547,409.92000001",
    ]

    await filter_by(tab, "balances", "xrp")
    assert await column(tab, "balances", 0) == ["more", "less", "fine"]
    await click(tab, "#balances-table th:nth-child(6) button")
    assert await column(tab, "balances", 0) == ["fine", "less", "more"]

    await click(tab, "#accounts-table th:nth-child(1) button")
    assert (await column(tab, "accounts", 0))[:3] == [HOSTILE, "desk-0001", "desk-0002"]


async def test_unknown_values_sort_last_in_both_directions(tab: Tab) -> None:
    for _ in range(2):
        await click(tab, "#accounts-table th:nth-child(7) button")
        await filter_by(tab, "accounts", "desk-000")

        shown = await column(tab, "accounts", 6)
        assert (len(shown), shown[-1]) == (9, "\u2013")


async def test_a_filter_looks_at_all_rows_and_adds_up_what_it_finds(tab: Tab) -> None:
    assert await said_of(tab, "balances") == "126 rows, the first 50 shown"

    said = await filter_by(tab, "balances", "DESK-01 ada")

    assert said == "20 of 126 rows"
    # 101 to 120 are 2,210, twenty times the smallest unit on top, and the same in fees.
    part = "[...document.querySelector('#balances-table .part').cells].map(c => c.textContent)"
    assert await tab.run(part) == [
        *("these 20", "", ""),
        *("2,210.00000020", "0.00000020", "2,210.00000000"),
    ]
    await filter_by(tab, "balances", "xrp")
    assert (await tab.run(part))[3] == "180,143,985,094,819.840000031"

    assert await filter_by(tab, "balances", "币安 img") == "1 of 126 rows"
    assert await column(tab, "balances", 0) == [HOSTILE]
    assert await filter_by(tab, "balances", "nobody has this") == "0 of 126 rows"


async def test_more_rows_come_when_asked_for_and_reading_goes_on_where_they_begin(
    browser: Browser, large: Path
) -> None:
    async with browser.tab() as tab:
        await tab.open(large)
        await click(tab, "#accounts .more button")

        assert len(await column(tab, "accounts", 0)) == 550
        assert await tab.run("document.activeElement.parentElement.sectionRowIndex") == 50

        await click(tab, "#accounts .more button:nth-child(2)")
        names = await column(tab, "accounts", 0)
        assert len(names) == len(set(names)) == 1203
        buttons = "[...document.querySelectorAll('#accounts .more button')]"
        left = await tab.run(
            f"{buttons}.filter(each => !each.hidden).map(each => each.textContent)"
        )
        assert left == ["CSV"]

        assert await filter_by(tab, "accounts", "alert") == "1 of 1,203 rows"
        assert await column(tab, "accounts", 0) == [HOSTILE]
        assert tab.complaints == []


async def test_the_switch_turns_the_colours_and_the_system_is_the_default(tab: Tab) -> None:
    async def paper() -> str:
        return await tab.run("getComputedStyle(document.body).backgroundColor")  # type: ignore[no-any-return]

    await tab.media(prefers_color_scheme="light")
    light = await paper()
    await tab.media(prefers_color_scheme="dark")
    dark = await paper()
    assert (light, dark) == ("rgb(250, 249, 246)", "rgb(20, 22, 26)")
    await tab.until("document.getElementById('scheme').textContent === 'Light colours'")

    await click(tab, "#scheme")
    assert await paper() == light
    assert await tab.run("document.getElementById('scheme').textContent") == "Dark colours"
    await click(tab, "#scheme")
    assert await paper() == dark
    await tab.run("localStorage.clear()")


async def test_on_paper_it_is_light_and_whole_without_what_can_only_be_clicked(tab: Tab) -> None:
    await tab.media("print", prefers_color_scheme="dark")

    assert (
        await tab.run("getComputedStyle(document.querySelector('h1')).color") == "rgb(29, 31, 36)"
    )
    for gone in ("nav", "#scheme", ".tools input", ".more"):
        style = f"getComputedStyle(document.querySelector('{gone}')).display"
        assert await tab.run(style) == "none", gone
    assert await tab.run("document.querySelector('#accounts .count').checkVisibility()")
    assert (await tab.pdf()).startswith(b"%PDF")


@pytest.mark.long
async def test_on_paper_every_row_is_there(browser: Browser, large: Path) -> None:
    async with browser.tab() as tab:
        await tab.open(large)
        assert len(await column(tab, "accounts", 0)) == 50

        await tab.media("print")
        await tab.until("document.getElementById('accounts-table').tBodies[0].rows.length > 50")

        assert len(await column(tab, "accounts", 0)) == 1203
        await tab.media("screen")
        await tab.until("document.getElementById('accounts-table').tBodies[0].rows.length === 50")


async def test_a_table_is_saved_as_csv_whole_exact_and_without_formulas(tab: Tab) -> None:
    await tab.run("void (URL.createObjectURL = blob => ((window.saved = blob), '#saved'))")
    await tab.run("void document.querySelector('[aria-label^=\"CSV: Dust by account\"]').click()")

    lines = list(csv.reader(io.StringIO(await tab.run("window.saved.text()"))))

    assert len(lines) == 1 + 123
    assert lines[0][:4] == ["account", "gross", "fee", "net"]
    by_name = {row[0]: row for row in lines[1:]}
    assert by_name["more"][1] == "90071992547409.92000002"
    assert by_name[HOSTILE][3] == "1.49000000"
    cells = await tab.run("document.querySelectorAll('[aria-label^=\"CSV: \"]').length")
    assert cells == await tab.run("document.querySelectorAll('table[data-key]').length")


async def test_everything_can_be_reached_and_worked_by_keyboard(tab: Tab) -> None:
    await tab.press("Tab", code=9)
    assert await tab.run("document.activeElement.textContent") == "Skip to the figures"
    assert await tab.run("document.activeElement.getBoundingClientRect().left") >= 0

    await tab.run("document.getElementById('accounts-filter').focus()")
    await tab.press("Tab", code=9)
    assert await tab.run("document.activeElement.textContent") == "account"
    assert await tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await tab.press("Enter", code=13, text="\r")
    assert (await column(tab, "accounts", 0))[1] == "desk-0001"
    await tab.press("Enter", code=13, text="\r")
    assert (await column(tab, "accounts", 0))[:2] == ["more", "less"]


def value(node: dict[str, Any], name: str) -> Any:
    return node.get(name, {}).get("value", "")


async def test_a_screen_reader_hears_landmarks_headings_and_a_name_for_every_control(
    tab: Tab,
) -> None:
    nodes = await tab.tree()
    named: dict[str, list[str]] = {}
    for node in nodes:
        named.setdefault(value(node, "role"), []).append(value(node, "name"))

    assert {"banner", "main", "contentinfo"} <= named.keys()
    assert named["navigation"] == ["Contents"]
    assert named["heading"][:3] == ["Dust and small debts", "Dust by asset", "Dust by account"]
    assert "Summary" in named["region"]
    assert named["searchbox"][0] == "Filter: Dust by account, in BNB"
    for role in ("button", "link", "searchbox", "table", "image", "region"):
        assert all(named[role]), role
        if role in ("searchbox", "table", "region"):
            assert len(set(named[role])) == len(named[role]), role
    assert any(name.startswith("What came in, after fees: 20 months") for name in named["image"])


CONTRASTS = """
(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const solid = (e) => {
    for (; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
      if (a === 1) return [r, g, b];
      if (a !== 0) throw new Error("half transparent");
    }
  };
  const part = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((m, n) => n - m);
    return (x + 0.05) / (y + 0.05);
  };
  const found = new Map();
  const note = (what, value) => found.set(what, Math.min(value, found.get(what) ?? 99));
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !e.checkVisibility() || e.matches("script")) continue;
    const color = e.closest("svg") ? getComputedStyle(e).fill : getComputedStyle(e).color;
    const kind = `text ${e.tagName} ${e.getAttribute('class') ?? ''}`;
    note(kind, contrast(parse(color), solid(e)));
  }
  for (const e of document.querySelectorAll(".fill")) {
    note("graphic bar", contrast(parse(getComputedStyle(e).fill), solid(e.closest("figure"))));
  }
  for (const e of document.querySelectorAll("input, button")) {
    if (!e.checkVisibility() || e.closest("thead")) continue;
    const edge = parse(getComputedStyle(e).borderTopColor);
    note("graphic edge", contrast(edge, solid(e.parentElement)));
  }
  return [...found];
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everything_has_enough_contrast(tab: Tab, scheme: str) -> None:
    """Contrast is AA: 4.5 for text, 3 for bars and the edges of what can be worked."""
    await tab.media(prefers_color_scheme=scheme)

    measured = dict(await tab.run(CONTRASTS))

    assert len(measured) > 10
    weak = {
        what: round(ratio, 2)
        for what, ratio in measured.items()
        if ratio < (3 if what.startswith("graphic") else 4.5)
    }
    assert weak == {}


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
async def test_the_page_fits_any_width_and_only_tables_scroll_aside(tab: Tab, width: int) -> None:
    await tab.resize(width, 800)

    await tab.until(f"document.documentElement.scrollWidth === {width}")
    assert await tab.run("document.querySelector('#accounts h2').getBoundingClientRect().left") >= 0


async def test_the_head_of_a_table_that_fits_stays_in_sight(tab: Tab) -> None:
    head = "document.querySelector('#balances-table th')"
    await tab.until("document.querySelector('#balances .fits')")
    await tab.run("document.querySelector('#balances-table tbody').rows[20].scrollIntoView(true)")
    await tab.until(f"{head}.getBoundingClientRect().top === 0")

    await tab.resize(375, 800)
    await tab.until("!document.querySelector('#balances .fits')")


async def test_there_is_no_motion_for_readers_who_prefer_none(tab: Tab) -> None:
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert await tab.run(behaviour) == "smooth"

    await tab.media(prefers_reduced_motion="reduce")

    assert await tab.run(behaviour) == "auto"


async def test_without_its_script_the_page_still_says_what_it_has_to_say(
    browser: Browser, large: Path
) -> None:
    async with browser.tab() as tab:
        await tab.send("Emulation.setScriptExecutionDisabled", value=True)
        await tab.open(large)

        assert len(await column(tab, "accounts", 0)) == 1000
        notes = await tab.run("document.querySelector('#accounts .unscripted').innerText")
        assert notes.startswith("203 more rows are in this page")
        assert not await tab.run("document.querySelector('input, button:not([hidden])')")


@pytest.fixture
def foreign(file: Path, tmp_path: Path) -> Path:
    """Give the page with a script and a picture in it that are not its own."""
    text = file.read_text(encoding="utf-8")
    added = "<script>document.title='owned'</script><img src='http://127.0.0.1:9/x'></main>"
    changed = tmp_path / "changed.html"
    changed.write_text(text.replace("</main>", added), encoding="utf-8")
    return changed


async def test_the_pages_policy_stops_what_is_not_its_own(browser: Browser, foreign: Path) -> None:
    """So the silence of the other tests means something."""
    async with browser.tab() as tab:
        await tab.open(foreign)

        assert await tab.run("document.title") == "Dust and small debts"
        assert any("script" in complaint for complaint in tab.complaints)
        assert any("127.0.0.1" in complaint for complaint in tab.complaints)
