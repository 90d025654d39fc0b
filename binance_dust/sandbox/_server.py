"""How an exchange is served: an HTTP server on loopback, and a thread for code that blocks.

Nothing is decided here. Bytes come in as they were sent, pass through the exchange, and go out
whole, cut, or not at all.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from binance_dust.sandbox import _refusals
from binance_dust.sandbox._control import PATH, FaultControl
from binance_dust.sandbox._exchange import refusal_reply
from binance_dust.sandbox._requests import HttpRequest, is_loopback

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from binance_dust.sandbox._exchange import Exchange, Handling
    from binance_dust.sandbox._faults import Stage
    from binance_dust.sandbox._requests import HttpReply

_FORM: Final = "application/x-www-form-urlencoded"
_CLOSING_TIMEOUT: Final = 0.05
"""Seconds to finish replies while closing; only a reply that a fault delays takes any."""


class HttpServer:
    """A listening socket and its connections."""

    def __init__(
        self, exchange: Exchange, *, exposed: bool = False, control: FaultControl | None = None
    ) -> None:
        """Prepare to serve an exchange; nothing is opened yet."""
        self._exchange = exchange
        self._control = control
        self._exposed = exposed
        self._server: asyncio.Server | None = None
        self._handlers: _WebServer | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen, and give the port."""
        # Never an access log: request lines contain signatures.
        self._handlers = _WebServer(self._reply, access_log=None)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._handlers, host, port, backlog=1024)
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def close(self) -> None:
        """Stop listening, and end open connections."""
        server, handlers = self._server, self._handlers
        self._server = self._handlers = None
        if server is None or handlers is None:
            return
        server.close()
        handlers.pre_shutdown()
        await handlers.shutdown(_CLOSING_TIMEOUT)
        await server.wait_closed()

    async def _reply(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = self._exchange
        if not (self._exposed or is_loopback(_host_of(request))):
            # A page in a browser can give its own name the address of this machine.
            return _response(refusal_reply(_refusals.another_host()))
        try:
            if self._control is not None and request.path == PATH:
                body = await request.read()
                return _response(self._control.reply(request.method, request.content_type, body))
            handling = exchange.receive(await _read(request))
        except web.HTTPRequestEntityTooLarge:
            return _response(refusal_reply(_refusals.malformed(status=413)))
        except ConnectionError:
            # The client hung up while sending; this response goes nowhere.
            return web.Response(status=400)
        await _delay(handling, "request")
        if exchange.admit(handling):
            await _delay(handling, "execution")
            exchange.execute(handling)
        reply = exchange.finish(handling)
        await _delay(handling, "answer")
        if reply.delivery == "whole":
            return _response(reply)
        transport = request.transport
        if transport is not None:
            if reply.delivery == "cut":
                transport.write(_half(reply))
            transport.close()
        # The connection is closed; this response goes nowhere.
        return web.Response(status=reply.status or 500)


class LoopThread:
    """Keeps a context manager open in a thread with its own event loop."""

    def __init__(self, opened: AbstractAsyncContextManager[object]) -> None:
        """Prepare; nothing is opened yet."""
        self._opened = opened
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="binance-dust-sandbox", daemon=True)

    def open(self) -> None:
        """Wait until it is open; raises the error if it can't be opened."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._join()

    def close(self) -> None:
        """Wait until it is closed; raises the error if that fails."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._join()

    def _join(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._error = error
            self._ready.set()

    async def _serve(self) -> None:
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        async with self._opened:
            self._ready.set()
            await self._stop.wait()


class _Handler(RequestHandler):
    """Answers bytes that are no HTTP like the exchange answers everything: a code and a text."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer an unreadable request; errors of the sandbox itself stay loud."""
        if status >= web.HTTPInternalServerError.status_code:
            return super().handle_error(request, status, exc, message)
        response = _response(refusal_reply(_refusals.malformed(status=status)))
        response.force_close()
        return response


class _WebServer(web.Server):
    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


async def _read(request: web.BaseRequest) -> HttpRequest:
    # `raw_path` is the path of the request line, byte for byte.
    path, _, query = request.raw_path.partition("?")
    headers = request.headers
    body = b""
    if request.can_read_body:
        body = await request.read()
    if body and not headers.get("Content-Type", "").lower().startswith(_FORM):
        body = b""
    return HttpRequest(
        method=request.method,
        path=path,
        query=query,
        body=body.decode("utf-8", "surrogateescape"),
        api_key=headers.get("X-MBX-APIKEY"),
        address=request.remote or "",
    )


async def _delay(handling: Handling, stage: Stage) -> None:
    seconds = handling.delay(stage)
    if seconds > 0:
        await asyncio.sleep(seconds)


def _response(reply: HttpReply) -> web.Response:
    headers = {"Content-Type": reply.content_type, **reply.headers}
    return web.Response(status=reply.status, body=reply.body, headers=headers)


def _half(reply: HttpReply) -> bytes:
    """Write a reply with its full `Content-Length`, but half of its body."""
    head = [
        f"HTTP/1.1 {reply.status} OK",
        f"Content-Type: {reply.content_type}",
        f"Content-Length: {len(reply.body)}",
        *(f"{name}: {value}" for name, value in reply.headers.items()),
    ]
    return "\r\n".join([*head, "", ""]).encode() + reply.body[: len(reply.body) // 2]


def _host_of(request: web.BaseRequest) -> str:
    """Return the host that a client asked for; its own address if it named none (HTTP/1.0)."""
    named = request.headers.get("Host", "127.0.0.1")
    return named.rpartition(":")[0] if named.rpartition(":")[2].isdigit() else named
