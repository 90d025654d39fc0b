"""The limits of one outgoing address, as the exchange publishes them.

12,000 weight a minute for each `/sapi` endpoint and address, 180,000 for each endpoint and account
(https://developers.binance.com/docs/wallet, "Limits"; read January 2026), 6,000 for all of
`/api/v3` and an address (https://developers.binance.com/docs/binance-spot-api-docs, "Limits"; July
2026).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from binance_dust._util.checks import instance, positive, seconds
from binance_dust.endpoints import LimitKind
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import timedelta

BURST: Final = 0.1
"""Part of a second's requests that may go at once."""
LEAST_WINDOW: Final = 0.001
"""Seconds. A shorter window is a mistake, and floating point can't compute with much less."""


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class RateLimits:
    """The weight that may be spent in one window.

    >>> RateLimits(headroom=0.1).of(LimitKind.IP)
    10800
    """

    ip_weight: int
    """Weight per window, for each endpoint and outgoing address."""
    uid_weight: int
    """Weight per window, for each endpoint and account."""
    request_weight: int
    """Weight per window, for all of `/api/v3` and an outgoing address."""
    window: float
    """Seconds, given so or as a timedelta. Shorter windows let tests run in compressed time."""
    headroom: float
    """The part of every limit that is left to other software behind the same address."""
    requests_per_second: float
    """Raw requests of the address in any one second, whatever they weigh."""

    def __init__(  # noqa: PLR0913 - the limits, all by keyword
        self,
        *,
        ip_weight: int = 12_000,
        uid_weight: int = 180_000,
        request_weight: int = 6_000,
        window: timedelta | float = 60.0,
        headroom: float = 0.0,
        requests_per_second: float = 500,
    ) -> None:
        """Reject impossible limits."""
        keep = partial(object.__setattr__, self)  # the object is frozen
        keep("ip_weight", ip_weight)
        keep("uid_weight", uid_weight)
        keep("request_weight", request_weight)
        keep("window", seconds(window, "window"))
        keep("headroom", headroom)
        keep("requests_per_second", requests_per_second)
        for name in ("ip_weight", "uid_weight", "request_weight"):
            if instance(value := getattr(self, name), int, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {value}")
        if self.window < LEAST_WINDOW:
            raise ConfigurationError(f"window must be {LEAST_WINDOW} s or more, not {self.window}")
        positive(self.requests_per_second, "requests_per_second")
        if self.headroom != 0:
            positive(self.headroom, "headroom")
        for kind in LimitKind:
            if self.of(kind) < 1:
                message = f"headroom {self.headroom!r} leaves nothing of the {kind.value} limit"
                raise ConfigurationError(message)

    def whole(self, kind: LimitKind) -> int:
        """Return the exchange's own limit."""
        match kind:
            case LimitKind.IP:
                return self.ip_weight
            case LimitKind.UID:
                return self.uid_weight
            case LimitKind.REQUEST:
                return self.request_weight

    def of(self, kind: LimitKind) -> int:
        """Return the part of a limit that is ours to spend."""
        # Rounded first, for 12_000 * (1 - 0.9) is a hair below 1,200.
        return math.floor(round(self.whole(kind) * (1 - self.headroom), 6))
