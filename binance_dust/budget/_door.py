"""The door of an endpoint that accounts pay for: half open until that is known to be so.

If its weight is counted for the address after all, hundreds of accounts would find that out at the
same moment. So the first call of all accounts goes alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.budget._gates import Valve

if TYPE_CHECKING:
    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._count import AdmittedCall


class Door(Valve):
    """Lets all accounts in once an answer shows that each pays for itself, or does not tell."""

    __slots__ = ()

    def __init__(self, patience: float) -> None:
        """Start half open; wait `patience` seconds for the answer of a first call."""
        super().__init__(patience, half_open=True)

    def refused(self, call: AdmittedCall, until: float) -> None:
        """Let one account ask after a refusal, and none once a call that asked is refused, too."""
        if self.asks(call):
            self.shut(until)
        elif self.open:
            self.open_half()

    def answered(self, call: AdmittedCall, answer: Feedback, *, good: bool) -> bool:
        """Take an answer; return whether others may go now, or ask again."""
        elsewhere = answer.used_uid is None and answer.used_ip is not None
        return self.ended(call, good=good and not elsewhere)
