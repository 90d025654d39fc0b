"""A desk's dust as a web service: its accounts, its budgets, and a sweep every week.

curl localhost:8080/accounts    every account as a line of JSON, as soon as it is read
curl localhost:8080/health      budgets, counts of events, results of the sweeps
"""

# As it is, this serves a local exchange: no key, no network, no file. For your own accounts, write
# accounts.toml (the page "Keep keys" says how), and at the end give `service` only
# Credentials.load("accounts.toml"). Note that it converts, and that it asks for no password: let it
# listen where only the right people can reach it.

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from binance_dust import DustClient, Ledger, RetryPolicy, Session, scan, sweep
from binance_dust.events import Answered, Banned, Event, Refused, Retried
from binance_dust.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from binance_dust import Credentials

log = logging.getLogger("service")

# Seconds. A call that can't get its weight in time fails at once, and says when it could get it. A
# sweep comes back to such an account within the hour.
ONE_CALL = RetryPolicy(deadline=5.0, max_wait=5.0)
ONE_REQUEST = 20.0


@dataclass
class Desk:
    """Shared by all requests: one session for the address, its accounts, and their books."""

    session: Session
    clients: list[DustClient]
    ledger: Ledger
    counts: Counter[str]
    swept: Counter[str] = field(default_factory=Counter)
    sweeping: asyncio.Task[None] | None = None


DESK = web.AppKey("DESK", Desk)


async def accounts(request: web.Request) -> web.StreamResponse:
    """Scan all accounts, and write each as soon as it is read."""
    desk = request.app[DESK]
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    done = with_errors = 0
    try:
        # The timeout is outside, so that leaving the scan stops it.
        async with asyncio.timeout(ONE_REQUEST), scan(desk.clients) as reports:
            async for report in reports:
                await response.write(msgspec.json.encode(report.to_plain()) + b"\n")
                done += 1
                with_errors += not report.ok
    except TimeoutError:
        log.warning("%d of %d accounts in %g s", done, len(desk.clients), ONE_REQUEST)
    # The status was sent long ago, so the last line says whether all accounts were read.
    complete = done == len(desk.clients) and not with_errors
    last = {"done": done, "with_errors": with_errors, "complete": complete}
    await response.write(msgspec.json.encode(last) + b"\n")
    return response


async def health(request: web.Request) -> web.Response:
    """Show the state to an operator. The status is 503 during a ban, or if the sweep has ended."""
    desk = request.app[DESK]
    budget = desk.session.budget.snapshot()
    sweeping = desk.sweeping is not None and not desk.sweeping.done()
    body = {
        "sweeping": sweeping,
        "swept": desk.swept,
        "counts": desk.counts,
        "shut_for": budget.shut_for,
        # The pools of the address. Each account has its own pools too, for calls that move funds.
        "budget": [pool for pool in budget.pools if pool.account is None],
    }
    return web.Response(
        body=msgspec.json.encode(body),
        content_type="application/json",
        status=200 if sweeping and not budget.shut_for else 503,
    )


async def keep_clean(desk: Desk) -> None:
    """Convert every account's dust each week, or later if the account is still cooling down."""
    week = timedelta(days=7)
    try:
        # Leaving it starts nothing new, and waits for the conversions that are under way.
        async with sweep(desk.clients, ledger=desk.ledger, dry_run=False, every=week) as reports:
            async for report in reports:
                desk.swept[report.outcome] += 1
                log.info("%s", report)
    except Exception:
        log.exception("the sweep has ended")  # otherwise a task that dies is silent
        raise


def service(
    credentials: Sequence[Credentials],
    *,
    base_url: str = "https://api.binance.com",
    ledger: str = "dust.db",
) -> web.Application:
    """Build the application. Nothing is opened before it starts."""

    async def desk(app: web.Application) -> AsyncIterator[None]:
        counts: Counter[str] = Counter()

        def count(event: Event) -> None:  # with OpenTelemetry: binance_dust.telemetry.Telemetry()
            match event:
                case Answered(status=status):
                    counts[f"answered {status}"] += 1
                case Retried() | Refused() | Banned():
                    counts[type(event).__name__.lower()] += 1

        async with (
            Session(base_url=base_url, retry=ONE_CALL, observer=count) as session,
            Ledger(ledger) as books,
        ):
            clients = [session.client(each) for each in credentials]
            app[DESK] = Desk(session, clients, books, counts)
            yield

    async def cleaning(app: web.Application) -> AsyncIterator[None]:
        task = app[DESK].sweeping = asyncio.create_task(keep_clean(app[DESK]))
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    app = web.Application()
    app.cleanup_ctx.extend([desk, cleaning])  # closed in the opposite order
    app.add_routes([web.get("/accounts", accounts), web.get("/health", health)])
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    with Sandbox(seed=7) as exchange:
        app = service(exchange.open_accounts(10), base_url=exchange.url, ledger=":memory:")
        web.run_app(
            app,
            host="127.0.0.1",
            port=int(os.environ.get("PORT", "8080")),
            handler_cancellation=True,  # stop a request whose user has gone away
        )
