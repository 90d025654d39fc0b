"""Public keys: of OpenSSH or PEM, from a file or a text, and what is said of any other."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_public_key,
)

from binance_dust import ConfigurationError
from binance_dust.signers._public_key import PublicKey, read_public_key


def public(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())


def pem_of(text: str) -> str:
    form = PublicFormat.SubjectPublicKeyInfo
    return load_ssh_public_key(text.encode()).public_bytes(Encoding.PEM, form).decode()


def counted(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def text_of(kind: str, *parts: bytes, told: str | None = None) -> str:
    """Write a key as OpenSSH does, from any parts."""
    blob = b"".join(map(counted, ((told or kind).encode(), *parts)))
    return f"{kind} {base64.b64encode(blob).decode()}"


TEXT = public(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))
HALF = base64.b64decode(TEXT.split()[1])[-32:]
RSA = text_of("ssh-rsa", b"\1\0\1", b"\0" + b"\xff" * 256)
ECDSA = public(ec.derive_private_key(5, ec.SECP256R1()))
FINGERPRINT = "SHA256:tAXFyTXI8xtDaujAEcwJslAYc9/6FKcUkd2Lw0xDhPo"
"""What `ssh-keygen -l` says of it."""


@pytest.mark.parametrize(("text", "size"), [(TEXT, 64), (RSA, 256)], ids=["ed25519", "rsa"])
def test_a_key_says_its_kind_its_blob_and_how_long_its_signatures_are(text: str, size: int) -> None:
    kind, blob = text.split()
    found = read_public_key(f"\n {text} desk@host\n")

    assert found == read_public_key(pem_of(text)) == read_public_key(f"# of 2026\n{pem_of(text)}\n")
    assert (found.kind, found.blob, found.size) == (kind, base64.b64decode(blob), size)
    assert found.name == found.fingerprint
    assert found.private == "PRIVATE_KEY_FILE", "as in: ssh-add PRIVATE_KEY_FILE"


def test_a_fingerprint_is_that_of_openssh() -> None:
    assert read_public_key(TEXT).fingerprint == FINGERPRINT


@pytest.mark.parametrize("as_text", [True, False])
def test_a_file_gives_its_name_and_where_the_private_half_may_be(
    as_text: bool, tmp_path: Path
) -> None:
    def read(name: str) -> PublicKey:
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
        return read_public_key(str(tmp_path / name) if as_text else tmp_path / name)

    beside, elsewhere = read("desk.pub"), read("desk.txt")

    assert beside[:2] == elsewhere[:2] == read_public_key(TEXT)[:2]
    assert (beside.name, beside.private) == ("desk.pub", str(tmp_path / "desk"))
    assert (elsewhere.name, elsewhere.private) == ("desk.txt", "PRIVATE_KEY_FILE")


def test_a_file_in_the_home_directory_may_be_named_shortly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "desk.pub").write_text(TEXT)

    assert read_public_key("~/desk.pub").name == "desk.pub"


DAMAGED = [
    TEXT[:-8],
    TEXT.replace("ssh-ed25519 ", "ssh-rsa "),
    f"{TEXT[:-4]}!{TEXT[-4:]}",
    "ssh-ed25519",
    "ssh-ed25519 äöü",
    text_of("ssh-ed25519", HALF, b"more"),
    text_of("ssh-ed25519", HALF, told="ssh-ed25518"),
    text_of("ssh-ed25519", b""),
    text_of("ssh-ed25519"),
    text_of("ssh-rsa", b"\1\0\1"),
    text_of("ssh-rsa", b"\1\0\1", b""),
    text_of("ssh-rsa", b"\1\0\1", b"\0" * 256 + b"x", b"more"),
    f"ssh-ed25519 {base64.b64encode(counted(b'ssh-ed25519') + counted(HALF) + b'x').decode()}",
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_key_that_was_not_copied_completely_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="the public key: it is damaged"):
        read_public_key(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ECDSA, "Ed25519 and RSA keys only"),
        (pem_of(ECDSA), "Ed25519 and RSA keys only"),
        ("ssh-dss AAAA", "Ed25519 and RSA keys only"),
        ("sk-ssh-ed25519@openssh.com AAAA", "FIDO"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "certificate"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\ncanary", "that is a private key"),
        ("of 2026\n-----BEGIN RSA PRIVATE KEY-----\ncanary", "that is a private key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\ncanary", "no public key"),
        ("-----BEGIN PUBLIC KEY-----\ncanary\n-----END PUBLIC KEY-----", "no public key"),
        ("none.pub", "No such file"),
        ("a\0b", "not a path"),
        ("~nobody-of-this-name/desk.pub", "not a path"),
    ],
)
def test_a_public_key_that_can_not_work_says_why(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        read_public_key(text)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "no public key"), (b"canary \xff", "it is not a text")]
)
def test_a_file_without_a_public_key_says_so(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "desk.pub").write_bytes(content)

    with pytest.raises(ConfigurationError, match=f"public key .*desk.pub.*: .*{says}") as caught:
        read_public_key(tmp_path / "desk.pub")
    assert "canary" not in str(caught.value)


def test_what_is_neither_a_path_nor_a_text_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="path or a text, not int"):
        read_public_key(5)  # type: ignore[arg-type]


def test_a_pem_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)

    with pytest.raises(ConfigurationError, match="a PEM needs the extra 'keys'"):
        read_public_key(pem_of(TEXT))
    assert read_public_key(TEXT)
