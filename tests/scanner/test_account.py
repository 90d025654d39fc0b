"""The scan of one account, with answers that come at once: what is asked, counted and settled."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from binance_dust import CredentialsError, DustError, ExchangeError, NoAnswerError
from binance_dust.reports import AccountReport, Settled
from binance_dust.scanner import Question
from binance_dust.scanner._account import AccountScan, DeskSchedules, ScanPlan
from binance_dust.scanner._lanes import SessionPart

ASSETS, QUOTE, ENABLED, DEBT, LIST, WALLETS = Question


class ToldAccount:
    """Answers each question as it was told to."""

    def __init__(self, room: float = 0.0, pace: float = 100.0, **answers: Any) -> None:
        self.name = "alice"
        self.session = SimpleNamespace(
            forecast=lambda _endpoint, calls: room if calls == 1 else 99.0,
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            budget=SimpleNamespace(snapshot=lambda: SimpleNamespace(requests_per_second=pace)),
        )
        self.answers = {
            "user_assets": ["an asset"],
            "convertible_assets": None,
            "account_info": SimpleNamespace(is_margin_enabled=True),
            "margin_account": SimpleNamespace(has_debt=True),
            "small_liabilities": ["a debt"],
        } | answers

    def _for_scans(self) -> ToldAccount:
        return self

    def __getattr__(self, name: str) -> Any:
        async def answer(*_: Any, **__: Any) -> Any:
            await asyncio.sleep(0.001)
            found = self.answers[name]
            if isinstance(found, DustError):
                raise found
            return found

        return answer


async def read(
    account: Any, liabilities: Any = "auto"
) -> tuple[AccountReport, SessionPart, list[float]]:
    part, plan = SessionPart(account.session, 4), plan_of(liabilities)
    reports: list[AccountReport] = []

    async def deliver(report: AccountReport) -> None:
        reports.append(report)

    await AccountScan(account, part, plan).run(deliver)
    (report,) = reports
    return report, part, [plan.margin.value, plan.debt.value]


def plan_of(liabilities: Any = "auto") -> ScanPlan:
    return ScanPlan(schedules=DeskSchedules(False), liabilities=liabilities)


def counts(part: SessionPart) -> list[tuple[int, int, int]]:
    lanes = [lane for question, lane in part.lanes.items() if question is not WALLETS]
    return [(lane.asked, lane.answered, lane.needed) for lane in lanes]


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
    report, part, seen = await read(ToldAccount(**answers))

    assert report.settled_by is settled
    assert counts(part) == [
        (1, 1, 0),
        (1, 1, 0),
        (asked[0], asked[0], 0),
        (asked[1], asked[1], asked[1]),
        (asked[2], asked[2], asked[2]),
    ]
    assert part.debts_known == 1
    assert seen == shares
    assert report.ok is (settled is not None)
    assert not part.places.locked()
    assert part.waiting_places._value == 512


@pytest.mark.parametrize(
    ("liabilities", "settled", "listed"),
    [(True, Settled.LIST, ["a debt"]), (False, Settled.NOT_ASKED, [])],
)
async def test_with_liabilities_true_or_false_no_cheap_question_is_asked(
    *, liabilities: bool, settled: Settled, listed: list[str]
) -> None:
    report, part, seen = await read(ToldAccount(), liabilities)

    assert report.settled_by is settled
    assert report.liabilities == listed
    assert counts(part)[2:4] == [(0, 0, 0), (0, 0, 0)]
    assert counts(part)[4] == (liabilities, liabilities, liabilities)
    assert part.debts_known == 1
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
async def test_a_key_that_is_refused_for_everything_is_not_tried_on_the_list(
    answers: dict[str, Any], asked: int, parts: set[str]
) -> None:
    report, part, _ = await read(ToldAccount(**answers))

    assert part.lanes[LIST].asked == part.lanes[LIST].needed == asked
    assert report.assets == ([] if "user_assets" in answers else ["an asset"])
    assert set(report.errors) == parts


async def test_a_refused_key_says_nothing_about_debts() -> None:
    account: Any = ToldAccount(user_assets=KEY, convertible_assets=KEY, account_info=KEY)
    part, plan = SessionPart(account.session, 4), plan_of()
    for _ in range(3):
        plan.debt.saw(yes=False)

    async def deliver(_: AccountReport) -> None:
        pass

    await AccountScan(account, part, plan).run(deliver)

    assert (plan.margin.value, plan.debt.value) == (1.0, 0.25)
    assert (part.debts_known, part.lanes[LIST].needed) == (1, 0)


async def test_a_refused_key_is_no_error_of_a_list_that_was_not_to_be_asked() -> None:
    report, _, _ = await read(
        ToldAccount(user_assets=KEY, convertible_assets=KEY), liabilities=False
    )

    assert set(report.errors) == {"assets", "quote"}
    assert report.settled_by is Settled.NOT_ASKED


@pytest.mark.parametrize(("room", "timed"), [(0.0, 1), (0.5, 0), (2.0, 0)])
async def test_a_call_that_had_to_wait_for_weight_is_not_timed(room: float, timed: int) -> None:
    _, part, _ = await read(ToldAccount(room))

    for lane in (part.lanes[question] for question in Question if question is not WALLETS):
        assert len(lane.took) == timed
        assert all(0 < seconds < 5 for seconds in lane.took)


async def test_a_call_that_had_to_wait_for_the_pace_is_not_timed() -> None:
    _, part, _ = await read(ToldAccount(pace=20.0))

    # Two go in a burst, and the others within a twentieth of a second each.
    assert [len(lane.took) for lane in part.lanes.values()] == [1, 1, 0, 0, 0, 0]
