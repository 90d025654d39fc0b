"""A proxy below HTTP, between a client and an exchange, on which lines break as lines do.

It knows nothing but bytes. Each connection has one trouble, which strikes when so many bytes have
passed in one direction; the request may be the first on its connection or the tenth.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

What = Literal["reset", "close", "stall", "twice", "echo", "change"]
Leg = Literal["request", "answer"]

_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: whoever closes throws away what is on its way, and the other side hears a reset."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens on one connection, after `at` bytes of one leg.

    `reset` and `close` end it towards the client, while the exchange may go on with what it has.
    `stall` says nothing more, ever. `twice` sends what comes again, at once; `echo` sends it again
    when the client believes the line to be idle. `change` spoils what comes.
    """

    what: What
    leg: Leg = "answer"
    at: int = 0


def _on_its_way(writer: asyncio.StreamWriter) -> bool:
    """Tell whether the other side's system has yet to take some of what was written."""
    if sys.platform != "linux" or writer.is_closing():
        return False
    import fcntl
    import termios

    return any(fcntl.ioctl(writer.get_extra_info("socket"), termios.TIOCOUTQ, bytes(4)))


class _Line:
    """One connection: who is at its end, and what may befall it."""

    def __init__(self, client: asyncio.StreamWriter, trouble: Trouble | None) -> None:
        self.client = client
        self.trouble = trouble
        self.answer = bytearray()
        """What has been answered since the last byte of a request."""

    def note(self, leg: Leg, data: bytes) -> None:
        """Remember the answer under way, for an echo."""
        if leg == "answer":
            self.answer += data
        else:
            self.answer.clear()

    def whole_until(self, leg: Leg, passed: int, more: int) -> int:
        """Say how many of so many more bytes pass unharmed."""
        if self.trouble is None or self.trouble.leg != leg:
            return more
        return min(more, max(0, self.trouble.at - passed))


class Proxy:
    """Listens on loopback, and passes everything on to another port there."""

    def __init__(
        self,
        url: str,
        troubles: Iterable[Trouble | None] = (),
        *,
        drip: bool = False,
        change: Callable[[bytes], bytes] = bytes,
    ) -> None:
        """Stand before `url`. `troubles` come one to a connection; `drip` passes single bytes."""
        host, port = url.removeprefix("http://").split(":")
        self._target = host, int(port)
        self._troubles = iter(troubles)
        self._drip = drip
        self._change = change
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.struck = 0
        """How often trouble came."""
        self.echoing = 0
        """Echoes that are still to come."""
        self.passed: dict[Leg, int] = {"request": 0, "answer": 0}
        """Bytes that came in each direction, on all connections."""

    @property
    def url(self) -> str:
        """Where clients connect to."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        await self._server.wait_closed()

    async def quiet(self) -> None:
        """Wait until every connection is over; the clients have to close theirs."""
        while self._lines:
            await asyncio.gather(*self._lines)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        line = asyncio.create_task(self._serve(reader, writer, next(self._troubles, None)))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, trouble: Trouble | None
    ) -> None:
        there, out = await asyncio.open_connection(*self._target)
        line = _Line(client, trouble)
        try:
            await asyncio.gather(
                self._pass("request", reader, out, line), self._pass("answer", there, client, line)
            )
        finally:
            for each in (client, out):
                each.close()
            for each in (client, out):
                with contextlib.suppress(OSError):
                    await each.wait_closed()

    async def _pass(
        self, leg: Leg, source: asyncio.StreamReader, sink: asyncio.StreamWriter, line: _Line
    ) -> None:
        """Pass one direction on until it ends."""
        passed = 0
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                line.note(leg, data)
                self.passed[leg] += len(data)
                keep = line.whole_until(leg, passed, len(data))
                passed += len(data)
                await self._write(sink, data[:keep])
                if keep < len(data) and not await self._strike(data[keep:], source, sink, line):
                    break
        with contextlib.suppress(OSError):
            sink.write_eof()

    async def _strike(
        self,
        rest: bytes,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        line: _Line,
    ) -> bool:
        """Let trouble come; tell whether the connection goes on."""
        client, trouble, line.trouble = line.client, line.trouble, None
        assert trouble is not None
        self.struck += 1
        match trouble.what:
            case "reset":
                end = client.get_extra_info("socket")
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                client.transport.abort()
                return False
            case "close":
                client.close()
                return False
            case "stall":
                while await source.read(65_536):
                    pass  # until whoever waits for it has gone
                return False
            case "twice":
                await self._write(sink, rest + rest)
            case "echo":
                self.echoing += 1
                try:
                    await self._write(sink, rest)
                    await asyncio.sleep(0.005)
                    await self._write(sink, bytes(line.answer))
                    for _ in range(100):  # a client that is gone takes nothing any more
                        if not _on_its_way(sink):
                            break
                        await asyncio.sleep(0.001)
                finally:
                    self.echoing -= 1
            case "change":
                await self._write(sink, self._change(rest))
        return True

    async def _write(self, sink: asyncio.StreamWriter, data: bytes) -> None:
        if not self._drip:
            sink.write(data)
            await sink.drain()
            return
        for at in range(len(data)):
            sink.write(data[at : at + 1])
            await sink.drain()
            await asyncio.sleep(0)
