"""The wire without a wire: requests from calls."""

from __future__ import annotations

from typing import Any

import pytest

from binance_dust import endpoints
from binance_dust._call import wire

SIGNATURE = "5ca1ab1e" * 8
KEY = "canary-api-key-0123456789"
ASSETS = endpoints.USER_ASSETS()


def request(call: Any) -> wire.Request:
    query = wire.payload(call.query("comma"), 5000, 1_700_000_000_000)
    return wire.signed_request(call, query, SIGNATURE, api_key=KEY, account="alice")


def test_the_query_ends_with_the_signature_of_all_that_stands_before_it() -> None:
    sent = request(endpoints.DUST_TRANSFER(assets=["ADA", "XRP"]))

    assert sent.path_and_query == (
        "/sapi/v1/asset/dust?asset=ADA%2CXRP&recvWindow=5000&timestamp=1700000000000"
        f"&signature={SIGNATURE}"
    )
    assert sent.api_key == KEY


@pytest.mark.parametrize(
    ("recv_window", "text"),
    [(5000, "5000"), (5000.0, "5000"), (6000.346, "6000.346"), (60_000, "60000"), (0.5, "0.5")],
)
def test_the_window_is_written_in_milliseconds_with_three_decimals(
    recv_window: float, text: str
) -> None:
    assert wire.payload("", recv_window, 1) == f"recvWindow={text}&timestamp=1"
    assert wire.payload("a=b", recv_window, 1) == f"a=b&recvWindow={text}&timestamp=1"


def test_an_unsigned_request_carries_nothing() -> None:
    sent = wire.unsigned_request(endpoints.SERVER_TIME())

    assert sent.path_and_query == "/api/v3/time"
    assert sent.api_key is None


def test_an_unsigned_request_with_a_query_carries_that_and_no_more() -> None:
    sent = wire.unsigned_request(endpoints.SERVER_TIME(), "symbol=BNBBTC")

    assert sent.path_and_query == "/api/v3/time?symbol=BNBBTC"


def test_a_repr_shows_whom_and_what_but_no_query() -> None:
    sent = request(endpoints.DUST_TRANSFER(assets=["ADA"]))

    assert repr(sent) == "<Request POST /sapi/v1/asset/dust (alice)>"


def test_a_signature_in_base64_is_scrubbed_escaped_or_not() -> None:
    sent = wire.signed_request(
        ASSETS, "timestamp=1", "qL%2Bx%2F9z%3D%3D", api_key=KEY, account="alice"
    )

    assert (
        sent.scrub("it was qL%2Bx%2F9z%3D%3D here, qL+x/9z== there") == "it was *** here, *** there"
    )
