"""The strict exchange counts as it says, and time passes for each process as it should."""

from __future__ import annotations

import asyncio

import pytest

from tests.worlds.engine import Engine, ProcessLoop
from tests.worlds.exchange import EPOCH, Request, Response, StrictExchange
from tests.worlds.world import (
    ENDPOINTS,
    Bans,
    Charging,
    Clocks,
    Headers,
    Limits,
    Refusals,
    Storm,
    Windows,
    World,
)

LIST = Request(ENDPOINTS["list"].title, "a0")
IP, UID = "X-SAPI-USED-IP-WEIGHT-1M", "X-SAPI-USED-UID-WEIGHT-1M"
SMALL = Limits(documented=300)


def ask(exchange: StrictExchange, *moments: float, request: Request = LIST) -> list[Response]:
    return [exchange.receive(moment, request) for moment in moments]


def statuses(exchange: StrictExchange, *moments: float) -> list[int]:
    return [answer.status for answer in ask(exchange, *moments)]


@pytest.mark.parametrize(
    ("windows", "moments", "expected"),
    [
        (Windows(), (0, 58, 59, 59.9, 60, 61), [200, 200, 200, 429, 200, 200]),
        (Windows(phase=50), (0, 1, 2, 9.9, 10), [200, 200, 200, 429, 200]),
        (Windows(off=5), (0, 1, 2, 4.9, 5), [200, 200, 200, 429, 200]),
        (Windows(length=3), (0, 1, 2, 2.9, 3), [200, 200, 200, 429, 200]),
        (Windows(mode="sliding"), (0, 30, 40, 59.9, 60, 61), [200, 200, 200, 429, 200, 429]),
    ],
)
def test_windows(windows: Windows, moments: tuple[float, ...], expected: list[int]) -> None:
    assert statuses(StrictExchange(World(windows=windows, limits=SMALL)), *moments) == expected


def test_limits_weights_and_payers() -> None:
    half = StrictExchange(World(limits=Limits(documented=400, true=0.5)))
    dear = StrictExchange(World(limits=SMALL, charging=Charging(times=3)))
    account = StrictExchange(World(limits=SMALL, charging=Charging(payer="uid")))

    assert statuses(half, 0, 1, 2) == [200, 200, 429]
    assert statuses(dear, 0, 1) == [200, 429]
    assert statuses(account, *range(10)) == [200] * 10
    assert ask(account, 11)[0].headers == {UID: "1100"}


def test_a_row_of_refusals_bans_and_a_good_answer_ends_the_row() -> None:
    exchange = StrictExchange(World(limits=SMALL, bans=Bans(after=2, lasts=70.0)))

    assert statuses(exchange, 0, 1, 2, 3, 4) == [200, 200, 200, 429, 429]
    assert statuses(exchange, 60, 61, 62, 63, 64) == [200, 200, 200, 429, 429]
    (ban,) = ask(exchange, 65)
    assert (ban.status, ban.headers) == (418, {"Retry-After": "70"})
    assert str(round((EPOCH + 135) * 1000)).encode() in ban.body
    assert statuses(exchange, 134.9, 135) == [418, 200]
    assert exchange.bans == [(65, 135)]
    assert exchange.while_banned == 1


@pytest.mark.parametrize(
    ("refusals", "status", "headers"),
    [
        (Refusals(), 429, {"Retry-After": "58"}),
        (Refusals(retry_after="zero"), 429, {"Retry-After": "0"}),
        (Refusals(retry_after="absent"), 429, {}),
        (Refusals(retry_after="300", status=200), 200, {"Retry-After": "300"}),
    ],
)
def test_refusals(refusals: Refusals, status: int, headers: dict[str, str]) -> None:
    exchange = StrictExchange(World(limits=Limits(documented=100), refusals=refusals))

    answer = ask(exchange, 0, 2)[1]

    assert (answer.status, answer.headers) == (status, headers)
    assert b"-1003" in answer.body


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (Headers(), ["100", "200", "300"]),
        (Headers(say="late", late=2), ["1", "1", "100"]),
        (Headers(say="missing"), [None, None, None]),
        (Headers(say="one"), ["1", "1", "1"]),
        (Headers(say="huge", once=2), ["100", "999999999", "300"]),
        (Headers(say="minus", once=3), ["100", "200", "-1"]),
        (Headers(say="other", once=1), [None, "200", "300"]),
    ],
)
def test_headers(said: Headers, shown: list[str | None]) -> None:
    answers = ask(StrictExchange(World(headers=said)), 0, 1, 2)

    assert [answer.headers.get(IP) for answer in answers] == shown


def test_nodes_tell_what_they_have_counted_themselves() -> None:
    answers = ask(StrictExchange(World(headers=Headers(nodes=2))), *range(8))
    shown = [int(answer.headers[IP]) for answer in answers]

    assert shown != sorted(shown)
    assert sum(sorted(shown)[-2:]) <= 800


def test_storms_and_clocks() -> None:
    pages = StrictExchange(World(storm=Storm(kind="wall", at=1, pages=2)))
    broken = StrictExchange(World(storm=Storm(kind="broken", at=1, lasts=2)))
    stepped = StrictExchange(World(clocks=Clocks(step_at=5, step=-3), windows=Windows(phase=1)))

    assert statuses(pages, 0, 1, 1, 1) == [200, 403, 403, 200]
    assert [status // 100 for status in statuses(broken, 0, 1, 2.9, 3)] == [2, 5, 5, 2]
    assert [stepped.clock(now) - EPOCH for now in (4, 5)] == [5, 3]
    late = Request(LIST.title, "a0", stamp=EPOCH)
    assert b"-1021" in ask(stepped, 30, request=late)[0].body


def test_each_process_has_its_own_time() -> None:
    engine = Engine()
    plain, fast, stopped, asleep = (ProcessLoop(engine, drift) for drift in (0.0, 0.01, 0.0, 0.0))
    engine.loops = [plain, fast, stopped, asleep]
    woke: dict[ProcessLoop, tuple[float, float]] = {}

    async def sleep(loop: ProcessLoop) -> None:
        await asyncio.sleep(10.1)
        woke[loop] = engine.now, loop.time()

    for loop in engine.loops:
        loop.create_task(sleep(loop))
    engine.at(5.0, stopped.stop_for, 20.0)
    engine.at(5.0, asleep.go_to_sleep, 20.0)
    engine.run(100.0, lambda: len(woke) == 4)

    assert woke[plain] == pytest.approx((10.1, 10.1))
    assert woke[fast] == pytest.approx((10.0, 10.1))
    assert woke[stopped] == pytest.approx((25.0, 25.0))
    assert woke[asleep] == pytest.approx((30.1, 10.1))
    for loop in list(engine.loops):
        loop.end()
