"""Many addresses: a worker behind each, and a fleet that asks them as one.

_fleet.py         the fleet: what is asked
_stream.py        what comes back
_job.py           the roll is called, accounts are handed out
_assignments.py   who has which account in hand: the rules, without I/O
_progress.py      how far it is
_worker.py        the worker: accounts, their keys, and an address
_engagement.py    what it has in hand for one job
_round.py         its part of a scan
_messages.py      what travels
_tasks.py         the tasks, as taskiq knows them
_carry.py         reports of sweeps, for the way back
_orders.py        its part of a sweep
_survey.py        how long a scan would take
_timing.py        how long is waited for whom
_post.py          queues by URL
_memory.py        within a process
_redis.py         between processes and hosts
"""

from __future__ import annotations

try:
    import taskiq  # noqa: F401
    import taskiq_redis  # noqa: F401
except ImportError:
    raise ImportError(
        "binance_dust.fleet needs the extra 'fleet': pip install 'binance-dust[fleet]'"
    ) from None

from binance_dust.fleet._fleet import Fleet
from binance_dust.fleet._progress import FleetProgress, WorkerProgress
from binance_dust.fleet._stream import FleetStream
from binance_dust.fleet._timing import Timing
from binance_dust.fleet._worker import Worker

__all__ = ["Fleet", "FleetProgress", "FleetStream", "Timing", "Worker", "WorkerProgress"]
