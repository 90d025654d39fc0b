"""The protocol; what a signature looks like; what this package's signers share."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from binance_dust._util.keys import NeverPickled
from binance_dust._util.words import visible
from binance_dust.errors import CredentialsError, DustError, NotSentError

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["QueuedSigner", "Signer", "name_of", "named", "read_signature", "too_slow"]

_HMAC: Final = re.compile(r"[0-9A-Fa-f]{64}")
_HMAC_BYTES: Final = 32
_ED25519_BYTES: Final = 64
_RSA_BYTES: Final = range(128, 2049)
_NAME: Final = 80
"""Characters of a signer's name that are shown."""


class Signer(Protocol):
    """Makes signatures with a key that this process does not hold.

    `sign` gets the text to sign, as it is sent, and gives what goes into `signature=`: base64 for
    Ed25519 and RSA, hexadecimal for HMAC. It must not block the event loop, and may be asked for
    several signatures at once. Two attributes are read if they are there: `name` (a text that
    errors show) and `timeout` (seconds for one signature, 10 if there is none).

    Raise `CredentialsError(text, status=0)` if a key can't sign, and `NotSentError(text)` if it may
    succeed when it is tried again at once. Of any other exception only the type is shown, because
    its text may hold a secret.
    """

    async def sign(self, payload: bytes) -> str:
        """Sign a payload."""
        ...


class QueuedSigner(NeverPickled):
    """What the signers of this package share: a name, a time limit, and a queue to wait in."""

    __slots__ = ("name", "queue", "timeout")

    at_once: ClassVar[int] = 8
    """Signatures that are made at once for a queue."""
    alike: ClassVar[bool] = True
    """Whether one signer's silence means that all others of its queue get no answer either."""

    def __init__(self, name: str, queue: Hashable, timeout: float) -> None:
        """Take a name for errors. Signers with an equal `queue` wait for one another."""
        self.name: Final = name
        self.queue: Final = queue
        self.timeout: Final = timeout

    async def sign(self, payload: bytes) -> str:
        """Make the signature of a payload, as the exchange takes it."""
        try:
            async with asyncio.timeout(self.timeout):
                return await self.make(payload)
        except TimeoutError:
            error: DustError = CredentialsError(too_slow(self.timeout))
        except (CredentialsError, NotSentError) as failed:
            error = failed
        raise named(error, self.name)

    async def make(self, payload: bytes) -> str:
        """Make a signature without a time limit."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'name', 'refused')}>"


def too_slow(seconds: float) -> str:
    """Say that there was no signature in time."""
    return f"gave no signature within {seconds:g} s; is it waiting for somebody, or locked?"


def named(
    error: DustError, name: str, endpoint: str | None = None, account: str | None = None
) -> CredentialsError | NotSentError:
    """Add to what a signer says which signer it is, and which call it was asked for.

    Nothing was sent, so the status is 0, whatever the signer's own error has.
    """
    if isinstance(error, NotSentError):
        return NotSentError(f"{name}: {error}", endpoint=endpoint, account=account)
    text = error.message if isinstance(error, CredentialsError) else str(error)
    return CredentialsError(f"{name}: {text}", status=0, endpoint=endpoint, account=account)


def name_of(signer: object) -> str:
    """Name a signer for errors, and show nothing else of it."""
    name = getattr(signer, "name", None)
    if not isinstance(name, str) or not name.strip():
        name = type(signer).__name__
    return visible(name.strip(), _NAME)


def read_signature(made: object) -> str | None:
    """Read a signature in hexadecimal or base64, broken into lines or encoded for a URL, too.

    A program may print one of a known length as it is, in bytes. Return `None` for anything else.
    """
    if isinstance(made, bytes | bytearray):
        try:
            text = made.decode("ascii")
        except UnicodeDecodeError:
            return _from_bytes(bytes(made))
        return read_signature(text) or _from_bytes(bytes(made))
    if not isinstance(made, str):
        return None
    text = "".join(made.split())
    for coded, plain in (("%2B", "+"), ("%2F", "/"), ("%3D", "=")):
        text = text.replace(coded, plain).replace(coded.lower(), plain)
    if _HMAC.fullmatch(text):
        return text
    try:
        size = len(base64.b64decode(text.encode("ascii"), validate=True))
    except (UnicodeEncodeError, binascii.Error):
        return None
    return text if _may_be_signature(size) else None


def _from_bytes(made: bytes) -> str | None:
    if len(made) == _HMAC_BYTES:
        return made.hex()
    return base64.b64encode(made).decode() if _may_be_signature(len(made)) else None


def _may_be_signature(size: int) -> bool:
    return size == _ED25519_BYTES or (size in _RSA_BYTES and size % 8 == 0)
