"""A sick worker spoils no account: another one tries again, and the report names it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest

from binance_dust import (
    AccountReport,
    ConfigurationError,
    Credentials,
    NotSentError,
    RetryPolicy,
    Session,
)
from binance_dust._call import wire
from binance_dust.events import logger
from binance_dust.fleet import Fleet, FleetProgress, Worker, WorkerProgress
from tests.budget.virtual import run
from tests.simulation.world import SimulatedWorld, WorldTransport

WAYS = ("wrong secrets", "no address", "banned", "old version")
ERRORS = {
    "wrong secrets": "CredentialsError",
    "no address": "NotSentError",
    "banned": "BannedError",
    "old version": "ConfigurationError",
}
SICK_ADDRESS = "127.0.0.9"


class NoAddress(WorldTransport):
    """A transport whose address was taken from the machine."""

    async def send(self, request: wire.Request, *, within: float | None = None) -> Any:
        raise NotSentError("can't bind", endpoint=request.endpoint.title)


class OldVersion(WorldTransport):
    """In place of a budget that others have begun to share by a newer version of the package."""

    async def send(self, request: wire.Request, *, within: float | None = None) -> Any:
        raise ConfigurationError("others share this budget by another version of this package")


async def fall_sick(way: str, world: SimulatedWorld, worker: Worker) -> None:
    """Make a worker sick that was well when it was opened."""
    session: Any = worker._any_client.session
    match way:
        case "wrong secrets":
            for name, client in worker._clients.items():
                wrong = Credentials(client.credentials.api_key, "w" * 64, name=name)
                worker._clients[name] = session.client(wrong)
        case "no address":
            session._pipeline.transport.__class__ = NoAddress
        case "old version":
            session._pipeline.transport.__class__ = OldVersion
        case "banned":
            world.exchange.faults.ban(7200, address=SICK_ADDRESS)


class SickScene:
    """Workers at addresses of their own, some of which are sick."""

    def __init__(self, accounts: int, *, start: float = 10.0) -> None:
        self.world = SimulatedWorld(start=start)
        self.accounts = self.world.accounts(accounts)
        self.stack = AsyncExitStack()

    async def worker(self, name: str, *, way: str | None = None, number: int = 0) -> Worker:
        address = SICK_ADDRESS if way == "banned" else f"127.0.1.{number}"
        session: Session = self.world.session(
            address=address, retry=RetryPolicy(attempts=2, max_wait=600)
        )
        await self.stack.enter_async_context(session)
        worker = Worker(map(session.client, self.accounts), name=name)
        await self.stack.enter_async_context(worker)
        if way is not None:
            await fall_sick(way, self.world, worker)
        return worker

    async def scan(self) -> tuple[list[AccountReport], FleetProgress]:
        async with Fleet() as fleet:
            reports = fleet.scan(liabilities=False)
            found = [report async for report in reports]
        await self.stack.aclose()
        assert len({report.account for report in found}) == len(self.accounts)
        return found, reports.progress


def named(progress: FleetProgress, name: str) -> WorkerProgress:
    (found,) = [each for each in progress.workers if each.name == name]
    return found


async def one_sick_of_four(way: str, accounts: int) -> None:
    scene = SickScene(accounts)
    # It answers first, and would fail most accounts: it has room again at once.
    await scene.worker("sick", way=way)
    for number in (1, 2, 3):
        await scene.worker(f"well {number}", number=number)

    found, progress = await scene.scan()

    assert [report.errors for report in found if not report.ok] == []
    assert progress.failed == 0
    sick = named(progress, "sick")
    assert sick.aside
    assert sick.failed > 2
    assert ERRORS[way] in str(sick.why)
    assert sum(each.done for each in progress.workers) == accounts
    for number in (1, 2, 3):
        well = named(progress, f"well {number}")
        assert (well.failed, well.aside, well.why) == (0, False, None)


@pytest.mark.parametrize("way", WAYS)
def test_one_sick_worker_of_four_spoils_no_account_and_is_named(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", logger.name):
        run(one_sick_of_four(way, 60))

    assert caplog.text.count("worker sick is put aside") == 1


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_two_thousand_accounts_and_one_sick_worker_of_four(way: str) -> None:
    run(one_sick_of_four(way, 2_000))


def test_three_sick_workers_of_four_spoil_no_account() -> None:
    async def scenario() -> FleetProgress:
        scene = SickScene(60)
        for number, way in enumerate(WAYS):
            await scene.worker(way, way=way, number=number)
        await scene.worker("well", number=7)
        found, progress = await scene.scan()
        assert all(report.ok for report in found)
        return progress

    progress = run(scenario())

    assert {each.name for each in progress.workers if each.failed} == set(WAYS)
    assert named(progress, "well").done == 60


def test_what_fails_at_a_well_worker_too_is_the_accounts_fault() -> None:
    """Revoked keys are tried twice each, and no worker is put aside for them."""

    async def scenario() -> tuple[list[AccountReport], FleetProgress, int]:
        scene = SickScene(60)
        for number in (1, 2, 3, 4):
            await scene.worker(f"well {number}", number=number)
        for account in scene.accounts[::4]:
            scene.world.exchange.accounts.remove_key(account.api_key)
        scene.world.sent.clear()
        found, progress = await scene.scan()
        tries = sum(endpoint.endswith("getUserAsset") for _, endpoint in scene.world.sent)
        return found, progress, tries

    found, progress, tries = run(scenario())

    assert sum(not report.ok for report in found) == progress.failed == 15
    assert not any(each.aside for each in progress.workers)
    assert tries <= 45 + 15 * 4
    assert sum(each.failed for each in progress.workers) == 0


def test_a_worker_alone_fails_what_it_fails() -> None:
    async def scenario() -> tuple[list[AccountReport], FleetProgress]:
        scene = SickScene(5)
        await scene.worker("sick", way="no address")
        return await scene.scan()

    found, progress = run(scenario())

    assert all(isinstance(report.errors["assets"], NotSentError) for report in found)
    assert progress.failed == 5


@pytest.mark.parametrize("way", ["wrong secrets", "no address"])
def test_a_worker_that_is_sick_from_the_start_takes_no_work(way: str) -> None:
    async def scenario() -> None:
        scene = SickScene(5)
        worker = await scene.worker("sick", way=way)
        await worker.close()
        async with scene.stack:
            with pytest.raises(ConfigurationError, match="sick takes no work: ") as refused:
                await worker.open()
            assert type(refused.value.__cause__).__name__ == ERRORS[way]
            assert not worker._running

    run(scenario())


def test_one_key_that_is_refused_keeps_no_worker_from_work() -> None:
    async def scenario() -> None:
        scene = SickScene(7)
        scene.world.exchange.accounts.remove_key(scene.accounts[0].api_key)
        await scene.worker("well")
        tried = [endpoint for _, endpoint in scene.world.sent]
        assert tried[0] == "GET /api/v3/time"
        assert tried.count("GET /sapi/v1/account/apiRestrictions") == 2
        await scene.stack.aclose()

    run(scenario())
