"""The thread of a ledger's file, in which all of its work is done in order, off the event loop.

What was submitted is done, even if its caller stops waiting.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from binance_dust.errors import ConfigurationError, DustError
from binance_dust.events import logger
from binance_dust.ledger._store import LedgerStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust.ledger._store import Work

__all__ = ["StoreThread"]

P = ParamSpec("P")
T = TypeVar("T")


class StoreThread:
    """A store, and the one thread that uses it."""

    __slots__ = ("_busy_timeout", "_path", "_store", "_thread")

    def __init__(self, path: str, *, busy_timeout: float) -> None:
        """Name the file; it is not opened yet."""
        self._path = path
        self._busy_timeout = busy_timeout
        self._thread: ThreadPoolExecutor | None = None
        self._store: LedgerStore | None = None

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return self._thread is not None

    async def open(self) -> None:
        """Start the thread and open the file."""
        if self._thread is not None:
            raise ConfigurationError(f"ledger {self._path} is already open")
        thread = self._thread = ThreadPoolExecutor(1, thread_name_prefix="binance-dust-ledger")
        opening = asyncio.get_running_loop().run_in_executor(thread, self._open)
        try:
            await asyncio.shield(opening)
        except BaseException:
            # A cancelled caller leaves no open file behind: the thread closes it afterwards.
            thread.submit(self._close)
            thread.shutdown(wait=False)
            self._thread = None
            raise

    async def close(self) -> None:
        """Finish pending work and close the file. It is safe to close twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            closing = asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown(wait=False)
            await asyncio.shield(closing)

    async def run(
        self,
        work: Callable[[LedgerStore], T],
        *,
        undo: Callable[[LedgerStore], object] | None = None,
    ) -> T:
        """Run work in the thread, and wait for it. `undo` is run if the waiter is cancelled."""
        if self._thread is None:
            raise ConfigurationError(f"ledger {self._path} is not open: use it in `async with`")
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.shield(loop.run_in_executor(self._thread, self._run, work))
        except (asyncio.CancelledError, GeneratorExit):
            if undo is not None:
                self.run_soon(undo)
            raise

    async def read(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that reads, in the thread: `LedgerStore.read`."""
        return await self.run(lambda store: store.read(work, *args, **kwargs))

    def run_soon(self, work: Callable[[LedgerStore], object]) -> None:
        """Run work in the thread without waiting, if the file is still open."""
        if self._thread is not None:
            self._thread.submit(self._run_logged, work)

    # --- in the thread ---------------------------------------------------------------------------

    def _open(self) -> None:
        self._store = LedgerStore(self._path, busy_timeout=self._busy_timeout)

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _run(self, work: Callable[[LedgerStore], T]) -> T:
        if self._store is None:
            # Asked for while it was being opened, and that has failed.
            raise ConfigurationError(f"ledger {self._path} could not be opened")
        return work(self._store)

    def _run_logged(self, work: Callable[[LedgerStore], object]) -> None:
        try:
            self._run(work)
        except DustError as error:
            logger.warning("%s", error)
