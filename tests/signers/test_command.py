"""A program that signs: openssl, PKCS#11, and programs that do it wrongly."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from binance_dust import (
    ConfigurationError,
    Converter,
    Credentials,
    CredentialsError,
    Ledger,
    Session,
    scan,
)
from binance_dust.sandbox import Sandbox
from binance_dust.signers import Command, _command
from tests.systems import posix

pytestmark = posix
PAYLOAD = b"asset=BNB&recvWindow=5000&timestamp=1"
SIGNATURE = "ab" * 32
MINE = f"60.{os.getpid()}"
"""How long the sleeping programs of this process sleep: tests run side by side."""
CANARY = "canary-secret-9f2c"


def shell(script: str, **options: Any) -> Command:
    return Command(["sh", "-c", script], **options)


def openssl() -> str:
    return shutil.which("openssl") or pytest.skip("no openssl in PATH: `apt install openssl`")


def by_openssl(credentials: Credentials, folder: Path, kind: str) -> Credentials:
    pem = folder / f"{credentials.name}.pem"
    pem.write_text(credentials.secret.reveal())
    pem.chmod(0o600)
    how = ["-sign", "-rawin", "-inkey", str(pem), "-in", "/dev/stdin"]
    argv = [openssl(), "pkeyutl", *how, *(["-digest", "sha256"] if kind == "rsa" else [])]
    return Credentials(credentials.api_key, signer=Command(argv), name=credentials.name)


@pytest.mark.skipif(sys.platform != "linux", reason="openssl asks for the length of its input")
@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_what_openssl_signs_scans_and_converts(
    kind: Any, exchange: Sandbox, session: Session, tmp_path: Path
) -> None:
    alice = exchange.open_account("alice", key=kind, ADA="6.21", BNB="1")
    client = session.client(by_openssl(alice, tmp_path, kind))

    reports = [report async for report in scan([client])]
    async with Ledger(tmp_path / "books.db") as ledger:
        converter = Converter(client, ledger=ledger)
        receipt = await converter.convert(await converter.quote())

    assert [report.errors for report in reports] == [{}]
    assert receipt.net > 0


async def test_a_program_may_print_text_in_lines_or_the_bytes(tmp_path: Path) -> None:
    sixty_four = tmp_path / "64"
    sixty_four.write_bytes(bytes(range(200, 256)) + bytes(8))

    assert await shell(f"cat >/dev/null; echo {SIGNATURE}").sign(PAYLOAD) == SIGNATURE
    assert await shell(f"echo {SIGNATURE}").sign(PAYLOAD * 3_000) == SIGNATURE, "it need not read"
    broken = await shell(f"base64 -w 20 {sixty_four}").sign(PAYLOAD)
    assert broken == await shell(f"cat {sixty_four}").sign(PAYLOAD)
    assert broken == base64.b64encode(sixty_four.read_bytes()).decode()


@pytest.mark.parametrize("in_memory", [True, False])
async def test_a_program_reads_what_it_is_to_sign(
    in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a file in memory, or from a pipe where there are none."""
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)

    made = await shell(f"cat > {tmp_path}/seen; echo {SIGNATURE}").sign(PAYLOAD)

    assert made == SIGNATURE
    assert (tmp_path / "seen").read_bytes() == PAYLOAD


async def test_what_a_program_leaves_running_in_good_order_is_let_be(tmp_path: Path) -> None:
    """As an agent that stays, for the next one to find."""
    leave = f"sleep 60 >/dev/null & echo $! > {tmp_path}/pid; echo {SIGNATURE}"

    assert await shell(leave).sign(PAYLOAD) == SIGNATURE

    pid = int((tmp_path / "pid").read_text())
    assert goes_on(pid)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo rubbish", "printed no signature, but 8 bytes"),
        ("", "printed no signature, but nothing"),
        (f"echo {CANARY}", "printed no signature"),
        ("head -c 100 /dev/zero", "printed no signature, but 100 bytes"),
        (f"echo {CANARY} >&2; exit 3", "ended with status 3; run it in a terminal"),
        (f"cat >&2; echo {CANARY} >&2; exit 3", "ended with status 3"),
        (f"echo {SIGNATURE}; exit 3", "ended with status 3"),
        (f"echo {SIGNATURE}; exit 1", "ended with status 1"),
        ("kill -1 $$", "ended by signal 1;"),
        ("kill -9 $$", "ended by signal 9"),
        ("head -c 65536 /dev/zero", "printed no signature, but 65536 bytes"),
        ("head -c 65537 /dev/zero", "more than 65,536 bytes"),
        ("yes", "more than 65,536 bytes"),
        ("sleep 60", "no signature within 0.3 s"),
        ("sleep 60 & sleep 60", "no signature within 0.3 s"),
        (f"sleep 60 & echo {SIGNATURE}", "no signature within 0.3 s"),
    ],
)
async def test_a_program_that_does_it_wrongly_is_an_error_that_shows_nothing_it_says(
    script: str, says: str, session: Session, exchange: Sandbox
) -> None:
    script = script.replace("sleep 60", f"sleep {MINE}")
    signer = shell(script, timeout=0.3 if "sleep" in script else 30)
    client = session.client(Credentials("some-key", signer=signer, name="alice"))
    before = running()

    with pytest.raises(CredentialsError, match=says) as direct:
        await signer.sign(PAYLOAD)
    with pytest.raises(CredentialsError, match=says) as called:
        await client.user_assets()

    assert str(direct.value).startswith("command sh: ")
    assert "(alice): command sh: " in str(called.value)
    assert called.value.status == 0
    for error in (direct.value, called.value):
        assert CANARY not in str(error)
        assert "timestamp" not in str(error)
    async with asyncio.timeout(10):  # a kill takes its time
        while running() - before:  # noqa: ASYNC110 - what it started is gone, too
            await asyncio.sleep(0.01)


def running() -> set[int]:
    """The sleeping programs of this test run."""
    found = set()
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if place.read_bytes().split(b"\0")[:2] == [b"sleep", MINE.encode()]:
                found.add(int(place.parent.name))
    return found


def goes_on(pid: int) -> bool:
    """Whether a process has not ended, as far as this system tells."""
    line = Path(f"/proc/{pid}/cmdline")
    return sys.platform != "linux" or line.read_bytes() != b""


async def test_a_program_that_is_not_there_says_so() -> None:
    with pytest.raises(CredentialsError, match=r"command nope: it can't be started \(No such file"):
        await Command(["/nowhere/nope", CANARY]).sign(PAYLOAD)


async def test_a_program_that_hung_keeps_no_other_from_running(
    exchange: Sandbox, session: Session
) -> None:
    hung, other = (
        session.client(Credentials(name, signer=shell(script, timeout=0.3), name=name))
        for name, script in (("a", "sleep 60"), ("b", "exit 3"))
    )

    with pytest.raises(CredentialsError, match="no signature within"):
        await hung.user_assets()
    with pytest.raises(CredentialsError, match="status 3"):
        await other.user_assets()


@pytest.mark.parametrize("groups", [True, False])
async def test_a_cancelled_program_is_ended_at_once(
    groups: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a system knows no groups of processes."""
    monkeypatch.setattr(_command, "_GRACE", 60.0)
    if not groups:
        monkeypatch.delattr(os, "killpg")
    task = asyncio.create_task(shell(f"echo $$ > {tmp_path}/pid; exec sleep 60").sign(PAYLOAD))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(20):  # its output is connected by then
        await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(30):
            await task

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("argv", "error", "says"),
    [
        ("openssl dgst", TypeError, "a list of texts"),
        (5, TypeError, "a list of texts"),
        ([], ConfigurationError, "a program and its arguments"),
        (["a", 5], ConfigurationError, "a list of texts"),
        (["a\0b"], ConfigurationError, "a list of texts"),
        ([" "], ConfigurationError, "empty text"),
    ],
)
def test_a_program_is_named_by_a_list(argv: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Command(argv)
    with pytest.raises(ConfigurationError, match="timeout"):
        Command(["a"], timeout=0)
    assert repr(Command(["/usr/bin/sign", CANARY])) == "<Command command sign>"
    assert repr(Command(["/usr/bin/" + "s" * 50])) == f"<Command command {'s' * 40}>"


async def test_so_many_run_at_once_and_a_bad_one_holds_up_nobody(
    exchange: Sandbox, session: Session, tmp_path: Path
) -> None:
    good = [exchange.open_account(f"a{n}", ADA="1") for n in range(30)]
    counted = (
        f"mkdir {tmp_path}/run.$$; ls -d {tmp_path}/run.* | wc -l >> {tmp_path}/most;"
        f" sleep 0.05; rmdir {tmp_path}/run.$$; openssl dgst -sha256 -hmac "
    )
    clients = [session.client(exchange.open_account("first"))] + [
        session.client(
            Credentials(
                each.api_key,
                signer=shell(counted + each.secret.reveal() + " | sed 's/.*= //'"),
                name=each.name,
            )
        )
        for each in good
    ]
    bad = session.client(Credentials("k", signer=shell("sleep 60", timeout=1.5), name="bad"))
    openssl()

    reports = {r.account: r async for r in scan([bad, *clients], liabilities=False)}

    assert {name for name, report in reports.items() if report.errors} == {"bad"}
    most = [int(line) for line in (tmp_path / "most").read_text().split()]
    assert 1 < max(most) <= Command.at_once
    assert _command._AT_ONCE == 32


# --- hardware, by PKCS#11 ------------------------------------------------------------------------

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A hardware module in software, with an empty store of its own."""
    module = next((each for each in MODULES if Path(each).exists()), None)
    if module is None or not shutil.which("softhsm2-util") or not shutil.which("pkcs11-tool"):
        pytest.skip("no hardware module in software: `apt install softhsm2 opensc`")
    (tmp_path / "tokens").mkdir()
    conf = tmp_path / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {tmp_path}/tokens\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(conf))
    monkeypatch.setenv("PIN", "1234")
    return module


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_a_key_in_a_hardware_module_signs(
    kind: Any, module: str, exchange: Sandbox, session: Session, tmp_path: Path
) -> None:
    mechanism = {"ed25519": "EDDSA", "rsa": "SHA256-RSA-PKCS"}[kind]
    alice = exchange.open_account("alice", key=kind, ADA="1")
    (tmp_path / "key.pem").write_text(alice.secret.reveal())
    token = ["--label", "desk", "--pin", "1234"]
    for arguments in (
        ["--init-token", "--free", *token, "--so-pin", "1234"],
        ["--import", f"{tmp_path}/key.pem", "--token", *token[1:], "--label", "a", "--id", "01"],
    ):
        subprocess.run(["softhsm2-util", *arguments], check=True, capture_output=True)  # noqa: S603, S607, ASYNC221
    (tmp_path / "key.pem").unlink()
    sign = ["--sign", "--id", "01", "--mechanism", mechanism]
    signer = Command(
        ["pkcs11-tool", "--module", module, "--token-label", "desk", "--pin", "env:PIN", *sign]
    )

    client = session.client(Credentials(alice.api_key, signer=signer, name="alice"))

    assert [row.asset for row in await client.user_assets()] == ["ADA"]


async def test_the_event_loop_goes_on_meanwhile() -> None:
    longest, last = 0.0, time.perf_counter()
    signing = asyncio.create_task(shell("sleep 0.3; exit 1").sign(PAYLOAD))
    while not signing.done():
        await asyncio.sleep(0.005)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now

    assert isinstance(signing.exception(), CredentialsError)
    assert longest < 0.25
