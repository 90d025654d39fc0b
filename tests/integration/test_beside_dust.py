"""What lies beside dust, against the sandbox, over a real socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from binance_dust import (
    ConfigurationError,
    CredentialsError,
    DustClient,
    DustRejectedError,
    ExchangeError,
    OutcomeUnknownError,
    RejectedError,
    Session,
)
from binance_dust.endpoints import CAPITAL_FLOW
from binance_dust.sandbox import Debt, Permissions, Sandbox

MAY_MOVE = Permissions(universal_transfer=True)
TRANSFER = "POST /sapi/v1/asset/transfer"
FLOW = "GET /sapi/v1/margin/capital-flow"


@pytest.fixture
def client(exchange: Sandbox, session: Session) -> DustClient:
    credentials = exchange.open_account(
        "alice",
        permissions=MAY_MOVE,
        funding={"TRX": "5.5", "BNB": "0.01"},
        margin={"USDT": "5", "ETH": "0.002"},
        debts={"ETH": Debt("0.001", interest="0.0001")},
        ADA="100",
    )
    return session.client(credentials)


async def test_each_call_is_on_the_wire_as_documented(
    exchange: Sandbox, client: DustClient
) -> None:
    """Method, path and parameters, as the official SDKs send them."""
    await client.funding_assets(asset="TRX", btc_valuation=True)
    await client.wallet_balances(quote_asset="USDT", details=True)
    await client.delist_schedule()
    await client.margin_delist_schedule()
    await client.transfer("TRX", Decimal("0.50"))
    _ = [row async for row in client.transfers(kind="FUNDING_MAIN")]
    _ = [row async for row in client.capital_flow(kind="REPAY")]
    await client.repay("ETH", Decimal("0.0001"))
    quote = await client.convert_quote("ADA", "USDT", amount=Decimal(80), wallet="SPOT")
    number = quote.quote_id or ""
    order = (await client.convert_accept(number)).order_id
    await client.convert_status(quote_id=number)
    await client.convert_status(order_id=order)

    sent = [
        (
            seen.method,
            seen.path.removeprefix("/sapi/v1/"),
            {
                name: "(ms)" if name in {"startTime", "endTime"} else value
                for name, value in seen.parameters.items()
                if name not in {"timestamp", "recvWindow"}
            },
        )
        for seen in exchange.requests_of()
        if seen.path.startswith("/sapi/")
    ]
    times = {"startTime": "(ms)", "endTime": "(ms)"}
    page = {"current": "1", "size": "100"}
    repaid = {"asset": "ETH", "isIsolated": "FALSE", "amount": "0.0001", "type": "REPAY"}
    wanted = {"fromAsset": "ADA", "toAsset": "USDT", "fromAmount": "80", "walletType": "SPOT"}
    assert sent == [
        ("POST", "asset/get-funding-asset", {"asset": "TRX", "needBtcValuation": "true"}),
        ("GET", "asset/wallet/balance", {"quoteAsset": "USDT", "needBalanceDetail": "true"}),
        ("GET", "spot/delist-schedule", {}),
        ("GET", "margin/delist-schedule", {}),
        ("POST", "asset/transfer", {"type": "FUNDING_MAIN", "asset": "TRX", "amount": "0.50"}),
        ("GET", "asset/transfer", {"type": "FUNDING_MAIN", **page, **times}),
        ("GET", "margin/capital-flow", {"type": "REPAY", **times, "limit": "1000"}),
        ("POST", "margin/borrow-repay", repaid),
        ("POST", "convert/getQuote", wanted),
        ("POST", "convert/acceptQuote", {"quoteId": number}),
        ("GET", "convert/orderStatus", {"quoteId": number}),
        ("GET", "convert/orderStatus", {"orderId": str(order)}),
    ]


async def test_the_spot_account_has_every_field_that_is_known(client: DustClient) -> None:
    """A short form of what the official SDK's model says of it."""
    account = await client.spot_account()

    missing = [name for name in account.__struct_fields__ if getattr(account, name) is None]
    assert missing == []


async def test_the_funding_wallet_is_read_whole_or_by_asset(client: DustClient) -> None:
    rows = await client.funding_assets(btc_valuation=True)
    (trx,) = await client.funding_assets(asset="TRX")

    assert {row.asset: row.free for row in rows} == {"TRX": Decimal("5.5"), "BNB": Decimal("0.01")}
    assert all(row.btc_valuation for row in rows)
    assert trx.total == Decimal("5.5")


async def test_every_wallet_says_what_it_is_worth_and_what_is_in_it(client: DustClient) -> None:
    plain = await client.wallet_balances()
    detailed = {row.wallet_name: row for row in await client.wallet_balances(details=True)}

    assert [row.asset_balances for row in plain] == [None] * len(plain)
    assert {row.wallet_name: row.balance for row in plain} == {
        name: row.balance for name, row in detailed.items()
    }
    held = {row.asset: row.total for row in detailed["Funding"].asset_balances or ()}
    assert held == {"BNB": Decimal("0.01"), "TRX": Decimal("5.5")}
    (spot,) = [row for row in await client.wallet_balances(quote_asset="ADA") if row.balance == 100]
    assert spot.wallet_name == "Spot"


async def test_a_transfer_moves_an_amount_and_is_found_in_its_history(
    exchange: Sandbox, client: DustClient
) -> None:
    number = await client.transfer("TRX", Decimal("5.5"))
    await client.transfer("BNB", Decimal("0.01"), kind="FUNDING_MARGIN")
    (record,) = [row async for row in client.transfers(kind="FUNDING_MAIN")]

    alice = exchange.account("alice")
    assert [alice.free("TRX"), alice.free("TRX", "FUNDING")] == [Decimal("5.5"), Decimal(0)]
    assert alice.free("BNB", "MARGIN") == Decimal("0.01")
    assert (record.tran_id, record.asset, record.amount) == (number, "TRX", Decimal("5.5"))
    assert (record.type, record.status) == ("FUNDING_MAIN", "CONFIRMED")
    past = datetime.now(UTC) - timedelta(days=2)
    assert [row async for row in client.transfers(kind="FUNDING_MAIN", end=past)] == []


async def test_transfers_are_read_page_by_page(exchange: Sandbox, client: DustClient) -> None:
    exchange.account("alice").deposit("TRX", "1", "FUNDING")
    for _ in range(205):
        await client.transfer("TRX", Decimal("0.01"))

    rows = [row async for row in client.transfers(kind="FUNDING_MAIN")]

    assert len({row.tran_id for row in rows}) == 205
    assert len(exchange.requests_of("GET /sapi/v1/asset/transfer")) == 3


@pytest.mark.parametrize(
    ("options", "error", "code"),
    [
        ({"asset": "TRX", "amount": Decimal(6)}, DustRejectedError, -5013),
        ({"asset": "ADA", "amount": Decimal(1), "kind": "MAIN_UMFUTURE"}, RejectedError, -1130),
        ({"asset": "NOSUCH", "amount": Decimal(1)}, RejectedError, -1130),
        ({"asset": "ETH", "amount": Decimal("0.002"), "kind": "MARGIN_MAIN"}, RejectedError, -3020),
    ],
)
async def test_a_transfer_that_can_not_be_is_refused_and_moves_nothing(
    exchange: Sandbox, client: DustClient, options: Any, error: type[ExchangeError], code: int
) -> None:
    with pytest.raises(error) as caught:
        await client.transfer(**options)

    assert caught.value.code == code
    assert exchange.account("alice").transfers == []


async def test_a_key_without_the_permission_transfers_nothing(
    exchange: Sandbox, session: Session
) -> None:
    client = session.client(exchange.open_account("bob", funding={"TRX": "1"}))

    assert (await client.key_permissions()).permits_universal_transfer is False
    with pytest.raises(CredentialsError):
        await client.transfer("TRX", Decimal(1))
    assert (await client.funding_assets())[0].free == 1


async def test_delistings_need_the_key_alone(exchange: Sandbox, client: DustClient) -> None:
    assert await client.delist_schedule() == []
    soon, later = (exchange.now() + days * 86_400 for days in (1, 3))
    exchange.delist("KOGE", datetime.fromtimestamp(later, UTC))
    exchange.delist("ADA", datetime.fromtimestamp(soon, UTC))
    exchange.delist("BCH", datetime.fromtimestamp(soon, UTC))
    exchange.delist("BZRX", datetime.fromtimestamp(soon - 2 * 86_400, UTC))

    first, second = await client.delist_schedule()
    (margin,) = await client.margin_delist_schedule()

    assert first.symbols == ["ADAUSDT", "ADABNB", "ADABTC", "BCHUSDT", "BCHBNB", "BCHBTC"]
    assert abs(first.delist_time.timestamp() - soon) < 0.01
    assert second.symbols[0] == "KOGEUSDT"
    assert margin.cross_margin_assets == ["ADA", "BCH"]
    for seen in exchange.requests_of("GET /sapi/v1/spot/delist-schedule"):
        assert seen.parameters == {}
        assert seen.account == "alice"


async def test_a_repayment_pays_the_interest_first(exchange: Sandbox, client: DustClient) -> None:
    number = await client.repay("ETH", Decimal("0.0003"))
    left = exchange.account("alice").margin
    assert left is not None
    assert left.debts["ETH"] == Debt("0.0008")
    await client.repay("ETH", Decimal("0.0008"))

    assert "ETH" not in left.debts
    assert not (await client.margin_account()).has_debt
    assert exchange.account("alice").free("ETH", "MARGIN") == Decimal("0.0009")
    flows = [row async for row in client.capital_flow(kind="REPAY")]
    assert [row.amount for row in flows] == [Decimal("-0.0008"), Decimal("-0.0003")]
    assert flows[-1].tran_id == number
    with pytest.raises(RejectedError, match="-3015"):
        await client.repay("ETH", Decimal("0.0001"))


async def test_a_repayment_needs_what_it_pays(exchange: Sandbox, client: DustClient) -> None:
    exchange.account("alice").withdraw("ETH", "0.0019", "MARGIN")

    with pytest.raises(RejectedError, match="-3041"):
        await client.repay("ETH", Decimal("0.001"))
    assert (await client.margin_account()).has_debt


# --- sales by quote ------------------------------------------------------------------------------


async def test_a_sale_is_quoted_accepted_once_and_its_status_is_read(
    exchange: Sandbox, client: DustClient
) -> None:
    quote = await client.convert_quote("ADA", "USDT", amount=Decimal(80))
    assert quote.quote_id is not None
    assert exchange.account("alice").free("ADA") == 100
    accepted = await client.convert_accept(quote.quote_id)
    by_quote = await client.convert_status(quote_id=quote.quote_id)
    by_order = await client.convert_status(order_id=by_quote.order_id)

    assert not accepted.is_done
    assert by_quote.is_done
    assert by_order == by_quote
    assert accepted.order_id == by_quote.order_id
    assert [by_quote.from_amount, by_quote.to_amount] == [Decimal(80), quote.to_amount]
    assert exchange.account("alice").free("ADA") == 20
    assert exchange.account("alice").free("USDT") == quote.to_amount
    with pytest.raises(RejectedError, match="-1130"):
        await client.convert_accept(quote.quote_id)
    assert exchange.account("alice").free("ADA") == 20


async def test_more_than_is_held_gets_a_price_and_no_id(client: DustClient) -> None:
    quote = await client.convert_quote("ADA", "BNB", amount=Decimal(101))

    assert quote.quote_id is None
    assert quote.to_amount > 0


async def test_what_is_gone_before_it_is_sold_makes_an_order_that_failed(
    exchange: Sandbox, client: DustClient
) -> None:
    quote = await client.convert_quote("TRX", "USDT", amount=Decimal(5), wallet="FUNDING")
    assert quote.quote_id is not None
    exchange.account("alice").withdraw("TRX", "5", "FUNDING")

    await client.convert_accept(quote.quote_id)

    assert (await client.convert_status(quote_id=quote.quote_id)).is_failed
    assert exchange.account("alice").free("USDT", "FUNDING") == 0


async def test_a_quote_expires(exchange: Sandbox, client: DustClient) -> None:
    quote = await client.convert_quote("ADA", "USDT", amount=Decimal(80))
    assert quote.quote_id is not None
    assert quote.valid_timestamp is not None
    exchange.faults.drift_clock(11.0)

    with pytest.raises(RejectedError, match="345231"):
        await client.convert_accept(quote.quote_id)
    assert exchange.account("alice").free("ADA") == 100
    with pytest.raises(RejectedError):
        await client.convert_status(quote_id=quote.quote_id)


async def test_a_sale_may_take_some_time(session: Session) -> None:
    async with Sandbox(sale_seconds=600.0) as slow, Session(base_url=slow.url) as own:
        client = own.client(slow.open_account("alice", ADA="100"))
        quote = await client.convert_quote("ADA", "USDT", amount=Decimal(80))
        assert quote.quote_id is not None
        await client.convert_accept(quote.quote_id)

        status = await client.convert_status(quote_id=quote.quote_id)

    assert (status.order_status, status.is_done, status.is_failed) == ("PROCESS", False, False)


# --- what moves funds is never sent again --------------------------------------------------------


MOVES: dict[str, Callable[[DustClient, str], Awaitable[Any]]] = {
    TRANSFER: lambda client, _: client.transfer("TRX", Decimal(1)),
    "POST /sapi/v1/margin/borrow-repay": lambda client, _: client.repay("ETH", Decimal("0.0001")),
    "POST /sapi/v1/convert/acceptQuote": lambda client, quote: client.convert_accept(quote),
}


@pytest.mark.parametrize("after_executing", [True, False])
@pytest.mark.parametrize("endpoint", MOVES)
async def test_a_lost_answer_is_an_unknown_outcome_and_nothing_is_sent_again(
    exchange: Sandbox, client: DustClient, endpoint: str, after_executing: bool
) -> None:
    quote = await client.convert_quote("ADA", "USDT", amount=Decimal(80))
    exchange.faults.lose_answer(after_executing=after_executing, endpoint=endpoint)

    with pytest.raises(OutcomeUnknownError) as caught:
        await MOVES[endpoint](client, quote.quote_id or "")

    assert caught.value.endpoint == endpoint
    assert caught.value.parameters
    (seen,) = exchange.requests_of(endpoint)
    assert seen.executed is after_executing


# --- the capital flow ----------------------------------------------------------------------------


async def test_the_flow_tells_conversions_debts_and_transfers(
    exchange: Sandbox, client: DustClient
) -> None:
    exchange.account("alice").deposit("ADA", "6.21", "MARGIN")
    done = await client.dust_transfer(["ADA"], account_type="MARGIN")
    await client.exchange_small_liabilities(["ETH"])
    await client.transfer("TRX", Decimal(2), kind="FUNDING_MARGIN")

    rows = [row async for row in client.capital_flow()]

    assert {(row.type, row.asset) for row in rows} == {
        ("SMALL_BALANCE_CONVERT", "ADA"),
        ("SMALL_BALANCE_CONVERT", "BNB"),
        ("SMALL_CONVERT", "ETH"),
        ("SMALL_CONVERT", "USDT"),
        ("TRANSFER", "TRX"),
    }
    (bnb,) = [row for row in rows if row.asset == "BNB"]
    assert (bnb.tran_id, bnb.amount) == (done.transfer_result[0].tran_id, done.net_amount)
    assert len({row.id for row in rows}) == len(rows)
    assert rows == sorted(rows, key=lambda row: row.timestamp, reverse=True)
    dust = [row async for row in client.capital_flow(kind="SMALL_BALANCE_CONVERT")]
    assert {row.asset for row in dust} == {"ADA", "BNB"}


async def test_more_than_seven_days_are_read_in_pieces_and_each_row_once(
    exchange: Sandbox, client: DustClient
) -> None:
    now = datetime.fromtimestamp(int(exchange.now()), UTC)
    days = [now - timedelta(days=7 * n) for n in range(4)]  # where two pieces meet
    exchange.make_history("alice", [day for day in days for _ in range(2)], wallet="MARGIN")

    rows = [row async for row in client.capital_flow(start=days[-1], end=now)]

    assert len({row.id for row in rows}) == len(rows)
    assert {row.timestamp.date() for row in rows} == {day.date() for day in days}
    until = int(now.timestamp() * 1000)
    made = exchange.account("alice").conversions
    assert len(rows) == sum(2 * (row.at_ms <= until) for done in made for row in done.rows)
    assert len(exchange.requests_of(FLOW)) == 3


async def test_the_exchange_refuses_more_than_seven_days(
    exchange: Sandbox, client: DustClient
) -> None:
    now = datetime.now(UTC)

    with pytest.raises(RejectedError, match="-4047"):
        await client.send(CAPITAL_FLOW(start_time=now - timedelta(days=7, seconds=1), end_time=now))


async def test_a_full_page_is_asked_for_again_in_halves(
    exchange: Sandbox, client: DustClient
) -> None:
    now = datetime.fromtimestamp(int(exchange.now()), UTC)
    times = [now - timedelta(minutes=n) for n in range(1, 701)]
    made = exchange.make_history("alice", times, wallet="MARGIN")

    rows = [row async for row in client.capital_flow()]

    assert len(rows) == sum(2 * len(done.rows) for done in made) > 1_000
    assert len({row.id for row in rows}) == len(rows)
    assert rows == sorted(rows, key=lambda row: row.timestamp, reverse=True)


async def test_bad_input_is_refused_before_the_exchange_hears_of_it(
    exchange: Sandbox, client: DustClient
) -> None:
    now = datetime.now(UTC)
    wrong: Any = 1.5
    for call, error in [
        (client.transfer("", Decimal(1)), ConfigurationError),
        (client.transfer("ADA", wrong), TypeError),
        (client.transfer("ADA", Decimal(0)), ConfigurationError),
        (client.repay("ETH", Decimal("NaN")), ConfigurationError),
        (client.convert_quote("ADA", "BNB", amount=Decimal(-1)), ConfigurationError),
        (client.convert_status(), ConfigurationError),
        (client.convert_status(quote_id="1", order_id=1), ConfigurationError),
        (client.convert_accept(""), ConfigurationError),
    ]:
        with pytest.raises(error):
            await call
    for rows, error in [
        (client.capital_flow(start=now, end=now - timedelta(days=1)), ConfigurationError),
        (client.capital_flow(start=wrong), TypeError),
        (client.capital_flow(end=datetime(2026, 1, 1)), ConfigurationError),  # noqa: DTZ001
        (
            client.transfers(kind="FUNDING_MAIN", start=now, end=now.replace(1999)),
            ConfigurationError,
        ),
    ]:
        with pytest.raises(error):
            _ = [row async for row in rows]

    assert exchange.requests == ()
