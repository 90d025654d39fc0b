"""A bench: the exchange without I/O, with a clock that a test moves."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from yarl import URL

from binance_dust.sandbox import Rules, Sandbox
from binance_dust.sandbox._exchange import Exchange
from binance_dust.sandbox._requests import HttpReply, HttpRequest
from tests.systems import needs_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from binance_dust.credentials import Credentials
    from binance_dust.sandbox import Account

OPTIONS = {"key", "permissions", "debts", "funding"}
NOON = 1_790_000_040.0  # a whole minute, in September 2026


@dataclass
class FakeTime:
    """True time, set by a test."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Reply:
    """A decoded reply."""

    status: int
    headers: dict[str, str]
    json: Any

    @property
    def code(self) -> int | None:
        return self.json.get("code") if isinstance(self.json, dict) else None

    @property
    def used(self) -> int:
        """The value of the used-weight header, of any kind."""
        (used,) = [int(value) for name, value in self.headers.items() if "USED" in name]
        return used

    @classmethod
    def of(cls, answer: HttpReply) -> Reply:
        read = json.loads(answer.body, parse_float=Decimal) if answer.body else None
        return cls(answer.status, answer.headers, read)


@dataclass
class ExchangeBench:
    """One exchange, and the keys of its accounts."""

    rules: Rules = field(default_factory=Rules)
    time: FakeTime = field(default_factory=FakeTime)
    seed: int = 0

    def __post_init__(self) -> None:
        self.exchange = Exchange(seed=self.seed, rules=self.rules, clock=self.time)
        self.keys: dict[str, Credentials] = {}

    def open(self, name: str = "alice", /, *, margin: Any = False, **options: Any) -> Account:
        """Open an account; keywords that are not options are balances."""
        rest = {name: value for name, value in options.items() if name in OPTIONS}
        balances = {name: value for name, value in options.items() if name not in OPTIONS}
        self.keys[name] = self.exchange.accounts.open(name, balances, margin=margin, **rest)
        return self.exchange.accounts[name]

    def sign(self, payload: str, account: str = "alice") -> str:
        secret = self.keys[account].secret.reveal()
        return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()

    def ask(self, endpoint: str, /, account: str = "alice", **parameters: Any) -> Reply:
        """Ask like a correct client: all parameters in the query, signed, with the present time."""
        asked = {name: value for name, value in parameters.items() if value is not None}
        asked.setdefault("timestamp", int(self.time.now * 1000))
        return self.send(endpoint, urlencode(asked, doseq=True, quote_via=quote), account=account)

    def send(
        self,
        endpoint: str,
        query: str = "",
        *,
        account: str = "alice",
        address: str = "127.0.0.1",
        signed: bool = True,
        body: str = "",
    ) -> Reply:
        """Send exactly this, with a signature at the end of the query."""
        method, path = endpoint.split(" ")
        if signed:
            signature = self.sign(query + body, account)
            query = f"{query}&signature={signature}" if query else f"signature={signature}"
        request = HttpRequest(
            method=method,
            path=path,
            query=query,
            body=body,
            api_key=self.keys[account].api_key if account in self.keys else None,
            address=address,
        )
        return Reply.of(self.exchange.handle(request))


@pytest.fixture(scope="session")
def new_bench() -> Callable[..., ExchangeBench]:
    """Make benches, with rules as keywords."""

    def make(*, seed: int = 0, now: float = NOON, **rules: Any) -> ExchangeBench:
        return ExchangeBench(Rules(**rules), FakeTime(now), seed)

    return make


@pytest.fixture
def bench(new_bench: Callable[..., ExchangeBench]) -> ExchangeBench:
    """A bench with default rules and the account alice."""
    made = new_bench()
    made.open("alice", ADA="6.21", XRP="1.5", BNB="0.01", USDT="50300000001.44911105")
    return made


@pytest.fixture
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Assert that nothing was logged: faults on purpose are no errors of the sandbox."""
    caplog.set_level(logging.WARNING)
    yield
    assert not caplog.records, caplog.text


class HttpCaller:
    """A plain HTTP client with one address, without our library."""

    def __init__(self, exchange: Sandbox, session: aiohttp.ClientSession) -> None:
        self._exchange = exchange
        self._session = session

    async def ask(self, endpoint: str, credentials: Credentials, **parameters: Any) -> Reply:
        method, path = endpoint.split(" ")
        asked = {"timestamp": int(self._exchange.now() * 1000), **parameters}
        query = urlencode(asked, quote_via=quote)
        secret = credentials.secret.reveal().encode()
        signature = hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()
        url = f"{self._exchange.url}{path}?{query}&signature={signature}"
        headers = {"X-MBX-APIKEY": credentials.api_key}
        async with self._session.request(method, URL(url, encoded=True), headers=headers) as answer:
            body = await answer.read()
            read = json.loads(body) if answer.content_type == "application/json" else body
            return Reply(answer.status, dict(answer.headers), read)


@pytest.fixture
async def new_caller() -> AsyncIterator[Callable[..., Awaitable[HttpCaller]]]:
    """Make callers, each with its own connection pool."""
    async with AsyncExitStack() as stack:

        async def make(exchange: Sandbox, address: str = "127.0.0.1") -> HttpCaller:
            connector = aiohttp.TCPConnector(local_addr=(needs_address(address), 0), limit=0)
            session = aiohttp.ClientSession(connector=connector)
            return HttpCaller(exchange, await stack.enter_async_context(session))

        yield make
