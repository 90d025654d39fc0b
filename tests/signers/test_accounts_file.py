"""An accounts file whose secrets programs print, or whose keys sign elsewhere."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from binance_dust import ConfigurationError, Credentials, _accounts_file, scan
from binance_dust.sandbox import Sandbox
from binance_dust.session import Session
from binance_dust.signers import Command, SshAgent
from tests.signers.test_public_key import TEXT
from tests.ssh_agent import Agent
from tests.systems import posix
from tests.test_credentials import shown_by_a_tracker

pytestmark = posix
CANARY = "canary-secret-9f2c"


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        path = tmp_path / "accounts.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    return write


async def test_every_way_to_sign_is_an_entry(
    agent: Agent, exchange: Sandbox, session: Session, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("alice", "bob", "carol", "dave")
    alice, bob, carol, dave = (
        exchange.open_account(name, key="ed25519" if name == "alice" else "hmac", ADA="1")
        for name in names
    )
    agent.add(alice)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.socket))
    sign = agent.folder / "sign"
    sign.write_text(f"openssl dgst -sha256 -hmac {carol.secret.reveal()} | sed 's/.*= //'")
    path = write(f"""
        [alice]
        api_key = "{alice.api_key}"
        ssh_agent = "{agent.folder}/alice.pub"
        [bob]
        api_key = "{bob.api_key}"
        secret_command = ["echo", "{bob.secret.reveal()}"]
        [carol]
        api_key = "{carol.api_key}"
        sign_command = ["sh", "{sign}"]
        [dave]
        api_key = "{dave.api_key}"
        secret = "{dave.secret.reveal()}"
    """)

    accounts = Credentials.load(path)

    assert accounts.names == names
    assert [type(each.signer) for each in accounts] == [SshAgent, type(None), Command, type(None)]
    assert [each.plain_file for each in accounts] == [None, None, None, path]
    reports = [report async for report in scan([session.client(each) for each in accounts])]
    assert [report.errors for report in reports] == [{}] * 4


def test_a_public_key_lies_beside_the_file_or_is_a_text(write: Any, tmp_path: Path) -> None:
    (tmp_path / "desk.pub").write_text(TEXT)
    path = write(f"""
        [a]
        api_key = "k"
        ssh_agent = "desk.pub"
        [b]
        api_key = "l"
        ssh_agent = "{TEXT}"
    """)

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSH_AUTH_SOCK", "/s")
        assert [type(each.signer) for each in Credentials.load(path)] == [SshAgent, SshAgent]


def test_a_pem_that_a_program_prints_may_be_encrypted(write: Any, exchange: Sandbox) -> None:
    pem = exchange.open_account("a", key="ed25519").secret.reveal()
    path = write(f'[a]\napi_key = "k"\nsecret_command = ["printf", "%s", """{pem}"""]')

    assert Credentials.load(path)["a"].private_key is not None


def table(entry: str) -> str:
    return f'[a]\napi_key = "x"\n{entry}'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (table("secret_command = []"), r"\[a\].*secret_command must be a list"),
        (table('secret_command = "pass show a"'), r"\[a\]: secret_command must be a list"),
        (table("secret_command = [5]"), "must be a list of texts"),
        (table('secret_command = ["/none/pass"]'), r"\[a\] secret_command \(pass\): it can't be"),
        (table('secret_command = ["true"]'), "it printed nothing"),
        (table('secret_command = ["printf", "\\\\377"]'), "it printed no text"),
        (table('secret_command = ["yes"]'), r"\(yes\): it printed more than 65,536 bytes"),
        (table(f'secret_command = ["sh", "-c", "echo {CANARY}; exit 2"]'), "with status 2; run it"),
        (table(f'secret_command = ["sh", "-c", "echo {CANARY} >&2; exit 2"]'), "with status 2"),
        (table(f'secret_command = ["echo", "{CANARY} twice"]'), "'a': the secret has white space"),
        (table('secret_command = ["sleep", "60"]'), r"did not end within 0\.2 s.*unlock first"),
        (table('sign_command = "openssl"'), r"\[a\]: sign_command must be a list"),
        (table("ssh_agent = 5"), r"\[a\]: ssh_agent must be the path of a public key"),
        (table('ssh_agent = "none.pub"'), r"\[a\]: public key .*none.pub.*No such file"),
        (table('ssh_agent = "accounts.toml"'), r"\[a\]: .*that is no public key"),
        (table('ssh_agent = "none.pub"\nsecret = "x"'), "give one of ssh_agent and secret"),
        (table('secret_command = ["a"]\nsecret_env = "x"'), "give one of secret_command and"),
        (table('sign_command = ["a"]\npassword = "x"'), "a password is for a secret"),
        (table(""), "needs secret, .*secret_command, ssh_agent and sign_command"),
    ],
)
def test_an_entry_that_can_not_work_says_which_account_and_what_to_do(
    write: Any, text: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/s")
    if "sleep" in text:
        monkeypatch.setattr(_accounts_file, "_PATIENCE", 0.2)
    with pytest.raises(ConfigurationError, match=says) as caught:
        Credentials.load(write(text))
    assert CANARY not in str(caught.value)
    assert CANARY not in shown_by_a_tracker(caught.value)
    assert caught.value.__context__ is None


def test_many_programs_run_once_each_and_at_the_same_time(write: Any, tmp_path: Path) -> None:
    tables = [
        f'[a{n}]\napi_key = "k{n}"\n'
        f'secret_command = ["sh", "-c", "echo >> {tmp_path}/ran{n}; sleep 0.5; echo secret-{n}"]'
        for n in range(20)
    ]
    began = time.perf_counter()

    accounts = Credentials.load(write("\n".join(tables)))

    assert time.perf_counter() - began < 8.0, "one after another takes more than ten"
    assert [each.secret.reveal() for each in accounts] == [f"secret-{n}" for n in range(20)]
    assert [(tmp_path / f"ran{n}").stat().st_size for n in range(20)] == [1] * 20


def test_all_that_fail_are_named_and_nothing_runs_for_a_file_with_a_mistake(
    write: Any, tmp_path: Path
) -> None:
    tables = [f'[a{n}]\napi_key = "k"\nsecret_command = ["false"]' for n in range(5)]
    with pytest.raises(ConfigurationError, match=r"\[a0\].*\[a1\].*\[a2\].*; and 2 more"):
        Credentials.load(write("\n".join(tables)))

    ran = tmp_path / "ran"
    with pytest.raises(ConfigurationError, match="needs api_key"):
        Credentials.load(
            write(f'[a]\napi_key = "k"\nsecret_command = ["touch", "{ran}"]\n[b]\nsecret = "x"')
        )
    assert not ran.exists()


async def test_a_file_can_be_loaded_inside_an_event_loop(write: Any) -> None:
    path = write(table('secret_command = ["echo", "secret"]'))

    assert Credentials.load(path)["a"].secret.reveal() == "secret"
