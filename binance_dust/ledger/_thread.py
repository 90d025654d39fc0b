"""The thread that has a ledger's file open: what it is given it does in order, off the event loop.

What has been handed over is done, also when nobody waits for it any more.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from binance_dust.errors import ConfigurationError, DustError
from binance_dust.events import logger
from binance_dust.ledger._store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StoreThread"]

T = TypeVar("T")


class StoreThread:
    """A store, and the one thread that works with it."""

    __slots__ = ("_busy_timeout", "_path", "_store", "_thread")

    def __init__(self, path: str, *, busy_timeout: float) -> None:
        """Name the file; nothing is opened yet."""
        self._path = path
        self._busy_timeout = busy_timeout
        self._thread: ThreadPoolExecutor | None = None
        self._store: Store | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is something to work with."""
        return self._thread is not None

    async def open(self) -> None:
        """Begin, and open the file."""
        if self._thread is not None:
            raise ConfigurationError(f"ledger {self._path} is open already")
        thread = self._thread = ThreadPoolExecutor(1, thread_name_prefix="binance-dust-ledger")
        opening = asyncio.get_running_loop().run_in_executor(thread, self._open)
        try:
            await asyncio.shield(opening)
        except BaseException:
            # Whoever gave up waiting leaves no open file behind: the thread closes it in its turn.
            thread.submit(self._close)
            thread.shutdown(wait=False)
            self._thread = None
            raise

    async def close(self) -> None:
        """Finish what is being done, and close the file. Closing twice is no harm."""
        thread, self._thread = self._thread, None
        if thread is not None:
            closing = asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown(wait=False)
            await asyncio.shield(closing)

    async def do(self, work: Callable[[Store], T]) -> T:
        """Have something done, and wait for it."""
        if self._thread is None:
            raise ConfigurationError(f"ledger {self._path} is not open: use it in `async with`")
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, self._do, work))

    def do_soon(self, work: Callable[[Store], object]) -> None:
        """Have something done without waiting for it, if there is still somebody to do it."""
        if self._thread is not None:
            self._thread.submit(self._try, work)

    # --- in the thread ---------------------------------------------------------------------------

    def _open(self) -> None:
        self._store = Store(self._path, busy_timeout=self._busy_timeout)

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _do(self, work: Callable[[Store], T]) -> T:
        assert self._store is not None  # noqa: S101 - opened before anything else is handed over
        return work(self._store)

    def _try(self, work: Callable[[Store], object]) -> None:
        try:
            self._do(work)
        except DustError as error:
            logger.warning("%s", error)
