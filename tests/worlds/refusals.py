"""What may be sent after a refusal, a ban, or a firewall's page was heard.

Each process is judged by what it had heard itself. After a refusal it waits for as long as it was
told. Then it probes: one call at a time, until a good answer to a call that was sent later.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.worlds.play import Play
from tests.worlds.process import BANNED, GOOD, REFUSED, WALLED, Sent
from tests.worlds.world import WINDOW

_HAIR = 0.02
_PROBE_LASTS = WINDOW / 14
"""Seconds after which a probe without an answer may be followed by another."""
_WALL_REST = 30.0
"""A second page, to a lone call, means a wall: not knocked at more often than this."""
_BURSTS = 2
"""So many bursts may run into refusals: the first, and one that tries what was learnt."""


@dataclass(slots=True)
class _Shut:
    """What one process knows of one refusal."""

    until: float = -math.inf
    since: float = math.inf
    """When the last refusal was heard; infinite if all is well."""
    probes: list[Sent] = field(default_factory=list)
    pages: int = 0

    def hear(self, sent: Sent, end: str) -> None:
        heard = sent.heard or 0.0
        if sent.end == end:
            lone = sent.at > self.since
            self.pages = self.pages + 1 if lone else 1
            self.since = min(self.since, heard)
            if sent.wait:
                # Our own clock may be fast.
                self.until = max(self.until, heard + sent.wait * 0.998)
            elif end == WALLED and lone:
                self.until = max(self.until, heard + _WALL_REST)
        elif sent.end == GOOD and sent.at > self.since:
            self.since, self.pages = math.inf, 0
        self.probes = [probe for probe in self.probes if probe is not sent]

    def send(self, sent: Sent) -> str | None:
        if sent.at < self.until - _HAIR:
            return f"sent {self.until - sent.at:.2f} s before the end that was heard"
        if self.since == math.inf:
            return None
        pending = [probe for probe in self.probes if probe.at > sent.at - _PROBE_LASTS]
        self.probes.append(sent)
        return "sent beside a probe without an answer" if pending else None


def _told(play: Play) -> Iterator[tuple[float, int, Sent]]:
    """Go through what was sent (1) and heard (0), in the order of time."""
    told = [(sent.at, 1, number) for number, sent in enumerate(play.notes.sent)]
    told += [
        (sent.heard, 0, number)
        for number, sent in enumerate(play.notes.sent)
        if sent.heard is not None
    ]
    for at, what, number in sorted(told):
        yield at, what, play.notes.sent[number]


def sent_into(play: Play) -> Iterator[tuple[str, str]]:
    """Find calls that were sent into a refusal, a ban or a wall that had been heard."""
    by_account = play.world.payers(play.world.main) == ("uid",)
    kinds = {REFUSED: "sent into a refusal", BANNED: "sent into a ban", WALLED: "knocked at a wall"}
    shut: dict[tuple[str, int, str, str], _Shut] = {}
    found: dict[str, str] = {}
    for at, what, sent in _told(play):
        account = sent.account if by_account else ""
        for end, kind in kinds.items():
            place = (sent.title, account) if end == REFUSED else ("", "")
            key = (end, sent.process, *place)
            if what == 0 and (sent.end == end or key in shut):
                shut.setdefault(key, _Shut()).hear(sent, end)
            elif what == 1 and key in shut and (why := shut[key].send(sent)) is not None:
                found.setdefault(kind, f"at {at:.2f} process {sent.process} {why}: {sent.title}")
    yield from found.items()


def lone_pages(play: Play) -> int:
    """Count a firewall's pages that met a call sent after another page was heard."""
    lone, heard = 0, math.inf
    for _, what, sent in _told(play):
        if what == 1:
            continue
        if sent.end == WALLED:
            lone += sent.at > heard
            heard = min(heard, sent.heard or math.inf)
        elif sent.end == GOOD and sent.at > heard:
            heard = math.inf
    return lone


def bursts_refused(play: Play) -> int:
    """Count bursts (two calls or more under way at once) of which some were refused.

    A burst ends with a good answer to a call that was sent after the burst's refusal was heard.
    """
    most = 0
    by_account = play.world.payers(play.world.main) == ("uid",)

    def pool(sent: Sent) -> tuple[int, str, str]:
        return sent.process, sent.title, sent.account if by_account else ""

    for key in {pool(sent) for sent in play.notes.sent if sent.end == REFUSED}:
        bursts, heard, flying = 0, -math.inf, 0
        lone: dict[int, bool] = {}
        for at, what, sent in _told(play):
            if pool(sent) != key:
                continue
            if what == 1:
                lone[id(sent)] = flying == 0
                flying += 1
                continue
            flying -= 1
            if sent.end == REFUSED and not lone[id(sent)] and sent.at > heard:
                bursts, heard = bursts + 1, at
        most = max(most, bursts)
    return most


def again_and_again(play: Play) -> Iterator[tuple[str, str]]:
    """Find worlds with steady rules in which burst after burst was refused."""
    world = play.world
    steady = world.others.spend in {"nothing", "evenly"} and world.processes.copies == 1
    if steady and (bursts := bursts_refused(play)) > _BURSTS:
        yield "refused again and again", f"{bursts} bursts, {play.exchange.refused} refusals"
