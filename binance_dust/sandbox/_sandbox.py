"""`Sandbox`: the exchange as a test opens it, fills it, breaks it and reads it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

from binance_dust.sandbox._accounts import draw_history
from binance_dust.sandbox._exchange import Exchange
from binance_dust.sandbox._requests import is_loopback
from binance_dust.sandbox._rules import RuleChanges, Rules

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
    from binance_dust.sandbox._accounts import OpenAccounts
    from binance_dust.sandbox._amounts import Amount
    from binance_dust.sandbox._faults import Faults
    from binance_dust.sandbox._keys import KeyKind
    from binance_dust.sandbox._market import Market
    from binance_dust.sandbox._requests import Seen
    from binance_dust.sandbox._rules import WindowMode
    from binance_dust.sandbox._server import HttpServer, LoopThread

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Sandbox:
    """A local exchange, served over HTTP on loopback.

        async with Sandbox(seed=7) as exchange:
            alice = exchange.open_account("alice", ADA="6.21")
            ...  # any client at exchange.url

    `async with` serves it in the running event loop. Plain `with` serves it in a thread of its own,
    for code that blocks and for tests of any framework. `port=0` picks a free port. `clock` gives
    true time in seconds since the epoch. Every other argument is a field of `Rules`.

    It is for this machine: another `host` than a loopback address is refused, unless `exposed=True`
    says that the whole network may use it. `control=True` takes faults over HTTP, at
    `/sandbox/faults`.
    """

    def __init__(  # noqa: PLR0913 - the public face, all by keyword
        self,
        *,
        seed: int = 0,
        port: int = 0,
        host: str = "127.0.0.1",
        exposed: bool = False,
        control: bool = False,
        clock: Callable[[], float] = time.time,
        **rules: Unpack[RuleChanges],
    ) -> None:
        """Set up an exchange; it listens once the sandbox is entered."""
        # `Rules` converts amounts to decimals by itself.
        options: dict[str, Any] = dict(rules)
        self._core = Exchange(seed=seed, rules=Rules(**options), clock=clock)
        if not (exposed or is_loopback(host)):
            message = f"{host!r} is open to the network: say exposed=True if you mean it"
            raise ValueError(message)
        self._host = host
        self._exposed = exposed
        self._control = control
        self._asked_port = port
        self._port: int | None = None
        self._server: HttpServer | None = None
        self._thread: LoopThread | None = None

    # Opening and closing

    @property
    def url(self) -> str:
        """Base URL for clients; raises `RuntimeError` while the sandbox is not open."""
        if self._port is None:
            message = "the sandbox is not open: use it in a with statement"
            raise RuntimeError(message)
        return f"http://{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        from binance_dust.sandbox._server import HttpServer

        if self._port is not None:
            message = "the sandbox is open already"
            raise RuntimeError(message)
        from binance_dust.sandbox._control import FaultControl

        control = FaultControl(self._core.faults) if self._control else None
        self._server = HttpServer(self._core, exposed=self._exposed, control=control)
        self._port = await self._server.open(self._host, self._asked_port)
        return self

    async def __aexit__(self, *_: object) -> None:
        server, self._server, self._port = self._server, None, None
        if server is not None:
            await server.close()

    def __enter__(self) -> Self:
        from binance_dust.sandbox._server import LoopThread

        thread = LoopThread(self)
        thread.open()
        self._thread = thread
        return self

    def __exit__(self, *_: object) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.close()

    # Accounts

    def open_account(  # noqa: PLR0913 - the parts of an account, all by keyword
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
        an empty margin account, a mapping opens one with these balances, and `debts` one with
        debts. An asset that is not listed yet gets a price of cents, drawn by seed.
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
        """Open accounts with random balances by seed; some have odd assets, margin or debts."""
        return self._core.accounts.open_many(count)

    def add_key(
        self, account: str, *, name: str | None = None, key: KeyKind = "hmac"
    ) -> Credentials:
        """Make one more key of an open account; `name` is the name of these credentials."""
        return self._core.accounts.add_key(account, label=name, key=key)

    def remove_key(self, credentials: Credentials) -> None:
        """Take a key away, as its owner would on the website: requests with it are refused."""
        self._core.accounts.remove_key(credentials.api_key)

    def make_history(
        self,
        name: str,
        times: Iterable[datetime],
        *,
        target: str = "BNB",
        wallet: WalletName = "SPOT",
    ) -> tuple[Conversion, ...]:
        """Add a random conversion, drawn by seed, to an account's record for each of these times.

        They show in the dust log as if they had been made then. Balances do not change. Cooldowns
        count from the newest conversion.
        """
        account, now = self._core.accounts[name], self._core.clock.now()
        made = tuple(
            draw_history(
                self.seed,
                account,
                self._core.market,
                times_ms=((time - _EPOCH) // timedelta(milliseconds=1) for time in times),
                target=target,
                wallet=wallet,
                ahead=now.server - now.true,
            )
        )
        for conversion in made:
            account.record(conversion)
        return made

    def delist(self, asset: str, at: datetime) -> None:
        """Announce that an asset will be delisted: it shows in both schedules until then."""
        if asset not in self.market:
            self.market.list_asset(asset)
        self.market.delistings[asset] = (at - _EPOCH) // timedelta(milliseconds=1)

    @property
    def accounts(self) -> OpenAccounts:
        """The open accounts; a test may read and change `exchange.accounts["alice"]`."""
        return self._core.accounts

    def account(self, name: str) -> Account:
        """Find an account by name."""
        return self._core.accounts[name]

    # Market, faults, rules and time

    @property
    def market(self) -> Market:
        """The listed assets and their prices."""
        return self._core.market

    @property
    def faults(self) -> Faults:
        """Makes things go wrong."""
        return self._core.faults

    @property
    def rules(self) -> Rules:
        """The settings that this exchange was opened with."""
        return self._core.rules

    @property
    def seed(self) -> int:
        """The seed: the same seed gives the same accounts, keys, balances and prices."""
        return self._core.seed

    def now(self) -> float:
        """Server time, in seconds since the epoch."""
        return self._core.clock.now().server

    # What happened

    @property
    def requests(self) -> tuple[Seen, ...]:
        """Requests that reached the exchange, oldest first; at most `Rules.remember`."""
        return self._core.requests.of()

    def requests_of(
        self, endpoint: str | None = None, *, account: str | None = None
    ) -> tuple[Seen, ...]:
        """Give the requests of one endpoint (a path, or method and path) or account."""
        return self._core.requests.of(endpoint, account)

    def forget_requests(self) -> None:
        """Empty the record of requests; weight, refusals and conversions stay."""
        self._core.requests.forget()

    @property
    def conversions(self) -> tuple[Conversion, ...]:
        """Executed conversions of all accounts, oldest first."""
        done = (item for account in self._core.accounts for item in account.conversions)
        return tuple(sorted(done, key=lambda conversion: conversion.at_ms))

    def peak_weight(
        self,
        endpoint: str | None = None,
        *,
        address: str | None = None,
        account: str | None = None,
        mode: WindowMode | None = None,
    ) -> int:
        """Most weight that clients asked of one pool in any one window, refused requests included.

        Windows are fixed or sliding as `mode` says; by default, as this exchange counts. Weight of
        `faults.spend` is not included, since no client asked for it.
        """
        return self._core.peak_weight(endpoint, account or address, mode)

    def used_weight(
        self, endpoint: str, *, address: str = "127.0.0.1", account: str | None = None
    ) -> int:
        """Weight in the present window of one pool, from which the next header counts on."""
        return self._core.used_weight(endpoint, account or address)

    @property
    def refusals(self) -> int:
        """Requests answered 429 for their weight."""
        return self._core.limits.refused

    @property
    def bans(self) -> int:
        """Bans for too many requests after a 429."""
        return self._core.limits.bans

    @property
    def shut_out(self) -> int:
        """Requests answered 418."""
        return self._core.limits.shut_out

    def __repr__(self) -> str:
        where = "closed" if self._port is None else f"at {self.url}"
        return f"<Sandbox {where}, {len(self.accounts)} accounts, seed {self.seed}>"
