"""How long the exchange makes an account wait between two conversions: learnt, never compiled in.

Sources name 1, 6 and 24 hours, and -5006 says "24 hours" whatever the rule is. Two things prove
something:

- two conversions closer together than a time: the rule is no longer than that;
- a refusal (-5006) at an age: the rule is longer than that. Or else somebody converted by hand in
  the meantime, which is likelier where the age was enough before, or is beyond all rules: such a
  refusal only starts the waiting anew, and a second one is believed.

A refused attempt costs one call and converts nothing, so it is worth making where the answer is not
known; but not for its own sake. Until anything is known the configured time is kept. Once a
conversion shows that it is enough, the shortest of the usual rules that nothing speaks against is
tried, then the next: at most two refusals, once, and from then on every attempt lands just after
the account may convert again. Newer evidence outweighs older, because the rule has changed before.

The rule is the exchange's and not an account's, so what accounts show of one kind and account type
is taken as a hint by those that know nothing yet; an account's own evidence is believed before it.
Accounts that contradict each other teach nobody: then there is more than one rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from binance_dust.ledger._entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from binance_dust.endpoints import AccountType
    from binance_dust.ledger._entry import LedgerEntry

__all__ = ["USUAL", "Cooldowns", "Lesson", "Scope", "next_eligible_at"]

USUAL: Final = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
"""The rules that were seen: 1 h (2026), 6 h (2021, and small liabilities), 24 h (2018)."""
MARGIN: Final = timedelta(seconds=15)
"""How long after the time itself an attempt is made."""
SLACK: Final = timedelta(seconds=10)
"""How far two clocks, or a request on its way, may put a refusal off. Less than `MARGIN`, so that
an attempt on time that is refused does speak against the time it was made at."""
ENTRIES_TO_LEARN_FROM: Final = 300
"""Entries that are read to learn from: what is older says nothing that these don't."""
_ONE_BY_ONE: Final = timedelta(minutes=10)
"""Conversions of different assets this close together are a program's that takes one a call: the
log does not tell by which call, and `dust_convert` may cool down asset by asset."""
_REFUSALS: Final = frozenset({-5006, 32110})
_LONGER: Final = 2
"""What a rule beyond the usual ones is looked for with: twice as long each time."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is proven about a rule."""

    longer_than: timedelta = timedelta(0)
    at_most: timedelta | None = None

    @property
    def contradictory(self) -> bool:
        """Whether no rule fits."""
        return self.at_most is not None and self.longer_than >= self.at_most

    def surprised_by(self, age: timedelta) -> bool:
        """Tell whether a refusal at this age is hard to explain by any rule that was seen."""
        return age >= (USUAL[-1] if self.at_most is None else min(self.at_most, USUAL[-1]))

    def after_refusal(self, age: timedelta) -> Lesson:
        """Learn that an account of this age was refused."""
        if self.at_most is not None and age >= self.at_most:
            # It was enough once: the rule has become longer.
            return Lesson(age)
        return Lesson(max(age, self.longer_than), self.at_most)

    def after_conversion(self, age: timedelta) -> Lesson:
        """Learn that an account of this age could convert again."""
        if age <= self.longer_than:
            return Lesson(timedelta(0), age)
        return Lesson(self.longer_than, age if self.at_most is None else min(age, self.at_most))

    def wait(self, configured: timedelta) -> timedelta:
        """Say after how long an attempt is worth making."""
        if self.at_most is None:
            if configured > self.longer_than:
                return configured
            usual = (rule for rule in USUAL if rule > self.longer_than)
            return next(usual, self.longer_than * _LONGER)
        fitting = (rule for rule in (*USUAL, configured) if self.longer_than < rule <= self.at_most)
        return min(fitting, default=self.at_most)


def together(lessons: Iterable[Lesson]) -> Lesson:
    """Join what several accounts have shown; nothing, where no one rule explains it."""
    longer, at_most = timedelta(0), None
    for lesson in lessons:
        longer = max(longer, lesson.longer_than)
        if lesson.at_most is not None:
            at_most = lesson.at_most if at_most is None else min(at_most, lesson.at_most)
    joined = Lesson(longer, at_most)
    return Lesson() if joined.contradictory else joined


@dataclass(slots=True)
class CooldownHistory:
    """What one account did and was refused, in the order of time, and what follows from it."""

    by_asset: bool = False
    """Whether conversions of different assets may follow each other at once.

    Programs are known that convert ten assets one by one by `dust_convert`; so only the same asset
    again counts there, and counts whichever way the exchange has it.
    """
    lesson: Lesson = field(default_factory=Lesson)
    _converted: dict[str, datetime] = field(default_factory=dict)
    _assets: frozenset[str] = frozenset()
    """What the last conversion took."""
    _refused: dict[str, datetime] = field(default_factory=dict)
    """Refusals that no conversion on record explains: another one must have come before."""

    def note(self, entry: LedgerEntry) -> None:
        """Learn from one more entry."""
        if entry.status == "confirmed" and entry.lines:
            self._note_conversion(entry)
        elif entry.status == "rejected" and entry.code in _REFUSALS:
            self._note_refusal(entry)

    def began(self, assets: Iterable[str]) -> datetime | None:
        """Tell when the cooldown of these assets began, as far as is known."""
        keys = list(self._keys(assets))
        times = (
            known[key] for known in (self._converted, self._refused) for key in keys & known.keys()
        )
        return max(times, default=None)

    def _note_conversion(self, entry: LedgerEntry) -> None:
        keys = list(self._keys(line.asset for line in entry.lines))
        first, last = min(line.at for line in entry.lines), max(line.at for line in entry.lines)
        before = [self._converted[key] for key in keys if key in self._converted]
        assets = frozenset(line.asset for line in entry.lines)
        if before and first > max(before):
            age = first - max(before)
            if self.by_asset or age > _ONE_BY_ONE or assets & self._assets:
                self.lesson = self.lesson.after_conversion(age)
        self._assets = assets
        for key in keys:
            self._converted[key] = last
            self._refused.pop(key, None)

    def _note_refusal(self, entry: LedgerEntry) -> None:
        keys = list(self._keys(entry.assets))
        began = self.began(entry.assets)
        unexplained = any(key in self._refused for key in keys)
        if began is not None:
            age = entry.at - began - SLACK
            if unexplained or not self.lesson.surprised_by(age):
                self.lesson = self.lesson.after_refusal(max(age, timedelta(0)))
                return
        # Somebody converted by hand, and that isn't on record: at the latest just now.
        self._refused.update(dict.fromkeys(keys, entry.at))

    def _keys(self, assets: Iterable[str]) -> Iterable[str]:
        return assets if self.by_asset else ("",)


class Scope(NamedTuple):
    """What has a cooldown of its own, as far as anybody knows."""

    account: str
    """By its name."""
    kind: Kind
    """Each of the exchange's calls has one of its own."""
    account_type: AccountType
    """And so has each wallet."""


class Cooldowns:
    """What the entries of a ledger say about when each account may convert again."""

    def __init__(self, entries: Iterable[LedgerEntry] = ()) -> None:
        """Learn from entries, oldest first."""
        self._histories: dict[Scope, CooldownHistory] = {}
        for entry in entries:
            self.note(entry)

    def note(self, entry: LedgerEntry) -> None:
        """Learn from one more entry, newer than the others."""
        self._history(Scope(entry.account, entry.kind, entry.account_type)).note(entry)

    def lesson(self, scope: Scope) -> Lesson:
        """Say what is known for an account: by itself, or else from the others of its kind."""
        own = self._history(scope).lesson
        taught = together(
            history.lesson
            for other, history in self._histories.items()
            if other[1:] == scope[1:] and other != scope
        )
        both = together((own, taught))
        return own if both == Lesson() else both

    def next_eligible_at(
        self,
        scope: Scope,
        *,
        now: datetime,
        configured: timedelta,
        assets: Iterable[str] = (),
    ) -> datetime:
        """Say when an attempt is worth making; `now`, where it is already.

        `assets` are what is to be converted, where each cools down by itself (`dust_convert`).
        With a `configured` of zero nothing is ever waited for.
        """
        began = self._history(scope).began(assets)
        if began is None or not configured:
            return now
        return max(now, began + self.lesson(scope).wait(configured) + MARGIN)

    def _history(self, scope: Scope) -> CooldownHistory:
        if scope not in self._histories:
            self._histories[scope] = CooldownHistory(by_asset=scope.kind is Kind.DUST_CONVERT)
        return self._histories[scope]


def next_eligible_at(
    history: Iterable[LedgerEntry],
    now: datetime,
    configured: timedelta,
    *,
    assets: Iterable[str] = (),
) -> datetime:
    """Say when one account may convert again, by its own history of one kind, oldest first."""
    cooldowns, scope = Cooldowns(), None
    for entry in history:
        scope = Scope(entry.account, entry.kind, entry.account_type)
        cooldowns.note(entry)
    if scope is None:
        return now
    return cooldowns.next_eligible_at(scope, now=now, configured=configured, assets=assets)
