"""Where keys come from, what is refused, and that nothing shows them."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from binance_dust import ConfigurationError, Credentials
from tests.systems import posix

SECRET = "canary-secret-9f2c"


def pem_of(key: Any, password: str | None = None, form: Any = PrivateFormat.PKCS8) -> str:
    lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return str(key.private_bytes(Encoding.PEM, form, lock).decode())


ED25519 = ed25519.Ed25519PrivateKey.generate()


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str, name: str = "accounts.toml", mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    return write


def test_only_reveal_gives_the_secret() -> None:
    credentials = Credentials("key-1234567890", SECRET, name="alice")

    assert credentials.secret.reveal() == SECRET
    for shown in (repr(credentials), str(credentials), f"{credentials}", repr(credentials.secret)):
        assert SECRET not in shown
        assert "1234567890" not in shown
    assert repr(credentials) == "Credentials('alice', api_key='key…', secret=***)"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_is_refused(protocol: int) -> None:
    credentials = Credentials("key-1234567890", SECRET)

    for thing in (credentials, credentials.secret, [credentials]):
        with pytest.raises(TypeError, match="pass the account's name"):
            pickle.dumps(thing, protocol)
    with pytest.raises(TypeError):
        credentials.__getstate__()
    with pytest.raises(TypeError):
        credentials.secret.__getstate__()


def test_a_copy_is_the_same_object() -> None:
    credentials = Credentials("key-1234567890", SECRET)

    assert copy.copy(credentials) is credentials
    assert copy.deepcopy([credentials])[0] is credentials
    assert copy.deepcopy(credentials.secret) is copy.copy(credentials.secret)


def test_an_account_without_a_name_is_called_by_the_beginning_of_its_key() -> None:
    assert Credentials("abcdefghijklmnop", SECRET).label == "abcd…"
    assert Credentials("abcd", SECRET).label == "a…"
    assert Credentials("abcdefgh", SECRET, name="bob").label == "bob"


def test_accounts_are_told_apart_without_showing_their_keys() -> None:
    one, other = Credentials("abcdefgh-1", SECRET), Credentials("abcdefgh-2", SECRET)

    assert one.identity != other.identity
    assert "abcdefgh" not in one.identity
    assert Credentials("x1", SECRET, name="bob").identity == "bob"


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (("", SECRET), ConfigurationError, "api_key is empty"),
        (("key", "  "), ConfigurationError, "secret is empty"),
        ((None, SECRET), TypeError, "api_key must be a str, not NoneType"),
        (("key", b"bytes"), TypeError, "secret must be a str, not bytes"),
        (("ke\ny", SECRET), ConfigurationError, "characters that no key has"),
        (("klé", SECRET), ConfigurationError, "characters that no key has"),
        (("key", SECRET + "\n"), ConfigurationError, "white space"),
        (("key", f"{SECRET} {SECRET}"), ConfigurationError, "white space"),
        (
            ("key", "-----BEGIN PRIVATE KEY-----\nrubbish"),
            ConfigurationError,
            "can't be read: it is damaged",
        ),
    ],
)
def test_a_key_that_can_not_work_is_refused_at_once(
    arguments: tuple[Any, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        Credentials(*arguments, name="alice")
    assert "alice" in str(caught.value)
    assert SECRET not in str(caught.value)


def shown_by_a_tracker(error: BaseException) -> str:
    """Show our part of a traceback with its variables, as trackers of errors do."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in found.stack if "/binance_dust/" in frame.filename]
    assert frames
    return f"{[frame.locals for frame in frames]}"


@pytest.mark.parametrize(
    "make",
    [
        lambda write: Credentials("key", f" {SECRET}"),
        lambda write: Credentials("ke\ny", SECRET),
        lambda write: Credentials("key", SECRET, password=f"{SECRET}-password"),
        lambda write: Credentials("key", f"-----BEGIN PRIVATE KEY-----\n{SECRET}"),
        lambda write: Credentials(5, SECRET),  # type: ignore[arg-type]
        lambda write: Credentials.from_env(
            environ={
                "BINANCE_API_KEY": "key",
                "BINANCE_API_SECRET": SECRET,
                "BINANCE_API_PASSWORD": "needless",
            }
        ),
        lambda write: Credentials.load(write(f'[a]\napi_key = "x"\nsecret = "{SECRET}"\n[b]')),
        lambda write: Credentials.load(write(f'[a]\napi_key = "x"\nsecret = "{SECRET}"\n[b')),
        lambda write: Credentials.load(write(f'[a]\napi_key = "x"\nsecret = " {SECRET}"')),
        lambda write: Credentials.load(
            write('[a]\napi_key = "x"\nsecret_env = "A"\n[b]'), environ={"A": SECRET}
        ),
    ],
)
def test_a_traceback_shows_no_key_with_its_variables(
    write: Any, make: Callable[[Any], object]
) -> None:
    with pytest.raises((ConfigurationError, TypeError)) as caught:
        make(write)
    assert SECRET not in shown_by_a_tracker(caught.value)


@pytest.mark.parametrize(
    ("pem", "password", "says"),
    [
        (pem_of(ED25519, "right"), "wrong", "the password is wrong"),
        (pem_of(ED25519, "right"), None, "is encrypted: pass its password"),
        (pem_of(ED25519), "needless", "is not encrypted"),
        ("plain hmac secret".replace(" ", "-"), "needless", "a password is for an encrypted PEM"),
        (pem_of(ec.generate_private_key(ec.SECP256R1())), None, "another kind of key"),
        (pem_of(ed448.Ed448PrivateKey.generate()), None, "use Ed25519 or RSA"),
        (
            ED25519.public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode(),
            None,
            "public key",
        ),
        (pem_of(ED25519, form=PrivateFormat.OpenSSH), None, "OpenSSH"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", None, "certificate"),
    ],
)
def test_a_pem_that_can_not_sign_says_why(pem: str, password: str | None, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        Credentials("key", pem, password=password)
    assert caught.value.__context__ is None, "a foreign error might quote the key"


def test_an_rsa_key_whose_parts_do_not_fit_together_is_refused() -> None:
    one = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
    mixed = rsa.RSAPrivateNumbers(
        p=one.p,
        q=one.q,
        d=other.d,
        dmp1=other.dmp1,
        dmq1=other.dmq1,
        iqmp=one.iqmp,
        public_numbers=one.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)

    with pytest.raises(ConfigurationError, match="don't fit together"):
        Credentials("key", pem_of(mixed))


def test_without_the_extra_a_pem_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "cryptography", None)

    with pytest.raises(ConfigurationError, match=r"binance-dust\[keys\]"):
        Credentials("key", pem_of(ED25519))


def test_a_pem_may_be_on_one_line_as_in_environments() -> None:
    one_line = pem_of(ED25519).strip().replace("\n", "\\n")

    assert Credentials("key", one_line).private_key is not None


def test_the_environment_names_one_account_or_several() -> None:
    environ = {
        "BINANCE_API_KEY": "plain-key",
        "BINANCE_API_SECRET": SECRET,
        "BINANCE_DESK_7_API_KEY": "desk-key",
        "BINANCE_DESK_7_API_SECRET": pem_of(ED25519, "pw"),
        "BINANCE_DESK_7_API_PASSWORD": "pw",
    }

    assert Credentials.from_env(environ=environ).api_key == "plain-key"
    for name in ("desk-7", "desk.7", "Desk 7"):
        desk = Credentials.from_env(name, environ=environ)
        assert (desk.api_key, desk.name) == ("desk-key", name)
        assert desk.private_key is not None


def test_missing_environment_variables_are_named() -> None:
    with pytest.raises(ConfigurationError, match="set BINANCE_API_KEY and BINANCE_API_SECRET"):
        Credentials.from_env(environ={})
    with pytest.raises(ConfigurationError, match="set BINANCE_BOB_API_SECRET in"):
        Credentials.from_env("bob", environ={"BINANCE_BOB_API_KEY": "k"})


def test_a_file_holds_many_accounts_in_its_order(write: Any) -> None:
    write(pem_of(ED25519, "pw"), "carol.pem")
    path = write(
        """
        [alice]
        api_key = "alice-key"
        secret = "in-the-file"

        [bob]
        api_key_env = "BOB_KEY"
        secret_env = "BOB_SECRET"

        [carol]
        api_key = "carol-key"
        secret_file = "carol.pem"
        password_env = "CAROL_PASSWORD"
        """
    )
    environ = {"BOB_KEY": "bob-key", "BOB_SECRET": SECRET, "CAROL_PASSWORD": "pw"}

    accounts = Credentials.load(path, environ=environ)

    assert accounts.names == ("alice", "bob", "carol")
    assert [account.name for account in accounts] == ["alice", "bob", "carol"]
    assert accounts["bob"].secret.reveal() == SECRET
    assert accounts["carol"].private_key is not None
    assert accounts[0] is accounts["alice"]
    assert accounts[1:] == (accounts["bob"], accounts["carol"])
    assert repr(accounts) == "Accounts(alice, bob, carol)"
    sought: list[object] = ["bob", accounts["bob"], "dave", Credentials("key", SECRET)]
    assert [account in accounts for account in sought] == [True, True, False, False]
    with pytest.raises(ConfigurationError, match="no account 'dave'"):
        _ = accounts["dave"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no account in it"),
        ("not toml", "not TOML"),
        ('api_key = "x"', "is not in an account's table"),
        ('[a]\napi_key = "x"', "needs secret, secret_env or secret_file"),
        ('[a]\nsecret = "canary"', "needs api_key"),
        ('[a]\napi_key = "x"\nsecrte = "canary"', "unknown entry secrte"),
        ('[a]\napi_key = "x"\nsecret = 5', "secret must be a text"),
        ('[a]\napi_key = "x"\nsecret = ""', "secret must be a text that is not empty"),
        ('[a]\napi_key = "x"\nsecret = "canary"\nsecret_env = "E"', "give one of secret and"),
        ('[a]\napi_key = "x"\nsecret_env = "E"', r"set E in the environment"),
        ('[a]\napi_key = "x"\nsecret_file = "none.pem"', os.strerror(errno.ENOENT)),
        ('[a]\napi_key = "x"\nsecret = "canary', "not TOML"),
        (f'[a]\napi_key = "x"\nsecret = {"9" * 5_000}', "too long"),
        (f'[a]\napi_key = "x"\nsecret = {"[" * 3_000}', "nested too deep"),
        ('[a]\napi_key = "x"\nsecret_file = "~nobody-of-this-name/x"', "home directory"),
        ('[a]\napi_key = "x"\nsecret_file = "a\\u0000b"', "that is not a path"),
    ],
)
def test_a_file_that_can_not_work_says_where(write: Any, text: str, says: str) -> None:
    path = write(text)

    with pytest.raises(ConfigurationError, match=says) as caught:
        Credentials.load(path, environ={})
    assert "accounts.toml" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path, key = tmp_path / "accounts.toml", tmp_path / "a.key"
    path.write_text('[a]\napi_key = "x"\nsecret_file = "a.key"', encoding="utf-8-sig")
    key.write_text(SECRET, encoding="utf-8-sig")
    path.chmod(0o600)
    key.chmod(0o600)

    assert Credentials.load(path)["a"].secret.reveal() == SECRET


@posix
def test_a_file_that_everybody_can_read_is_refused(write: Any) -> None:
    path = write('[a]\napi_key = "x"\nsecret = "canary"', mode=0o644)

    with pytest.raises(ConfigurationError, match="chmod 600"):
        Credentials.load(path)


@posix
def test_a_key_file_that_everybody_can_read_is_refused(write: Any) -> None:
    write(pem_of(ED25519), "a.pem", mode=0o604)
    path = write('[a]\napi_key = "x"\nsecret_file = "a.pem"')

    with pytest.raises(ConfigurationError, match=r"everybody can read a\.pem"):
        Credentials.load(path)


def test_a_file_that_is_missing_or_not_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=os.strerror(errno.ENOENT)):
        Credentials.load(tmp_path / "none.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    binary.chmod(0o600)
    with pytest.raises(ConfigurationError, match="not a text file"):
        Credentials.load(binary)


@posix
def test_a_file_that_others_can_change_is_refused(write: Any, monkeypatch: Any) -> None:
    path = write('[a]\napi_key = "x"\nsecret = "canary"', mode=0o660)
    with pytest.raises(ConfigurationError, match="its group can write accounts"):
        Credentials.load(path)

    path.chmod(0o640)
    assert len(Credentials.load(path)) == 1
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    if path.stat().st_uid:
        with pytest.raises(ConfigurationError, match="belongs to another user"):
            Credentials.load(path)


@posix
def test_a_pipe_as_a_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "accounts.toml", 0o600)

    with pytest.raises(ConfigurationError, match="not a regular file"):
        Credentials.load(tmp_path / "accounts.toml")
