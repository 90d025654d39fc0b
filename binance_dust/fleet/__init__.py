"""Many addresses: a worker behind each, and a fleet that asks them as one.

_fleet.py         the public face: scan, sweep and estimate by workers
_asking.py        asking all workers and hearing them; which workers are there
_job.py           one job of a fleet: accounts go out, results come back; its stream and progress
_rounds.py        the parts of a sweep one after the other, once or for ever
_assignments.py   which worker gets which account: the rules, without I/O
_states.py        workers and accounts as the fleet knows them, and which worker is sick
_estimate.py      how long a scan would take: each worker estimates its part
_worker.py        the worker: accounts, their keys, and an address
_accounts.py      the accounts of a worker, and whether their keys work
_worker_job.py    what a worker has in hand for one job, and its part of a scan
_conversions.py   a worker's part of a sweep: conversions at most once, and their reports
_options.py       what a fleet may ask for, and the worker's own rules
_messages.py      what travels, and what is done with it
_seal.py          messages that only the owners of the fleet's key can write
_queues.py        how it travels: queues within a process or in Redis
"""

from __future__ import annotations

try:
    import taskiq  # noqa: F401
    import taskiq_redis  # noqa: F401
except ImportError:
    raise ImportError(
        "binance_dust.fleet needs the extra 'fleet': pip install 'binance-dust[fleet]'"
    ) from None

from binance_dust.fleet._asking import WorkerInfo
from binance_dust.fleet._fleet import Fleet
from binance_dust.fleet._job import FleetProgress, FleetStream, Timing, WorkerProgress
from binance_dust.fleet._worker import Worker

__all__ = [
    "Fleet",
    "FleetProgress",
    "FleetStream",
    "Timing",
    "Worker",
    "WorkerInfo",
    "WorkerProgress",
]
