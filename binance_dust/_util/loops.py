"""Binds an object to the event loop of its first use. Sockets and waiters cannot change loops."""

from __future__ import annotations

import asyncio

from binance_dust.errors import ConfigurationError

__all__ = ["OneLoop"]


class OneLoop:
    """Remembers a loop, and rejects any other with a clear error."""

    __slots__ = ("_loop", "_what")

    def __init__(self, what: str) -> None:
        """Begin without a loop. Errors name the object as `what`."""
        self._what = what
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self) -> None:
        """Bind to the running loop, or raise if another one is bound."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigurationError(
                f"{self._what} belongs to one event loop: make another for this one"
            )

    def leave(self) -> None:
        """Raise if it is closed from another loop."""
        if self._loop not in (None, asyncio.get_running_loop()):
            raise ConfigurationError(f"{self._what} must be closed in the event loop that used it")
