"""What a process says to all: operations, by the names of the methods of `Replica`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust._answers.weight import Feedback
from binance_dust.budget._pools import account_of, name_of

if TYPE_CHECKING:
    from binance_dust.budget._own import OwnWeight
    from binance_dust.budget._protocol import Charge

Op = list[Any]
"""One operation: a name, and the arguments of `Replica._op_` and that name."""

ASK: Final = "ask"
LEAVE: Final = "leave"
SETTLE: Final = "settle"
UNKNOWN: Final = "unknown"
RELEASE: Final = "release"
COPIES: Final = "copies"
LOOK: Final = "look"
GONE: Final = "gone"
QUIT: Final = "quit"
SPENT: Final = "spent"
BAN: Final = "ban"
KNEW: Final = "knew"

ENDINGS: Final = frozenset({SETTLE, UNKNOWN, RELEASE})
KEPT: Final = ENDINGS | {COPIES, SPENT, BAN, KNEW}
"""Operations that must reach the others even after an outage."""


def pool_fields(charge: Charge) -> tuple[str, str, str | None]:
    """Return what finds or opens a pool."""
    return charge.kind.value, name_of(charge), account_of(charge)


def answer_fields(answer: Feedback) -> tuple[Any, ...]:
    """Return what the exchange has said."""
    return (
        answer.status,
        answer.used_ip,
        answer.used_uid,
        answer.used_request,
        answer.retry_after,
        answer.banned_until,
        answer.walled,
    )


def answer_of(op: Op) -> Feedback:
    """Return what the exchange has said, from the operation that tells it."""
    status, ip, uid, request, retry_after, banned_until, walled = op[2:]
    return Feedback(status, ip, uid, request, retry_after, banned_until, walled=walled)


def without_headers(op: Op) -> Op:
    """Return how a call ended, without what its header said.

    A header that comes late says nothing about the moment at which it comes.
    """
    return [*op[:3], None, None, None, *op[6:]] if op[0] == SETTLE else op


def spent_rows(own: OwnWeight, now: float, since: float) -> tuple[list[list[float]], int]:
    """Return what was answered since a moment, as ages and weights, and the rest that counts.

    The last of each row is the time itself.
    """
    rest = own.spent(now)
    rows: list[list[float]] = []
    for slot in own.answered_slots():
        rest -= slot.weight
        if slot.last >= since:
            rows.append([now - slot.earliest, now - slot.last, slot.weight, slot.last])
    return rows, rest
