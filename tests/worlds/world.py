"""A world: how an exchange behaves, how far away it is, who else is there, and what is asked of it.

A world is a value, made of parts. Each part, left alone, is as documented. A world's `repr` names
only what deviates, and can be pasted into a test after `from tests.worlds.world import *`.

    world.py       worlds and their parts (this file)
    draw.py        a world from one integer
    engine.py      true time, and processes that each have a loop and a clock of their own
    exchange.py    the strict exchange of a world; it knows nothing of the package
    process.py     a program with a budget: it makes the calls of a world
    shared.py      budgets that processes share, in a log of memory
    play.py        a world, played: what was sent, heard and waited for
    least.py       the least time that a client who knows everything would need
    refusals.py    what may be sent after a refusal, a ban, or a firewall's page
    invariants.py  what has to hold in every world
    shrink.py      the smallest world that still violates the same
    kept.py        worlds that once failed
    known.py       why a world can't be better
    run.py         many worlds, counted
    naive.py       budgets with faults on purpose: each invariant notices one

Times are seconds; 0 is when the world begins.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = [
    "CHARGED",
    "ENDPOINTS",
    "WINDOW",
    "Bans",
    "Charging",
    "Clocks",
    "Endpoint",
    "Headers",
    "Limits",
    "Net",
    "Others",
    "Processes",
    "Redis",
    "Refusals",
    "Storm",
    "Stream",
    "Windows",
    "World",
    "others_spend",
]

Payer = Literal["ip", "uid", "request"]

WINDOW: Final = 60.0
"""The documented window."""


@dataclass(frozen=True)
class Endpoint:
    """What the documents say of an endpoint."""

    title: str
    weight: int
    payer: Payer


ENDPOINTS: Final = {
    "list": Endpoint("GET /sapi/v1/margin/exchange-small-liability", 100, "ip"),
    "wallet": Endpoint("GET /sapi/v1/asset/wallet/balance", 60, "ip"),
    "margin": Endpoint("GET /sapi/v1/margin/account", 10, "ip"),
    "log": Endpoint("GET /sapi/v1/asset/dribblet", 1, "ip"),
    "exchange": Endpoint("POST /sapi/v1/margin/exchange-small-liability", 3_000, "uid"),
    "time": Endpoint("GET /api/v3/time", 1, "request"),
}


class Part:
    """Names in its `repr` only what is not as documented."""

    def __repr__(self) -> str:
        shown = []
        for each in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            usual = each.default
            if each.default_factory is not dataclasses.MISSING:
                usual = each.default_factory()
            if value != usual:
                shown.append(f"{each.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _round(value: float) -> float:
    return round(value, 3)


@dataclass(frozen=True, kw_only=True, repr=False)
class Windows(Part):
    """How the exchange cuts time. Fixed and sliding are both as documented: it does not say."""

    mode: Literal["fixed", "sliding"] = "fixed"
    length: float = WINDOW
    phase: float = 0.0
    """How far into a window the world begins."""
    off: float = 0.0
    """By how much the cuts are off the multiples of a window."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Limits(Part):
    """How much weight the documents promise, and which part of it there is."""

    documented: int = 12_000
    accounts: int = 180_000
    """Likewise for each account."""
    true: float = 1.0


@dataclass(frozen=True, kw_only=True, repr=False)
class Charging(Part):
    """What calls of the first stream's endpoint cost, and who pays."""

    times: int = 1
    payer: Literal["documented", "ip", "uid", "both"] = "documented"


@dataclass(frozen=True, kw_only=True, repr=False)
class Headers(Part):
    """What the headers say of the weight used."""

    say: Literal["true", "late", "missing", "one", "backwards", "huge", "minus", "other"] = "true"
    part: float = 1.0
    """The part of the answers that are so; ignored with `once`."""
    once: int = 0
    """Only in this good answer, counted from 1; 0 for always."""
    late: int = 1
    """By how many answers a late header is late."""
    nodes: int = 1
    """How many nodes there are; each tells only what it has counted itself."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Net(Part):
    """The way to the exchange and back."""

    way: float = 0.05
    jitter: float = 0.05
    """At the most so much longer, each way."""
    lost_requests: float = 0.0
    lost_answers: float = 0.0
    timeout: float = 10.0

    @property
    def round_trip(self) -> float:
        """The longest one."""
        return 2 * (self.way + self.jitter)

    @property
    def recv_window(self) -> float:
        """What a program on such a line sets: the exchange has no more than a minute."""
        return 10.0 if self.round_trip < 8.0 else 60.0


@dataclass(frozen=True, kw_only=True, repr=False)
class Clocks(Part):
    """The exchange's clock, and ours, against true time."""

    step_at: float = 0.0
    step: float = 0.0
    """By how much the exchange's clock steps forward then."""
    drift: float = 0.0
    """Seconds that the exchange's clock gains in a second."""
    our_drift: float = 0.0
    """Seconds that our monotonic clock gains in a second."""
    our_wall: float = 0.0
    """By how much our wall clock is ahead; it counts until the exchange's time is learnt."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Storm(Part):
    """A firewall that refuses (403), or nodes that fail (5xx)."""

    kind: Literal["none", "wall", "broken"] = "none"
    at: float = 0.0
    pages: int = 0
    """So many requests that arrive from then on are answered so."""
    lasts: float = 0.0
    """Or all of so many seconds."""
    part: float = 1.0
    """Or this part of them."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Refusals(Part):
    """How a refusal for weight is said."""

    retry_after: Literal["true", "zero", "absent", "300"] = "true"
    status: Literal[429, 200] = 429


@dataclass(frozen=True, kw_only=True, repr=False)
class Bans(Part):
    """When the address is banned: after so many refusals in a row. A good answer ends the row."""

    after: int = 20
    lasts: float = 120.0
    told: bool = True


@dataclass(frozen=True, kw_only=True, repr=False)
class Others(Part):
    """Who else spends behind the address, on the endpoint of the first stream."""

    spend: Literal["nothing", "evenly", "bursts", "minutely"] = "nothing"
    part: float = 0.0
    """The part of the limit that they take in a window."""
    leave: float = math.inf


@dataclass(frozen=True, kw_only=True, repr=False)
class Processes(Part):
    """Our own programs at the address; copies don't know of each other."""

    copies: int = 1
    stop_at: float = 0.0
    stop_for: float = 0.0
    suspend: bool = False
    """Whether the whole machine sleeps, so that the monotonic clock stands still."""
    die_at: float = math.inf
    back_after: float = 0.0


@dataclass(frozen=True, kw_only=True, repr=False)
class Redis(Part):
    """Where our processes share a budget."""

    way: float = 0.0
    jitter: float = 0.0
    """At the most so much longer, each way."""
    forgets: tuple[float, ...] = ()
    """When it is killed, and comes back empty."""
    down: float = 0.0
    """Seconds for which nobody can connect then."""

    @property
    def round_trip(self) -> float:
        """The longest one."""
        return 2 * (self.way + self.jitter)


@dataclass(frozen=True, kw_only=True, repr=False)
class Stream(Part):
    """Calls of one endpoint: all at once, or one after another."""

    endpoint: str = "list"
    calls: int = 300
    every: float = 0.0
    """Seconds between two calls; 0 for all at once."""
    begin: float = 0.0
    single: bool = False
    """Whether each is a single call beside the scan."""
    deadline: float | None = None
    """Seconds that each call has."""

    @property
    def starts(self) -> list[float]:
        """When each call is wanted."""
        return [_round(self.begin + number * self.every) for number in range(self.calls)]


@dataclass(frozen=True, kw_only=True, repr=False)
class World(Part):
    """A whole world. What chance decides in it follows from `seed`."""

    seed: int = 0
    windows: Windows = field(default_factory=Windows)
    limits: Limits = field(default_factory=Limits)
    charging: Charging = field(default_factory=Charging)
    headers: Headers = field(default_factory=Headers)
    net: Net = field(default_factory=Net)
    clocks: Clocks = field(default_factory=Clocks)
    storm: Storm = field(default_factory=Storm)
    refusals: Refusals = field(default_factory=Refusals)
    bans: Bans = field(default_factory=Bans)
    others: Others = field(default_factory=Others)
    processes: Processes = field(default_factory=Processes)
    redis: Redis | None = None
    """`None` if each process has a budget of its own."""
    work: tuple[Stream, ...] = (Stream(),)
    accounts: int = 1
    max_wait: float = WINDOW

    @property
    def deviates(self) -> frozenset[str]:
        """In which dimensions this world is not as documented."""
        parts = {
            "window": self.windows.length != WINDOW or self.windows.off != 0,
            "limit": self.limits.true != 1,
            "weight": self.charging.times != 1,
            "payer": self.charging.payer != "documented",
            "headers": self.headers != Headers(),
            "latency": self.net.round_trip > WINDOW / 100,
            "losses": self.net.lost_requests + self.net.lost_answers > 0,
            "clocks": self.clocks != Clocks(),
            "storm": self.storm.kind != "none",
            "refusals": self.refusals != Refusals(),
            "others": self.others.spend != "nothing",
            "copies": self.processes.copies > 1,
            "stops": self.processes.stop_for > 0,
            "deaths": self.processes.die_at < math.inf,
            "redis": self.redis is not None and self.redis.forgets != (),
        }
        return frozenset(name for name, deviates in parts.items() if deviates)

    @property
    def redis_trip(self) -> float:
        """The longest way to Redis and back, if there is one."""
        return 0.0 if self.redis is None else self.redis.round_trip

    @property
    def main(self) -> Endpoint:
        """The endpoint that deviations of weight and payer, and others, are about."""
        return ENDPOINTS[self.work[0].endpoint]

    def charged(self, endpoint: Endpoint) -> int:
        """Give the weight that the exchange counts for a call."""
        return endpoint.weight * (self.charging.times if endpoint == self.main else 1)

    def payers(self, endpoint: Endpoint) -> tuple[Payer, ...]:
        """Say who pays for a call at the exchange."""
        if endpoint != self.main or self.charging.payer == "documented":
            return (endpoint.payer,)
        if self.charging.payer == "both":
            return ("ip", "uid")
        return (self.charging.payer,)

    def limit(self, payer: Payer) -> int:
        """Give the weight that the exchange lets through in a window."""
        documented = {
            "ip": self.limits.documented,
            "uid": self.limits.accounts,
            "request": 6_000,
        }[payer]
        return int(documented * self.limits.true) if payer != "request" else documented


CHARGED: Final = 20
"""Into so many pieces others cut what they spend evenly in a window."""


def others_spend(world: World, until: float) -> list[tuple[float, int]]:
    """Say what others spend, and when: a list in the order of time."""
    others, windows = world.others, world.windows
    share = round(world.limit("ip") * others.part)
    end, length = min(until, others.leave), windows.length
    if others.spend == "nothing" or share <= 0:
        return []
    if others.spend == "evenly":
        pieces = min(CHARGED, share)
        step, weight = length / pieces, share // pieces
        return [(_round(step * n), weight) for n in range(math.ceil(end / step))]
    # Bursts come at any time, every one and a half windows; minutely ones a moment after a cut.
    step = length * 1.5 if others.spend == "bursts" else length
    first = length * 0.4 if others.spend == "bursts" else length - windows.phase + 0.5
    return [
        (_round(first + step * n), share) for n in range(max(0, math.ceil((end - first) / step)))
    ]
