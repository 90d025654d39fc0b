"""The least time that a client who knows everything would need in a world.

It knows windows, limits, weights, the way, and what others are going to spend, and leaves them
that. It keeps the pace, and the documented limit where there is more: both are ours by choice.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate

from tests.worlds.world import ENDPOINTS, WINDOW, Endpoint, World, others_spend

BURST, RATE = 50, 450.0
"""So many calls at once, and so many a second after them, keep within 500 in any one second."""
_FAR = 30_000.0
_WINDOWS = 200
"""For so many windows others are thought of."""
_FIRST_TRIPS, _TRIPS = 9, 3
"""Round trips to Redis before the first burst, and in each window."""
_BACK = 7.0
"""Seconds until a Redis that can be reached again is used: a lease, and some more."""


@lru_cache(maxsize=64)
def least_time(world: World) -> float:
    """Give the seconds until the last call of a scan is answered."""
    wanted: dict[Endpoint, list[tuple[float, bool]]] = defaultdict(list)
    for stream in world.work:
        # What is lost is made again.
        again = 1 / ((1 - world.net.lost_answers) * (1 - world.net.lost_requests))
        count = math.ceil(stream.calls * again)
        starts = (stream.starts * 2)[:count]
        wanted[ENDPOINTS[stream.endpoint]] += [(at, not stream.single) for at in starts]
    scans = any(not stream.single for stream in world.work)
    last = 0.0
    for endpoint, calls in wanted.items():
        last = max(last, _last_sent(world, endpoint, calls, scans=scans))
    paced = max(0, sum(stream.calls for stream in world.work if not stream.every) - BURST) / RATE
    return max(last, paced) + 2 * world.net.way


def _last_sent(
    world: World, endpoint: Endpoint, calls: list[tuple[float, bool]], *, scans: bool
) -> float:
    """Send each as soon as there is room, single calls first."""
    room = _Room(world, endpoint)
    weight, now, last = world.charged(endpoint), 0.0, 0.0
    later = sorted(calls)
    heapq.heapify(later)
    singles = waiting = 0
    while now < _FAR:
        while later and later[0][0] <= now + 1e-9:
            _, scan = heapq.heappop(later)
            singles, waiting = singles + (not scan), waiting + scan
        fits = min(singles + waiting, max(0, room.free(now)) // weight)
        if fits:
            room.take(now, fits * weight)
            served = min(singles, fits)
            singles, waiting = singles - served, waiting - (fits - served)
            if fits > served or not scans:
                last = now + max(0, fits - BURST) / RATE
        if not (singles or waiting or later):
            return last
        then = room.next(now) if singles or waiting else math.inf
        now = min(then, later[0][0]) if later else then
    return _FAR


class _Room:
    """The weight that may be spent at a moment."""

    def __init__(self, world: World, endpoint: Endpoint) -> None:
        payers = world.payers(endpoint)
        most = replace(world, limits=replace(world.limits, true=min(1.0, world.limits.true)))
        limits = [most.limit(p) * (world.accounts if p == "uid" else 1) for p in payers]
        self.limit = min(limits)
        self.windows = world.windows
        self.spent: list[tuple[float, int]] = []
        met = endpoint == world.main and "ip" in payers
        theirs = others_spend(world, _WINDOWS * world.windows.length) if met else []
        self.times = [at for at, _ in theirs]
        self.sums = [0, *accumulate(weight for _, weight in theirs)]

    def _theirs(self, begin: float, end: float) -> int:
        """What others spend after `begin` and until `end`."""
        first, last = bisect_right(self.times, begin), bisect_right(self.times, end)
        return self.sums[last] - self.sums[first]

    def _cut(self, now: float, later: int = 0) -> float:
        """When the fixed window of a moment began, or so many windows later."""
        windows = self.windows
        since = windows.phase - windows.off
        number = math.floor((now + since) / windows.length + 1e-6) + later
        return number * windows.length - since

    def free(self, now: float) -> int:
        length = self.windows.length
        if self.windows.mode == "fixed":
            cut = self._cut(now)
            ours = sum(weight for at, weight in self.spent if at > cut - 1e-6)
            return self.limit - ours - self._theirs(cut - 1e-6, cut + length - 1e-6)
        self.spent = [each for each in self.spent if each[0] > now - length + 1e-9]
        ours = sum(weight for _, weight in self.spent)
        first, last = bisect_right(self.times, now), bisect_right(self.times, now + length - 1e-6)
        ends = [now, *self.times[first:last]]
        return self.limit - ours - max(self._theirs(end - length + 1e-6, end) for end in ends)

    def take(self, now: float, weight: int) -> None:
        if self.windows.mode == "fixed":
            self.spent = [each for each in self.spent if each[0] > self._cut(now) - 1e-6]
        self.spent.append((now, weight))

    def next(self, now: float) -> float:
        """Give the next moment at which there may be more."""
        length = self.windows.length
        if self.windows.mode == "fixed":
            return self._cut(now, later=1)
        ends = [at + length for at, _ in self.spent[:1] if at + length > now + 1e-9]
        oldest = bisect_right(self.times, now - length + 1e-9)
        ends += [at + length for at in self.times[oldest : oldest + 1]]
        return min(ends, default=now + length)


def allowed_time(world: World) -> float:
    """Give the seconds that a client may take that has to find everything out.

    As documented: a twentieth more, or as long as a twentieth more calls would take, since the last
    call may just miss a window. A window holds one call less, the witness, which counts where few
    calls fit in. Else a quarter more, and two windows to learn what is wrong; a slow line costs a
    round trip in each sliding window, because a client can't know when its calls arrived; what a
    storm, a stop or a death takes comes on top. Windows that are shorter than documented are not
    learnt, by choice: a header that forgets too soon looks the same as one that is wrong.
    """
    least, trip = least_time(world), world.net.round_trip
    redis = _with_redis(world, least)
    if not world.deviates:
        more = tuple(replace(each, calls=math.ceil(each.calls * 1.05)) for each in world.work)
        most = max(least * 1.05, least_time(replace(world, work=more)) * 1.02)
        part = 1 - world.charged(world.main) / world.limit(world.payers(world.main)[0])
        witness = replace(world, work=more, limits=replace(world.limits, true=part))
        most = max(most, least_time(witness) * 1.02)
        windows = world.windows
        begins = 3 * trip + 0.5 + _FIRST_TRIPS * world.redis_trip
        if windows.mode == "fixed" and windows.length - windows.phase < begins:
            most += windows.length  # it begins too shortly before a cut to use that window
        return most + 2 * trip + 0.5 + redis
    if world.windows.length < WINDOW:
        whole = replace(world, windows=replace(world.windows, length=WINDOW, off=0.0))
        least = max(least, least_time(whole))
    length = max(world.windows.length, WINDOW)
    allowed = least * 1.25 + 2 * length + 2 * trip + redis
    if "latency" in world.deviates:
        allowed += math.ceil(least / world.windows.length) * trip
    if "losses" in world.deviates:
        allowed += 4 * world.net.timeout
    if world.storm.kind != "none":
        allowed += 2 * world.storm.lasts + 30.0 + (60.0 if world.storm.kind == "wall" else 0.0)
        # Whether a page was counted, nobody knows: it takes its part of a window.
        allowed += length * world.storm.pages * world.charged(world.main) / world.limit("ip")
    processes = world.processes
    allowed += processes.stop_for + (processes.back_after if processes.die_at < math.inf else 0.0)
    return allowed


def _with_redis(world: World, least: float) -> float:
    """Give the seconds that a shared budget takes besides.

    A far Redis: to load the state, to learn the time, and to let one call go first; likewise in
    each window. One that forgets: until it is back, and all have said what they know.
    """
    redis = world.redis
    if redis is None:
        return 0.0
    trips = _FIRST_TRIPS + _TRIPS * math.ceil(least / world.windows.length)
    return trips * world.redis_trip + len(redis.forgets) * (redis.down + _BACK)
