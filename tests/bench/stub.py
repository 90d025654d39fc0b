"""A server that costs next to nothing, in a process of its own: only clients are measured."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

SAMPLES = Path(__file__).parent.parent / "samples"
SIZES = (7, 200, 1_000)
"""Assets in an answer: the seed's sample, a busy account, a very busy one."""


def assets(count: int) -> bytes:
    """Write an answer of getUserAsset as the exchange does, with amounts of many digits."""
    draw = random.Random(count)
    rows = [
        {
            "asset": f"COIN{number}",
            "free": f"{draw.random() * 10_000:.8f}",
            "locked": "0",
            "freeze": "0",
            "withdrawing": "0",
            "ipoable": "0",
            "btcValuation": "0",
        }
        for number in range(count)
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


class _Stub(asyncio.Protocol):
    """Answers with the present body, the time, or a sample of what else a scan asks for."""

    body = assets(SIZES[0])
    samples = (
        (b"query-convertible-assets", (SAMPLES / "convertible_assets" / "200.json").read_bytes()),
        (b"/account/info", b'{"vipLevel":0,"isMarginEnabled":false,"isFutureEnabled":false}'),
    )

    weights: ClassVar[Counter[bytes]] = Counter()

    @classmethod
    def spent(cls, target: bytes) -> int:
        """Count the weight of an endpoint's calls, as the exchange's header does in a window."""
        path = target.partition(b"?")[0]
        cls.weights[path] += 1 if any(part in path for part, _ in cls.samples) else 5
        return cls.weights[path]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = 0
            if (at := head.find(b"content-length:")) >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        target = head.split(b" ", 2)[1]
        body = type(self).body
        if b"/api/v3/time" in target:
            body = b'{"serverTime":%d}' % (time.time() * 1000)
        elif target.startswith(b"/size/"):
            type(self).body = assets(int(target[6:]))
            self.weights.clear()
            body = b"{}"
        else:
            body = next((text for part, text in self.samples if part in target), body)
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\n"
            b"X-SAPI-USED-IP-WEIGHT-1M: %d\r\nContent-Length: %d\r\n\r\n"
            % (type(self).spent(target), len(body))
            + body
        )


def ask_for(url: str, size: int) -> None:
    """Have the stub answer with so many assets from now on, and forget what was spent.

    Else who comes next sees others who spend behind its address, and pays for heeding them.
    """
    urllib.request.urlopen(f"{url}/size/{size}").close()  # noqa: S310 - loopback


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    # A hundred clients may knock at once, and a knock that is dropped comes again a second later.
    server = await loop.create_server(_Stub, "127.0.0.1", 0, backlog=1_024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@contextmanager
def serving() -> Iterator[str]:
    """Run the stub until it is left, and give its URL."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.stub"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.wait(10)


if __name__ == "__main__":
    asyncio.run(_serve())
