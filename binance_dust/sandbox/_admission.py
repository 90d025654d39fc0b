"""Admission: the key, the signature, the time and the parameters, checked in the exchange's order.

- A missing key, or one in the wrong form: -2014. An unknown key, a key without the right, or a key
  from a foreign address: -2015.
- `timestamp` and `signature` are mandatory: -1102. `recvWindow` is 5,000 ms by default, with up to
  three decimals, and 60,000 at most: -1131.
- The signature must be over the bytes as sent: -1022.
- The time is checked on arrival, and again just before the request is executed: -1021.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from binance_dust.sandbox import _refusals
from binance_dust.sandbox._clock import DAY_MS
from binance_dust.sandbox._market import Conditions

if TYPE_CHECKING:
    from binance_dust.sandbox._account import Account, Margin, WalletName
    from binance_dust.sandbox._clock import Instant
    from binance_dust.sandbox._endpoints import ServedEndpoint
    from binance_dust.sandbox._keys import SignatureCheck
    from binance_dust.sandbox._parameters import Parameters

_KEY: Final = re.compile(r"[A-Za-z0-9]{64}")
_WINDOW: Final = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,3})?")
_DEFAULT_WINDOW: Final = 5_000.0
_LONGEST_WINDOW: Final = 60_000.0
_AHEAD_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Freshness:
    """Until when a request may be executed, by its own `timestamp` and `recvWindow`."""

    timestamp: int
    window: float

    def check(self, now: Instant) -> None:
        """Refuse a request from the future, or one that is too old."""
        if self.timestamp >= now.ms + _AHEAD_MS:
            text = "Timestamp for this request was 1000ms ahead of the server's time."
            raise _refusals.Refusal(-1021, text)
        if now.ms - self.timestamp > self.window:
            text = "Timestamp for this request is outside of the recvWindow."
            raise _refusals.Refusal(-1021, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmittedRequest(Conditions):
    """A request that passed admission, with the conditions under which it is executed."""

    endpoint: ServedEndpoint
    parameters: Parameters
    sender: Account | None = None
    """The account that asks; `None` where the endpoint needs no key."""
    in_maintenance: bool = False

    @property
    def account(self) -> Account:
        """The account that asks, or a refusal."""
        if self.sender is None:
            raise _refusals.bad_key()
        return self.sender

    @property
    def margin(self) -> Margin:
        """The margin account of the account that asks, or a refusal."""
        if self.account.margin is None:
            raise _refusals.no_margin_account()
        return self.account.margin

    def wallet(self) -> WalletName:
        """Read `accountType`, which is `SPOT` by default."""
        if self.parameters.choice("accountType", "SPOT", "MARGIN") != "MARGIN":
            return "SPOT"
        if self.account.margin is None:
            raise _refusals.no_margin_account()
        return "MARGIN"

    def time_range(self) -> tuple[int | None, int | None]:
        """Read `startTime` and `endTime`; a range that is too long is refused with -4047."""
        start = self.parameters.whole_number("startTime")
        end = self.parameters.whole_number("endTime")
        days = self.rules.log_days
        if start is not None and end is not None and not 0 <= end - start <= days * DAY_MS:
            raise _refusals.Refusal(-4047, f"Time interval must be within 0-{days} days")
        return start, end


ReplyFunction = Callable[[AdmittedRequest], Any]
"""Gives what is written as JSON, or raises a `Refusal`."""


def check_key(api_key: str | None, account: Account | None) -> Account:
    """Check the form of a key, and that it belongs to an account."""
    if api_key is None or not _KEY.fullmatch(api_key):
        raise _refusals.bad_key_format()
    if account is None or api_key not in account.keys:
        raise _refusals.bad_key()
    return account


def check_signature(
    parameters: Parameters, check: SignatureCheck, now: Instant, *, accept_unencoded: bool
) -> Freshness:
    """Check time and signature of a signed request."""
    freshness = _read_freshness(parameters)
    if parameters.signature_count > 1:
        raise _refusals.duplicate("signature")
    if not parameters.signature:
        raise _refusals.missing("signature")
    if not _is_signed(parameters, check, accept_unencoded=accept_unencoded):
        raise _refusals.bad_signature()
    freshness.check(now)
    return freshness


def check_rights(endpoint: ServedEndpoint, account: Account, address: str) -> None:
    """Refuse a key that lacks the right, or is used from a foreign address."""
    permissions = account.permissions
    if permissions.addresses and address not in permissions.addresses:
        raise _refusals.bad_key()
    if endpoint.security == "signed" and not permissions.allows(endpoint.right):
        raise _refusals.bad_key()


def _read_freshness(parameters: Parameters) -> Freshness:
    window = parameters.text("recvWindow")
    if window is not None and not _WINDOW.fullmatch(window):
        raise _refusals.illegal("recvWindow", r"^([0-9]{1,10})(\.[0-9]{1,3})?$")
    milliseconds = _DEFAULT_WINDOW if window is None else float(window)
    if milliseconds > _LONGEST_WINDOW:
        raise _refusals.Refusal(-1131, "recvWindow must be less than 60000.")
    timestamp = parameters.whole_number("timestamp")
    if timestamp is None:
        raise _refusals.missing("timestamp")
    return Freshness(timestamp, milliseconds)


def _is_signed(parameters: Parameters, check: SignatureCheck, *, accept_unencoded: bool) -> bool:
    signature = parameters.signature or ""
    payload = parameters.payload.encode("utf-8", "surrogateescape")
    # Announced for 2026-01-15: what is not percent-encoded is refused, even if its signature fits.
    if parameters.is_encoded and check.accepts(payload, signature):
        return True
    if not accept_unencoded:
        return False
    decoded = unquote_plus(parameters.payload, errors="surrogateescape")
    return check.accepts(decoded.encode("utf-8", "surrogateescape"), signature)
