"""What has to hold in every world, whatever it does (`design`, "The world is not as documented").

Each violation has a kind, which is what worlds are counted and shrunk by, and says what was seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.worlds.play import Play
from tests.worlds.process import Wait
from tests.worlds.refusals import again_and_again, lone_pages, sent_into
from tests.worlds.world import ENDPOINTS, WINDOW, Headers

_NO_REASON: Final = frozenset(
    {"headers", "latency", "losses", "clocks", "stops", "deaths", "refusals", "redis"}
)
"""Deviations that are no reason for a ban; wrong headers may be one for a refusal."""
_EPSILON: Final = 0.5
_TRIPS: Final = 5
"""Round trips to Redis until all that waits has gone: one after another, at the end of a scan."""
_FEW: Final = 0.1
"""The part of a limit for which room can be kept."""
TURN: Final = 1.25
"""Windows: so long a call may have to wait for its turn, also where nothing is refused."""
LEASE: Final = 10.0
"""Seconds until the others know that a process is dead, and that one which asked was it."""
WALL: Final = 300.0
"""Seconds that a firewall which a lone call has met may be left alone."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


Check = Callable[[Play], Iterator[tuple[str, str]]]


def violations(play: Play) -> list[Violation]:
    """Judge a world that was played."""
    return [Violation(kind, text) for check in CHECKS for kind, text in check(play)]


def _crashed(play: Play) -> Iterator[tuple[str, str]]:
    if play.notes.crashes:
        yield "crashed", play.notes.crashes[0]


def _second_ban(play: Play) -> Iterator[tuple[str, str]]:
    if len(play.exchange.bans) > 1:
        yield "a second ban", f"{len(play.exchange.bans)} bans"


def _refused_for_nothing(play: Play) -> Iterator[tuple[str, str]]:
    """Stops, deaths, steps and lines that are slow or lossy cost time, never a refusal."""
    world = play.world
    if world.deviates <= _NO_REASON:
        if play.exchange.bans:
            yield "banned for nothing", f"{len(play.exchange.bans)} bans"
        # A process that comes back and knows nothing may ask once for each endpoint.
        asks = len(world.work) if "deaths" in world.deviates else 0
        if play.exchange.refused > asks and world.headers == Headers():
            yield "refused for nothing", f"{play.exchange.refused} refusals"


def _told_in_time(play: Play) -> Iterator[tuple[str, str]]:
    """Deadlines are kept, and errors tell the time."""
    stopped = play.world.processes.stop_for
    for wait in play.notes.waits:
        ended = play.ended if wait.ended is None else wait.ended
        if wait.deadline is None:
            continue
        late = ended - max(wait.deadline, wait.since)
        if late > _EPSILON + stopped + wait.deadline * 1e-3 + 2 * play.world.redis_trip:
            yield "waited past its deadline", f"{late:.2f} s, {wait}"
            return
    for wait in play.notes.waits:
        passed = wait.deadline is not None and (wait.ended or 0.0) >= wait.deadline - _EPSILON
        if wait.error and not wait.wait and not passed:
            yield "told without the time", f"{wait}"
            return


def _silent(play: Play) -> Iterator[tuple[str, str]]:
    """Nobody waits for longer than `max_wait` while nothing of his pool moves, and is not told.

    A call waits for its turn as long as the limits require: as long as others of its pool go, or
    are told, it is no silence. A pool may also be full for a whole window.
    """
    world = play.world
    bound = max(world.max_wait, world.windows.length * 1.1, WINDOW * TURN) + 5.0
    bound += 2 * world.net.round_trip + world.processes.stop_for
    if play.shared and "deaths" in world.deviates:
        bound += LEASE
    if world.redis is not None and world.redis.forgets:
        bound += world.redis.down + LEASE
    bound += max(world.net.timeout if "losses" in world.deviates else 0.0, 0.0)
    pools: dict[tuple[int, str, str], list[Wait]] = defaultdict(list)
    by_account = world.payers(world.main) == ("uid",)
    for wait in play.notes.waits:
        account = wait.account if by_account else ""
        pools[play.knows(wait.process), wait.title, account].append(wait)
    for waits in pools.values():
        moves = sorted({play.ended, *(wait.ended for wait in waits if wait.ended is not None)})
        before = 0.0
        for move in moves:
            if move - before > bound:
                overlaps = (
                    min(play.ended if w.ended is None else w.ended, move) - max(w.since, before)
                    for w in waits
                )
                if (silence := max(overlaps)) > bound:
                    text = f"{silence:.1f} s until {move:.1f}, {bound:.1f} are allowed"
                    yield "waited in silence", text
                    return
            before = move


def _foretold(play: Play) -> Iterator[tuple[str, str]]:
    """Where all is as documented, or others spend evenly, the forecast is not too short."""
    world = play.world
    if not world.deviates <= {"others"} or world.others.spend == "bursts":
        return
    if world.others.leave < play.ended:
        return
    trips = 2 * world.net.round_trip + _TRIPS * world.redis_trip
    for at, title, foretold in play.notes.forecasts:
        ours = [s.at for s in play.notes.sent if s.title == title and s.at > at]
        late = [w.since for w in play.notes.waits if w.title == title and w.since > at]
        if ours and not late:  # nobody came later and went ahead
            seconds = max(ours) - at
            if seconds > (foretold - at) * 1.1 + trips + 0.5:
                yield "foretold too short", f"{foretold - at:.1f} s, took {seconds:.1f}"


def _singles_have_room(play: Play) -> Iterator[tuple[str, str]]:
    """A single call beside a scan waits less than a third of a window, if there are few."""
    world = play.world
    if world.deviates or world.work[0].single:
        return
    for stream in world.work:
        a_minute = WINDOW / stream.every if stream.every else stream.calls
        weight = a_minute * world.charged(ENDPOINTS[stream.endpoint])
        if stream.single and weight > world.limits.documented * _FEW:
            return
    waits = [w.ended - w.since for w in play.notes.waits if w.single and w.ended is not None]
    longest = max(waits, default=0.0)
    if longest > WINDOW / 3 + world.net.round_trip:
        yield "a single call waited", f"{longest:.1f} s"


def _recovers(play: Play) -> Iterator[tuple[str, str]]:
    """Two windows after an oddity, as much goes through as the exchange lets."""
    world, exchange = play.world, play.exchange
    once = _passing(play)
    if once is None or exchange.oddity_ended < 0 or not play.jobs:
        return
    length = max(WINDOW, world.windows.length)
    begin = exchange.oddity_ended + once + 2 * length
    end = begin + 2 * length
    title = world.main.title
    backlog = sum(
        job.stream.endpoint == world.work[0].endpoint
        and not job.stream.every
        and job.stream.deadline is None
        and (job.done is None or job.done > end)
        for job in play.jobs
    )
    if not backlog or play.ended < end:
        return
    burst = begin - WINDOW / 60  # one that is under way counts whole
    through = sum(w for at, t, w in exchange.accepted if t == title and burst <= at < end)
    fits = 2 * world.limit("ip") * length / world.windows.length
    if through < fits * 0.8 - 2 * world.charged(world.main):
        yield "strangled for good", f"{through} of {fits:.0f} in two windows from {begin:.0f} on"


def _passing(play: Play) -> float | None:
    """Say how long the rightful consequence of a passing oddity lasts; `None` if none passes."""
    world = play.world
    if world.payers(world.main) != ("ip",):
        return None
    if world.headers.once and world.deviates == {"headers"}:
        return 0.0
    if world.storm.pages and world.deviates == {"storm"}:
        return WALL * lone_pages(play)
    return None


def _slow(play: Play) -> Iterator[tuple[str, str]]:
    """Nothing idles: the time is near the least, and what was learnt has a bounded price."""
    if any(stream.deadline is not None for stream in play.world.work):
        return  # what was told "too late" saved time
    allowed = play.allowed
    if play.exchange.bans:
        begin, end = play.exchange.bans[0]
        allowed += end - begin + WINDOW
    allowed += WALL * lone_pages(play)
    if play.world.refusals.retry_after == "300" and play.exchange.refused:
        allowed += 300.0
    if play.seconds > allowed:
        part = play.seconds / play.least
        done = "" if play.finished else ", and is not done"
        yield (
            "slow",
            f"{play.seconds:.1f} s, {part:.2f} of the least, {allowed:.1f} are allowed{done}",
        )


CHECKS: Final[tuple[Check, ...]] = (
    _crashed,
    sent_into,
    again_and_again,
    _second_ban,
    _refused_for_nothing,
    _told_in_time,
    _silent,
    _foretold,
    _singles_have_room,
    _recovers,
    _slow,
)
