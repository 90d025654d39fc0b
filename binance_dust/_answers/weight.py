"""What an answer says about weight: the value that budgets are told, and how headers are read.

Headers are advice. `X-SAPI-USED-IP-WEIGHT-1M` and `X-SAPI-USED-UID-WEIGHT-1M` tell the weight that
the window of *that endpoint* holds, this call included. Only a success is sure to carry them, and
-1 means "not applicable". `Retry-After` is in seconds, was seen to be always 0 (a comment in
rotki's source), and HTTP also allows a date.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import msgspec

from binance_dust.endpoints import LimitKind

if TYPE_CHECKING:
    from collections.abc import Mapping

TOO_MANY: Final = 429
BANNED: Final = 418
FORBIDDEN: Final = 403
_FIRST_ERROR: Final = 400
_FIRST_BREAKDOWN: Final = 500
_LONGEST: Final = 3 * 24 * 3600.0
"""Seconds: the longest documented ban. A longer wait is not believed."""

_LEAST_BAN: Final = 120.0
"""Seconds to wait when a ban does not say its end: bans begin at two minutes (rest-api.md, July
2026)."""
_BAN_MARGIN: Final = 1.0
"""Seconds to stay away longer: a request a moment too early makes a ban longer."""

_IP, _UID = LimitKind.IP, LimitKind.UID
_WEIGHT: Final = re.compile(r"[0-9]{1,9}")
_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


class Feedback(msgspec.Struct, frozen=True, gc=False):
    """What the exchange said about weight with one answer."""

    status: int
    """The HTTP status; 429 for any refusal for weight, 418 for any ban, whatever HTTP said."""
    used_ip: int | None = None
    used_uid: int | None = None
    used_request: int | None = None
    retry_after: float | None = None
    """Seconds to wait; `None` where the answer says nothing sensible."""
    banned_until: float | None = None
    """The end of a ban: seconds since the epoch, in the exchange's time."""
    received: float = 0.0
    """When the answer had arrived, on the monotonic clock."""
    walled: bool = False
    """Whether a firewall answered: 403 without a code of the exchange."""

    def used(self, kind: LimitKind) -> int | None:
        """Give the weight that the exchange has counted for a kind of payer."""
        if kind is _IP:
            return self.used_ip
        return self.used_uid if kind is _UID else self.used_request

    @property
    def succeeded(self) -> bool:
        """Whether it was no error of any kind."""
        return self.status < _FIRST_ERROR

    @property
    def broken(self) -> bool:
        """Whether a server broke down, perhaps one in front of the exchange."""
        return self.status >= _FIRST_BREAKDOWN

    @property
    def bans(self) -> bool:
        """Whether the address is banned."""
        return self.status == BANNED or self.banned_until is not None


def ban_lasts(answer: Feedback, server_time: float | None) -> float:
    """Give the seconds for which a banned address must send nothing."""
    waits = [answer.retry_after or 0.0]
    if answer.banned_until is not None and server_time is not None:
        waits.append(answer.banned_until - server_time)
    wait = max(waits)
    return min(wait, _LONGEST) + _BAN_MARGIN if wait > 0 else _LEAST_BAN


def weight_of(  # noqa: PLR0913, PLR0917 - the judge's findings, passed on for every call
    status: int,
    headers: Mapping[str, str],
    received: float = 0.0,
    retry_after: float | None = None,
    banned_until: float | None = None,
    walled: bool = False,  # noqa: FBT001, FBT002 - likewise
) -> Feedback:
    """Read the weights from the headers; the rest is what the judge found.

    `headers` is a case-insensitive mapping.
    """
    get = headers.get
    ip, uid = get("X-SAPI-USED-IP-WEIGHT-1M"), get("X-SAPI-USED-UID-WEIGHT-1M")
    request = get("X-MBX-USED-WEIGHT-1M")
    return Feedback(
        status,
        None if ip is None else _weight(ip),
        None if uid is None else _weight(uid),
        None if request is None else _weight(request),
        retry_after,
        banned_until,
        received,
        walled,
    )


def wait_of(headers: Mapping[str, str], server_time: float | None = None) -> float | None:
    """Read `Retry-After` in seconds; `None` where it says nothing sensible.

    `server_time` helps with one that is a date, where the answer has no `Date` of its own.
    """
    return _seconds(headers.get("Retry-After"), headers.get("Date"), server_time)


def _weight(value: str) -> int | None:
    # Plain digits only: -1 is no weight, and int() alone would take "1_0" and "٣" besides.
    return int(value) if _WEIGHT.fullmatch(value) else None


def _seconds(value: str | None, date: str | None, server_time: float | None) -> float | None:
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        wait = float(value)
    else:
        until, now = _epoch(value), _epoch(date) or server_time
        if until is None or now is None:
            return None
        wait = max(0.0, until - now)
    return wait if wait <= _LONGEST else None


def _epoch(date: str | None) -> float | None:
    if not date:
        return None
    try:
        moment = parsedate_to_datetime(date)
        # HTTP knows Greenwich only; in its oldest form of a date no zone is written.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
