"""TEMPORARY stand-in by the lead until the real package is here: replace this file."""

from __future__ import annotations
import enum
from dataclasses import dataclass
from typing import Any
from binance_dust._spec import LimitKind


class Lane(enum.Enum):
    CALL = 1
    SCAN = 2


@dataclass(frozen=True)
class RateLimits:
    ip_weight: int = 12000
    uid_weight: int = 180000
    window: float = 60.0
    headroom: float = 0.0
    requests_per_second: float = 500


@dataclass(frozen=True)
class Charge:
    pool: str
    kind: LimitKind
    weight: int
    account: str | None


@dataclass
class Feedback:
    retry_after: float | None = None


def read_feedback(*a: Any) -> Feedback:
    return Feedback()


class Admission:
    def sent(self) -> None: ...
    def settle(self, f: Feedback) -> None: ...
    def unknown(self) -> None: ...
    def release(self) -> None: ...


class LocalBudget:
    def __init__(self, *a: Any) -> None: ...
    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        return Admission()

    async def close(self) -> None: ...


Budget = LocalBudget
