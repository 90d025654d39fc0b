"""One budget for all processes behind one address, kept in Redis.

    _budget.py     `RedisBudget`: Redis, or a share of the limits while Redis is away
    _share.py      the share that a process may spend alone
    _settings.py   the limits, and what a session brings
    _member.py     a process that shares the budget: what it asks, and what it hears
    _waiters.py    its waiters
    _in_flight.py  its calls that Redis admitted, and what they have spent
    _views.py      its last view of the pools
    _link.py       what it sends to Redis, in order, and heartbeats
    _messages.py   operations, replies and messages
    _store.py      the connections, with timeouts
    _script.py     the script that Redis runs, with the constants of the local pool

The script is made of five files, in this order:

    state.lua      the keys, the clock, limits and layout
    count.lua      what one pool has spent: as `_own.py`, `_others.py`, `_count.py`
    pool.lua       one pool: as `_gates.py`, `_boundary.py`, `_pool.py`, `_pools.py`
    queue.lua      the waiters of all processes: as `_queue.py`, `_local.py`
    main.lua       the operations of a process, and one call of the script

Reasons: docs/decisions/0010-a-pool-in-redis.md.
"""
