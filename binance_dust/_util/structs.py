"""Structs of msgspec that hold a secret: their repr is short in every printer."""

from __future__ import annotations

from typing import Any, NoReturn, Self

import msgspec

from binance_dust._util.keys import NEVER_PICKLED

__all__ = ["HiddenStruct"]


class HiddenStruct(msgspec.Struct, frozen=True, gc=False):
    """Base class for structs with a repr of their own.

    A struct of msgspec shows all its fields to rich, which asks for them before it asks for a repr.
    """

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(NEVER_PICKLED)
