"""What is a signature and what is not; which names and words of a signer are shown."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from binance_dust import ConfigurationError, CredentialsError, NotSentError
from binance_dust.signers._signer import name_of, named, read_signature

HMAC = "5ca1ab1e" * 8
RAW = bytes(range(200, 256))
ED25519 = (RAW * 2)[:64]
RSA = (RAW * 5)[:256]


def coded(made: bytes) -> str:
    return base64.b64encode(made).decode()


@pytest.mark.parametrize(
    ("made", "signature"),
    [
        (HMAC, HMAC),
        (f"{HMAC}\n", HMAC),
        (HMAC.encode(), HMAC),
        (bytes.fromhex(HMAC), HMAC),
        (coded(ED25519), coded(ED25519)),
        (ED25519, coded(ED25519)),
        (bytearray(ED25519), coded(ED25519)),
        (RSA, coded(RSA)),
        # In lines of 64 letters, as openssl prints it; encoded for a URL, in either case.
        (f"{coded(RSA)[:64]}\n{coded(RSA)[64:]}\n", coded(RSA)),
        (coded(RSA).replace("+", "%2B").replace("/", "%2f").replace("=", "%3D"), coded(RSA)),
        (bytes(128), coded(bytes(128))),
        (bytes(2048), coded(bytes(2048))),
        # Text that happens to be as long as a signature is one in bytes.
        (b"~" * 64, coded(b"~" * 64)),
    ],
)
def test_a_signature_is_read_as_it_may_be_written(made: Any, signature: str) -> None:
    assert read_signature(made) == signature


@pytest.mark.parametrize(
    "made",
    [
        *("", b"", None, 7, "no", HMAC[:-1], f"{HMAC}0", "ä", coded(ED25519)[:-1]),
        *(coded(bytes(size)) for size in (32, 63, 65, 120, 127, 129, 132, 2049, 2056)),
        *(bytes([200]) * size for size in (31, 33, 63, 65, 120, 129, 2056)),
        f"{coded(ED25519)}!",
    ],
    ids=lambda made: f"{type(made).__name__} of {len(made) if hasattr(made, '__len__') else made}",
)
def test_anything_else_is_none(made: Any) -> None:
    assert read_signature(made) is None


class Nameless:
    """Signs, and has no name."""


class Named:
    """Signs, and has a name."""

    def __init__(self, name: Any) -> None:
        self.name = name


def test_a_signer_is_named_by_its_name_or_else_its_type() -> None:
    assert name_of(Named(" the desk's ")) == "the desk's"
    assert [name_of(signer) for signer in (Named("  "), Named(7))] == ["Named", "Named"]
    assert name_of(Nameless()) == "Nameless"
    assert len(name_of(Named("x" * 200))) <= 80


def test_what_a_signer_says_keeps_its_kind_and_gets_its_name() -> None:
    place = {"endpoint": "POST /x", "account": "alice"}
    refused = named(CredentialsError("locked", status=0), "agent", **place)
    unsent = named(NotSentError("gone"), "agent", **place)

    assert str(refused) == "POST /x (alice): agent: locked"
    assert str(unsent) == "POST /x (alice): agent: gone"
    assert isinstance(refused, CredentialsError)
    assert isinstance(unsent, NotSentError)
    assert refused.status == 0
    assert getattr(named(CredentialsError("locked"), "agent"), "status", None) == 0
    other = named(ConfigurationError("no such key"), "agent")
    assert (type(other), str(other)) == (CredentialsError, "agent: no such key")
