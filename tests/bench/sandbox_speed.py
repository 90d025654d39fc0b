"""How many simple signed requests a second the sandbox serves on one core.

    python tests/bench/sandbox_speed.py [requests]

The sandbox runs in a process of its own. The client writes requests that were signed beforehand
over a few kept connections, and reads answers without parsing them, so that it costs as little as
a client can. Two figures come out: requests a second as the client saw them, and requests a second
of the server's own processor time, which other load on the machine does not change.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import multiprocessing
import resource
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from binance_dust.sandbox import Sandbox

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from binance_dust.credentials import Credentials

CONNECTIONS = 8
PATH = "/sapi/v1/account/status"


def serve(pipe: Connection) -> None:
    """Serve until told to stop, and tell the processor time that it took."""

    async def main() -> None:
        async with Sandbox(ip_weight=10**9) as exchange:
            alice = exchange.open_account("alice", ADA="6.21")
            pipe.send((exchange.url, alice.api_key, alice.secret.reveal()))
            for _ in range(2):
                await asyncio.to_thread(pipe.recv)
                usage = resource.getrusage(resource.RUSAGE_SELF)
                pipe.send(usage.ru_utime + usage.ru_stime)

    asyncio.run(main())


async def spend(url: str, requests: list[bytes]) -> None:
    """Send requests over one connection, one after another."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(head.decode())
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()


def signed(url: str, credentials: Credentials) -> bytes:
    """Write one request, ready to be sent within a minute."""
    query = urlencode({"recvWindow": 60_000, "timestamp": int(time.time() * 1000)})
    secret = credentials.secret.reveal().encode()
    signature = hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()
    return (
        f"GET {PATH}?{query}&signature={signature} HTTP/1.1\r\n"
        f"Host: {urlsplit(url).netloc}\r\nX-MBX-APIKEY: {credentials.api_key}\r\n\r\n"
    ).encode()


async def measure(url: str, credentials: Credentials, count: int) -> float:
    """Send all requests, and tell the seconds that it took."""
    share = [[signed(url, credentials)] * (count // CONNECTIONS) for _ in range(CONNECTIONS)]
    began = time.perf_counter()
    await asyncio.gather(*(spend(url, requests) for requests in share))
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    from binance_dust.credentials import Credentials

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    url, api_key, secret = ours.recv()
    credentials = Credentials(api_key, secret)
    asyncio.run(measure(url, credentials, 800))

    ours.send("start")
    before = ours.recv()
    seconds = asyncio.run(measure(url, credentials, count))
    ours.send("stop")
    busy = ours.recv() - before
    process.join()
    print(f"{count / seconds:,.0f} requests/s, {count / busy:,.0f} per processor second")


if __name__ == "__main__":
    main()
