"""Whether a signature belongs to a payload: the exchange's side of HMAC, Ed25519 and RSA.

Written against the exchange's documents and their published vectors, not against the client's
signer: were they to share a line, both could be wrong together.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


class Verifier(Protocol):
    """What the exchange keeps of a key: enough to check with."""

    def accepts(self, payload: bytes, signature: str) -> bool:
        """Tell whether this signature was made over this payload."""
        ...


class Hmac:
    """HMAC-SHA256 in hexadecimal, of any case."""

    __slots__ = ("_mac",)

    def __init__(self, secret: str) -> None:
        """Keep the secret, already mixed in."""
        self._mac = hmac.new(secret.encode(), digestmod=hashlib.sha256)

    def accepts(self, payload: bytes, signature: str) -> bool:
        """Compare without regard to case, as the exchange does for HMAC only."""
        mac = self._mac.copy()
        mac.update(payload)
        given = signature.lower().encode("utf-8", "surrogateescape")
        return hmac.compare_digest(mac.hexdigest().encode(), given)


class Ed25519:
    """Ed25519 in base64."""

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PublicKey) -> None:
        """Keep the public half."""
        self._key = key

    def accepts(self, payload: bytes, signature: str) -> bool:
        """Check with the public half."""
        return _is_proven(signature, lambda raw: self._key.verify(raw, payload))


class Rsa:
    """RSA, PKCS#1 v1.5 with SHA-256, in base64."""

    __slots__ = ("_key",)

    def __init__(self, key: RSAPublicKey) -> None:
        """Keep the public half."""
        self._key = key

    def accepts(self, payload: bytes, signature: str) -> bool:
        """Check with the public half."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        way = padding.PKCS1v15(), hashes.SHA256()
        return _is_proven(signature, lambda raw: self._key.verify(raw, payload, *way))


def _is_proven(signature: str, verify: Callable[[bytes], None]) -> bool:
    """Decode strictly, and ask who raises where it is not proven.

    A `+` that travelled unencoded has become a space, and is no base64.
    """
    from cryptography.exceptions import InvalidSignature

    try:
        verify(base64.b64decode(signature, validate=True))
    except (ValueError, InvalidSignature):
        return False
    return True
