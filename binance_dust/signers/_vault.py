"""`VaultTransit`: the key is in the transit engine of Vault (or OpenBao)."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from binance_dust._util.checks import seconds
from binance_dust._util.files import read_private
from binance_dust._util.words import visible
from binance_dust.errors import ConfigurationError, CredentialsError, NotSentError
from binance_dust.signers._signer import QueuedSigner

if TYPE_CHECKING:
    from datetime import timedelta

    import aiohttp

__all__ = ["VaultTransit"]

_OK: Final = 200
_LATER: Final = frozenset({412, 429, 472, 473, 500, 502, 503, 504})
"""Busy, sealed, standing by, or not up to date yet."""
_ADVICE: Final = {
    400: "is the name of the key right, and is it of the type ed25519 or rsa-2048 to rsa-4096?",
    403: "is the token right, in time, and allowed to update sign/ of this key?",
    404: "is the address right, and the engine mounted there?",
}


class VaultTransit(QueuedSigner):
    """Signs with a key of Vault's transit engine: Ed25519, or RSA.

    `token` is a text, or the path of a file that is read for each signature, as Vault Agent renews
    it; `VAULT_TOKEN` by default. `http` is an aiohttp session of yours, which you close; without
    one, each signature makes a connection.
    """

    __slots__ = ("_http", "_token", "_url")
    at_once = 16

    def __init__(  # noqa: PLR0913 - the public face, all but two by keyword
        self,
        url: str,
        key: str,
        *,
        token: str | os.PathLike[str] | None = None,
        mount: str = "transit",
        http: aiohttp.ClientSession | None = None,
        timeout: timedelta | float = 5.0,
    ) -> None:
        """Check the address; nothing is asked yet."""
        import yarl

        name = f"Vault ({visible(key)})"
        address = yarl.URL(url)
        if address.scheme != "https" and address.host not in ("127.0.0.1", "::1", "localhost"):
            raise ConfigurationError(f"{name}: the address must be https, but on this machine")
        super().__init__(name, ("vault", str(address)), seconds(timeout, "timeout"))
        self._token: Final = os.environ.get("VAULT_TOKEN", "") if token is None else token
        if not self._token:
            raise ConfigurationError(f"{name}: give a token, or set VAULT_TOKEN")
        self._url: Final = address / "v1" / mount / "sign" / key
        self._http: Final = http

    async def make(self, payload: bytes) -> str:
        """Ask Vault."""
        import aiohttp

        if self._http is None:
            async with aiohttp.ClientSession() as http:
                return await self._ask(http, payload)
        return await self._ask(self._http, payload)

    async def _ask(self, http: aiohttp.ClientSession, payload: bytes) -> str:
        import aiohttp

        asked = {
            "input": base64.b64encode(payload).decode(),
            # For RSA; Vault's own choice would be PSS. An Ed25519 key has no choice.
            "hash_algorithm": "sha2-256",
            "signature_algorithm": "pkcs1v15",
        }
        headers = {"X-Vault-Token": self._read_token(), "X-Vault-Request": "true"}
        try:
            async with http.post(
                self._url, json=asked, headers=headers, allow_redirects=False
            ) as response:
                status, body = response.status, await response.read()
        except aiohttp.ClientError as error:
            raise NotSentError(f"it can't be reached ({type(error).__name__})") from None
        if status in _LATER:
            raise NotSentError(f"it answers {status}: sealed, busy or standing by")
        if status != _OK:
            advice = _ADVICE.get(status, "is that the address of a Vault?")
            raise CredentialsError(f"it answers {status}: {advice}")
        return _signature(body)

    def _read_token(self) -> str:
        if isinstance(self._token, str):
            return self._token
        try:
            return read_private(Path(self._token), "its token").strip()
        except ConfigurationError as error:
            problem = str(error)
        raise CredentialsError(problem)


def _signature(body: bytes) -> str:
    """Read `vault:v1:...`, in which the second part is the version of the key."""
    try:
        made = json.loads(body)["data"]["signature"].split(":")
    except (ValueError, TypeError, KeyError, AttributeError):
        made = []
    if len(made) != 3 or made[0] != "vault":  # noqa: PLR2004 - the parts that it has
        raise CredentialsError("the answer is not that of a Vault")
    return str(made[2])
