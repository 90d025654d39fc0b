"""An event loop in a thread, for those who block."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager


class Thread:
    """Keeps something open in a thread with an event loop of its own."""

    def __init__(self, opened: AbstractAsyncContextManager[object]) -> None:
        """Prepare; nothing is opened yet."""
        self._opened = opened
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="binance-dust-sandbox", daemon=True)

    def open(self) -> None:
        """Come back when it is open, or raise what kept it from that."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._join()

    def close(self) -> None:
        """Come back when it is closed, or raise what went wrong."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._join()

    def _join(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            self._error = error
            self._ready.set()

    async def _serve(self) -> None:
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        async with self._opened:
            self._ready.set()
            await self._stop.wait()
