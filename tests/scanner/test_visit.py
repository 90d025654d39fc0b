"""One account's visit, with answers that come at once: what is asked, counted and settled."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from binance_dust import CredentialsError, DustError, ExchangeError, NoAnswerError
from binance_dust.reports import AccountReport, Settled
from binance_dust.scanner import Question
from binance_dust.scanner._desk import Desk, Share
from binance_dust.scanner._visit import Visit

ASSETS, QUOTE, ENABLED, DEBT, LIST = Question


class Account:
    """Answers each question as it was told to."""

    def __init__(self, room: float = 0.0, **answers: Any) -> None:
        self.name = "alice"
        self.session = SimpleNamespace(
            forecast=lambda _endpoint, calls: room if calls == 1 else 99.0,
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )
        self.answers = {
            "user_assets": ["an asset"],
            "convertible_assets": None,
            "account_info": SimpleNamespace(is_margin_enabled=True),
            "margin_account": SimpleNamespace(has_debt=True),
            "small_liabilities": ["a debt"],
        } | answers

    def _for_scans(self) -> Account:
        return self

    def __getattr__(self, name: str) -> Any:
        async def answer(*_: Any, **__: Any) -> Any:
            await asyncio.sleep(0.001)
            found = self.answers[name]
            if isinstance(found, DustError):
                raise found
            return found

        return answer


async def visit(account: Any, liabilities: Any = "auto") -> tuple[AccountReport, Desk, list[float]]:
    desk, margin, debt = Desk(account.session, 4), Share(), Share()
    reports: list[AccountReport] = []

    async def deliver(report: AccountReport) -> None:
        reports.append(report)

    await Visit(account, desk=desk, target="BNB", account_type=None, margin=margin, debt=debt).run(
        liabilities, deliver
    )
    (report,) = reports
    return report, desk, [margin.value, debt.value]


def counts(desk: Desk) -> list[tuple[int, int, int]]:
    return [(tally.asked, tally.answered, tally.due) for tally in desk.tallies.values()]


NO_MARGIN = ExchangeError("no", code=-3003)
OTHER = ExchangeError("no", code=-3001)
LOST = NoAnswerError("dropped")
KEY = CredentialsError("no", code=-2015)


@pytest.mark.parametrize(
    ("answers", "settled", "asked", "shares"),
    [
        ({}, Settled.LIST, (1, 1, 1), [1.0, 1.0]),
        (
            {"account_info": SimpleNamespace(is_margin_enabled=False)},
            Settled.NO_MARGIN,
            (1, 0, 0),
            [0.5, 0.5],
        ),
        (
            {"margin_account": SimpleNamespace(has_debt=False)},
            Settled.NO_DEBT,
            (1, 1, 0),
            [1.0, 0.5],
        ),
        ({"margin_account": NO_MARGIN}, Settled.NO_MARGIN, (1, 1, 0), [1.0, 0.5]),
        ({"margin_account": OTHER}, Settled.LIST, (1, 1, 1), [1.0, 1.0]),
        ({"margin_account": LOST}, Settled.LIST, (1, 1, 1), [1.0, 1.0]),
        ({"account_info": LOST}, Settled.LIST, (1, 0, 1), [1.0, 1.0]),
        ({"small_liabilities": NO_MARGIN}, Settled.NO_MARGIN, (1, 1, 1), [1.0, 1.0]),
        ({"small_liabilities": OTHER}, None, (1, 1, 1), [1.0, 1.0]),
    ],
)
async def test_what_an_account_is_asked_is_settled_and_counted(
    answers: dict[str, Any],
    settled: Settled | None,
    asked: tuple[int, int, int],
    shares: list[float],
) -> None:
    report, desk, seen = await visit(Account(**answers))

    assert report.settled_by is settled
    assert counts(desk) == [
        (1, 1, 0),
        (1, 1, 0),
        (asked[0], asked[0], 0),
        (asked[1], asked[1], asked[1]),
        (asked[2], asked[2], asked[2]),
    ]
    assert desk.scouted == 1
    assert seen == shares
    assert report.ok is (settled is not None)
    assert not desk.slots.locked()
    assert desk.held._value == 512


@pytest.mark.parametrize(
    ("liabilities", "settled", "listed"),
    [(True, Settled.LIST, ["a debt"]), (False, Settled.NOT_ASKED, [])],
)
async def test_whoever_says_whether_the_list_is_wanted_is_asked_nothing_else(
    *, liabilities: bool, settled: Settled, listed: list[str]
) -> None:
    report, desk, seen = await visit(Account(), liabilities)

    assert report.settled_by is settled
    assert report.liabilities == listed
    assert counts(desk)[2:4] == [(0, 0, 0), (0, 0, 0)]
    assert counts(desk)[4] == (liabilities, liabilities, liabilities)
    assert desk.scouted == 1
    assert seen == [1.0, 1.0]


@pytest.mark.parametrize(
    ("answers", "asked", "parts"),
    [
        ({"user_assets": KEY, "convertible_assets": KEY}, 0, {"assets", "quote", "liabilities"}),
        ({"user_assets": KEY}, 1, {"assets"}),
        ({"convertible_assets": KEY}, 1, {"quote"}),
        ({"user_assets": LOST, "convertible_assets": KEY}, 1, {"assets", "quote"}),
    ],
)
async def test_a_key_that_is_refused_for_all_is_not_tried_on_the_list(
    answers: dict[str, Any], asked: int, parts: set[str]
) -> None:
    report, desk, _ = await visit(Account(**answers))

    assert desk.tallies[LIST].asked == desk.tallies[LIST].due == asked
    assert report.assets == ([] if "user_assets" in answers else ["an asset"])
    assert set(report.errors) == parts


async def test_a_refused_key_needs_no_excuse_for_a_list_that_nobody_wanted() -> None:
    report, _, _ = await visit(Account(user_assets=KEY, convertible_assets=KEY), liabilities=False)

    assert set(report.errors) == {"assets", "quote"}
    assert report.settled_by is Settled.NOT_ASKED


@pytest.mark.parametrize(("room", "timed"), [(0.0, 1), (0.5, 0), (2.0, 0)])
async def test_an_answer_that_was_waited_for_in_line_says_nothing_of_how_long_answers_take(
    room: float, timed: int
) -> None:
    _, desk, _ = await visit(Account(room))

    for tally in desk.tallies.values():
        assert len(tally.took) == timed
        assert all(0 < seconds < 5 for seconds in tally.took)
