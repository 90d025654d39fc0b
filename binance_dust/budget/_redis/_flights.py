"""What this process has on its way: calls that Redis has admitted, and how they end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from binance_dust._answers.weight import TOO_MANY, ban_lasts
from binance_dust.budget._redis._admission import RedisAdmission
from binance_dust.budget._redis._messages import opening
from binance_dust.budget._redis._record import Records, spent_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._protocol import Charge
    from binance_dust.budget._redis._courier import Op
    from binance_dust.budget._redis._setting import Setting


class Flights:
    """Calls of which Redis was not told yet how they ended."""

    __slots__ = ("_flying", "_say", "_setting", "records")

    def __init__(self, setting: Setting, say: Callable[..., None]) -> None:
        """Begin with none; `say` tells Redis."""
        self._setting = setting
        self._say = say
        self._flying: dict[RedisAdmission, None] = {}
        self.records = Records(1.0)
        """What all calls have spent; made anew for each window's length that is told."""

    def __len__(self) -> int:
        return len(self._flying)

    def begin(self, name: str, charge: Charge, now: float) -> RedisAdmission:
        """Note that a call was admitted."""
        record = self.records.of(charge, now)
        record.ledger.taken += charge.weight
        record.flying += charge.weight
        admission = RedisAdmission(self, name, charge, now)
        self._flying[admission] = None
        return admission

    def copied(self, admission: RedisAdmission, copies: int) -> None:
        """Hear that copies left unseen."""
        weight = admission.charge.weight * copies
        record = self.records.of(admission.charge, self._setting.now())
        record.ledger.taken += weight
        record.flying += weight
        self._say("x", admission, weight)

    def settled(self, admission: RedisAdmission, answer: Feedback) -> None:
        """Hear what the exchange answered."""
        now, weight = self._setting.now(), admission.weight
        record = self.records.of(admission.charge, now)
        record.flying -= weight
        record.ledger.answer(weight, admission.sent_at, now)
        used = answer.used(admission.charge.kind)
        wait = -1.0 if answer.retry_after is None else answer.retry_after
        if answer.bans:
            status, wait = "banned", ban_lasts(answer, self._setting.clock.server_time())
        elif answer.status == TOO_MANY:
            status = "refused"
        else:
            status = "walled" if answer.walled else "good"
        self._say("s", admission, False if used is None else used, status, wait)

    def lost(self, admission: RedisAdmission) -> None:
        """Hear that no answer came."""
        now, weight = self._setting.now(), admission.weight
        record = self.records.of(admission.charge, now)
        record.flying -= weight
        record.ledger.lose(weight, admission.sent_at, now)
        self._say("u", admission)

    def released(self, admission: RedisAdmission) -> None:
        """Hear that it never left."""
        record = self.records.of(admission.charge, self._setting.now())
        record.flying -= admission.weight
        record.ledger.taken -= admission.weight
        self._say("r", admission)

    def told(self, ops: list[Op]) -> None:
        """Note which ends of calls are known to Redis."""
        for op in ops:
            if op[0] in "sur" and isinstance(op[1], RedisAdmission):
                self._flying.pop(op[1], None)

    def introduce(self, pid: str) -> tuple[list[Op], dict[RedisAdmission, str]]:
        """Say what is on its way and what was spent, and how calls are named from now on."""
        now = self._setting.now()
        names = {
            flying: f"{pid}:{flying.id.partition(':')[2]}"
            for flying in self._flying
            if not flying.over
        }
        ops: list[Op] = [
            ["f", flying.id, name, *opening(flying.charge), flying.weight]
            for flying, name in names.items()
        ]
        for record in self.records:
            rows, rest = spent_in(record.ledger, now, -math.inf)
            ops.append(["w", True, *opening(record.charge), rows, rest - record.flying, 0.0])
        return ops, names
