"""Budgets with a log in a real Redis that live in virtual time: the script takes it from us."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

import redis

from binance_dust.budget import BudgetSnapshot, Charge, RateLimits, RedisBudget
from binance_dust.budget._redis._script import digest, script
from binance_dust.budget._redis._store import KEYS, Argument, AwayError
from tests.budget.virtual import VirtualCaller, VirtualExchange
from tests.worlds.shared import MemoryLog

_names = itertools.count()


class VirtualStore:
    """A store that asks a real Redis, which takes no time but what the test says."""

    def __init__(self, client: redis.Redis | None, name: str, exchange: VirtualExchange) -> None:
        self._client = client
        self._log = MemoryLog()
        self._keys = [f"{{{name}}}:{key}" for key in KEYS]
        self._exchange = exchange
        self._heard: Callable[[bytes], None] | None = None
        self._pubsub: Any = None
        self.way = 0.0
        """Seconds to Redis and back."""
        self.away = False
        self.clock_error = 0.0
        self.calls: Counter[str] = Counter()
        self.others: list[VirtualStore] = [self]
        """All stores of the same Redis: messages are delivered after each call."""

    async def open(
        self, channel: str, hear: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> None:
        await self.close()
        if self.away:
            raise AwayError("away")
        self._heard, self._lost = hear, lost
        if self._client is None:
            self._log.channels[channel] = (asyncio.get_running_loop(), hear, self)
            return
        self._pubsub = self._client.pubsub()  # type: ignore[no-untyped-call]
        self._pubsub.subscribe(channel)
        while self._pubsub.get_message(timeout=1) is None:
            pass

    async def call(self, function: str, *arguments: Argument) -> Any:
        if self.way:
            await asyncio.sleep(self.way / 2)
        if self.away:
            raise AwayError("away")
        self.calls[function] += 1
        now = self._exchange.now() + self.clock_error
        result = self._run(now, function, *arguments)
        if function == "tell":
            for store in self.others:
                store.deliver()
        if self.way:
            await asyncio.sleep(self.way / 2)
        return result

    def _run(self, now: float, function: str, *arguments: Argument) -> Any:
        if self._client is None:
            return getattr(self._log, function)(now, *arguments)
        given: tuple[Any, ...] = (*self._keys, repr(now), function, *arguments)
        try:
            return self._client.evalsha(digest(), len(KEYS), *given)
        except redis.exceptions.NoScriptError:
            return self._client.eval(script(), len(KEYS), *given)

    def deliver(self) -> None:
        if self._pubsub is None:
            return
        loop = self._exchange.loop
        # What was published before comes before the answer to this.
        self._pubsub.ping()
        while True:
            message = self._pubsub.get_message(timeout=1)
            if message is None or message["type"] == "subscribe":
                continue
            if message["type"] == "pong":
                return
            if self._heard is not None:
                loop.call_later(self.way / 2, self._heard, message["data"])

    async def close(self) -> None:
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None

    def die(self) -> None:
        """Be a process that was killed: its connections close, and it says no more."""
        self.away = True
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None


class VirtualBudget(RedisBudget):
    """Says what it has to say before it is looked at: Redis takes no time here."""

    def __init__(self, store: VirtualStore, **options: Any) -> None:
        self._store = store
        super().__init__("redis://nowhere", **options)

    def _make_store(self, *_: Any) -> VirtualStore:
        return self._store

    def snapshot(self) -> BudgetSnapshot:
        self.catch_up()
        return super().snapshot()

    def forecast(self, charge: Charge, calls: int) -> float:
        self.catch_up()
        return super().forecast(charge, calls)

    def catch_up(self) -> None:
        link = self._link
        if self._away_since is None and link._connected and link._batch is None:
            way, self._store.way = self._store.way, 0.0
            with contextlib.suppress(StopIteration):
                link._exchange().send(None)
            self._store.way = way


class SharedCaller(VirtualCaller):
    """As `VirtualCaller`, with its budget in Redis; several of them share one."""

    def __init__(
        self,
        exchange: VirtualExchange,
        *,
        client: redis.Redis | None,
        name: str | None = None,
        clock_error: float | None = 0.0,
        lease: float = 5.0,
        share: float = 0.1,
        funds: Literal["wait", "fail"] = "wait",
        **limits: Any,
    ) -> None:
        super().__init__(exchange, clock_error=clock_error, **limits)
        self.name = name or f"test-{next(_names)}-{time.monotonic_ns()}"
        self.store = VirtualStore(client, self.name, exchange)
        self.client = client
        self.settings = limits | {"lease": lease, "share": share, "funds": funds}
        limits = {"window": exchange.window, "ip_weight": exchange.limit} | limits
        agreed = RateLimits(**limits)
        self.shared = VirtualBudget(
            self.store, name=self.name, limits=agreed, lease=lease, share=share, funds=funds
        )
        self.shared.attach(self.clock, self.events.append, patience=math.inf, limits=agreed)
        self.budget = self.shared  # type: ignore[assignment]
        exchange.loop.endings.append(self.shared.close)

    def another(self, **settings: Any) -> SharedCaller:
        """Another process of the same address."""
        settings = self.settings | settings
        caller = SharedCaller(self.exchange, client=self.client, name=self.name, **settings)
        caller.store.others = self.store.others
        caller.store.others.append(caller.store)
        return caller
