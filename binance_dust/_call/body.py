"""The body of an answer: read in parts, decompressed in parts, and never more than a limit.

aiohttp would decompress by itself, and its older releases without any limit: a megabyte can hold a
gigabyte. So it is told not to. We ask for gzip, and take nothing else.
"""

from __future__ import annotations

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
_PART: Final = 65_536
_GZIP: Final = 16 + zlib.MAX_WBITS


async def read_body(response: aiohttp.ClientResponse) -> bytes | str:
    """Read a body, or say why it can't be read.

    aiohttp closes a connection of which the answer was not read to its end. Its errors are raised
    as they are.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        return "the body is compressed in a way that was not asked for"
    inflate = _Inflate() if encoding.endswith("gzip") else None
    refused = response.status >= _FIRST_REFUSAL
    most = _MOST_OF_A_REFUSAL if refused else MOST
    content = response.content
    chunk = await content.readany()
    if inflate is None and content.at_eof() and len(chunk) <= most:
        return chunk  # as most answers are: in one part
    body, received = bytearray(), 0
    while chunk:
        received += len(chunk)
        try:
            for part in (chunk,) if inflate is None else inflate.parts(chunk):
                body += part
                if len(body) > most or received > most:
                    if refused:
                        return bytes(body[:most])
                    return f"the body is longer than {most:,} bytes"
        except zlib.error:
            # As aiohttp would say it.
            raise aiohttp.ClientPayloadError from None
        chunk = await content.readany()
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
        rest = chunk
        while rest:
            if self._stream.eof:
                raise zlib.error("something comes after the end")
            yield self._stream.decompress(rest, _PART)
            rest = self._stream.unconsumed_tail or self._stream.unused_data
