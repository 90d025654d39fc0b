"""An account with dust or small debts, and a process of ours, in virtual time."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from binance_dust import Ledger, OutcomeUnknownError
from binance_dust.conversion import LiabilityExchanger
from tests.budget.virtual import run
from tests.conversion.far import CONVERT, DUST, FarProcess, FarWorld

EXCHANGE = "POST /sapi/v1/margin/exchange-small-liability"
HISTORY = "/sapi/v1/margin/exchange-small-liability-history"
DUST_OF_TWO = {"ADA": "6.21", "XRP": "1.5"}


class Scene:
    """An account with dust, and a process of ours."""

    def __init__(self, balances: dict[str, Any] | None = None, **rules: Any) -> None:
        self.world = FarWorld(**rules)
        accounts = self.world.exchange.accounts
        self.credentials = accounts.open("alice", balances or DUST_OF_TWO)
        self.alice = accounts["alice"]
        self.faults = self.world.exchange.faults

    @asynccontextmanager
    async def process(
        self, *, path: Path | str = ":memory:", **options: Any
    ) -> AsyncIterator[FarProcess]:
        async with FarProcess(self.world, self.credentials, path, **options) as process:
            yield process
            await self.world.quiet()

    async def lose_answer(
        self, process: FarProcess, *, executed: bool = True
    ) -> OutcomeUnknownError:
        """Convert, and lose the answer; give the error."""
        self.faults.lose_answer(after_executing=executed, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError) as caught:
            await process.convert_all()
        return caught.value

    @property
    def asked(self) -> list[str]:
        """Every path that was asked, in order."""
        return [seen.path for seen in self.world.exchange.requests.of()]

    @property
    def sent(self) -> list[str]:
        """The calls that moved funds, or tried to."""
        return [
            seen.parameters.get("asset", "")
            for seen in self.world.exchange.requests.of()
            if seen.path in (DUST, CONVERT)
        ]


def in_virtual_time(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test where hours take milliseconds."""

    @functools.wraps(test)
    def wrapped(**given: Any) -> None:
        run(test(**given))  # type: ignore[arg-type]

    return wrapped


class DebtScene:
    """An account with small debts, and an exchanger of ours."""

    def __init__(self, path: Path | str = ":memory:", world: FarWorld | None = None) -> None:
        self.world = world or FarWorld()
        accounts = self.world.exchange.accounts
        if "alice" not in {account.name for account in accounts}:
            debts = {"ETH": "0.001", "XRP": "0.5", "BTC": "0.4", "USDT": "1"}
            self.credentials = accounts.open("alice", {}, debts=debts)
        self.session = self.world.session()
        self.ledger = Ledger(path)

    async def __aenter__(self) -> LiabilityExchanger:
        await self.ledger.open()
        self.exchanger = LiabilityExchanger(
            self.session.client(self.credentials), ledger=self.ledger, cooldown=0
        )
        return self.exchanger

    async def __aexit__(self, *_: object) -> None:
        await self.ledger.close()
        await self.session.close()
        await self.world.quiet()

    @property
    def alice(self) -> Any:
        return self.world.exchange.accounts["alice"]

    async def lose_answer(self, *, executed: bool = True) -> OutcomeUnknownError:
        """Exchange, and lose the answer; give the error."""
        quote = await self.exchanger.quote()
        self.world.exchange.faults.lose_answer(after_executing=executed, endpoint=EXCHANGE)
        with pytest.raises(OutcomeUnknownError) as caught:
            await self.exchanger.exchange(quote)
        return caught.value
