"""Two accounts on one session, behind a proxy that makes trouble; then the books are compared.

What the client was told is held against what the exchange did. The exchange is the witness: it
knows whether a conversion was carried out, whatever became of the answer.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from binance_dust import (
    DustClient,
    DustError,
    OutcomeUnknownError,
    RetryPolicy,
    Session,
)
from binance_dust.errors import Delivery
from binance_dust.sandbox import Sandbox
from tests.proof.proxy import Leg, Proxy, Trouble

WRITE: Final = "POST /sapi/v1/asset/dust"
_QUICK: Final = RetryPolicy(max_wait=0.01)
_NOTHING_DONE: Final = {Delivery.UNSENT, Delivery.REFUSED, Delivery.FINAL}
_BALANCES: Final = {"alice": Decimal("6.21"), "bob": Decimal("3.5")}
_PING: Final = b"GET /api/v3/ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
CALLS: Final = (
    *(("alice", False), ("alice", True), ("bob", False), ("bob", True)),
    *(("alice", False), ("bob", False)),
)
"""Who calls, one after another, and whether the call moves funds."""
_numbers: Final = itertools.count()


@dataclass(frozen=True, slots=True)
class Step:
    """One call, and what came of it."""

    who: str
    writes: bool
    result: Any
    error: DustError | None


class Visit:
    """One session's calls: reads and conversions of two accounts in turn, on one connection."""

    def __init__(
        self,
        exchange: Sandbox,
        troubles: Iterable[Trouble | None],
        *,
        timeout: float = 5.0,
        calls: int = len(CALLS),
        **options: Any,
    ) -> None:
        """Prepare; `options` are the proxy's."""
        self._exchange = exchange
        self._troubles = tuple(troubles)
        self._timeout = timeout
        self._calls = CALLS[:calls]
        self._options = options
        number = next(_numbers)
        self.names = {who: f"{who}-{number}" for who in _BALANCES}
        self.steps: list[Step] = []
        self.proxy: Proxy | None = None

    async def run(self) -> Visit:
        """Make the calls."""
        exchange = self._exchange
        async with (
            Proxy(exchange.url, self._troubles, **self._options) as proxy,
            Session(base_url=proxy.url, retry=_QUICK, timeout=self._timeout) as session,
        ):
            self.proxy = proxy
            clients = {
                who: session.client(exchange.open_account(self.names[who], ADA=str(balance)))
                for who, balance in _BALANCES.items()
            }
            # By itself, for the first call would follow upon the clock's answer, echo or not.
            await session.learn_time()
            await _heard(proxy)
            for who, writes in self._calls:
                await self._step(who, clients[who], writes=writes)
                await _heard(proxy)
        await settled(exchange)
        return self

    async def _step(self, who: str, client: DustClient, *, writes: bool) -> None:
        try:
            result: Any = (
                await client.dust_transfer(["ADA"]) if writes else await client.user_assets()
            )
        except DustError as error:
            self.steps.append(Step(who, writes, None, error))
        else:
            self.steps.append(Step(who, writes, result, None))

    def hold(self) -> None:
        """Compare what was told with what was done."""
        spoilt = any(trouble is not None and trouble.what == "change" for trouble in self._troubles)
        for step in self.steps:
            told = f"{self._troubles}: {step}"
            if step.writes:
                self._hold_write(step, told, spoilt=spoilt)
            elif not spoilt:
                self._hold_read(step, told)

    def _hold_write(self, step: Step, told: str, *, spoilt: bool) -> None:
        name = self.names[step.who]
        seen = self._exchange.requests_of(WRITE, account=name)
        done = [request for request in seen if request.executed]
        assert len(seen) <= 1, f"sent more than once: {told}"
        error = step.error
        if error is None:
            assert spoilt or len(done) == 1, f"never done: {told}"
            if not spoilt:
                (conversion,) = self._exchange.account(name).conversions
                (row,) = step.result.transfer_result
                assert row.tran_id == conversion.transaction_id, f"another's answer: {told}"
            return
        if isinstance(error, OutcomeUnknownError):
            return
        delivery = getattr(error, "delivery", None)
        assert spoilt or delivery in _NOTHING_DONE, f"says nothing of the outcome: {told}"
        assert delivery is not Delivery.UNSENT or not seen, f"not sent, and yet arrived: {told}"
        assert spoilt or not done, f"done, and yet denied: {told}"

    def _hold_read(self, step: Step, told: str) -> None:
        assert step.error is None, f"a read did not recover: {told}"
        free = {row.asset: row.free for row in step.result}
        assert free.get("ADA", _BALANCES[step.who]) == _BALANCES[step.who], f"another's: {told}"


async def _heard(proxy: Proxy) -> None:
    """Wait for an echo; one that comes when the next request has gone looks like its answer."""
    while proxy.echoing:  # noqa: ASYNC110 - the proxy is in this loop
        await asyncio.sleep(0.001)
    # From the system to the client, which is in this loop.
    for _ in range(5):
        await asyncio.sleep(0)


async def settled(exchange: Sandbox) -> None:
    """Wait until the exchange has read whatever had reached it."""
    for _ in range(2):
        host, port = exchange.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(_PING)
        await reader.read()
        writer.close()
        await writer.wait_closed()


async def measure(exchange: Sandbox) -> dict[Leg, int]:
    """Count the bytes of a visit without trouble, in each direction."""
    visit = await Visit(exchange, []).run()
    visit.hold()
    assert visit.proxy is not None
    assert visit.proxy.connections == 1, "all calls go over one line, one after another"
    return dict(visit.proxy.passed)


async def patience(exchange: Sandbox, *, at_once: int, least: float) -> float:
    """Give a timeout that so many visits at once stay below on this machine, as busy as it is."""
    begin = time.perf_counter()
    await asyncio.gather(*[Visit(exchange, [], timeout=60.0).run() for _ in range(at_once)])
    return max(least, 3 * (time.perf_counter() - begin))


async def hold_all(
    exchange: Sandbox,
    troubles: Iterable[Trouble],
    *,
    at_once: int = 1,
    change: Callable[[bytes], bytes] = bytes,
    **options: Any,
) -> int:
    """Make a visit with each trouble on its first line; count those that met it.

    Some miss it among many at once, where a busy machine is late: they are made again alone.
    """
    met, missed = 0, []
    rest = iter(troubles)
    while batch := list(itertools.islice(rest, at_once)):
        visits = [Visit(exchange, [trouble], change=change, **options) for trouble in batch]
        await asyncio.gather(*[visit.run() for visit in visits])
        for trouble, visit in zip(batch, visits, strict=True):
            visit.hold()
            assert visit.proxy is not None
            met += visit.proxy.struck
            if not visit.proxy.struck:
                missed.append(trouble)
    if missed and at_once > 1:
        met += await hold_all(exchange, missed, change=change, **options)
    return met
