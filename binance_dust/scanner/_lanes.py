"""The lanes of a scan: how often each session is asked each question, and how long it will take.

The weights make the questions of an account very unequal: in a minute 2,400 accounts can be asked
for their assets, 12,000 for their dust, and 120 for the list of their small debts. So every
question has its own lane at every session, and a slow lane does not block the fast ones.

The time left is that of the slowest lane: its budget foretells when the last of the remaining calls
can be sent. Where no budget is short, it is the pace of the address, or the time that answers take.
"""

from __future__ import annotations

import asyncio
import enum
import math
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from binance_dust import endpoints
from binance_dust._call.forecasts import PaceForecast
from binance_dust._util.checks import instance
from binance_dust._util.html import Record
from binance_dust._util.words import duration
from binance_dust.client import DustClient
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from binance_dust.endpoints import Endpoint
    from binance_dust.session import Session

__all__ = [
    "LaneEstimate",
    "LaneProgress",
    "Question",
    "ScanEstimate",
    "ScanProgress",
    "estimate_scan",
]

Liabilities: TypeAlias = Literal["auto"] | bool

WAITING_FOR_LIST: Final = 512
"""Accounts of a session that may wait for the list when all else is read. More than four windows'
worth: enough to keep the slowest lane busy, and few enough to hold in memory."""
_REMEMBERED: Final = 64
"""Recent durations that the usual one is taken from."""
_TIMED: Final = 8
"""When so many are known, one call of so many is timed."""


class Question(enum.StrEnum):
    """What an account is asked, named as the client's methods are."""

    ASSETS = "user_assets"
    """What is held."""
    QUOTE = "convertible_assets"
    """What can be converted, and what it would bring."""
    MARGIN_ENABLED = "account_info"
    """Whether there is margin at all."""
    MARGIN_DEBT = "margin_account"
    """Whether anything is owed there."""
    LIST = "small_liabilities"
    """Which small debts can be exchanged."""
    WALLETS = "wallet_balances"
    """What lies in other wallets."""


ENDPOINTS: Final[Mapping[Question, Endpoint[Any, Any]]] = {
    Question.ASSETS: endpoints.USER_ASSETS,
    Question.QUOTE: endpoints.CONVERTIBLE_ASSETS,
    Question.MARGIN_ENABLED: endpoints.ACCOUNT_INFO,
    Question.MARGIN_DEBT: endpoints.MARGIN_ACCOUNT,
    Question.LIST: endpoints.SMALL_LIABILITIES,
    Question.WALLETS: endpoints.WALLET_BALANCES,
}


def questions(liabilities: Liabilities, *, elsewhere: bool = False) -> tuple[Question, ...]:
    """Give the questions that a scan may ask, the cheap ones first; refuse other choices."""
    instance(elsewhere, bool, "elsewhere")
    if liabilities != "auto" and not isinstance(liabilities, bool):
        raise ConfigurationError(f"liabilities must be True, False or 'auto', not {liabilities!r}")
    always: tuple[Question, ...] = (Question.ASSETS, Question.QUOTE)
    if elsewhere:
        always = (*always, Question.WALLETS)
    match liabilities:
        case "auto":
            return (*always, Question.MARGIN_ENABLED, Question.MARGIN_DEBT, Question.LIST)
        case True:
            return (*always, Question.LIST)
        case _:
            return always


# --- counted during a scan -----------------------------------------------------------------------


class SeenShare:
    """The share of accounts that need another question, learnt from the accounts seen so far."""

    __slots__ = ("_seen", "_yes")

    def __init__(self) -> None:
        """Expect that all accounts need it, as if one such account had been seen."""
        self._yes = 1
        self._seen = 1

    def saw(self, *, yes: bool) -> None:
        """Count one account."""
        self._yes += yes
        self._seen += 1

    @property
    def value(self) -> float:
        """Between 0 and 1."""
        return self._yes / self._seen


class LaneCounts:
    """One question at one session: how often it was asked, and how long answers took."""

    __slots__ = ("answered", "asked", "needed", "took")

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self.asked = 0
        self.answered = 0
        self.needed = 0
        """Accounts that were found to need it."""
        self.took: deque[float] = deque(maxlen=_REMEMBERED)
        """Seconds that recent answers took. Only calls that were sent at once count."""

    @property
    def is_timed(self) -> bool:
        """Whether the last call is timed: that needs a forecast, so of many calls only some are."""
        return self.asked <= _REMEMBERED or self.asked % _TIMED == 0

    @property
    def usual(self) -> float:
        """Seconds that an answer usually takes; 0 before the first answer."""
        ordered = sorted(self.took)
        return ordered[len(ordered) // 2] if ordered else 0.0


class SessionPart:
    """One session's part of a scan."""

    __slots__ = (
        "accounts",
        "came",
        "debts_known",
        "lanes",
        "most_under_way",
        "next",
        "pace",
        "places",
        "session",
        "under_way",
        "waiting_places",
    )

    def __init__(self, session: Session, concurrency: int) -> None:
        """Begin with no account."""
        self.session = session
        self.pace = PaceForecast(session.budget.snapshot().requests_per_second)
        self.next: deque[DustClient] = deque()
        """Accounts that are not begun yet."""
        self.under_way = 0
        """Accounts that are begun and not done."""
        self.most_under_way = concurrency + WAITING_FOR_LIST
        """More would only wait for a place."""
        self.places = asyncio.Semaphore(concurrency)
        """For accounts that are asked at the same time."""
        self.waiting_places = asyncio.Semaphore(WAITING_FOR_LIST)
        """For accounts that wait for the list."""
        self.accounts: int | None = None
        """How many there are, if that was known beforehand."""
        self.came = 0
        """How many have come so far."""
        self.debts_known = 0
        """Accounts for which it is known whether they need the list."""
        self.lanes = {question: LaneCounts() for question in Question}

    def add(self, client: DustClient) -> None:
        """Take an account that will be read as soon as there is room."""
        self.next.append(client)
        self.came += 1

    def begin(self) -> DustClient | None:
        """Return the next account if one more may be begun."""
        if not self.next or self.under_way >= self.most_under_way:
            return None
        self.under_way += 1
        return self.next.popleft()

    def remaining(self, question: Question, margin: SeenShare, debt: SeenShare) -> float:
        """Foretell how many more calls this question needs."""
        lane, accounts = self.lanes[question], self.accounts or self.came
        match question:
            case Question.MARGIN_DEBT:
                unknown = accounts - self.lanes[Question.MARGIN_ENABLED].answered
                return lane.needed - lane.asked + unknown * margin.value
            case Question.LIST:
                return lane.needed - lane.asked + (accounts - self.debts_known) * debt.value
            case _:
                return accounts - lane.asked


# --- shown during a scan -------------------------------------------------------------------------


class LaneProgress(msgspec.Struct, Record, frozen=True):
    """One question at one session, during a scan."""

    session: int
    question: Question
    asked: int
    answered: int
    expected: int
    """Calls in the whole scan, as far as can be foreseen."""
    seconds_left: float
    """Until the last call can be sent."""

    @property
    def waiting(self) -> int:
        """Calls that wait for weight, or for their answer."""
        return self.asked - self.answered


class ScanProgress(msgspec.Struct, Record, frozen=True):
    """A scan at one moment."""

    done: int
    failed: int
    """How many of the done accounts have a part that failed."""
    total: int | None
    """`None` if the accounts come from something without a length."""
    elapsed: float
    seconds_left: float | None
    """`None` if the total is not known."""
    lanes: tuple[LaneProgress, ...]


def lanes_of(
    parts: Sequence[SessionPart], asked: tuple[Question, ...], margin: SeenShare, debt: SeenShare
) -> tuple[LaneProgress, ...]:
    """Show every lane of a scan."""
    found = []
    for number, part in enumerate(parts):
        for question in asked:
            lane = part.lanes[question]
            remaining = max(0, round(part.remaining(question, margin, debt)))
            seconds = 0.0
            if remaining or lane.asked != lane.answered:
                # With nothing remaining: until the calls that wait already can be sent.
                seconds = part.session.forecast(ENDPOINTS[question], remaining)
            found.append(
                LaneProgress(
                    number, question, lane.asked, lane.answered, lane.asked + remaining, seconds
                )
            )
    return tuple(found)


def seconds_left(
    parts: Sequence[SessionPart],
    lanes: tuple[LaneProgress, ...],
    margin: SeenShare,
    concurrency: int,
) -> float:
    """Foretell how long the slowest lane will take."""
    latest = 0.0
    for lane in lanes:
        if lane.expected > lane.answered:
            took = parts[lane.session].lanes[lane.question].usual
            latest = max(latest, lane.seconds_left + took)
    for part in parts:
        unread = (part.accounts or part.came) - part.lanes[Question.ASSETS].answered
        latest = max(latest, unread * _usual_account(part, margin) / concurrency)
    for number, part in enumerate(parts):
        # All lanes of a session together go at its pace.
        calls = sum(lane.expected - lane.answered for lane in lanes if lane.session == number)
        latest = max(latest, part.pace.seconds(calls))
    return latest


def _usual_account(part: SessionPart, margin: SeenShare) -> float:
    """Seconds that an account takes where no lane is short: its parts run side by side."""
    usual = {question: lane.usual for question, lane in part.lanes.items()}
    debts = usual[Question.MARGIN_ENABLED] + margin.value * usual[Question.MARGIN_DEBT]
    return max(usual[Question.ASSETS], usual[Question.QUOTE], usual[Question.WALLETS], debts)


# --- estimated before a scan ---------------------------------------------------------------------


class LaneEstimate(msgspec.Struct, Record, frozen=True):
    """One question at one session, before the first request."""

    session: int
    """The number of the session, in the order in which its first account came."""
    question: Question
    calls: int
    weight: int
    """Of all these calls together."""
    seconds: float
    """Until the last of them can be sent."""


class ScanEstimate(msgspec.Struct, Record, frozen=True):
    """How long the limits will make a scan last. The time that answers take comes on top."""

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


def estimate_scan(
    clients: Iterable[DustClient],
    *,
    liabilities: Liabilities = "auto",
    elsewhere: bool = False,
    margin_share: float = 1.0,
    debt_share: float = 1.0,
) -> ScanEstimate:
    """Say how long the limits will make a scan last; sends nothing.

    With `liabilities="auto"` this depends on how many accounts have margin and debts. Say how many
    (`margin_share=0.3, debt_share=0.1`, of all accounts) if you know. Otherwise all accounts are
    taken to have both, and the estimate is the longest possible.

    Others behind an address are expected to go on as a session has last seen them. So an estimate
    by a session that was used already is better than one by a new session.

    A session takes windows to slide until it has seen that they are cut by the clock. Where they
    are cut, a scan that begins late in a window ends sooner than estimated, by less than a window.
    """
    for name, share in (("margin_share", margin_share), ("debt_share", debt_share)):
        if not isinstance(share, int | float) or isinstance(share, bool):
            raise TypeError(f"{name} must be a number, not {type(share).__name__}")
        if not 0 <= share <= 1:
            raise ConfigurationError(f"{name} must be between 0 and 1, not {share}")
    asked = questions(liabilities, elsewhere=elsewhere)
    counts: Counter[Session] = Counter(
        instance(client, DustClient, "each client").session for client in clients
    )
    lanes = [
        lane
        for number, (session, accounts) in enumerate(counts.items())
        for lane in _estimate(
            number, session, accounts, asked, _shares(liabilities, margin_share, debt_share)
        )
    ]
    paces = [
        PaceForecast(session.budget.snapshot().requests_per_second).seconds(
            sum(lane.calls for lane in lanes if lane.session == number)
        )
        for number, session in enumerate(counts)
    ]
    lanes.sort(key=lambda lane: lane.seconds, reverse=True)
    seconds = max([lane.seconds for lane in lanes] + paces, default=0.0)
    return ScanEstimate(counts.total(), seconds, tuple(lanes))


def _shares(liabilities: Liabilities, margin: float, debt: float) -> Mapping[Question, float]:
    """Give the share of accounts that are asked, for questions that not all are asked."""
    auto = liabilities == "auto"
    return {Question.MARGIN_DEBT: margin, Question.LIST: min(margin, debt) if auto else 1.0}


def _estimate(
    number: int,
    session: Session,
    accounts: int,
    asked: tuple[Question, ...],
    shares: Mapping[Question, float],
) -> Iterable[LaneEstimate]:
    for question in asked:
        endpoint, calls = ENDPOINTS[question], math.ceil(accounts * shares.get(question, 1.0))
        yield LaneEstimate(
            number,
            question,
            calls,
            calls * endpoint.weight.cost,
            session.forecast(endpoint, calls),
        )
