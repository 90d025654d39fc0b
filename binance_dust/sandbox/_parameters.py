"""The parameters of a request: read from query and body, with the text that was signed.

A signature covers the query string followed by the body, with nothing between them, without the
signature itself (rest-api.md, "SIGNED endpoint security"). This payload is taken from the bytes as
they were sent. Nothing is decoded and encoded again, so a client that signs one spelling and sends
another is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

from binance_dust.sandbox import _refusals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.sandbox._endpoints import ServedEndpoint

# Characters that a query may contain unencoded, RFC 3986 section 3.4. Since 2026-01-15 the exchange
# refuses any other.
_LEGAL: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")
_INTEGER: Final = re.compile(r"[0-9]{1,19}")
_PLAIN: Final = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one request, by their wire names."""

    values: Mapping[str, list[str]]
    payload: str
    """What the signature covers."""
    signature: str | None
    signature_count: int
    is_encoded: bool
    """The payload has no character that should have been percent-encoded."""

    def text(self, name: str) -> str | None:
        """Read an optional parameter; an empty one counts as left out."""
        found = self.values.get(name)
        return found[0] if found and found[0] else None

    def whole_number(self, name: str) -> int | None:
        """Read a whole number of zero or more."""
        text = self.text(name)
        if text is None:
            return None
        if not _INTEGER.fullmatch(text):
            raise _refusals.illegal(name)
        return int(text)

    def amount(self, name: str) -> Decimal | None:
        """Read a decimal number."""
        text = self.text(name)
        if text is None:
            return None
        if not _PLAIN.fullmatch(text):
            raise _refusals.illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
        return Decimal(text)

    def flag(self, name: str) -> bool | None:
        """Read `true` or `false`, in any case: programs in use send Python's `True`."""
        text = self.text(name)
        if text is None:
            return None
        if text.lower() not in ("true", "false"):
            raise _refusals.invalid(name)
        return text.lower() == "true"

    def choice(self, name: str, *allowed: str) -> str | None:
        """Read one of the allowed words."""
        text = self.text(name)
        if text is not None and text not in allowed:
            raise _refusals.invalid(name)
        return text

    def several(self, name: str, encoding: str = "both") -> list[str]:
        """Read a list: the parameter repeated, or one value joined by commas.

        Both are proven on `/asset/dust`. Spaces around the comma were seen to work.
        """
        sent = self.values.get(name, [])
        if len(sent) > 1 and encoding == "comma":
            raise _refusals.duplicate(name)
        split = [sent] if encoding == "repeat" else [text.split(",") for text in sent]
        found = [item.strip() for part in split for item in part]
        if not all(found) or not found:
            raise _refusals.missing(name)
        if len(set(found)) < len(found):
            raise _refusals.duplicate(name)
        return found

    def shown(self) -> dict[str, str]:
        """Show the parameters without the signature, for the record of requests."""
        return {name: ",".join(values) for name, values in self.values.items()}


def read_parameters(query: str, body: str) -> Parameters:
    """Read query and body as they were sent; a parameter in both is taken from the query."""
    values: dict[str, list[str]] = {}
    signatures: list[str] = []
    parts: list[str] = []
    for part in (query, body):
        if not part:
            continue
        own: dict[str, list[str]] = {}
        pairs = part.split("&")
        # The signature must come last in its part. Anywhere else it counts as a parameter, so it
        # becomes part of the payload, and cannot match it.
        name, _, value = pairs[-1].partition("=")
        if name == "signature":
            pairs.pop()
            signatures.append(_decoded(value, "signature"))
        for pair in pairs:
            if not pair:
                continue
            name, _, value = pair.partition("=")
            name = _decoded(name, name)
            own.setdefault(name, []).append(_decoded(value, name))
        parts.append("&".join(pairs))
        values = own | values
    payload = "".join(parts)
    return Parameters(
        values,
        payload,
        signatures[0] if signatures else None,
        len(signatures),
        _LEGAL.fullmatch(payload) is not None,
    )


def check_mandatory(parameters: Parameters, endpoint: ServedEndpoint) -> None:
    """Refuse a missing mandatory parameter, or a repeated one that is not a list."""
    for name, sent in parameters.values.items():
        if len(sent) > 1 and name not in endpoint.lists:
            raise _refusals.duplicate(name)
    for name in endpoint.mandatory:
        if not any(parameters.values.get(name, ())):
            raise _refusals.missing(name)


def _decoded(text: str, name: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise _refusals.illegal(name[:40]) from None
