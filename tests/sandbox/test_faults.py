"""Faults: what goes wrong, with which requests, how often, and what the exchange did meanwhile."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from binance_dust.sandbox import Fault, Faults, Rules, Sandbox
from binance_dust.sandbox._clock import ExchangeClock
from binance_dust.sandbox._weight import WeightLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.sandbox.conftest import HttpCaller

pytestmark = pytest.mark.usefixtures("nothing_is_logged")

DUST = "POST /sapi/v1/asset/dust"
STATUS = "GET /sapi/v1/account/status"
PATH = "/sapi/v1/asset/dust"


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7) as exchange:
        yield exchange


@pytest.fixture
async def caller(
    exchange: Sandbox, new_caller: Callable[[Sandbox], Awaitable[HttpCaller]]
) -> HttpCaller:
    return await new_caller(exchange)


async def struck(fault: Fault) -> None:
    while not fault.hits:  # noqa: ASYNC110 - the fault knows of no event loop
        await asyncio.sleep(0)


@pytest.mark.parametrize("after_executing", [True, False])
async def test_an_answer_is_lost_after_executing_or_before(
    exchange: Sandbox, caller: HttpCaller, after_executing: bool
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    lost = exchange.faults.lose_answer(after_executing=after_executing, endpoint=PATH)

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await caller.ask(DUST, alice, asset="ADA")

    assert lost.hits == 1
    assert len(exchange.conversions) == after_executing
    assert (exchange.account("alice").free("ADA") == 0) is after_executing
    (seen,) = exchange.requests
    assert (seen.executed, seen.answered) == (after_executing, False)
    assert exchange.used_weight(PATH, account="alice") == 10, "charged all the same"
    again = await caller.ask(DUST, alice, asset="ADA")
    assert again.status == (400 if after_executing else 200)


@pytest.mark.parametrize("after_executing", [True, False])
async def test_a_refusal_is_lost_too(
    exchange: Sandbox, caller: HttpCaller, after_executing: bool
) -> None:
    alice = exchange.open_account("alice", BZRX="3")
    exchange.faults.lose_answer(after_executing=after_executing, times=2)

    for endpoint, parameters in ((DUST, {"asset": "BZRX"}), (DUST, {"timestamp": 1})):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await caller.ask(endpoint, alice, **parameters)

    assert [seen.executed for seen in exchange.requests] == [False, False]


@pytest.mark.parametrize("after_executing", [True, False])
async def test_a_server_error_comes_after_executing_or_before(
    exchange: Sandbox, caller: HttpCaller, after_executing: bool
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    exchange.faults.fail(502, after_executing=after_executing)

    reply = await caller.ask(DUST, alice, asset="ADA")

    assert reply.status == 502
    assert reply.json.startswith(b"<html>")
    assert len(exchange.conversions) == after_executing
    exchange.faults.fail(500, code=-1007, msg="Timeout waiting for response from backend server.")
    reply = await caller.ask(STATUS, alice)
    assert (reply.status, reply.code) == (500, -1007)


async def test_a_body_is_cut(exchange: Sandbox, caller: HttpCaller) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    exchange.faults.cut_body(endpoint=DUST)

    with pytest.raises(aiohttp.ClientPayloadError):
        await caller.ask(DUST, alice, asset="ADA")

    assert len(exchange.conversions) == 1
    assert (await caller.ask(STATUS, alice)).status == 200, "the next connection is whole"


async def test_a_body_is_garbled(exchange: Sandbox, caller: HttpCaller) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    exchange.faults.garble_body()

    with pytest.raises(json.JSONDecodeError):
        await caller.ask(DUST, alice, asset="ADA")

    assert len(exchange.conversions) == 1


@pytest.mark.parametrize(
    ("endpoint", "shape"),
    [(DUST, ["unexpected"]), ("POST /sapi/v3/asset/getUserAsset", {"unexpected": [1]})],
)
async def test_a_body_has_another_shape(
    exchange: Sandbox, caller: HttpCaller, endpoint: str, shape: Any
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    exchange.faults.wrong_shape()

    reply = await caller.ask(endpoint, alice, asset="ADA")

    assert (reply.status, reply.json) == (200, shape)


async def test_the_firewall_answers_a_page_and_nothing_is_charged(
    exchange: Sandbox, caller: HttpCaller
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    exchange.faults.html_403()

    reply = await caller.ask(DUST, alice, asset="ADA")

    assert reply.status == 403
    assert reply.headers["Content-Type"] == "text/html"
    assert not exchange.conversions
    assert exchange.used_weight(PATH, account="alice") == 0


@pytest.mark.parametrize(
    ("retry_after", "shown"), [(7, "7"), (0, "0"), (0.5, "0.5"), ("soon", "soon"), (None, None)]
)
async def test_a_refusal_has_the_retry_after_that_was_armed(
    exchange: Sandbox, caller: HttpCaller, retry_after: Any, shown: str | None
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    exchange.faults.refuse(429, retry_after=retry_after)

    reply = await caller.ask(DUST, alice, asset="ADA")

    assert (reply.status, reply.code) == (429, -1003)
    assert reply.headers.get("Retry-After") == shown
    assert not exchange.conversions
    assert (await caller.ask(DUST, alice, asset="ADA")).status == 200


async def test_a_ban_shuts_out_one_address_until_it_is_lifted(
    exchange: Sandbox, new_caller: Callable[..., Awaitable[HttpCaller]]
) -> None:
    alice = exchange.open_account("alice")
    here, there = await new_caller(exchange), await new_caller(exchange, "127.0.0.2")
    exchange.faults.ban(30)

    reply = await here.ask(STATUS, alice)

    assert (reply.status, reply.headers["Retry-After"]) == (418, "30")
    assert (await there.ask(STATUS, alice)).status == 200
    assert {seen.address for seen in exchange.requests} == {"127.0.0.1", "127.0.0.2"}
    exchange.faults.pardon()
    assert (await here.ask(STATUS, alice)).status == 200


async def test_the_weight_header_can_be_missing_or_wrong(
    exchange: Sandbox, caller: HttpCaller
) -> None:
    alice = exchange.open_account("alice")
    header = "X-SAPI-USED-IP-WEIGHT-1M"
    exchange.faults.misreport_weight(None)
    exchange.faults.misreport_weight(-1)

    shown = [(await caller.ask(STATUS, alice)).headers.get(header) for _ in range(3)]

    assert shown == [None, "-1", "3"]


async def test_a_conversion_is_answered_with_an_empty_result(
    exchange: Sandbox, caller: HttpCaller
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    fault = exchange.faults.convert_nothing()

    assert (await caller.ask(STATUS, alice)).status == 200
    assert fault.hits == 0, "a request that only reads does not use it up"
    nothing = await caller.ask(DUST, alice, asset="ADA")
    something = await caller.ask(DUST, alice, asset="ADA")

    assert (nothing.status, nothing.json["transferResult"]) == (200, [])
    assert not exchange.requests[1].executed
    assert something.json["transferResult"]


async def test_convert_nothing_is_refused_for_an_endpoint_that_only_reads(
    exchange: Sandbox,
) -> None:
    with pytest.raises(ValueError, match=r"can't strike 'GET /sapi/v1/account/status': only POST"):
        exchange.faults.convert_nothing(endpoint=STATUS)


async def test_other_requests_pass_a_delayed_one(exchange: Sandbox, caller: HttpCaller) -> None:
    """The delayed request is not finished when the other is answered; no time is measured."""
    alice = exchange.open_account("alice", ADA="6.21")
    slow = exchange.faults.delay(3600, endpoint=DUST, on="answer")
    converting = asyncio.create_task(caller.ask(DUST, alice, asset="ADA"))
    await struck(slow)

    assert (await caller.ask(STATUS, alice)).status == 200

    assert len(exchange.conversions) == 1, "executed, and not yet answered"
    converting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await converting


@pytest.mark.parametrize(
    ("on", "seen", "converted"), [("request", 0, 0), ("execution", 0, 0), ("answer", 1, 1)]
)
async def test_a_delay_is_at_one_stage(
    exchange: Sandbox, caller: HttpCaller, on: Any, seen: int, converted: int
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    slow = exchange.faults.delay(3600, on=on)

    converting = asyncio.create_task(caller.ask(DUST, alice, asset="ADA"))
    await struck(slow)

    assert len(exchange.requests) == seen
    assert len(exchange.conversions) == converted
    assert (exchange.used_weight(PATH, account="alice") == 0) is (on == "request")
    converting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await converting


async def test_a_short_delay_ends(exchange: Sandbox, caller: HttpCaller) -> None:
    alice = exchange.open_account("alice")
    exchange.faults.delay((0.001, 0.002), on="request")
    exchange.faults.delay(0.001, on="execution")

    assert (await caller.ask(STATUS, alice)).status == 200


# Which requests a fault strikes


@pytest.fixture
def faults() -> Faults:
    return Faults(7, ExchangeClock(lambda: 0.0), WeightLimits(Rules()))


def strikes(faults: Faults, method: str, path: str, account: str = "alice") -> bool:
    return faults.plan(method, path, account, "127.0.0.1").effect is not None


def test_a_fault_strikes_matching_requests_as_often_as_armed(faults: Faults) -> None:
    fault = faults.lose_answer(endpoint=PATH, account="alice", times=2, skip=1)

    hits = [
        strikes(faults, "GET", "/sapi/v1/account/status"),
        strikes(faults, "POST", PATH, "bob"),
        strikes(faults, "POST", PATH),  # skipped
        strikes(faults, "POST", PATH),
        strikes(faults, "POST", PATH),
        strikes(faults, "POST", PATH),
    ]

    assert hits == [False, False, False, True, True, False]
    assert fault.hits == 2


def test_a_method_tells_two_endpoints_of_one_path_apart(faults: Faults) -> None:
    faults.fail(endpoint="POST /sapi/v1/bnbBurn", times=None)

    assert not strikes(faults, "GET", "/sapi/v1/bnbBurn")
    assert strikes(faults, "POST", "/sapi/v1/bnbBurn")
    assert strikes(faults, "POST", "/sapi/v1/bnbBurn"), "without an end"


def test_a_fault_is_disarmed_alone_or_with_all_others(faults: Faults) -> None:
    first, second = faults.fail(times=None), faults.fail(times=None)
    first.cancel()

    assert strikes(faults, "POST", PATH)
    assert (first.hits, second.hits) == (0, 1)
    faults.maintenance()
    faults.clear()
    assert not strikes(faults, "POST", PATH)
    assert not faults.closed


def test_delays_add_up_and_of_other_faults_the_first_strikes(faults: Faults) -> None:
    faults.delay(1.0)
    faults.lose_answer()
    spared = faults.fail()
    faults.delay(2.0)
    faults.delay((3.0, 5.0), on="request")

    plan = faults.plan("POST", PATH, "alice", "127.0.0.1")

    assert plan.delays["answer"] == 3.0
    assert 3.0 <= plan.delays["request"] <= 5.0
    assert type(plan.effect).__name__ == "DropConnection"
    assert spared.hits == 0


def test_drawn_delays_are_the_same_for_one_seed() -> None:
    def drawn(seed: int) -> list[float]:
        faults = Faults(seed, ExchangeClock(lambda: 0.0), WeightLimits(Rules()))
        faults.delay((0.0, 1.0), times=None)
        return [faults.plan("GET", "/", None, "").delays["answer"] for _ in range(5)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_a_fault_can_be_kept_to_one_address(faults: Faults) -> None:
    faults.fail(address="127.0.0.2")

    assert faults.plan("GET", "/", None, "127.0.0.1").effect is None
    assert faults.plan("GET", "/", None, "127.0.0.2").effect is not None


@pytest.mark.parametrize("wrong", ["/sapi/v1/asset/dusty", "GET /sapi/v1/asset/dust", "dust"])
def test_a_misspelt_endpoint_is_refused(faults: Faults, wrong: str) -> None:
    with pytest.raises(ValueError, match="no endpoint"):
        faults.fail(endpoint=wrong)


@pytest.mark.parametrize(
    ("seconds", "on", "says"),
    [
        (-1, "answer", "zero seconds"),
        ((2, 1), "answer", "zero seconds"),
        (1, "reply", "must be one"),
    ],
)
def test_a_delay_that_would_prove_nothing_is_refused(
    faults: Faults, seconds: Any, on: Any, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        faults.delay(seconds, on=on)


def test_a_fault_counts_only_its_hits() -> None:
    fault = Fault(effect=None, times=1)  # type: ignore[arg-type]

    assert fault.strikes("GET", "/", None, "")
    assert fault.spent
    assert not fault.strikes("GET", "/", None, "")


async def test_fields_are_left_out_wherever_they_stand_or_the_nth_of_them(
    exchange: Sandbox, caller: HttpCaller
) -> None:
    alice = exchange.open_account("alice", ADA="6.21", XRP="1.5")
    assets = "POST /sapi/v3/asset/getUserAsset"
    whole = (await caller.ask(assets, alice)).json
    exchange.faults.leave_out("free", "locked", endpoint=assets)
    exchange.faults.leave_out("free", nth=1, endpoint=assets)

    none, second = [(await caller.ask(assets, alice)).json for _ in range(2)]

    left = whole[0].keys() - {"free", "locked"}
    assert [row.keys() for row in none] == [left, left]
    assert second == [whole[0], {k: v for k, v in whole[1].items() if k != "free"}]
    assert (await caller.ask(assets, alice)).json == whole


async def test_other_values_are_put_into_fields_and_numbers_keep_their_digits(
    exchange: Sandbox, caller: HttpCaller
) -> None:
    alice = exchange.open_account("alice", margin={"USDT": "1"}, debts={"ETH": "0.00000001"})
    debts = "GET /sapi/v1/margin/exchange-small-liability"
    (whole,) = (await caller.ask(debts, alice)).json
    exchange.faults.put({"interest": None, "asset": {"a": [1]}}, endpoint=debts)

    (row,) = (await caller.ask(debts, alice)).json

    assert row == whole | {"interest": None, "asset": {"a": [1]}}


async def test_misspelt_fields_are_mended_by_a_rule(
    new_caller: Callable[[Sandbox], Awaitable[HttpCaller]],
) -> None:
    async with Sandbox(seed=7, spelling="mended") as exchange:
        caller = await new_caller(exchange)
        alice = exchange.open_account("alice", ADA="6.21")

        done = (await caller.ask(DUST, alice, asset="ADA")).json
        log = (await caller.ask("GET /sapi/v1/asset/dribblet", alice)).json

    (record,) = log["userAssetDribblets"]
    assert done["totalTransferred"] == record["totalTransferredAmount"]
    (row,) = done["transferResult"]
    assert row["transferredAmount"] == done["totalTransferred"]
    assert "transfered" not in json.dumps([done, log]).lower()
