"""The pools as bytes, and back: `KINDS` names the classes, whose slots are all that is kept.

A value of one of them becomes an array: the number of its class, and its slots in their order. So
does a list, a dictionary, and a member of an enumeration. What is not named here is an error, so
that nothing is forgotten. A call is kept once; elsewhere stands its name.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust.budget._address import AddressGate
from binance_dust.budget._beliefs import Beliefs, News
from binance_dust.budget._boundary import Boundary, ServerWindow
from binance_dust.budget._ceiling import WeightCeiling
from binance_dust.budget._count import Count
from binance_dust.budget._door import Door
from binance_dust.budget._gates import Valve
from binance_dust.budget._kept import Kept
from binance_dust.budget._others import Others
from binance_dust.budget._own import OwnWeight, SlotChain, WeightSlot
from binance_dust.budget._pace import Pace
from binance_dust.budget._pool import Pool
from binance_dust.budget._price import Price, Prices
from binance_dust.budget._protocol import Lane
from binance_dust.budget._redis._shared import Member, SharedCall, SharedWaiter
from binance_dust.budget._trust import HeaderTrust
from binance_dust.endpoints import LimitKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import Enum

KINDS: Final[tuple[type, ...]] = (
    *(AddressGate, Beliefs, Boundary, Count, Door, HeaderTrust, Kept, Member, Others, OwnWeight),
    *(Pace, Pool, Price, Prices, SharedCall, SharedWaiter, Valve, WeightCeiling, WeightSlot),
)
_ENUMS: Final[tuple[type[Enum], ...]] = (Lane, LimitKind, News)
_LEFT_OUT: Final = frozenset(
    {"clock", "boundary", "door", "pool", "newer"}
    | {"_event_loop", "_next_count", "_waiters", "_waker_handle"}
)
"""Slots that are found again by name, or follow from the order; and what waits in a pace: never."""
_LIST, _DICT, _WINDOW, _CHAIN, _CALL, _ENUM = -1, -2, -3, -4, -5, -6
_PLAIN: Final = frozenset({int, float, str, bool, type(None)})

CallId = tuple[str, int]
"""A process, and the number of its call."""


@cache
def _slots(kind: type) -> tuple[str, ...]:
    """Return the names of what is kept of a class."""
    names = [
        name
        for each in reversed(kind.__mro__)
        for name in getattr(each, "__slots__", ())
        if name not in _LEFT_OUT
    ]
    return tuple(names)


_NUMBERS: Final = {kind: (number, _slots(kind)) for number, kind in enumerate(KINDS)}


def pack(  # noqa: PLR0911 - one for each kind of value
    value: Any, *, whole: bool = False
) -> Any:
    """Make arrays and plain values; of a call only its name, unless it is wanted `whole`."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is SharedCall and not whole:
        return [_CALL, value.pid, value.ticket]
    found = _NUMBERS.get(kind)
    if found is not None:
        number, names = found
        values = [getattr(value, name, None) for name in names]
        return [number, *[each if type(each) in _PLAIN else pack(each) for each in values]]
    if kind is list:
        return [_LIST, *map(pack, value)]
    if kind is dict:
        return [_DICT, *[pack(each) for pair in value.items() for each in pair]]
    if kind is ServerWindow:
        return [_WINDOW, *value]
    if kind is SlotChain:
        return [_CHAIN, *map(pack, value)]
    if kind in _ENUMS:
        return [_ENUM, _ENUMS.index(kind), value.value]
    raise TypeError(f"{kind.__name__} has no place in KINDS")


def unpack(  # noqa: PLR0911 - likewise
    packed: Any, call: Callable[[CallId], SharedCall | None]
) -> Any:
    """Make again what was packed; `call` finds a call by its name."""
    if type(packed) is not list:
        return packed
    number = packed[0]
    if number >= 0:
        kind = KINDS[number]
        value: Any = object.__new__(kind)
        for name, each in zip(_NUMBERS[kind][1], packed[1:], strict=True):
            setattr(value, name, unpack(each, call) if type(each) is list else each)
        return value
    rest = [unpack(each, call) for each in packed[1:]]
    match number:
        case -1:
            return rest
        case -2:
            return dict(zip(rest[::2], rest[1::2], strict=True))
        case -3:
            return ServerWindow(*rest)
        case -4:
            return SlotChain.of(rest)
        case -5:
            return call((rest[0], rest[1]))
        case _:
            return _ENUMS[rest[0]](rest[1])


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder()


def encode(value: Any) -> bytes:
    """Encode plain values."""
    return _ENCODER.encode(value)


def decode(data: bytes) -> Any:
    """Decode plain values."""
    return _DECODER.decode(data)
