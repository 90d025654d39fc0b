"""How far a scan is, and how long it will take, as the budgets make it.

The time left is that of the slowest lane: its budget foretells when the last of the calls that are
still to come can be sent. Where no budget is short, it is the time that answers take.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from binance_dust._util.checks import instance
from binance_dust._util.words import duration
from binance_dust.client import DustClient
from binance_dust.errors import ConfigurationError
from binance_dust.scanner._desk import ENDPOINTS, Desk, Question, Share, questions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from binance_dust.scanner._desk import Liabilities
    from binance_dust.session import Session

__all__ = ["LaneEstimate", "LaneProgress", "ScanEstimate", "ScanProgress", "estimate_scan"]


@dataclass(frozen=True, slots=True)
class LaneEstimate:
    """One question at one session, before the first request."""

    session: int
    """The number of the session, in the order in which its first account came."""
    question: Question
    calls: int
    weight: int
    """Of all these calls together."""
    seconds: float
    """Until the last of them can be sent."""


@dataclass(frozen=True, slots=True)
class ScanEstimate:
    """How long the limits will make a scan last. What answers take comes on top."""

    accounts: int
    seconds: float
    lanes: tuple[LaneEstimate, ...]
    """The slowest first."""

    def __str__(self) -> str:
        rows = ", ".join(
            f"{lane.question} {lane.calls} x {lane.weight // max(1, lane.calls)}"
            f" in {duration(lane.seconds)}"
            for lane in self.lanes
        )
        return f"{self.accounts} accounts in {duration(self.seconds)} ({rows})"


@dataclass(frozen=True, slots=True)
class LaneProgress:
    """One question at one session, during a scan."""

    session: int
    question: Question
    asked: int
    answered: int
    expected: int
    """How often it will have been asked, as far as can be foreseen."""
    seconds_left: float
    """Until the last of them can be sent."""

    @property
    def waiting(self) -> int:
        """Calls that wait for weight, or for their answer."""
        return self.asked - self.answered


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """A scan at one moment."""

    done: int
    failed: int
    """How many of these have a part that failed."""
    total: int | None
    """`None` where the accounts come from something without a length."""
    elapsed: float
    seconds_left: float | None
    """`None` where the total is not known."""
    lanes: tuple[LaneProgress, ...]


def estimate_scan(
    clients: Iterable[DustClient],
    *,
    liabilities: Liabilities = "auto",
    margin_share: float = 1.0,
    debt_share: float = 1.0,
) -> ScanEstimate:
    """Say how long the limits will make a scan last; sends nothing.

    With `liabilities="auto"` this depends on how many accounts have margin and debts. Unless you
    say (`margin_share=0.3, debt_share=0.1`, of all accounts), all are taken to have both, and the
    estimate is the longest that it can be.

    Until a session has seen that windows are cut by the clock they are taken to slide: where they
    are cut, a scan that begins late in one is done sooner than this, by less than a window.
    """
    for name, share in (("margin_share", margin_share), ("debt_share", debt_share)):
        if not isinstance(share, int | float) or isinstance(share, bool):
            raise TypeError(f"{name} must be a number, not {type(share).__name__}")
        if not 0 <= share <= 1:
            raise ConfigurationError(f"{name} must be between 0 and 1, not {share}")
    questions(liabilities)
    counts: Counter[Session] = Counter(
        instance(client, DustClient, "each client").session for client in clients
    )
    lanes = [
        lane
        for number, (session, accounts) in enumerate(counts.items())
        for lane in _foresee(number, session, accounts, liabilities, (margin_share, debt_share))
    ]
    paces = [
        sum(lane.calls for lane in lanes if lane.session == number)
        / session.budget.snapshot().requests_per_second
        for number, session in enumerate(counts)
    ]
    lanes.sort(key=lambda lane: lane.seconds, reverse=True)
    seconds = max([lane.seconds for lane in lanes] + paces, default=0.0)
    return ScanEstimate(counts.total(), seconds, tuple(lanes))


def _foresee(
    number: int,
    session: Session,
    accounts: int,
    liabilities: Liabilities,
    shares: tuple[float, float],
) -> Iterable[LaneEstimate]:
    for question in questions(liabilities):
        share = 1.0
        if question is Question.MARGIN_DEBT:
            share = shares[0]
        elif liabilities == "auto" and question is Question.LIST:
            share = min(shares)
        endpoint, calls = ENDPOINTS[question], math.ceil(accounts * share)
        yield LaneEstimate(
            number,
            question,
            calls,
            calls * endpoint.weight.cost,
            session.forecast(endpoint, calls),
        )


def lanes_of(
    desks: Sequence[Desk], asks: tuple[Question, ...], margin: Share, debt: Share
) -> tuple[LaneProgress, ...]:
    """Show every lane of a scan."""
    found = []
    for number, desk in enumerate(desks):
        for question in asks:
            tally = desk.tallies[question]
            due = max(0, round(desk.due(question, margin, debt)))
            found.append(
                LaneProgress(
                    number,
                    question,
                    tally.asked,
                    tally.answered,
                    tally.asked + due,
                    desk.session.forecast(ENDPOINTS[question], due)
                    if due
                    else _line(desk, question),
                )
            )
    return tuple(found)


def seconds_left(
    desks: Sequence[Desk],
    lanes: tuple[LaneProgress, ...],
    margin: Share,
    concurrency: int,
) -> float:
    """Say how long the slowest of these will be."""
    latest = 0.0
    for lane in lanes:
        if lane.expected > lane.answered:
            took = desks[lane.session].tallies[lane.question].usual
            latest = max(latest, lane.seconds_left + took)
    for desk in desks:
        unread = (desk.accounts or desk.begun) - desk.tallies[Question.ASSETS].answered
        latest = max(latest, unread * _usual_visit(desk, margin) / concurrency)
    return latest


def _usual_visit(desk: Desk, margin: Share) -> float:
    """Seconds that an account takes where no lane is short: its parts run side by side."""
    usual = {question: tally.usual for question, tally in desk.tallies.items()}
    debts = usual[Question.MARGIN_ENABLED] + margin.value * usual[Question.MARGIN_DEBT]
    return max(usual[Question.ASSETS], usual[Question.QUOTE], debts)


def _line(desk: Desk, question: Question) -> float:
    """Seconds until those who stand in line already can be sent."""
    tally = desk.tallies[question]
    if tally.asked == tally.answered:
        return 0.0
    return desk.session.forecast(ENDPOINTS[question], 0)
