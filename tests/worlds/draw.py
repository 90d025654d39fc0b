"""A world from one integer: most deviate from the documents in none to three dimensions.

Most worlds are small: fifteen calls fill a window, as if each weighed more. What happens in them is
the same, and many more of them can be played.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Literal

from tests.worlds.world import (
    ENDPOINTS,
    WINDOW,
    Bans,
    Charging,
    Clocks,
    Headers,
    Limits,
    Net,
    Others,
    Redis,
    Refusals,
    Storm,
    Stream,
    Windows,
    World,
)

_MOST_CALLS: Final = 600
_FEW: Final = 4
Dice = random.Random


def draw(seed: int, *, deviating: int | None = None, shared: bool = False) -> World:
    """Draw a world, with so many deviations if told; or one with a `shared` budget."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    world = _documented(seed, dice)
    count = dice.choices([0, 1, 2, 3], [15, 40, 28, 17])[0]
    count = count if deviating is None else deviating
    for name in dice.sample(sorted(DEVIATIONS), count):
        world = replace(world, **DEVIATIONS[name](world, dice))
    return replace(_affordable(world), redis=_redis(seed) if shared else None)


def _redis(seed: int) -> Redis:
    """Draw a Redis that is near or far, and now and then one that forgets."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    least, most = dice.choice([(0.0, 0.0), (0.0002, 0.002), (0.001, 0.03), (0.02, 0.18)])
    times = dice.choice([0, 0, 0, 1, 2])
    forgets = tuple(sorted(_cut(dice.uniform(0.0, 200.0)) for _ in range(times)))
    down = dice.choice([0.0, 0.2, 3.0, 20.0])
    return Redis(way=least, jitter=most - least, forgets=forgets, down=down if forgets else 0.0)


def _documented(seed: int, dice: Dice) -> World:
    """Draw what the documents leave open: cuts, phase, line, and what is asked."""
    limit = dice.choices([1_500, 2_400, 6_000, 12_000], [70, 15, 10, 5])[0]
    windows = Windows(mode=dice.choice(["fixed", "sliding"]), phase=_cut(dice.uniform(0, WINDOW)))
    way = _cut(dice.uniform(0.005, 0.12))
    return World(
        seed=seed,
        windows=windows,
        limits=Limits(documented=limit, accounts=limit * 30),
        net=Net(way=way, jitter=_cut(way * dice.random())),
        bans=Bans(after=_refused(20, limit)),
        work=_work(limit, dice),
        accounts=dice.choice([1, 1, 7]),
        max_wait=dice.choice([WINDOW, WINDOW, 20.0, 130.0]),
    )


def _refused(calls: int, limit: int) -> int:
    """Scale what 60 calls a window would be refused before a ban."""
    return max(3, round(calls * min(limit, 6_000) / 6_000))


def _work(limit: int, dice: Dice) -> tuple[Stream, ...]:
    rounds = dice.uniform(1.5, 4.5)
    full = limit // 100
    scan = Stream(calls=round(rounds * full))
    match dice.choice(["scan", "scan", "singles", "singles", "mix", "trickle", "deadlines", "uid"]):
        case "singles":
            every = _cut(dice.uniform(3.0, 25.0))
            count = max(1, round(rounds * WINDOW / every))
            return (scan, Stream(calls=count, every=every, begin=_cut(dice.random()), single=True))
        case "mix":
            margin = Stream(endpoint="margin", calls=dice.randint(full // 3, full * 3))
            log = Stream(endpoint="log", calls=dice.randint(full // 12, full), every=2.0)
            return (scan, margin, log)
        case "trickle":
            every = _cut(dice.uniform(0.3, 1.2) * WINDOW / full)
            trickle = Stream(calls=round(rounds * full * 0.6), every=every, single=True)
            return (trickle,)
        case "deadlines":
            return (replace(scan, deadline=_cut(dice.uniform(0.3, rounds) * WINDOW)),)
        case "uid":
            return (Stream(endpoint="exchange", calls=round(min(rounds, 3.5) * limit / 100)),)
        case _:
            return (scan,)


def _window(world: World, dice: Dice) -> dict[str, Any]:
    length = dice.choice([3.0, 10.0, 30.0, 90.0, 120.0, 300.0, WINDOW])
    off = _cut(dice.uniform(1.0, length)) if length == WINDOW or dice.random() < 0.3 else 0.0
    return {"windows": replace(world.windows, length=length, off=off)}


def _limit(world: World, dice: Dice) -> dict[str, Any]:
    return {"limits": replace(world.limits, true=dice.choice([0.5, 0.5, 0.1, 0.8, 2.0]))}


def _weight(world: World, dice: Dice) -> dict[str, Any]:
    if dice.random() < 0.4:
        # The issue's own: charged 100 instead of 1.
        log = Stream(endpoint="log", calls=round(world.limits.documented / 100 * 3))
        return {"work": (log,), "charging": replace(world.charging, times=100)}
    return {"charging": replace(world.charging, times=dice.choice([2, 2, 3, 5]))}


def _payer(world: World, dice: Dice) -> dict[str, Any]:
    payer: Literal["ip", "uid", "both"] = dice.choice(["uid", "uid", "both", "ip"])
    return {"charging": replace(world.charging, payer=payer)}


def _headers(world: World, dice: Dice) -> dict[str, Any]:
    once = dice.choice([1, 2, dice.randint(3, 100)])
    drawn: Headers = dice.choice(
        [
            Headers(say="late", late=dice.choice([1, 2, 5, 15])),
            Headers(say="missing"),
            Headers(say="missing", part=_cut(dice.uniform(0.2, 0.9))),
            Headers(say="one"),
            Headers(say="backwards"),
            Headers(say="huge"),
            Headers(say="huge", once=once),
            Headers(say="minus"),
            Headers(say="other"),
            Headers(say="other", once=once),
            Headers(nodes=dice.choice([2, 3, 8])),
        ]
    )
    return {"headers": drawn}


def _latency(world: World, dice: Dice) -> dict[str, Any]:
    way = _cut(dice.choice([0.5, 1.0, 3.0, 8.0, 15.0]) * dice.uniform(0.6, 1.0))
    jitter = _cut(way * dice.choice([0.0, 0.3, 1.0]) * 0.99)
    return {"net": replace(world.net, way=way, jitter=jitter, timeout=90.0)}


def _losses(world: World, dice: Dice) -> dict[str, Any]:
    part = _cut(dice.choice([0.01, 0.05, 0.15]))
    which = dice.choice(["lost_requests", "lost_answers"])
    return {"net": replace(world.net, **{which: part})}


def _clocks(world: World, dice: Dice) -> dict[str, Any]:
    drawn: Clocks = dice.choice(
        [
            Clocks(
                step_at=_cut(dice.uniform(1.0, 150.0)),
                step=dice.choice([-20.0, -3.0, -0.5, 0.5, 3.0, 20.0]),
            ),
            Clocks(drift=dice.choice([-1e-3, -1e-4, 1e-4, 1e-3])),
            Clocks(our_drift=dice.choice([-1e-3, -1e-4, 1e-4, 1e-3])),
            Clocks(our_wall=dice.choice([-3600.0, -5.0, 5.0, 3600.0])),
        ]
    )
    return {"clocks": drawn}


def _storm(world: World, dice: Dice) -> dict[str, Any]:
    at = _cut(dice.choice([0.0, dice.uniform(0.0, 130.0)]))
    drawn: Storm = dice.choice(
        [
            Storm(kind="wall", at=at, pages=2),
            Storm(kind="wall", at=at, pages=dice.choice([1, 3])),
            Storm(kind="wall", at=at, lasts=dice.choice([1.0, 20.0, 300.0])),
            Storm(kind="broken", at=at, pages=dice.choice([1, 5, 50])),
            Storm(kind="broken", at=at, lasts=dice.choice([5.0, 60.0]), part=dice.choice([0.3, 1])),
        ]
    )
    return {"storm": drawn}


def _refusals(world: World, dice: Dice) -> dict[str, Any]:
    """Draw how refusals and bans are said, with something that is refused."""
    said = Refusals(
        retry_after=dice.choice(["zero", "absent", "300", "true"]),
        status=dice.choice([429, 429, 200]),
    )
    bans = Bans(
        after=_refused(dice.choice([3, 20, 20, 100]), world.limits.documented),
        lasts=dice.choice([30.0, 120.0, 120.0, 600.0]),
        told=dice.random() < 0.7,
    )
    more = {} if world.deviates & {"limit", "others"} else _limit(world, dice)
    return {"refusals": said, "bans": bans, **more}


def _others(world: World, dice: Dice) -> dict[str, Any]:
    leave = _cut(dice.uniform(30.0, 200.0)) if dice.random() < 0.25 else float("inf")
    spend: Literal["evenly", "bursts", "minutely"] = dice.choice(
        ["evenly", "evenly", "bursts", "minutely"]
    )
    part = dice.choice([0.1, 0.3, 0.5, 0.5, 0.8])
    return {"others": Others(spend=spend, part=part, leave=leave)}


def _copies(world: World, dice: Dice) -> dict[str, Any]:
    return {"processes": replace(world.processes, copies=dice.choice([2, 2, 3, 4]))}


def _stops(world: World, dice: Dice) -> dict[str, Any]:
    return {
        "processes": replace(
            world.processes,
            stop_at=_cut(dice.choice([0.0, dice.uniform(0.0, 150.0), 59.9])),
            stop_for=dice.choice([0.5, 4.0, 8.0, 30.0, 61.0, 400.0]),
            suspend=dice.random() < 0.4,
        )
    }


def _deaths(world: World, dice: Dice) -> dict[str, Any]:
    die_at = _cut(dice.choice([dice.uniform(0.01, 1.0), dice.uniform(0.0, 150.0)]))
    return {
        "processes": replace(
            world.processes, die_at=die_at, back_after=dice.choice([0.1, 2.0, 20.0])
        )
    }


DEVIATIONS: Final[dict[str, Callable[[World, Dice], dict[str, Any]]]] = {
    "window": _window,
    "limit": _limit,
    "weight": _weight,
    "payer": _payer,
    "headers": _headers,
    "latency": _latency,
    "losses": _losses,
    "clocks": _clocks,
    "storm": _storm,
    "refusals": _refusals,
    "others": _others,
    "copies": _copies,
    "stops": _stops,
    "deaths": _deaths,
}


def _affordable(world: World) -> World:
    """Ask less where the exchange gives less, so that a world has a few windows and ends soon."""
    if world.limits.documented < 6_000 and not _fits(world):
        world = replace(world, limits=replace(world.limits, documented=6_000, accounts=180_000))
    if not _fits(world, 1):
        world = replace(world, charging=Charging())  # in a world where nothing fits, nothing goes
    work = []
    for stream in world.work:
        endpoint = ENDPOINTS[stream.endpoint]
        room = min(world.limit(payer) for payer in world.payers(endpoint))
        most = min(_MOST_CALLS, max(12, 10 * (room // max(1, world.charged(endpoint)))))
        work.append(replace(stream, calls=min(stream.calls, most)))
    fitting = replace(world, work=tuple(work))
    left = world.limit("ip") * (1 - world.others.part)
    return fitting if left >= 3 * world.charged(world.main) else replace(fitting, others=Others())


def _fits(world: World, few: int = _FEW) -> bool:
    """Say whether some calls of each kind fit into a window."""
    endpoints = [ENDPOINTS[stream.endpoint] for stream in world.work]
    if any(2 * endpoint.weight > world.limits.documented for endpoint in endpoints):
        return False  # headers may say that the address pays
    return all(
        few * world.charged(endpoint) <= world.limit(payer)
        for endpoint in endpoints
        for payer in world.payers(endpoint)
    )


def _cut(value: float) -> float:
    return round(value, 3)
