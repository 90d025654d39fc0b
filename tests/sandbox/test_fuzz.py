"""Malformed requests of every kind get a documented error, and never an error of the sandbox.

These tests cross modules: socket, parameters, admission and replies.
"""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from binance_dust.sandbox import Sandbox
from binance_dust.sandbox._endpoints import SERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sandbox.conftest import ExchangeBench

pytestmark = pytest.mark.usefixtures("nothing_is_logged")

# Examples are the same in every run: a chance find belongs in a test of its own.
FUZZ = settings(
    max_examples=250,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
DOCUMENTED = {
    *(-1003, -1016, -1020, -1021, -1022, -1099, -1100, -1101, -1102, -1130, -1131),
    *(-2014, -2015, -3003, -3008, -3015, -3020, -3026, -3027, -3041, -4047),
    *(-5001, -5002, -5003, -5004, -5005, -5006, -5007, -5013, 345_231),
}
STATUSES = {400, 401, 404, 405, 413, 421, 429}
AFTERWARDS = b"\r\n\r\nGET /api/v3/ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def exchange() -> Iterator[Sandbox]:
    with Sandbox(ip_weight=10**9, uid_weight=10**9, spot_weight=10**9) as exchange:
        exchange.open_account("alice", ADA="6.21", debts={"ETH": "0.001"})
        yield exchange


def talk(exchange: Sandbox, sent: bytes) -> bytes:
    """Send bytes on a new connection, and read until it is closed or silent."""
    host, port = exchange.url.removeprefix("http://").split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=0.4) as line:
        try:
            line.sendall(sent)
            while chunk := line.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionError):
            pass  # the server waits for more, or has closed
    return received


def assert_documented(received: bytes) -> None:
    """Every answer on the connection is a success, or an error with a code."""
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1])
        found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        length = int(found[1]) if found else 0
        body, received = rest[:length], rest[length:]
        assert b"Traceback" not in body
        if status == 100:
            continue
        assert status == 200 or status in STATUSES
        if status != 200 and body:
            error = json.loads(body)
            assert error["code"] in DOCUMENTED
            assert isinstance(error["msg"], str)


@FUZZ
@given(st.binary(min_size=1, max_size=200))
def test_bytes_that_are_no_request(exchange: Sandbox, garbage: bytes) -> None:
    assert_documented(talk(exchange, garbage + AFTERWARDS))


LINES = st.sampled_from(
    [
        b"GET /api/v3/time HTTP/1.1",
        b"POST /sapi/v1/asset/dust HTTP/1.1",
        b"Host: localhost",
        b"X-MBX-APIKEY: \xff",
        b"Content-Length: 3",
        b"Content-Length: -1",
        b"Content-Length: many",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Content-Encoding: gzip",
        b"Content-Type: application/x-www-form-urlencoded",
        b"Expect: 100-continue",
        b"Upgrade: websocket",
        b"Connection: upgrade",
        b"asset=ADA&asset=%FF",
        b"zz",
        b"0",
        b"",
        b": no name",
        b"X" * 9000,
    ]
)


@FUZZ
@given(st.lists(LINES, min_size=1, max_size=8), st.sampled_from([b"\r\n", b"\n"]))
def test_lines_of_http_in_any_order(exchange: Sandbox, lines: list[bytes], end: bytes) -> None:
    assert_documented(talk(exchange, end.join(lines) + AFTERWARDS))


@FUZZ
@given(data=st.data())
def test_a_good_request_with_some_bytes_changed(exchange: Sandbox, data: st.DataObject) -> None:
    good = (
        b"POST /sapi/v1/asset/dust?asset=ADA&recvWindow=5000 HTTP/1.1\r\nHost: localhost\r\n"
        b"X-MBX-APIKEY: " + b"k" * 64 + b"\r\nConnection: close\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 32\r\n\r\n"
        b"timestamp=1&signature=0123456789"
    )
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))

    assert_documented(talk(exchange, bytes(changed)))


NAMES = st.sampled_from(
    [
        "asset",
        "assetNames",
        "targetAsset",
        "accountType",
        "timestamp",
        "recvWindow",
        "signature",
        "current",
        "size",
        "startTime",
        "endTime",
        "spotBNBBurn",
        "needBtcValuation",
        "quoteAsset",
        "%61sset",
        "dustQuotaAssetToTargetAssetPrice",
    ]
)
ODD = [
    "ADA",
    "BNB",
    "ETH",
    "USDT",
    ",",
    "ADA,,XRP",
    "%00",
    "%FF",
    "%2C",
    "[]",
    "true",
    "0",
    "1",
    "-1",
    "1e9",
    "NaN",
    "99999999999999999999",
    "SPOT",
    "MARGIN",
    "%25%",
    "٣",
    "\udc80",
]
VALUES = st.one_of(
    st.sampled_from(["", *ODD]),
    st.text(max_size=12).map(lambda text: text.replace("&", "").replace("#", "")),
)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=6)


@pytest.mark.long
@settings(FUZZ, max_examples=600)
@given(
    endpoint=st.sampled_from(SERVED),
    pairs=PAIRS,
    body=PAIRS,
    stamped=st.booleans(),
    signed=st.booleans(),
)
def test_parameters_of_any_kind(
    new_bench: Callable[..., ExchangeBench],
    *,
    endpoint: Any,
    pairs: list[tuple[str, str]],
    body: list[tuple[str, str]],
    stamped: bool,
    signed: bool,
) -> None:
    """Without a socket, so that the signature can be right when everything else is wrong."""
    bench = new_bench()
    bench.open("alice", ADA="6.21", BNB="0.001", debts={"ETH": "0.001"})
    if stamped:
        pairs = [*pairs, ("timestamp", str(int(bench.time.now * 1000)))]
    query, form = ("&".join(f"{name}={value}" for name, value in part) for part in (pairs, body))

    try:
        reply = bench.send(str(endpoint), query, body=form, signed=signed)
    except UnicodeEncodeError:
        return  # half a character cannot be signed

    if reply.status != 200:
        assert reply.status in STATUSES
        assert reply.code in DOCUMENTED


def test_a_body_that_is_too_long_is_refused(exchange: Sandbox) -> None:
    received = talk(
        exchange,
        b"POST /sapi/v1/asset/dust HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3000000\r\n\r\n"
        + b"a"
        * 3_000_000,
    )

    assert received.startswith(b"HTTP/1.1 413 ")
    assert_documented(received)


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", "?"]
)
def test_a_body_that_is_no_form_is_not_read(exchange: Sandbox, content_type: str) -> None:
    received = talk(
        exchange,
        b"POST /sapi/v1/asset/dust?timestamp=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: %s\r\nContent-Length: 9\r\n\r\nasset=ADA" % content_type.encode(),
    )

    assert b'"code":-2014' in received
    assert exchange.requests[-1].parameters == {}


def test_a_refusal_may_quote_bytes_that_are_no_text(exchange: Sandbox) -> None:
    received = talk(
        exchange,
        b"POST /sapi/v1/asset/dust?timestamp=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"X-MBX-APIKEY: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 6\r\n\r\na\xaa=%%FF" % exchange.account("alice").api_key.encode(),
    )

    assert b'"code":-1100' in received
    assert b"parameter 'a?'" in received
    assert_documented(received)
