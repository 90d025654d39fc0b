"""The door: one HTTP server on loopback in front of an exchange.

Nothing is decided here. Bytes come in as they were sent, pass through the exchange, and go out
whole, cut, or not at all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from binance_dust.sandbox import _refusals as refusal
from binance_dust.sandbox._exchange import Answer, Request, refused

if TYPE_CHECKING:
    from binance_dust.sandbox._exchange import Exchange, Visit

_FORM: Final = "application/x-www-form-urlencoded"
_PATIENCE: Final = 0.05
"""Seconds for answers under way when the door closes; only those that a fault delays take any."""


class Door:
    """A listening socket, and the connections through it."""

    def __init__(self, exchange: Exchange) -> None:
        """Stand before an exchange, closed."""
        self._exchange = exchange
        self._server: asyncio.Server | None = None
        self._handlers: _Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen, and tell the port."""
        # No access log, ever: a request line holds a signature.
        self._handlers = _Server(self._answer, access_log=None)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._handlers, host, port, backlog=1024)
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def close(self) -> None:
        """Stop listening, and end what is under way."""
        server, handlers = self._server, self._handlers
        self._server = self._handlers = None
        if server is None or handlers is None:
            return
        server.close()
        handlers.pre_shutdown()
        await handlers.shutdown(_PATIENCE)
        await server.wait_closed()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = self._exchange
        try:
            visit = exchange.receive(await _read(request))
        except web.HTTPRequestEntityTooLarge:
            return _response(refused(refusal.malformed(status=413)))
        except ConnectionError:
            # Whoever asked has gone in the middle of it; what is returned here goes nowhere.
            return web.Response(status=400)
        await _pause(visit, "request")
        if exchange.admit(visit):
            await _pause(visit, "execution")
            exchange.execute(visit)
        answer = exchange.depart(visit)
        await _pause(visit, "answer")
        if answer.line == "whole":
            return _response(answer)
        transport = request.transport
        if transport is not None:
            if answer.line == "cut":
                transport.write(_half(answer))
            transport.close()
        # The line is gone; what is returned here goes nowhere.
        return web.Response(status=answer.status or 500)


class _Handler(RequestHandler):
    """Answers what is no HTTP as the exchange answers everything: a code and a text."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that could not be read; a mistake of the sandbox's own stays loud."""
        if status >= web.HTTPInternalServerError.status_code:
            return super().handle_error(request, status, exc, message)
        response = _response(refused(refusal.malformed(status=status)))
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


async def _read(request: web.BaseRequest) -> Request:
    # `raw_path` is what stood in the request line, byte for byte.
    path, _, query = request.raw_path.partition("?")
    headers = request.headers
    body = b""
    if request.can_read_body:
        body = await request.read()
    if body and not headers.get("Content-Type", "").lower().startswith(_FORM):
        body = b""
    return Request(
        method=request.method,
        path=path,
        query=query,
        body=body.decode("utf-8", "surrogateescape"),
        api_key=headers.get("X-MBX-APIKEY"),
        address=request.remote or "",
    )


async def _pause(visit: Visit, leg: Any) -> None:
    seconds = visit.wait(leg)
    if seconds > 0:
        await asyncio.sleep(seconds)


def _response(answer: Answer) -> web.Response:
    headers = {"Content-Type": answer.content_type, **answer.headers}
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def _half(answer: Answer) -> bytes:
    """Write an answer that promises its whole length, and half of its body."""
    head = [
        f"HTTP/1.1 {answer.status} OK",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    return "\r\n".join([*head, "", ""]).encode() + answer.body[: len(answer.body) // 2]
