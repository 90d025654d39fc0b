"""Hostile bodies: what they cost in memory and time, and what they become."""

from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from binance_dust import OutcomeUnknownError, RateLimitedError, RetryPolicy, Session, endpoints
from binance_dust._answers.judge import Answer, judge
from binance_dust._call.body import MOST, read_body
from binance_dust.credentials import Credentials
from binance_dust.endpoints import Call
from binance_dust.errors import NoAnswerError, UnreadableAnswerError
from tests.call.test_transport import OK, READ, saying, serving, transport

ALLOWED = 100 * 1024 * 1024
"""Bytes that a hostile answer may cost."""


def http(body: bytes, *headers: str, status: int = 200) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def zeros(size: int) -> bytes:
    """Make gzip of so many zeros, a thousandth of their size."""
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    part = bytes(1024 * 1024)
    parts = [stream.compress(part) for _ in range(size // len(part))]
    return b"".join([*parts, stream.flush()])


async def ask(reply: bytes) -> Answer:
    async with serving(saying(reply)) as server:
        line = transport(server.url)
        try:
            return await line.send(READ)
        finally:
            await line.close()


@asynccontextmanager
async def cost() -> AsyncIterator[dict[str, float]]:
    """Measure the memory that was taken at most, and for how long the loop did nothing else."""
    found = {"longest": 0.0, "memory": 0.0}
    over = asyncio.Event()

    async def watch() -> None:
        before = time.thread_time()
        while not over.is_set():
            await asyncio.sleep(0)
            # Of this thread alone: others on the machine are not to blame.
            now = time.thread_time()
            found["longest"], before = max(found["longest"], now - before), now

    watching = asyncio.create_task(watch())
    tracemalloc.start()
    try:
        yield found
    finally:
        _, found["memory"] = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        over.set()
        await watching


async def test_a_compressed_answer_is_decompressed() -> None:
    answer = await ask(http(gzip.compress(b'{"a":1}'), "Content-Encoding: gzip"))

    assert answer.body == b'{"a":1}'


@pytest.mark.parametrize("encoding", ["identity", "", "IDENTITY"])
async def test_an_answer_that_says_it_is_not_compressed_is_taken_as_it_is(encoding: str) -> None:
    assert (await ask(http(b"{}", f"Content-Encoding: {encoding}"))).body == b"{}"


async def test_only_gzip_is_asked_for_and_nothing_else_is_taken() -> None:
    async with serving(saying(http(b"{}", "Content-Encoding: br"))) as server:
        line = transport(server.url)
        with pytest.raises(UnreadableAnswerError, match="was not asked for"):
            await line.send(READ)
        await line.close()

        assert "accept-encoding: gzip\r\n" in server.heads[0].lower()


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"{}")[:-1],
        gzip.compress(b"{}") + b"more",
        gzip.compress(b"{}") * 2,
        b"\x1f\x8bno",
        zlib.compress(b"{}"),
    ],
    ids=["cut", "more", "twice", "odd", "zlib's own format"],
)
async def test_what_is_compressed_and_broken_has_broken_off(body: bytes) -> None:
    with pytest.raises(NoAnswerError, match="broke off"):
        await ask(http(body, "Content-Encoding: gzip"))


class Response:
    """A response whose body comes in these parts."""

    def __init__(self, status: int, body: bytes, parts: int) -> None:
        self.status = status
        self.headers: dict[str, str] = {}
        self.content = self
        size = -(-len(body) // parts)
        self._parts = [body[n : n + size] for n in range(0, len(body), size)]

    async def readany(self) -> bytes:
        return self._parts.pop(0) if self._parts else b""

    def at_eof(self) -> bool:
        return not self._parts


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize(("status", "most"), [(400, 65_536), (399, MOST)])
async def test_a_body_is_read_up_to_its_limit(status: int, most: int, parts: int) -> None:
    whole = b"x" * most

    async def read(body: bytes) -> Any:
        response: Any = Response(status, body, parts)
        return await read_body(response)

    assert await read(whole) == whole
    cut = whole if status == 400 else f"the body is longer than {MOST:,} bytes"
    assert await read(whole + b"y") == cut


async def test_the_longest_real_answer_is_well_within_the_limit() -> None:
    row = (
        '{"asset":"ABCDEFGH","free":"12345678.12345678","locked":"12345678.12345678",'
        '"freeze":"12345678.12345678","withdrawing":"12345678.12345678",'
        '"ipoable":"12345678.12345678","btcValuation":"0.12345678"}'
    )
    body = f"[{','.join([row] * 10_000)}]".encode()
    assert len(body) < MOST * 0.6

    judgement = judge(endpoints.USER_ASSETS(), await ask(http(body)))

    assert len(judgement.unwrap()) == 10_000


async def test_256_mb_in_a_quarter_of_a_megabyte_cost_little_and_is_unreadable() -> None:
    reply = http(zeros(256 * 1024 * 1024), "Content-Encoding: gzip")

    async with cost() as found:
        with pytest.raises(UnreadableAnswerError, match=f"longer than {MOST:,} bytes") as caught:
            await ask(reply)

    assert caught.value.status == 200
    assert found["memory"] < ALLOWED
    assert found["longest"] < 0.1


@pytest.mark.parametrize("chunk", [b"[" * 65536, b" " * 65536])
async def test_chunks_without_end_are_given_up(chunk: bytes) -> None:
    async def endless(server: Any, reader: Any, writer: Any) -> None:
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            await writer.drain()

    async with serving(endless) as server, cost() as found:
        line = transport(server.url)
        with pytest.raises(UnreadableAnswerError, match="longer"):
            await line.send(READ)
        await line.close()

    assert found["memory"] < ALLOWED


async def test_compressed_parts_that_hold_nothing_come_to_an_end() -> None:
    async def endless(server: Any, reader: Any, writer: Any) -> None:
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
        writer.write(gzip.compress(b"")[:10])
        while True:
            writer.write(b"\x00\x00\x00\xff\xff" * 20_000)
            await writer.drain()

    async with serving(endless) as server:
        line = transport(server.url)
        with pytest.raises(UnreadableAnswerError, match="longer"):
            await line.send(READ)
        await line.close()


@pytest.mark.parametrize("status", [400, 429, 503])
async def test_a_refusal_is_heard_however_long_it_is(status: int) -> None:
    body = b'{"code":-1003,"msg":"' + b"x" * (MOST * 2) + b'"}'

    answer = await ask(http(body, status=status))

    assert len(answer.body) < MOST / 10
    error = judge(endpoints.USER_ASSETS(), answer).error
    assert isinstance(error, RateLimitedError)
    assert error.code == -1003


async def test_an_empty_body_may_say_that_it_is_compressed() -> None:
    assert (await ask(http(b"", "Content-Encoding: gzip"))).body == b""


async def test_what_comes_after_the_end_of_what_is_compressed_has_broken_off() -> None:
    async def late(server: Any, reader: Any, writer: Any) -> None:
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"{}"))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"more")

    async with serving(late) as server:
        line = transport(server.url)
        with pytest.raises(NoAnswerError, match="broke off"):
            await line.send(READ)
        await line.close()


async def test_a_connection_whose_answer_was_given_up_is_not_used_again() -> None:
    async def longer_each_time(server: Any, reader: Any, writer: Any) -> None:
        await server.head(reader)
        if len(server.peers) == 1:
            writer.write(http(b" " * MOST * 3)[: MOST * 2])
            await writer.drain()
            # What comes now belongs to the answer that was given up.
            await server.head(reader)
        writer.write(OK)

    async with serving(longer_each_time) as server:
        line = transport(server.url)
        with pytest.raises(UnreadableAnswerError):
            await line.send(READ)
        assert (await line.send(READ)).body == b"{}"
        await line.close()

        assert len(server.peers) == 2


async def test_funds_that_moved_behind_such_an_answer_have_an_unknown_outcome() -> None:
    reply = http(zeros(64 * 1024 * 1024), "Content-Encoding: gzip")
    async with (
        serving(saying(reply)) as server,
        Session(base_url=server.url, retry=RetryPolicy(attempts=1)) as session,
    ):
        client = session.client(Credentials("key", "secret", name="alice"))
        with pytest.raises(OutcomeUnknownError, match="longer than"):
            await client.dust_transfer(["ADA"])

        assert sum("/asset/dust" in head for head in server.heads) == 1


# --- what is read from a body ---------------------------------------------------------------------


def full(unit: bytes, size: int, head: bytes = b"[", tail: bytes = b"]") -> bytes:
    return head + (unit * (size // len(unit)))[:-1] + tail


ASSETS = endpoints.USER_ASSETS()
LOG = endpoints.DUST_LOG()
DETAIL = b'{"fromAsset":"A","amount":"1","transferedAmount":"1","serviceChargeAmount":"1"},'


def hostile() -> Iterator[tuple[str, Call[Any], bytes]]:
    """Give bodies of which much is made when they are read."""
    for size in (60_000, 1024 * 1024, MOST - 100):
        name = f"{size / 1e6:.1f} MB of "
        yield f"{name}rows", ASSETS, full(b'{"asset":"AB","free":"12"},', size)
        yield f"{name}names", ASSETS, full('{"asset":"币","free":"1"},'.encode(), size)
        yield f"{name}escapes", ASSETS, full(rb'{"asset":"\u001b","free":"1"},', size)
        yield (
            f"{name}rows, the last bad",
            ASSETS,
            full(b'{"asset":"A","free":1},', size, tail=b",5]"),
        )
        yield f"{name}objects", ASSETS, full(b"{},", size)
        yield f"{name}lists", ASSETS, full(b"[],", size)
        yield f"{name}numbers", ASSETS, full(b"1,", size)
        yield f"{name}depth", ASSETS, b"[" * size
        yield f"{name}space", ASSETS, b" " * size
        yield f"{name}words", ASSETS, b"<" + b"price " * (size // 6)
        yield f"{name}wrapped", ASSETS, full(b"{},", size, b'{"code":0,"data":[', b"]}")
        yield f"{name}message", ASSETS, b'{"code":-1003,"msg":"%s"}' % (b"x" * size)
        amount = full(b"[],", size, b'[{"asset":"A","free":[', b"]}]")
        yield f"{name}amount", ASSETS, amount
        inside = b'{"userAssetDribblets":['
        yield f"{name}records", LOG, full(b"{},", size, inside, b"]}")
        empty = b'{"userAssetDribbletDetails":[]},'
        yield f"{name}empty records", LOG, full(empty, size, inside, b"]}")
        one = inside + b'{"operateTime":1,"userAssetDribbletDetails":['
        bad = b'{"operateTime":1,"userAssetDribbletDetails":[' + DETAIL * 12 + b"{}]},"
        yield f"{name}bad records", LOG, full(bad, size, inside, b"]}")
        yield f"{name}details", LOG, full(DETAIL, size, one, b"]}]}")


@pytest.mark.parametrize(("call", "body"), [pytest.param(c, b, id=n) for n, c, b in hostile()])
def test_a_hostile_body_costs_little_to_read(call: Call[Any], body: bytes) -> None:
    answer = Answer(200, {}, body)
    taken = []
    for _ in range(3):
        began = time.thread_time()
        judge(call, answer, account="alice")
        taken.append(time.thread_time() - began)
        if taken[-1] < 0.1:
            break
    tracemalloc.start()
    try:
        judge(call, answer, account="alice")
        _, memory = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert min(taken) < 0.1
    assert memory + 2 * len(body) < ALLOWED
