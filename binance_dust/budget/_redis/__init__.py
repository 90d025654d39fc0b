"""One pool for all processes behind one address, kept in Redis.

    count.lua, pool.lua, line.lua   the rules of `LocalBudget`, run by Redis, one call at a time
    state.lua, keep.lua, main.lua   what is kept, and what a process can say
    _script.py                      the script, with the constants of the local pool
    _messages.py                    what goes there and comes back
    _store.py                       the connections, which never hang
    _courier.py                     what a process says, in its order
    _desk.py                        what a process asks, and what it does with what it hears
    _crowd.py                       who waits in it
    _flights.py, _admission.py      what it has on its way
    _views.py                       what it last saw of the pools
    _record.py                      what this process has spent, should Redis forget it
    _share.py                       what it may spend alone, while Redis is away
    _setting.py                     the limits, and what a session brings
    _budget.py                      the choice between Redis and the share

Why it is so: docs/decisions/0010-a-pool-in-redis.md.
"""
