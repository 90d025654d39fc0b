"""Scans in worlds that are not as hoped for: what is foretold, and in which order it is asked."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Literal

import pytest

from binance_dust import Credentials, RateLimits, estimate_scan, scan
from tests.budget.virtual import run
from tests.simulation.world import SimulatedWorld, least

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIST = "GET /sapi/v1/margin/exchange-small-liability"
Mode = Literal["fixed", "sliding"]


@contextlib.contextmanager
def others_spend(world: SimulatedWorld, weight: int) -> Iterator[None]:
    """Let others behind the address spend weight for lists, each second."""

    async def spend() -> None:
        while True:
            world.exchange.faults.spend(LIST, weight)
            await asyncio.sleep(1.0)

    spending = asyncio.create_task(spend())
    try:
        yield
    finally:
        spending.cancel()


def test_keys_that_are_dead_say_nothing_about_debts() -> None:
    """Of 600 accounts half have a dead key, and the others owe nothing."""

    async def main() -> None:
        world = SimulatedWorld(start=5.0)
        accounts = [
            world.exchange.accounts.open(f"account-{number}", {"ADA": "6.21"})
            for number in range(600)
        ]
        for number in range(0, 600, 2):
            accounts[number] = Credentials(accounts[number].api_key, "wrong", name=f"dead-{number}")
        async with world.session() as session:
            reports = scan([session.client(account) for account in accounts])
            foretold: list[tuple[float, float]] = []
            async for _ in reports:
                progress = reports.progress
                foretold.append((progress.elapsed, progress.seconds_left or 0.0))
            took = reports.progress.elapsed

        assert took < 10.0
        for at, left in foretold[100:]:
            assert abs(at + left - took) < 10.0, f"{left:.1f} s left at {at:.1f} of {took:.1f} s"

    run(main())


@pytest.mark.parametrize("source", [list, iter])
def test_the_order_in_which_sessions_come_does_not_matter(source: Callable[[Any], Any]) -> None:
    """All accounts of one address come first, and those of the other do not wait for them."""

    async def main() -> None:
        world = SimulatedWorld(start=1.0)
        accounts = world.accounts(3100)
        async with world.session() as one, world.session(address="127.0.0.2") as two:
            clients = [one.client(account) for account in accounts[:3000]]
            clients += [two.client(account) for account in accounts[3000:]]
            theirs = {client.name for client in clients[3000:]}
            async with scan(source(clients), liabilities=True) as reports:
                async for report in reports:
                    theirs.discard(report.account)
                    if not theirs:
                        break

        # In one window each address may ask 120 of them.
        assert world.loop.time() < 10.0

    run(main())


@pytest.mark.parametrize("mode", ["fixed", "sliding"])
@pytest.mark.parametrize(
    ("ahead", "begins"),
    [
        pytest.param(8192, 0.0, id="all"),
        # 164 are under way, and 60 are read ahead: the other address is found when 176 are done.
        pytest.param(60, 60.0, id="a part"),
    ],
)
def test_a_generator_keeps_all_addresses_busy_as_far_as_it_is_read_ahead(
    mode: Mode, ahead: int, begins: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """400 accounts of one address, then 340 of another: each is asked as fast as it may be."""
    monkeypatch.setattr("binance_dust.scanner._scan._AHEAD", ahead)
    monkeypatch.setattr("binance_dust.scanner._lanes.WAITING_FOR_LIST", 100)

    async def main() -> None:
        world = SimulatedWorld(window_mode=mode)
        accounts, done = world.accounts(740), dict[str, list[float]]()
        async with world.session() as one, world.session(address="127.0.0.2") as two:
            sessions = {"one": (one, accounts[:400]), "two": (two, accounts[400:])}
            clients = (
                session.client(account) for session, some in sessions.values() for account in some
            )
            names = {each.name: name for name, (_, some) in sessions.items() for each in some}
            async for report in scan(clients, liabilities=True):
                assert report.ok
                done.setdefault(names[report.account], []).append(world.loop.time())

        assert world.refusals == 0
        trips = 0.5  # the clock, and the first call of each kind, which goes alone
        for name, since in (("one", 0.0), ("two", begins)):
            shortest = least(len(sessions[name][1]), 120, 60.0, 0.0, fixed=mode == "fixed")
            assert since <= done[name][0] <= since * 1.02 + trips
            assert done[name][-1] <= (since + shortest) * 1.02 + trips, name

    run(main())


@pytest.mark.parametrize("mode", ["fixed", "sliding"])
def test_others_that_are_known_to_spend_half_are_in_what_is_foretold(mode: Mode) -> None:
    async def main() -> None:
        world = SimulatedWorld(start=1.0, window_mode=mode)
        async with world.session() as session:
            accounts = world.accounts(600)
            clients = [session.client(account) for account in accounts]
            with others_spend(world, 100):
                await asyncio.gather(*[client.small_liabilities() for client in clients[300:]])
                began = world.loop.time()
                estimate = estimate_scan(clients[:300], liabilities=True)
                reports = scan(clients[:300], liabilities=True)
                foretold: list[tuple[float, float]] = []
                async for _ in reports:
                    progress = reports.progress
                    foretold.append((progress.elapsed, progress.seconds_left or 0.0))
                took = world.loop.time() - began

        # They leave room for 60 lists in a window.
        assert took > 290.0
        assert took * 0.9 <= estimate.seconds <= took * 1.1
        # A twentieth is left free where windows slide, and so it may be a window too long.
        more = 60.0 if mode == "sliding" else 0.0
        for at, left in foretold[:150]:
            assert took * 0.9 <= at + left <= took * 1.05 + more

    run(main())


@pytest.mark.parametrize("liabilities", [False, True])
def test_a_slow_pace_is_in_what_is_foretold(liabilities: bool) -> None:
    async def main() -> None:
        world = SimulatedWorld(start=1.0, window=3.0)
        limits = RateLimits(window=3.0, requests_per_second=20)
        async with world.session(limits=limits) as session:
            clients = [session.client(account) for account in world.accounts(150)]
            estimate = estimate_scan(clients, liabilities=liabilities)
            reports = scan(clients, liabilities=liabilities)
            foretold: list[tuple[float, float]] = []
            async for _ in reports:
                progress = reports.progress
                foretold.append((progress.elapsed, progress.seconds_left or 0.0))
            took = world.loop.time()

        # Two or three calls for each account, and 18 a second in the long run.
        assert took > 16.0
        for at, left in [(0.0, estimate.seconds), *foretold]:
            assert took * 0.95 <= at + left <= took * 1.05

    run(main())
