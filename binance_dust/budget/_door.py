"""The door of an endpoint that accounts pay for: half open until that is known to be so.

If its weight is counted for the address after all, hundreds of accounts would find that out at the
same moment. So the first call of all accounts goes alone.

If the documents say that the address pays, and headers say that accounts do, more is at stake: the
headers may be wrong. Then the door is on `trial`: a few calls at a time go, and what they weigh
counts for the address as well, until more was let in than the address has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.budget._gates import AT_ONCE, Valve

if TYPE_CHECKING:
    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._count import AdmittedCall
    from binance_dust.budget._own import OwnWeight

CERTAIN: Final = 2
"""So many limits of the address in one window are more than any windows of it let in."""


class Door(Valve):
    """Lets all accounts in once an answer shows that each pays for itself, or does not tell."""

    __slots__ = ("trial",)

    def __init__(self, patience: float, trial: int = 0) -> None:
        """Start half open; wait `patience` seconds for the answer of a first call.

        `trial` is the limit of the address, if that was believed to pay; else 0.
        """
        super().__init__(patience, half_open=True)
        self.trial: int = trial

    def passes(self, now: float) -> bool:
        """Whether a call may pass now: alone, or one of a few."""
        if not self.trial:
            return super().passes(now)
        return now >= self.until and len(self._asking) < AT_ONCE

    def next_chance(self, now: float) -> float:
        """Return when a call may pass at the latest, if nothing is heard before."""
        if not self.trial:
            return super().next_chance(now)
        return max(self.until, now + self._patience)

    def refused(self, call: AdmittedCall, until: float, now: float) -> None:
        """Let one account ask after a refusal, and none once a call that asked is refused, too."""
        if self.asks(call):
            self.shut(until, now)
        elif self.open:
            self.hold()

    def answered(self, call: AdmittedCall, answer: Feedback, *, good: bool) -> bool:
        """Take an answer; return whether others may go now, or ask again."""
        by_ip, by_uid = answer.used_ip, answer.used_uid
        if self.trial:
            if good and by_uid is not None and by_uid > self.trial:
                self.trial = 0
            return self.ended(call, good=not self.trial)
        elsewhere = by_ip is not None and (by_uid is None or by_ip >= call.documented)
        return self.ended(call, good=good and not elsewhere)

    def ended(self, call: object, *, good: bool, told: bool = True) -> bool:
        """Record how a call ended. Return whether others may go now, or ask again."""
        asked = bool(self.trial) and call in self._asking
        return super().ended(call, good=good, told=told) or asked

    def weigh(self, own: OwnWeight, now: float) -> None:
        """End the trial if more was let in than the address has, whatever its windows are."""
        if own.taken - own.maybe_forgotten(now) > CERTAIN * self.trial:
            self.trial = 0
