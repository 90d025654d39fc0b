"""What holds a secret is never pickled."""

from __future__ import annotations

from typing import NoReturn, Self

__all__ = ["NEVER_PICKLED", "NeverPickled"]

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
