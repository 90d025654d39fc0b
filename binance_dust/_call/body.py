"""The body of an answer: read in parts, decompressed in parts, and never more than a limit.

aiohttp would decompress by itself, and its older releases without any limit: a megabyte can hold a
gigabyte. So it is told not to. We ask for gzip, and take nothing else.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Final

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ASKED_FOR", "MOST", "read_body"]

ASKED_FOR: Final = "gzip"
"""The `Accept-Encoding` of each request."""
MOST: Final = 4 * 1024 * 1024
"""Bytes of a body, decompressed: twice the 2 MB that 10,000 assets take. What is read from a body
takes up to nine times its memory, so an answer costs well below 100 MiB."""
_MOST_OF_A_REFUSAL: Final = 64 * 1024
"""A refusal is heard by its status and its first words, however long it is."""
_FIRST_REFUSAL: Final = 400
_PART: Final = 64 * 1024
_WITHOUT_A_BREAK: Final = 1024 * 1024
"""Bytes after which others get their turn: decompressing them takes a few milliseconds."""
_GZIP: Final = 16 + zlib.MAX_WBITS


async def read_body(response: aiohttp.ClientResponse) -> bytes | str:
    """Read a body, or say why it can't be read. What is not read is given up with the connection.

    Errors of aiohttp are raised as they are.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        response.close()
        return "the body is compressed in a way that was not asked for"
    inflate = _Inflate() if encoding.endswith("gzip") else None
    refused = response.status >= _FIRST_REFUSAL
    most = _MOST_OF_A_REFUSAL if refused else MOST
    body, received, since = bytearray(), 0, 0
    async for chunk in response.content.iter_any():
        received += len(chunk)
        try:
            for part in (chunk,) if inflate is None else inflate.parts(chunk):
                body += part
                since += len(part)
                if len(body) > most or received > most:
                    response.close()
                    return (
                        bytes(body[:most]) if refused else f"the body is longer than {most:,} bytes"
                    )
                if since > _WITHOUT_A_BREAK:
                    since = 0
                    await asyncio.sleep(0)
        except zlib.error:
            response.close()
            # As aiohttp would say it.
            raise aiohttp.ClientPayloadError from None
    if inflate is not None and received and not inflate.done:
        raise aiohttp.ClientPayloadError
    return bytes(body)


class _Inflate:
    """Decompresses one gzip stream, part by part."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)

    @property
    def done(self) -> bool:
        """Whether the stream has come to its end."""
        return self._stream.eof

    def parts(self, chunk: bytes) -> Iterator[bytes]:
        """Give what a chunk holds, in parts of a bounded size."""
        if self._stream.eof and chunk:
            raise zlib.error("something comes after the end")
        rest = chunk
        while rest:
            yield self._stream.decompress(rest, _PART)
            rest = self._stream.unconsumed_tail
            if self._stream.unused_data:
                raise zlib.error("something comes after the end")
