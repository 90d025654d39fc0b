"""Requests that nobody would send: the sandbox answers each, and does nothing that was not signed.

Whether a request was rightly signed is worked out here a second time, from the bytes that were sent
and the secret, by the exchange's documents alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
from typing import Final
from urllib.parse import quote, unquote_plus

from binance_dust.credentials import Credentials
from binance_dust.sandbox import Rules, Sandbox, Seen
from binance_dust.sandbox._endpoints import BY_PATH, SERVED, ServedEndpoint
from binance_dust.sandbox._exchange import Exchange
from binance_dust.sandbox._requests import HttpRequest
from tests.proof.decoders import Reader
from tests.proof.mutations import Mutator
from tests.sandbox.test_fuzz import DOCUMENTED, STATUSES, assert_documented

_NOON: Final = 1_790_000_040.0
_ENDLESS: Final = 10**12
_VALUES: Final = {
    "targetAsset": "BNB",
    "asset": "ADA,XRP",
    "assetNames": "ETH",
    "current": "1",
    "size": "10",
    "type": "FUNDING_MAIN",
    "amount": "1",
    "isIsolated": "FALSE",
    "fromAsset": "ADA",
    "toAsset": "BNB",
    "quoteId": "1",
}
_OPTIONAL: Final = (
    "startTime=1790000000000",
    "accountType=SPOT",
    "recvWindow=5000.5",
    "asset=%E5%B8%81",
)
_TRIES: Final = ("POST /sapi/v1/asset/dust", "GET /sapi/v1/asset/dribblet")


def without_a_door() -> Reader:
    """Read requests at the exchange itself, signed by whoever has the secret or by nobody."""
    exchange = _exchange()
    credentials = _open(exchange)
    secret = credentials.secret.reveal()

    def read(text: bytes, mutator: Mutator) -> None:
        line, _, body = text.decode("utf-8", "surrogateescape").partition("\n")
        endpoint, _, query = line.partition("?")
        method, _, path = endpoint.partition(" ")
        payload = query + (body if method == "POST" else "")
        match mutator.dice.choice(("right", "right", "another's", "none")):
            case "right":  # where everything else may be wrong
                query = f"{query}&signature={_signature(payload, secret)}"
            case "another's":
                query = f"{query}&signature={_signature(payload, secret[::-1])}"
        key = mutator.dice.choice((credentials.api_key,) * 9 + (None, "", "k" * 64, "\udc80"))
        request = HttpRequest(method=method, path=path, query=query, body=body, api_key=key)
        answer = exchange.handle(request)
        (seen,) = exchange.requests.of()[-1:]
        assert answer.status == 200 or answer.status in STATUSES
        if answer.status != 200:
            assert not seen.executed
            assert json.loads(answer.body)["code"] in DOCUMENTED
        elif _endpoint(seen).security == "signed":
            assert key == credentials.api_key
            assert rightly_signed(query, body if method == "POST" else "", secret), "done unsigned"

    return Reader("sandbox's admission", tuple(map(_sample, SERVED)), read)


def rightly_signed(query: str, body: str, secret: str) -> bool:
    """Work out whether a signature at the end of query or body is that of all the rest."""
    for head, tail, after in ((query, "", body), ("", body, "")):
        rest, found, signature = (head or tail).rpartition("signature=")
        before = query if tail else ""
        if not found or (rest and not rest.endswith("&")) or "&" in signature:
            continue
        payload = before + rest.removesuffix("&") + after
        if hmac.compare_digest(
            _signature(payload, secret).encode(),
            unquote_plus(signature).lower().encode("utf-8", "surrogateescape"),
        ):
            return True
    return False


def _signature(payload: str, secret: str) -> str:
    text = payload.encode("utf-8", "surrogateescape")
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def _exchange() -> Exchange:
    rules = Rules(
        ip_weight=_ENDLESS,
        uid_weight=_ENDLESS,
        spot_weight=_ENDLESS,
        cooldown=0,
        liability_cooldown=0,
        remember=1,
    )
    return Exchange(rules=rules, clock=lambda: _NOON)


def _open(exchange: Exchange) -> Credentials:
    balances = {"ADA": "6.21", "XRP": "1.5", "BNB": "0.01"}
    return exchange.accounts.open("alice", balances, margin=True, debts={"ETH": "0.001"})


def _sample(endpoint: ServedEndpoint) -> bytes:
    """Write a request that is right, but for its signature."""
    pairs = [f"{name}={quote(_VALUES[name])}" for name in endpoint.mandatory]
    optional = _OPTIONAL[len(endpoint.name) % len(_OPTIONAL)]
    pairs += [optional, f"timestamp={int(_NOON * 1000)}"]
    return f"{endpoint.method} {endpoint.path}?{'&'.join(pairs)}\n".encode()


def _endpoint(seen: Seen) -> ServedEndpoint:
    return BY_PATH[seen.path][seen.method]


class Knocker:
    """Sends bytes to a sandbox's socket: signed requests, changed after they were signed."""

    def __init__(self, exchange: Sandbox, seed: int) -> None:
        """Stand before an exchange that has an endless budget."""
        self._exchange = exchange
        self._mutator = Mutator(f"{seed}/knocks")
        self._account = exchange.open_account(ADA="6.21", XRP="1.5")
        self.executed = 0

    async def knock(self) -> None:
        """Send one on a line of its own, and hold what comes back."""
        exchange = self._exchange
        sent, payload = self._request()
        exchange.forget_requests()
        host, port = exchange.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        received = b""
        with contextlib.suppress(ConnectionError):  # it hangs up on bytes that are no request
            writer.write(sent)
            writer.write_eof()
            received = await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        assert_documented(received)
        for seen in exchange.requests:
            if seen.executed and _endpoint(seen).security == "signed":
                self.executed += 1
                assert payload in sent, f"done, and not signed: {sent!r}"

    def _request(self) -> tuple[bytes, bytes]:
        """Make a request; give with it what its signature is for."""
        key, dice = self._account, self._mutator.dice
        endpoint = dice.choice(_TRIES)
        query = f"asset=ADA&timestamp={int(self._exchange.now() * 1000)}"
        signature = _signature(query, key.secret.reveal())
        text = (
            f"{endpoint}?{query}&signature={signature} HTTP/1.1\r\nHost: localhost\r\n"
            f"X-MBX-APIKEY: {key.api_key}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        return self._mutator.change(text), query.encode()


async def knock(*, seed: int, count: int) -> int:
    """Knock so often at a sandbox of one's own; give how many requests were right after all."""
    limits = {"ip_weight": _ENDLESS, "uid_weight": _ENDLESS, "spot_weight": _ENDLESS}
    heard = _Heard()
    logging.getLogger("aiohttp").addHandler(heard)
    try:
        async with Sandbox(seed=seed, cooldown=0, **limits) as exchange:  # type: ignore[arg-type]
            knocker = Knocker(exchange, seed)
            for _ in range(count):
                await knocker.knock()
                assert not heard.said, heard.said
    finally:
        logging.getLogger("aiohttp").removeHandler(heard)
    return knocker.executed


class _Heard(logging.Handler):
    """The server logs a mistake of its own, and answers 500."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))
