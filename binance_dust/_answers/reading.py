"""A body becomes the declared result: exact, with every spelling, without what can be set aside."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, get_args, get_type_hints

import msgspec

from binance_dust._util.rows import RowsAnswer, show
from binance_dust.models import SPELLINGS

if TYPE_CHECKING:
    from binance_dust.endpoints import Endpoint

R = TypeVar("R")

_MOST_OF_A_PAGE: Final = 50_000
"""Those of a hundred conversions of seventy assets each."""
_MOST_VALUES: Final = 200_000
"""Twice those of 10,000 assets."""
_KEYS: Final = tuple((b'"%s"' % right, b'"%s"' % sent) for right, sent in SPELLINGS.items())


def has_too_much(endpoint: Endpoint[..., Any], body: bytes) -> bool:
    """Whether a body holds more values than any answer: read, each takes up to a hundred bytes."""
    most = _MOST_OF_A_PAGE if _is_page(endpoint.result) else _MOST_VALUES
    return len(body) > most and sum(map(body.count, (b",", b"[", b"{"))) > most


def spelt(kind: object, body: bytes) -> bytes:
    """Give a body in which the misspelt fields are misspelt, also if the exchange has mended it."""
    if _misspelt(kind):  # for the others, searching would take time for nothing
        for right, sent in _KEYS:
            body = body.replace(right, sent)
    return body


@cache
def _misspelt(kind: Any) -> bool:
    """Whether an answer of this type has a field that the exchange misspells."""
    if not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
        return any(map(_misspelt, get_args(kind)))
    names = {name.encode() for name in kind.__struct_encode_fields__}
    return not names.isdisjoint(SPELLINGS.values()) or any(
        map(_misspelt, get_type_hints(kind).values())
    )


def read_result(endpoint: Endpoint[..., R], body: bytes) -> R:
    """Read a body; raises an error of msgspec if it is not the declared result.

    Rows that don't depend on one another are read one by one if some of them can't be read.
    """
    body = spelt(endpoint.result, body)
    decoder = endpoint.decoder
    try:
        result = decoder.decode(body)
        if isinstance(result, RowsAnswer):
            result = cast("R", result.sifted())
    except msgspec.ValidationError:
        kind: Any = endpoint.result
        if not _is_page(kind):
            raise
        result = cast("R", kind.row_by_row(cast("Any", decoder), body))
    if b"\\" in body or not body.isascii():
        # Only such a body can hold what is not printable.
        show(result)
    return result


def _is_page(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, RowsAnswer)
