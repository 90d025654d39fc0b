"""What the exchange shows about an open entry, and what follows from it. Pure; never a guess.

- Until the exchange can't carry out the call any more, nothing follows. A record that fits may be
  of a person's conversion on the website, and the record of the call may still come.
- After that, the log shows one conversion that this call can have made: the call was carried out.
- It shows several: which of them is the call's can't be known.
- The log does not show one, and no balance is less than just before the call. Both were read after
  the exchange could accept the call for the last time, and so long after it that a late record
  would have shown: the call was not carried out.
- Anything else: it can't be known from here (yet). What the margin account does has a second
  witness, which is asked then: the capital flow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust.ledger import Kind, Observed, can_have_done
from binance_dust.ledger._records import PROCESSING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from binance_dust.ledger import LedgerEntry
    from binance_dust.ledger._witness import Flow, Shown
    from binance_dust.models import UnreadRow

__all__ = [
    "GIVE_UP_AFTER",
    "QUIET",
    "Conclusion",
    "Done",
    "Evidence",
    "NotDone",
    "NotYet",
    "Unknowable",
    "conclude",
    "conclude_again",
]

QUIET: Final = timedelta(seconds=60)
"""How long after the last possible moment the log must show nothing. Records may show late; no
document says by how much."""
GIVE_UP_AFTER: Final = timedelta(seconds=80)
"""How long after the last possible moment reading goes on at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the exchange showed, read in this order: its clock, its records, then the balances."""

    start: datetime
    end: datetime
    """Between these times, by its own clock, the exchange can have accepted the call."""
    clock: datetime
    """The exchange's clock. It is read first, so all else is at least as new."""
    shown: Shown
    """What its records show of that time, without those of other entries."""
    held: Mapping[str, Decimal]
    """What is free (or owed) now."""


@dataclass(frozen=True, slots=True)
class Done:
    """It was carried out; `record` says what it did."""

    record: Observed
    note: str | None = None


@dataclass(frozen=True, slots=True)
class NotDone:
    """It was not carried out, and can't be any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotYet:
    """It may still be carried out, or show later: read again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknowable:
    """Reading can't tell."""

    reason: str


Conclusion = Done | NotDone | NotYet | Unknowable


def conclude(entry: LedgerEntry, evidence: Evidence) -> Conclusion:
    """Say what one reading proves."""
    if evidence.clock <= evidence.end + PROCESSING:
        return NotYet("the exchange can still carry it out")
    shown = evidence.shown
    if shown.refused is not None:
        return NotDone(shown.refused)
    if shown.pending is not None:
        return NotYet(shown.pending)
    return _conclude_from_records(entry, evidence)


def _conclude_from_records(entry: LedgerEntry, evidence: Evidence) -> Conclusion:
    """Say what records prove when the exchange can't carry the call out any more."""
    shown = evidence.shown
    fitting = [record for record in shown.records if can_have_done(entry, record)]
    parts = [each for each in shown.records if can_have_done(entry, each, in_part=True)]
    if len(fitting) > 1 or (not fitting and _overlap(parts)):
        return Unknowable(
            f"several records fit it{_named(fitting or parts)}, and the log does not say which of "
            "them is its own"
        )
    if fitting and (others := _of_the_call(evidence)):
        return Unknowable(
            f"a record fits it{_named(fitting)}, and so may one that can't be read: {others[0]}"
        )
    if fitting:
        return Done(fitting[0])
    return _conclude_without(entry, evidence, _combine(parts))


def conclude_again(
    entry: LedgerEntry, evidence: Evidence, flow: Flow, first: Unknowable
) -> Conclusion:
    """Say what the second witness proves where the first one can't tell.

    `flow` is what it showed, without the movements of our other calls. It has no fees, so what it
    confirms has no lines: a later `sync` adds them.
    """
    if any(can_have_done(entry, each, in_part=True) for each in evidence.shown.records):
        return first  # neither witness can tell which call made these records
    fitting = [
        each
        for each in flow.movements
        if each.assets - {entry.target} == frozenset(entry.assets) - {entry.target}
        and _in_time(each.at, evidence)
    ]
    if len(fitting) == 1:
        (done,) = fitting
        record = Observed(
            account=entry.owner,
            kind=entry.kind,
            account_type=entry.account_type,
            target=entry.target,
            transaction_id=done.number if entry.kind is not Kind.LIABILITIES else None,
            at=done.at,
            lines=(),
        )
        return Done(record, f"by the capital flow ({done.number}): its amounts are not known yet")
    touched = any(each.assets & set(entry.assets) for each in flow.movements)
    if touched or flow.hidden is not None or _less_than_before(entry, evidence.held):
        return first
    return NotDone(
        f"{first.reason}; the capital flow does not show it either, and no balance is less"
    )


def _conclude_without(
    entry: LedgerEntry, evidence: Evidence, combined: Observed | None
) -> Conclusion:
    """Say what a reading proves that shows no record with all of the assets."""
    silent_for = evidence.clock - evidence.end
    if combined is not None and combined.assets == frozenset(entry.assets):
        return Done(combined)
    less = _less_than_before(entry, evidence.held)
    if combined is not None and combined.assets.issuperset(less) and _shows_all(evidence):
        if silent_for < QUIET:
            return NotYet("the log shows a part of it so far")
        stayed = ", ".join(asset for asset in entry.assets if asset not in combined.assets)
        return Done(combined, f"in part: {stayed} stayed")
    if not less and _shows_all(evidence):
        if silent_for < QUIET:
            return NotYet("the log does not show it, and may be late")
        return NotDone(
            f"the log does not show it {silent_for.total_seconds():.0f} s after the exchange could "
            "accept it for the last time, and no balance is less"
        )
    why = _why_unknown(less, evidence)
    return NotYet(why) if silent_for < GIVE_UP_AFTER else Unknowable(why)


def _shows_all(evidence: Evidence) -> bool:
    return evidence.shown.hidden is None and not evidence.shown.unread


def _of_the_call(evidence: Evidence) -> list[UnreadRow]:
    """Find the unreadable records that the call itself may have made, by their time."""
    return [row for row in evidence.shown.unread if row.at is None or _in_time(row.at, evidence)]


def _in_time(at: datetime, evidence: Evidence) -> bool:
    """Whether what the exchange did at a time can be the call."""
    return evidence.start <= at <= evidence.end + PROCESSING


def _less_than_before(entry: LedgerEntry, held: Mapping[str, Decimal]) -> list[str]:
    """Name the assets with a smaller balance than before the call."""
    return [asset for asset, before in entry.held.items() if held.get(asset, Decimal(0)) < before]


def _overlap(parts: Sequence[Observed]) -> bool:
    """Whether an asset is in more than one of the records: a call converts each asset once."""
    assets = [asset for each in parts for asset in each.assets]
    return len(assets) > len(set(assets))


def _combine(parts: Sequence[Observed]) -> Observed | None:
    """Combine records that each have some of the assets.

    No document says whether a batch may be carried out in part or shown in several records.
    """
    if not parts or len({each.target for each in parts}) > 1:
        return None
    lines = tuple(line for each in parts for line in each.lines)
    return replace(min(parts, key=lambda each: each.at), lines=lines)


def _named(records: Sequence[Observed]) -> str:
    """Name the records by their numbers; exchanged debts have none."""
    numbers = [str(each.transaction_id) for each in records if each.transaction_id is not None]
    return f" ({', '.join(numbers)})" if numbers else ""


def _why_unknown(less: list[str], evidence: Evidence) -> str:
    if evidence.shown.unread:
        return f"its record may be one that can't be read: {evidence.shown.unread[0]}"
    if evidence.shown.hidden is not None:
        return evidence.shown.hidden
    return f"there is less {', '.join(less)} than before, and the log does not say why"
