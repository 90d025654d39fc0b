"""Requests: what comes in, the reply that goes out, and the record of both for tests to read."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON: Final = "application/json;charset=UTF-8"
HTML: Final = "text/html"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP request, as it was sent."""

    method: str
    path: str
    query: str = ""
    body: str = ""
    api_key: str | None = field(default=None, repr=False)
    address: str = "127.0.0.1"


@dataclass(slots=True, kw_only=True)
class HttpReply:
    """One HTTP reply, and how much of it arrives."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON
    delivery: Literal["whole", "cut", "dropped"] = "whole"


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that reached the exchange."""

    method: str
    path: str
    status: int
    """HTTP status of the answer, even if a fault kept it back."""
    code: int | None
    """The exchange's own code, if it refused the request."""
    account: str | None
    """Name of the account that the key belongs to."""
    address: str
    parameters: Mapping[str, str]
    """The parameters, without the signature."""
    at: float
    """Server time, in seconds since the epoch."""
    executed: bool
    """The exchange did what was asked, even if the answer was lost."""
    answered: bool = True
    """An answer was sent, whole or spoiled. `False` if a fault dropped the connection."""

    def __str__(self) -> str:
        account = f" ({self.account})" if self.account else ""
        code = f" {self.code}" if self.code is not None else ""
        return f"{self.method} {self.path}{account} from {self.address}: {self.status}{code}"


class RequestLog:
    """Keeps the newest requests."""

    __slots__ = ("_seen",)

    def __init__(self, remember: int) -> None:
        """Keep at most this many."""
        self._seen: deque[Seen] = deque(maxlen=remember)

    def note(self, seen: Seen) -> None:
        """Add one."""
        self._seen.append(seen)

    def of(self, endpoint: str | None = None, account: str | None = None) -> tuple[Seen, ...]:
        """Give the requests, oldest first; all, or those of one endpoint or account."""
        return tuple(
            seen
            for seen in tuple(self._seen)
            if account in (None, seen.account)
            and endpoint in (None, seen.path, f"{seen.method} {seen.path}")
        )

    def forget(self) -> None:
        """Drop all requests."""
        self._seen.clear()

    def __repr__(self) -> str:
        return f"<RequestLog of {len(self._seen)} requests>"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: by its address, or by the one name that is safe."""
    host = host.strip("[]").lower()
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
