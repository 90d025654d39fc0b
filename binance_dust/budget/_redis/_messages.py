"""What goes to the script and comes back from it, as msgpack: arrays, in the script's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust.budget._names import account_of, key_of, name_of

if TYPE_CHECKING:
    from binance_dust.budget._protocol import Charge


class View(msgspec.Struct, array_like=True, frozen=True):
    """One pool as Redis has it."""

    key: str
    used: int
    flying: int
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
    """Seconds until the next cut; -1 while nobody knows the exchange's time."""
    next_room: float
    """Seconds until the first of what is used now is given back."""


class Look(msgspec.Struct, array_like=True, frozen=True):
    """When to look at a line again, all in seconds from now."""

    key: str
    delay: float
    chance: float
    """Before this nobody in that line can go."""
    shut_for: float


class Reply(msgspec.Struct, array_like=True, frozen=True):
    """What the script says."""

    epoch: str
    """Which life of the pool this is: another one, if it was emptied."""
    known: bool
    """Whether this process was known, and so whatever it has there is there still."""
    grants: list[int]
    joined: list[tuple[int, str]]
    refused: list[tuple[int, str, float]]
    events: list[tuple[str, str, float]]
    looks: list[Look]
    views: list[View]
    gate: float
    """Seconds for which a ban keeps the address shut."""
    processes: int


class Letter(msgspec.Struct, frozen=True):
    """What the script tells a process that did not ask."""

    grants: list[int]
    looks: list[Look]
    gate: float
    """Seconds for which the address is shut; -1 if this is not about that."""
    beat: int
    """A number that this process sent round; -1 for none."""


class Differs(msgspec.Struct, array_like=True, frozen=True):
    """What others behind the same address go by."""

    limits: str
    layout: int | None = None
    """How their version keeps the pool, if that is what differs."""


def opening(charge: Charge) -> tuple[str, str, str, str]:
    """Give what the script needs to open a pool."""
    return key_of(charge), name_of(charge), charge.kind.value, account_of(charge) or ""


_ENCODER: Final = msgspec.msgpack.Encoder()
_REPLY: Final = msgspec.msgpack.Decoder(Reply)
_LETTER: Final = msgspec.msgpack.Decoder(Letter)
_DIFFERS: Final = msgspec.msgpack.Decoder(Differs)


def encode(call: dict[str, Any]) -> bytes:
    """Encode a call of the script."""
    return _ENCODER.encode(call)


def read_reply(data: bytes) -> Reply | Differs:
    """Read what the script said."""
    try:
        return _REPLY.decode(data)
    except msgspec.ValidationError:
        return _DIFFERS.decode(data)


def read_letter(data: bytes) -> Letter:
    """Read what came unasked."""
    return _LETTER.decode(data)
