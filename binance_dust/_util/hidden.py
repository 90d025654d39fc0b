"""What holds a secret: its repr is short in every printer, and it is never pickled."""

from __future__ import annotations

from typing import Any, NoReturn, Self

import msgspec

__all__ = ["NEVER_PICKLED", "HiddenStruct", "NeverPickled"]

NEVER_PICKLED = "keys are never pickled: pass the account's name, and look it up there"


class NeverPickled:
    """Base class for what holds a key: copying gives the same object, pickling fails."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError(NEVER_PICKLED)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(NEVER_PICKLED)


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
