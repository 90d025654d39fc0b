"""The accounts of a command, on sessions that are open while it runs."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import cycle
from typing import TYPE_CHECKING, Final

from binance_dust._call.retry import RetryPolicy
from binance_dust.budget import RateLimits
from binance_dust.cli import _accounts, _arguments
from binance_dust.cli._events import tell
from binance_dust.cli._overheard import Overheard
from binance_dust.errors import ConfigurationError
from binance_dust.session import Session

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Mapping, Sequence

    from binance_dust.budget import Budget, RedisBudget
    from binance_dust.client import DustClient
    from binance_dust.credentials import Credentials
    from binance_dust.events import Observer
    from binance_dust.sandbox import Sandbox

_USUAL: Final = "https://api.binance.com"
_SANDBOX_SEED: Final = 7
REDIS_VARIABLE: Final = "BINANCE_DUST_REDIS"
"""A URL may hold a password, and everybody on a machine can read a command's arguments."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how accounts are chosen, and how they reach the exchange."""
    _accounts.add_arguments(parser)
    group = parser.add_argument_group("connection")
    group.add_argument("--base-url", metavar="URL", help=f"the exchange ({_USUAL})")
    group.add_argument(
        "--headroom",
        type=_arguments.part,
        default=0.0,
        metavar="PART",
        help="of every limit, left to other software behind this address (0)",
    )
    group.add_argument(
        "--local-addr",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="go out by this address of this machine; accounts are spread over several",
    )
    group.add_argument("--proxy", metavar="URL", help="go out by this HTTP proxy")
    group.add_argument(
        "--window",
        type=_arguments.seconds,
        default=60.0,
        metavar="SECONDS",
        help="length of the limits' windows, shorter for sandboxes only (60)",
    )
    group.add_argument(
        "--attempts",
        type=_arguments.some,
        metavar="N",
        help="how often a call is sent before it has failed, where that is safe",
    )
    group.add_argument(
        "--redis",
        metavar="URL",
        help="share the limits with all programs behind this address that name the same Redis;"
        f" else the one that {REDIS_VARIABLE} names",
    )
    group = parser.add_argument_group("rehearsal")
    group.add_argument(
        "--sandbox",
        action="store_true",
        help="a local exchange of its own: no key, no network, and books that are thrown away"
        " unless --ledger names a file",
    )
    group.add_argument(
        "--sandbox-accounts",
        type=_arguments.some,
        default=5,
        metavar="N",
        help="how many accounts it has (5)",
    )


@dataclass(frozen=True, slots=True)
class Desk:
    """Accounts on open sessions, a session for each outgoing address."""

    clients: Sequence[DustClient]
    sessions: Mapping[Session, str | None]
    """Each with its local address, `None` where the system chooses."""
    base_url: str


@asynccontextmanager
async def open_desk(
    options: argparse.Namespace,
    *,
    observer: Observer | None = None,
    retry: RetryPolicy | None = None,
    listen: bool = False,
    lived: bool = False,
) -> AsyncIterator[Desk]:
    """Open what the options ask for, and close it in the end.

    With `listen` every session's budget is an `Overheard`. A sandbox that has `lived` holds a
    history: something was converted and exchanged before.
    """
    async with AsyncExitStack() as stack:
        exchange: Sandbox | None = None
        accounts: Sequence[Credentials]
        if options.sandbox:
            exchange, accounts = await _open_sandbox(options, stack)
        else:
            accounts = _accounts.find_accounts(options)
        base_url = exchange.url if exchange else options.base_url or _USUAL
        limits = RateLimits(headroom=options.headroom, window=options.window)
        policy = retry or RetryPolicy()
        if options.attempts is not None:
            policy = replace(policy, attempts=options.attempts)
        sessions: dict[Session, str | None] = {}
        for address in dict.fromkeys(options.local_addr) or (None,):
            budget = _budget(options, limits, address, stack, listen=listen)
            session = Session(
                base_url=base_url,
                limits=limits,
                proxy=options.proxy,
                local_addr=address,
                observer=observer or tell,
                retry=policy,
                budget=budget,
            )
            sessions[await stack.enter_async_context(session)] = address
        turns = zip(accounts, cycle(sessions), strict=False)
        clients = [session.client(credentials) for credentials, session in turns]
        if exchange and lived:
            await asyncio.gather(*map(_live, clients))
        yield Desk(clients, sessions, base_url)


def _budget(
    options: argparse.Namespace,
    limits: RateLimits,
    address: str | None,
    stack: AsyncExitStack,
    *,
    listen: bool,
) -> Budget | None:
    """Make a session's budget, closed after the session; `None` where its own will do."""
    url = options.redis or (None if options.sandbox else os.environ.get(REDIS_VARIABLE))
    shared: RedisBudget | None = None
    if url:
        from binance_dust.budget import RedisBudget

        shared = RedisBudget(url, limits=limits, name=address or "default")
    budget = Overheard(shared) if listen else shared
    if budget is not None:
        stack.push_async_callback(budget.close)
    return budget


async def _open_sandbox(
    options: argparse.Namespace, stack: AsyncExitStack
) -> tuple[Sandbox, Sequence[Credentials]]:
    for name in ("accounts", "base_url", "proxy", "redis"):
        if getattr(options, name):
            flag = f"--{name.replace('_', '-')}"
            raise ConfigurationError(f"--sandbox brings its own exchange: leave out {flag}")
    from binance_dust.sandbox import Sandbox

    exchange = await stack.enter_async_context(Sandbox(seed=_SANDBOX_SEED, window=options.window))
    accounts = exchange.open_accounts(options.sandbox_accounts)
    return exchange, _accounts.choose(accounts, options.account)


async def _live(client: DustClient) -> None:
    """Convert a little dust and exchange a debt, so that a sandbox has something to show."""
    dust = await client.dust_assets()
    if dust.details:
        await client.dust_transfer([row.asset for row in dust.details[:2]])
    if (await client.account_info()).is_margin_enabled:
        debts = await client.small_liabilities()
        if debts:
            await client.exchange_small_liabilities([debts[0].asset])
