"""Keys: made from the seed for clients, and checked by the exchange (HMAC, Ed25519, RSA).

A key can be made again by anyone who knows the seed. That is its purpose here, and the reason never
to use one anywhere else. The checks are written against the exchange's documents and their
published vectors. They share no line with the client's signer, so that both cannot be wrong
together.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import string
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

KeyKind = Literal["hmac", "ed25519", "rsa"]

_LETTERS: Final = string.ascii_letters + string.digits
_LENGTH: Final = 64
_EXPONENT: Final = 65_537
_PRIME_BITS: Final = 1024
_ROUNDS: Final = 8


class SignatureCheck(Protocol):
    """The exchange's half of a key, which checks signatures."""

    def accepts(self, payload: bytes, signature: str) -> bool:
        """Tell whether this signature belongs to this payload."""
        ...


class HmacCheck:
    """HMAC-SHA256, in hexadecimal of any case."""

    __slots__ = ("_mac",)

    def __init__(self, secret: str) -> None:
        """Prepare the digest with the secret."""
        self._mac = hmac.new(secret.encode(), digestmod=hashlib.sha256)

    def accepts(self, payload: bytes, signature: str) -> bool:
        """Ignore case, as the exchange does for HMAC only."""
        mac = self._mac.copy()
        mac.update(payload)
        given = signature.lower().encode("utf-8", "surrogateescape")
        return hmac.compare_digest(mac.hexdigest().encode(), given)


class PublicKeyCheck:
    """Ed25519, or RSA (PKCS#1 v1.5 with SHA-256), in base64."""

    __slots__ = ("_verify",)

    def __init__(self, verify: Callable[[bytes, bytes], None]) -> None:
        """Keep `verify`, which raises if a signature does not belong to a payload."""
        self._verify = verify

    def accepts(self, payload: bytes, signature: str) -> bool:
        """Decode strictly, and verify with the public key.

        A `+` that was sent unencoded arrives as a space, which is no base64.
        """
        from cryptography.exceptions import InvalidSignature

        try:
            self._verify(base64.b64decode(signature, validate=True), payload)
        except (ValueError, InvalidSignature):
            return False
        return True


class KeyPair(NamedTuple):
    """The secret that the client signs with, and the check that the exchange keeps."""

    api_key: str
    secret: str
    check: SignatureCheck

    def __repr__(self) -> str:
        return f"<KeyPair {type(self.check).__name__}>"


def make_key(seed: int, name: str, kind: KeyKind) -> KeyPair:
    """Make the key of one account; the same seed and name give the same key."""
    random = Random(f"{seed}/{name}/key")  # noqa: S311 - to be repeated, not guarded
    api_key = _word(random)
    if kind == "hmac":
        secret = _word(random)
        return KeyPair(api_key, secret, HmacCheck(secret))
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        message = f"{kind} keys need the package cryptography: pip install 'binance-dust[keys]'"
        raise ConfigurationError(message) from None
    if kind not in ("ed25519", "rsa"):
        message = f"a key is 'hmac', 'ed25519' or 'rsa', not {kind!r}"
        raise ConfigurationError(message)
    check: SignatureCheck
    key: Ed25519PrivateKey | RSAPrivateKey
    if kind == "ed25519":
        key = _ed25519(random)
        check = PublicKeyCheck(key.public_key().verify)
    else:
        key = _rsa(random.getstate())
        check = PublicKeyCheck(_rsa_verify(key.public_key()))
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return KeyPair(api_key, pem.decode(), check)


def _word(random: Random) -> str:
    return "".join(random.choices(_LETTERS, k=_LENGTH))


def _ed25519(random: Random) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return ed25519.Ed25519PrivateKey.from_private_bytes(random.randbytes(32))


# A key takes a quarter of a second, and many tests open the same account.
@functools.lru_cache(maxsize=64)
def _rsa(state: tuple[Any, ...]) -> RSAPrivateKey:
    """Make an RSA key of 2048 bits from the state of a generator.

    The library itself makes random keys only.
    """
    from cryptography.hazmat.primitives.asymmetric import rsa

    random = Random()  # noqa: S311 - to be repeated, not guarded
    random.setstate(state)
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


def _rsa_verify(key: RSAPublicKey) -> Callable[[bytes, bytes], None]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    scheme = padding.PKCS1v15(), hashes.SHA256()
    return lambda signature, payload: key.verify(signature, payload, *scheme)


def _prime(random: Random) -> int:
    """Draw a prime with its two highest bits set, so that the product of two has full length."""
    top = 3 << (_PRIME_BITS - 2)
    while True:
        drawn = random.getrandbits(_PRIME_BITS) | top | 1
        if drawn % _EXPONENT == 1 or not all(drawn % small for small in _SMALL):
            continue
        if _is_probably_prime(drawn):
            return drawn


def _is_probably_prime(number: int) -> bool:
    """Miller-Rabin test, with the first few bases."""
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
