"""Clients, budgets and an exchange in virtual time: minutes of waiting take milliseconds.

The event loop is that of `tests.budget.virtual`. The clients are real, except for the socket; the
exchange is the sandbox without its HTTP server.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

from multidict import CIMultiDict

from binance_dust import NoAnswerError, RetryPolicy, Session
from binance_dust._answers.judge import Answer
from binance_dust._call import wire
from binance_dust.sandbox import Rules
from binance_dust.sandbox._exchange import Exchange
from binance_dust.sandbox._requests import HttpRequest
from tests.budget.virtual import EPOCH


class SimulatedWorld:
    """An exchange, and the network on the way to it."""

    def __init__(
        self,
        *,
        start: float = 0.0,
        latency: tuple[float, float] = (0.01, 0.05),
        wrong_clock: float = 0.0,
        seed: int = 0,
        **rules: Any,
    ) -> None:
        """Begin `start` seconds after a minute; the latency of each way is drawn from a range."""
        self.loop = asyncio.get_running_loop()
        self.epoch = EPOCH + start
        self.wrong_clock = wrong_clock
        self.exchange = Exchange(seed=seed, rules=Rules(**rules), clock=self.true)
        self._latency = latency
        self._random = random.Random(seed)  # noqa: S311 - to be repeated
        self.sent: list[tuple[float, str]] = []
        """When each request arrived, in seconds since the beginning, and its endpoint."""

    def true(self) -> float:
        """True time, which is the exchange's unless it drifts."""
        return self.epoch + self.loop.time()

    # What a session reads the time by.

    def monotonic(self) -> float:
        """The loop's clock."""
        return self.loop.time()

    def wall(self) -> float:
        """This machine's clock, with its error."""
        return self.true() + self.wrong_clock

    def session(self, *, address: str = "127.0.0.1", **options: Any) -> Session:
        """Open a session whose requests go to this exchange, from an address."""
        given: dict[str, Any] = {"timeout": 30.0, "retry": RetryPolicy()} | options
        session = Session(base_url="http://127.0.0.1:1", time=self, **given)
        transport = self.transport()
        transport.address = address
        session._pipeline = replace(session._pipeline, transport=transport)  # type: ignore[misc, arg-type]
        return session

    def transport(self) -> WorldTransport:
        """Make the transport of one session."""
        return WorldTransport(self)

    def accounts(self, count: int) -> list[Any]:
        """Open accounts with margin, since those have lists of liabilities."""
        return [self.account(f"account-{number}") for number in range(count)]

    def account(self, name: str) -> Any:
        """Open one account with margin."""
        return self.exchange.accounts.open(name, {"ADA": "6.21"}, margin=True)

    async def pause(self) -> None:
        """Wait for the latency of one way."""
        await asyncio.sleep(self._random.uniform(*self._latency))

    @property
    def refusals(self) -> int:
        """Requests answered 429 or 418."""
        return self.exchange.limits.refused + self.exchange.limits.shut_out


class WorldTransport:
    """A transport without a socket: it hands requests to the world's exchange."""

    base_url = "http://127.0.0.1:1"

    def __init__(self, world: SimulatedWorld) -> None:
        """Send from 127.0.0.1, unless the session has another address."""
        self._world = world
        self.address = "127.0.0.1"

    async def send(self, request: wire.Request, *, within: float | None = None) -> Answer:
        """Send a request, and give its answer, each after the latency of the network."""
        world = self._world
        sent = world.monotonic()
        path, _, query = request.path_and_query.partition("?")
        await world.pause()
        world.sent.append((world.monotonic(), request.endpoint.title))
        handling = world.exchange.receive(
            HttpRequest(
                method=request.endpoint.method,
                path=path,
                query=query,
                api_key=request.api_key,
                address=self.address,
            )
        )
        if world.exchange.admit(handling):
            await asyncio.sleep(handling.delay("execution"))
            world.exchange.execute(handling)
        answer = world.exchange.finish(handling)
        await asyncio.sleep(handling.delay("answer"))
        await world.pause()
        if answer.delivery != "whole":
            raise NoAnswerError("the line was dropped", endpoint=request.endpoint.title)
        headers = CIMultiDict(answer.headers)
        return Answer(answer.status, headers, answer.body, sent, world.monotonic())

    async def close(self) -> None:
        """Nothing is open."""


def least(count: int, per_window: int, window: float, start: float, *, fixed: bool) -> float:
    """Give the least time for so many equal calls, from `start` in an unused window."""
    bursts = -(-count // per_window)
    if bursts == 1:
        return 0.0
    first = window - start % window if fixed else window
    return first + (bursts - 2) * window
