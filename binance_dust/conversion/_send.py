"""Where funds are moved: one call, with its intent on record before it and its outcome after it.

    intent on disk -> call, stamped in time -> outcome on disk

The intent says between which times, by the exchange's clock, the call is stamped. The session sends
it within these times or not at all. So a later reader, even another process on another day, knows
from when on the exchange can't have accepted the call any more.

A process may die at any step. If it dies before the call, the intent is open and nothing happened.
If it dies after the call, the intent is open and something may have happened. Both look the same in
the ledger; `_recover.py` reads the exchange to tell them apart.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from binance_dust.conversion._account import CLAIM_LENGTH
from binance_dust.conversion._guards import refuse_old
from binance_dust.errors import (
    ConfigurationError,
    DustError,
    DustRejectedError,
    LedgerError,
    OutcomeUnknownError,
    RejectedError,
)
from binance_dust.events import FundsCallEnded, logger
from binance_dust.ledger import Intent, books_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.conversion._account import AccountContext
    from binance_dust.conversion._quote import BaseQuote
    from binance_dust.endpoints import AccountType, Call
    from binance_dust.ledger import Claim, Kind, LedgerEntry, LedgerLine

__all__ = ["FundsCall", "FundsSender", "SendResult", "refuses_one"]

_SEND_WITHIN: Final = timedelta(seconds=30)
"""How long after its intent a call may still be stamped; in the meantime it waits for weight."""
_BACKWARDS: Final = timedelta(seconds=2)
"""How long before its intent a call may be stamped, if the clock is corrected in the meantime."""
_MOST_AHEAD: Final = timedelta(seconds=1)
"""The exchange takes timestamps that are less than a second ahead of its clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """What a call did, or that it did nothing."""

    lines: tuple[LedgerLine, ...]
    transaction_id: int | None = None
    nothing: str | None = None
    """Why nothing was done, if the answer means that."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsCall:
    """A call that moves funds, and how to read its answer."""

    kind: Kind
    account_type: AccountType
    target: str
    held: Mapping[str, Decimal]
    call: Call[Any]
    read: Callable[[Any, LedgerEntry, datetime], Awaitable[SendResult]]
    """Reads what was done from the answer, its entry and the time now. Any error means: it was
    done, and what it did is not known."""
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    """How much of each asset, if the call says it."""
    client_id: str | None = None
    until: datetime | None = None
    """When it must have been stamped at the latest, if that is earlier than for other calls."""


def refuses_one(error: DustError) -> bool:
    """Whether an error is about the asset of a call. All others would meet the next call, too."""
    return isinstance(error, RejectedError | DustRejectedError)


class FundsSender:
    """Sends the calls of one conversion, one after the other."""

    def __init__(self, context: AccountContext, claim: Claim, ttl: timedelta) -> None:
        self._context = context
        self._claim = claim
        self._ttl = ttl
        self.entry_ids: list[int] = []
        """The ledger's entries, one for each call, also for refused calls."""

    async def send(self, funds_call: FundsCall, quote: BaseQuote) -> SendResult:
        """Record the intent, send the call, record how it ended, and return what it did.

        If the exchange refuses, its error is raised and the entry is rejected. If the outcome is
        unknown, `OutcomeUnknownError` is raised and the entry is unknown.
        """
        # Checked before each call: the quote gets older during the conversion.
        refuse_old(quote, now=self._context.now(), ttl=self._ttl)
        try:
            return await _send(self._context, self._claim, funds_call, self.entry_ids)
        except (OutcomeUnknownError, LedgerError) as error:
            error.entry_ids = tuple(self.entry_ids)
            raise


async def _send(
    context: AccountContext, claim: Claim, funds_call: FundsCall, entry_ids: list[int]
) -> SendResult:
    intent = _intent(context, funds_call)
    entry = await context.ledger.intend(
        intent,
        claim=claim,
        now=context.machine_time(),
        length=CLAIM_LENGTH,
        books=books_of(context.client.session),
    )
    entry_ids.append(entry.id)
    between = (intent.intended_at - _BACKWARDS, _latest(intent.intended_at, funds_call))
    try:
        answer = await context.client.send(
            funds_call.call, between=between, ready=lambda: context.ledger.find_written(entry.id)
        )
    except OutcomeUnknownError as error:
        await _leave_unknown(context, entry, error, error)
        _report(context, entry, "unknown")
        raise
    except DustError as error:
        # Any other error of such a call means that nothing was done: see `_call/retry.py`.
        code = getattr(error, "code", None)
        with _ledger_closed_late(context):
            await context.ledger.reject(entry.id, str(error), now=context.now(), code=code)
        _report(context, entry, "rejected")
        raise
    try:
        result = await funds_call.read(answer, entry, context.now())
    except DustError as error:
        # The exchange accepted it, and what it did can't be read (yet).
        unknown = _as_unknown(context, intent, funds_call, error)
        await _leave_unknown(context, entry, error, unknown)
        _report(context, entry, "unknown")
        raise unknown from error
    with _ledger_closed_late(context):
        if result.nothing is not None:
            await context.ledger.reject(entry.id, result.nothing, now=context.now())
        else:
            await context.ledger.confirm(
                entry.id, result.lines, transaction_id=result.transaction_id, now=context.now()
            )
    _report(context, entry, "confirmed" if result.nothing is None else "rejected")
    return result


def _report(
    context: AccountContext,
    entry: LedgerEntry,
    outcome: Literal["confirmed", "rejected", "unknown"],
) -> None:
    event = FundsCallEnded(context.client.name, entry.kind.value, outcome, entry.id)
    context.client.session.report(event)


@contextmanager
def _ledger_closed_late(context: AccountContext) -> Iterator[None]:
    """Raise a `LedgerError` if the ledger was closed during a call.

    A `ConfigurationError` would say that nothing was sent.
    """
    try:
        yield
    except ConfigurationError as error:
        raise LedgerError(
            "it was closed while a call was under way: open it again and recover()",
            path=context.ledger.path,
        ) from error


def _intent(context: AccountContext, funds_call: FundsCall) -> Intent:
    now = context.now()
    return Intent(
        account=context.account,
        key_id=context.key_id,
        kind=funds_call.kind,
        account_type=funds_call.account_type,
        target=funds_call.target,
        held=funds_call.held,
        amounts=funds_call.amounts,
        client_id=funds_call.client_id,
        intended_at=now,
        sent_after=now - _BACKWARDS - _MOST_AHEAD,
        expires_at=_latest(now, funds_call) + context.client.session.recv_window,
    )


def _latest(now: datetime, funds_call: FundsCall) -> datetime:
    """Say when a call can be stamped at the latest."""
    usual = now + _SEND_WITHIN
    return usual if funds_call.until is None else max(min(usual, funds_call.until), now)


def _as_unknown(
    context: AccountContext, intent: Intent, funds_call: FundsCall, error: DustError
) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"it was accepted, and what it did is not known: {error}",
        endpoint=funds_call.call.endpoint.title,
        account=context.client.name,
        parameters=funds_call.call.parameters(),
        sent_after=intent.sent_after,
        expires_at=intent.expires_at,
    )


async def _leave_unknown(
    context: AccountContext, entry: LedgerEntry, cause: DustError, error: OutcomeUnknownError
) -> None:
    """Record that the outcome is unknown. If that fails, the open intent says the same."""
    try:
        await context.ledger.leave_unknown(
            entry.id,
            str(cause),
            now=context.now(),
            sent_after=error.sent_after,
            expires_at=error.expires_at,
            code=error.code,
        )
    except (LedgerError, ConfigurationError) as failed:
        logger.error("%s: the ledger has its intent only: %s", error, failed)
