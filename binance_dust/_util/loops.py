"""What lives in one event loop: the one of its first use. Sockets and waiters can't leave it."""

from __future__ import annotations

import asyncio

from binance_dust.errors import ConfigurationError

__all__ = ["OneLoop"]


class OneLoop:
    """Remembers a loop, and refuses any other before something foreign fails there."""

    __slots__ = ("_loop", "_who")

    def __init__(self, who: str) -> None:
        """Belong to no loop yet; `who` is what errors begin with."""
        self._who = who
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self) -> None:
        """Belong to the loop that runs, or say that it is another."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigurationError(
                f"{self._who} lives in one event loop: make another for this one"
            )

    def leave(self) -> None:
        """Say that somebody closes it from another loop."""
        if self._loop not in (None, asyncio.get_running_loop()):
            raise ConfigurationError(
                f"{self._who} is closed in the event loop that it was used in, and nowhere else"
            )
