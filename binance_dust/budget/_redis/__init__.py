"""One budget for all processes behind one address: a log in Redis, and a replica in each process.

    _budget.py     `RedisBudget`: Redis, or a share of the limits while Redis is away
    _share.py      the share that a process may spend alone
    _settings.py   the limits, and what a session brings
    _member.py     a process that shares the budget: its waiters, its calls, and what it hears
    _link.py       what it adds to the log and reads, in order, and heartbeats
    _lives.py      the state in Redis: loaded, written, lost, and begun anew
    _replica.py    what follows from the log: a `Dispatcher` that takes entries
    _stored.py     a replica as fields of a hash, and back
    _pools.py      its pools: which have changed, and which lie frozen
    _shared.py     its time, its processes, their waiters and calls
    _encoding.py   values of these classes as bytes
    _messages.py   the operations in an entry
    _store.py      the connections, with timeouts
    _script.py     the script that Redis runs, and which rules this version has
    log.lua        the script: it appends, and returns what is new

Reasons: docs/decisions/0017-one-log-for-all-processes.md.
"""
