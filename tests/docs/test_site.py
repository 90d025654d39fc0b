"""The site as it was built, in a real browser: `nox -s docs` builds it and runs these."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from aiohttp import web

from tests.reports.page.browser import CHROMIUM, Browser, Tab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SITE = Path(os.environ.get("BUILT_SITE", "nowhere")).absolute()
PAGES = sorted(str(page.relative_to(SITE)) for page in SITE.rglob("*.html"))

pytestmark = [
    pytest.mark.skipif(not PAGES, reason="the site is built, and looked at, by nox -s docs"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here to look at the site"),
    pytest.mark.asyncio(loop_scope="module"),
]


async def answer(request: web.Request) -> web.StreamResponse:
    """Serve the site in a folder, with a page for what is not there, as hosts of sites do."""
    path = SITE / request.match_info["path"]
    if path.is_file() and SITE in path.parents:
        return web.FileResponse(path)
    return web.FileResponse(SITE / "404.html", status=404)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/some/folder/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/some/folder/"
    await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with Browser(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def tab(browser: Browser, address: str) -> AsyncIterator[Tab]:
    """Give a tab; whatever is done in it, nothing complains, and nobody else is asked."""
    async with browser.tab() as opened:
        yield opened
        assert opened.complaints == []
        assert {url for url in opened.requests if not url.startswith(("data:", address))} == set()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def search(browser: Browser, address: str) -> AsyncIterator[Tab]:
    async with browser.tab() as opened:
        await opened.open(f"{address}search.html")
        await opened.until("Search.hasIndex()")
        yield opened


async def found(search: Tab, words: str) -> list[str]:
    """Give the pages that a search finds, the best first."""
    look = f"Search._performSearch(...Search._parseQuery({json.dumps(words)}))"
    return await search.run(f"{look}.reverse().map(found => found[0] + found[2])")  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("ban", "stay-below-the-limits#when-the-exchange-still-refuses"),
        ("ip banned", "stay-below-the-limits#when-the-exchange-still-refuses"),
        ("418", "stay-below-the-limits#when-the-exchange-still-refuses"),
        ("rate limit exceeded", "stay-below-the-limits"),
        ("cooldown", "convert-safely#when-again"),
        ("sub-account", "keep-keys#sub-accounts"),
        ("ssh-agent", "keep-keys#let-an-ssh-agent-sign"),
        ("-5006", "handle-errors#row-cooldownerror"),
        ("-1021", "handle-errors#row-clockerror"),
        (
            "APIError(code=-2015): Invalid API-key, IP, or perm",
            "handle-errors#row-credentialserror",
        ),
        ("unknown", "recover-an-unknown-outcome"),
        ("rescue", "recover-an-unknown-outcome"),
        ("kill", "recover-an-unknown-outcome"),
        ("redis", "share-a-budget"),
        ("share budget", "share-a-budget"),
        ("proxy", "choose-the-way-out"),
        ("hledger", "take-the-books-elsewhere"),
        ("export", "take-the-books-elsewhere"),
        ("prometheus", "watch-with-prometheus"),
        ("alert on a ban", "watch-with-prometheus#alerts-and-a-dashboard"),
        ("sandbox", "test-your-code"),
        ("delisting", "convert-before-delisting"),
        ("freqtrade", "keep-open-trades"),
        ("repay", "gather-sell-and-repay"),
        ("docker", "run-as-a-service"),
        ("fleet", "run-a-fleet"),
        ("pandas", "analyse-dust"),
        ("mcp", "let-an-agent-ask"),
    ],
)
async def test_the_search_finds_the_how_to_first(search: Tab, words: str, page: str) -> None:
    assert (await found(search, words))[:1] == [f"how-to/{page}"]


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("LocalBudget", "reference/budget#binance_dust.budget.LocalBudget"),
        ("dust_log", "reference/client#binance_dust.DustClient.dust_log"),
        ("endpoints", "reference/endpoints"),
        ("install", "tutorial/first-calls"),
        ("ccxt", "compare"),
        ("python-binance", "compare"),
    ],
)
async def test_the_search_finds_a_name_or_a_title_first(search: Tab, words: str, page: str) -> None:
    assert (await found(search, words))[:1] == [page]


@pytest.mark.parametrize("words", ["budget", "cooldown", "fleet", "ledger", "sandbox", "log"])
async def test_records_of_decisions_come_last(search: Tab, words: str) -> None:
    records = [page.startswith("decisions/") for page in await found(search, words)]

    assert any(records)
    assert records == sorted(records)


async def test_the_page_of_the_search_shows_what_it_found(tab: Tab, address: str) -> None:
    await tab.open(f"{address}search.html?q=-5006")
    await tab.until("document.querySelectorAll('ul.search p.context').length === 2")

    shown = await tab.run("[...document.querySelectorAll('ul.search li')].map(li => li.innerText)")
    assert shown[0].startswith("Handle errors\n\n...CooldownError the account converted too")
    assert "-5006 converted too recently" in shown[1]


async def test_the_first_page_shows_what_counts_in_one_screen(tab: Tab, address: str) -> None:
    await tab.open(f"{address}index.html", width=1400, height=900)

    parts = await tab.run(
        "Object.fromEntries(['p', '.highlight-sh', '.highlight-python', 'p > img.only-light',"
        " '.table-wrapper', '#what-do-you-want-to-do h2'].map(part =>"
        " [part, [...document.querySelectorAll('#binance-dust > ' + part)]"
        ".map(e => e.getBoundingClientRect()).map(r => [r.left, r.top, r.right, r.bottom])]))"
    )
    assert len(parts[".highlight-sh"]) == 2
    for part, places in parts.items():
        assert places, part
        for left, top, right, bottom in places:
            assert 0 <= left < right <= 1400, part
            assert 0 <= top < bottom <= 900, part


WIDE_AND_NARROW = """(async pages => {
  const seen = [];
  const look = async () => {
    const frame = document.createElement("iframe");
    document.body.append(frame);
    for (let page; (page = pages.pop()); ) {
      frame.style = "border: 0; width: 1400px; height: 900px";
      await new Promise(done => { frame.onload = done; frame.src = page; });
      const root = frame.contentDocument;
      for (const each of root.querySelectorAll("pre, .table-wrapper"))
        if (each.scrollWidth > each.clientWidth)
          seen.push(`${page} cuts ${each.textContent.trim().slice(0, 60)}`);
      frame.style.width = "390px";
      if (root.documentElement.scrollWidth > 390) seen.push(`${page} is wider than a phone`);
      for (const each of root.querySelectorAll(".table-wrapper"))
        if (each.scrollWidth > each.clientWidth && each.querySelector("tr").cells.length < 4)
          seen.push(`${page} cuts on a phone ${each.textContent.trim().slice(0, 60)}`);
    }
    frame.remove();
  };
  await Promise.all([look(), look(), look()]);
  return seen;
})"""


async def test_nothing_is_cut_at_1400_pixels_and_what_can_be_fits_a_phone(
    tab: Tab, address: str
) -> None:
    await tab.open(f"{address}search.html", width=1400)

    seen = []
    for pages in (
        PAGES[at : at + 20] for at in range(0, len(PAGES), 20)
    ):  # so that none waits long
        seen += await tab.run(f"{WIDE_AND_NARROW}({json.dumps(pages)})")
    assert not seen, "\n".join(seen)


async def test_options_keep_their_two_hyphens(tab: Tab, address: str) -> None:
    await tab.open(f"{address}reference/command-line.html")

    assert "continue the file of --out;" in await tab.run("document.body.innerText")


async def test_a_button_copies_commands_without_prompts(tab: Tab, address: str) -> None:
    await tab.open(f"{address}reference/command-line.html")
    await tab.run("navigator.clipboard.writeText = async text => { window.copied = text }")

    copied = []
    for block in ("sh", "console"):
        await tab.run(f"document.querySelector('.highlight-{block} button.copy').click()")
        copied.append(await tab.run("window.copied"))

    assert copied[0] == "python3 -m pip install 'binance-dust[cli]'\n"
    assert copied[1].splitlines()[:2] == [
        "binance-dust --version",
        "binance-dust demo --accounts 10",
    ]
    assert "$" not in copied[1]


@pytest.mark.parametrize(
    ("shown", "copied"),
    [
        ("$ ls -a\n.\n..\n$ pwd\n", "ls -a\npwd\n"),
        (">>> if x:\n...     y\n...\n7\n", "if x:\n    y\n\n"),
        ("class Known:\n...\n", "class Known:\n...\n"),
        ("price = $5\n", "price = $5\n"),
    ],
)
async def test_what_is_copied_is_what_was_typed(search: Tab, shown: str, copied: str) -> None:
    assert await search.run(f"copied({json.dumps(shown)})") == copied


async def test_a_page_that_is_not_there_leads_back(browser: Browser, address: str) -> None:
    async with browser.tab() as tab:
        await tab.open(f"{address}how-to/deep/er/share-budget.html")
        await tab.until("document.querySelector('#first').href.includes('folder')")

        assert await tab.run("document.querySelector('#first').href") == f"{address}index.html"
        assert await tab.run("document.querySelector('form').action") == f"{address}search.html"
        assert await tab.run("document.querySelector('input').value") == "share budget"


async def test_both_schemes_have_a_mark_and_a_picture_of_their_own(tab: Tab, address: str) -> None:
    await tab.open(f"{address}index.html")

    for scheme in ("light", "dark"):
        await tab.media(prefers_color_scheme=scheme)
        await asyncio.sleep(0)
        shown = await tab.run(
            "[...document.images].filter(i => i.offsetWidth).map(i => i.src.split('/').at(-1))"
        )
        assert [name.endswith("-dark.svg") or "-dark.png" in name for name in shown] == [
            scheme == "dark"
        ] * 2
