"""Keys by seed: API keys, HMAC secrets, and private keys of both kinds.

All of them can be repeated by whoever knows the seed. That is their purpose here, and the reason
never to use one anywhere else.
"""

from __future__ import annotations

import string
from random import Random
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from binance_dust.errors import ConfigurationError
from binance_dust.sandbox._signature import Ed25519, Hmac, Rsa

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from binance_dust.sandbox._signature import Verifier

KeyKind = Literal["hmac", "ed25519", "rsa"]

_LETTERS: Final = string.ascii_letters + string.digits
_LENGTH: Final = 64
_EXPONENT: Final = 65_537
_PRIME_BITS: Final = 1024
_ROUNDS: Final = 8


class KeyPair(NamedTuple):
    """What the client signs with, and what the exchange checks with."""

    api_key: str
    secret: str
    verifier: Verifier

    def __repr__(self) -> str:
        return f"<KeyPair {type(self.verifier).__name__}>"


def make(seed: int, name: str, kind: KeyKind) -> KeyPair:
    """Make the key of one account; always the same for one seed and name."""
    random = Random(f"{seed}/{name}/key")  # noqa: S311 - to be repeated, not guarded
    api_key = _word(random)
    if kind == "hmac":
        secret = _word(random)
        return KeyPair(api_key, secret, Hmac(secret))
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        message = f"{kind} keys need the package cryptography: pip install 'binance-dust[keys]'"
        raise ConfigurationError(message) from None
    if kind not in ("ed25519", "rsa"):
        message = f"a key is 'hmac', 'ed25519' or 'rsa', not {kind!r}"
        raise ConfigurationError(message)
    verifier: Verifier
    key: Ed25519PrivateKey | RSAPrivateKey
    if kind == "ed25519":
        key = _ed25519(random)
        verifier = Ed25519(key.public_key())
    else:
        key = _rsa(random)
        verifier = Rsa(key.public_key())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return KeyPair(api_key, pem.decode(), verifier)


def _word(random: Random) -> str:
    return "".join(random.choices(_LETTERS, k=_LENGTH))


def _ed25519(random: Random) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return ed25519.Ed25519PrivateKey.from_private_bytes(random.randbytes(32))


def _rsa(random: Random) -> RSAPrivateKey:
    """Make an RSA key of 2048 bits; the library itself makes none that can be repeated."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    p, q = _prime(random), _prime(random)
    private = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    return rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=private,
        dmp1=rsa.rsa_crt_dmp1(private, p),
        dmq1=rsa.rsa_crt_dmq1(private, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(_EXPONENT, p * q),
    ).private_key()


def _prime(random: Random) -> int:
    """Draw a prime, its two highest bits set so that a product of two has all its bits."""
    top = 3 << (_PRIME_BITS - 2)
    while True:
        drawn = random.getrandbits(_PRIME_BITS) | top | 1
        if drawn % _EXPONENT != 1 and all(drawn % small for small in _SMALL) and _seems(drawn):
            return drawn


def _seems(number: int) -> bool:
    """Miller and Rabin's test, by the first few bases."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in _SMALL[:_ROUNDS]:
        x = pow(base, odd, number)
        if x in (1, number - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % number
            if x == number - 1:
                break
        else:
            return False
    return True


def _sieve(limit: int) -> list[int]:
    found = list(range(3, limit, 2))
    for prime in range(3, int(limit**0.5) + 1, 2):
        found = [number for number in found if number == prime or number % prime]
    return [2, *found]


_SMALL: Final = tuple(_sieve(1000))
