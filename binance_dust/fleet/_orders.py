"""Orders to move funds, as a worker carries them out: at most once each.

An order is handed out to be carried out a single time, to a single life of a single worker. If that
worker is lost, the next one is asked what became of it, and finds out by reading: from the ledger
that both share, and from the exchange where the ledger has an open entry. It sends nothing.
"""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from binance_dust.conversion import Converter
from binance_dust.errors import DustError, GuardError
from binance_dust.ledger import Claim, account_of
from binance_dust.sweeper import Outcome, SweepReport, sweep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from binance_dust.client import DustClient
    from binance_dust.ledger import Ledger, LedgerEntry

__all__ = ["carry_out", "find_out", "identity"]

_CLAIM: Final = timedelta(seconds=90)
_CLAIMS: Final = 3
"""Times that a claim is tried for."""
_CLOCKS: Final = timedelta(seconds=2)
"""By how much the clock that a worker told, and the ledger's, may differ."""
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


def identity(ledger: Ledger) -> str:
    """Say which ledger this is: a file, of a machine that is up.

    Not a name and not a mark inside of the file: a copy on another host is another ledger, and the
    same file in two containers is the same one. So is no file over a network, where SQLite's locks
    can't be trusted.
    """
    if ledger.path == ":memory:":
        return f"memory:{os.getpid()}:{id(ledger):x}"
    found = os.stat(ledger.path)  # noqa: PTH116 - the file is open already
    try:
        machine = _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        machine = platform.node()
    return f"{machine}:{found.st_dev:x}:{found.st_ino:x}"


async def carry_out(
    client: DustClient, ledger: Ledger, asks: dict[str, Any], *, may_begin: Callable[[], None]
) -> SweepReport:
    """Settle, quote, guard and convert; `may_begin` is asked last, and raises if it is too late."""
    asks = dict(asks)
    wallet = asks.pop("account_type")

    def choose(plan: Any) -> Any:
        may_begin()
        return plan

    reports = sweep([client], ledger=ledger, account_types=(wallet,), choose=choose, **asks)
    async with reports:
        return await anext(reports)


async def find_out(
    client: DustClient, ledger: Ledger, asks: dict[str, Any], since: float
) -> SweepReport:
    """Find out what became of an order that another worker was lost with; nothing is sent."""
    settled: list[LedgerEntry] = []
    error: DustError | None
    try:
        settled = await _settled(client, ledger, asks, since)
        if not settled:
            # If it lives after all, it may be about to write its intent: not past this.
            async with _alone(client, ledger):
                settled = await _settled(client, ledger, asks, since)
        outcome, error = _judge(settled)
    except DustError as problem:
        outcome, error = Outcome.UNKNOWN, problem
    return SweepReport(
        account=client.name,
        what="dust",
        account_type=asks["account_type"],
        target=asks.get("target", "BNB"),
        outcome=outcome,
        at=client.session.now(),
        settled=tuple(settled),
        error=error,
    )


def _judge(entries: list[LedgerEntry]) -> tuple[Outcome, DustError | None]:
    if any(entry.open for entry in entries):
        return Outcome.UNKNOWN, None
    if any(entry.status == "confirmed" for entry in entries):
        return Outcome.CONVERTED, None
    if entries:
        return Outcome.FAILED, None
    reason = "its worker was lost before it sent anything: order it again if you still want it"
    return Outcome.STOPPED, GuardError(reason)


async def _settled(
    client: DustClient, ledger: Ledger, asks: dict[str, Any], since: float
) -> list[LedgerEntry]:
    """Settle what is open, and give everything that was begun since then."""
    await Converter(client, ledger=ledger, account_type=asks["account_type"]).recover()
    begin = datetime.fromtimestamp(since, tz=UTC) - _CLOCKS
    return [entry async for entry in ledger.entries(account=account_of(client), since=begin)]


@asynccontextmanager
async def _alone(client: DustClient, ledger: Ledger) -> AsyncIterator[None]:
    """Keep everybody from converting; who died while at it is waited for, a minute and a half."""
    claim = Claim(account_of(client), "convert", secrets.token_hex(8))
    for tries_left in reversed(range(_CLAIMS)):
        try:
            await ledger.claim(claim, now=client.session.now(), length=_CLAIM)
            break
        except GuardError as error:
            if error.retry_at is None or not tries_left:
                raise
            left = (error.retry_at - client.session.now()).total_seconds()
            await asyncio.sleep(max(0.0, left) + 0.1)
    try:
        yield
    finally:
        await ledger.release(claim)
