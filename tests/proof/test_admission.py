"""The sandbox answers whatever is sent, and does nothing that was not signed."""

from __future__ import annotations

import asyncio

import pytest

from binance_dust.sandbox import Sandbox
from tests.proof.admission import knock, rightly_signed, without_a_door
from tests.proof.fuzz import fuzz
from tests.proof.wire import settled

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
PUBLISHED = (
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
    "&timestamp=1499827319559"
)
SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"


@pytest.mark.parametrize(
    ("query", "body", "right"),
    [
        (f"{PUBLISHED}&signature={SIGNATURE}", "", True),
        (f"{PUBLISHED}&signature={SIGNATURE.upper()}", "", True),
        ("", f"{PUBLISHED}&signature={SIGNATURE}", True),
        (f"signature={SIGNATURE}", PUBLISHED, True),
        (f"{PUBLISHED}0&signature={SIGNATURE}", "", False),
        (f"{PUBLISHED}&signature={SIGNATURE}", "a=b", False),
        (f"signature={SIGNATURE}&{PUBLISHED}", "", False),
        (PUBLISHED, "", False),
    ],
)
def test_the_judge_knows_the_published_signature(query: str, body: str, right: bool) -> None:
    assert rightly_signed(query, body, SECRET) is right


def test_nothing_is_done_that_was_not_signed() -> None:
    assert fuzz([without_a_door()], seed=8, inputs=4_000).inputs == 4_000


async def test_bytes_of_any_kind_on_the_socket() -> None:
    assert await knock(seed=8, count=150) > 0, "some changes leave a request as good as it was"


async def test_whoever_hangs_up_in_the_middle_is_no_mistake_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Sandbox() as exchange:
        host, port = exchange.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /sapi/v1/asset/dust HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nasset"
        )
        await settled(exchange)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    assert not caplog.records, caplog.text
