"""One fault: what goes wrong, with which requests, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypedDict

Leg = Literal["request", "execution", "answer"]
Spoil = Literal["cut", "garbled", "wrong shape"]


class Where(TypedDict, total=False):
    """Which requests a fault strikes."""

    endpoint: str | None
    account: str | None
    address: str | None
    times: int | None
    skip: int


@dataclass(frozen=True, slots=True)
class Drop:
    """The line drops without an answer."""

    after_executing: bool


@dataclass(frozen=True, slots=True)
class Fail:
    """A server error in place of the answer."""

    status: int
    code: int | None
    msg: str
    after_executing: bool


@dataclass(frozen=True, slots=True)
class Refuse:
    """A refusal in place of admission."""

    status: int
    code: int
    retry_after: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """The firewall's page, before the exchange has seen anything."""


@dataclass(frozen=True, slots=True)
class Mangle:
    """The answer arrives, and can't be read."""

    how: Spoil


@dataclass(frozen=True, slots=True)
class Delay:
    """The request, its execution or its answer takes its time."""

    low: float
    high: float
    on: Leg


@dataclass(frozen=True, slots=True)
class ConvertNothing:
    """A conversion is answered with 200 and an empty result."""


@dataclass(frozen=True, slots=True)
class Misreport:
    """The used-weight header is missing, or says something else."""

    value: int | None


What = Drop | Fail | Refuse | Block | Mangle | Delay | ConvertNothing | Misreport


@dataclass(slots=True, eq=False, kw_only=True)
class Fault:
    """One armed fault."""

    what: What
    among: frozenset[str] | None = None
    """The endpoints that it can befall, by method and path; all of them where it is `None`."""
    endpoint: str | None = None
    account: str | None = None
    address: str | None = None
    times: int | None = 1
    skip: int = 0
    hits: int = 0
    """How often it struck."""

    @property
    def spent(self) -> bool:
        """It has struck as often as it was meant to."""
        return self.times is not None and self.hits >= self.times

    def cancel(self) -> None:
        """Disarm it."""
        self.times = 0

    def strikes(self, method: str, path: str, account: str | None, address: str) -> bool:
        """Tell whether this request is one of those it is meant for, and count it if so."""
        title = f"{method} {path}"
        if (
            self.spent
            or (self.among is not None and title not in self.among)
            or self.endpoint not in (None, path, title)
            or self.account not in (None, account)
            or self.address not in (None, address)
        ):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        return True


@dataclass(slots=True)
class Plan:
    """What goes wrong with one request."""

    delays: dict[Leg, float] = field(default_factory=dict)
    what: What | None = None


NO_PLAN: Final = Plan()
