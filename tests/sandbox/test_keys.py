"""Keys by seed, and the checks of signatures against vectors that the exchange has published."""

from __future__ import annotations

import base64

import pytest

from binance_dust.credentials import Credentials
from binance_dust.errors import ConfigurationError
from binance_dust.sandbox._keys import HmacCheck, KeyKind, PublicKeyCheck, make_key

# rest-api.md and signature-examples of the exchange; the secret is the documents' own.
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
ORDER = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
FULLWIDTH = "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96"
VECTORS = [
    (
        "timestamp=1578963600000",
        "d84e6641b1e328e7b418fff030caed655c266299c9355e36ce801ed14631eed4",
    ),
    (
        f"symbol=LTCBTC&{ORDER}&timestamp=1499827319559",
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        f"symbol={FULLWIDTH}&{ORDER}&timestamp=1499827319559",
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
    (
        # Query and body, with nothing between them.
        f"symbol=LTCBTC&{ORDER}&timestamp=1499827319559".replace("GTC&", "GTC"),
        "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
    ),
]


@pytest.mark.parametrize(("payload", "signature"), VECTORS)
def test_published_hmac_signatures_are_accepted(payload: str, signature: str) -> None:
    check = HmacCheck(SECRET)

    assert check.accepts(payload.encode(), signature)
    assert check.accepts(payload.encode(), signature.upper())
    assert not check.accepts(payload.encode() + b"&", signature)
    assert not check.accepts(payload.encode(), signature[:-1])
    assert not check.accepts(payload.encode(), "币安")


def test_the_published_ed25519_signature_is_accepted() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public = base64.b64decode("GUIKv9dSpWXBViXp2m6vAIb8QMFJYBgyFEQsFJlqgA0=")
    check = PublicKeyCheck(Ed25519PublicKey.from_public_bytes(public).verify)
    payload = b"\x01".join([b"A", b"EXAMPLE", b"SPOT", b"1", b"20240627-11:17:25.223"])
    signature = (
        "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="
    )

    assert check.accepts(payload, signature)
    assert not check.accepts(payload, signature.replace("+", " ")), "an unencoded plus"
    assert not check.accepts(payload, signature.lower())
    assert not check.accepts(payload, f"{signature[:8]}!!!!{signature[8:]}"), "read strictly"
    assert not check.accepts(payload, "")
    assert not check.accepts(payload + b"!", signature)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_made_key_signs_what_its_check_accepts(kind: KeyKind) -> None:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

    pair = make_key(7, "alice", kind)
    private = serialization.load_pem_private_key(pair.secret.encode(), None)
    if isinstance(private, ed25519.Ed25519PrivateKey):
        raw = private.sign(b"payload")
    else:
        assert isinstance(private, rsa.RSAPrivateKey)
        assert private.key_size == 2048
        raw = private.sign(b"payload", padding.PKCS1v15(), hashes.SHA256())
    signature = base64.b64encode(raw).decode()

    assert pair.check.accepts(b"payload", signature)
    assert not pair.check.accepts(b"Payload", signature)
    assert not pair.check.accepts(b"payload", signature[:-4])
    assert not pair.check.accepts(b"payload", "not base64!")


@pytest.mark.parametrize("kind", ["hmac", "ed25519", pytest.param("rsa", marks=pytest.mark.long)])
def test_one_seed_and_name_make_one_key(kind: KeyKind) -> None:
    first, again = make_key(7, "alice", kind), make_key(7, "alice", kind)
    other, bob = make_key(8, "alice", kind), make_key(7, "bob", kind)

    assert first[:2] == again[:2]
    assert len({first.api_key, other.api_key, bob.api_key}) == 3
    assert len({first.secret, other.secret, bob.secret}) == 3
    assert Credentials(first.api_key, first.secret).secret.reveal() == first.secret


def test_a_key_pair_shows_no_secret() -> None:
    pair = make_key(7, "alice", "hmac")

    assert pair.secret not in repr(pair)
    assert pair.api_key not in repr(pair)


def test_an_unknown_kind_of_key_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="'dsa'"):
        make_key(7, "alice", "dsa")  # type: ignore[arg-type]


def test_a_private_key_without_its_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'binance-dust\[keys\]'"):
        make_key(7, "alice", "ed25519")
    assert make_key(7, "alice", "hmac").secret, "an HMAC secret needs nothing"
