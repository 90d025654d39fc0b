"""Clients that know nothing of the sandbox work against it, unmodified.

They were written by others against the real exchange, so each is a second opinion about ours: its
models must read our answers, and its signatures must pass our check.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from binance_dust.sandbox import Debt, Holding, Permissions, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from binance_common.configuration import ConfigurationRestAPI

    from binance_dust.credentials import Credentials

KINDS = ["hmac", "ed25519", "rsa"]


def peers() -> Any:
    return import_module("tests.sandbox.peers")


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7) as exchange:
        yield exchange


def open_account(exchange: Sandbox, key: Any = "hmac") -> Credentials:
    return exchange.open_account(
        "alice",
        key=key,
        margin={"USDT": "100"},
        debts={"ETH": Debt("0.001", interest="0.00083334"), "SOL": "3"},
        funding={"TRX": "5"},
        ADA=Holding("6.21", locked="1"),
        AR="0.00856",
        BNB="0.00082768",
        BZRX="3",
        USDT="50300000001.44911105",
    )


# The official SDK: wallet and margin, blocking, so they run in threads of their own.


def official(exchange: Sandbox, credentials: Credentials) -> ConfigurationRestAPI:
    secret = credentials.secret.reveal()
    keys: dict[str, Any] = {"api_secret": secret}
    if "PRIVATE KEY" in secret:
        keys = {"private_key": secret}
    return peers().ConfigurationRestAPI(
        api_key=credentials.api_key, base_path=exchange.url, timeout=10_000, **keys
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_the_official_wallet_sdk_reads_and_converts(exchange: Sandbox, kind: str) -> None:
    configuration = official(exchange, open_account(exchange, kind))

    await asyncio.to_thread(use_the_official_wallet, configuration)

    to_bnb, to_usdt = exchange.conversions
    assert ([row.asset for row in to_bnb.rows], to_bnb.target) == (["ADA", "AR"], "BNB")
    assert ([row.asset for row in to_usdt.rows], to_usdt.target) == (["BNB"], "USDT")
    assert to_usdt.client_id == "one"


def use_the_official_wallet(configuration: ConfigurationRestAPI) -> None:
    # All fields of its answers are optional.
    wallet: Any = peers().Wallet(config_rest_api=configuration).rest_api
    try:
        assets = wallet.user_asset(need_btc_valuation=False).data()
        free = {asset.asset: asset.free for asset in assets}
        assert free["USDT"] == "50300000001.44911105"
        assert free["ADA"] == "6.21"

        spot = peers().GetAssetsThatCanBeConvertedIntoBnbAccountTypeEnum["SPOT"]
        dust = wallet.get_assets_that_can_be_converted_into_bnb(account_type=spot).data()
        assert [line.asset for line in dust.details] == ["ADA", "AR"]
        assert dust.dribblet_percentage == "0.02"

        quote = wallet.dust_convertible_assets("USDT").data()
        rows = {line.asset: line for line in quote.details}
        # To the digit, as the exchange's own sample has it.
        assert rows["AR"].to_target_asset_off_exchange == "0.03607184"
        assert rows["BNB"].to_target_asset_off_exchange == "0.73812502"
        assert rows["BNB"].exchange == "0.01506378"

        account = peers().DustTransferAccountTypeEnum["SPOT"]
        done = wallet.dust_transfer(asset="ADA,AR", account_type=account).data()
        assert [row.from_asset for row in done.transfer_result] == ["ADA", "AR"]

        log = wallet.dustlog().data()
        (group,) = log.user_asset_dribblets
        assert log.total == 1
        assert group.trans_id == done.transfer_result[0].tran_id
        assert group.total_transfered_amount == done.total_transfered

        permissions = wallet.get_api_key_permission().data()
        assert permissions.enable_reading is True
        assert permissions.enable_withdrawals is False
        assert wallet.account_info().data().is_margin_enabled is True
        assert wallet.account_status().data().data == "Normal"
        assert wallet.account_api_trading_status().data().data.is_locked is False
        assert wallet.system_status().data().msg == "normal"
        assert wallet.funding_wallet().data()[0].asset == "TRX"
        assert wallet.query_user_wallet_balance().data()[0].wallet_name == "Spot"

        with pytest.raises(peers().BadRequestError, match="Only transfer once"):
            wallet.dust_transfer(asset="ADA", account_type=account)
        converted = wallet.dust_convert(asset="BNB", target_asset="USDT", client_id="one").data()
        assert converted.transfer_result[0].from_asset == "BNB"
    finally:
        wallet._session.close()


async def test_the_official_margin_sdk_reads_liabilities_and_is_refused_beyond_the_limit(
    exchange: Sandbox,
) -> None:
    configuration = official(exchange, open_account(exchange))

    await asyncio.to_thread(use_the_official_margin, configuration)

    path = "/sapi/v1/margin/exchange-small-liability"
    assert len(exchange.requests_of(f"GET {path}")) == 121
    assert exchange.refusals == 1


def use_the_official_margin(configuration: ConfigurationRestAPI) -> None:
    margin: Any = peers().MarginTrading(config_rest_api=configuration).rest_api
    try:
        (debt,) = margin.get_small_liability_exchange_coin_list().data()
        assert (debt.asset, debt.principal, debt.interest) == ("ETH", "0.001", "0.00083334")
        assert debt.liability_qty == pytest.approx(6.233356)

        account = margin.query_cross_margin_account_details().data()
        borrowed = {asset.asset: asset.borrowed for asset in account.user_assets}
        assert borrowed == {"ETH": "0.001", "SOL": "3", "USDT": "0"}
        history = margin.get_small_liability_exchange_history(current=1, size=10).data()
        assert history.total == 0
        # It parses every success as JSON, also this one.
        assert margin.small_liability_exchange(asset_names="ETH").status == 200
        history = margin.get_small_liability_exchange_history(current=1, size=10).data()
        assert [row.asset for row in history.rows] == ["ETH"]
        assert margin.get_bnb_burn_status().data().spot_bnb_burn is True

        for _ in range(119):
            margin.get_small_liability_exchange_coin_list()
        with pytest.raises(peers().TooManyRequestsError):
            margin.get_small_liability_exchange_coin_list()
    finally:
        margin._session.close()


# What lies beside dust, each answer field by field: a field that their model does not know is one
# that we invented, and one that it leaves empty is one that we forgot.


@pytest.fixture
def beside_dust(exchange: Sandbox) -> Credentials:
    exchange.delist("ADA", datetime.fromtimestamp(exchange.now() + 86_400, UTC))
    return exchange.open_account(
        "alice",
        permissions=Permissions(universal_transfer=True),
        funding={"TRX": "5"},
        margin={"USDT": "100", "ETH": "0.002", "ADA": "6.21"},
        debts={"ETH": "0.001"},
        ADA="6.21",
    )


def assert_known(model: Any) -> None:
    """Each field of ours is theirs, and each of theirs was filled, in all of an answer."""
    if isinstance(model, list):
        assert model
        for part in model:
            assert_known(part)
    elif isinstance(model, peers().BaseModel):
        inside = vars(model).get("actual_instance")
        if inside is not None:
            assert_known(inside)
            return
        assert not getattr(model, "additional_properties", {}), type(model)
        for name in type(model).model_fields:
            if name != "additional_properties":
                value = getattr(model, name)
                assert value is not None, f"{type(model).__name__}.{name}"
                assert_known(value) if value != [] else None


async def test_the_official_wallet_sdk_knows_what_lies_beside_dust(
    exchange: Sandbox, beside_dust: Credentials
) -> None:
    def use() -> tuple[Any, ...]:
        wallet: Any = peers().Wallet(config_rest_api=official(exchange, beside_dust)).rest_api
        with closing(wallet._session):
            kind = peers().UserUniversalTransferTypeEnum["FUNDING_MAIN"]
            moved = wallet.user_universal_transfer(type=kind, asset="TRX", amount=2).data()
            answers = (
                wallet.query_user_universal_transfer_history(type="FUNDING_MAIN").data(),
                wallet.funding_wallet(need_btc_valuation=True).data(),
                wallet.query_user_wallet_balance(need_balance_detail=True).data(),
                wallet.get_symbols_delist_schedule_for_spot().data(),
            )
        return moved, *answers

    moved, history, funding, balances, schedule = await asyncio.to_thread(use)

    for answer in (moved, history, funding, balances, schedule):
        assert_known(answer)
    assert history.rows[0].tran_id == moved.tran_id
    assert exchange.account("alice").free("TRX", "FUNDING") == 3
    assert schedule[0].symbols[0] == "ADAUSDT"


async def test_the_official_margin_sdk_knows_what_lies_beside_dust(
    exchange: Sandbox, beside_dust: Credentials
) -> None:
    def use() -> tuple[Any, ...]:
        margin: Any = (
            peers().MarginTrading(config_rest_api=official(exchange, beside_dust)).rest_api
        )
        with closing(margin._session):
            paid = margin.margin_account_borrow_repay(
                asset="ETH",
                is_isolated=peers().MarginAccountBorrowRepayIsIsolatedEnum["FALSE"],
                amount="0.0005",
                type=peers().MarginAccountBorrowRepayTypeEnum["REPAY"],
            ).data()
            margin.small_liability_exchange(asset_names="ETH")
            flow = margin.query_cross_isolated_margin_capital_flow().data()
            schedule = margin.get_delist_schedule().data()
        return paid, flow, schedule

    paid, flow, schedule = await asyncio.to_thread(use)

    for answer in (paid, flow, schedule):
        assert_known(answer)
    assert [row.type for row in flow] == ["SMALL_CONVERT", "SMALL_CONVERT", "REPAY"]
    assert flow[-1].tran_id == paid.tran_id
    assert schedule[0].cross_margin_assets == ["ADA"]


async def test_the_official_convert_sdk_knows_sales_by_quote(
    exchange: Sandbox, beside_dust: Credentials
) -> None:
    def use() -> tuple[Any, ...]:
        convert: Any = peers().Convert(config_rest_api=official(exchange, beside_dust)).rest_api
        with closing(convert._session):
            pairs = convert.list_all_convert_pairs(from_asset="ADA", to_asset="USDT").data()
            quote = convert.send_quote_request(
                from_asset="ADA", to_asset="USDT", from_amount=6.21
            ).data()
            accepted = convert.accept_quote(quote_id=quote.quote_id).data()
            by_order = convert.order_status(order_id=accepted.order_id).data()
            by_quote = convert.order_status(quote_id=quote.quote_id).data()
        return pairs, quote, accepted, by_order, by_quote

    answers = await asyncio.to_thread(use)

    for answer in answers:
        assert_known(answer)
    pairs, quote, accepted, by_order, by_quote = answers
    assert [pair.from_asset for pair in pairs] == ["ADA"]
    assert by_order == by_quote
    assert (accepted.order_status, by_quote.order_status) == ("PROCESS", "SUCCESS")
    assert exchange.account("alice").free("USDT") == Decimal(quote.to_amount)


@pytest.mark.long
async def test_the_official_spot_sdk_knows_the_account(
    exchange: Sandbox, beside_dust: Credentials
) -> None:
    spot_sdk = import_module("binance_sdk_spot.spot")  # only here: it takes most of a second

    def use() -> tuple[Any, Any]:
        spot: Any = spot_sdk.Spot(config_rest_api=official(exchange, beside_dust)).rest_api
        with closing(spot._session):
            return spot.get_account(omit_zero_balances=True).data(), spot.time().data()

    account, time = await asyncio.to_thread(use)

    assert_known(account)
    assert_known(time)
    assert [row.asset for row in account.balances] == ["ADA"]
    assert account.uid


# python-binance, of both kinds.


@pytest.mark.parametrize("kind", KINDS)
async def test_python_binance_reads_and_converts(exchange: Sandbox, kind: str) -> None:
    credentials = open_account(exchange, kind)
    secret = credentials.secret.reveal()
    keys: dict[str, Any] = {"api_secret": secret} if kind == "hmac" else {"private_key": secret}

    class Local(peers().AsyncClient):  # type: ignore[misc]  # the library is untyped
        API_URL = f"{exchange.url}/api"
        MARGIN_API_URL = f"{exchange.url}/sapi"

    client = await Local.create(credentials.api_key, **keys)
    try:
        assets = await client.get_user_asset(needBtcValuation=True)
        assert all(Decimal(row["btcValuation"]) > 0 for row in assets if row["asset"] == "USDT")
        assert {row["asset"] for row in assets} == {"ADA", "AR", "BNB", "BZRX", "USDT"}
        dust = await client.get_dust_assets()
        assert [line["asset"] for line in dust["details"]] == ["ADA", "AR"]
        done = await client.transfer_dust(asset="ADA")
        log = await client.get_dust_log()
        permissions = await client.get_account_api_permissions()
        debts = await client.get_small_liability_exchange_assets()
        exchanged = await client.exchange_small_liability_assets(assetNames="ETH")
        history = await client.get_small_liability_exchange_history(current=1, size=10)
        balance = await client.get_asset_balance(asset="AR")
        with pytest.raises(peers().BinanceAPIException, match="Only transfer once"):
            await client.transfer_dust(asset="AR")
    finally:
        await client.close_connection()

    assert done["transferResult"][0]["fromAsset"] == "ADA"
    assert log["userAssetDribblets"][0]["transId"] == done["transferResult"][0]["tranId"]
    assert permissions["enableSpotAndMarginTrading"] is True
    assert [debt["asset"] for debt in debts] == ["ETH"]
    assert exchanged == {}
    assert [row["targetAmount"] for row in history["rows"]] == ["6.233356"]
    assert Decimal(balance["free"]) == Decimal("0.00856")


async def test_python_binance_in_its_blocking_form(exchange: Sandbox) -> None:
    credentials = open_account(exchange)

    class Local(peers().Client):  # type: ignore[misc]  # the library is untyped
        API_URL = f"{exchange.url}/api"
        MARGIN_API_URL = f"{exchange.url}/sapi"

    def use() -> Any:
        # The library looks for a loop, and would leave one of its own unclosed.
        with closing(asyncio.new_event_loop()) as loop:
            asyncio.set_event_loop(loop)
            return convert_and_look()

    def convert_and_look() -> Any:
        client = Local(credentials.api_key, credentials.secret.reveal())
        try:
            return client.transfer_dust(asset="ADA"), client.get_dust_log()
        finally:
            client.close_connection()

    done, log = await asyncio.to_thread(use)

    assert log["total"] == 1
    assert done["totalTransfered"] == log["userAssetDribblets"][0]["totalTransferedAmount"]


# ccxt, by its documented way of changing URLs and options.


# ccxt asks aiohttp for what newer Pythons have mended themselves, and is told so.
@pytest.mark.filterwarnings("ignore:enable_cleanup_closed:DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
async def test_ccxt_reads_and_converts(exchange: Sandbox, kind: str) -> None:
    credentials = open_account(exchange, kind)
    url = exchange.url
    async with peers().ccxt.binance(
        {
            "apiKey": credentials.api_key,
            "secret": credentials.secret.reveal(),
            "enableRateLimit": False,
            "urls": {
                "api": {
                    "public": f"{url}/api/v3",
                    "private": f"{url}/api/v3",
                    "sapi": f"{url}/sapi/v1",
                    "sapiV3": f"{url}/sapi/v3",
                }
            },
            "options": {"fetchMarkets": {"types": ["spot"]}, "adjustForTimeDifference": True},
        }
    ) as client:
        markets = await client.load_markets()
        balance = await client.fetch_balance()
        margin = await client.fetch_balance({"type": "margin"})
        funding = await client.fetch_balance({"type": "funding"})
        assets = await client.sapiv3_post_asset_getuserasset({"needBtcValuation": True})
        dust = await client.sapi_post_asset_dust_btc()
        done = await client.sapi_post_asset_dust({"asset": ["ADA", "AR"]})
        trades = await client.fetch_my_dust_trades()
        lately = await client.fetch_my_dust_trades(since=client.milliseconds() - 60_000)
        debts = await client.sapi_get_margin_exchange_small_liability()
        permissions = await client.sapi_get_account_apirestrictions()
        status = await client.fetch_status()
        with pytest.raises(peers().ccxt.ExchangeError, match="-5006"):
            await client.sapi_post_asset_dust({"asset": "AR"})

    assert "ADA/BNB" in markets
    assert Decimal(str(balance["ADA"]["used"])) == 1
    assert Decimal(str(margin["ETH"]["debt"])) == Decimal("0.00183334")
    assert Decimal(str(funding["TRX"]["free"])) == 5
    assert {row["asset"] for row in assets} >= {"ADA", "USDT"}
    assert [line["asset"] for line in dust["details"]] == ["ADA", "AR"]
    assert [row["fromAsset"] for row in done["transferResult"]] == ["ADA", "AR"]
    assert {trade["symbol"] for trade in trades} == {"ADA/BNB", "AR/BNB"}
    assert [trade["id"] for trade in lately] == [trade["id"] for trade in trades]
    assert [debt["asset"] for debt in debts] == ["ETH"]
    assert permissions["enableReading"] is True
    assert status["status"] == "ok"
    (conversion,) = exchange.conversions
    assert conversion.net == exchange.account("alice").free("BNB") - Decimal("0.00082768")
