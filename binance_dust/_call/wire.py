"""The wire, without I/O: a call becomes a request.

One encoder makes the query, which is both signed and sent. All parameters travel in it, also for
POST, as in the exchange's own SDKs. A body would be a second text to sign.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote

from binance_dust._util.structs import HiddenStruct
from binance_dust.endpoints import Endpoint

if TYPE_CHECKING:
    from binance_dust._call.signing import AccountKey
    from binance_dust.endpoints import Call

R = TypeVar("R")

_SIGNATURE: Final = re.compile(
    r"(signature(?:=|%3D|&#61;|\"?\s*:\s*\"?))[^&\s\"'<>]+", re.IGNORECASE
)

_TELLING: Final = 8
"""Characters of a secret that may be shown by chance."""


class Request(HiddenStruct, frozen=True, gc=False):
    """One attempt at a call, ready to be sent. Its repr leaves out the query, which is signed."""

    endpoint: Endpoint[..., Any]
    account: str | None
    """The account's label, for errors."""
    path_and_query: str
    api_key: str | None
    signature: str | None

    def __repr__(self) -> str:
        return f"<Request {self.endpoint}{f' ({self.account})' if self.account else ''}>"

    def scrub(self, text: str) -> str:
        """Remove signature, query and key from a foreign text, also one that was cut in them."""
        for secret in (self.path_and_query.partition("?")[2], self.signature, self.api_key):
            for form in {secret, unquote(secret)} if secret else ():
                text = _without_beginning(text.replace(form, "***"), form)
        return _SIGNATURE.sub(r"\1***", text)


def _without_beginning(text: str, secret: str) -> str:
    """Take away the beginning of a secret at the end of a text."""
    most = min(len(secret), len(text))
    cut = next((n for n in range(most, _TELLING - 1, -1) if text.endswith(secret[:n])), 0)
    return f"{text[:-cut]}***" if cut else text


def unsigned_request(
    call: Call[Any], query: str = "", account: AccountKey | None = None
) -> Request:
    """Write a request that needs no signature, with the key of an account or without one."""
    path = f"{call.endpoint.path}?{query}" if query else call.endpoint.path
    label, api_key = (account.label, account.api_key) if account else (None, None)
    return Request(call.endpoint, label, path, api_key, None)


def payload(query: str, recv_window: float, timestamp: int) -> str:
    """Add what every signed call carries. The result is signed and sent."""
    constant = _constant_part(recv_window)
    return f"{query}&{constant}{timestamp}" if query else f"{constant}{timestamp}"


@cache
def _constant_part(recv_window: float) -> str:
    # The exchange takes three decimals at most.
    milliseconds = f"{recv_window:.3f}".rstrip("0").rstrip(".")
    return f"recvWindow={milliseconds}&timestamp="


def signed_request(
    call: Call[Any], signed: str, signature: str, *, api_key: str, account: str
) -> Request:
    """Append a signature to the text that it signs."""
    return Request(
        call.endpoint,
        account,
        f"{call.endpoint.path}?{signed}&signature={signature}",
        api_key,
        signature,
    )
