"""One attempt over aiohttp: what is sent, and what every failure becomes."""

from __future__ import annotations

import asyncio
import errno
import inspect
import select
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any
from unittest.mock import Mock

import aiohttp
import aiohttp.client_exceptions
import pytest
import yarl
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from aioresponses import aioresponses

from binance_dust import endpoints
from binance_dust._call import wire
from binance_dust._call.transport import FAILURES, Transport, translate
from binance_dust.errors import (
    ConfigurationError,
    DeliveryError,
    NoAnswerError,
    NotSentError,
)
from tests.systems import needs_address

URL = "https://api.example.com"
SIGNATURE = "5ca1ab1e" * 8


def transport(base_url: str = URL, **options: Any) -> Transport:
    given: dict[str, Any] = {"timeout": 5.0, "monotonic": lambda: 0.0} | options
    return Transport(base_url=base_url, **given)


def request(call: Any = None) -> wire.Request:
    call = call or endpoints.DUST_TRANSFER(assets=["ADA", "币~&=+%"])
    query = wire.payload(call.query("comma"), 5000, 1_700_000_000_000)
    return wire.signed_request(call, query, SIGNATURE, api_key="the-key", account="alice")


READ = request(endpoints.DUST_LOG())


# --- with a mocked aiohttp ---


class _Response(aiohttp.ClientResponse):
    """aioresponses 0.7.9 does not know a parameter that aiohttp 3.14 asks for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        if "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters:
            options.setdefault("stream_writer", Mock())
        super().__init__(*args, **options)


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    monkeypatch.setattr("aioresponses.core.ClientResponse", _Response)
    with aioresponses() as mock:
        yield mock


async def test_a_signed_request_goes_with_its_key_and_no_further(mocked: aioresponses) -> None:
    seen: list[Any] = []
    mocked.get(
        yarl.URL(URL + READ.path_and_query, encoded=True),
        body=b"{}",
        callback=lambda url, **options: seen.append(options),
    )
    line = transport()

    answer = await line.send(READ)
    await line.close()

    (options,) = seen
    assert options["headers"]["X-MBX-APIKEY"] == "the-key"
    assert options["headers"]["User-Agent"].startswith("binance-dust/")
    assert options["allow_redirects"] is False
    assert (answer.status, answer.body) == (200, b"{}")


async def test_an_unsigned_request_shows_no_key(mocked: aioresponses) -> None:
    seen: list[Any] = []
    mocked.get(f"{URL}/api/v3/time", callback=lambda url, **options: seen.append(options))
    line = transport()

    await line.send(wire.unsigned_request(endpoints.SERVER_TIME()))
    await line.close()

    assert "X-MBX-APIKEY" not in seen[0]["headers"]


INFO = RequestInfo(yarl.URL(URL + READ.path_and_query, encoded=True), "GET", Mock(), yarl.URL(URL))
CONNECTION = ConnectionKey("api.example.com", 443, True, True, None, None, None)
REFUSED = OSError(errno.ECONNREFUSED, "Connection refused")
EXAMPLES: list[BaseException] = [
    aiohttp.ClientConnectorError(CONNECTION, REFUSED),
    aiohttp.ClientConnectorDNSError(CONNECTION, OSError(-2, "Name or service not known")),
    aiohttp.ClientProxyConnectionError(CONNECTION, REFUSED),
    aiohttp.ClientSSLError(CONNECTION, OSError(1, "handshake")),
    aiohttp.ClientConnectorSSLError(CONNECTION, ssl.SSLError(1, "handshake")),
    aiohttp.ClientConnectorCertificateError(CONNECTION, ssl.CertificateError("expired")),
    aiohttp.client_exceptions.UnixClientConnectorError("/tmp/x", CONNECTION, REFUSED),  # noqa: S108
    aiohttp.ServerFingerprintMismatch(b"a", b"b", "host", 443),
    aiohttp.ConnectionTimeoutError(f"Connection timeout to host {INFO.url}"),
    aiohttp.SocketTimeoutError(f"Timeout on reading data from {INFO.url}"),
    aiohttp.ServerTimeoutError("t"),
    TimeoutError(),
    aiohttp.ServerDisconnectedError(),
    aiohttp.ServerConnectionError(),
    aiohttp.ClientConnectionError("Connector is closed."),
    aiohttp.ClientConnectionResetError("Cannot write to closing transport"),
    aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer"),
    ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    aiohttp.ClientPayloadError("Response payload is not completed"),
    aiohttp.ClientResponseError(INFO, (), status=400, message="bad"),
    aiohttp.ContentTypeError(INFO, ()),
    aiohttp.WSServerHandshakeError(INFO, ()),
    aiohttp.ClientHttpProxyError(INFO, (), status=407),
    aiohttp.TooManyRedirects(INFO, ()),
    aiohttp.InvalidURL(INFO.url),
    aiohttp.InvalidUrlClientError(INFO.url),
    aiohttp.InvalidUrlRedirectClientError(INFO.url),
    aiohttp.RedirectClientError(str(INFO.url)),
    aiohttp.NonHttpUrlClientError(str(INFO.url)),
    aiohttp.NonHttpUrlRedirectClientError(str(INFO.url)),
    aiohttp.ClientError(str(INFO.url)),
]
NEVER_LEFT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


def test_the_examples_are_all_that_aiohttp_can_raise() -> None:
    def below(kind: type[BaseException]) -> set[type[BaseException]]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    foreseen = {type(example) for example in EXAMPLES}
    # An upload is only ever aborted where there is a body, and ours have none.
    elsewhere = {
        kind for kind in below(aiohttp.ClientError) if kind.__name__ == "UploadAbortedError"
    }
    ours = {kind for kind in below(aiohttp.ClientError) if kind.__module__.startswith("aiohttp")}
    assert ours - elsewhere <= foreseen


@pytest.mark.parametrize("failure", EXAMPLES, ids=lambda failure: type(failure).__name__)
async def test_every_failure_of_aiohttp_becomes_ours_and_takes_no_url_along(
    mocked: aioresponses, failure: Any
) -> None:
    mocked.get(yarl.URL(URL + READ.path_and_query, encoded=True), exception=failure)
    line = transport()

    with pytest.raises(DeliveryError) as caught:
        await line.send(READ)
    await line.close()

    error = caught.value
    assert isinstance(error, NotSentError if isinstance(failure, NEVER_LEFT) else NoAnswerError)
    assert error.__context__ is None
    assert error.__cause__ is None
    assert "?" not in str(error)
    assert SIGNATURE not in f"{error!r} {vars(error)}"
    assert str(error).startswith("GET /sapi/v1/asset/dribblet (alice): ")


def test_the_table_goes_from_the_special_to_the_general() -> None:
    kinds = [foreign for foreign, _, _ in FAILURES]

    shadowed = [
        (late, early)
        for place, late in enumerate(kinds)
        for early in kinds[:place]
        if issubclass(late, early)
    ]
    assert shadowed == []


def test_the_systems_own_words_are_passed_on() -> None:
    error = translate(aiohttp.ClientConnectorError(CONNECTION, REFUSED), READ)

    assert str(error) == "GET /sapi/v1/asset/dribblet (alice): no connection: Connection refused"


# --- over a real socket ---

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class ToldServer:
    """A server that does what it is told with each connection."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.peers: list[str] = []
        self.url = ""

    async def head(self, reader: asyncio.StreamReader) -> str:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        return head


@asynccontextmanager
async def serving(
    act: Callable[[ToldServer, Any, Any], Awaitable[None]],
) -> AsyncIterator[ToldServer]:
    server = ToldServer()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server.peers.append(writer.get_extra_info("peername")[0])
        try:
            await act(server, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def well(server: ToldServer, reader: Any, writer: Any) -> None:
    while True:
        await server.head(reader)
        writer.write(OK)


def saying(reply: bytes) -> Any:
    async def act(server: ToldServer, reader: Any, writer: Any) -> None:
        await server.head(reader)
        writer.write(reply)
        await writer.drain()

    return act


async def silent(server: ToldServer, reader: Any, writer: Any) -> None:
    await server.head(reader)
    await asyncio.Event().wait()


async def test_one_connection_serves_many_requests() -> None:
    async with serving(well) as server:
        line = transport(server.url)
        for _ in range(5):
            await line.send(READ)
        await line.close()

        assert len(server.heads) == 5
        assert len(server.peers) == 1


async def test_no_request_waits_for_a_connection_after_it_was_signed() -> None:
    """aiohttp's usual limit is a hundred: behind it, signed requests would queue and age."""
    everybody_is_here = asyncio.Event()

    async def all_at_once(server: ToldServer, reader: Any, writer: Any) -> None:
        await server.head(reader)
        if len(server.heads) == 120:
            everybody_is_here.set()
        await everybody_is_here.wait()
        writer.write(OK)

    async with serving(all_at_once) as server:
        line = transport(server.url)
        await asyncio.gather(*[line.send(READ) for _ in range(120)])
        await line.close()


async def test_cookies_are_not_kept_for_they_would_be_shared_between_accounts() -> None:
    reply = b"HTTP/1.1 200 OK\r\nSet-Cookie: who=alice; Path=/\r\nContent-Length: 2\r\n\r\n{}"

    async def with_cookies(server: ToldServer, reader: Any, writer: Any) -> None:
        while True:
            await server.head(reader)
            writer.write(reply)

    async with serving(with_cookies) as server:
        line = transport(server.url.replace("127.0.0.1", "localhost"))
        await line.send(READ)
        await line.send(READ)
        await line.close()

        assert len(server.heads) == 2
        assert not any("cookie" in head.lower() for head in server.heads)


async def test_a_post_has_no_body_and_no_content_type() -> None:
    async with serving(well) as server:
        line = transport(server.url)
        await line.send(request())
        await line.close()

        (head,) = server.heads
        assert head.startswith("POST /sapi/v1/asset/dust?asset=ADA%2C%E5%B8%81~%26%3D%2B%25&")
        assert "content-length: 0" in head.lower()
        assert "content-type" not in head.lower()
        assert "cookie" not in head.lower()


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (b"", "the connection was dropped before an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "the answer broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", "the answer broke off"),
        (b"\x16\x03\x01 this is not http\r\n\r\n", "not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nzzzz",
            "the answer broke off",
        ),
    ],
)
async def test_an_answer_that_breaks_may_have_been_carried_out(reply: bytes, says: str) -> None:
    async with serving(saying(reply)) as server:
        line = transport(server.url)
        with pytest.raises(NoAnswerError, match=says):
            await line.send(READ)
        await line.close()


async def test_a_refused_connection_never_left() -> None:
    async with serving(well) as server:
        url = server.url
    line = transport(url)

    with pytest.raises(NotSentError, match="no connection"):
        await line.send(READ)
    await line.close()


async def test_a_timeout_after_sending_is_no_answer() -> None:
    async with serving(silent) as server:
        line = transport(server.url, timeout=0.05)
        with pytest.raises(NoAnswerError, match="no answer within the timeout"):
            await line.send(READ)
        await line.close()


async def test_a_shorter_limit_goes_before_the_usual_timeout() -> None:
    async with serving(silent) as server:
        line = transport(server.url, timeout=1_000)
        with pytest.raises(NoAnswerError, match="no answer within the timeout"):
            await line.send(READ, within=0.05)
        await line.close()


async def test_a_timeout_while_connecting_never_left() -> None:
    # A listener whose queue is full lets nobody in and refuses nobody.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as fillers:
        address = listener.getsockname()
        for _ in range(9):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
            if not select.select([], [filler], [], 0.05)[1]:
                break  # the queue is full: this one was not let in
        line = transport(f"http://127.0.0.1:{address[1]}", timeout=0.3)

        with pytest.raises(NotSentError, match="no connection within"):
            await line.send(READ)
        await line.close()


@pytest.mark.parametrize("told", [True, False])
async def test_aiohttp_sends_nothing_again_by_itself(*, told: bool) -> None:
    """A reused connection that turns out dead: aiohttp would send the GET once more, unpaid.

    Also not a release of aiohttp that can't be told: then a gate lets each request through once.
    """

    async def once_well_then_dead(server: ToldServer, reader: Any, writer: Any) -> None:
        await server.head(reader)
        writer.write(OK)
        await server.head(reader)

    async with serving(once_well_then_dead) as server:
        line = transport(server.url)
        await line.send(READ)
        assert line._never_again, "it was told"
        if not told:
            line._never_again = False
            line._http._retry_connection = True  # type: ignore[union-attr]
        with pytest.raises(NoAnswerError, match="dropped"):
            await line.send(READ)
        await line.close()

        assert len(server.heads) == 2


async def test_a_redirect_is_not_followed() -> None:
    reply = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with serving(saying(reply)) as server:
        line = transport(server.url)
        assert (await line.send(READ)).status == 302
        await line.close()

        assert len(server.heads) == 1


async def test_a_local_address_is_where_requests_come_from() -> None:
    async with serving(well) as server:
        line = transport(server.url, local_addr=needs_address("127.0.0.2"))
        await line.send(READ)
        await line.close()

        assert server.peers == ["127.0.0.2"]


async def test_a_proxy_is_asked_instead() -> None:
    async with serving(well) as proxy:
        line = transport("http://127.0.0.1:9", proxy=proxy.url)
        await line.send(READ)
        await line.close()

        assert proxy.heads[0].startswith("GET http://127.0.0.1:9/sapi/v1/asset/dribblet?")


async def test_a_session_of_the_callers_is_used_and_left_open() -> None:
    async with serving(well) as server, aiohttp.ClientSession() as http:
        line = transport(server.url, http=http)
        await line.send(READ)
        await line.close()

        assert not http.closed
        with pytest.raises(ConfigurationError, match="closed"):
            await line.send(READ)


async def test_a_session_of_the_callers_that_raises_keeps_no_refusal_from_us() -> None:
    refusal = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}"
    async with (
        serving(saying(refusal)) as server,
        aiohttp.ClientSession(raise_for_status=True) as http,
    ):
        answer = await transport(server.url, http=http).send(READ)

    assert (answer.status, answer.headers["retry-after"]) == (429, "7")


async def test_middlewares_of_the_callers_see_each_request_and_send_none_again() -> None:
    seen: list[str] = []

    async def stubborn(request: Any, handler: Any) -> Any:
        seen.append(request.url.path)
        await handler(request)
        return await handler(request)

    async with serving(well) as server, aiohttp.ClientSession(middlewares=(stubborn,)) as http:
        with pytest.raises(NoAnswerError):
            await transport(server.url, http=http).send(READ)

        assert len(server.heads) == len(seen) == 1


def test_a_session_of_the_callers_from_another_event_loop_is_refused() -> None:
    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    with asyncio.Runner() as elsewhere:
        http = elsewhere.run(make())
        with (
            asyncio.Runner() as here,
            pytest.raises(ConfigurationError, match="http belongs to another event loop"),
        ):
            here.run(transport(http=http).send(READ))
        elsewhere.run(http.close())


class Lost(aiohttp.abc.AbstractResolver):
    """Looks names up for ever."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def resolve(self, *_: Any, **__: Any) -> Any:
        self.asked.set()
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


async def test_closing_while_a_name_is_looked_up_cancels_no_call() -> None:
    """aiohttp cancels the lookup; a task group would take the call for cancelled, and be silent."""
    names = Lost()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=names)) as http:
        line = transport("https://api.example", http=http)
        call = asyncio.create_task(line.send(READ))
        await names.asked.wait()

        await http.close()

        with pytest.raises(NotSentError, match="the session was closed"):
            await call


async def test_a_closed_session_of_the_callers_says_so() -> None:
    http = aiohttp.ClientSession()
    await http.close()

    with pytest.raises(ConfigurationError, match="closed"):
        await transport(http=http).send(READ)


def test_another_event_loop_is_refused() -> None:
    line = transport(timeout=0.2, base_url="http://127.0.0.1:9")

    async def use() -> None:
        with pytest.raises(NotSentError):
            await line.send(READ)
        await line.close()
        line._closed = False  # as if left open

    async def use_again() -> None:
        with pytest.raises(ConfigurationError, match="another event loop"):
            await line.send(READ)

    asyncio.run(use())
    asyncio.run(use_again())


# --- configuration ---


@pytest.mark.parametrize(
    "url",
    [
        "https://api.binance.com",
        "https://api.binance.com/",
        "https://example.com:8443/prefix/",
        "http://127.0.0.1:9000",
        "http://127.8.8.8",
        "http://localhost:9000",
        "http://[::1]:9000",
        "https://[fe80::1%25eth0]:9000",
        "https://under_score.example.",
        "https://xn--r8jz45g.example",
    ],
)
def test_https_goes_anywhere_and_http_stays_here(url: str) -> None:
    assert transport(url).base_url == url.rstrip("/")


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"base_url": "http://api.binance.com"}, ConfigurationError, "use https://api.binance.com"),
        ({"base_url": "http://10.0.0.1"}, ConfigurationError, "this machine only"),
        ({"base_url": "http://localhost.evil.example"}, ConfigurationError, "this machine only"),
        ({"base_url": "api.binance.com"}, ConfigurationError, "like https://"),
        ({"base_url": "ftp://x"}, ConfigurationError, "like https://"),
        ({"base_url": ""}, ConfigurationError, "like https://"),
        ({"base_url": "https://"}, ConfigurationError, "base_url"),
        ({"base_url": "https://host:port"}, ConfigurationError, "not a URL"),
        ({"base_url": "https://u:p@host"}, ConfigurationError, "no user"),
        ({"base_url": "https://two words.example"}, ConfigurationError, "not a URL"),
        ({"base_url": "https://two..dots.example"}, ConfigurationError, "not a URL"),
        ({"base_url": f"https://{'a' * 64}.example"}, ConfigurationError, "not a URL"),
        ({"base_url": "https://xn--.example"}, ConfigurationError, "not a URL"),
        ({"proxy": "http://u:canary@xn--.example:1"}, ConfigurationError, "proxy is not a URL"),
        ({"base_url": "https://host?x=1"}, ConfigurationError, "query"),
        ({"base_url": None}, TypeError, "base_url must be a str"),
        ({"proxy": "socks5://host:1"}, ConfigurationError, "SOCKS"),
        ({"proxy": "http://user:canary@h:port"}, ConfigurationError, "proxy is not a URL"),
        ({"proxy": 8080}, TypeError, "proxy must be a str"),
        (
            {"base_url": "http://127.0.0.1", "proxy": "http://proxy.example:1"},
            ConfigurationError,
            "show the key to the proxy",
        ),
        ({"local_addr": "my-host"}, ConfigurationError, "address of this machine"),
        ({"local_addr": 1}, TypeError, "local_addr must be a str"),
        (
            {"base_url": "http://127.0.0.1", "local_addr": "::1"},
            ConfigurationError,
            r"local_addr ::1 can't reach 127\.0\.0\.1: one is IPv6",
        ),
        (
            {"proxy": "http://[::1]:1", "local_addr": "127.0.0.1"},
            ConfigurationError,
            "can't reach ::1: one is IPv4",
        ),
        ({"http": object()}, TypeError, "http must be"),
    ],
)
def test_what_can_not_work_is_refused_before_any_io(
    options: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        transport(**options)
    assert "canary" not in str(caught.value)


async def test_a_local_address_belongs_to_the_callers_own_connector() -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(ConfigurationError, match="connector"):
            transport(http=http, local_addr="127.0.0.1")
