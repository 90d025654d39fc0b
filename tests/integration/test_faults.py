"""Whatever goes wrong on the way: reads survive it, funds move at most once, nothing is guessed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from binance_dust import (
    BannedError,
    ConfigurationError,
    CooldownError,
    DustClient,
    DustError,
    MaintenanceError,
    NotConvertibleError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RejectedError,
    RetryPolicy,
    Session,
    UnreadableAnswerError,
)
from binance_dust.events import ClockLearnt, Event, Retried
from binance_dust.sandbox import Sandbox

READ = "GET /sapi/v1/asset/dribblet"
WRITE = "POST /sapi/v1/asset/dust"
Arm = Callable[[Sandbox, str], object]


@pytest.fixture
def client(exchange: Sandbox, session: Session) -> DustClient:
    return session.client(exchange.open_account("alice", ADA="6.21", XRP="1.5"))


def lose(*, after: bool) -> Arm:
    return lambda exchange, endpoint: exchange.faults.lose_answer(
        after_executing=after, endpoint=endpoint
    )


def fail(status: int, code: int | None = None, *, after: bool = True) -> Arm:
    return lambda exchange, endpoint: exchange.faults.fail(
        status, code=code, after_executing=after, endpoint=endpoint
    )


def named(name: str) -> Arm:
    return lambda exchange, endpoint: getattr(exchange.faults, name)(endpoint=endpoint)


UNKNOWN: dict[str, Arm] = {
    "the answer is lost after executing": lose(after=True),
    "the answer is lost before executing": lose(after=False),
    "500 after executing": fail(500),
    "502 before executing": fail(502, after=False),
    "503 with -1000": fail(503, -1000),
    "504 with -1007": fail(504, -1007),
    "400 with -1006": fail(400, -1006),
    "the body is cut": named("cut_body"),
}
UNCLEAR: dict[str, Arm] = {
    "the body is garbled": named("garble_body"),
    "the body has another shape": named("wrong_shape"),
}


@pytest.mark.parametrize("arm", UNKNOWN.values(), ids=UNKNOWN)
async def test_a_read_survives(exchange: Sandbox, client: DustClient, arm: Arm) -> None:
    arm(exchange, READ)

    assert (await client.dust_log()).total == 0

    assert len(exchange.requests_of(READ)) == 2


@pytest.mark.parametrize("arm", UNCLEAR.values(), ids=UNCLEAR)
async def test_a_read_that_was_answered_unreadably_is_not_asked_again(
    exchange: Sandbox, client: DustClient, arm: Arm
) -> None:
    arm(exchange, READ)

    with pytest.raises(UnreadableAnswerError):
        await client.dust_log()
    assert len(exchange.requests_of(READ)) == 1


@pytest.mark.parametrize("arm", (UNKNOWN | UNCLEAR).values(), ids=UNKNOWN | UNCLEAR)
async def test_funds_are_sent_once_and_the_outcome_is_called_unknown(
    exchange: Sandbox, client: DustClient, arm: Arm
) -> None:
    arm(exchange, WRITE)

    with pytest.raises(OutcomeUnknownError) as caught:
        await client.dust_transfer(["ADA", "XRP"])

    assert len(exchange.requests_of(WRITE)) == 1
    assert len(exchange.conversions) <= 1
    error = caught.value
    assert error.endpoint == WRITE
    assert error.account == "alice"
    assert error.parameters == {"asset": "ADA,XRP"}
    assert error.expires_at - error.sent_after == timedelta(seconds=1 + 5)
    (seen,) = exchange.requests_of(WRITE)
    assert error.sent_after.timestamp() < seen.at < error.expires_at.timestamp()
    log = await client.dust_log(start=error.sent_after, end=error.expires_at)
    assert len(log.user_asset_dribblets) == len(exchange.conversions)
    assert str(error).startswith(f"{WRITE} (alice): outcome unknown, do not send it again: ")
    assert isinstance(error.__cause__, DustError)


PARAMETERS = "The size of assets should not larger than 20"


@pytest.mark.parametrize("after_executing", [True, False])
async def test_a_500_about_parameters_is_a_no_to_a_read_and_unknown_of_funds(
    exchange: Sandbox, client: DustClient, after_executing: bool
) -> None:
    """As seen on 2026-07-07: the same five times of five, charged, with the weight header."""
    said: dict[str, Any] = {"code": 2, "msg": PARAMETERS, "times": None}
    for endpoint in (READ, WRITE):
        exchange.faults.fail(500, endpoint=endpoint, after_executing=after_executing, **said)

    with pytest.raises(RejectedError) as refused:
        await client.dust_log()
    with pytest.raises(OutcomeUnknownError) as unknown:
        await client.dust_transfer(["ADA"])

    assert str(refused.value) == f"{READ} (alice): 2 {PARAMETERS}"
    assert (unknown.value.status, unknown.value.code) == (500, 2)
    assert str(unknown.value).endswith(f"2 {PARAMETERS}")
    assert len(exchange.requests_of(READ)) == len(exchange.requests_of(WRITE)) == 1
    used = {pool.name: pool.used for pool in client.session.budget.snapshot().pools}
    assert (used[READ], used[WRITE]) == (1, 10)


@pytest.mark.parametrize(("code", "status"), [(-1008, 503), (-1004, 400), (-1003, 429)])
async def test_what_was_refused_is_sent_again_funds_or_not(
    exchange: Sandbox, client: DustClient, code: int, status: int
) -> None:
    exchange.faults.fail(status, code=code, after_executing=False, endpoint=WRITE)

    done = await client.dust_transfer(["ADA"])

    assert [row.from_asset for row in done.transfer_result] == ["ADA"]
    assert len(exchange.requests_of(WRITE)) == 2
    assert len(exchange.conversions) == 1


async def test_a_connection_that_is_refused_never_left(exchange: Sandbox) -> None:
    credentials = exchange.open_account("alice", ADA="6.21")
    retry = RetryPolicy(attempts=2, max_wait=0.01)
    async with DustClient(credentials, base_url="http://127.0.0.1:9", retry=retry) as client:
        for call in (client.dust_log(), client.dust_transfer(["ADA"])):
            with pytest.raises(NotSentError, match="no connection"):
                await call


@pytest.mark.parametrize("assets", [["NONE"], ["NONE", "ADA"]])
async def test_a_plain_no_is_raised_at_once(
    exchange: Sandbox, client: DustClient, assets: list[str]
) -> None:
    with pytest.raises(NotConvertibleError) as caught:
        await client.dust_transfer(assets)

    assert len(exchange.requests_of(WRITE)) == 1
    assert exchange.conversions == ()
    assert set(caught.value.assets) <= set(assets)


async def test_a_page_of_the_firewall_is_a_rejection(exchange: Sandbox, client: DustClient) -> None:
    exchange.faults.html_403(endpoint=READ)

    with pytest.raises(RejectedError, match="HTTP 403") as caught:
        await client.dust_log()
    assert caught.value.code is None
    assert len(exchange.requests_of(READ)) == 1


async def test_maintenance_has_its_own_name(exchange: Sandbox, client: DustClient) -> None:
    await client.server_time()
    exchange.faults.maintenance()

    with pytest.raises(MaintenanceError):
        await client.dust_log()


async def test_a_cooldown_is_told_apart_from_other_refusals(
    exchange: Sandbox, client: DustClient
) -> None:
    await client.dust_transfer(["ADA"])

    with pytest.raises(CooldownError):
        await client.dust_transfer(["XRP"])
    assert len(exchange.conversions) == 1


# --- the clock ---


def watched(exchange: Sandbox, **options: Any) -> tuple[Session, list[Event]]:
    events: list[Event] = []
    options = {"retry": RetryPolicy(max_wait=0.01)} | options
    return Session(base_url=exchange.url, observer=events.append, **options), events


@pytest.mark.parametrize("drift", [-3600.0, -7.0, 7.0, 3600.0])
async def test_a_machine_whose_clock_is_wrong_works_all_the_same(
    exchange: Sandbox, drift: float
) -> None:
    exchange.faults.drift_clock(drift)
    session, events = watched(exchange)
    async with session:
        client = session.client(exchange.open_account("alice", ADA="6.21"))
        assert await client.user_assets()

    (learnt,) = [event for event in events if isinstance(event, ClockLearnt)]
    assert abs(learnt.offset - drift) < 1
    assert [seen.code for seen in exchange.requests] == [None, None]


async def test_a_clock_that_jumps_is_learnt_again_once_for_all_who_wait(exchange: Sandbox) -> None:
    session, events = watched(exchange)
    async with session:
        clients = [
            session.client(credentials)
            for credentials in [exchange.open_account(f"a{i}", ADA="1") for i in range(20)]
        ]
        await clients[0].user_assets()
        exchange.faults.jump_clock(3600.0)
        await asyncio.gather(*[client.user_assets() for client in clients])

    refused = [seen for seen in exchange.requests if seen.code == -1021]
    assert len(refused) == 20
    assert len(exchange.requests_of("/api/v3/time")) == 2
    assert len([event for event in events if isinstance(event, Retried)]) == 20


async def test_funds_refused_for_their_timestamp_are_signed_anew(
    exchange: Sandbox, client: DustClient
) -> None:
    await client.user_assets()
    exchange.faults.jump_clock(-3600.0)

    await client.dust_transfer(["ADA"])

    assert [seen.code for seen in exchange.requests_of(WRITE)] == [-1021, None]
    assert len(exchange.conversions) == 1


async def test_without_an_answer_from_the_clock_the_machines_own_will_do(exchange: Sandbox) -> None:
    exchange.faults.fail(500, endpoint="/api/v3/time", times=None)
    session, events = watched(exchange)
    async with session:
        client = session.client(exchange.open_account("alice", ADA="1"))
        assert await client.user_assets()
        assert await client.user_assets()

    assert len(exchange.requests_of("/api/v3/time")) == 1, "not before every call"
    assert not [event for event in events if isinstance(event, ClockLearnt)]


# --- the end ---


async def test_closing_a_session_ends_calls_with_an_error_of_ours(exchange: Sandbox) -> None:
    session = Session(base_url=exchange.url)
    client = session.client(exchange.open_account("alice", ADA="1"))
    await client.user_assets()
    exchange.faults.delay(30.0, endpoint=READ)
    call = asyncio.create_task(client.dust_log())
    while not exchange.requests_of(READ):  # noqa: ASYNC110 - the sandbox is in this loop
        await asyncio.sleep(0)

    await session.close()

    with pytest.raises((ConfigurationError, DustError)):
        await call


async def test_a_call_that_is_cancelled_is_just_cancelled(
    exchange: Sandbox, session: Session
) -> None:
    client = session.client(exchange.open_account("alice", ADA="1"))
    exchange.faults.delay(30.0, endpoint=READ)
    call = asyncio.create_task(client.dust_log())
    while not exchange.requests_of(READ):  # noqa: ASYNC110 - the sandbox is in this loop
        await asyncio.sleep(0)

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert await client.user_assets()


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimitedError), (418, BannedError)])
async def test_a_refusal_for_weight_carries_the_wait(
    exchange: Sandbox, status: int, kind: type[RateLimitedError | BannedError]
) -> None:
    exchange.faults.refuse(status, retry_after=7, endpoint=READ)
    async with Session(base_url=exchange.url, retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(kind) as caught:
            await session.client(exchange.open_account("alice")).dust_log()

    error: Any = caught.value
    if isinstance(error, BannedError):
        assert error.until is not None
        assert abs(error.until.timestamp() - exchange.now() - 7) < 2
    else:
        assert error.retry_after == 7.0
