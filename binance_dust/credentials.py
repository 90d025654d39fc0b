"""One account's key, from arguments, the environment or an accounts file; or a signer.

No repr, error or pickle shows a secret; `credentials.secret.reveal()` is the only way to its text.
Give another process the account's *name* to look up, never its key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar, overload

from binance_dust._util.keys import NeverPickled, looks_like_pem, read_private_key
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from binance_dust._util.keys import PrivateKey
    from binance_dust.signers import Signer

__all__ = ["Accounts", "Credentials", "Secret"]

P = ParamSpec("P")
R = TypeVar("R")

_SHOWN_LETTERS: Final = 4


class Secret(NeverPickled):
    """A text that only `reveal()` shows."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        """Keep a text hidden."""
        self.__text = text

    def reveal(self) -> str:
        """Give the text."""
        return self.__text

    def __repr__(self) -> str:
        return "Secret(***)"


class _NoSecret(Secret):
    """Stands for a key that this process does not hold."""

    __slots__ = ()

    def reveal(self) -> str:
        """Say that there is nothing to give."""
        raise ConfigurationError("this account's key is not in this process: its signer has it")


class Credentials(NeverPickled):
    """One account's API key and secret: an HMAC secret, or a PEM private key.

    With a `signer` the key stays where it is: in an agent, in a vault, in hardware.

    The PEM is read here: its kind (Ed25519 or RSA, encrypted or not) is detected, and a damaged key
    or a wrong password is an error before anything is sent. Reading an encrypted key is slow: load
    many of them in a thread, or before the event loop runs.
    """

    __slots__ = ("_plain_file", "_private_key", "_signer", "api_key", "name", "secret")

    def __init__(
        self,
        api_key: str,
        secret: str | None = None,
        *,
        signer: Signer | None = None,
        name: str | None = None,
        password: str | None = None,
    ) -> None:
        """Check the key and keep it; `password` is for an encrypted PEM."""
        checked = _quietly(_checked, api_key, secret, signer, name, password)
        if isinstance(checked, Exception):
            del api_key, secret, signer, password
            raise checked
        self.api_key: Final = api_key
        self.secret: Final = _NoSecret("") if checked[0] is None else Secret(checked[0])
        self.name: Final = name
        self._private_key: PrivateKey | None = checked[1]
        self._signer: Final = signer
        self._plain_file: Path | None = None

    @property
    def label(self) -> str:
        """What reports and errors show: the account's name, else the beginning of its API key."""
        return self.name or self.masked_api_key

    @property
    def masked_api_key(self) -> str:
        """Give the first few characters of the API key, never more than a quarter of it."""
        return f"{self.api_key[: min(_SHOWN_LETTERS, len(self.api_key) // 4)]}…"

    @property
    def identity(self) -> str:
        """Tells accounts apart where weight is counted, and does not show the API key."""
        if self.name is not None:
            return self.name
        return f"{self.masked_api_key}{sha256(self.api_key.encode()).hexdigest()[:8]}"

    @property
    def private_key(self) -> PrivateKey | None:
        """The private key for signing, if the secret is a PEM."""
        return self._private_key

    @property
    def signer(self) -> Signer | None:
        """What signs, if the key is not in this process."""
        return self._signer

    @property
    def plain_file(self) -> Path | None:
        """The file in which `load` found the secret unencrypted, if it did."""
        return self._plain_file

    @classmethod
    def from_env(
        cls, name: str | None = None, *, environ: Mapping[str, str] | None = None
    ) -> Credentials:
        """Read `BINANCE_API_KEY` and `BINANCE_API_SECRET`, or `BINANCE_<NAME>_API_KEY` and so on.

        `BINANCE_API_PASSWORD` (`BINANCE_<NAME>_API_PASSWORD`) is for an encrypted PEM.
        """
        found = _quietly(_from_env, cls, name, os.environ if environ is None else environ)
        if isinstance(found, Exception):
            del environ
            raise found
        return found

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None
    ) -> Accounts:
        """Read an accounts file: one table for each account, with the account's name.

            [alice]
            api_key = "..."
            secret_env = "ALICE_SECRET"     # an environment variable

            [bob]
            api_key = "..."
            secret_file = "bob.pem"         # a file, relative to this one
            password_env = "BOB_PASSWORD"

            [carol]
            api_key = "..."
            secret_command = ["pass", "show", "binance/carol"]  # a program that prints it

            [dave]
            api_key = "..."
            ssh_agent = "dave.pub"          # an ssh-agent signs, with this key

            [erin]
            api_key = "..."
            sign_command = ["sign", "erin"] # a program signs what it reads from its input

        A file, or a key file, that every user of the machine can read is refused. Programs that
        print secrets run now, many at once, for ten seconds each at most; no shell runs them.
        """
        found = _quietly(_load, path, os.environ if environ is None else environ)
        if isinstance(found, Exception):
            del environ
            raise found
        return found

    def __repr__(self) -> str:
        if not hasattr(self, "secret"):  # a traceback may show an object that was refused
            return "Credentials(refused)"
        name = "" if self.name is None else f"{self.name!r}, "
        signed = "secret=***"
        if self.signer is not None:
            from binance_dust.signers._signer import name_of

            signed = f"signer=<{name_of(self.signer)}>"
        return f"Credentials({name}api_key={self.masked_api_key!r}, {signed})"


class Accounts(Sequence[Credentials]):
    """The accounts of a file, in its order; `accounts["alice"]` finds an account by name."""

    __slots__ = ("_by_name",)

    def __init__(self, by_name: Mapping[str, Credentials]) -> None:
        """Keep accounts by name."""
        self._by_name = dict(by_name)

    @property
    def names(self) -> tuple[str, ...]:
        """The accounts' names."""
        return tuple(self._by_name)

    @overload
    def __getitem__(self, key: int | str) -> Credentials: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[Credentials]: ...
    def __getitem__(self, key: int | str | slice) -> Credentials | Sequence[Credentials]:
        if isinstance(key, str):
            if key not in self._by_name:
                raise ConfigurationError(
                    f"no account {key!r} in the file; it has {', '.join(self.names)}"
                )
            return self._by_name[key]
        return tuple(self._by_name.values())[key]

    def __contains__(self, account: object) -> bool:
        """Whether an account is here, by its name or its credentials."""
        if isinstance(account, str):
            return account in self._by_name
        return account in self._by_name.values()

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"Accounts({', '.join(self.names)})"


def _quietly(read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | Exception:
    """Read keys, and return an error without the frames that hold them.

    Error trackers show the variables of a traceback's frames: one mistyped line in a file would
    publish the secrets of all its accounts.
    """
    try:
        return read(*args, **kwargs)
    except (ConfigurationError, TypeError) as error:
        return error.with_traceback(None)


def _checked(
    api_key: str, secret: str | None, signer: Signer | None, name: str | None, password: str | None
) -> tuple[str | None, PrivateKey | None]:
    """Check the parts of credentials; give the secret, and the private key if it is a PEM."""
    subject = f"credentials of {name!r}" if isinstance(name, str) else "credentials"
    _check_text(name, "name", subject, optional=True)
    _check_text(password, "password", subject, optional=True)
    _check_header_safe(_check_text(api_key, "api_key", subject), subject)
    if signer is not None:
        if secret is not None or password is not None:
            raise ConfigurationError(f"{subject}: give a secret or a signer, not both")
        if not callable(getattr(signer, "sign", None)):
            raise TypeError(
                f"{subject}: a signer has `async def sign(self, payload: bytes) -> str`"
            )
        return None, None
    if secret is None:
        raise TypeError(f"{subject}: give a secret or a signer")
    text = _check_text(secret, "secret", subject)
    if looks_like_pem(text):
        # In environment variables a PEM often has one line, with `\n` for its line ends.
        text = text.replace("\\n", "\n")
        return text, _read_pem(subject, text, password)
    if password is not None:
        raise ConfigurationError(
            f"{subject}: a password is for an encrypted PEM key, and this secret is not a PEM"
        )
    if not text.isprintable() or len(text.split()) > 1 or text != text.strip():
        message = (
            f"{subject}: the secret has white space around or inside it; was it copied completely?"
        )
        raise ConfigurationError(message)
    return text, None


def _from_env(cls: type[Credentials], name: str | None, environ: Mapping[str, str]) -> Credentials:
    _check_text(name, "name", "from_env", optional=True)
    # Characters that a shell does not allow in a variable's name become underscores.
    stem = "BINANCE_" + ("" if name is None else re.sub(r"\W", "_", f"{name.upper()}_"))
    names = f"{stem}API_KEY", f"{stem}API_SECRET"
    values = [environ.get(variable, "").strip() for variable in names]
    missing = [variable for variable, value in zip(names, values, strict=True) if not value]
    if missing:
        raise ConfigurationError(f"set {' and '.join(missing)} in the environment")
    return cls(*values, name=name, password=environ.get(f"{stem}API_PASSWORD") or None)


def _load(file: str | os.PathLike[str], environ: Mapping[str, str]) -> Accounts:
    from binance_dust._accounts_file import read_accounts_file

    found = {}
    for name, (parts, plain_file) in read_accounts_file(Path(file), environ).items():
        found[name] = Credentials(**parts, name=name)
        found[name]._plain_file = plain_file  # noqa: SLF001 - of this module
    return Accounts(found)


def _check_text(value: str | None, field: str, subject: str, *, optional: bool = False) -> str:
    if value is None and optional:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{subject}: {field} must be a str, not {type(value).__name__}")
    if not value.strip():
        raise ConfigurationError(f"{subject}: {field} is empty")
    return value


def _check_header_safe(api_key: str, subject: str) -> None:
    """Refuse a key that an HTTP header can't hold: aiohttp's error would show the key."""
    if not (api_key.isascii() and api_key.isprintable()) or " " in api_key:
        raise ConfigurationError(
            f"{subject}: the API key has characters that no key has; was it copied completely?"
        )


def _read_pem(subject: str, pem: str, password: str | None) -> PrivateKey:
    problem = None
    try:
        return read_private_key(pem, password)
    except ConfigurationError as error:
        problem = f"{subject}: {error}"
    raise ConfigurationError(problem)
