"""One call that moves funds: the intent before it, the outcome after it.

The intent says between which times of the exchange's the call is stamped, and the session sends it
then or not at all. So whoever finds the intent later, also in another process on another day, knows
after which moment the exchange can't have accepted the call any more.

    intent on the disk -> call, stamped in time -> outcome on the disk

A process may die at any of these: before the call the intent is open and nothing happened, after it
the intent is open and something may have. Both look the same, and reading tells them apart.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from binance_dust.conversion._account import CLAIM
from binance_dust.errors import (
    ConfigurationError,
    DustError,
    LedgerError,
    OutcomeUnknownError,
)
from binance_dust.events import logger
from binance_dust.ledger import Intent, books_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from decimal import Decimal

    from binance_dust.conversion._account import Desk
    from binance_dust.endpoints import AccountType, Call
    from binance_dust.ledger import Claim, Kind, LedgerEntry, LedgerLine

__all__ = ["Answer", "Order", "correlation_id", "send"]

_SEND_WITHIN: Final = timedelta(seconds=30)
"""How long after its intent a call may still be stamped; it waits for weight in the meantime."""
_BACKWARDS: Final = timedelta(seconds=2)
"""How much earlier than its intent a call may be stamped, when the clock is set right meanwhile."""
_MOST_AHEAD: Final = timedelta(seconds=1)
"""The exchange takes timestamps that are less than a second ahead of its clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the exchange answered: what it did, or that it did nothing."""

    lines: tuple[LedgerLine, ...]
    transaction_id: int | None = None
    nothing: str | None = None
    """Why nothing was done, where the answer means that."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call to be sent, and what to make of its answer."""

    kind: Kind
    account_type: AccountType
    target: str
    held: Mapping[str, Decimal]
    call: Call[Any]
    read: Callable[[Any, LedgerEntry], Awaitable[Answer]]
    """Reads what was done; any error means that it was done, and what it was is not known."""
    client_id: str | None = None


def correlation_id() -> str:
    """Make an id that goes along: to find a call again, and never to keep it from being done twice.

    The exchange promises nothing about it.
    """
    return f"bd-{secrets.token_hex(12)}"


async def send(desk: Desk, claim: Claim, order: Order, noted: Callable[[int], object]) -> Answer:
    """Write down the intent, send the call, write down how it ended; give what was answered.

    Raises what the exchange refused it for, with the entry rejected; or `OutcomeUnknownError`, with
    the entry unknown. `noted` is told the entry as soon as there is one.
    """
    intent = _intent(desk, order)
    entry = await desk.ledger.intend(
        intent,
        claim=claim,
        now=desk.claim_clock(),
        length=CLAIM,
        books=books_of(desk.client.session),
    )
    noted(entry.id)
    between = (intent.intended_at - _BACKWARDS, intent.intended_at + _SEND_WITHIN)
    try:
        answered = await desk.client.send(order.call, between=between)
    except OutcomeUnknownError as error:
        await _leave_unknown(desk, entry, error, error)
        raise
    except DustError as error:
        # Nothing else that the session raises of a call like this leaves a doubt: see `_retry`.
        code = getattr(error, "code", None)
        with _closed_too_soon(desk):
            await desk.ledger.reject(entry.id, str(error), now=desk.now(), code=code)
        raise
    try:
        answer = await order.read(answered, entry)
    except DustError as error:
        # The exchange said yes, and what it did can't be read (yet).
        unknown = _as_unknown(desk, intent, order, error)
        await _leave_unknown(desk, entry, error, unknown)
        raise unknown from error
    with _closed_too_soon(desk):
        if answer.nothing is not None:
            await desk.ledger.reject(entry.id, answer.nothing, now=desk.now())
        else:
            await desk.ledger.confirm(
                entry.id, answer.lines, transaction_id=answer.transaction_id, now=desk.now()
            )
    return answer


@contextmanager
def _closed_too_soon(desk: Desk) -> Iterator[None]:
    """Raise as what it is that a ledger was closed under a call: no mistake before any I/O."""
    try:
        yield
    except ConfigurationError as error:
        raise LedgerError(
            "it was closed while a call was under way: open it again and recover()",
            path=desk.ledger.path,
        ) from error


def _intent(desk: Desk, order: Order) -> Intent:
    now = desk.now()
    return Intent(
        account=desk.account,
        key_id=desk.key_id,
        kind=order.kind,
        account_type=order.account_type,
        target=order.target,
        held=order.held,
        client_id=order.client_id,
        intended_at=now,
        sent_after=now - _BACKWARDS - _MOST_AHEAD,
        expires_at=now + _SEND_WITHIN + desk.client.session.recv_window,
    )


def _as_unknown(desk: Desk, intent: Intent, order: Order, error: DustError) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"it was accepted, and what it did is not known: {error}",
        endpoint=order.call.endpoint.title,
        account=desk.client.name,
        parameters=order.call.parameters(),
        sent_after=intent.sent_after,
        expires_at=intent.expires_at,
    )


async def _leave_unknown(
    desk: Desk, entry: LedgerEntry, cause: DustError, error: OutcomeUnknownError
) -> None:
    """Write down that nobody knows; where even that fails, the open intent says as much."""
    try:
        await desk.ledger.leave_unknown(
            entry.id,
            str(cause),
            now=desk.now(),
            sent_after=error.sent_after,
            expires_at=error.expires_at,
            code=error.code,
        )
    except (LedgerError, ConfigurationError) as failed:
        logger.error("%s: the ledger has its intent only: %s", error, failed)
