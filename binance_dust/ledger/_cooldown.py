"""The cooldown: how long an account must wait between two conversions, learnt from its entries.

Sources name 1, 6 and 24 hours, and -5006 says "24 hours" whatever the rule is, so no number is
fixed here. Two things are evidence. "Age" is the time since the last conversion:

- A conversion at some age: the cooldown is at most that long.
- A refusal (-5006) at some age: the cooldown is longer than that. Or a person converted by hand in
  between. This is more likely if that age was enough before, or is longer than all known rules. So
  such a refusal only restarts the wait, and only a second one is believed.

A refused attempt costs one call and converts nothing, so it is worth making to learn the cooldown.
Without evidence, the configured time is kept. Once a conversion shows that it is enough, the
shortest usual rule that no evidence excludes is tried, then the next. That costs at most two
refusals, once. From then on, every attempt comes just after the account may convert again. Newer
evidence outweighs older, because the rule has changed before.

The rule is the exchange's and not an account's. So an account without evidence of its own uses what
other accounts show for the same kind and account type. If accounts contradict each other, there is
more than one rule, and their evidence is not shared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from binance_dust._answers.codes import cooled
from binance_dust._util.checks import to_timedelta
from binance_dust._util.html import Record
from binance_dust.ledger._entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from binance_dust.endpoints import AccountType
    from binance_dust.ledger._entry import LedgerEntry

__all__ = ["USUAL", "Cooldowns", "Lesson", "Scope", "next_eligible_at"]

USUAL: Final = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
"""The rules seen so far: 1 h (2026), 6 h (2021, and small liabilities), 24 h (2018)."""
DELAY: Final = timedelta(seconds=15)
"""How long after the end of a cooldown to try."""
SLACK: Final = timedelta(seconds=10)
"""How much clock differences and travel time may add to a refusal's age. Less than `DELAY`, so that
a refused attempt just after a cooldown is evidence that the cooldown is longer."""
ENTRIES_TO_LEARN_FROM: Final = 300
"""Entries to read as evidence: older ones would add nothing."""
_ONE_BY_ONE_WITHIN: Final = timedelta(minutes=10)
"""Conversions of different assets this close together come from a program that converts one asset a
call. The log does not name the call, and `dust_convert` may have a cooldown for each asset."""
_GROWTH: Final = 2
"""The factor by which to search for a rule longer than the usual ones."""


@dataclass(frozen=True, slots=True)
class Lesson(Record):
    """What is proven about a cooldown."""

    longer_than: timedelta = timedelta(0)
    at_most: timedelta | None = None

    @property
    def contradictory(self) -> bool:
        """Whether no cooldown fits."""
        return self.at_most is not None and self.longer_than >= self.at_most

    def surprised_by(self, age: timedelta) -> bool:
        """Whether no rule seen so far explains a refusal at this age."""
        return age >= (USUAL[-1] if self.at_most is None else min(self.at_most, USUAL[-1]))

    def after_refusal(self, age: timedelta) -> Lesson:
        """Return what is proven after a refusal at this age."""
        if self.at_most is not None and age >= self.at_most:
            # This age was enough before, so the rule has become longer.
            return Lesson(age)
        return Lesson(max(age, self.longer_than), self.at_most)

    def after_conversion(self, age: timedelta) -> Lesson:
        """Return what is proven after a conversion at this age."""
        if age <= self.longer_than:
            return Lesson(timedelta(0), age)
        return Lesson(self.longer_than, age if self.at_most is None else min(age, self.at_most))

    def wait(self, configured: timedelta | float) -> timedelta:
        """Return how long to wait before the next attempt."""
        configured = to_timedelta(configured, "configured")
        if self.at_most is None:
            if configured > self.longer_than:
                return configured
            usual = (rule for rule in USUAL if rule > self.longer_than)
            return next(usual, self.longer_than * _GROWTH)
        fitting = (rule for rule in (*USUAL, configured) if self.longer_than < rule <= self.at_most)
        return min(fitting, default=self.at_most)


def combined(lessons: Iterable[Lesson]) -> Lesson:
    """Join what several accounts have shown; nothing, if they contradict each other."""
    longer, at_most = timedelta(0), None
    for lesson in lessons:
        longer = max(longer, lesson.longer_than)
        if lesson.at_most is not None:
            at_most = lesson.at_most if at_most is None else min(at_most, lesson.at_most)
    joined = Lesson(longer, at_most)
    return Lesson() if joined.contradictory else joined


@dataclass(slots=True)
class CooldownHistory:
    """One account's conversions and refusals, in order of time, and what they prove."""

    by_asset: bool
    """Whether each asset has a cooldown of its own.

    Some programs convert ten assets one by one with `dust_convert`. So for that call, only a second
    conversion of the same asset is evidence; it is evidence under either rule.
    """
    lesson: Lesson = field(default_factory=Lesson)
    _converted: dict[str, datetime] = field(default_factory=dict)
    _assets: frozenset[str] = frozenset()
    """The assets of the last conversion."""
    _ids: set[int] = field(default_factory=set)
    """The ids of the conversions: one that is seen again, in another form, proves nothing."""
    _refused: dict[str, datetime] = field(default_factory=dict)
    """Refusals that no known conversion explains: an unknown one must have come before."""

    def note(self, entry: LedgerEntry) -> None:
        """Learn from the next entry."""
        if entry.lines:
            self._note_conversion(entry)
        elif entry.status == "rejected" and _is_for_cooldown(entry):
            self._note_refusal(entry)

    def began(self, assets: Iterable[str]) -> datetime | None:
        """Return when the cooldown of these assets began; `None` if not known."""
        keys = list(self._keys(assets))
        times = (
            known[key] for known in (self._converted, self._refused) for key in keys & known.keys()
        )
        return max(times, default=None)

    def _note_conversion(self, entry: LedgerEntry) -> None:
        ids = {line.transaction_id for line in entry.lines} | {entry.transaction_id}
        known = {number for number in ids if number is not None}
        if known & self._ids:
            return
        self._ids |= known
        keys = list(self._keys(line.asset for line in entry.lines))
        first, last = min(line.at for line in entry.lines), max(line.at for line in entry.lines)
        known_times = (self._converted[key] for key in keys if key in self._converted)
        before = max(known_times, default=None)
        assets = frozenset(line.asset for line in entry.lines)
        if before is not None and first > before:
            age = first - before
            if self.by_asset or age > _ONE_BY_ONE_WITHIN or assets & self._assets:
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
        # A person has converted by hand, which is not in the ledger: at the latest just now.
        self._refused.update(dict.fromkeys(keys, entry.at))

    def _keys(self, assets: Iterable[str]) -> Iterable[str]:
        return assets if self.by_asset else ("",)


def _is_for_cooldown(entry: LedgerEntry) -> bool:
    """Whether the exchange refused a call for the cooldown; the reason ends with its text."""
    return cooled(entry.code, (entry.reason or "").rpartition(f"{entry.code} ")[2])


class Scope(NamedTuple):
    """What has a cooldown of its own, as far as is known."""

    account: str
    """Any name of the account."""
    kind: Kind
    """Each of the exchange's calls has a cooldown of its own."""
    account_type: AccountType
    """Each wallet has a cooldown of its own."""


class Cooldowns:
    """When each account may convert again, by the entries of a ledger."""

    def __init__(self, entries: Iterable[LedgerEntry] = ()) -> None:
        """Learn from entries; the oldest comes first."""
        self._histories: dict[Scope, CooldownHistory] = {}
        self._owners: dict[str, str] = {}
        for entry in entries:
            self.note(entry)

    def note(self, entry: LedgerEntry) -> None:
        """Learn from the next entry; it must be newer than the others."""
        self._owners[entry.account] = entry.owner
        self._history(Scope(entry.owner, entry.kind, entry.account_type)).note(entry)

    def lesson(self, scope: Scope) -> Lesson:
        """Return what is proven for an account: by all accounts, or by its own entries alone."""
        scope = self._owned(scope)
        of_all = combined(
            history.lesson for other, history in self._histories.items() if other[1:] == scope[1:]
        )
        return self._history(scope).lesson if of_all == Lesson() else of_all

    def next_eligible_at(
        self,
        scope: Scope,
        *,
        now: datetime,
        configured: timedelta | float,
        assets: Iterable[str] = (),
    ) -> datetime:
        """Return when to try to convert: `now`, or the end of the cooldown.

        `assets` are to be converted; with `dust_convert` each has its own cooldown. If `configured`
        is zero, there is no wait.
        """
        began = self._history(scope).began(assets)
        if began is None or not configured:
            return now
        return max(now, began + self.lesson(scope).wait(configured) + DELAY)

    def _owned(self, scope: Scope) -> Scope:
        """Name the account of a scope by its owner."""
        return scope._replace(account=self._owners.get(scope.account, scope.account))

    def _history(self, scope: Scope) -> CooldownHistory:
        scope = self._owned(scope)
        if scope not in self._histories:
            self._histories[scope] = CooldownHistory(by_asset=scope.kind is Kind.DUST_CONVERT)
        return self._histories[scope]


def next_eligible_at(
    history: Iterable[LedgerEntry],
    now: datetime,
    configured: timedelta | float,
    *,
    assets: Iterable[str] = (),
) -> datetime:
    """Return when one account may convert again, by its entries of one kind, oldest first."""
    cooldowns, scope = Cooldowns(), None
    for entry in history:
        scope = Scope(entry.account, entry.kind, entry.account_type)
        cooldowns.note(entry)
    if scope is None:
        return now
    return cooldowns.next_eligible_at(scope, now=now, configured=configured, assets=assets)
