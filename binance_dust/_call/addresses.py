"""Which sessions of this process spend from the limits of one address, and whether they share them.

The exchange counts by address. Two sessions with budgets of their own would spend the limits twice:
the exchange refuses what is too much, and then bans the address. So a warning in the log names the
cause, once for each address. It says nothing of other processes, which can't be seen from here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakSet

from binance_dust.events import logger

if TYPE_CHECKING:
    from collections.abc import Collection

    from binance_dust._util.lifetimes import OneLoop
    from binance_dust.budget import Budget

_ROUNDING: Final = 1e-9


class WayOut(NamedTuple):
    """The way of a session's requests to the exchange: which address it sees them come from."""

    base_url: str
    proxy: str | None
    local_addr: str | None
    http: int
    """The `id` of the caller's aiohttp session, or 0: it may have an address of its own."""


class AddressUser:
    """A session as one that spends from the limits of an address, from its first call on."""

    __slots__ = ("__weakref__", "budget", "entered", "loop", "own", "part", "way")

    def __init__(
        self, way: WayOut, budget: Budget, *, own: bool, headroom: float, loop: OneLoop
    ) -> None:
        """Note what a session spends from; `own` if nobody else was given its budget by us."""
        self.way: Final = way
        self.budget: Final = budget
        self.own: Final = own
        self.part: Final = 1.0 - headroom
        self.loop: Final = loop
        self.entered = False
        """Whether it was used."""

    def enter(self) -> None:
        """Count this session among those that are in use, and warn if that is one too many."""
        self.entered = True
        with _LOCK:
            users = _USERS.setdefault(self.way, WeakSet())
            users.add(self)
            if self.way[:3] in _TOLD:
                return
            present = [user for user in users if not user.loop.ended]
            if not _is_too_much(present):
                return
            _TOLD.add(self.way[:3])
        logger.warning(
            "%d sessions of this process reach %s from one address, and each spends all of the"
            " address's limits: calls will be refused, and the address banned. Make all clients by"
            " session.client(credentials) of one Session, or give the sessions one budget:"
            " Session(budget=first.budget)",
            len(present),
            self.way.base_url,
        )

    def leave(self) -> None:
        """Count this session no more: it was closed."""
        with _LOCK:
            users = _USERS.get(self.way)
            if users is not None:
                users.discard(self)
                if not users:
                    del _USERS[self.way]


def _is_too_much(users: Collection[AddressUser]) -> bool:
    """Whether budgets that do not know of each other may spend more than the limits together.

    Budgets that were given may be one pool (two `RedisBudget` objects, say): their makers know.
    """
    parts = {id(user.budget): user.part for user in users}
    # A budget that another session was given counts as given, and all of these count once.
    given = {id(user.budget) for user in users if not user.own}
    together = max((parts[each] for each in given), default=0.0)
    together += sum(parts[each] for each in parts.keys() - given)
    return together > 1 + _ROUNDING


_LOCK: Final = threading.Lock()
_USERS: Final[dict[WayOut, WeakSet[AddressUser]]] = {}
_TOLD: Final[set[tuple[object, ...]]] = set()
"""Ways out that were warned about."""
