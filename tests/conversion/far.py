"""An exchange far away, in virtual time: what was sent arrives, whatever became of the sender.

A request travels by itself. Whoever sent it may be killed, or may have stopped waiting, and it is
carried out all the same, perhaps seconds later. That is the world in which funds move at most once.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from multidict import CIMultiDict

from binance_dust import Converter, Ledger, LedgerEntry, NoAnswerError, NotSentError
from binance_dust._answers.judge import Answer
from binance_dust._call import wire
from binance_dust.client import DustClient
from binance_dust.sandbox import Conversion
from binance_dust.sandbox._exchange import Handling
from binance_dust.sandbox._requests import HttpRequest
from binance_dust.session import Session
from tests.budget.virtual import VirtualLoop
from tests.simulation.world import SimulatedWorld

DUST = "/sapi/v1/asset/dust"
CONVERT = "/sapi/v1/asset/dust-convert/convert"
LOG = "/sapi/v1/asset/dribblet"
ASSETS = "/sapi/v3/asset/getUserAsset"
LIST = "/sapi/v1/asset/dust-btc"
TIMEOUT = 10.0
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of its own
"""Flushing to a real disk would take most of the time of tests that begin a ledger each."""


class FarWorld(SimulatedWorld):
    """The exchange, and a way to it on which requests travel by themselves."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.travelling: set[asyncio.Task[None]] = set()
        self.refuse_connections = 0
        """So many requests that follow never leave."""
        self.lies: set[str] = set()
        """Assets that are listed as convertible, and are not."""
        self.before_write: Callable[[], None] | None = None
        """What happens just before the next conversion arrives, once."""
        self.garble: Callable[[str, bytes], bytes] | None = None
        """What happens to an answer on its way, by the path that was asked."""

    def session(self, **options: Any) -> Session:
        session = super().session(**options)
        session._pipeline = replace(session._pipeline, transport=_Wire(self))  # type: ignore[misc, arg-type]
        return session

    async def quiet(self) -> None:
        """Wait until nothing is on its way any more."""
        while self.travelling:
            await asyncio.gather(*self.travelling)

    def conversions(self, name: str = "alice") -> Sequence[Conversion]:
        """What was carried out, oldest first."""
        return self.exchange.accounts[name].conversions


class _Wire:
    base_url = "http://127.0.0.1:1"

    def __init__(self, world: FarWorld) -> None:
        self._world = world

    async def send(self, request: wire.Request, *, within: float | None = None) -> Answer:
        world, title = self._world, request.endpoint.title
        if world.refuse_connections > 0:
            world.refuse_connections -= 1
            raise NotSentError("no connection", endpoint=title)
        sent = world.monotonic()
        world.sent.append((sent, title))
        arrived: asyncio.Future[Any] = world.loop.create_future()
        task = asyncio.ensure_future(self._travel(request, arrived))
        world.travelling.add(task)
        task.add_done_callback(world.travelling.discard)
        done, _ = await asyncio.wait([arrived], timeout=min(within or TIMEOUT, TIMEOUT))
        if not done:
            raise NoAnswerError("timeout", endpoint=title)
        answer = arrived.result()
        if answer.delivery != "whole":
            raise NoAnswerError("the line was dropped", endpoint=title)
        headers = CIMultiDict(answer.headers)
        return Answer(answer.status, headers, answer.body, sent, world.monotonic())

    async def _travel(self, request: wire.Request, arrived: asyncio.Future[Any]) -> None:
        world, exchange = self._world, self._world.exchange
        path, _, query = request.path_and_query.partition("?")
        method, key = request.endpoint.method, request.api_key
        await world.pause()
        handling = exchange.receive(HttpRequest(method=method, path=path, query=query, api_key=key))
        await asyncio.sleep(handling.delay("request"))
        if world.before_write is not None and path in (DUST, CONVERT):
            happens, world.before_write = world.before_write, None
            happens()
        if exchange.admit(handling):
            await asyncio.sleep(handling.delay("execution"))
            self._execute(handling)
        answer = exchange.finish(handling)
        if world.garble is not None:
            answer.body = world.garble(path, answer.body)
        await asyncio.sleep(handling.delay("answer"))
        await world.pause()
        if not arrived.done():
            arrived.set_result(answer)

    def _execute(self, handling: Handling) -> None:
        market = self._world.exchange.market
        lying = handling.request.path in (DUST, CONVERT)
        for asset in self._world.lies:
            market.list_asset(asset, convertible=not lying)
        self._world.exchange.execute(handling)
        for asset in self._world.lies:
            market.list_asset(asset, convertible=True)

    async def close(self) -> None:
        pass


@contextlib.contextmanager
def unsent(path: str, *, after: int = 0) -> Iterator[list[Any]]:
    """Let calls to a path fail before they leave this machine, but the first ones; give those."""
    send = DustClient.send
    failed: list[Any] = []
    passed = itertools.count()

    async def send_or_not(client: DustClient, call: Any, **more: Any) -> Any:
        if call.endpoint.path == path and next(passed) >= after:
            failed.append(call)
            raise NotSentError("no connection", endpoint=call.endpoint.title)
        return await send(client, call, **more)

    with patch.object(DustClient, "send", send_or_not):
        yield failed


class FarProcess:
    """A process of ours: its own session and its own connection to the ledger; it can be killed."""

    def __init__(
        self,
        world: FarWorld,
        credentials: Any,
        path: Path | str,
        *,
        observer: Any = None,
        **options: Any,
    ) -> None:
        self.world = world
        self.session = world.session(timeout=TIMEOUT, observer=observer)
        self.client = DustClient(credentials, self.session)
        self.ledger = Ledger(path)
        self.converter = Converter(self.client, ledger=self.ledger, **{"cooldown": 0} | options)

    async def __aenter__(self) -> Self:
        await self.ledger.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.ledger.close()
        await self.session.close()

    async def convert_all(self) -> Any:
        return await self.converter.convert(await self.converter.quote())


def run_with_deaths(main: Coroutine[Any, Any, None]) -> None:
    """Run in virtual time what leaves behind futures that nobody waits for any more.

    The loop would complain of those that a killed process was waiting for.
    """
    loop = VirtualLoop()
    loop.set_exception_handler(lambda *_: None)
    try:
        loop.run_until_complete(main)
        for ending in loop.endings:
            loop.run_until_complete(ending())
        assert [task for task in asyncio.all_tasks(loop) if not task.done()] == []
    finally:
        loop.close()


class Killed(BaseException):
    """The process was ended where it stood."""


class Mortal:
    """A coroutine that is ended at its n-th suspension, and never gets to clean up."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], after: int | None) -> None:
        self._coroutine = coroutine
        self._left = after
        self.steps = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        while True:
            try:
                waiting_for = self._coroutine.send(None)
            except StopIteration as end:
                return end.value
            self.steps += 1
            if self.steps == self._left:
                # What it waits for need not think that somebody will come back for it.
                if waiting_for is not None:
                    waiting_for._asyncio_future_blocking = False
                raise Killed
            yield waiting_for

    def bury(self) -> None:
        """End for good what was left standing, when nothing that it does matters any more."""
        with contextlib.suppress(RuntimeError):  # it wanted to wait for something once more
            self._coroutine.close()


class Cancelled:
    """A coroutine that is cancelled at its n-th suspension, and cleans up."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], after: int) -> None:
        self._coroutine = coroutine
        self._left = after
        self.happened = False

    def __await__(self) -> Generator[Any, Any, Any]:
        while True:
            try:
                if self._left:
                    waiting_for = self._coroutine.send(None)
                else:
                    self.happened = True
                    waiting_for = self._coroutine.throw(asyncio.CancelledError)
            except StopIteration as end:
                return end.value
            self._left -= 1
            if self._left == 0 and waiting_for is not None:
                # Its result is not waited for any more.
                waiting_for._asyncio_future_blocking = False
            else:
                yield waiting_for


async def entries_of(ledger: Ledger, **query: Any) -> list[LedgerEntry]:
    return [entry async for entry in ledger.entries(**query)]


async def check_books(world: FarWorld, ledger: Ledger, name: str = "alice") -> None:
    """See that ledger and exchange agree: each conversion once, to the last digit."""
    confirmed = await entries_of(ledger, account=name, status="confirmed")
    done = list(world.conversions(name))
    assert sorted(entry.transaction_id or 0 for entry in confirmed) == sorted(
        each.transaction_id for each in done
    )
    for entry in confirmed:
        (made,) = [each for each in done if each.transaction_id == entry.transaction_id]
        assert (entry.gross, entry.fee, entry.target) == (made.gross, made.fee, made.target)
        assert entry.happened_at is not None
        assert {line.asset: line.amount for line in entry.lines} == {
            row.asset: row.amount for row in made.rows
        }
    assert sum((entry.net for entry in confirmed), Decimal(0)) == sum(
        (each.net for each in done), Decimal(0)
    )
