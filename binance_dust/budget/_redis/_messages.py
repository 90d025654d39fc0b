"""What goes to the script and comes back, as msgpack: arrays, in the script's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust.budget._pools import account_of, key_of, name_of
from binance_dust.budget._redis._script import LAYOUT
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from binance_dust.budget._own import OwnWeight
    from binance_dust.budget._protocol import Charge

Op = list[Any]
"""One operation: a letter that names a function of main.lua, and its arguments."""

ADMIT: Final = "a"
LEAVE: Final = "c"
"""A waiter gives up its place."""
SETTLE: Final = "s"
UNKNOWN: Final = "u"
RELEASE: Final = "r"
COPIES: Final = "x"
VIEW: Final = "v"
HEARTBEAT: Final = "h"
RESUME: Final = "f"
"""A call is still in flight after a reconnection."""
SPENT: Final = "w"
"""Weight that this process has spent, in case Redis does not know it."""
BAN: Final = "g"
QUIT: Final = "q"


class PoolView(msgspec.Struct, array_like=True, frozen=True):
    """One pool as Redis has it."""

    key: str
    used: int
    in_flight: int
    waiting: int
    resets_in: float
    shut_for: float
    fixed: bool
    others: int
    room: int
    """Weight that may be spent at once."""
    queued: int
    """Weight that waits."""
    closes_in: float
    """Seconds until the next cut; -1 while the exchange's time is not known."""
    next_room: float
    """Seconds until the first part of the used weight is given back."""


class Recheck(msgspec.Struct, array_like=True, frozen=True):
    """When to check a queue again, all in seconds from now."""

    key: str
    delay: float
    chance: float
    """No call of that queue can be admitted before this."""
    shut_for: float


class Reply(msgspec.Struct, array_like=True, frozen=True):
    """The script's answer to a call."""

    epoch: str
    """Which life of the shared state this is: a new one after Redis was emptied."""
    known: bool
    """Whether Redis knew this process, and so still has its waiters and calls."""
    grants: list[int]
    joined: list[tuple[int, str]]
    refused: list[tuple[int, str, float]]
    events: list[tuple[str, str, float]]
    rechecks: list[Recheck]
    views: list[PoolView]
    gate: float
    """Seconds for which a ban keeps the address shut."""
    processes: int


class Message(msgspec.Struct, frozen=True):
    """What the script publishes to a process that did not ask."""

    grants: list[int]
    rechecks: list[Recheck] = msgspec.field(name="looks")
    gate: float
    """Seconds for which the address is shut; -1 if the message is not about that."""
    beat: int
    """The number of a heartbeat that this process sent; -1 without one."""


class Mismatch(msgspec.Struct, array_like=True, frozen=True):
    """How other processes of this address differ from this one."""

    limits: str
    layout: int | None = None
    """How their version keeps the state, if that differs."""


def pool_fields(charge: Charge) -> tuple[str, str, str, str]:
    """Return what the script needs to open a pool."""
    return key_of(charge), name_of(charge), charge.kind.value, account_of(charge) or ""


def spent_rows(own: OwnWeight, now: float, since: float) -> tuple[list[float], int]:
    """Return what was answered since a moment, as ages and weights, and the rest that counts."""
    rest = own.spent(now)
    rows: list[float] = []
    for slot in own.answered_slots():
        rest -= slot.weight
        if slot.last >= since:
            rows += [now - slot.earliest, now - slot.last, slot.weight]
    return rows, rest


_ENCODER: Final = msgspec.msgpack.Encoder()
_REPLY: Final = msgspec.msgpack.Decoder(Reply)
_MESSAGE: Final = msgspec.msgpack.Decoder(Message)
_MISMATCH: Final = msgspec.msgpack.Decoder(Mismatch)


def encode(call: dict[str, Any]) -> bytes:
    """Encode a call of the script."""
    return _ENCODER.encode(call)


def read_reply(data: bytes, limits: list[str]) -> Reply:
    """Read the script's answer to a process with these limits.

    Raises `ConfigurationError` if other processes of this address have other limits, or another
    version, and `msgspec.MsgspecError` if the answer can't be read.
    """
    try:
        return _REPLY.decode(data)
    except msgspec.ValidationError:
        mismatch = _MISMATCH.decode(data)
    if mismatch.layout is not None:
        raise ConfigurationError(
            "others share this budget by another version of this package (layout"
            f" {mismatch.layout}, this one's is {LAYOUT}): upgrade all of them together"
        )
    raise ConfigurationError(
        f"others share this budget by other limits: theirs are {mismatch.limits},"
        f" these {' '.join(limits)}"
    )


def read_message(data: bytes) -> Message:
    """Read what the script published."""
    return _MESSAGE.decode(data)
