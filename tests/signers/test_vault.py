"""`VaultTransit`, against a stand-in that checks the protocol of Vault's transit engine."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from binance_dust import (
    ConfigurationError,
    Credentials,
    CredentialsError,
    NotSentError,
    Session,
    scan,
)
from binance_dust.sandbox import Sandbox
from binance_dust.signers import VaultTransit
from tests.systems import posix

TOKEN = "hvs.canary-token-9f2c"


class Vault:
    """Answers as Vault's documents say, strictly."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.answer: web.Response | None = None
        self.url = ""
        self.namespace: str | None = None

    async def sign(self, request: web.Request) -> web.Response:
        self.namespace = request.headers.get("X-Vault-Namespace")
        if self.answer is not None:
            return self.answer
        if request.headers.get("X-Vault-Token") != TOKEN:
            return web.json_response({"errors": ["permission denied"]}, status=403)
        key = self.keys.get(request.match_info["key"])
        asked = await request.json()
        if key is None:
            return web.json_response({"errors": ["signing key not found"]}, status=400)
        text = base64.b64decode(asked["input"], validate=True)
        if isinstance(key, Ed25519PrivateKey):
            made = key.sign(text)
        else:
            assert asked.get("hash_algorithm", "sha2-256") == "sha2-256"
            padding: Any = PSS(MGF1(SHA256()), PSS.MAX_LENGTH)
            if asked.get("signature_algorithm") == "pkcs1v15":
                padding = PKCS1v15()
            made = key.sign(text, padding, SHA256())
        data = {"key_version": 2, "signature": f"vault:v2:{base64.b64encode(made).decode()}"}
        return web.json_response({"request_id": "a", "data": data})


@pytest.fixture
async def vault() -> AsyncIterator[Vault]:
    vault = Vault()
    app = web.Application()
    app.router.add_post("/v1/transit/sign/{key}", vault.sign)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vault.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield vault
    await runner.cleanup()


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_what_vault_signs_is_taken(
    kind: Literal["ed25519", "rsa"], vault: Vault, exchange: Sandbox, session: Session
) -> None:
    accounts = [exchange.open_account(f"a{n}", key=kind, ADA="6.21") for n in range(3)]
    vault.keys = {str(each.name): each.private_key for each in accounts}
    async with aiohttp.ClientSession() as http:
        clients = [
            session.client(
                Credentials(
                    each.api_key,
                    signer=VaultTransit(vault.url, str(each.name), token=TOKEN, http=http),
                    name=each.name,
                )
            )
            for each in accounts
        ]
        reports = [report async for report in scan(clients)]

    assert [report.errors for report in reports] == [{}] * 3
    assert "canary" not in repr(clients[0].credentials)


@posix
async def test_a_token_may_be_in_a_file_that_is_renewed(vault: Vault, tmp_path: Path) -> None:
    vault.keys["a"] = Ed25519PrivateKey.generate()
    token = tmp_path / "token"
    token.write_text("old")
    token.chmod(0o600)
    signer = VaultTransit(vault.url, "a", token=token)

    with pytest.raises(CredentialsError, match=r"^Vault \(a\): it answers 403: is the token right"):
        await signer.sign(b"a=1")
    token.write_text(f"{TOKEN}\n")
    assert len(await signer.sign(b"a=1")) == 88
    token.chmod(0o644)
    with pytest.raises(CredentialsError, match="its token: everybody can read token"):
        await signer.sign(b"a=1")


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (web.Response(status=503, text=TOKEN), NotSentError, "it answers 503: sealed"),
        (web.Response(status=307, headers={"Location": "/"}), CredentialsError, "it answers 307"),
        (web.Response(status=404), CredentialsError, "the engine mounted"),
        (web.Response(text=TOKEN), CredentialsError, "not that of a Vault"),
        (web.json_response({"data": {"signature": "other:v1:AAAA"}}), CredentialsError, "not that"),
        (web.json_response({"data": None}), CredentialsError, "not that of a Vault"),
        (web.json_response({"data": {"signature": TOKEN}}), CredentialsError, "not that of a V"),
        (None, CredentialsError, "is the name of the key right"),
    ],
)
async def test_other_answers_say_what_to_do(
    answer: Any, error: type[Exception], says: str, vault: Vault, session: Session
) -> None:
    vault.answer = answer
    signer = VaultTransit(vault.url, "none", token=TOKEN)

    with pytest.raises(error, match=says) as caught:
        await signer.sign(b"a=1&timestamp=2")
    assert "canary" not in str(caught.value)
    assert "timestamp" not in str(caught.value)


@pytest.mark.parametrize("status", [412, 429, 472, 473, 500, 502, 503, 504])
async def test_a_vault_that_is_busy_or_sealed_is_tried_again(status: int, vault: Vault) -> None:
    vault.answer = web.Response(status=status)

    with pytest.raises(NotSentError, match=f"it answers {status}: sealed"):
        await VaultTransit(vault.url, "a", token=TOKEN).sign(b"a=1")


async def test_a_session_of_ones_own_is_used(vault: Vault) -> None:
    vault.keys["a"] = Ed25519PrivateKey.generate()

    async with aiohttp.ClientSession(headers={"X-Vault-Namespace": "desk"}) as http:
        await VaultTransit(vault.url, "a", token=TOKEN, http=http).sign(b"a=1")
        assert vault.namespace == "desk"
        await VaultTransit(vault.url, "a", token=TOKEN).sign(b"a=1")
        assert vault.namespace is None
        assert not http.closed


async def test_a_vault_that_is_away_is_an_error_that_is_tried_again() -> None:
    with pytest.raises(NotSentError, match=r"Vault \(a\): it can't be reached \(Client"):
        await VaultTransit("http://127.0.0.1:9", "a", token=TOKEN).sign(b"a=1")


def test_a_token_goes_over_https_and_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match="must be https"):
        VaultTransit("http://vault.internal", "a", token=TOKEN)
    with pytest.raises(ConfigurationError, match="set VAULT_TOKEN"):
        VaultTransit("https://vault.internal", "a")
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    assert repr(VaultTransit("https://vault.internal", "a")) == "<VaultTransit Vault (a)>"
