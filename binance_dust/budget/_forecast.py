"""When there will be room in a pool: at the earliest, and as it is foretold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from binance_dust.budget._pool import Pool

RESERVE_FREED: Final = 1 / 20
"""Part of a window after which the only call that waits may take the reserve of the witness."""


def earliest(pool: Pool, weight: int, now: float) -> float:
    """Return the earliest moment for the last of `weight`: deadlines are compared with it.

    Everything that may turn out to be free counts as free, since a call that is told "too late"
    never comes back: what others are expected to spend, a window that may have begun anew, and
    a cut ahead of us, unless one was seen not to hold.
    """
    begin = max(now, pool.valve.until)
    current = pool.window_at(now)
    room, reserve = _room_at_best(pool, now), pool.reserve(0)
    short = weight - room
    if short <= 0:
        # The last call may take the reserve when no other call has waited for a while.
        alone = short + reserve > 0 and not pool.witness_due()
        return max(begin, now + pool.boundary.window * RESERVE_FREED) if alone else begin
    rounds, rest = divmod(math.ceil(short) - 1, pool.limit - reserve)
    given_back = pool.count.own.room_at(rest + 1, now)
    if not _slides(pool, now):
        cut = current.closes
        if current.number < 0:
            cut = pool.boundary.likely_close(now)
        given_back = cut if pool.boundary.fixed else min(cut, given_back)
    return max(begin, given_back) + rounds * pool.boundary.window


def _slides(pool: Pool, now: float) -> bool:
    """Whether no cut can be hoped for: a count went on past one, or no witness is sent."""
    return pool.boundary.slides or pool.asked > pool.window_at(now).number


def _room_at_best(pool: Pool, now: float) -> int:
    """Return the weight that might be spent if every answer is the best possible."""
    count, ours, current = pool.count, pool.count.ours(now), pool.window_at(now)
    if _slides(pool, now):
        return pool.limit - ours
    if current.number > pool.asked:
        return pool.limit
    if count.in_flight:
        return pool.limit - min(ours, count.own.taken - count.cut_at)
    room = pool.limit - ours
    if count.others is not None and pool.boundary.fixed:
        # What others were seen to spend counts until the cut.
        room = min(room, pool.whole - count.held - count.others.grown)
    return max(0, room)


def forecast(pool: Pool, weight: int, now: float, of: int) -> float:
    """Return when the last of `weight` will go: a forecast for users, not too short.

    Until windows are proven to be fixed, they are taken to slide. That is later than with cuts
    by less than a window, however many windows it takes. Of each window the witness's reserve
    is left: a call `of` that weight. What scans leave to single calls goes later, and where
    windows slide it then comes back later in each.
    """
    begin, boundary = max(now, pool.valve.until), pool.boundary
    pool.window_at(now)
    limit, window, passed = pool.limit, boundary.window, pool.cut_passed()
    reserve = pool.reserve(0)
    free = limit if passed else max(0, pool.free(now) - reserve)
    if weight <= free:
        return begin
    reserve = max(reserve, pool.reserve(of))
    if not passed:
        free = max(0, pool.free(now) - reserve)
    more, each = weight - math.floor(free), limit - reserve
    if boundary.fixed:
        # The last call of all takes the reserve, since none comes after it.
        rounds = math.ceil(max(0, more - limit) / each)
        return max(begin, boundary.likely_close(now)) + rounds * window
    kept = min(pool.kept_weight(of, now), math.floor(free))
    rounds, rest = divmod(more + kept - 1, each)
    shares = pool.kept.shares(of, limit)
    coming = [(now + turn * window / (shares + 1), kept / shares) for turn in range(1, shares + 1)]
    return max(begin, _back_at(pool, rest + 1, now, coming)) + rounds * window


def _back_at(pool: Pool, weight: float, now: float, coming: Iterable[tuple[float, float]]) -> float:
    """Return when so much has come: what the exchange forgets, and what else is `coming`."""
    own = pool.count.own
    back = ((slot.last + own.keep, slot.weight) for slot in own.answered_slots())
    for at, more in sorted((*coming, *back)):
        weight -= more
        if weight <= 0:
            return at
    return now + own.keep
