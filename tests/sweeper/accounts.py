"""Many accounts with dust on one exchange, in virtual time."""

from __future__ import annotations

from typing import Any

from binance_dust import DustClient, Session
from binance_dust.sweeper import SweepReport
from tests.simulation.world import SimulatedWorld

DUST = "POST /sapi/v1/asset/dust"
CONVERT = "POST /sapi/v1/asset/dust-convert/convert"
HOUR, DAY = 3600.0, 86_400.0


def open_accounts(
    world: SimulatedWorld, session: Session, count: int, **balances: str
) -> list[DustClient]:
    accounts = world.exchange.accounts
    held = balances or {"ADA": "6.21", "XRP": "1.5"}
    return [session.client(accounts.open(f"account-{n}", held)) for n in range(count)]


async def all_of(reports: Any) -> dict[str, SweepReport]:
    return {report.account: report async for report in reports}


def conversions(world: SimulatedWorld) -> list[str]:
    return [name for name, endpoint in arrived(world) if endpoint == DUST]


def arrived(world: SimulatedWorld) -> list[tuple[str, str]]:
    seen = world.exchange.requests.of()
    return [(str(request.account), f"{request.method} {request.path}") for request in seen]
