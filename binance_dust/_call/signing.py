"""Signatures: HMAC-SHA256, Ed25519, and RSA with PKCS#1 v1.5 and SHA-256.

The payload is the query exactly as it is sent. The signature is already encoded for a URL. An RSA
signature takes up to two milliseconds, so a thread makes it; for the others a thread would take
longer than signing. Measured: HMAC 2 µs, Ed25519 37 µs, RSA 0.4 ms with 2048 bits, 1.6 with 4096.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from typing import TYPE_CHECKING, Final, Protocol

from binance_dust._util.hidden import NeverPickled
from binance_dust.endpoints._spec import percent_encode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from binance_dust.credentials import Credentials


class Signer(Protocol):
    """Makes the signatures of one key."""

    @property
    def in_thread(self) -> bool:
        """Whether signing would block the event loop for too long."""
        ...

    def sign(self, payload: bytes) -> str:
        """Sign a payload; the result is encoded for a URL."""
        ...


class _HmacSigner(NeverPickled):
    __slots__ = ("_key",)
    in_thread: Final = False

    def __init__(self, secret: str) -> None:
        self._key = secret.encode()

    def sign(self, payload: bytes) -> str:
        return hmac.digest(self._key, payload, "sha256").hex()


class _Ed25519Signer(NeverPickled):
    __slots__ = ("_key",)
    in_thread: Final = False

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, payload: bytes) -> str:
        return _in_url(self._key.sign(payload))


class _RsaSigner(NeverPickled):
    __slots__ = ("_key",)
    in_thread: Final = True

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key

    def sign(self, payload: bytes) -> str:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        return _in_url(self._key.sign(payload, PKCS1v15(), SHA256()))


def signer_for(credentials: Credentials) -> Signer:
    """Choose the signer for an account's kind of key."""
    key = credentials.private_key
    if key is None:
        return _HmacSigner(credentials.secret.reveal())
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return _Ed25519Signer(key) if isinstance(key, Ed25519PrivateKey) else _RsaSigner(key)


async def sign(signer: Signer, payload: str) -> str:
    """Sign a query; slow signatures are made in a thread."""
    if signer.in_thread:
        return await asyncio.to_thread(signer.sign, payload.encode())
    return signer.sign(payload.encode())


def _in_url(signature: bytes) -> str:
    # Base64 has `+`, `/` and `=`: a `+` that is not encoded arrives as a space.
    return percent_encode(base64.b64encode(signature).decode())
