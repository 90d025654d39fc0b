"""The gate of an address: what shuts it for all pools, for how long, and who says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.budget import _errors
from binance_dust.budget._gates import Valve

if TYPE_CHECKING:
    from binance_dust.errors import BannedError

WALL: Final = 300.0
"""Seconds for which a firewall is said to block (FAQ 360004492232, November 2024)."""


class AddressGate(Valve):
    """Shut by a ban, which says for how long, or by a firewall, where that is our guess."""

    __slots__ = ("banned", "guessed", "walled")

    def __init__(self, patience: float) -> None:
        """Start open; wait `patience` seconds for the answer of a first call."""
        super().__init__(patience, half_open=False)
        self.walled = False
        """Whether a firewall has answered, and no lone call got a good answer since."""
        self.banned: bool = False
        """Whether it was ever shut by a ban."""
        self.guessed: bool = False

    def meets_wall(self, call: object, now: float) -> bool:
        """Record a firewall's page; return whether the address has to be shut.

        All pages that answer one burst are one event, and may be caused by one request in it. Then
        one call goes alone. If it meets the wall too, there is one.
        """
        if self.walled and self.asks(call):
            return True
        if not self.walled and now >= self.until:
            self.walled = True
            self.hold()
        return False

    def shut_for(self, seconds: float, now: float, *, guessed: bool) -> bool:
        """Shut; return whether that is news."""
        known = self.until > now
        self.shut(now + seconds, now)
        self.guessed = guessed
        self.banned = self.banned or not guessed
        return not known

    def ended(self, call: object, *, good: bool, told: bool = True) -> bool:
        """Record how a call ended. Return whether others may go now, or ask again."""
        if self.open or not super().ended(call, good=good, told=told):
            return False
        if good:
            self.walled = False
        return True

    def follow(self, other: Valve, by: float) -> None:
        """Know besides whether a firewall has answered, and whether it is a guess."""
        super().follow(other, by)
        if isinstance(other, AddressGate):
            self.walled, self.guessed, self.banned = other.walled, other.guessed, other.banned

    def error(self, pool: str, now: float, server_time: float | None) -> BannedError:
        """Make the error of a call that would have to wait too long."""
        if self.guessed:
            return _errors.walled(pool, self.until - now)
        return _errors.banned(pool, self.until - now, server_time)
