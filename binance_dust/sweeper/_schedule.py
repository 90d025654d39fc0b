"""When an account's turn comes again.

Nothing of it is stored: what an account has converted, and when, is in the ledger, and that is all
that it takes to go on after a restart as if there had been none.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from binance_dust.sweeper._report import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from binance_dust.sweeper._report import SweepReport

_AFTER_FAILURE: Final = timedelta(hours=1)
"""At the most; a schedule of minutes comes back sooner."""
_AFTER_ELIGIBILITY: Final = timedelta(seconds=1)
"""Two clocks differ a little, and a moment too early may cost the whole wait again."""
_PARTS: Final = 8


def first_turn(last: datetime | None, every: timedelta, now: datetime) -> datetime:
    """Say when an account's first turn is, `last` being when it converted before."""
    return now if last is None else max(now, last + every)


def next_turn(report: SweepReport, every: timedelta) -> datetime:
    """Say when an account's turn comes again after one."""
    match report.outcome:
        case Outcome.RESTING if report.next_at is not None and report.next_at > report.at:
            return report.next_at + _AFTER_ELIGIBILITY
        case Outcome.RESTING:
            return report.at + min(every, _AFTER_FAILURE)
        case Outcome.FAILED | Outcome.STOPPED | Outcome.UNKNOWN:
            return report.at + min(every / _PARTS, _AFTER_FAILURE)
        case _:
            return report.at + every
