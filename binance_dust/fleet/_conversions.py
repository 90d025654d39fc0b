"""A worker's part of a sweep: conversions, at most once each, and their reports as plain values.

A conversion is ordered from one worker, once. If that worker is lost, the next one has to find out
the outcome by reading: in the ledger that both share, and at the exchange if the ledger has an open
entry. It sends nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import os
import platform
import types
from collections.abc import Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from binance_dust._util.plain import answer_from_plain, error_from_plain, plain
from binance_dust.conversion import (
    Converter,
    LiabilityExchanger,
    LiabilityQuote,
    Quote,
    Receipt,
    Skipped,
)
from binance_dust.conversion._account import CLAIM_LENGTH, AccountContext
from binance_dust.endpoints import AccountType
from binance_dust.errors import DustError, GuardError
from binance_dust.ledger import Kind, LedgerEntry, LedgerLine, account_of
from binance_dust.ledger._entry import funds_of
from binance_dust.models import LastChance
from binance_dust.sweeper import Outcome, SweepReport, sweep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from binance_dust.client import DustClient
    from binance_dust.fleet._options import ConvertOptions
    from binance_dust.ledger import Ledger
    from binance_dust.sweeper import SweepRules

__all__ = [
    "convert",
    "find_outcome",
    "ledger_identity",
    "report_from_plain",
    "report_to_plain",
    "stopped",
]

_LONGEST_WAIT: Final = 3 * CLAIM_LENGTH.total_seconds()
"""Seconds to wait for an account that others work on, one after the other."""
_LOOK_BACK: Final = 100
"""Entries among which the newest conversion is looked for."""
_BETWEEN_LOOKS: Final = 0.5
"""Seconds until it is seen that they are done, or dead."""
_CLOCKS: Final = timedelta(seconds=2)
"""How far the clocks of a worker's status and of the ledger may be apart."""
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


def ledger_identity(ledger: Ledger) -> str:
    """Give the identity of a ledger: its file, on this machine since it was started.

    Neither a name nor a mark inside of the file would do: a copy on another host is another ledger,
    and one file in two containers is the same. A file over a network has another identity on each
    host, since SQLite's locks can't be trusted there.
    """
    if ledger.path == ":memory:":
        return f"memory:{os.getpid()}:{id(ledger):x}"
    found = os.stat(ledger.path)  # noqa: PTH116 - the file is open already
    try:
        machine = _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        machine = platform.node()
    return f"{machine}:{found.st_dev:x}:{found.st_ino:x}"


async def convert(
    client: DustClient,
    ledger: Ledger,
    asked: ConvertOptions,
    rules: SweepRules,
    *,
    check: Callable[[], None],
) -> SweepReport:
    """Settle, quote, guard and convert; `check` is called last, and raises if it is too late."""

    def choose(plan: Any) -> Any:
        check()
        return plan

    if (later := await _not_yet(client, ledger, asked)) is not None:
        return later
    of_debts = asked.what == "liabilities"
    reports = sweep(
        [client],
        ledger=ledger,
        account_types=() if of_debts else (asked.account_type,),
        liabilities=of_debts,
        dry_run=asked.dry_run,
        choose=choose,
        **rules,
    )
    async with reports:
        return await anext(reports)


async def _not_yet(client: DustClient, ledger: Ledger, asked: ConvertOptions) -> SweepReport | None:
    """Report an account that converted too recently: a fleet that restarted does not know that."""
    if not asked.every:
        return None
    newest = ledger.entries(
        account=account_of(client), status="confirmed", newest_first=True, limit=_LOOK_BACK
    )
    done = [entry.at async for entry in newest if entry.funds == _funds_of(asked)]
    due = done[0] + timedelta(seconds=asked.every) if done else None
    if due is None or due <= client.session.now():
        return None
    return _report(client, asked, Outcome.RESTING, next_at=due)


async def find_outcome(
    client: DustClient, ledger: Ledger, asked: ConvertOptions, since: float
) -> SweepReport:
    """Find out the outcome of a conversion that was handed to a lost worker; sends nothing."""
    settled: list[LedgerEntry] = []
    error: DustError | None
    try:
        settled = await _settled(client, ledger, asked, since)
        if not settled:
            # If that worker is alive after all, the claim keeps it from beginning.
            async with _claimed(client, ledger):
                settled = await _settled(client, ledger, asked, since)
        outcome, error = _outcome_of(settled)
    except DustError as problem:
        outcome, error = Outcome.UNKNOWN, problem
    return _report(
        client,
        asked,
        outcome,
        settled=tuple(entry for entry in settled if not entry.open),
        unsettled=tuple(entry for entry in settled if entry.open),
        error=error,
    )


def stopped(client: DustClient, asked: ConvertOptions, error: DustError) -> SweepReport:
    """Report that nothing was done, because a rule of the worker forbids it."""
    return _report(client, asked, Outcome.STOPPED, error=error)


def _report(
    client: DustClient, asked: ConvertOptions, outcome: Outcome, **more: Any
) -> SweepReport:
    return SweepReport(
        account=client.name,
        what=asked.what,
        account_type=asked.account_type,
        target=asked.target,
        outcome=outcome,
        at=client.session.now(),
        **more,
    )


def _funds_of(asked: ConvertOptions) -> str:
    kind = Kind.LIABILITIES if asked.what == "liabilities" else Kind.DUST
    return funds_of(kind, asked.account_type)


def _outcome_of(entries: list[LedgerEntry]) -> tuple[Outcome, DustError | None]:
    if left := [entry for entry in entries if entry.open]:
        stuck = all(entry.needs_resolve for entry in left)
        return (Outcome.UNKNOWABLE if stuck else Outcome.UNKNOWN), None
    if any(entry.status == "confirmed" for entry in entries):
        return Outcome.CONVERTED, None
    if entries:
        return Outcome.FAILED, None
    reason = "its worker was lost before it sent anything: order it again if you still want it"
    return Outcome.STOPPED, GuardError(reason)


async def _settled(
    client: DustClient, ledger: Ledger, asked: ConvertOptions, since: float
) -> list[LedgerEntry]:
    """Settle what is open, and give all entries since then."""
    if asked.what == "liabilities":
        await LiabilityExchanger(client, ledger=ledger).recover()
    else:
        await Converter(client, ledger=ledger, account_type=asked.account_type).recover()
    begin = datetime.fromtimestamp(since, tz=UTC) - _CLOCKS
    entries = ledger.entries(account=account_of(client), since=begin)
    return [entry async for entry in entries if entry.funds == _funds_of(asked)]


@asynccontextmanager
async def _claimed(client: DustClient, ledger: Ledger) -> AsyncIterator[None]:
    """Keep other processes from converting; wait until the one that does is done, dead or late."""
    context, elapsed = AccountContext(client, ledger), asyncio.get_running_loop().time
    await context.check_ledger()
    latest = elapsed() + _LONGEST_WAIT
    async with AsyncExitStack() as held:
        while True:
            try:
                await held.enter_async_context(context.claimed("convert"))
                break
            except GuardError:
                if elapsed() > latest:
                    raise
                await asyncio.sleep(_BETWEEN_LOOKS)
        yield


# --- reports as plain values ----------------------------------------------------------------------

_NAMES: Final[dict[str, Any]] = {
    # Names that the modules of these classes import only for type checkers.
    kind.__name__: kind
    for kind in (
        datetime, Decimal, DustError, LedgerEntry, LedgerLine, LiabilityQuote, Mapping, Quote,
        Receipt, Skipped, LastChance,
    )
} | {"AccountType": AccountType}  # fmt: skip


def report_to_plain(report: SweepReport) -> dict[str, Any]:
    """Give a report as plain values for JSON."""
    found: dict[str, Any] = _write(report)
    return found


def report_from_plain(value: dict[str, Any]) -> SweepReport:
    """Read what `report_to_plain` wrote."""
    report: SweepReport = _read(SweepReport, value)
    return report


def _write(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_write(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {name: _write(getattr(value, name)) for name in names}
    return plain(value)


def _read(hint: Any, value: Any) -> Any:  # noqa: PLR0911 - a line for each kind of value
    origin, inner = get_origin(hint), get_args(hint)
    if value is None or hint is Any or origin is Literal:
        return value
    if origin in (Union, types.UnionType):
        return _read(_choice(inner, value), value)
    if origin is tuple:
        return tuple(_read(inner[0], item) for item in value)
    if origin is Mapping:
        return {key: _read(inner[1], item) for key, item in value.items()}
    if hint is DustError:
        return error_from_plain(value)
    if hint is LastChance:
        return answer_from_plain(LastChance, value)
    if hint is datetime:
        return datetime.fromisoformat(value)
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint, localns=_NAMES)
        return hint(**{name: _read(hints[name], item) for name, item in value.items()})  # type: ignore[operator]
    if hint is Decimal or (isinstance(hint, type) and issubclass(hint, enum.Enum)):
        return hint(value)
    return value


def _choice(inner: tuple[Any, ...], value: Any) -> Any:
    """Choose a type from `X | None`, from `int | str | None`, or from the two kinds of plans."""
    kinds = [kind for kind in inner if kind is not type(None)]
    if len(kinds) == 1:
        return kinds[0]
    for kind in kinds:
        names = _field_names(kind)
        if names and names == value.keys():
            return kind
    return Any


def _field_names(kind: Any) -> set[str]:
    return (
        {each.name for each in dataclasses.fields(kind)}
        if dataclasses.is_dataclass(kind)
        else set()
    )
