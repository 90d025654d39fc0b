"""Lines that break below HTTP: funds move once, "not sent" means not done, and reads recover."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import pytest

from binance_dust.sandbox import Sandbox
from tests.proof.mutations import Mutator
from tests.proof.proxy import Leg, Trouble, What
from tests.proof.wire import Visit, hold_all, measure, patience

BOTH: tuple[Leg, Leg] = ("request", "answer")
TIMEOUT = 0.75
"""Seconds; short, for every silence lasts as long. Where much goes at once, see `patience`."""


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7) as exchange:
        yield exchange


def anywhere(whole: dict[Leg, int], leg: Leg, count: int) -> Iterator[int]:
    """Give places in a leg: its very beginning and end, and some between, by seed."""
    yield from (0, whole[leg] - 1)
    dice = random.Random(f"{leg}/{count}")  # noqa: S311 - to be repeated
    yield from (dice.randrange(whole[leg]) for _ in range(count - 2))


@pytest.mark.parametrize("leg", BOTH)
@pytest.mark.parametrize("what", ["reset", "close"])
async def test_a_line_that_ends_anywhere(exchange: Sandbox, what: What, leg: Leg) -> None:
    whole = await measure(exchange)

    met = await hold_all(exchange, [Trouble(what, leg, at) for at in anywhere(whole, leg, 14)])

    assert met >= 12, "two may come after the last byte, since answers differ in length"


@pytest.mark.parametrize("leg", BOTH)
async def test_a_line_that_falls_silent(exchange: Sandbox, leg: Leg) -> None:
    """At byte 0 it is half-open: it was accepted, and nobody is there."""
    whole = await measure(exchange)
    troubles = [Trouble("stall", leg, at) for at in anywhere(whole, leg, 8)]

    timeout = await patience(exchange, at_once=8, least=TIMEOUT)
    assert await hold_all(exchange, troubles, at_once=8, timeout=timeout) >= 6


async def test_a_line_that_drips(exchange: Sandbox) -> None:
    visit = await Visit(exchange, [], drip=True).run()

    visit.hold()
    assert [step.error for step in visit.steps] == [None] * 6


async def test_a_slow_drip_that_breaks_off(exchange: Sandbox) -> None:
    whole = await measure(exchange)
    troubles = [Trouble("reset", leg, at) for leg in BOTH for at in anywhere(whole, leg, 3)]

    assert await hold_all(exchange, troubles, at_once=6, drip=True) >= 4


@pytest.mark.parametrize("what", ["twice", "echo"])
async def test_an_answer_that_comes_again_is_nobody_elses(exchange: Sandbox, what: What) -> None:
    """aiohttp alone would give the echo to whoever asks next on that line."""
    whole = await measure(exchange)
    troubles = [Trouble(what, "answer", at) for at in anywhere(whole, "answer", 12)]

    assert await hold_all(exchange, troubles, at_once=6) >= 11


async def test_answers_that_are_changed_on_the_way(exchange: Sandbox) -> None:
    """TLS excludes it. No foreign error leaves us all the same, and nothing is sent twice."""
    whole = await measure(exchange)
    troubles = [Trouble("change", "answer", at) for at in anywhere(whole, "answer", 40)]

    change = Mutator("wire").change
    timeout = await patience(exchange, at_once=20, least=TIMEOUT)
    assert await hold_all(exchange, troubles, at_once=20, timeout=timeout, change=change) >= 39


RACES: tuple[Literal["reset", "close"], ...] = ("reset", "close")


@pytest.mark.parametrize("what", RACES)
async def test_an_idle_line_that_is_closed_just_as_the_next_request_goes(
    exchange: Sandbox, what: What
) -> None:
    """The classic race: the write is not sent again, and whoever reads does not notice."""
    idle = await _bytes_before_the_first_write(exchange)

    visit = await Visit(exchange, [Trouble(what, "request", idle)]).run()

    visit.hold()
    errors = [type(step.error).__name__ for step in visit.steps if step.error is not None]
    assert errors == ["OutcomeUnknownError"]
    assert visit.proxy is not None
    assert visit.proxy.connections == 2


async def _bytes_before_the_first_write(exchange: Sandbox) -> int:
    """Count what the clock and one read take on the way there."""
    visit = await Visit(exchange, [], calls=1).run()
    assert visit.proxy is not None
    return visit.proxy.passed["request"]
