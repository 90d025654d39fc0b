"""Public keys: of OpenSSH or PEM, from a file or a text."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path
from typing import Final, NamedTuple

from binance_dust._util.files import open_regular
from binance_dust._util.words import visible
from binance_dust.errors import ConfigurationError

__all__ = ["PublicKey", "read_public_key", "read_string"]

ED25519: Final = "ssh-ed25519"
RSA: Final = "ssh-rsa"
_BEGINNINGS: Final = ("ssh-", "sk-", "ecdsa-", "-----")
_MOST: Final = 64 * 1024
_SOME_FILE: Final = "PRIVATE_KEY_FILE"


class PublicKey(NamedTuple):
    """A public key as an ssh-agent knows it."""

    kind: str
    blob: bytes
    name: str
    """The name of its file, else its fingerprint."""
    private: str
    """The file in which its private half may be, for advice."""
    size: int
    """Bytes of a signature."""

    @property
    def fingerprint(self) -> str:
        """What `ssh-add -l` shows."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")
        return f"SHA256:{digest}"


def read_public_key(given: str | os.PathLike[str]) -> PublicKey:
    """Read a key from its text, or from the file that is named."""
    # Lines are no path: an error would show them, and they may be the private half.
    if isinstance(given, str) and ("\n" in given.strip() or given.lstrip().startswith(_BEGINNINGS)):
        return _parse(given, "the public key", None)
    if not isinstance(given, str | os.PathLike):
        raise TypeError(f"public_key must be a path or a text, not {type(given).__name__}")
    path = Path(given)
    return _parse(_read(path), f"public key {visible(str(path))}", path)


def _read(path: Path) -> str:
    problem = None
    try:
        with os.fdopen(open_regular(path.expanduser()), "rb") as file:
            return file.read(_MOST).decode("utf-8-sig")
    except UnicodeDecodeError:
        problem = "it is not a text"
    except OSError as error:
        problem = f"can't read it: {error.strerror}"
    except (ValueError, RuntimeError):  # a null character; an unknown home directory
        problem = "that is not a path"
    raise ConfigurationError(f"public key {visible(str(path))!r}: {problem}")


def _parse(text: str, subject: str, path: Path | None) -> PublicKey:
    """Read the text; the messages show nothing of it, for it may be the wrong half."""
    if "PRIVATE KEY" in text:
        raise ConfigurationError(
            f"{subject}: that is a private key; name its public half, which ssh-keygen -y prints"
        )
    words = (_of_pem(text, subject) if "-----BEGIN" in text else text).split()
    kind = words[0] if words else ""
    if kind not in (ED25519, RSA):
        raise ConfigurationError(f"{subject}: {_why_not(kind)}")
    try:
        blob = base64.b64decode(words[1].encode(), validate=True)
        told, rest = read_string(blob)
        last, end = read_string(rest)
        if kind == RSA:  # the exponent came first, and the modulus is last
            last, end = read_string(end)
    except (IndexError, ValueError, binascii.Error):
        told, last, end = b"", b"", b""
    if told != kind.encode() or end or not last:
        raise ConfigurationError(f"{subject}: it is damaged; was it copied completely?")
    size = 2 * len(last) if kind == ED25519 else len(last.lstrip(b"\0"))
    key = PublicKey(kind, blob, "", "", size)
    if path is None:
        return PublicKey(kind, blob, key.fingerprint, _SOME_FILE, size)
    private = str(path.with_suffix("")) if path.suffix == ".pub" else _SOME_FILE
    return PublicKey(kind, blob, visible(path.name), visible(private), size)


def _why_not(kind: str) -> str:
    if kind.startswith("sk-"):
        return (
            "a FIDO key signs more than the text, which the exchange does not take:"
            " use a key of PKCS#11 or PIV"
        )
    if "-cert-" in kind:
        return "that is a certificate: name the public key"
    if kind.startswith(("ecdsa-", "ssh-")):
        return "the exchange takes Ed25519 and RSA keys only"
    return "that is no public key: it begins with ssh-ed25519 or ssh-rsa, or is a PEM"


def _of_pem(text: str, subject: str) -> str:
    """Write a PEM, as it was given to the exchange, in OpenSSH's way."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            PublicFormat,
            load_pem_public_key,
        )
    except ImportError:
        raise ConfigurationError(
            f"{subject}: a PEM needs the extra 'keys' (python -m pip install 'binance-dust[keys]');"
            " a key as `ssh-add -L` prints it needs nothing"
        ) from None
    try:
        found = load_pem_public_key(text.strip().encode())
        return found.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return ""


def read_string(data: bytes) -> tuple[bytes, bytes]:
    """Take a string with its length from the beginning of a blob; give the rest, too."""
    size = int.from_bytes(data[:4])
    if len(data) < 4 + size:
        raise ValueError("cut")
    return data[4 : 4 + size], data[4 + size :]
