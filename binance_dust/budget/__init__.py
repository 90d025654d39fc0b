"""Weight budgets: never over the exchange's limits, and never idle below them.

The exchange counts weight for each endpoint, in windows of a minute, and bans the address of
whoever goes on after a refusal. It says how much it has counted only in the headers of its answers.
What follows from that is told where it is done:

    _limits.py      how much there is
    _feedback.py    what an answer says about it
    _ledger.py      our own weight, remembered until it is certainly forgotten
    _count.py       the least of what is certainly spent: by time, and by header
    _others.py      what others behind the same address spend
    _boundary.py    where the exchange cuts its windows, if it does
    _pool.py        one pool: may a call go now, and if not, when
    _line.py        who waits, in two lanes
    _valve.py       shut after a refusal or a ban, then one goes first
    _pace.py        raw requests a second
    _pools.py       all pools of one address
    _local.py       the same, waited for: who goes when, in one process
    _redis/         the same pools, shared by processes and hosts
    _protocol.py    the seam to the session
    _admission.py   the right to send one call
    _denials.py     what is said where there is none
    _names.py       what pools are called

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
    Lane,
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
    "Lane",
    "LimitKind",
    "LocalBudget",
    "PoolSnapshot",
    "RateLimits",
    "RedisBudget",
    "read_feedback",
]


def __getattr__(name: str) -> object:
    # Every session imports this package, and few share their budget.
    if name != "RedisBudget":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from binance_dust.budget._redis._budget import RedisBudget

    return RedisBudget


def __dir__() -> list[str]:
    return sorted(__all__)
