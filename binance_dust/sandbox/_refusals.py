"""How the exchange refuses: a code, a text, an HTTP status.

The texts are those of the exchange's documents; codes and statuses are those of its error pages,
read 2026-08. Where no document names a code, a comment says that the sandbox chose it.
"""

from __future__ import annotations

from typing import Final


class Refusal(Exception):  # noqa: N818 - an answer of the exchange, not an error of ours
    """A refused request; raised where it is decided, and answered at the end."""

    def __init__(
        self, code: int, msg: str, *, status: int = 400, retry_after: int | str | None = None
    ) -> None:
        """Keep what will be answered."""
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = msg
        self.status = status
        self.retry_after = retry_after


# Texts of the wallet's codes, from the page "Error Code" of the wallet's documents.
_DUST: Final = {
    -5001: "Don't allow transfer to micro assets.",
    -5002: "You have insufficient balance.",
    -5003: "You don't have this asset.",
    -5004: "The residual balances of %s have exceeded 0.001BTC, Please re-choose.",
    -5005: "The residual balances of %s is too low, Please re-choose.",
    -5006: "Only transfer once in 24 hours.",
    -5010: "Asset transfer fail.",
    # Reported once, unconfirmed; the sandbox sends it only when `Rules.cooldown_code` says so.
    32110: "Dust conversion is cooling down.",
}


def dust(code: int, asset: str = "") -> Refusal:
    """Refuse a conversion with one of the wallet's codes; some texts name the asset."""
    text = _DUST.get(code, "The conversion was not carried out.")
    return Refusal(code, text.replace("%s", asset))


def price_moved(code: int) -> Refusal:
    """Refuse to convert at a price far from the one shown; the FAQ names no code."""
    text = "The price fluctuated by 5% or more during the conversion. Please try again later."
    return Refusal(code, text)


def missing(name: str) -> Refusal:
    """Refuse a request with a parameter that is missing, empty or unreadable."""
    text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return Refusal(-1102, text)


def illegal(name: str, legal: str = "^[0-9]{1,20}$") -> Refusal:
    """Refuse characters that this parameter may not contain."""
    text = f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    return Refusal(-1100, text)


def invalid(name: str) -> Refusal:
    """Refuse a value that this parameter may not have."""
    return Refusal(-1130, f"Data sent for parameter '{name}' is not valid.")


def duplicate(name: str) -> Refusal:
    """Refuse a parameter, or a value in a list, that was sent twice."""
    return Refusal(-1101, f"Too many parameters; duplicate values for '{name}' detected.")


def not_found() -> Refusal:
    """Refuse a path that doesn't exist."""
    return Refusal(-1099, "Not found, authenticated, or authorized.", status=404)


def wrong_method() -> Refusal:
    """Refuse a method that the path doesn't have; the sandbox chose 405 for this code."""
    return Refusal(-1020, "This operation is not supported.", status=405)


def bad_key_format() -> Refusal:
    """Refuse a key that has not the form of a key."""
    return Refusal(-2014, "API-key format invalid.", status=401)


def bad_key() -> Refusal:
    """Refuse a key that is unknown, lacks the right, or comes from a foreign address."""
    return Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def bad_signature() -> Refusal:
    """Refuse a signature that does not match what was sent."""
    return Refusal(-1022, "Signature for this request is not valid.")


def maintenance() -> Refusal:
    """Refuse everything during maintenance; the sandbox chose 503 for this code."""
    return Refusal(-1016, "This service is no longer available.", status=503)


def short_of_funds() -> Refusal:
    """Refuse a transfer of more than the wallet has free; this text was seen."""
    return Refusal(-5013, "Asset transfer failed: insufficient balance")


def no_margin_account() -> Refusal:
    """Refuse a margin request from an account without margin."""
    return Refusal(-3003, "Margin account does not exist.")


def too_much_weight(limit: int, retry_after: int) -> Refusal:
    """Refuse a request that would pass the limit of its window."""
    text = (
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )
    return Refusal(-1003, text, status=429, retry_after=retry_after)


def banned(until_ms: int, retry_after: int) -> Refusal:
    """Refuse every request from a banned address."""
    text = (
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    )
    return Refusal(-1003, text, status=418, retry_after=retry_after)


def another_host() -> Refusal:
    """Refuse a request that names another host than this machine."""
    return Refusal(-1100, "This sandbox is for this machine only.", status=421)


def malformed(status: int = 400) -> Refusal:
    """Refuse bytes that are no HTTP request; the sandbox chose the code."""
    return Refusal(-1100, "Illegal characters found in the request.", status=status)
