"""Each method of a client against the sandbox, over a real socket."""

from __future__ import annotations

import asyncio
import traceback
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from binance_dust import (
    ConfigurationError,
    CooldownError,
    DustClient,
    RateLimits,
    RejectedError,
    Session,
)
from binance_dust.sandbox import Sandbox

DUST = "POST /sapi/v1/asset/dust"


@pytest.fixture(params=["hmac", "ed25519", "rsa"])
def client(request: Any, exchange: Sandbox, session: Session) -> DustClient:
    """One account, with each kind of key."""
    credentials = exchange.open_account(
        "alice",
        key=request.param,
        margin={"USDT": "5"},
        debts={"ETH": "0.001"},
        ADA="6.21",
        XRP="1.5",
    )
    return session.client(credentials)


async def test_what_an_account_has(client: DustClient) -> None:
    rows = await client.user_assets(btc_valuation=True)
    (ada,) = await client.user_assets(asset="ADA")

    assert {row.asset: row.free for row in rows} == {"ADA": Decimal("6.21"), "XRP": Decimal("1.5")}
    assert ada.free == Decimal("6.21")
    assert all(row.btc_valuation for row in rows)


async def test_dust_is_seen_converted_and_logged(exchange: Sandbox, client: DustClient) -> None:
    seen = await client.dust_assets()
    done = await client.dust_transfer([row.asset for row in seen.details])
    (entry,) = (await client.dust_log()).user_asset_dribblets

    assert {row.from_asset for row in done.transfer_result} == {"ADA", "XRP"}
    assert entry.trans_id == done.transfer_result[0].tran_id
    assert entry.total_transferred_amount == done.total_transferred
    (bnb,) = await client.user_assets(asset="BNB")
    assert bnb.free == done.net_amount
    assert len(exchange.conversions) == 1
    with pytest.raises(CooldownError):
        await client.dust_transfer(["ADA"])


async def test_dust_goes_into_another_target(client: DustClient) -> None:
    quote = await client.convertible_assets("USDT", price=Decimal(1))
    done = await client.dust_convert(["ADA"], target="USDT", client_id="c-1", account_type="SPOT")

    assert {row.asset for row in quote.details} == {"ADA", "XRP"}
    assert [row.from_asset for row in done.transfer_result] == ["ADA"]


async def test_small_debts_are_seen_exchanged_and_in_the_history(client: DustClient) -> None:
    (debt,) = await client.small_liabilities()
    account = await client.margin_account()

    assert await client.exchange_small_liabilities([debt.asset]) is None  # type: ignore[func-returns-value]
    history = [row async for row in client.small_liability_history()]

    assert debt.asset == "ETH"
    assert account.has_debt
    assert [row.asset for row in history] == ["ETH"]
    assert history[0].timestamp.tzinfo is UTC


async def test_settings_permissions_and_status(client: DustClient) -> None:
    before = (await client.bnb_burn()).spot_bnb_burn
    assert (await client.set_bnb_burn(spot=not before)).spot_bnb_burn is not before
    assert (await client.bnb_burn()).spot_bnb_burn is not before
    assert (await client.key_permissions()).enable_reading
    assert (await client.account_status()).data == "Normal"
    assert (await client.account_info()).is_margin_enabled
    assert (await client.system_status()).is_normal
    assert (await client.spot_account()).can_trade
    now = (await client.server_time()).server_time
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize("bounds", [{"start"}, {"end"}, {"start", "end"}, set()])
async def test_the_log_takes_one_bound_though_the_exchange_does_not(
    exchange: Sandbox, session: Session, bounds: set[str]
) -> None:
    client = session.client(exchange.open_account("bob", ADA="6.21"))
    await client.dust_transfer(["ADA"])
    now = datetime.now(UTC)
    given: dict[str, Any] = {"start": now - timedelta(hours=1), "end": now + timedelta(hours=1)}

    log = await client.dust_log(**{name: given[name] for name in bounds})

    assert len(log.user_asset_dribblets) == 1


async def test_the_history_is_read_page_by_page_as_far_as_one_goes(
    exchange: Sandbox, session: Session
) -> None:
    client = session.client(exchange.open_account("bob", margin=True))

    assert [row async for row in client.small_liability_history()] == []
    assert len(exchange.requests_of("/sapi/v1/margin/exchange-small-liability-history")) == 1


@pytest.mark.parametrize("lists", ["comma", "repeated"])
async def test_several_assets_travel_either_way(exchange: Sandbox, lists: Any) -> None:
    credentials = exchange.open_account("bob", ADA="6.21", XRP="1.5")
    async with Session(base_url=exchange.url, lists=lists) as session:
        done = await session.client(credentials).dust_transfer(["ADA", "XRP"])

    assert {row.from_asset for row in done.transfer_result} == {"ADA", "XRP"}


async def test_a_client_without_a_session_makes_and_closes_its_own(exchange: Sandbox) -> None:
    credentials = exchange.open_account("bob", ADA="6.21")

    async with DustClient(credentials, base_url=exchange.url) as client:
        assert len(await client.user_assets()) == 1
        session = client.session

    assert session.closed


async def test_a_client_on_a_session_leaves_it_open(exchange: Sandbox, session: Session) -> None:
    async with session.client(exchange.open_account("bob", ADA="1")) as client:
        await client.user_assets()

    assert not session.closed


async def test_a_session_of_aiohttp_is_used_and_left_open(exchange: Sandbox) -> None:
    credentials = exchange.open_account("bob", ADA="1")
    async with aiohttp.ClientSession() as http:
        async with Session(base_url=exchange.url, http=http) as session:
            await session.client(credentials).user_assets()
        assert not http.closed


async def test_a_closed_session_says_so(exchange: Sandbox) -> None:
    credentials = exchange.open_account("bob", ADA="1")
    session = Session(base_url=exchange.url)
    client = session.client(credentials)
    await session.close()
    await session.close()

    with pytest.raises(ConfigurationError, match="closed"):
        await client.user_assets()
    with pytest.raises(ConfigurationError, match="closed"):
        async with session:
            pass


async def test_who_is_let_go_hears_it_in_words_of_its_own(exchange: Sandbox) -> None:
    """One error for all would gather the tracebacks of everybody who raises it."""
    alice = exchange.open_account("alice", margin=True)
    session = Session(base_url=exchange.url, limits=RateLimits(ip_weight=100))
    client = session.client(alice)
    calls = [asyncio.create_task(client.small_liabilities()) for _ in range(4)]
    while session.budget.snapshot().waiting < 3:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.001)

    await session.close()

    found = await asyncio.gather(*calls, return_exceptions=True)
    errors = [error for error in found if isinstance(error, BaseException)]
    assert len({id(error) for error in errors}) == len(errors) >= 3
    assert {type(error) for error in errors} == {ConfigurationError}


def test_a_session_is_used_and_closed_in_one_event_loop(recwarn: pytest.WarningsRecorder) -> None:
    with Sandbox() as exchange, asyncio.Runner() as first, asyncio.Runner() as second:
        session = Session(base_url=exchange.url)
        client = session.client(exchange.open_account("alice", ADA="1"))
        first.run(client.user_assets())
        before = len(exchange.requests)

        for work in (client.user_assets(), client.server_time(), session.learn_time()):
            with pytest.raises(ConfigurationError, match="belongs to one event loop"):
                second.run(work)
        with pytest.raises(ConfigurationError, match="closed in the event loop that used it"):
            second.run(session.close())

        assert not session.closed
        first.run(session.close())
        assert len(exchange.requests) == before
    assert not recwarn.list


async def test_a_slow_clock_leaves_no_conversion_out_of_the_log(exchange: Sandbox) -> None:
    """The end of an open range is now as the exchange has it, also for the first call of all."""
    alice = exchange.open_account("alice", ADA="6.21")
    exchange.faults.drift_clock(300.0)
    async with Session(base_url=exchange.url) as session:
        await session.client(alice).dust_transfer(["ADA"])

    async with Session(base_url=exchange.url) as fresh:
        log = await fresh.client(alice).dust_log(start=datetime.now(UTC) - timedelta(days=1))

        assert log.total == 1
        with pytest.raises(ConfigurationError, match="is after now"):
            await fresh.client(alice).dust_log(start=fresh.now() + timedelta(hours=1))


async def test_bad_input_is_refused_before_the_exchange_hears_of_it(
    exchange: Sandbox, session: Session
) -> None:
    client = session.client(exchange.open_account("bob", ADA="1"))

    now = datetime.now(UTC)
    for call, error in [
        (client.dust_transfer([]), ConfigurationError),
        (client.dust_transfer("ADA"), TypeError),
        (client.dust_convert(["A,B", "C"]), ConfigurationError),
        (client.convertible_assets(""), ConfigurationError),
        (client.set_bnb_burn(), ConfigurationError),
        (client.dust_log(start=datetime(2026, 1, 1)), ConfigurationError),  # noqa: DTZ001
        (client.dust_log(start=now, end=now - timedelta(days=1)), ConfigurationError),
        (client.dust_log(end=datetime.min.replace(tzinfo=UTC)), ConfigurationError),
        (client.exchange_small_liabilities(["A"] * 11), ConfigurationError),
    ]:
        with pytest.raises(error):
            await call
    with pytest.raises(ConfigurationError, match="after end"):
        _ = [row async for row in client.small_liability_history(start=now, end=now.replace(1999))]

    assert exchange.requests == ()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"recv_window": 60_001}, ConfigurationError),
        ({"recv_window": 0}, ConfigurationError),
        ({"recv_window": "5000"}, TypeError),
        ({"timeout": 0}, ConfigurationError),
        ({"timeout": float("nan")}, ConfigurationError),
        ({"timeout": None}, TypeError),
        ({"retry": 5}, TypeError),
        ({"budget": "redis://127.0.0.1"}, TypeError),
        ({"observer": "log"}, TypeError),
        ({"payers": ["small_liabilities"]}, TypeError),
        ({"limits": {}}, TypeError),
        ({"lists": "json"}, ConfigurationError),
        ({"base_url": "http://api.binance.com"}, ConfigurationError),
    ],
)
def test_a_session_that_can_not_work_is_refused(options: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        Session(**options)
    # Trackers of errors show the variables of each frame, what was refused among them.
    traceback.TracebackException.from_exception(caught.value, capture_locals=True)


@pytest.mark.parametrize("seconds", [5, 10, 60, 99.9])
def test_a_recv_window_that_was_meant_in_seconds_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match=f"milliseconds, and {seconds} ms .* 10_000"):
        Session(recv_window=seconds)
    assert Session(recv_window=100).recv_window == timedelta(milliseconds=100)


async def test_a_client_is_made_of_credentials_and_one_session(session: Session) -> None:
    with pytest.raises(TypeError, match="must be Credentials"):
        session.client("key")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be Session"):
        DustClient("key", "session")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be Credentials") as caught:
        DustClient("key")  # type: ignore[arg-type]
    traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    with pytest.raises(TypeError, match="timeout: these options are for a new session"):
        DustClient("key", session, timeout=1.0)  # type: ignore[arg-type]


async def test_the_exchanges_no_comes_with_everything_to_act_on(
    exchange: Sandbox, session: Session
) -> None:
    client = session.client(exchange.open_account("bob", ADA="1"))

    with pytest.raises(RejectedError) as caught:
        await client.margin_account()

    error = caught.value
    assert (error.code, error.status) == (-3003, 400)
    assert error.endpoint == "GET /sapi/v1/margin/account"
    assert error.account == "bob"
    assert str(error).startswith("GET /sapi/v1/margin/account (bob): -3003 ")
