"""What fuzzing and soaking found, each as a test of its own."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from binance_dust import RetryPolicy, scan
from binance_dust._answers.judge import Answer
from binance_dust._call import wire
from binance_dust.reports import Settled
from tests.budget.virtual import run
from tests.simulation.world import SimulatedWorld, WorldTransport

MARGIN = "GET /sapi/v1/margin/account"
TIME = "GET /api/v3/time"


class Spoilt(SimulatedWorld):
    """A world where one endpoint's answers are changed on their way."""

    def __init__(self, endpoint: str, change: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self.endpoint, self.change = endpoint, change

    def transport(self) -> WorldTransport:
        return _SpoiltTransport(self)


class _SpoiltTransport(WorldTransport):
    def __init__(self, world: Spoilt) -> None:
        super().__init__(world)
        self._spoilt = world

    async def send(self, request: wire.Request, *, within: float | None = None) -> Answer:
        answer = await super().send(request, within=within)
        if request.endpoint.title != self._spoilt.endpoint:
            return answer
        return msgspec.structs.replace(answer, body=self._spoilt.change(answer.body))


def test_a_debt_that_is_no_number_costs_the_list_and_does_not_end_the_scan() -> None:
    async def main() -> None:
        amounts = b'"borrowed":"NaN","free":"0","interest":"0","locked":"0","netAsset":"0"'
        row = b'{"asset":"ETH",%s}' % amounts
        world = Spoilt(MARGIN, lambda _: b'{"userAssets":[%s]}' % row)
        async with world.session() as session:
            clients = [session.client(credentials) for credentials in world.accounts(3)]
            reports = [report async for report in scan(clients)]

        assert [report.settled_by for report in reports] == [Settled.LIST] * 3
        assert all(report.ok for report in reports)

    run(main())


@pytest.mark.parametrize("time", ["253402300799999", "-62135596800000", '"0001-01-01"', "1e3", "0"])
def test_a_clock_that_can_not_be_right_is_not_believed(time: str) -> None:
    """The year 9999 would end, a moment later, in no date at all."""

    async def main() -> None:
        world = Spoilt(TIME, lambda _: b'{"serverTime":%s}' % time.encode())
        async with world.session(retry=RetryPolicy(attempts=2)) as session:
            client = session.client(world.account("alice"))
            assert len(await client.user_assets()) == 1
            assert abs(session.now().timestamp() - world.true()) < 1

    run(main())
