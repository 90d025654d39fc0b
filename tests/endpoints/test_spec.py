"""Binding parameters: what is wrong is said before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import endpoints
from binance_dust.endpoints._spec import Call, percent_encode
from binance_dust.errors import ConfigurationError

NAMES = st.text(min_size=1)


def sent(call: Call[Any], style: Any = "comma") -> list[tuple[str, str]]:
    """Read a query as a server does."""
    return parse_qsl(call.query(style), keep_blank_values=True, strict_parsing=True)


def test_what_is_none_is_left_out() -> None:
    assert endpoints.USER_ASSETS().query("comma") == ""
    assert sent(endpoints.USER_ASSETS(asset="ADA", need_btc_valuation=True)) == [
        ("asset", "ADA"),
        ("needBtcValuation", "true"),
    ]


@pytest.mark.parametrize(
    ("call", "query"),
    [
        (
            endpoints.CONVERTIBLE_ASSETS(
                target_asset="USDT", account_type="MARGIN", price=Decimal("1E-7")
            ),
            "targetAsset=USDT&accountType=MARGIN&dustQuotaAssetToTargetAssetPrice=0.0000001",
        ),
        (
            endpoints.SET_BNB_BURN(spot=True, interest=False),
            "spotBNBBurn=true&interestBNBBurn=false",
        ),
        (endpoints.EXCHANGE_SMALL_LIABILITIES(assets=["BTC", "ETH"]), "assetNames=BTC%2CETH"),
        (endpoints.SMALL_LIABILITY_HISTORY(current=2, size=100), "current=2&size=100"),
        (endpoints.DUST_LOG(start_time=datetime(1970, 1, 1, tzinfo=UTC)), "startTime=0"),
        (
            endpoints.CONVERTIBLE_ASSETS(target_asset="BNB", price=Decimal("1E+40")),
            f"targetAsset=BNB&dustQuotaAssetToTargetAssetPrice=1{40 * '0'}",
        ),
        (
            endpoints.DUST_LOG(
                start_time=datetime(2023, 1, 4, 3, 2, 19, 253_999, tzinfo=UTC),
                end_time=datetime(2023, 1, 4, 5, 2, 20, tzinfo=timezone(timedelta(hours=2))),
            ),
            "startTime=1672801339253&endTime=1672801340000",
        ),
        (
            endpoints.DUST_CONVERT(assets=("币安人生",), target_asset="BNB", client_id="a&b=c+d %"),
            "asset=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9F&targetAsset=BNB&clientId=a%26b%3Dc%2Bd%20%25",
        ),
    ],
)
def test_parameters_travel_under_the_names_of_the_wire(call: Call[Any], query: str) -> None:
    assert call.query("comma") == query


def test_several_assets_travel_either_way() -> None:
    call = endpoints.DUST_TRANSFER(assets=["ADA", "XRP"])

    assert call.query("comma") == "asset=ADA%2CXRP"
    assert call.query("repeated") == "asset=ADA&asset=XRP"
    assert call.names == ("ADA", "XRP")
    assert call.parameters() == {"asset": "ADA,XRP"}


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("aZ09-._~", "aZ09-._~"),
        ("/ ?&=+%#", "%2F%20%3F%26%3D%2B%25%23"),
        ("!*'();:@,$[]", "%21%2A%27%28%29%3B%3A%40%2C%24%5B%5D"),
        ("币", "%E5%B8%81"),
    ],
)
def test_all_but_the_unreserved_characters_are_escaped(text: str, encoded: str) -> None:
    assert percent_encode(text) == encoded


@given(NAMES)
def test_any_text_arrives_as_it_was(name: str) -> None:
    assert sent(endpoints.USER_ASSETS(asset=name)) == [("asset", name)]
    if "," not in name:
        assert sent(endpoints.DUST_TRANSFER(assets=[name])) == [("asset", name)]
    assert endpoints.USER_ASSETS(asset=name).query("comma").isascii()


@given(st.lists(NAMES, min_size=1, unique=True))
def test_any_names_arrive_one_by_one_when_repeated(names: list[str]) -> None:
    call = endpoints.DUST_TRANSFER(assets=names)

    assert sent(call, "repeated") == [("asset", name) for name in names]


@pytest.mark.parametrize("names", [["A,B", "C"], ["A,B"]])
def test_a_comma_in_a_name_would_be_read_as_two(names: list[str]) -> None:
    call = endpoints.DUST_TRANSFER(assets=names)

    with pytest.raises(ConfigurationError, match="comma"):
        call.query("comma")
    assert sent(call, "repeated") == [("asset", name) for name in names]


def log(**parameters: Any) -> Callable[[], object]:
    return lambda: endpoints.DUST_LOG(**parameters)


def transfer(assets: Any) -> Callable[[], object]:
    return lambda: endpoints.DUST_TRANSFER(assets=assets)


def quote(**parameters: Any) -> Callable[[], object]:
    return lambda: endpoints.CONVERTIBLE_ASSETS(**({"target_asset": "BNB"} | parameters))


@pytest.mark.parametrize(
    ("bind", "error", "says"),
    [
        (transfer([]), ConfigurationError, "name at least one"),
        (transfer(["ADA", ""]), ConfigurationError, "has an empty name in it"),
        (transfer(["ADA", "XRP", "ADA"]), ConfigurationError, "has ADA more than once"),
        (transfer(["A\ud800"]), ConfigurationError, "lone surrogate"),
        (transfer("ADA"), TypeError, r"for one asset: \['ADA'\]"),
        (transfer(b"ADA"), TypeError, "a list of names"),
        (transfer(None), TypeError, "a list of names, not NoneType"),
        (transfer(5), TypeError, "a list of names, not int"),
        (transfer([5]), TypeError, "a list of names, not a list with int in it"),
        (quote(target_asset=""), ConfigurationError, "is empty"),
        (quote(target_asset=None), TypeError, "target_asset must be a str, not NoneType"),
        (quote(price=0.1), TypeError, "a float would lose digits"),
        (quote(price=True), TypeError, "a Decimal"),
        (quote(price=Decimal("NaN")), ConfigurationError, "finite number above zero"),
        (quote(price=Decimal(-1)), ConfigurationError, "finite number above zero"),
        (quote(price=Decimal(0)), ConfigurationError, "finite number above zero"),
        (quote(price=Decimal("1E+41")), ConfigurationError, "more than 40 places"),
        (quote(price=Decimal("1E+999999")), ConfigurationError, "more than 40 places"),
        (quote(price=Decimal("1E-999999")), ConfigurationError, "more than 40 places"),
        (quote(account_type="FUNDING"), ConfigurationError, "SPOT or MARGIN, not 'FUNDING'"),
        (quote(account_type=1), TypeError, "a str"),
        (log(start_time=datetime(2026, 1, 1)), ConfigurationError, "no time zone"),  # noqa: DTZ001
        (log(start_time=datetime(1969, 12, 31, tzinfo=UTC)), ConfigurationError, "before 1970"),
        (log(start_time="2026-01-01"), TypeError, "a datetime, not str"),
        (log(end_time=1672801339253), TypeError, "a datetime, not int"),
        (lambda: endpoints.USER_ASSETS(need_btc_valuation="yes"), TypeError, "a bool"),  # type: ignore[arg-type]
        (
            lambda: endpoints.SMALL_LIABILITY_HISTORY(current=True, size=100),
            TypeError,
            "current must be an int, not bool",
        ),
        (
            lambda: endpoints.SMALL_LIABILITY_HISTORY(current="1", size=100),  # type: ignore[arg-type]
            TypeError,
            "current must be an int, not str",
        ),
        (
            lambda: endpoints.EXCHANGE_SMALL_LIABILITIES(assets=[f"A{i}" for i in range(11)]),
            ConfigurationError,
            "at most 10",
        ),
    ],
)
def test_a_wrong_parameter_is_named_with_what_to_do(
    bind: Callable[[], object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        bind()
    assert "/sapi/" in str(caught.value), "the error names the endpoint"


def test_a_price_may_be_a_whole_number() -> None:
    assert "Price=2" in endpoints.CONVERTIBLE_ASSETS(target_asset="BNB", price=2).query("comma")  # type: ignore[arg-type]


def test_as_many_names_as_the_exchange_takes_go_in_one_call() -> None:
    ten = [f"A{number}" for number in range(10)]

    assert endpoints.EXCHANGE_SMALL_LIABILITIES(assets=ten).names == tuple(ten)


def test_parameters_are_shown_as_they_were_asked() -> None:
    call = endpoints.DUST_CONVERT(assets=["ADA", "XRP"], target_asset="USDT")

    assert call.parameters() == {"asset": "ADA,XRP", "targetAsset": "USDT"}


def test_all_calls_are_signed_but_those_that_ask_nothing_of_an_account() -> None:
    unsigned = {name for name, row in endpoints.ALL.items() if not row.security.signed}

    assert unsigned == {
        "convert_pairs",
        "delist_schedule",
        "margin_delist_schedule",
        "server_time",
        "system_status",
    }


def test_whole_numbers_may_come_as_text() -> None:
    row = replace(endpoints.DUST_LOG)

    assert row.decoder.decode(b'{"total":"4","userAssetDribblets":[]}').total == 4
