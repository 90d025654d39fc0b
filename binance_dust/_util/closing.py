"""Whatever is closed by whoever made it: `async with` is short for making it and closing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Closing"]


class Closing:
    """Has to be closed, and is closed by leaving its `async with`."""

    __slots__ = ()

    async def close(self) -> None:
        """Let go of everything. Closing twice is no harm."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
