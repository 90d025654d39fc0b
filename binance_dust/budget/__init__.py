"""Weight budgets: never over the exchange's limits, and never idle below them.

The exchange counts weight for each endpoint, in windows of a minute. It bans an address that goes
on after a refusal. It says how much it has counted only in the headers of its answers.

    _protocol.py   the interface to the session: charges, admissions, snapshots
    _limits.py     how much weight there is
    _own.py        our own weight, remembered until the exchange has certainly forgotten it
    _others.py     what others behind the same address spend
    _boundary.py   where the exchange cuts its windows, if it does
    _count.py      how much of a window is spent, by time and by header
    _trust.py      whether headers count what we count
    _ceiling.py    how much a window really takes
    _price.py      what calls really cost
    _beliefs.py    all that is believed of a pool, and the evidence
    _payers.py     who pays for an endpoint
    _gates.py      the valve that a refusal or a ban shuts
    _pace.py       the pace of raw requests
    _door.py       an endpoint that accounts pay for lets one call ask first
    _address.py    what shuts the address: a ban, or a firewall
    _kept.py       the part of a window that scans leave to single calls
    _pool.py       one pool: may a call go now, and if not, when
    _forecast.py   when there will be room
    _look.py       how a pool looks to users
    _news.py       what was learnt, as events
    _pools.py      all pools of one address, and their names
    _queue.py      the calls that wait for a pool, in two lanes
    _dispatch.py   which calls of an address go next: all of the above, as one value
    _errors.py     the errors of calls that can't be admitted
    _admission.py  the right to send one call
    _local.py      the budget of one process: waiting and timers
    _redis/        the budget that processes and hosts share

Weight is decided in `_pool.py`, from what `_count.py` counts. Waiting, timers and I/O begin with
`_admission.py`; all before is values. What an answer says about weight is read in
`_answers/weight.py`.

Times are seconds on the event loop's clock, unless a name says otherwise. Sources and doubts are in
docs/explanation/weights-and-windows.md, choices in docs/decisions/0005-pace-and-ledger.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust._answers.judge import read_feedback
from binance_dust._answers.weight import Feedback
from binance_dust.budget._limits import RateLimits
from binance_dust.budget._local import LocalBudget
from binance_dust.budget._protocol import (
    Admission,
    Attachable,
    Budget,
    BudgetSnapshot,
    Charge,
    Clock,
    Immediate,
    Lane,
    Movable,
    PoolSnapshot,
)
from binance_dust.endpoints import LimitKind

if TYPE_CHECKING:
    from binance_dust.budget._redis._budget import RedisBudget

__all__ = [
    "Admission",
    "Attachable",
    "Budget",
    "BudgetSnapshot",
    "Charge",
    "Clock",
    "Feedback",
    "Immediate",
    "Lane",
    "LimitKind",
    "LocalBudget",
    "Movable",
    "PoolSnapshot",
    "RateLimits",
    "RedisBudget",
    "read_feedback",
]


if not TYPE_CHECKING:  # or a misspelt name would pass every type checker

    def __getattr__(name: str) -> object:
        # Every session imports this package, but few share their budget.
        if name != "RedisBudget":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from binance_dust.budget._redis._budget import RedisBudget

        return RedisBudget


def __dir__() -> list[str]:
    return sorted(__all__)
