"""The sandbox: an exchange with a door."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

from binance_dust.sandbox import _past as past
from binance_dust.sandbox._exchange import Exchange
from binance_dust.sandbox._rules import RuleChanges, Rules
from binance_dust.sandbox._thread import Thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from binance_dust.credentials import Credentials
    from binance_dust.sandbox._account import (
        Account,
        Conversion,
        Debt,
        Holding,
        Permissions,
        WalletName,
    )
    from binance_dust.sandbox._accounts import Accounts
    from binance_dust.sandbox._amounts import Amount
    from binance_dust.sandbox._faults import Faults
    from binance_dust.sandbox._keys import KeyKind
    from binance_dust.sandbox._market import Market
    from binance_dust.sandbox._requests import Seen
    from binance_dust.sandbox._rules import Mode
    from binance_dust.sandbox._server import Door

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Sandbox:
    """A local exchange, served over HTTP on loopback.

        async with Sandbox(seed=7) as exchange:
            alice = exchange.open_account("alice", ADA="6.21")
            ...  # any client at exchange.url

    `async with` serves it in the running event loop; plain `with` in a thread of its own, for code
    that blocks and for tests of any framework. `port=0` finds a free one. `clock` gives true time
    in seconds since the epoch. Everything else is a field of `Rules`.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        port: int = 0,
        host: str = "127.0.0.1",
        clock: Callable[[], float] = time.time,
        **rules: Unpack[RuleChanges],
    ) -> None:
        """Set up an exchange; it listens once entered."""
        # Rules takes amounts as they come, and keeps decimals.
        options: dict[str, Any] = dict(rules)
        self._core = Exchange(seed=seed, rules=Rules(**options), clock=clock)
        self._host = host
        self._asked_port = port
        self._port: int | None = None
        self._door: Door | None = None
        self._thread: Thread | None = None

    # Where it is

    @property
    def url(self) -> str:
        """Base URL for clients; a sandbox that isn't open has none."""
        if self._port is None:
            message = "the sandbox is not open: use it in a with statement"
            raise RuntimeError(message)
        return f"http://{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        from binance_dust.sandbox._server import Door

        if self._port is not None:
            message = "the sandbox is open already"
            raise RuntimeError(message)
        self._door = Door(self._core)
        self._port = await self._door.open(self._host, self._asked_port)
        return self

    async def __aexit__(self, *_: object) -> None:
        door, self._door, self._port = self._door, None, None
        if door is not None:
            await door.close()

    def __enter__(self) -> Self:
        thread = Thread(self)
        thread.open()
        self._thread = thread
        return self

    def __exit__(self, *_: object) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.close()

    # Who is there

    def open_account(  # noqa: PLR0913 - what an account is made of, all by keyword
        self,
        name: str | None = None,
        *,
        key: KeyKind = "hmac",
        permissions: Permissions | None = None,
        margin: Mapping[str, Amount | Holding] | bool = False,
        debts: Mapping[str, Amount | Debt] | None = None,
        funding: Mapping[str, Amount | Holding] | None = None,
        **balances: Amount | Holding,
    ) -> Credentials:
        """Open an account with these spot balances, and give its key.

        Balances are exact: `ADA="6.21"`, or `ADA=Holding("6.21", locked="1")`. `margin=True` opens
        an empty margin account, a mapping fills it; `debts` opens one that owes. An asset that the
        market doesn't know is listed at a price of cents, drawn by seed.
        """
        return self._core.accounts.open(
            name,
            balances,
            key=key,
            permissions=permissions,
            margin=margin,
            debts=debts,
            funding=funding,
        )

    def open_accounts(self, count: int) -> list[Credentials]:
        """Open a lively mix by seed: dust, odd assets, margin and debts here and there."""
        return self._core.accounts.open_many(count)

    def make_history(
        self,
        name: str,
        times: Iterable[datetime],
        *,
        target: str = "BNB",
        wallet: WalletName = "SPOT",
    ) -> tuple[Conversion, ...]:
        """Put a conversion on an account's record for each of these times, drawn by seed.

        They are in the dust log as if they had been made then. Balances stay as they are; cooldowns
        count from the newest.
        """
        account, moment = self._core.accounts[name], self._core.clock.moment()
        made = tuple(
            past.draw(
                self.seed,
                account,
                self._core.market,
                times_ms=((time - _EPOCH) // timedelta(milliseconds=1) for time in times),
                target=target,
                wallet=wallet,
                ahead=moment.server - moment.true,
            )
        )
        for conversion in made:
            account.record(conversion)
        return made

    @property
    def accounts(self) -> Accounts:
        """The open accounts; `exchange.accounts["alice"]` can be looked at and changed."""
        return self._core.accounts

    def account(self, name: str) -> Account:
        """Find an account by name."""
        return self._core.accounts[name]

    # What it is worth, and what goes wrong

    @property
    def market(self) -> Market:
        """The listed assets and their prices."""
        return self._core.market

    @property
    def faults(self) -> Faults:
        """Arms faults."""
        return self._core.faults

    @property
    def rules(self) -> Rules:
        """The choices that this exchange was opened with."""
        return self._core.rules

    @property
    def seed(self) -> int:
        """What makes it repeatable."""
        return self._core.seed

    def now(self) -> float:
        """Server time, in seconds since the epoch."""
        return self._core.clock.moment().server

    # What happened

    @property
    def requests(self) -> tuple[Seen, ...]:
        """Requests that reached the exchange, oldest first; `Rules.remember` of them at most."""
        return self._core.witness.requests()

    def requests_of(
        self, endpoint: str | None = None, *, account: str | None = None
    ) -> tuple[Seen, ...]:
        """Give the requests of one endpoint (a path, or method and path) or account."""
        return self._core.witness.requests(endpoint, account)

    def forget_requests(self) -> None:
        """Begin a new record of requests; weight, refusals and conversions stay."""
        self._core.witness.forget()

    @property
    def conversions(self) -> tuple[Conversion, ...]:
        """Conversions that were carried out, oldest first."""
        done = (item for account in self._core.accounts for item in account.conversions)
        return tuple(sorted(done, key=lambda conversion: conversion.at_ms))

    def peak_weight(
        self,
        endpoint: str | None = None,
        *,
        address: str | None = None,
        account: str | None = None,
        mode: Mode | None = None,
    ) -> int:
        """Most weight that clients asked of one pool in any one window, refused requests included.

        The windows are those that this exchange counts in, unless `mode` says otherwise. What
        `faults.spend` spent is not asked by clients, and not in it.
        """
        return self._core.peak_weight(endpoint, account or address, mode)

    def used_weight(
        self, endpoint: str, *, address: str = "127.0.0.1", account: str | None = None
    ) -> int:
        """Weight in the present window of one pool, as the next header would count on from."""
        return self._core.used_weight(endpoint, account or address)

    @property
    def refusals(self) -> int:
        """Requests answered 429 for their weight."""
        return self._core.gate.refused

    @property
    def bans(self) -> int:
        """Bans imposed on those who went on after a 429."""
        return self._core.gate.bans

    @property
    def shut_out(self) -> int:
        """Requests answered 418."""
        return self._core.gate.shut_out

    def __repr__(self) -> str:
        where = "closed" if self._port is None else f"at {self.url}"
        return f"<Sandbox {where}, {len(self.accounts)} accounts, seed {self.seed}>"
