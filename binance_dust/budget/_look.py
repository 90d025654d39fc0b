"""How a pool looks to users: its snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.budget._protocol import PoolSnapshot

if TYPE_CHECKING:
    from binance_dust.budget._pool import Pool


def look(pool: Pool, waiting: int, now: float) -> PoolSnapshot:
    """Return a pool as it is now."""
    return PoolSnapshot(
        name=pool.name,
        kind=pool.kind,
        account=pool.account,
        limit=pool.limit,
        used=used(pool, now),
        in_flight=pool.count.in_flight,
        waiting=waiting,
        resets_in=resets_in(pool, now),
        shut_for=max(0.0, pool.valve.until - now),
        fixed=pool.boundary.fixed,
        others=others(pool, now),
    )


def used(pool: Pool, now: float) -> int:
    """Return the weight that the exchange may be counting."""
    return round(pool.count.total(now, fixed=pool.boundary.fixed))


def others(pool: Pool, now: float) -> int:
    """Return the weight that others were last seen to spend in a window."""
    seen = pool.count.others
    if seen is None or now - seen.heard > pool.boundary.window:
        return 0
    share = seen.share if pool.boundary.fixed else None
    return seen.level if share is None else round(share)


def resets_in(pool: Pool, now: float) -> float:
    """Return the seconds until all that counts now is given back."""
    if not pool.count.ours(now):
        return 0.0
    # All that counts by time, also what a header has proven forgotten.
    own = pool.count.own
    by_time = own.room_at(own.spent(now), now) - now
    if pool.boundary.fixed:
        return min(by_time, pool.boundary.window_at(now).closes - now)
    return by_time
