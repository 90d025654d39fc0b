"""Private keys: what holds one is never pickled; which kind a PEM holds.

This module only reads keys; `_call.signing` uses them. `cryptography` is an extra
(`binance-dust[keys]`), so it is imported when the first PEM is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn, Self, TypeAlias

from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    PrivateKey: TypeAlias = Ed25519PrivateKey | RSAPrivateKey

NEVER_PICKLED: Final = "keys are never pickled: pass the account's name, and look it up there"
_ARMOUR: Final = "-----BEGIN"


class NeverPickled:
    """Base class for what holds a key: copying gives the same object, pickling fails."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError(NEVER_PICKLED)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(NEVER_PICKLED)


def looks_like_pem(text: str) -> bool:
    """Tell whether a secret is a PEM rather than an HMAC secret."""
    return _ARMOUR in text


def read_private_key(pem: str, password: str | None) -> PrivateKey:
    """Read an Ed25519 or RSA private key. Deriving the key from a password blocks."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise ConfigurationError(
            "a PEM key needs the extra 'keys': python -m pip install 'binance-dust[keys]'"
        ) from None

    problem: str
    try:
        key = load_pem_private_key(
            pem.strip().encode(),
            None if password is None else password.encode(),
            # Proving that an RSA key's primes are primes takes 36 ms with 2048 bits and 250 ms
            # with 4096. It is the user's own key; whether it fits together is tried below.
            unsafe_skip_rsa_key_validation=True,
        )
    except TypeError:
        # cryptography raises this if a password is missing, or given without need.
        problem = (
            "the PEM is encrypted: pass its password"
            if password is None
            else "the PEM is not encrypted: leave the password out"
        )
    except (ValueError, UnsupportedAlgorithm):
        problem = _why_unreadable(pem, password)
    else:
        if isinstance(key, Ed25519PrivateKey):
            return key
        if isinstance(key, RSAPrivateKey):
            if _fits(key):
                return key
            raise ConfigurationError("the PEM is damaged: the parts of its key don't fit together")
        problem = f"the PEM holds another kind of key ({type(key).__name__}): use Ed25519 or RSA"
    # Raised here, outside of `except`: a foreign error may quote the key, and must not be chained.
    raise ConfigurationError(problem)


def _fits(key: RSAPrivateKey) -> bool:
    """Whether the public half accepts a signature of the private half."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        signature = key.sign(b"binance-dust", PKCS1v15(), SHA256())
        key.public_key().verify(signature, b"binance-dust", PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def _why_unreadable(pem: str, password: str | None) -> str:
    if "PUBLIC KEY" in pem:
        return "the PEM holds a public key: the private one signs"
    if "CERTIFICATE" in pem:
        return "the PEM holds a certificate: the private key signs"
    if "OPENSSH" in pem:
        return "the key is in OpenSSH's format: export it as PKCS#8 PEM"
    if password is not None:
        return "the PEM can't be read: the password is wrong, or the file is damaged"
    return "the PEM can't be read: it is damaged, or not a private key in PKCS#8 or PKCS#1"
