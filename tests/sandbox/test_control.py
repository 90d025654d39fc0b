"""Faults over HTTP, at a path that no exchange has."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from binance_dust import Credentials, OutcomeUnknownError, Session
from binance_dust.errors import BannedError
from binance_dust.sandbox import Sandbox
from binance_dust.sandbox._control import _FAULTS, PATH, FaultControl

JSON = "application/json"


async def test_what_is_armed_from_outside_strikes_and_is_counted() -> None:
    async with (
        Sandbox(seed=7, control=True) as exchange,
        aiohttp.ClientSession(exchange.url) as web,
    ):
        alice = exchange.open_account("alice", ADA="6.21")

        async def ask(method: str, **options: Any) -> Any:
            async with web.request(method, PATH, **options) as answer:
                assert answer.status == 200
                return await answer.json()

        armed = await ask("POST", json={"fault": "lose_funds_answer", "account": "alice"})
        with pytest.raises(OutcomeUnknownError):
            await convert(alice, exchange)
        (struck,) = await ask("GET")
        await ask("POST", json={"fault": "ban", "seconds": 60})
        with pytest.raises(BannedError):
            await convert(alice, exchange)
        await ask("POST", json={"fault": "pardon"})
        await ask("DELETE")

        assert armed["hits"] == 0
        assert (struck["fault"], struck["account"], struck["hits"]) == (
            "lose_funds_answer",
            "alice",
            1,
        )
        assert await ask("GET") == []
        assert len(exchange.conversions) == 1
        assert {seen.path for seen in exchange.requests}.isdisjoint({PATH})


async def convert(account: Credentials, exchange: Sandbox) -> None:
    async with Session(base_url=exchange.url) as session:
        await session.client(account).dust_transfer(["ADA"])


async def test_without_control_the_path_is_as_unknown_as_any() -> None:
    async with Sandbox(seed=7) as exchange, aiohttp.ClientSession(exchange.url) as web:
        async with web.post(PATH, json={"fault": "ban", "seconds": 60}) as answer:
            assert answer.status == 404
        assert exchange.bans == 0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"nonsense", "not JSON"),
        (b"[]", "must be like"),
        (b'{"fault": "clear"}', "fault must be one of lose_answer"),
        (b'{"fault": "__init__"}', "fault must be one of lose_answer"),
        (b'{"fault": ["x"]}', "fault must be one of lose_answer"),
        (b'{"fault": "delay", "secs": 1}', "delay takes seconds"),
        (b'{"fault": "delay", "seconds": "1"}', "seconds can't be"),
        (b'{"fault": "delay", "seconds": true}', "seconds can't be"),
        (b'{"fault": "delay", "seconds": NaN}', "not JSON"),
        (b'{"fault": "delay", "seconds": -1}', "zero seconds or more"),
        (b'{"fault": "delay"}', "missing"),
        (b'{"fault": "fail", "endpoint": "/x"}', "no endpoint '/x'"),
    ],
)
def test_what_is_not_understood_is_said_and_arms_nothing(body: bytes, says: str) -> None:
    exchange = Sandbox(seed=7)

    reply = FaultControl(exchange.faults).reply("POST", JSON, body)

    assert reply.status == 400
    assert says in reply.body.decode()
    assert "0 armed" in repr(exchange.faults)


def test_a_page_in_a_browser_can_not_arm_a_fault() -> None:
    """It may send a form or plain text to any address without being asked for leave, no more."""
    exchange = Sandbox(seed=7)

    reply = FaultControl(exchange.faults).reply("POST", "text/plain", b'{"fault": "maintenance"}')

    assert reply.status == 405
    assert not exchange.faults.closed


def test_every_fault_is_a_method_and_takes_these_arguments() -> None:
    exchange = Sandbox(seed=7)
    control = FaultControl(exchange.faults)
    needed = {"delay": b'"seconds": 1', "ban": b'"seconds": 1', "misreport_weight": b'"value": 1'}
    needed |= {"jump_clock": b'"seconds": 1', "drift_clock": b'"seconds": 1'}
    needed["spend"] = b'"endpoint": "/api/v3/time", "weight": 1'

    for name in _FAULTS:
        more = b", " + needed[name] if name in needed else b""
        reply = control.reply("POST", JSON, b'{"fault": "%s"%s}' % (name.encode(), more))
        assert reply.status == 200, reply.body
