"""What a request asks with: the parameters of query and body, and the bytes that were signed.

The payload that a signature covers is the query string followed by the body, with nothing between
them, without the signature itself (rest-api.md, "SIGNED endpoint security"). It is taken here from
the bytes as they were sent: nothing is decoded and encoded again, so a client that signs one
spelling and sends another is found out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

from binance_dust.sandbox import _refusals as refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.sandbox._endpoints import Law

# What may stand in a query unencoded, RFC 3986 section 3.4. Since 2026-01-15 the rest is refused.
_LEGAL: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")
_INTEGER: Final = re.compile(r"[0-9]{1,19}")
_PLAIN: Final = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?")


@dataclass(frozen=True, slots=True)
class Form:
    """The parameters of one request, by their wire names."""

    values: Mapping[str, list[str]]
    payload: str
    signature: str | None
    signatures: int
    encoded: bool

    def text(self, name: str) -> str | None:
        """Read a parameter that may be left out; sent empty, it counts as left out."""
        found = self.values.get(name)
        return found[0] if found and found[0] else None

    def whole_number(self, name: str) -> int | None:
        """Read a whole number of zero or more."""
        text = self.text(name)
        if text is None:
            return None
        if not _INTEGER.fullmatch(text):
            raise refusal.illegal(name)
        return int(text)

    def amount(self, name: str) -> Decimal | None:
        """Read a decimal number."""
        text = self.text(name)
        if text is None:
            return None
        if not _PLAIN.fullmatch(text):
            raise refusal.illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
        return Decimal(text)

    def flag(self, name: str) -> bool | None:
        """Read `true` or `false`; Python's `True` is neither."""
        match self.text(name):
            case None:
                return None
            case "true":
                return True
            case "false":
                return False
            case _:
                raise refusal.invalid(name)

    def choice(self, name: str, *allowed: str) -> str | None:
        """Read one of several words."""
        text = self.text(name)
        if text is not None and text not in allowed:
            raise refusal.invalid(name)
        return text

    def several(self, name: str, encoding: str = "both") -> list[str]:
        """Read a list: repeated, or joined by commas.

        Both are proven on `/asset/dust`. Spaces around the comma were seen to work.
        """
        sent = self.values.get(name, [])
        if len(sent) > 1 and encoding == "comma":
            raise refusal.duplicate(name)
        split = [sent] if encoding == "repeat" else [text.split(",") for text in sent]
        found = [item.strip() for part in split for item in part]
        if not all(found) or not found:
            raise refusal.missing(name)
        if len(set(found)) < len(found):
            raise refusal.duplicate(name)
        return found

    def shown(self) -> dict[str, str]:
        """Show what was asked, without the signature, for the witness."""
        return {name: ",".join(values) for name, values in self.values.items()}


def read(query: str, body: str) -> Form:
    """Read query and body as they were sent; where both name a parameter, the query wins."""
    values: dict[str, list[str]] = {}
    signatures: list[str] = []
    parts: list[str] = []
    for part in (query, body):
        if not part:
            continue
        own: dict[str, list[str]] = {}
        pairs = part.split("&")
        # The signature belongs at the end of its part. Elsewhere it is taken for a parameter like
        # any other, and so what remains can't match it.
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
    return Form(
        values,
        payload,
        signatures[0] if signatures else None,
        len(signatures),
        _LEGAL.fullmatch(payload) is not None,
    )


def check_presence(form: Form, law: Law) -> None:
    """Refuse what lacks a mandatory parameter, or repeats one that isn't a list."""
    for name, sent in form.values.items():
        if len(sent) > 1 and name not in law.lists:
            raise refusal.duplicate(name)
    for name in law.mandatory:
        if not any(form.values.get(name, ())):
            raise refusal.missing(name)


def _decoded(text: str, name: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise refusal.illegal(name[:40]) from None
