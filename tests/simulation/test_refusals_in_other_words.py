"""An exchange that refuses without a 429: by a code under another status, or by a text.

Budgets have to hear it all the same. When the first refusal is heard, one burst at most is on its
way, and then there is silence until it may be tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from multidict import CIMultiDict

from binance_dust import Credentials, RetryPolicy, Session
from binance_dust._answers.judge import Answer
from binance_dust._call import wire
from binance_dust.budget import LocalBudget
from binance_dust.errors import BannedError, DustError, RateLimitedError
from binance_dust.events import Banned, Event, Refused
from tests.budget.virtual import EPOCH, run

ACCOUNTS = 100
BURST = 50
"""Requests in a tenth of a second at the pace of a session: 500 a second."""
LATENCY = 0.02
BAN = EPOCH + 600.0

REFUSALS = [
    pytest.param(400, '{"code":-6009,"msg":"Too frequent"}', RateLimitedError, id="400/-6009"),
    pytest.param(400, '{"code":-12014,"msg":"Too frequent"}', RateLimitedError, id="400/-12014"),
    pytest.param(400, '{"code":-1015,"msg":"Too many orders"}', RateLimitedError, id="400/-1015"),
    pytest.param(400, '{"code":"-1003","msg":"Too many"}', RateLimitedError, id="400/'-1003'"),
    pytest.param(200, '{"code":-1003,"msg":"Too many"}', RateLimitedError, id="200/-1003"),
    pytest.param(200, '{"code":-1003,"msg":"Too ma', RateLimitedError, id="200/-1003 cut off"),
    pytest.param(302, '{"code":-1003,"msg":"Too many"}', RateLimitedError, id="302/-1003"),
    pytest.param(503, '{"code":-1003,"msg":"Too many"}', RateLimitedError, id="503/-1003"),
    pytest.param(429, "<html>slow down</html>", RateLimitedError, id="429/html"),
    pytest.param(
        200,
        f'{{"code":-1003,"msg":"IP banned until {BAN * 1000:.0f}"}}',
        BannedError,
        id="200/banned until",
    ),
    pytest.param(
        403, f"<html>IP banned until {BAN * 1000:.0f}</html>", BannedError, id="403/banned until"
    ),
]


class Way:
    """A transport without a socket: the first `good` answers are good, all others refuse."""

    base_url = "http://127.0.0.1:1"

    def __init__(self, status: int, body: str, good: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.answer = (status, body)
        self.good = good
        self.refused: list[float] = []
        """When each request arrived that was refused."""

    def monotonic(self) -> float:
        return self.loop.time()

    def wall(self) -> float:
        return EPOCH + self.loop.time()

    async def send(self, request: wire.Request, *, within: float | None = None) -> Answer:
        sent = self.loop.time()
        await asyncio.sleep(LATENCY)
        status, body = self.answer
        if request.endpoint.title == "GET /api/v3/time":
            status, body = 200, f'{{"serverTime":{self.wall() * 1000:.0f}}}'
        elif self.good > 0:
            self.good -= 1
            status, body = 200, "[]"
        else:
            self.refused.append(self.loop.time())
        await asyncio.sleep(LATENCY)
        return Answer(status, CIMultiDict(), body.encode(), sent, self.loop.time())

    async def close(self) -> None:
        pass

    def session(self, observer: Callable[[Event], None], **retry: Any) -> Session:
        session = Session(
            base_url=self.base_url, time=self, retry=RetryPolicy(**retry), observer=observer
        )
        session._pipeline = replace(session._pipeline, transport=self)  # type: ignore[misc, arg-type]
        return session


@pytest.mark.parametrize("warm", [0, ACCOUNTS])
@pytest.mark.parametrize(("status", "body", "error"), REFUSALS)
def test_a_hundred_accounts_send_one_burst_at_most_and_then_wait(
    status: int, body: str, error: type[DustError], warm: int
) -> None:
    async def main() -> None:
        events: list[Event] = []
        way = Way(status, body, good=warm)
        async with way.session(events.append) as session:
            clients = [
                session.client(Credentials(f"key-{number:010}", "secret", name=f"a{number}"))
                for number in range(ACCOUNTS)
            ]
            if warm:
                await asyncio.gather(*[client.user_assets() for client in clients])
            began = way.loop.time()
            calls = [asyncio.ensure_future(client.user_assets()) for client in clients]

            await asyncio.sleep(2.0)
            assert 1 <= len(way.refused) <= BURST
            assert way.refused[-1] - began <= 0.1 + 2 * LATENCY, "then there is silence"
            assert any(isinstance(event, Refused | Banned) for event in events)
            assert isinstance(session.budget, LocalBudget)

            for call in calls:
                call.cancel()
            told = await asyncio.gather(*calls, return_exceptions=True)
            heard = [each for each in told if isinstance(each, DustError)]
            assert all(isinstance(each, error) for each in heard)

    run(main())


@pytest.mark.parametrize(("status", "body", "error"), REFUSALS)
def test_one_attempt_raises_what_the_budget_heard(
    status: int, body: str, error: type[DustError]
) -> None:
    async def main() -> None:
        events: list[Event] = []
        way = Way(status, body, good=0)
        async with way.session(events.append, attempts=1) as session:
            client = session.client(Credentials("key-1234567890", "secret", name="alice"))

            with pytest.raises(error):
                await client.user_assets()

        kind = Banned if error is BannedError else Refused
        assert [type(event) for event in events if isinstance(event, Refused | Banned)] == [kind]

    run(main())
