"""A scan in each of the sandbox's worlds: everybody is answered, and nobody is banned."""

from __future__ import annotations

import pytest

from binance_dust import scan
from binance_dust.sandbox import WORLDS, Rules, Sandbox
from tests.budget.virtual import run
from tests.simulation.world import SimulatedWorld

BANNED_ONCE = {"half-limit": 1}
"""Half of what is documented is only learnt from refusals."""


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_a_scan_gets_through(name: str) -> None:
    async def main() -> None:
        world = SimulatedWorld(start=20.0, **WORLDS[name])
        async with world.session() as session:
            keys = [
                world.exchange.accounts.open(f"a{n}", {"ADA": "6.21"}, margin=True)
                for n in range(150)
            ]
            clients = [session.client(key) for key in keys]
            reports = [report async for report in scan(clients, liabilities=True)]

        assert len(reports) == 150
        assert [report.errors for report in reports if not report.ok] == []
        assert world.exchange.limits.bans <= BANNED_ONCE.get(name, 0)

    run(main())


def test_every_world_is_some_other_than_the_documented_one() -> None:
    documented = Rules()

    assert all(Sandbox(**rules).rules != documented for rules in WORLDS.values())
