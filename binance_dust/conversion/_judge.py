"""How an open entry ended, judged from what was read: pure, and never a guess.

- The exchange's log shows a conversion that this call can have made: it was carried out.
- The log lacks it, and no balance is less than it was just before the call, both read later than
  the exchange can have accepted the call, and for long enough that a late record would have shown:
  it was not carried out.
- Anything else can't be known from here (yet).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from binance_dust.ledger import Kind, can_have_done

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from binance_dust.ledger import LedgerEntry, Observed

__all__ = ["GIVE_UP_AFTER", "QUIET", "Done", "NotDone", "NotYet", "Reading", "Unknowable", "judge"]

QUIET: Final = timedelta(seconds=60)
"""For how long after the last moment the log has to stay silent: records may show late, by how much
is documented nowhere."""
GIVE_UP_AFTER: Final = timedelta(seconds=80)
"""How long after the last moment reading goes on at the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the exchange showed, in this order: its clock, its log, then the balances."""

    clock: datetime
    """The exchange's clock, read before the rest, so all of it is at least as new."""
    records: Sequence[Observed]
    """What the log shows of the time in question, without what other entries have."""
    complete: bool = True
    """Whether all that is in the log was shown: a full page may hide some."""
    held: Mapping[str, Decimal]
    """What is free (or owed) now."""


@dataclass(frozen=True, slots=True)
class Done:
    """It was carried out, and this is what it did."""

    record: Observed
    note: str | None = None


@dataclass(frozen=True, slots=True)
class NotDone:
    """It was not carried out, and can't be any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotYet:
    """It may still be carried out, or show: read again later."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknowable:
    """Reading does not tell."""

    reason: str


Verdict = Done | NotDone | NotYet | Unknowable


def judge(entry: LedgerEntry, reading: Reading) -> Verdict:
    """Judge from one reading."""
    expires_at = entry.expires_at
    if expires_at is None:
        return Unknowable("the ledger does not say until when it can have been accepted")
    for record in sorted(reading.records, key=lambda record: record.at):
        if can_have_done(entry, record):
            return Done(record)
    parts = _put_together(entry, reading)
    if parts is not None and parts.assets == frozenset(entry.assets):
        return Done(parts)
    if reading.clock <= expires_at:
        return NotYet("the exchange can still accept it")
    return _judge_late(entry, reading, parts, silent_for=reading.clock - expires_at)


def _judge_late(
    entry: LedgerEntry, reading: Reading, parts: Observed | None, *, silent_for: timedelta
) -> Verdict:
    """Judge from what was read when the exchange could not accept the call any more."""
    less = _less(entry, reading.held)
    if parts is not None and parts.assets.issuperset(less) and reading.complete:
        if silent_for < QUIET:
            return NotYet("the log shows a part of it so far")
        stayed = ", ".join(asset for asset in entry.assets if asset not in parts.assets)
        return Done(parts, f"in part: {stayed} stayed")
    if not less and reading.complete:
        if silent_for < QUIET:
            return NotYet("the log does not show it, and may be late")
        return NotDone(
            f"the log does not show it {silent_for.total_seconds():.0f} s after the exchange could "
            "accept it for the last time, and no balance is less"
        )
    why = _why_unknown(entry, less, reading)
    return NotYet(why) if silent_for < GIVE_UP_AFTER else Unknowable(why)


def _less(entry: LedgerEntry, held: Mapping[str, Decimal]) -> list[str]:
    """Name the assets of which there is less than before the call."""
    return [asset for asset, before in entry.held.items() if held.get(asset, before * 0) < before]


def _put_together(entry: LedgerEntry, reading: Reading) -> Observed | None:
    """Put together the records of some of the assets.

    That a batch is carried out in part, or shown in several records, is documented nowhere, and
    neither is that it isn't.
    """
    parts = [each for each in reading.records if can_have_done(entry, each, in_part=True)]
    if not parts or len({each.target for each in parts}) > 1:
        return None
    lines = {line.asset: line for each in parts for line in each.lines}
    return replace(min(parts, key=lambda each: each.at), lines=tuple(lines.values()))


def _why_unknown(entry: LedgerEntry, less: list[str], reading: Reading) -> str:
    if not reading.complete and entry.kind is Kind.LIABILITIES:
        return "the history of debts goes back for ninety days only, and it may be before them"
    if not reading.complete:
        return "the log shows its newest hundred records only, and it may be behind them"
    return f"there is less {', '.join(less)} than before, and the log does not say why"
