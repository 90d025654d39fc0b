"""The calls of this process that Redis admitted, how they end, and what they have spent.

What they have spent is remembered for a window, in case Redis loses it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from binance_dust._answers.weight import TOO_MANY, ban_lasts
from binance_dust.budget._own import OwnWeight
from binance_dust.budget._pools import key_of
from binance_dust.budget._redis import _messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._protocol import Charge
    from binance_dust.budget._redis._messages import Op
    from binance_dust.budget._redis._settings import Settings

_SWEEP: Final = 2
_ENDINGS: Final = frozenset({_messages.SETTLE, _messages.UNKNOWN, _messages.RELEASE})


class RedisAdmission:
    """An admission of `RedisBudget`. Its end is sent to Redis without waiting."""

    __slots__ = ("_in_flight", "charge", "id", "over", "sent_at", "weight")

    def __init__(self, in_flight: InFlight, name: str, charge: Charge, now: float) -> None:
        """Start when the process hears that the call is admitted."""
        self._in_flight = in_flight
        self.over = False
        self.id = name
        self.charge = charge
        self.weight = charge.weight
        """With the weight of copies."""
        self.sent_at = now

    def sent(self, extra: int = 0) -> None:
        """Record that the call leaves now, or that the transport sent `extra` copies of it.

        The moment itself is not sent to Redis: the call counts from its admission, which is
        earlier. Its header is read with what was known then, which is safe.
        """
        if not self.over and extra > 0:
            self.weight += self.charge.weight * extra
            self._in_flight.copied(self, extra)

    def settle(self, answer: Feedback) -> None:
        """End with the answer of the exchange."""
        if not self.over:
            self.over = True
            self._in_flight.settled(self, answer)

    def unknown(self) -> None:
        """End without an answer to a call that was sent: it counts for a full window from now."""
        if not self.over:
            self.over = True
            self._in_flight.lost(self)

    def release(self) -> None:
        """End a call that never left this machine: its weight goes back."""
        if not self.over:
            self.over = True
            self._in_flight.released(self)

    def __repr__(self) -> str:
        state = "over" if self.over else "open"
        return f"<Admission {state}: {self.weight} of {self.charge.pool}, shared>"


class _Record:
    """What this process has spent in one pool."""

    __slots__ = ("charge", "in_flight", "own")

    def __init__(self, charge: Charge, window: float) -> None:
        self.charge = charge
        self.own = OwnWeight(window)
        self.in_flight = 0
        """Weight in flight."""


class InFlight:
    """Calls that have not ended as far as Redis knows, and records of what all calls have spent."""

    __slots__ = ("_calls", "_records", "_say", "_settings", "_window")

    def __init__(self, settings: Settings, say: Callable[..., None]) -> None:
        """Start empty; `say` sends an operation to Redis."""
        self._settings = settings
        self._say = say
        self._calls: dict[RedisAdmission, None] = {}
        self._window = 1.0
        self._records: dict[str, _Record] = {}

    def start_records(self, window: float) -> None:
        """Start anew to record what is spent, for windows of this length."""
        self._window = window
        self._records = {}

    def __len__(self) -> int:
        return len(self._calls)

    def begin(self, name: str, charge: Charge, now: float) -> RedisAdmission:
        """Record that a call was admitted."""
        record = self._record(charge, now)
        record.own.taken += charge.weight
        record.in_flight += charge.weight
        admission = RedisAdmission(self, name, charge, now)
        self._calls[admission] = None
        return admission

    def copied(self, admission: RedisAdmission, copies: int) -> None:
        """Record that the transport sent copies of a call."""
        weight = admission.charge.weight * copies
        record = self._record(admission.charge, self._settings.now())
        record.own.taken += weight
        record.in_flight += weight
        self._say(_messages.COPIES, admission, weight)

    def settled(self, admission: RedisAdmission, answer: Feedback) -> None:
        """Take the answer of the exchange."""
        now, weight = self._settings.now(), admission.weight
        record = self._record(admission.charge, now)
        record.in_flight -= weight
        record.own.answer(weight, admission.sent_at, now)
        used = answer.used(admission.charge.kind)
        wait = -1.0 if answer.retry_after is None else answer.retry_after
        if answer.bans:
            status, wait = "banned", ban_lasts(answer, self._settings.clock.server_time())
        elif answer.status == TOO_MANY:
            status = "refused"
        else:
            status = "walled" if answer.walled else "good"
        self._say(_messages.SETTLE, admission, False if used is None else used, status, wait)

    def lost(self, admission: RedisAdmission) -> None:
        """Record that a call gets no answer."""
        now, weight = self._settings.now(), admission.weight
        record = self._record(admission.charge, now)
        record.in_flight -= weight
        record.own.lose(weight, admission.sent_at, now)
        self._say(_messages.UNKNOWN, admission)

    def released(self, admission: RedisAdmission) -> None:
        """Record that a call never left."""
        record = self._record(admission.charge, self._settings.now())
        record.in_flight -= admission.weight
        record.own.taken -= admission.weight
        self._say(_messages.RELEASE, admission)

    def acknowledged(self, ops: list[Op]) -> None:
        """Forget calls: Redis knows now how they ended."""
        for op in ops:
            if op[0] in _ENDINGS and isinstance(op[1], RedisAdmission):
                self._calls.pop(op[1], None)

    def introduce(self, pid: str) -> tuple[list[Op], dict[RedisAdmission, str]]:
        """Return what Redis has to know after a reconnection, and the new ids of calls."""
        now = self._settings.now()
        ids = {call: f"{pid}:{call.id.partition(':')[2]}" for call in self._calls if not call.over}
        ops: list[Op] = [
            [_messages.RESUME, call.id, new_id, *_messages.pool_fields(call.charge), call.weight]
            for call, new_id in ids.items()
        ]
        for record in self._records.values():
            rows, rest = _messages.spent_rows(record.own, now, -math.inf)
            fields, lost = _messages.pool_fields(record.charge), rest - record.in_flight
            ops.append([_messages.SPENT, True, *fields, rows, lost, 0.0])
        return ops, ids

    def _record(self, charge: Charge, now: float) -> _Record:
        """Find the record of a pool, or start it."""
        key = key_of(charge)
        record = self._records.get(key)
        if record is None:
            self._forget_idle(now)
            record = self._records[key] = _Record(charge, self._window)
        return record

    def _forget_idle(self, now: float) -> None:
        """Check the oldest few records: idle ones go faster than new ones come."""
        for _ in range(min(_SWEEP, len(self._records))):
            key = next(iter(self._records))
            record = self._records.pop(key)
            if record.own.spent(now):
                self._records[key] = record
