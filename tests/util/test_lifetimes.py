"""Signals reach the event loop, whatever loop it is."""

from __future__ import annotations

import asyncio
import os
import signal
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVarTuple

from binance_dust._util.lifetimes import on_signal

T = TypeVarTuple("T")


class OldUvloop(asyncio.SelectorEventLoop):
    """Warns on Python 3.14, as uvloop 0.22 does."""

    def add_signal_handler(self, sig: int, callback: Callable[[*T], Any], *args: *T) -> None:
        warnings.warn("asyncio.iscoroutinefunction is deprecated", DeprecationWarning, stacklevel=2)
        super().add_signal_handler(sig, callback, *args)


def test_a_signal_calls_what_waits_for_it_also_where_a_loop_warns() -> None:
    async def wait() -> None:
        told = asyncio.Event()
        on_signal(signal.SIGUSR1, told.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        async with asyncio.timeout(10):
            await told.wait()

    with asyncio.Runner(loop_factory=OldUvloop) as runner:
        runner.run(wait())


def test_a_loop_of_another_thread_goes_without_signals() -> None:
    async def ask() -> None:
        on_signal(signal.SIGUSR1, lambda: None)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, ask()).result()
