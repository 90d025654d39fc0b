"""What a scan asks of one session: how often, how long it took, and how much more there will be.

The weights make the questions of an account very unequal: 2,400 accounts a minute can be asked for
their assets, 12,000 for their dust, and 120 for the list of their small debts. So every question
has a lane of its own, and accounts that wait in a slow one do not keep others from the fast ones.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from binance_dust import endpoints
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.endpoints import Endpoint
    from binance_dust.session import Session

Liabilities: TypeAlias = Literal["auto"] | bool

_HELD: Final = 512
"""Accounts of a session that may wait for the list, the rest of their report being made. More than
four windows' worth: enough to keep the slowest lane busy, and few enough to hold in memory."""
_REMEMBERED: Final = 64
"""Durations that the usual one is taken from."""


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


ENDPOINTS: Final[Mapping[Question, Endpoint[Any, Any]]] = {
    Question.ASSETS: endpoints.USER_ASSETS,
    Question.QUOTE: endpoints.CONVERTIBLE_ASSETS,
    Question.MARGIN_ENABLED: endpoints.ACCOUNT_INFO,
    Question.MARGIN_DEBT: endpoints.MARGIN_ACCOUNT,
    Question.LIST: endpoints.SMALL_LIABILITIES,
}


def questions(liabilities: Liabilities) -> tuple[Question, ...]:
    """Give the questions that a scan may ask, the cheap ones first; refuse what is no choice."""
    if liabilities != "auto" and not isinstance(liabilities, bool):
        raise ConfigurationError(f"liabilities must be True, False or 'auto', not {liabilities!r}")
    always = (Question.ASSETS, Question.QUOTE)
    match liabilities:
        case "auto":
            return (*always, Question.MARGIN_ENABLED, Question.MARGIN_DEBT, Question.LIST)
        case True:
            return (*always, Question.LIST)
        case _:
            return always


class Share:
    """The part of the accounts that need another question, as far as it was seen."""

    __slots__ = ("_seen", "_yes")

    def __init__(self) -> None:
        """Expect all of them, as if one account had been seen that needs it."""
        self._yes = 1
        self._seen = 1

    def saw(self, *, yes: bool) -> None:
        """Take note of one account."""
        self._yes += yes
        self._seen += 1

    @property
    def value(self) -> float:
        """Between 0 and 1."""
        return self._yes / self._seen


class Tally:
    """One question at one session."""

    __slots__ = ("answered", "asked", "due", "took")

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self.asked = 0
        self.answered = 0
        self.due = 0
        """Accounts that were found to need it."""
        self.took: deque[float] = deque(maxlen=_REMEMBERED)
        """Seconds that answers took, of late, where there was room to send at once."""

    @property
    def usual(self) -> float:
        """Seconds that an answer takes, give or take; 0 until one is here."""
        ordered = sorted(self.took)
        return ordered[len(ordered) // 2] if ordered else 0.0


class Desk:
    """One session's accounts in one scan."""

    __slots__ = ("accounts", "begun", "held", "scouted", "session", "slots", "tallies")

    def __init__(self, session: Session, concurrency: int) -> None:
        """Begin with no account."""
        self.session = session
        self.slots = asyncio.Semaphore(concurrency)
        """How many accounts are asked at once."""
        self.held = asyncio.Semaphore(_HELD)
        """How many wait for the list."""
        self.accounts: int | None = None
        """How many there are, where that was known beforehand."""
        self.begun = 0
        self.scouted = 0
        """Accounts of which is known whether they need the list."""
        self.tallies = {question: Tally() for question in Question}

    def due(self, question: Question, margin: Share, debt: Share) -> float:
        """Give how many calls are still to be asked, as far as can be foreseen."""
        tally, accounts = self.tallies[question], self.accounts or self.begun
        match question:
            case Question.MARGIN_DEBT:
                unknown = accounts - self.tallies[Question.MARGIN_ENABLED].answered
                return tally.due - tally.asked + unknown * margin.value
            case Question.LIST:
                return tally.due - tally.asked + (accounts - self.scouted) * debt.value
            case _:
                return accounts - tally.asked
