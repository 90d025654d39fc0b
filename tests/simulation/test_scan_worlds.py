"""Scans in worlds that are not as hoped for: what is foretold, and in which order it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from binance_dust import Credentials, scan
from tests.budget.virtual import run
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Callable


def test_keys_that_are_dead_say_nothing_about_debts() -> None:
    """Of 600 accounts half have a dead key, and the others owe nothing."""

    async def main() -> None:
        world = World(start=5.0)
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
        world = World(start=1.0)
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
