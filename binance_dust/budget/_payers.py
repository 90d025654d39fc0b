"""Who pays for an endpoint's weight: the documented payer, or the one that headers name.

Sources differ, and the exchange changes payers without a word. One odd header proves nothing: the
same has to be said by several answers in a row, by more of them if what follows lets more through.
The first answer that says otherwise undoes it.

An answer may name both, if a call is charged to both. Then the address pays: its limit is the lower
one, and all accounts share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust._answers.weight import TOO_MANY
from binance_dust.endpoints import LimitKind

if TYPE_CHECKING:
    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._protocol import Charge

TO_ADDRESS: Final = 2
"""Answers in a row that show that all accounts pay together."""
TO_ACCOUNT: Final = 16
"""Those that show that each account pays for itself, which lets more through."""
HARDER: Final = 8
"""So many times more of those are needed after a refusal of an account, up to the most."""
MOST: Final = 4_096


class Payers:
    """Who pays, for all endpoints of a session."""

    __slots__ = ("_believed", "_evidence", "_learnt", "_needed")

    def __init__(self, known: dict[str, LimitKind] | None = None) -> None:
        """Start with payers that the user knows to be others than documented."""
        self._believed: dict[str, LimitKind] = dict(known or {})
        self._learnt: set[str] = set()
        """Endpoints whose payer was learnt, and not known from the start."""
        self._evidence: dict[str, int] = {}
        """How many answers in a row named another payer."""
        self._needed: dict[str, int] = {}
        """How many it takes to believe that accounts pay, where that was wrong before."""

    def of(self, endpoint: str, documented: LimitKind) -> LimitKind:
        """Return who is believed to pay."""
        return self._believed.get(endpoint, documented) if self._believed else documented

    def read(self, charge: Charge, answer: Feedback) -> LimitKind | None:
        """Read the headers of an answer; return the new payer, if another is believed now."""
        if charge.kind is LimitKind.REQUEST or charge.account is None:
            return None
        if answer.status == TOO_MANY:
            return self._refused(charge.pool)
        if charge.kind is LimitKind.IP:
            other, used, elsewhere = LimitKind.UID, answer.used_ip, answer.used_uid
        else:
            other, used, elsewhere = LimitKind.IP, answer.used_uid, answer.used_ip
        both = other is LimitKind.IP and elsewhere is not None and elsewhere >= charge.weight
        if (used is not None and not both) or elsewhere is None:
            if used is not None and self._evidence:
                self._evidence.pop(charge.pool, None)
            return None
        endpoint = charge.pool
        if self._believed.get(endpoint) is other:
            return None  # the call was charged before that was learnt
        said = self._evidence[endpoint] = self._evidence.get(endpoint, 0) + 1
        enough = TO_ADDRESS
        if other is LimitKind.UID:
            enough = self._needed.get(endpoint, TO_ACCOUNT)
        if endpoint not in self._learnt and said < enough:
            return None
        del self._evidence[endpoint]
        self._believed[endpoint] = other
        if endpoint in self._learnt:
            self._learnt.discard(endpoint)
        else:
            self._learnt.add(endpoint)
        return other

    def _refused(self, endpoint: str) -> LimitKind | None:
        """Record a refusal; return who is believed to pay, if that changes.

        Accounts have so much more weight that it is rather the headers which are wrong.
        """
        if endpoint not in self._learnt or self._believed[endpoint] is not LimitKind.UID:
            return None
        self._needed[endpoint] = min(self._needed.get(endpoint, TO_ACCOUNT) * HARDER, MOST)
        self._learnt.discard(endpoint)
        self._believed[endpoint] = LimitKind.IP
        return LimitKind.IP

    def __repr__(self) -> str:
        return f"<Payers {self._believed!r}>"
