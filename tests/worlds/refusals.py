"""What may be sent after a refusal, a ban, or a firewall's page was heard.

Each process is judged by what it had heard itself. After a refusal it waits for as long as it was
told. Then it probes: one call at a time, until a good answer to a call that was sent later.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.worlds.play import Play
from tests.worlds.process import BANNED, CLOCK, GOOD, REFUSED, WALLED, Sent
from tests.worlds.world import WINDOW

_HAIR = 0.02
_PROBE_LASTS = WINDOW / 14
"""Seconds after which a probe without an answer may be followed by another."""
_WALL_REST = 30.0
"""A second page, to a lone call, means a wall: not knocked at more often than this."""
_CLEARS = {REFUSED: {GOOD, CLOCK}, BANNED: {GOOD, CLOCK, REFUSED}, WALLED: {GOOD, CLOCK, REFUSED}}
"""Answers that show that a refusal, a ban or a wall has ended."""
_BURSTS = 2
"""So many bursts may run into refusals: the first, and one that tries what was learnt."""


@dataclass(slots=True)
class _Shut:
    """What one process knows of one refusal."""

    until: float = -math.inf
    since: float = math.inf
    """The turn in which the first refusal was heard; infinite if all is well."""
    heard: float = -math.inf
    """When the last one was heard. What leaves in the same moment may have been let go before."""
    probes: list[Sent] = field(default_factory=list)
    pages: int = 0

    def hear(self, sent: Sent, end: str) -> None:
        heard = sent.heard or 0.0
        if sent.end == end:
            lone = sent.turn > self.since
            self.pages = self.pages + 1 if lone else 1
            self.since = min(self.since, sent.heard_turn)
            self.heard = heard
            if sent.wait:
                # Our own clock may be fast. Of a call that was sent later the answer is newer.
                until = heard + sent.wait * 0.998
                self.until = until if lone else max(self.until, until)
            elif end == WALLED and lone:
                self.until = max(self.until, heard + _WALL_REST)
        elif sent.end in _CLEARS[end] and sent.turn > self.since:
            self.since, self.pages = math.inf, 0
        self.probes = [probe for probe in self.probes if probe is not sent]

    def send(self, sent: Sent) -> str | None:
        if sent.at <= self.heard:
            return None
        if sent.at < self.until - _HAIR:
            return f"sent {self.until - sent.at:.2f} s before the end that was heard"
        if self.since == math.inf:
            return None
        pending = [probe for probe in self.probes if probe.at > sent.at - _PROBE_LASTS]
        self.probes.append(sent)
        return "sent beside a probe without an answer" if pending else None


def _told(play: Play) -> Iterator[tuple[bool, Sent]]:
    """Go through what was sent, and what was heard of it, in order."""
    told = {sent.turn: (True, sent) for sent in play.notes.sent}
    told |= {sent.heard_turn: (False, sent) for sent in play.notes.sent if sent.heard is not None}
    for turn in sorted(told):
        yield told[turn]


def sent_into(play: Play) -> Iterator[tuple[str, str]]:
    """Find calls that were sent into a refusal, a ban or a wall that had been heard."""
    by_account = play.world.payers(play.world.main) == ("uid",)
    kinds = {REFUSED: "sent into a refusal", BANNED: "sent into a ban", WALLED: "knocked at a wall"}
    shut: dict[tuple[str, int, tuple[str, str]], _Shut] = {}
    found: dict[str, str] = {}
    for leaves, sent in _told(play):
        account = sent.account if by_account else ""
        for end, kind in kinds.items():
            place = (sent.title, account) if end == REFUSED else ("", "")
            key = (end, play.heard_by(sent.process), place)
            if not leaves and sent.end == end:
                shut.setdefault(key, _Shut()).hear(sent, end)
            elif not leaves:
                # Where processes share a budget, a good answer to one is known to all.
                for other, known in shut.items():
                    if other == key or (play.shared and other[::2] == key[::2]):
                        known.hear(sent, end)
            elif key in shut and (why := shut[key].send(sent)) is not None:
                found.setdefault(
                    kind, f"at {sent.at:.2f} process {sent.process} {why}: {sent.title}"
                )
    yield from found.items()


def lone_pages(play: Play) -> int:
    """Count a firewall's pages that met a call sent after another page was heard."""
    lone, heard = 0, math.inf  # in turns
    for leaves, sent in _told(play):
        if leaves:
            continue
        if sent.end == WALLED:
            lone += sent.turn > heard
            heard = min(heard, sent.heard_turn)
        elif sent.end in _CLEARS[WALLED] and sent.turn > heard:
            heard = math.inf
    return lone


def bursts_refused(play: Play) -> int:
    """Count bursts of which two calls or more were refused.

    What leaves before the first refusal of a burst is heard belongs to the burst.
    """
    most = 0
    by_account = play.world.payers(play.world.main) == ("uid",)

    def pool(sent: Sent) -> tuple[int, str, str]:
        return play.knows(sent.process), sent.title, sent.account if by_account else ""

    for key in {pool(sent) for sent in play.notes.sent if sent.end == REFUSED}:
        bursts, size, heard, flying = 0, 0, -1, 0
        lone: dict[int, bool] = {}
        for leaves, sent in _told(play):
            if pool(sent) != key:
                continue
            if leaves:
                lone[sent.turn] = flying == 0
                flying += 1
                continue
            flying -= 1
            if sent.end != REFUSED or lone[sent.turn]:
                continue
            if sent.turn > heard:
                size, heard = 0, sent.heard_turn
            size += 1
            bursts += size == 2
        most = max(most, bursts)
    return most


def again_and_again(play: Play) -> Iterator[tuple[str, str]]:
    """Find worlds with steady rules in which burst after burst was refused."""
    world = play.world
    steady = world.others.spend in {"nothing", "evenly"} and (
        play.shared or world.processes.copies == 1
    )
    if steady and (bursts := bursts_refused(play)) > _BURSTS:
        yield "refused again and again", f"{bursts} bursts, {play.exchange.refused} refusals"
