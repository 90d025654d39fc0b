"""Budgets that processes share, on a log in memory: as `log.lua` keeps it, but in true time."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from binance_dust.budget import Budget, RateLimits, RedisBudget
from binance_dust.budget._redis._store import AwayError
from binance_dust.budget._redis._stored import StoredReplica
from tests.worlds.engine import Engine
from tests.worlds.world import Redis

_CLOCK = 1_700_000_000.0


class MemoryLog:
    """What Redis keeps, and its clock."""

    def __init__(self, forgets: tuple[float, ...] = (), down: float = 0.0) -> None:
        self._forgets = forgets
        self._down = down
        self._down_until = -math.inf
        self.state: dict[str, bytes] = {}
        self.log: list[bytes] = []
        self.channels: dict[str, tuple[Any, Callable[[bytes], None], Any]] = {}
        self.calls = 0

    def opened(self, engine: Engine) -> None:
        """Plan when everything is forgotten."""
        for at in self._forgets:
            engine.at(at, self._forget, engine)
        self._forgets = ()

    def is_down(self, engine: Engine) -> bool:
        """Say whether nobody can connect."""
        return engine.now < self._down_until

    def _forget(self, engine: Engine) -> None:
        """Be killed, and come back empty: whoever is connected notices."""
        self._down_until = engine.now + self._down
        self.state, self.log = {}, []
        listening, self.channels = self.channels, {}
        for loop, _, store in listening.values():
            if not loop.is_closed():
                loop.call_soon(store.broken, "gone")

    def append(self, now: float, epoch: str, since: int, last: str, *rest: Any) -> bytes | None:
        *_, batch = rest
        if self._text("@epoch") != epoch:
            return None
        base = int(self.state["@base"])
        first = since - base
        if not 0 <= first <= len(self.log):
            return None
        if first > 0 and last and msgspec.msgpack.decode(self.log[first - 1])[0] != float(last):
            return None
        self.log.append(b"\x92" + msgspec.msgpack.encode(now) + batch)
        self.state["@heard"] = repr(now).encode()
        entries = self.log[first:]
        head = b"\xdd" + len(entries).to_bytes(4, "big")
        return b"\x92" + msgspec.msgpack.encode(int(self.state["@at"])) + head + b"".join(entries)

    def _text(self, name: str) -> str:
        return self.state.get(name, b"").decode()

    def load(self, now: float) -> list[Any]:
        time = repr(now).encode()
        if not self.state:
            return [time, [], []]
        flat = [each for name, value in self.state.items() for each in (name.encode(), value)]
        return [time, flat, self.log[int(self.state["@at"]) - int(self.state["@base"]) :]]

    def create(
        self, _: float, expected: str, epoch: str, position: int, keep: int, *fields: Any
    ) -> int:
        if self._text("@epoch") != expected:
            return 0
        self.state, self.log = {}, []
        self._set("@epoch", epoch, "@base", position, "@at", position, *fields)
        return 1

    def _set(self, *fields: Any) -> None:
        for name, value in zip(fields[::2], fields[1::2], strict=True):
            self.state[name] = value if isinstance(value, bytes) else str(value).encode()

    def save(
        self, _: float, epoch: str, at: int, position: int, entries: int, removed: int, *rest: Any
    ) -> int:
        if self._text("@epoch") != epoch or int(self.state["@at"]) != at:
            return 0
        for name in rest[:removed]:
            self.state.pop(name, None)
        self._set(*rest[removed:], "@at", position)
        drop = position - entries - int(self.state["@base"])
        if drop > 0:
            del self.log[:drop]
            self._set("@base", position - entries)
        return 1

    def tell(self, _: float, *pairs: Any) -> list[bytes]:
        deaf = []
        for channel, what in zip(pairs[::2], pairs[1::2], strict=True):
            loop, hear, _store = self.channels.get(channel, (None, None, None))
            if loop is None or loop.is_closed():
                deaf.append(channel.encode())
            else:
                loop.call_soon(hear, str(what).encode())
        return deaf


class MemoryStore:
    """The way of one process to it."""

    def __init__(self, log: MemoryLog, way: Callable[[], float]) -> None:
        self._log = log
        self._way = way
        self._channel = ""
        self._lost: Callable[[str], None] = lambda _: None
        self.before_append: Callable[[], None] = lambda: None

    async def open(
        self, channel: str, hear: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> None:
        await self._travel()
        loop: Any = asyncio.get_running_loop()
        self._log.opened(loop._engine)
        if self._log.is_down(loop._engine):
            raise AwayError("down")
        self._channel, self._lost = channel, lost
        self._log.channels[channel] = (loop, hear, self)

    def broken(self, reason: str) -> None:
        """Hear that the connection is gone."""
        self._channel = ""
        self._lost(reason)

    async def _travel(self) -> None:
        loop: Any = asyncio.get_running_loop()
        way = self._way()
        if way:
            arrived = loop.create_future()
            loop._engine.at(loop._engine.now + way, _arrive, arrived)
            await arrived

    async def call(self, function: str, *arguments: Any) -> Any:
        loop: Any = asyncio.get_running_loop()
        await self._travel()
        if not self._channel:
            raise AwayError("gone")
        if function == "append":
            self.before_append()
        self._log.calls += 1
        now = _CLOCK + loop._engine.now
        result = getattr(self._log, function)(now, *arguments)
        await self._travel()
        return result

    async def close(self) -> None:
        self._log.channels.pop(self._channel, None)


def _arrive(arrived: asyncio.Future[None]) -> None:
    if not arrived.done() and not arrived.get_loop().is_closed():
        arrived.set_result(None)


class _WorldBudget(RedisBudget):
    """A budget in a log of memory."""

    def __init__(self, store: MemoryStore, **options: Any) -> None:
        self._store = store
        super().__init__("redis://nowhere", **options)

    def _make_store(self, *_: Any) -> MemoryStore:
        return self._store


class SharedBudgets:
    """Makes the budgets of one world: all processes share one."""

    shared = True
    reloads = False
    """Whether each process loads its state anew before each batch."""

    def __init__(self, redis: Redis = Redis(), seed: int = 1, **options: Any) -> None:  # noqa: B008 - a value
        dice = random.Random(seed)  # noqa: S311 - to be repeated
        self.log = MemoryLog(redis.forgets, redis.down)
        self._way = lambda: redis.way + dice.random() * redis.jitter
        self._options = options
        self.made: list[RedisBudget] = []

    def __call__(
        self, limits: RateLimits, clock: Any, observer: Callable[[Any], None], patience: float
    ) -> Budget:
        store = MemoryStore(self.log, self._way)
        budget = _WorldBudget(store, limits=limits, **self._options)
        if self.reloads:
            store.before_append = partial(_reload, budget)
        self.made.append(budget)
        budget.attach(clock, observer, patience=patience, limits=limits)
        return budget

    def states(self) -> Iterator[tuple[int, bytes]]:
        """Give the state of each process that has one, with its position."""
        for budget in self.made:
            replica = budget._link.replica
            if replica is not None:
                fields, _ = replica.fields()
                yield replica.position, msgspec.msgpack.encode(sorted(fields.items()))


def _reload(budget: RedisBudget) -> None:
    """Write the state and load it, in place: the link goes on with what was loaded."""
    replica = budget._link.replica
    if replica is None:
        return
    fields, _ = replica.fields()
    loaded = StoredReplica.load(fields, replica.position, replica.pid)
    replica.__dict__.update(loaded.__dict__)
