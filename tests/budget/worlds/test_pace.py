"""The pace of an address, in virtual time: never too fast, and fair between pools."""

from __future__ import annotations

import asyncio

import pytest

from binance_dust.endpoints import LimitKind
from tests.budget.virtual import LOG, VirtualCaller, VirtualExchange, run


@pytest.mark.many_calls
@pytest.mark.parametrize("rate", [5, 50, 500])
def test_no_second_has_more_requests_than_the_pace_allows(rate: float) -> None:
    async def main() -> None:
        exchange = VirtualExchange()
        caller = VirtualCaller(exchange, requests_per_second=rate, ip_weight=12_000)

        took = await caller.scan(int(rate * 6), LOG)

        sent = sorted(exchange.arrived)
        # Arrivals are sendings, spread by no more than the way takes.
        spread = exchange.latency.most - exchange.latency.least
        for first, last in zip(sent, sent[int(rate) + 1 :], strict=False):
            assert last - first >= 1.0 - spread - 1e-6
        assert took <= 6 / 0.9 + 1.0

    run(main())


def test_the_pace_is_shared_fairly_between_pools() -> None:
    """A bot's call on one endpoint does not wait for a scan's thousands on another."""

    async def main() -> None:
        exchange = VirtualExchange(start=1.0)
        caller = VirtualCaller(exchange, requests_per_second=50)
        await caller.call(LOG)
        other = LOG.__class__("GET /other", LimitKind.IP, 1)
        await caller.call(other)
        scan = [caller.exchange.loop.create_task(caller.call(LOG)) for _ in range(2_000)]
        await asyncio.sleep(1.0)

        began = exchange.loop.time()
        await caller.call(other)

        assert exchange.loop.time() - began < 0.5
        for task in scan:
            task.cancel()

    run(main())
