"""What the sweep told of the hour: that it never stood still, and failed nothing when all was calm.

A report is a line of `binance-dust sweep --json`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

_OF_TRADES: Final = "since the quote"
"""What stops a turn if a trade changed a balance while it was quoted: as it should be."""
_FAILED: Final = frozenset({"failed", "unknown", "can't be known", "stopped by a rule"})


@dataclass(slots=True)
class Turns:
    """The turns of accounts."""

    outcomes: Counter[str] = field(default_factory=Counter)
    converted: Counter[int] = field(default_factory=Counter)
    """By the number of the world in which it happened."""
    calm: set[str] = field(default_factory=set)
    """Accounts that had a turn in the calm at the end."""
    failed: Counter[str] = field(default_factory=Counter)
    """What failed in that calm."""


def count(reports: Iterable[dict[str, Any]], worlds: Sequence[float], calm: float) -> Turns:
    """Count; `worlds` began at these times, since the epoch, and the calm that is judged last."""
    seen = Turns()
    for report in reports:
        at, outcome = datetime.fromisoformat(report["at"]).timestamp(), report["outcome"]
        seen.outcomes[outcome] += 1
        seen.converted[sum(begin <= at for begin in worlds)] += outcome == "converted"
        if at >= calm:
            seen.calm.add(report["account"])
            why = str((report["error"] or {}).get("text"))
            if outcome in _FAILED and _OF_TRADES not in why:
                seen.failed[f"{outcome}: {why}"] += 1
    return seen


def faults(seen: Turns, accounts: Collection[str], worlds: Sequence[str]) -> list[str]:
    """Name what must not be: an account left out, a failure in calm, a world of standing still."""
    found = [f"calm, and yet {times} times {what}" for what, times in seen.failed.items()]
    if missing := set(accounts) - seen.calm:
        found.append(f"{len(missing)} accounts had no turn in the calm at the end")
    found += [
        f"nothing was converted in world {number} ({name})"
        for number, name in enumerate(worlds, start=1)
        if not seen.converted[number]
    ]
    return found
