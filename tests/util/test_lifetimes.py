"""Signals reach the event loop."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor

from binance_dust._util.lifetimes import on_signal


def test_a_signal_calls_what_waits_for_it() -> None:
    async def wait() -> None:
        told = asyncio.Event()
        on_signal(signal.SIGUSR1, told.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        async with asyncio.timeout(10):
            await told.wait()

    asyncio.run(wait())


def test_a_loop_of_another_thread_goes_without_signals() -> None:
    async def ask() -> None:
        on_signal(signal.SIGUSR1, lambda: None)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, ask()).result()
