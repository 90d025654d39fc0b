"""Who may come in: the key, the signature, the time, the parameters, in the exchange's order.

- No key, or one that can't be one: -2014. A key that nobody has, or that lacks the right, or comes
  from a foreign address: -2015.
- `timestamp` and `signature` are mandatory: -1102. `recvWindow` is 5,000 ms unless sent, with up to
  three decimals, and 60,000 at most: -1131.
- The signature must be over the bytes as sent: -1022.
- The time is checked when the request arrives and again just before it is executed: -1021.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

from binance_dust.sandbox import _refusals as refusal

if TYPE_CHECKING:
    from binance_dust.sandbox._account import Account
    from binance_dust.sandbox._clock import Moment
    from binance_dust.sandbox._endpoints import Law
    from binance_dust.sandbox._parameters import Form

_KEY: Final = re.compile(r"[A-Za-z0-9]{64}")
_WINDOW: Final = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,3})?")
_USUAL_WINDOW: Final = 5_000.0
_LONGEST_WINDOW: Final = 60_000.0
_AHEAD_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long a request may still be carried out, by its own words."""

    timestamp: int
    window: float

    def check(self, moment: Moment) -> None:
        """Refuse a request from the future, or from too long ago."""
        if self.timestamp >= moment.ms + _AHEAD_MS:
            text = "Timestamp for this request was 1000ms ahead of the server's time."
            raise refusal.Refusal(-1021, text)
        if moment.ms - self.timestamp > self.window:
            text = "Timestamp for this request is outside of the recvWindow."
            raise refusal.Refusal(-1021, text)


def identify(api_key: str | None, account: Account | None) -> Account:
    """Find out whose key came along."""
    if api_key is None or not _KEY.fullmatch(api_key):
        raise refusal.bad_key_format()
    if account is None:
        raise refusal.bad_key()
    return account


def verify(form: Form, account: Account, moment: Moment, *, accept_unencoded: bool) -> Freshness:
    """Check time and signature of a signed request."""
    freshness = _freshness(form)
    if form.signatures > 1:
        raise refusal.duplicate("signature")
    if not form.signature:
        raise refusal.missing("signature")
    if not _is_signed(form, account, accept_unencoded=accept_unencoded):
        raise refusal.bad_signature()
    freshness.check(moment)
    return freshness


def authorize(law: Law, account: Account, address: str) -> None:
    """Refuse a key that lacks the right, or is used from elsewhere."""
    rights = account.permissions
    if rights.addresses and address not in rights.addresses:
        raise refusal.bad_key()
    if law.security == "signed" and not rights.allows(law.right):
        raise refusal.bad_key()


def _freshness(form: Form) -> Freshness:
    window = form.text("recvWindow")
    if window is not None and not _WINDOW.fullmatch(window):
        raise refusal.illegal("recvWindow", r"^([0-9]{1,10})(\.[0-9]{1,3})?$")
    milliseconds = _USUAL_WINDOW if window is None else float(window)
    if milliseconds > _LONGEST_WINDOW:
        raise refusal.Refusal(-1131, "recvWindow must be less than 60000.")
    timestamp = form.whole_number("timestamp")
    if timestamp is None:
        raise refusal.missing("timestamp")
    return Freshness(timestamp, milliseconds)


def _is_signed(form: Form, account: Account, *, accept_unencoded: bool) -> bool:
    signature = form.signature or ""
    payload = form.payload.encode("utf-8", "surrogateescape")
    # Announced for 2026-01-15: what is not percent-encoded is refused, however well it is signed.
    if form.encoded and account.verifier.accepts(payload, signature):
        return True
    if not accept_unencoded:
        return False
    decoded = unquote_plus(form.payload, errors="surrogateescape")
    return account.verifier.accepts(decoded.encode("utf-8", "surrogateescape"), signature)
