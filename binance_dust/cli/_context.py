"""What a command works with: its accounts, open sessions, and one question to every account."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from binance_dust.cli import _arguments
from binance_dust.cli._parser import suggestion
from binance_dust.cli._problems import ExchangeOpened, Problems
from binance_dust.cli._streams import print_stderr
from binance_dust.errors import ConfigurationError, CredentialsError, DustError

if TYPE_CHECKING:
    import argparse
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Mapping,
        Sequence,
    )

    from binance_dust._call.retry import RetryPolicy
    from binance_dust.budget import Budget, RateLimits, RedisBudget
    from binance_dust.client import DustClient
    from binance_dust.credentials import Credentials
    from binance_dust.events import Observer
    from binance_dust.models import Delistings
    from binance_dust.sandbox import Sandbox
    from binance_dust.session import Session

    WrapBudget: TypeAlias = Callable[[RedisBudget | None], Budget]
    """Makes a session's budget: around the shared one, or else around one of its own."""

R = TypeVar("R")

_EXCHANGE: Final = "https://api.binance.com"
_SANDBOX_SEED: Final = 7
_ACCOUNTS_VARIABLE: Final = "BINANCE_DUST_ACCOUNTS"
_KEY_VARIABLE: Final = "BINANCE_API_KEY"
_REDIS_VARIABLE: Final = "BINANCE_DUST_REDIS"
_PROXY_VARIABLE: Final = "BINANCE_DUST_PROXY"
"""A URL may hold a password, and every user of a machine can read a command's arguments."""
_AT_ONCE: Final = 200
"""Accounts that are asked at once: enough to reach the limits, few enough for memory."""
_NAMED: Final = 8
"""Account names that an error lists."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose accounts, and the way to the exchange."""
    group = parser.add_argument_group(
        "accounts",
        f"From --accounts, else the file that {_ACCOUNTS_VARIABLE} names, else the environment.",
    )
    group.add_argument(
        "--accounts", metavar="FILE", help="an accounts file (TOML), one table for each account"
    )
    group.add_argument(
        "--account",
        metavar="NAME",
        action="append",
        default=[],
        help="only this account; may be repeated. Without a file, BINANCE_<NAME>_API_KEY is read",
    )
    group = parser.add_argument_group("connection")
    group.add_argument("--base-url", metavar="URL", help=f"the exchange ({_EXCHANGE})")
    group.add_argument(
        "--headroom",
        type=_arguments.part,
        default=0.0,
        metavar="PART",
        help="part of every limit that is left to other software behind this address (0)",
    )
    group.add_argument(
        "--local-addr",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="send from this address of this machine; may be repeated: accounts are spread",
    )
    group.add_argument(
        "--proxy",
        type=_arguments.open_url,
        metavar="URL",
        help=f"send through this HTTP proxy; else the URL in {_PROXY_VARIABLE}, which may hold a"
        " password",
    )
    group.add_argument(
        "--window",
        type=_arguments.seconds,
        default=60.0,
        metavar="SECONDS",
        help="length of the limits' windows; change it for sandboxes only (60)",
    )
    group.add_argument(
        "--attempts",
        type=_arguments.positive,
        metavar="N",
        help="how often a call is sent at most, where sending again is safe",
    )
    group.add_argument(
        "--redis",
        type=_arguments.open_url,
        metavar="URL",
        help="share the limits with all programs behind this address that use the same Redis;"
        f" else the URL in {_REDIS_VARIABLE}, which may hold a password",
    )
    group = parser.add_argument_group("rehearsal")
    group.add_argument(
        "--sandbox",
        action="store_true",
        help="use a local exchange: no key, no network; its books are thrown away"
        " unless --ledger names a file",
    )
    group.add_argument(
        "--sandbox-accounts",
        type=_arguments.positive,
        default=5,
        metavar="N",
        help="number of accounts in the sandbox (5)",
    )


# --- accounts ------------------------------------------------------------------------------------


def _all_accounts(options: argparse.Namespace) -> tuple[Sequence[Credentials], bool]:
    """Give the accounts that there are, and tell whether these are all."""
    from binance_dust.credentials import Credentials

    path = options.accounts or os.environ.get(_ACCOUNTS_VARIABLE)
    if path:
        return Credentials.load(path), True
    if options.account:
        names = _once(options.account)
        return [Credentials.from_env(name) for name in names], False
    if not os.environ.get(_KEY_VARIABLE):
        raise ConfigurationError(
            "no accounts: give --accounts FILE, or set BINANCE_API_KEY and BINANCE_API_SECRET,"
            " or try it with --sandbox"
        )
    return [Credentials.from_env()], False


def _say_same_keys(accounts: Sequence[Credentials]) -> None:
    """Say which names have one key: their account would be asked, and counted, twice."""
    by_key: dict[str, list[str]] = {}
    for account in accounts:
        by_key.setdefault(account.api_key, []).append(str(account.name))
    for names in by_key.values():
        if len(names) > 1:
            print_stderr(f"{' and '.join(names)} have the same key, so they are one account")


def names_accounts(options: argparse.Namespace) -> bool:
    """Tell whether the options or the environment name accounts."""
    given = options.sandbox or options.accounts or options.account
    return bool(given or any(map(os.environ.get, (_ACCOUNTS_VARIABLE, _KEY_VARIABLE))))


def _choose(accounts: Sequence[Credentials], names: Sequence[str]) -> Sequence[Credentials]:
    """Choose accounts by name; without names, all of them."""
    if not names:
        return accounts
    by_name = {account.name: account for account in accounts}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        known = [str(name) for name in by_name]
        rest = len(known) - _NAMED
        more = f" and {rest} more" if rest > 0 else ""
        raise ConfigurationError(
            f"no account {', '.join(map(repr, unknown))}{suggestion(unknown[0], known)};"
            f" there are {', '.join(known[:_NAMED])}{more}"
        )
    return [by_name[name] for name in _once(names)]


def _once(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))


# --- sessions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CommandContext:
    """A command's accounts on open sessions, one session for each outgoing address."""

    clients: Sequence[DustClient]
    sessions: Mapping[Session, str | None]
    """Each session with its local address; `None` if the system chooses."""
    base_url: str
    names: frozenset[str] | None = None
    """All accounts that there are, also those not chosen; `None` if that is not known."""

    @property
    def rehearsal(self) -> bool:
        """Whether the exchange is on this machine."""
        return any(session.is_local for session in self.sessions)

    def client_per_session(self) -> list[DustClient]:
        """Give the first client of each session."""
        first: dict[Session, DustClient] = {}
        for client in self.clients:
            first.setdefault(client.session, client)
        return list(first.values())


@asynccontextmanager
async def open_context(
    options: argparse.Namespace,
    *,
    observer: Observer | None = None,
    retry: RetryPolicy | None = None,
    wrap_budget: WrapBudget | None = None,
    with_history: bool = False,
) -> AsyncIterator[CommandContext]:
    """Open the accounts and sessions that the options name, and close them at the end.

    `with_history` converts and exchanges something first, if it is a sandbox.
    """
    from binance_dust._call.retry import RetryPolicy
    from binance_dust.budget import RateLimits
    from binance_dust.session import Session

    async with AsyncExitStack() as stack:
        exchange: Sandbox | None = None
        everyone: Sequence[Credentials]
        complete = True
        if options.sandbox:
            exchange, everyone = await _open_sandbox(options, stack)
        else:
            everyone, complete = _all_accounts(options)
            _say_same_keys(everyone)
        accounts = _choose(everyone, options.account)
        names = frozenset(str(each.name) for each in everyone) if complete else None
        base_url = exchange.url if exchange else options.base_url or _EXCHANGE
        if observer is None:
            observer = problems = Problems()
            stack.callback(problems.end)
        observer(ExchangeOpened(base_url))
        limits = RateLimits(headroom=options.headroom, window=options.window)
        policy = retry or RetryPolicy()
        if options.attempts is not None:
            policy = replace(policy, attempts=options.attempts)
        proxy = options.proxy or (None if exchange else os.environ.get(_PROXY_VARIABLE))
        sessions: dict[Session, str | None] = {}
        for address in dict.fromkeys(options.local_addr) or (None,):
            session = Session(
                base_url=base_url,
                limits=limits,
                proxy=proxy,
                local_addr=address,
                observer=observer,
                retry=policy,
                budget=_make_budget(options, limits, address, stack, wrap_budget),
            )
            sessions[await stack.enter_async_context(session)] = address
        turns = zip(accounts, cycle(sessions), strict=False)
        clients = [session.client(credentials) for credentials, session in turns]
        if exchange and with_history:
            await asyncio.gather(*map(_make_history, clients))
        yield CommandContext(clients, sessions, base_url, names)


def _make_budget(
    options: argparse.Namespace,
    limits: RateLimits,
    address: str | None,
    stack: AsyncExitStack,
    wrap: WrapBudget | None,
) -> Budget | None:
    """Make a session's budget, closed after the session; `None` if the session's own will do."""
    url = options.redis or (None if options.sandbox else os.environ.get(_REDIS_VARIABLE))
    shared: RedisBudget | None = None
    if url:
        from binance_dust.budget import RedisBudget

        shared = RedisBudget(url, limits=limits, name=address or "default")
    budget = wrap(shared) if wrap else shared
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
    return exchange, exchange.open_accounts(options.sandbox_accounts)


async def _make_history(client: DustClient) -> None:
    """Convert a little dust and exchange a debt, so that a sandbox has a history to show."""
    dust = await client.dust_assets()
    if dust.details:
        await client.dust_transfer([row.asset for row in dust.details[:2]])
    if (await client.account_info()).is_margin_enabled:
        debts = await client.small_liabilities()
        if debts:
            await client.exchange_small_liabilities([debts[0].asset])


async def read_delistings(context: CommandContext, wanted: bool) -> Delistings | None:  # noqa: FBT001 - an option
    """Read once for all accounts what will be delisted, if it is wanted: by a key that works."""
    from binance_dust.scanner._account import DeskSchedules

    schedules = DeskSchedules(wanted)
    for client in context.clients if wanted else ():
        try:
            return await schedules.of(client)
        except CredentialsError:
            if client is context.clients[-1]:
                raise
    return None


# --- one question to every account ---------------------------------------------------------------


async def ask_each(
    clients: Iterable[DustClient],
    ask: Callable[[DustClient], Awaitable[R]],
    at_once: int = _AT_ONCE,
) -> AsyncGenerator[tuple[DustClient, R | DustError]]:
    """Ask every account, `at_once` at a time, and yield the answers in the order of the accounts.

    An error is the answer of its account, and stops no other.
    """
    todo = iter(clients)
    running: deque[tuple[DustClient, asyncio.Task[R | DustError]]] = deque()

    def start(most: int) -> None:
        for client in islice(todo, most):
            running.append((client, asyncio.create_task(_answer_or_error(ask, client))))

    try:
        start(at_once)
        while running:
            client, task = running[0]
            answer = await task
            running.popleft()
            start(1)
            yield client, answer
    finally:
        for _, task in running:
            task.cancel()
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)


async def _answer_or_error(
    ask: Callable[[DustClient], Awaitable[R]], client: DustClient
) -> R | DustError:
    try:
        return await ask(client)
    except DustError as error:
        return error
