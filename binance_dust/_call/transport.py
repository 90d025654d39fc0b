"""One attempt over aiohttp: a `Request` goes out, an `Answer` or one of our errors comes back.

Nothing of aiohttp leaves this module. Its errors are not chained to ours, because they carry the
URL, and the URL is signed. Our error's text keeps what helps, and its class says how far the
request got.

aiohttp sends an idempotent request again by itself when a reused connection turns out to be dead,
and no budget sees it. Our own session is told not to. Where that is not known, or where funds move,
each request passes a gate that opens once. So only we send a request again: it is paid for, and
signed anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import yarl
from aiohttp import hdrs

from binance_dust._answers.judge import Answer
from binance_dust._call.addresses import WayOut
from binance_dust._call.body import ASKED_FOR, read_body
from binance_dust._call.clock import being_cancelled
from binance_dust._call.way import check_base_url, check_local_addr, check_proxy
from binance_dust._util.checks import instance
from binance_dust._version import __version__
from binance_dust.endpoints import Replay
from binance_dust.errors import (
    ConfigurationError,
    DeliveryError,
    NoAnswerError,
    NotSentError,
    UnreadableAnswerError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust._call.wire import Request
    from binance_dust.endpoints import Endpoint

_HEADERS: Final[dict[str, str]] = {
    hdrs.USER_AGENT: f"binance-dust/{__version__}",
    hdrs.ACCEPT_ENCODING: ASKED_FOR,
}
_KEPT_FREE: Final = 4 * 1024 * 1024
"""Bytes: glibc then keeps twice as many at the end of its memory, instead of giving them back."""
_NO_TYPE: Final = (hdrs.CONTENT_TYPE,)
_CONNECT_SHARE: Final = 0.5
"""Share of the timeout for connecting. It is below the whole: so a timeout shows what was sent."""


class _SentBeforeError(Exception):
    """aiohttp tries to send a request a second time."""


class _BodilessRequest(aiohttp.ClientRequest):
    """A request without a body, and so without a content type, which aiohttp would add."""

    POST_METHODS: set[str] = set()  # noqa: RUF012 - as aiohttp declares it


class _SilentConnections(aiohttp.TCPConnector):
    """Reuses a connection only if nothing arrived on it since the last answer.

    aiohttp keeps what arrives on an idle connection, and reads it as the answer to the next request
    there. A call would get the answer to another one, perhaps a conversion's. So a connection on
    which something arrived unasked is closed. (A session passed as `http` has its own connector.)
    """

    async def _get(self, key: Any, traces: Any) -> Any:
        while (found := await super()._get(key, traces)) is not None:
            if found.protocol is not None and not found.protocol.should_close:
                return found
            found.close()
        return None


class Transport:
    """Sends requests over one aiohttp session: its own, made at the first call, or the caller's."""

    __slots__ = (
        "_base",
        "_closed",
        "_family",
        "_headers",
        "_http",
        "_local_addr",
        "_monotonic",
        "_never_again",
        "_owned",
        "_proxy",
        "_skipped",
        "_theirs",
        "_timeout",
        "_url",
    )

    def __init__(  # noqa: PLR0913 - the ways out of a machine, all by keyword
        self,
        *,
        base_url: str,
        timeout: float,
        monotonic: Callable[[], float],
        http: aiohttp.ClientSession | None = None,
        proxy: str | None = None,
        local_addr: str | None = None,
    ) -> None:
        """Check the address and the way to it, without any I/O."""
        self._base = check_base_url(base_url)
        self._proxy = check_proxy(proxy, self._base)
        first_hop = yarl.URL(self._base) if self._proxy is None else self._proxy
        self._family, self._local_addr = check_local_addr(local_addr, first_hop.host or "")
        if http is not None:
            instance(http, aiohttp.ClientSession, "http")
        if http is not None and local_addr is not None:
            message = (
                "local_addr belongs to the connector of the session passed as http: set it there"
            )
            raise ConfigurationError(message)
        self._url = _url_builder(self._base)
        self._closed = False
        self._http = http
        # Our own session has these headers from the start, and makes requests without a body.
        self._headers: dict[str, str] = {} if http is None else _HEADERS
        self._skipped = None if http is None else _NO_TYPE
        # Middlewares passed with a request replace those of the session.
        self._theirs: tuple[Any, ...] = tuple(getattr(http, "_middlewares", ()))
        self._owned = http is None
        self._never_again = False
        """Whether aiohttp was told to send nothing again."""
        self._monotonic = monotonic
        self._timeout = _client_timeout(timeout)

    @property
    def way_out(self) -> WayOut:
        """Which way requests take to the exchange."""
        local = None if self._local_addr is None else self._local_addr[0]
        proxy = None if self._proxy is None else str(self._proxy)
        return WayOut(self._base, proxy, local, 0 if self._owned else id(self._http))

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return self._base

    async def send(self, request: Request, *, within: float | None = None) -> Answer:
        """Send once and read the whole answer; raises a `DeliveryError` if there is none.

        `within` shortens the timeout to so many seconds.
        """
        http = self._open()
        try:
            outcome = await self._carry(http, request, self._limit(within))
        except asyncio.CancelledError as cancelled:
            if being_cancelled():
                # Without its traceback: a timeout around a call would show these frames.
                raise cancelled.with_traceback(None) from None
            outcome = _cut_off(http, request)
        if isinstance(outcome, DeliveryError):
            raise outcome
        return outcome

    async def _carry(
        self, http: aiohttp.ClientSession, request: Request, limit: aiohttp.ClientTimeout
    ) -> Answer | DeliveryError:
        """Do the I/O; return a failure instead of raising it.

        A traceback can show the variables of its frames, and this frame holds key and URL. So none
        of our errors may pass through here, and no foreign error may be the context of ours.
        """
        headers = dict(self._headers)
        if request.api_key is not None:
            headers["X-MBX-APIKEY"] = request.api_key
        path, _, query = request.path_and_query.partition("?")
        sent = self._monotonic()
        try:
            response = await http.request(
                request.endpoint.method,
                self._url(path, query),
                headers=headers,
                skip_auto_headers=self._skipped,
                timeout=limit,
                allow_redirects=False,
                # The caller's session may be set to raise, but the budget must see a refusal.
                raise_for_status=False,
                auto_decompress=False,
                proxy=self._proxy,
                middlewares=self._gate(request.endpoint),
            )
            try:
                body = await read_body(response)
            finally:
                # An answer that was read to its end has given its connection back already.
                if not response.closed:
                    response.release()
            if isinstance(body, str):
                return UnreadableAnswerError(
                    body,
                    endpoint=request.endpoint.title,
                    account=request.account,
                    status=response.status,
                )
            return Answer(response.status, response.headers, body, sent, self._monotonic())
        except Exception as error:  # noqa: BLE001 - also what the caller's session was given raises
            return translate(error, request)

    def _gate(self, endpoint: Endpoint[..., Any]) -> tuple[Any, ...]:
        """Let a request through once: our own session sends none again, so that reads need none."""
        if self._never_again and endpoint.replay is Replay.SAFE:
            return ()
        return (*self._theirs, _once())

    def _limit(self, within: float | None) -> aiohttp.ClientTimeout:
        usual = self._timeout
        if within is None or usual.total is None or within >= usual.total:
            return usual
        return _client_timeout(within)

    async def close(self) -> None:
        """Close the aiohttp session if it is our own. Nothing is sent after this."""
        self._closed = True
        if self._owned and self._http is not None:
            await self._http.close()

    def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        # Our own session checks its loop, but the caller's may come from another one. aiohttp has
        # no public way to ask that is not deprecated.
        if self._http is not None and getattr(self._http, "_loop", loop) is not loop:
            raise ConfigurationError("http belongs to another event loop: make it in this one")
        theirs = None if self._owned else self._http
        if self._closed or (theirs is not None and theirs.closed):
            raise ConfigurationError("the session is closed: make another one")
        if self._http is None:
            # glibc maps large blocks anew each time, and gives back what is free at the end of its
            # memory, until a larger block was freed: then it keeps as much. asyncio asks for 256
            # KiB at each read: two page faults a call. Answers with 1,000 assets that come together
            # fill 4 MiB: 27 more. Such a block is never written to, so it takes no memory.
            bytes(_KEPT_FREE)
            self._http = aiohttp.ClientSession(
                connector=_SilentConnections(
                    # No connection limit: signed requests would wait behind it and age.
                    limit=0,
                    local_addr=self._local_addr,
                    family=self._family,
                    ttl_dns_cache=300,
                ),
                # Cookies would be shared between the accounts.
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                request_class=_BodilessRequest,
            )
            # What aiohttp's own tests use. Without it, each request passes a gate.
            self._never_again = hasattr(self._http, "_retry_connection")
            self._http._retry_connection = False  # noqa: SLF001 - there is no public way
        return self._http


def _url_builder(base_url: str) -> Callable[[str, str], yarl.URL]:
    """Make URLs of a path and a query, which takes half the time of parsing them whole."""
    base = yarl.URL(base_url)
    scheme, authority, prefix = base.scheme, base.raw_authority, base.raw_path.rstrip("/")

    def build(path: str, query: str) -> yarl.URL:
        # Already encoded: yarl would rewrite %2C, and the signature would no longer fit.
        return yarl.URL.build(
            scheme=scheme,
            authority=authority,
            path=prefix + path,
            query_string=query,
            encoded=True,
        )

    return build


def _client_timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=seconds, connect=seconds * _CONNECT_SHARE, ceil_threshold=float("inf")
    )


def _once() -> Any:
    """Make a gate that lets one request through: a middleware of aiohttp, for one attempt."""
    passed = False

    async def gate(request: aiohttp.ClientRequest, send_on: Any) -> aiohttp.ClientResponse:
        nonlocal passed
        if passed:
            raise _SentBeforeError
        passed = True
        response: aiohttp.ClientResponse = await send_on(request)
        return response

    return gate


def _cut_off(http: aiohttp.ClientSession, request: Request) -> DeliveryError:
    """Give the error for a request that aiohttp cancelled although the call was not cancelled.

    Closing a session cancels DNS lookups and waits for a connection. Raised as a cancellation, it
    would make the call vanish silently from a task group.
    """
    title, account = request.endpoint.title, request.account
    if http.closed:
        return NotSentError("the session was closed", endpoint=title, account=account)
    return NoAnswerError("aiohttp cancelled the request", endpoint=title, account=account)


def _reason(error: Any) -> str:
    """Give the operating system's text, which never holds a URL."""
    cause = getattr(error, "os_error", error)
    return getattr(cause, "strerror", None) or type(cause).__name__


# From special to general: the first match decides. `{reason}` is the operating system's text. The
# last one is what the caller's own session was given: a middleware, a trace, a connector.
FAILURES: Final[tuple[tuple[type[BaseException], type[DeliveryError], str], ...]] = (
    (aiohttp.ConnectionTimeoutError, NotSentError, "no connection within half the timeout"),
    (
        aiohttp.ClientConnectorCertificateError,
        NotSentError,
        "no connection: the certificate is not trusted",
    ),
    (
        aiohttp.ServerFingerprintMismatch,
        NotSentError,
        "no connection: the certificate has another fingerprint",
    ),
    (aiohttp.ClientConnectorError, NotSentError, "no connection: {reason}"),
    (aiohttp.ClientHttpProxyError, NotSentError, "the proxy refused the connection"),
    (aiohttp.InvalidURL, NotSentError, "aiohttp refuses the URL"),
    (aiohttp.NonHttpUrlClientError, NotSentError, "aiohttp refuses the URL"),
    (TimeoutError, NoAnswerError, "no answer within the timeout"),
    (aiohttp.ClientResponseError, NoAnswerError, "the answer was not HTTP"),
    (aiohttp.ClientPayloadError, NoAnswerError, "the answer broke off"),
    (aiohttp.ServerDisconnectedError, NoAnswerError, "the connection was dropped before an answer"),
    (_SentBeforeError, NoAnswerError, "the connection was dropped before an answer"),
    (OSError, NoAnswerError, "the connection broke: {reason}"),
    (aiohttp.ClientError, NoAnswerError, "the connection failed"),
    (ValueError, NoAnswerError, "the answer could not be parsed"),
    (Exception, NoAnswerError, "{kind} while it was sent or read"),
)


def translate(failure: BaseException, request: Request) -> DeliveryError:
    """Translate a failure of aiohttp: our class says how far the request got."""
    ours, text = next((row[1:]) for row in FAILURES if isinstance(failure, row[0]))
    message = text
    if "{" in text:
        message = text.format(reason=_reason(failure), kind=type(failure).__name__)
    return ours(message, endpoint=request.endpoint.title, account=request.account)
