"""The signatures that the exchange's own documents print, and what follows from its rules."""

from __future__ import annotations

import base64
import hmac
import threading
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from binance_dust import Credentials
from binance_dust._call.signing import sign, signer_for

API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"

ORDER = (
    "symbol={}&side=BUY&type=LIMIT&timeInForce=GTC"
    "{}quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
)
FULLWIDTH = "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96"


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
def test_an_hmac_is_that_of_the_standard_library_however_long_the_secret_is(length: int) -> None:
    secret = (SECRET * 4)[:length]
    signer = signer_for(Credentials(API_KEY, secret))

    for payload in (b"", b"timestamp=1", b"a" * 1_000):
        assert signer.sign(payload) == hmac.digest(secret.encode(), payload, "sha256").hex()


@pytest.mark.parametrize(
    ("payload", "signature"),
    [
        (
            "timestamp=1578963600000",
            "d84e6641b1e328e7b418fff030caed655c266299c9355e36ce801ed14631eed4",
        ),
        (
            ORDER.format("LTCBTC", "&"),
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        ),
        (
            ORDER.format(FULLWIDTH, "&"),
            "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
        ),
        # Query and body joined with nothing between them.
        (
            ORDER.format("LTCBTC", ""),
            "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
        ),
    ],
)
async def test_hmac_signatures_are_those_that_the_exchange_publishes(
    payload: str, signature: str
) -> None:
    signer = signer_for(Credentials(API_KEY, SECRET))

    assert await sign(signer, payload) == signature


async def test_signing_before_encoding_gives_the_signature_that_the_exchange_refuses() -> None:
    signer = signer_for(Credentials(API_KEY, SECRET))

    raw = await sign(signer, ORDER.format("１２３４５６", "&"))  # noqa: RUF001 - fullwidth digits

    assert raw == "ca2cdfbf21d2e2958de492c7f2dd1f059dd2ed4d4459d26a5ec7928db50c8d4f"


async def test_the_ed25519_signature_is_the_one_that_the_exchange_publishes() -> None:
    pem = (
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u\n"
        "-----END PRIVATE KEY-----\n"
    )
    payload = "A\x01EXAMPLE\x01SPOT\x011\x0120240627-11:17:25.223"

    signature = await sign(signer_for(Credentials(API_KEY, pem)), payload)

    assert unquote(signature) == (
        "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="
    )
    assert "+" not in signature, "a plus that is not encoded arrives as a space"


PLAIN = NoEncryption()
LOCKED = BestAvailableEncryption(b"open sesame")


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("lock", [PLAIN, LOCKED])
async def test_an_rsa_signature_is_verified_by_the_public_half(
    form: PrivateFormat, lock: KeySerializationEncryption
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, form, lock).decode()
    password = None if lock is PLAIN else "open sesame"

    signature = await sign(signer_for(Credentials(API_KEY, pem, password=password)), "asset=%2B")

    key.public_key().verify(
        base64.b64decode(unquote(signature)), b"asset=%2B", padding.PKCS1v15(), SHA256()
    )


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    ("secret", "elsewhere"),
    [
        (SECRET, False),
        (ed25519.Ed25519PrivateKey.generate(), False),
        (RSA, True),
    ],
    ids=["hmac", "ed25519", "rsa"],
)
async def test_an_rsa_signature_and_no_other_is_made_out_of_the_event_loops_way(
    secret: str | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, elsewhere: bool
) -> None:
    if not isinstance(secret, str):
        secret = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN).decode()
    signer = signer_for(Credentials(API_KEY, secret))
    threads: list[int] = []

    class Watched:
        in_thread = signer.in_thread

        def sign(self, payload: bytes) -> str:
            threads.append(threading.get_ident())
            return signer.sign(payload)

    await sign(Watched(), "a=b")

    assert (threads != [threading.get_ident()]) is elsewhere


@pytest.mark.parametrize("lock", [PLAIN, LOCKED])
async def test_an_ed25519_signature_is_verified_by_the_public_half(
    lock: KeySerializationEncryption,
) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock).decode()
    password = None if lock is PLAIN else "open sesame"

    signature = await sign(signer_for(Credentials(API_KEY, pem, password=password)), "a=b")

    key.public_key().verify(base64.b64decode(unquote(signature)), b"a=b")
