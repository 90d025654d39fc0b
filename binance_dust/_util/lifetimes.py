"""Lifetimes: objects that are closed, or bound to one event loop; signals that end a process."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

__all__ = ["Closing", "OneLoop", "on_signal"]


def on_signal(number: signal.Signals, act: Callable[[], object]) -> None:
    """Call `act` in the running event loop when the process gets a signal.

    It is left out where there is no such thing: on Windows, and outside of the main thread.
    """
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        asyncio.get_running_loop().add_signal_handler(number, act)


class Closing:
    """Must be closed; leaving `async with` closes it."""

    __slots__ = ()

    async def close(self) -> None:
        """Release everything. Closing twice does no harm."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class OneLoop:
    """Binds an object to the event loop of its first use: its sockets cannot change loops."""

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

    @property
    def ended(self) -> bool:
        """Whether its event loop was closed: nothing happens there any more."""
        return self._loop is not None and self._loop.is_closed()

    def leave(self) -> None:
        """Raise if it is closed from another loop."""
        if self._loop not in (None, asyncio.get_running_loop()):
            raise ConfigurationError(f"{self._what} must be closed in the event loop that used it")
