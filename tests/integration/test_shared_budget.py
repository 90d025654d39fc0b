"""Sessions that share a budget in a real Redis, against the sandbox: killed, slow, gone, empty."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from binance_dust import (
    BudgetExceededError,
    ConfigurationError,
    Credentials,
    DustError,
    RateLimits,
    Session,
)
from binance_dust.budget import RedisBudget
from binance_dust.budget._redis import _store
from binance_dust.events import Event, SharedBudgetBack, SharedBudgetLost
from binance_dust.sandbox import Sandbox
from tests.redis_server import Server, a_server

WINDOW = 0.5
LIMITS = RateLimits(window=WINDOW)


@pytest.fixture
def server() -> Iterator[Server]:
    with a_server() as server:
        yield server


class Fleet:
    """Sessions, each with a budget of its own as if it were another process."""

    def __init__(
        self, exchange: Sandbox, sessions: list[Session], budgets: list[RedisBudget]
    ) -> None:
        self.exchange = exchange
        self.sessions = sessions
        self.budgets = budgets
        self.events: list[Event] = []
        self.back = asyncio.Event()

    def watch(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, SharedBudgetBack):
            self.back.set()

    def ask(self, accounts: list[Credentials]) -> list[Awaitable[Any]]:
        sessions = self.sessions
        clients = [sessions[n % len(sessions)].client(each) for n, each in enumerate(accounts)]
        return [client.small_liabilities() for client in clients]


@asynccontextmanager
async def a_fleet(url: str, processes: int, **changes: Any) -> AsyncIterator[Fleet]:
    options: dict[str, Any] = {"lease": 0.5, "timeout": 0.5, "limits": LIMITS, **changes}
    async with AsyncExitStack() as stack:
        exchange = await stack.enter_async_context(Sandbox(window=WINDOW))
        fleet = Fleet(exchange, [], [])
        for _ in range(processes):
            budget = await stack.enter_async_context(RedisBudget(url, **options))
            session = Session(base_url=exchange.url, budget=budget, observer=fleet.watch)
            fleet.budgets.append(budget)
            fleet.sessions.append(await stack.enter_async_context(session))
        yield fleet


def accounts_of(fleet: Fleet, count: int) -> list[Credentials]:
    return [fleet.exchange.open_account(margin=True) for _ in range(count)]


async def test_four_sessions_that_share_are_all_answered_and_never_refused(server: Server) -> None:
    async with a_fleet(server.url, 4) as fleet:
        lists = await asyncio.gather(*fleet.ask(accounts_of(fleet, 340)))

        assert len(lists) == 340
        assert fleet.exchange.refusals == 0


async def test_a_redis_that_is_killed_in_the_middle_and_comes_back_empty_costs_no_ban(
    server: Server,
) -> None:
    async with a_fleet(server.url, 3) as fleet, asyncio.timeout(60):
        scan = asyncio.gather(*fleet.ask(accounts_of(fleet, 300)))
        await asyncio.sleep(WINDOW / 2)
        server.kill()
        await asyncio.sleep(WINDOW)
        await asyncio.to_thread(server.start)

        assert len(await scan) == 300

        assert fleet.exchange.bans == 0
        kinds = [type(event) for event in fleet.events]
        assert kinds.count(SharedBudgetLost) >= 3
        assert kinds.count(SharedBudgetBack) >= 1


async def test_a_redis_that_does_not_come_back_ends_no_read(server: Server) -> None:
    async with a_fleet(server.url, 2, share=0.5) as fleet, asyncio.timeout(60):
        scan = asyncio.gather(*fleet.ask(accounts_of(fleet, 200)))
        await asyncio.sleep(WINDOW / 4)
        server.kill()

        assert len(await scan) == 200

        assert fleet.exchange.bans == 0
        assert "away" in repr(fleet.budgets[0])


async def test_a_redis_that_is_too_slow_counts_as_away(server: Server) -> None:
    async with a_slow_way(server) as way:
        async with a_fleet(f"redis://{way.address}", 1, timeout=0.1) as fleet, asyncio.timeout(60):
            client = fleet.sessions[0].client(fleet.exchange.open_account(ADA="1"))
            await client.user_assets()
            way.open.clear()

            await client.user_assets()
            assert SharedBudgetLost in [type(event) for event in fleet.events]

            way.open.set()
            await fleet.back.wait()
            await client.user_assets()
        assert fleet.exchange.refusals == 0


class SlowWay:
    """A way to Redis that can be blocked."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.open = asyncio.Event()
        self.open.set()
        self.address = ""
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_unix_connection(str(self._server.path))
        self._writers += [writer, there[1]]
        await asyncio.gather(self._pass(reader, there[1]), self._pass(there[0], writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self.open.wait()
            writer.write(data)
        writer.close()

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def a_slow_way(server: Server) -> AsyncIterator[SlowWay]:
    way = SlowWay(server)
    door = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.address = f"127.0.0.1:{door.sockets[0].getsockname()[1]}/0"
    try:
        yield way
    finally:
        way.open.set()
        way.close()
        door.close()
        await door.wait_closed()
        await asyncio.sleep(0.05)


VICTIM = """
import asyncio, sys
from binance_dust import RateLimits
from binance_dust.budget import Charge, LimitKind, RedisBudget

async def main():
    budget = RedisBudget(sys.argv[1], limits=RateLimits(window=0.5), lease=0.5)
    charge = Charge("GET /sapi/v1/margin/exchange-small-liability", LimitKind.IP, 100)
    first = await budget.admit(charge)
    first.unknown()
    batch = [asyncio.ensure_future(budget.admit(charge)) for _ in range(200)]
    await asyncio.sleep(0.2)
    print("waiting", flush=True)
    await asyncio.sleep(100)

asyncio.run(main())
"""


async def test_a_process_that_is_killed_leaves_its_share_to_the_others(server: Server) -> None:
    """Killed with calls admitted and others in line: none of them is ever settled."""
    async with a_fleet(server.url, 1) as fleet, asyncio.timeout(60):
        victim = await asyncio.create_subprocess_exec(
            sys.executable, "-c", VICTIM, server.url, stdout=asyncio.subprocess.PIPE
        )
        assert victim.stdout is not None
        assert await victim.stdout.readline() == b"waiting\n"
        scan = asyncio.gather(*fleet.ask(accounts_of(fleet, 150)))
        await asyncio.sleep(0.05)

        victim.send_signal(signal.SIGKILL)
        await victim.wait()

        assert len(await scan) == 150
        assert fleet.exchange.refusals == 0


def test_a_budget_is_used_and_closed_in_one_event_loop(server: Server) -> None:
    """Elsewhere its connection fails, which looked as if Redis was away: each loop had a share."""
    budget = RedisBudget(server.url, limits=LIMITS)

    async def ask() -> object:
        async with Session(base_url=exchange.url, limits=LIMITS, budget=budget) as session:
            return await session.client(alice).user_assets()

    with Sandbox() as exchange, asyncio.Runner() as first, asyncio.Runner() as second:
        alice = exchange.open_account("alice", ADA="1")
        first.run(ask())

        for work in (ask(), budget.refresh(), budget.close()):
            with pytest.raises(ConfigurationError, match=r"a RedisBudget .* event loop"):
                second.run(work)

        first.run(budget.close())


async def test_a_password_shows_nowhere(server: Server) -> None:
    async with (
        a_slow_way(server) as way,
        a_fleet(f"redis://:hunter2@{way.address}", 1) as fleet,
    ):
        client = fleet.sessions[0].client(fleet.exchange.open_account(ADA="1"))
        await client.user_assets()  # within the share: this Redis knows no password

        (lost, *_) = [event for event in fleet.events if isinstance(event, SharedBudgetLost)]
        assert "hunter2" not in f"{lost} {fleet.budgets[0]!r} {fleet.sessions[0]!r}"


async def test_the_user_may_bring_a_client(server: Server) -> None:
    from redis.asyncio import Redis

    made: list[Any] = []

    def connect() -> Any:
        made.append(Redis.from_url(server.url))
        return made[-1]

    async with (
        RedisBudget(connect, limits=LIMITS) as budget,
        Sandbox(window=WINDOW) as exchange,
        Session(base_url=exchange.url, budget=budget) as session,
    ):
        await session.client(exchange.open_account(ADA="1")).user_assets()
        assert [pool.used for pool in (await budget.refresh()).pools if "Asset" in pool.name]

    assert len(made) == 1


async def test_every_exception_of_a_store_becomes_an_away_error(server: Server) -> None:
    def connect() -> Any:
        raise ZeroDivisionError

    store = _store.RedisStore(connect, "x", 1.0)

    with pytest.raises(DustError, match="ZeroDivisionError"):
        await store.open("channel", print, print)
    with pytest.raises(DustError, match="not connected"):
        await store.call("load")


async def test_funds_are_not_moved_while_redis_is_away(server: Server) -> None:
    server.kill()
    async with a_fleet(server.url, 1, funds="fail") as fleet:
        client = fleet.sessions[0].client(fleet.exchange.open_account(ADA="6.21"))
        await client.user_assets()

        with pytest.raises(BudgetExceededError, match="nothing was sent"):
            await client.dust_transfer(["ADA"])

        assert fleet.exchange.conversions == ()


async def test_a_budget_without_limits_takes_those_of_its_session(server: Server) -> None:
    async with (
        Sandbox(window=WINDOW) as exchange,
        RedisBudget(server.url) as budget,
        Session(base_url=exchange.url, limits=LIMITS, budget=budget) as session,
    ):
        accounts = [exchange.open_account(margin=True) for _ in range(150)]
        clients = [session.client(credentials) for credentials in accounts]
        async with asyncio.timeout(20):  # less than one of the usual windows
            await asyncio.gather(*[client.small_liabilities() for client in clients])
        assert exchange.refusals == 0

        with pytest.raises(ConfigurationError, match="must have the same limits"):
            Session(limits=RateLimits(headroom=0.5), budget=budget)


STOPPED = """
import asyncio, sys
from binance_dust import Credentials, RateLimits, Session
from binance_dust.budget import RedisBudget

async def main():
    limits = RateLimits(window=0.5)
    async with (
        RedisBudget(sys.argv[1], limits=limits, lease=0.5, timeout=0.5) as budget,
        Session(base_url=sys.argv[2], budget=budget) as session,
    ):
        clients = [session.client(Credentials(*each.split(":"))) for each in sys.argv[3:]]
        await clients[0].account_status()
        print("ready", flush=True)
        lists = await asyncio.gather(*[client.small_liabilities() for client in clients])
        print(len(lists), flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signal stops a process there")
async def test_a_process_that_is_stopped_and_goes_on_costs_no_refusal(server: Server) -> None:
    """It is stopped for three windows, in the middle of its scan: the others take it for dead."""
    async with a_fleet(server.url, 2) as fleet, asyncio.timeout(60):
        keys = [f"{each.api_key}:{each.secret.reveal()}" for each in accounts_of(fleet, 150)]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", STOPPED, server.url, fleet.exchange.url, *keys),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        scan = asyncio.gather(*fleet.ask(accounts_of(fleet, 300)))
        await asyncio.sleep(WINDOW * 0.7)
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(WINDOW * 3)
        process.send_signal(signal.SIGCONT)

        assert len(await scan) == 300
        assert await process.stdout.readline() == b"150\n"
        await process.wait()
        assert fleet.exchange.refusals == 0
