"""`binance-dust doctor`: check clock, keys, accounts and budgets; settle doubts by reading."""

from __future__ import annotations

import time
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from binance_dust._call.retry import RetryPolicy
from binance_dust._call.signing import try_signature
from binance_dust._util.words import count
from binance_dust.cli import _context, _doctor_report, _probe_dust, _probe_weight, _rules
from binance_dust.cli._doctor_checks import (
    AccountAnswers,
    Finding,
    Level,
    judge_account,
    judge_clock,
    judge_delistings,
    judge_schedules,
    judge_system,
    severity,
)
from binance_dust.cli._probe import Probe, Prober, RecordingBudget, no_result
from binance_dust.errors import ConfigurationError, DeliveryError, DustError

if TYPE_CHECKING:
    import argparse
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from binance_dust.budget import PoolSnapshot
    from binance_dust.cli._context import CommandContext
    from binance_dust.client import DustClient

R = TypeVar("R")

PROBES: Final[dict[str, Probe]] = {
    probe.name: probe for module in (_probe_weight, _probe_dust) for probe in module.PROBES
}
_CLOCK_CALLS: Final = 3
"""The quickest of them is the most exact."""
_RETRY: Final = RetryPolicy(attempts=3, max_wait=10.0)
"""A user who asks what is wrong wants to know soon."""
_REFUSED: Final = frozenset({418, 429})


EXAMPLES: Final = (
    ("--accounts desk.toml", "check all accounts"),
    ("--probe list", "which doubts can be settled"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--probe",
        metavar="NAME",
        action="append",
        default=[],
        help="settle a doubt by reading; may be repeated. 'list' shows all probes, 'all' runs all",
    )
    _rules.add_option(parser)
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _context.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Check everything, and run the probes that were named."""
    printer = _doctor_report.make_printer(as_json=options.json)
    if "list" in options.probe:
        printer.probes(PROBES.values())
        return 0
    probes = _choose_probes(options.probe)
    async with _context.open_context(options, retry=_RETRY, wrap_budget=RecordingBudget) as context:
        worst = await examine(options, context, printer)
        if probes and worst is not Level.PROBLEM:
            probed = await _run_probes(context, probes, options.window, printer)
            worst = max(worst, probed, key=severity)
        printer.budgets(_used_pools(context))
        for finding in _refusals(context):
            printer.finding(finding)
    printer.end(worst)
    return 1 if worst is Level.PROBLEM else 0


# --- checks --------------------------------------------------------------------------------------


async def examine(
    options: argparse.Namespace, context: CommandContext, printer: _doctor_report.Printer
) -> Level:
    """Check the exchange, then every account if it can be reached; give the worst finding."""
    printer.exchange(context)
    levels = {Level.OK}

    def take(findings: Iterable[Finding]) -> None:
        for finding in findings:
            levels.add(finding.level)
            printer.finding(finding)

    for client in context.client_per_session():
        take(await _check_exchange(client))
    if Level.PROBLEM in levels:
        return Level.PROBLEM
    take(judge_rules(options, context.names))
    readable: dict[DustClient, bool] = {}
    async with aclosing(_context.ask_each(context.clients, _ask_account)) as answers:
        async for client, answer in answers:
            assert isinstance(answer, AccountAnswers)  # noqa: S101 - it holds its calls' errors
            printer.account(answer)
            take(judge_account(answer, client.session.now()))
            if not isinstance(answer.permissions, DustError):
                readable[client] = bool(answer.margin)
    async for finding in _check_delistings(readable):
        take([finding])
    printer.accounts_end()
    return max(levels, key=severity)


def judge_rules(options: argparse.Namespace, names: Iterable[str] | None) -> Iterator[Finding]:
    """Check the rules file: whether it can be read, and whether its accounts are there."""
    try:
        file = _rules.find_rules(options)
        file.refuse_unknown(names)
    except ConfigurationError as error:
        yield Finding(Level.PROBLEM, "rules", str(error))
        return
    if file.path is not None:
        own = count(len(file.accounts), "account")
        yield Finding(Level.OK, "rules", f"{file.path}: {own} with rules of their own")


async def _check_delistings(clients: Mapping[DustClient, bool]) -> AsyncIterator[Finding]:
    """Look for what will be delisted: the schedules once, balances only if they name anything.

    `clients` says which of them have margin.
    """
    if not clients:
        return
    delistings = await _or_error(next(iter(clients)).delistings())
    for finding in judge_schedules(delistings):
        yield finding
    if isinstance(delistings, DustError) or not delistings:
        return

    async def read_names(client: DustClient) -> dict[str, list[str]]:
        held = {"SPOT": [row.asset for row in await client.user_assets()]}
        if clients[client]:
            rows = (await client.margin_account()).user_assets
            held["MARGIN"] = [row.asset for row in rows if row.free or row.locked]
        return held

    async with aclosing(_context.ask_each(clients, read_names)) as answers:
        async for client, held in answers:
            for finding in judge_delistings(client.name, held, delistings):
                yield finding


async def _check_exchange(client: DustClient) -> list[Finding]:
    """Check the exchange's clock and status through one session."""
    try:
        readings = [await _read_clock(client) for _ in range(_CLOCK_CALLS)]
    except DustError as error:
        return [Finding(Level.PROBLEM, "connection", str(error))]
    round_trip, offset = min(readings)
    status = await _or_error(client.system_status())
    return [*judge_clock(offset, round_trip), *judge_system(status)]


async def _read_clock(client: DustClient) -> tuple[float, float]:
    """Give the round trip, and the seconds by which the exchange is ahead of this machine."""
    began, wall = time.perf_counter(), datetime.now(UTC)
    answer = await client.server_time()
    round_trip = time.perf_counter() - began
    return round_trip, (answer.server_time - wall).total_seconds() - round_trip / 2


async def _ask_account(client: DustClient) -> AccountAnswers:
    """Ask one account everything that is checked; together a weight of five.

    If nothing can be signed, nothing is asked.
    """
    signs, signature = await try_signature(client.credentials)

    async def ask(question: Callable[[], Awaitable[R]]) -> R | DustError:
        return signature if isinstance(signature, DustError) else await _or_error(question())

    return AccountAnswers(
        account=client.name,
        permissions=await ask(client.key_permissions),
        status=await ask(client.account_status),
        info=await ask(client.account_info),
        burn=await ask(client.bnb_burn),
        log=await ask(client.dust_log),
        signs=signs,
        signature=signature,
        plain_secret=client.credentials.plain_file is not None,
    )


async def _or_error(asked: Awaitable[R]) -> R | DustError:
    try:
        return await asked
    except DustError as error:
        return error


# --- probes --------------------------------------------------------------------------------------


def _choose_probes(names: Sequence[str]) -> list[Probe]:
    """Find probes by name; `all` means every probe."""
    unknown = [name for name in names if name != "all" and name not in PROBES]
    if unknown:
        raise ConfigurationError(
            f"no probe {', '.join(map(repr, unknown))}; --probe list shows them"
        )
    return [probe for name, probe in PROBES.items() if "all" in names or name in names]


async def _run_probes(
    context: CommandContext,
    probes: Sequence[Probe],
    window: float,
    printer: _doctor_report.Printer,
) -> Level:
    """Run probes one after another, each with the first account that it can use."""
    worst = Level.OK
    with_margin = None
    if any(probe.needs_margin for probe in probes):
        with_margin = await _first_with_margin(context)
    for probe in probes:
        client = with_margin if probe.needs_margin else context.clients[0]
        if client is None:
            reason = "needs an account with margin, and there is none"
            printer.probe(probe, None, no_result(reason))
            continue
        try:
            result = await probe.run(Prober(client, _budget_of(client), window))
        except DustError as error:
            worst = Level.PROBLEM
            printer.probe(probe, client.name, no_result(str(error)))
            if isinstance(error, DeliveryError):
                break
        else:
            printer.probe(probe, client.name, result)
    return worst


async def _first_with_margin(context: CommandContext) -> DustClient | None:
    for client in context.clients:
        info = await _or_error(client.account_info())
        if not isinstance(info, DustError) and info.is_margin_enabled:
            return client
    return None


# --- budgets -------------------------------------------------------------------------------------


def _budget_of(client: DustClient) -> RecordingBudget:
    budget: Any = client.session.budget
    recording: RecordingBudget = budget
    return recording


def _used_pools(context: CommandContext) -> list[tuple[str | None, PoolSnapshot]]:
    """Give every pool that was spent from, with its address."""
    return [
        (address, pool)
        for session, address in context.sessions.items()
        for pool in session.budget.snapshot().pools
        if pool.used or pool.shut_for
    ]


def _refusals(context: CommandContext) -> Iterator[Finding]:
    """Say which `Retry-After` refusals had: a doubt that must not be settled by provoking one."""
    for client in context.client_per_session():
        for pool, headers in _budget_of(client).recorded:
            if headers.status in _REFUSED:
                after = headers.retry_after
                wait = "no Retry-After" if after is None else f"{after:g} s"
                yield Finding(
                    Level.NOTE, "refusal", f"{pool}: {headers.status}, Retry-After: {wait}"
                )
