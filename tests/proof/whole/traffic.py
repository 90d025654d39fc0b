"""What the exchange saw of the hour: calls, refusals, bans, and whether a ban was heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

HEARD: Final = 3.0
"""Seconds after the first 418 within which calls may still be under way, delays included."""
TRIES: Final = 3
"""Calls with which a process that began during a ban may find out about it."""
_SECOND: Final = 2


@dataclass(slots=True)
class Ban:
    """A time in which an address was answered 418."""

    address: str
    world: str
    first: float
    last: float
    earned: bool
    """Whether refused calls led to it; else it was ordered."""
    late: int = 0
    """Calls into it that were sent after it was heard."""


@dataclass(slots=True)
class Traffic:
    """The calls of an hour."""

    calls: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """Answers with 429, by world."""
    by_world: Counter[str] = field(default_factory=Counter)
    worlds: list[tuple[float, str]] = field(default_factory=list)
    bans: list[Ban] = field(default_factory=list)
    earned: list[tuple[float, str, str, str]] = field(default_factory=list)
    """Bans that refused calls led to: when, in which world, address, path."""
    refused_at_first: int = 0
    """Answers with 429 before the second world: while all was as documented."""
    last_refusal: float = 0.0


def count(lines: Iterable[dict[str, Any]], gap: float) -> Traffic:
    """Count; a ban has ended when nothing was answered 418 for `gap` seconds."""
    seen, shut = Traffic(), dict[str, Ban]()
    world, coming = "", dict[str, bool]()
    for line in lines:
        at = line["at"]
        match line["what"]:
            case "world":
                if line["name"] != world:
                    seen.worlds.append((at, line["name"]))
                world = line["name"]
            case "ban":
                seen.earned.append((at, world, line["address"], line["path"]))
                coming[line["address"]] = True
            case "request":
                status, address = line["status"], line["address"]
                seen.calls[line["call"]] += 1
                seen.statuses[status] += 1
                seen.by_world[world] += 1
                if status == 429:
                    seen.refused[world] += 1
                    seen.last_refusal = at
                    seen.refused_at_first += len(seen.worlds) < _SECOND
                if status == 200:
                    shut.pop(address, None)
                if status != 418:
                    continue
                ban = shut.get(address)
                if ban is None or at > ban.last + gap:
                    ban = Ban(address, world, at, at, coming.pop(address, False))
                    shut[address] = ban
                    seen.bans.append(ban)
                ban.last = at
                ban.late += at > ban.first + HEARD
    return seen


def faults(seen: Traffic, starts: Sequence[tuple[float, str]]) -> list[str]:
    """Name what must not be: a second ban for one cause, calls into a ban that was heard.

    `starts` are when a process began, and at which address: it knows nothing of a ban before.
    """
    found = []
    if seen.refused_at_first:
        found.append(f"{seen.refused_at_first} calls refused while all was as documented")
    causes = Counter((world, address, path) for _, world, address, path in seen.earned)
    for (world, address, path), times in causes.items():
        if times > 1:
            found.append(f"{times} bans of {address} for {path} in one world ({world})")
    for ban in seen.bans:
        began = sum(
            address == ban.address and ban.first - HEARD < at < ban.last + HEARD
            for at, address in starts
        )
        if ban.late > began * TRIES:
            found.append(
                f"{ban.late} calls from {ban.address} into a ban that was heard ({ban.world})"
            )
    return found
