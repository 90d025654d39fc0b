"""`binance-dust doctor`: whether all is as it should be, and what is still in doubt."""

from __future__ import annotations

import time
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from binance_dust._call.retry import RetryPolicy
from binance_dust.cli import _desk, _doctor_print, _probes
from binance_dust.cli._doctor_checks import (
    GRAVITY,
    Answers,
    Finding,
    Level,
    judge_account,
    judge_clock,
    judge_system,
)
from binance_dust.cli._each import each
from binance_dust.errors import DeliveryError, DustError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Iterable, Iterator, Sequence

    from binance_dust.budget import PoolSnapshot
    from binance_dust.cli._desk import Desk
    from binance_dust.cli._overheard import Overheard
    from binance_dust.cli._probes import Probe
    from binance_dust.client import DustClient
    from binance_dust.session import Session

R = TypeVar("R")

_LOOKS: Final = 3
"""At the clock: the quickest is nearest the truth."""
_PATIENT: Final = RetryPolicy(attempts=3, max_wait=10.0)
"""Whoever asks what is wrong wants to hear it soon."""
_REFUSED: Final = frozenset({418, 429})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument(
        "--probe",
        metavar="NAME",
        action="append",
        default=[],
        help="settle a doubt by reading, again for more; 'list' shows them, 'all' are all",
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _desk.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Check everything, and run the probes that were named."""
    printer = _doctor_print.make(as_json=options.json)
    if "list" in options.probe:
        printer.probes(_probes.PROBES.values())
        return 0
    chosen = _probes.choose(options.probe)
    async with _desk.open_desk(options, retry=_PATIENT, listen=True) as desk:
        printer.place(desk)
        worst = await _check(desk, printer)
        if chosen and worst is not Level.PROBLEM:
            worst = max(worst, await _probe(desk, chosen, options.window, printer), key=GRAVITY)
        printer.budgets(pools(desk))
        for finding in refusals(desk):
            printer.finding(finding)
    printer.end(worst)
    return 1 if worst is Level.PROBLEM else 0


async def _check(desk: Desk, printer: _doctor_print.Printer) -> Level:
    """Check the exchange first: where it can't be reached, no account is asked."""
    levels = {Level.OK}

    def tell(findings: Iterable[Finding]) -> None:
        for finding in findings:
            levels.add(finding.level)
            printer.finding(finding)

    for client in _one_a_session(desk):
        tell(await _look_around(client))
    if Level.PROBLEM in levels:
        return Level.PROBLEM
    async with aclosing(each(desk.clients, _answers)) as answers:
        async for client, answer in answers:
            assert isinstance(answer, Answers)  # noqa: S101 - each part catches its own error
            printer.account(answer)
            tell(judge_account(answer, client.session.now()))
    printer.accounts_end()
    return max(levels, key=GRAVITY)


def _one_a_session(desk: Desk) -> list[DustClient]:
    first: dict[Session, DustClient] = {}
    for client in desk.clients:
        first.setdefault(client.session, client)
    return list(first.values())


async def _look_around(client: DustClient) -> list[Finding]:
    """Look at the exchange's clock and status, by one session."""
    try:
        looks = [await _look_at_clock(client) for _ in range(_LOOKS)]
    except DustError as error:
        return [Finding(Level.PROBLEM, "connection", str(error))]
    round_trip, offset = min(looks)
    status = await _or_error(client.system_status())
    return [*judge_clock(offset, round_trip), *judge_system(status)]


async def _look_at_clock(client: DustClient) -> tuple[float, float]:
    """Give the round trip, and by how much the exchange is ahead of this machine."""
    began, wall = time.perf_counter(), datetime.now(UTC)
    answer = await client.server_time()
    round_trip = time.perf_counter() - began
    return round_trip, (answer.server_time - wall).total_seconds() - round_trip / 2


async def _answers(client: DustClient) -> Answers:
    """Ask one account all that there is to check, a weight of four in all."""
    return Answers(
        account=client.name,
        permissions=await _or_error(client.key_permissions()),
        status=await _or_error(client.account_status()),
        info=await _or_error(client.account_info()),
        burn=await _or_error(client.bnb_burn()),
    )


async def _or_error(asked: Awaitable[R]) -> R | DustError:
    try:
        return await asked
    except DustError as error:
        return error


async def _probe(
    desk: Desk, probes: Sequence[Probe], window: float, printer: _doctor_print.Printer
) -> Level:
    """Run probes one after another, with the first account that they can be asked of."""
    worst = Level.OK
    with_margin = await _first_with_margin(desk) if any(p.needs_margin for p in probes) else None
    for probe in probes:
        client = with_margin if probe.needs_margin else desk.clients[0]
        if client is None:
            nobody = _probes.no_verdict("needs an account with margin, and there is none")
            printer.probe(probe, None, nobody)
            continue
        prober = _probes.Prober(client, _heard(client), window)
        try:
            verdict = await probe.run(prober)
        except DustError as error:
            worst = Level.PROBLEM
            printer.probe(probe, client.name, _probes.no_verdict(str(error)))
            if isinstance(error, DeliveryError):
                break
        else:
            printer.probe(probe, client.name, verdict)
    return worst


async def _first_with_margin(desk: Desk) -> DustClient | None:
    for client in desk.clients:
        info = await _or_error(client.account_info())
        if not isinstance(info, DustError) and info.is_margin_enabled:
            return client
    return None


def _heard(client: DustClient) -> Overheard:
    budget: Any = client.session.budget
    heard: Overheard = budget
    return heard


def pools(desk: Desk) -> list[tuple[str | None, PoolSnapshot]]:
    """Give every pool that was spent from, with the address that it belongs to."""
    return [
        (address, pool)
        for session, address in desk.sessions.items()
        for pool in session.budget.snapshot().pools
        if pool.used or pool.shut_for
    ]


def refusals(desk: Desk) -> Iterator[Finding]:
    """Tell what refusals came with: a doubt that nobody should provoke an answer to."""
    for client in _one_a_session(desk):
        for pool, said in _heard(client).heard:
            if said.status in _REFUSED:
                wait = "no Retry-After" if said.retry_after is None else f"{said.retry_after:g} s"
                yield Finding(Level.NOTE, "refusal", f"{pool}: {said.status}, Retry-After: {wait}")
