"""What happened at the exchange, for a test to assert on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that reached the exchange."""

    method: str
    path: str
    status: int
    """HTTP status of the answer that was made, even if a fault kept it back."""
    code: int | None
    """The exchange's own code where it said no."""
    account: str | None
    """Name of the account whose key came along."""
    address: str
    parameters: Mapping[str, str]
    """What was asked, without the signature."""
    at: float
    """Server time, in seconds since the epoch."""
    executed: bool
    """The request did what it asks for, whatever became of the answer."""
    answered: bool = True
    """An answer left, whole or spoiled; not so where a fault dropped the line."""

    def __str__(self) -> str:
        who = f" ({self.account})" if self.account else ""
        code = f" {self.code}" if self.code is not None else ""
        return f"{self.method} {self.path}{who} from {self.address}: {self.status}{code}"


class Witness:
    """Remembers the newest requests."""

    __slots__ = ("_seen",)

    def __init__(self, remember: int) -> None:
        """Remember so many."""
        self._seen: deque[Seen] = deque(maxlen=remember)

    def note(self, seen: Seen) -> None:
        """Remember one more."""
        self._seen.append(seen)

    def requests(self, endpoint: str | None = None, account: str | None = None) -> tuple[Seen, ...]:
        """Give what is remembered, oldest first, of one endpoint or account where asked."""
        return tuple(
            seen
            for seen in tuple(self._seen)
            if account in (None, seen.account)
            and endpoint in (None, seen.path, f"{seen.method} {seen.path}")
        )

    def forget(self) -> None:
        """Begin anew."""
        self._seen.clear()

    def __repr__(self) -> str:
        return f"<Witness of {len(self._seen)} requests>"
