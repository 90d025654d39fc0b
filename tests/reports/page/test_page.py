"""The page is well formed, self-contained and exact, and hostile names do nothing to it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.message import Message
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust._util.words import visible
from binance_dust.errors import ConfigurationError, CredentialsError, NoAnswerError
from binance_dust.ledger import Kind, SettledBy
from binance_dust.models import UserAsset
from binance_dust.reports import AccountReport, page
from tests.reports.page.reading import Element, read
from tests.reports.page.samples import AT, debt, dust, entry, report

NONE = "\u2013"
MANUAL = "https://docs.example/"

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\"' onmouseover='alert(1)",
    "&lt;&amp;",
    "שלום\u202eevil\u2066",
    "币安人生",
    "a\x00b\nc\ud800",
    "{{7*7}}${7*7}",
]


def sample_page(**options: Any) -> str:
    reports = [
        report("alice", dust("ADA", "6.21", "0.0099", "0.000198"), dust("XRP", "2", "0.01", "0")),
        report(
            "bob",
            dust("ADA", "1.5", "0.00000003", "0.00000001"),
            debts=[debt("ETH", "0.001", "0.00083334", "0.3552")],
        ),
        report("carol", errors={"quote": CredentialsError("no <b>key</b>", code=-2015)}),
    ]
    entries = [
        entry(1, "alice", datetime(2026, 3, 9, tzinfo=UTC), "0.5", "0.01"),
        entry(2, "bob", datetime(2026, 5, 9, tzinfo=UTC), "0.25", "0.005"),
        entry(3, "bob", datetime(2026, 5, 10, tzinfo=UTC), "1", "0", "unknown"),
    ]
    return page(reports, entries=entries, made_at=AT, **options)


def tiles(root: Element) -> dict[str, str]:
    """Give the tiles: each term with its figure."""
    (shown,) = (each for each in root.all("dl") if each.attributes["class"] == "tiles")
    return {each.one("dt").text: each.all("dd")[0].text for each in shown.all("div")}


def test_the_page_has_landmarks_headings_and_names_for_all_of_them() -> None:
    root = read(sample_page(title="Desk <7>"))

    assert root.one("html").attributes["lang"] == "en"
    assert root.one("head").one("title").text == root.one("h1").text == "Desk <7>"
    for landmark in ("header", "nav", "main", "footer"):
        assert root.one(landmark).text.strip()
    for section in root.all("section"):
        label = section.attributes.get("aria-labelledby")
        assert "aria-label" in section.attributes or root.by_id(str(label)).tag == "h2"
    ids = [each.attributes["id"] for each in root.all() if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    inner = {link.removeprefix("#") for link in links_of(root) if link.startswith("#")}
    assert inner <= set(ids)


def test_every_table_has_a_caption_and_says_what_its_headers_are_for() -> None:
    tables = read(sample_page()).all("table")

    assert len(tables) == 9
    for table in tables:
        assert table.one("caption").text
        assert {th.attributes["scope"] for th in table.one("thead").all("th")} == {"col"}
        for row in table.one("tbody").all("tr"):
            assert [th.attributes["scope"] for th in row.all("th")] == ["row"]
            assert len(row.all("th", "td")) == len(table.one("thead").all("th"))


def test_totals_are_there_with_every_digit() -> None:
    root = read(sample_page())

    assert tiles(root) == {
        "Dust would bring": "0.01970202 BNB",
        "Small debts": "0.3552 USDT",
        "Accounts": "3",
        "Failures": "1",
        "Came in so far": "0.735 BNB",
        "Outcomes open": "1",
    }
    assert root.by_id("assets-table").rows() == [
        ["XRP", "1", "2.00000000", "0.01000000", "0.00000000", "0.01000000"],
        ["ADA", "2", "7.71000000", "0.00990003", "0.00019801", "0.00970202"],
    ]
    assert root.by_id("assets-table").rows("tfoot") == [
        ["2 assets", "", "", "0.01990003", "0.00019801", "0.01970202"]
    ]
    assert root.by_id("balances-table").rows("tfoot")[0][-1] == "0.01970202"


def test_an_account_that_failed_looks_different_from_one_that_has_nothing() -> None:
    root = read(sample_page())

    rows = {row[0]: row[1:] for row in root.by_id("accounts-table").rows()}
    assert rows["carol"][:4] == [NONE, NONE, NONE, NONE]
    assert "failed: quote" in rows["carol"]
    assert root.by_id("advice-table").rows() == [
        ["CredentialsError", "1", "Check the key, its permissions and its list of addresses."]
    ]
    assert root.by_id("failures-table").rows() == [
        ["carol", "quote", "CredentialsError", "-2015 no <b>key</b>"]
    ]


def test_what_came_in_is_shown_by_month_and_by_call() -> None:
    root = read(sample_page())

    assert root.by_id("months-table").rows() == [
        ["2026-05", "1", "0.25000000", "0.00500000", "0.24500000"],
        ["2026-03", "1", "0.50000000", "0.01000000", "0.49000000"],
    ]
    (drawing,) = (each for each in root.all("svg") if each.attributes.get("role") == "img")
    assert drawing.attributes["aria-label"] == (
        "What came in, after fees: 3 months to 2026-05; the most in 2026-03, 0.49000000 BNB."
        " The table has every figure."
    )
    heights = [float(each.attributes["height"]) for each in drawing.all("rect")]
    assert heights == [270.0, 0.0, pytest.approx(135.0)]
    assert root.by_id("entries-table").rows()[0][4:] == ["unknown", NONE, NONE, NONE, "BNB", "3"]


@pytest.mark.parametrize(
    ("settled_by", "reason", "state"),
    [
        (None, None, "unknown"),
        (None, "the line broke", "unknown: the line broke"),
        (SettledBy.ANSWER, "-5001", "unknown: -5001"),
        (SettledBy.HAND, None, "unknown, by hand"),
    ],
)
def test_a_call_shows_its_status_and_how_that_is_known(
    settled_by: SettledBy | None, reason: str | None, state: str
) -> None:
    call = replace(entry(1, "a", AT, "1", "0", "unknown"), settled_by=settled_by, reason=reason)

    assert read(page([], entries=[call])).by_id("entries-table").rows()[0][4] == state


@pytest.mark.parametrize(
    ("fee", "said"),
    [("0.01999800", "(2.00\u00a0%)"), ("0.01985", "(1.99\u00a0%)"), ("0", "(0.00\u00a0%)")],
)
def test_the_rate_of_the_fees_is_said_to_the_nearest_hundredth(fee: str, said: str) -> None:
    (tile,) = read(page([report("a", dust("X", "1", "1", fee)), report("b")])).all("dd")[1:2]

    assert tile.text.endswith(said)


def test_a_call_says_what_it_was() -> None:
    calls = [
        entry(3, "a", AT, "1", "0"),
        replace(entry(2, "a", AT, "1", "0"), account_type="MARGIN"),
        entry(1, "a", AT, "1", "0", kind=Kind.LIABILITIES),
    ]

    rows = read(page([], entries=calls)).by_id("entries-table").rows()
    assert [row[2] for row in rows] == ["dust", "dust, margin", "small liabilities"]


def test_bars_are_as_long_as_their_figures() -> None:
    (chart, *_) = (e for e in read(sample_page()).all("ol") if e.attributes["class"] == "bars")

    drawn = [
        (bar.one("svg").all("rect")[1].attributes["width"], bar.text) for bar in chart.all("li")
    ]
    assert drawn == [("100.0%", "XRP0.01000000"), ("97.02%", "ADA0.00970202")]


def test_with_several_targets_nothing_is_added_across_them() -> None:
    root = read(
        page(
            [
                report("a", dust("ADA", "1", "2", "0")),
                report("b", dust("ADA", "1", "3", "0"), target="USDT"),
            ],
            made_at=AT,
        )
    )

    assert root.by_id("assets-table").rows("tfoot") == []
    assert [row[:2] for row in root.by_id("assets-table").rows()] == [
        ["ADA", "USDT"],
        ["ADA", "BNB"],
    ]
    assert not [th for th in root.all("th") if "data-sum" in th.attributes]


@pytest.mark.parametrize(
    ("reports", "entries"),
    [
        ([], []),
        ([report("a")], []),
        ([], [entry(1, "a", AT, "1", "0")]),
        ([], [entry(1, "a", AT, "1", "0", "rejected")]),
        ([report("a", errors={"quote": NoAnswerError("none")})], []),
    ],
)
def test_a_page_with_little_or_nothing_on_it_is_whole(reports: Any, entries: Any) -> None:
    root = read(page(reports, entries=entries, made_at=AT))

    assert root.one("main").all("section")
    assert root.one("h1").text == "Dust and small debts"


@pytest.mark.parametrize(
    ("reports", "entries", "shown"),
    [
        ([], [], []),
        ([report("a")], [], ["accounts"]),
        ([report("a", dust("X", "1", "1", "0"))], [], ["assets", "accounts", "stays", "balances"]),
        ([report("a", debts=[debt("ETH", "1", "0", "2")])], [], ["accounts", "liabilities"]),
        ([report("a", errors={"quote": NoAnswerError("none")})], [], ["accounts", "failures"]),
        ([], [entry(1, "a", AT, "1", "0")], ["history"]),
    ],
)
def test_only_sections_with_something_to_show_are_there(
    reports: Any, entries: Any, shown: list[str]
) -> None:
    root = read(page(reports, entries=entries, made_at=AT))

    sections = [each.attributes.get("id") for each in root.one("main").all("section")]
    assert [name for name in sections if name] == shown


def test_the_page_loads_nothing_else() -> None:
    text = sample_page()
    root = read(text)

    style, script = root.one("style").text, root.all("script")[1].text
    assert not re.search(r"@import|url\(|innerHTML|fetch|XMLHttp|eval\(|import\(", style + script)
    for each in root.all():
        assert not {"src", "srcset", "style", "action", "onclick"} & each.attributes.keys()
        if each.tag not in ("link", "a"):
            assert "href" not in each.attributes
    assert root.one("link").attributes["href"].startswith("data:image/svg+xml,")
    (manual,) = (link for link in links_of(root) if not link.startswith("#"))
    assert manual.endswith("/how-to/handle-errors.md")
    assert text.count("://") == text.count("http://www.w3.org/2000/svg") + 1 == 2


def links_of(root: Element) -> list[str]:
    return [each.attributes["href"] for each in root.all("a")]


def test_failures_lead_to_what_to_do_about_them_if_the_package_says_where_its_docs_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert f"{MANUAL}how-to/handle-errors.md" in links_of(read(sample_page()))
    root = read(page([report("a", dust("X", "1", "1", "0"))], made_at=AT))
    assert all(link.startswith("#") for link in links_of(root))

    monkeypatch.undo()
    monkeypatch.setattr("importlib.metadata.metadata", not_installed)
    assert all(link.startswith("#") for link in links_of(read(sample_page())))


def not_installed(name: str) -> None:
    raise PackageNotFoundError(name)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package say where its documentation is, as an installed one does."""
    said = Message()
    said["Project-URL"] = f"Documentation, {MANUAL}index.md"
    monkeypatch.setattr("importlib.metadata.metadata", lambda _: said)


def test_the_page_says_why_what_stays_stays() -> None:
    rows = [
        UserAsset(asset="ADA", free=Decimal(1), locked=Decimal(2), freeze=Decimal(0)),
        UserAsset(asset="BNB", free=Decimal(3)),
        UserAsset(asset="SHIB", free=Decimal("0.5"), withdrawing=Decimal(4), ipoable=Decimal(5)),
        UserAsset(asset="OLD", free=Decimal(0), freeze=Decimal(6)),
    ]
    known = replace(report("alice", dust("ADA", "1", "1", "0")), assets=rows)
    unknown = replace(report("bob", errors={"quote": NoAnswerError("no")}), assets=rows)

    root = read(page([known, unknown], made_at=AT))

    (section,) = (each for each in root.all("section") if each.attributes.get("id") == "stays")
    shown = [[cell.text for cell in row.all("td")] for row in section.one("tbody").all("tr")]
    assert [(asset, amount) for asset, amount, _ in shown] == [
        ("ADA", "2.00000000"),
        ("BNB", "3.00000000"),
        ("OLD", "6.00000000"),
        ("SHIB", "0.50000000"),
        ("SHIB", "4.00000000"),
        ("SHIB", "5.00000000"),
    ]
    reasons = [why for _, _, why in shown]
    assert reasons[:3] == ["in an order", "is the target itself", "frozen by the exchange"]
    assert reasons[3] == "not on the exchange's list"
    assert "too much for dust, too little, or not supported" in section.text
    assert reasons[4:] == ["being withdrawn", "committed to a launch"]


def test_the_policy_allows_our_own_style_and_script_alone() -> None:
    root = read(sample_page())

    (policy,) = (
        each.attributes["content"]
        for each in root.all("meta")
        if each.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    data, script = root.all("script")
    assert data.attributes["type"] == "application/json"
    for element in (root.one("style"), script):
        digest = hashlib.sha256(element.text.encode()).digest()
        assert f"'sha256-{base64.b64encode(digest).decode()}'" in policy


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.one_of(st.text(), st.sampled_from(HOSTILE)), min_size=1, max_size=4),
    st.one_of(st.text(), st.sampled_from(HOSTILE)),
)
def test_hostile_names_are_text_wherever_they_stand(names: list[str], asset: str) -> None:
    tame = read(page([report("a", dust("X", "1", "1", "0")) for _ in names], made_at=AT))
    text = page(
        [
            report(
                name, dust(asset, "1", "1", "0"), target=asset, errors={name: NoAnswerError(name)}
            )
            if name != "quote"
            else report(name, dust(asset, "1", "1", "0"), target=asset)
            for name in names
        ],
        title=asset,
        made_at=AT,
    )

    root = read(text)
    text.encode()
    assert [row[0] for row in root.by_id("accounts-table").rows()] == [visible(n) for n in names]
    assert root.by_id("assets-table").rows()[0][0] == visible(asset)
    assert {e.tag for e in root.all()} <= {e.tag for e in tame.all()}
    assert len(root.all("script")) == 2
    attributes = {name for e in root.all() for name in e.attributes}
    assert attributes <= {name for e in tame.all() for name in e.attributes}


def many_reports(count: int) -> list[AccountReport]:
    return [
        report(f"</script>{n}", dust("ADA", "1", f"{Decimal(count - n) / 1000:f}", "0"))
        for n in range(count)
    ]


def test_rows_beyond_the_first_thousand_are_data_and_all_are_there() -> None:
    text = page([*many_reports(1203), report("\u202e\ud800")], made_at=AT)
    root = read(text)

    rest = json.loads(root.by_id("rest").text)
    written = root.by_id("accounts-table").rows()
    assert len(written) == 1000
    names = [row[0] for row in written + rest["accounts"]]
    assert names == [*(f"</script>{n}" for n in range(1203)), "\\u202e\\ud800"]
    assert [row[0] for row in written + rest["balances"]] == names[:-1]
    assert rest["accounts"][-2][:4] == ["</script>1202", "0.00100000", "0.00000000", "0.00100000"]
    assert "<" not in root.by_id("rest").text
    assert "204 more rows are in this page" in root.by_id("accounts").text


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (timedelta(milliseconds=1), "Read 2026-11-21 12:30:00 UTC."),
        (timedelta(minutes=7), "Read 2026-11-21 12:30:00 to 12:37:00 UTC."),
        (timedelta(hours=12), "Read 2026-11-21 12:30:00 UTC to 2026-11-22 00:30:00 UTC."),
    ],
)
def test_the_page_says_from_when_to_when_it_was_read(later: timedelta, expected: str) -> None:
    reports = [report("a"), replace(report("b"), at=AT + later)]

    assert read(page(reports, made_at=AT)).one("header").one("p").text == expected


def test_a_page_is_the_same_whenever_it_is_made_of_the_same() -> None:
    assert sample_page() == sample_page()


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no time zone"):
        page([], made_at=datetime(2026, 11, 21))  # noqa: DTZ001 - the point


def test_a_title_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="title must be a str"):
        page([], title=7)  # type: ignore[arg-type]
