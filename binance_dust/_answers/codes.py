"""What a "no" of the exchange means: from status, code and text to an error of our tree.

The table has every code of the general, dust and margin lists that these calls have met or are
documented to meet (read between January and November 2026). A code that is not in the table becomes
a plain `ExchangeError`, which does not say whether the request was carried out.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust.errors import (
    BannedError,
    ClockError,
    CooldownError,
    CredentialsError,
    Delivery,
    DustError,
    DustRejectedError,
    ExchangeError,
    MaintenanceError,
    NotConvertibleError,
    PriceMovedError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Verdict(msgspec.Struct, frozen=True):
    """A class of error, and what is known about the request having been carried out."""

    error: type[ExchangeError]
    delivery: Delivery | None = None
    """Only where it differs from the usual one of the class."""


_REJECTED: Final = Verdict(RejectedError)
_CREDENTIALS: Final = Verdict(CredentialsError)
_CLOCK: Final = Verdict(ClockError)
_RATE: Final = Verdict(RateLimitedError)
_BANNED: Final = Verdict(BannedError)
_UNKNOWN: Final = Verdict(UnavailableError, Delivery.UNKNOWN)
_BUSY: Final = Verdict(UnavailableError, Delivery.REFUSED)
_DUST: Final = Verdict(DustRejectedError)
_ASSETS: Final = Verdict(NotConvertibleError)
_COOLDOWN: Final = Verdict(CooldownError)
_UNHEARD_OF: Final = Verdict(ExchangeError, Delivery.UNCLEAR)
_REFUSED_BY_500: Final = Verdict(RejectedError, Delivery.UNCLEAR)
"""Final for a read. A call that moves funds may still have been carried out."""


def _expand(*rows: tuple[Verdict, tuple[int, ...]]) -> Iterator[tuple[int, Verdict]]:
    for verdict, codes in rows:
        for code in codes:
            yield code, verdict


BY_CODE: Final[dict[int, Verdict]] = dict(
    _expand(
        # General: may have been carried out.
        (_UNKNOWN, (-1000, -1001, -1006, -1007)),
        # General: not now, and nothing was done. -1016 says that the service is shutting down.
        (_RATE, (-1003, -1015)),
        (_BUSY, (-1004, -1008)),
        (Verdict(MaintenanceError, Delivery.REFUSED), (-1016,)),
        (_CLOCK, (-1021,)),
        # General: the key, its signature, its permissions.
        (_CREDENTIALS, (-1002, -1022, -1099, -2008, -2014, -2015, -2017)),
        # General: the request.
        (_REJECTED, (-1013, -1014, -1020, -1100, -1101, -1102, -1103, -1104, -1105, -1106)),
        (_REJECTED, (-1111, -1128, -1130, -1131, -1151, -4047)),
        # Dust. 32110 is in no list; it was seen once where -5006 was expected.
        (_ASSETS, (-5001, -5003, -5004, -5005, -5009)),
        (_COOLDOWN, (-5006, 32110)),
        (_DUST, (-5002, -5007, -5008, -5013)),
        (_UNKNOWN, (-5010, -5012)),
        (_REJECTED, (-5011, -5021)),
        # Margin.
        (_UNKNOWN, (-3000,)),
        (_BUSY, (-3007, -3044)),
        (_REJECTED, (-3001, -3002, -3003, -3004, -3006, -3008, -3010, -3014, -3015, -3016)),
        (_REJECTED, (-3022, -3023, -3024, -3026, -3027, -3036, -3037, -3041, -3042, -3045)),
        (_REJECTED, (-3020, -3999)),
        # Sales by quote: the quote has expired (documented for Binance Pay, which sells likewise).
        (_REJECTED, (345_231,)),
        # Other products' way of saying "too frequent".
        (_RATE, (-6009, -12014)),
    )
)

_BY_STATUS: Final[dict[int, Verdict]] = {
    401: _CREDENTIALS,
    408: _UNKNOWN,
    418: _BANNED,
    429: _RATE,
}

# The asset service's own names for -5001 to -5009, in that order; its numbers are 032001 to 032009.
# A code that stands for many things (-9000) has one of them in its text: in a class path, or alone.
_INNER: Final = (
    "ASSET_DRIBBLET_CONVERT_SWITCH_OFF",
    "ASSET_ASSET_NOT_ENOUGH",
    "ASSET_USER_HAVE_NO_ASSET",
    "USER_OUT_OF_TRANSFER_FLOAT",
    "USER_ASSET_AMOUNT_IS_TOO_LOW",
    "USER_CAN_NOT_REQUEST_IN_24_HOURS",
    "AMOUNT_OVER_ZERO",
    "ASSET_WITHDRAW_WITHDRAWING_NOT_ENOUGH",
    "PRODUCT_NOT_EXIST",
)
_INNER_NAME: Final = re.compile(rf"(?<!\w)(?:{'|'.join(_INNER)})(?!\w)")
_INNER_NUMBER: Final = re.compile(r"(?:[\w.]+\.)?0?3200([1-9])", re.ASCII)

# Some rules have no known code: their words tell.
_PRICE_MOVED: Final = re.compile(r"fluctuat|price.{0,40}(?:moved|changed)", re.IGNORECASE)
_MAINTENANCE: Final = re.compile(r"maintenance|upgrading", re.IGNORECASE)
_BANNED_UNTIL: Final = re.compile(r"banned until (\d{12,14})", re.IGNORECASE)

# A 500 with a small positive code was seen to refuse a parameter, each time it was sent.
_ABOUT_PARAMETERS: Final = re.compile(
    r"parameter|\b(?:should|must|cannot|can't|invalid|illegal|required|exceeds?|larger|smaller|"
    r"at (?:most|least)|not (?:be )?(?:empty|null|blank|supported))\b",
    re.IGNORECASE,
)
_SMALL_CODES: Final = range(1, 1000)

_FIRST_SERVER_ERROR: Final = 500
_MANY_THINGS: Final = -9000
_BEFORE_INNER: Final = -5000
_NO_MARGIN_ACCOUNT: Final = -3003


def has_no_margin(error: DustError) -> bool:
    """Whether an error says that the account has no margin: an answer rather than a failure."""
    return isinstance(error, ExchangeError) and error.code == _NO_MARGIN_ACCOUNT


def verdict(status: int, code: int | str | None, message: str) -> Verdict:
    """Decide what an answer means that is not a success."""
    known = _find(code, message)
    if status in (418, 429):
        # The status decides about waiting, whatever code comes with it.
        known = _BY_STATUS[status]
    if known in (None, _RATE) and _BANNED_UNTIL.search(message):
        return _BANNED
    if known is None or known is _UNKNOWN:
        known = _by_words(code, message) or known
    if status >= _FIRST_SERVER_ERROR:
        if _refuses_parameters(code, message):
            return _REFUSED_BY_500
        return _server_error(known)
    if known is not None:
        return known
    if code is not None and status not in _BY_STATUS:
        return _UNHEARD_OF
    # An answer without a code is not from the exchange itself: a firewall (403), a region that is
    # shut out (451), a path that does not exist (404). None of them carries anything out.
    return _BY_STATUS.get(status, _REJECTED)


def limits_us(code: int | str | None, message: str) -> bool:
    """Whether a code or a text asks for fewer requests, whatever the status."""
    return verdict(200, code, message).error in (RateLimitedError, BannedError)


def cooled(code: int | str | None, message: str) -> bool:
    """Whether a refusal says that the account converted too recently."""
    return _find(code, message) is _COOLDOWN


def _find(code: int | str | None, message: str) -> Verdict | None:
    """Look up a code; of one that stands for many things, the one in its text."""
    if code is None:
        return None
    if isinstance(code, int) and code in BY_CODE:
        return BY_CODE[code]
    number = code if isinstance(code, str) else message.strip()
    inner = _INNER_NUMBER.fullmatch(number)
    if inner is not None and (isinstance(code, str) or code == _MANY_THINGS):
        return BY_CODE[_BEFORE_INNER - int(inner[1])]
    named = set(_INNER_NAME.findall(message))
    return BY_CODE[_BEFORE_INNER - 1 - _INNER.index(*named)] if len(named) == 1 else None


def _refuses_parameters(code: int | str | None, message: str) -> bool:
    return code in _SMALL_CODES and _ABOUT_PARAMETERS.search(message) is not None


def _by_words(code: int | str | None, message: str) -> Verdict | None:
    if _MAINTENANCE.search(message):
        return Verdict(MaintenanceError, Delivery.UNKNOWN)
    if code is not None and _PRICE_MOVED.search(message):
        return Verdict(PriceMovedError)
    return None


def _server_error(known: Verdict | None) -> Verdict:
    """Read a 5xx as an unknown outcome, unless its code says that nothing was done."""
    if known is None:
        return _UNKNOWN
    delivery = known.delivery or known.error.usual_delivery
    if delivery is Delivery.REFUSED or issubclass(known.error, UnavailableError):
        return known
    return _UNKNOWN


def exchange_error(  # noqa: PLR0913 - what is known of the answer, all by keyword
    found: Verdict,
    *,
    status: int,
    code: int | str | None,
    message: str,
    endpoint: str,
    account: str | None,
    names: tuple[str, ...] = (),
    retry_after: float | None = None,
    until: datetime | None = None,
    now: Callable[[], datetime] | None = None,
) -> ExchangeError:
    """Build the error for an answer that is not a success."""
    fields: dict[str, Any] = {
        "code": code,
        "status": status,
        "endpoint": endpoint,
        "account": account,
        "delivery": found.delivery,
    }
    if found.error is RateLimitedError:
        return RateLimitedError(message, retry_after=retry_after, **fields)
    if found.error is BannedError:
        if now is not None:
            if until is not None:
                retry_after = max(0.0, (until - now()).total_seconds())
            elif retry_after:
                until = datetime.fromtimestamp(now().timestamp() + retry_after, tz=UTC)
        return BannedError(message, until=until, retry_after=retry_after, **fields)
    if found.error is NotConvertibleError:
        return NotConvertibleError(message, assets=_to_blame(names, message), **fields)
    return found.error(message, **fields)


def banned_until(message: str) -> datetime | None:
    """Read the end of a ban from its text: milliseconds since the epoch."""
    match = _BANNED_UNTIL.search(message)
    if match is None:
        return None
    return datetime.fromtimestamp(int(match[1]) / 1000, tz=UTC)


def _to_blame(names: tuple[str, ...], message: str) -> tuple[str, ...]:
    """Find the assets that a message names; if it names none, each may be the culprit."""
    words = set(re.split(r"[^\w]+", message))
    return tuple(name for name in names if name in words) or names
