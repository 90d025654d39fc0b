"""A key that only an ssh-agent holds: the real one, and others that answer wrongly."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Literal

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from binance_dust import (
    ConfigurationError,
    Converter,
    Credentials,
    CredentialsError,
    Ledger,
    NotSentError,
    OutcomeUnknownError,
    RateLimits,
    Session,
    scan,
)
from binance_dust.sandbox import Sandbox
from binance_dust.signers import SshAgent
from binance_dust.signers._queue import _QUEUES
from tests.signers.test_public_key import TEXT, pem_of, public
from tests.ssh_agent import Agent

WINDOW = 0.5
PAYLOAD = b"asset=BNB&recvWindow=5000&timestamp=1"


@pytest.mark.long
@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_a_key_that_only_the_agent_holds_scans_converts_and_recovers(
    kind: Literal["ed25519", "rsa"], agent: Agent, exchange: Sandbox, session: Session
) -> None:
    held = agent.hold(exchange.open_account("alice", key=kind, ADA="6.21", BNB="1"))
    client = session.client(held)
    lost = session.client(agent.hold(exchange.open_account("bob", key=kind, ADA="6.21")))

    reports = [report async for report in scan([client, lost])]
    async with Ledger(agent.folder / "books.db") as ledger:
        converter, other = (Converter(each, ledger=ledger) for each in (client, lost))
        receipt = await converter.convert(await converter.quote())
        quote = await other.quote()
        exchange.faults.lose_answer(endpoint="/sapi/v1/asset/dust")
        with pytest.raises(OutcomeUnknownError):
            await other.convert(quote)
        settled = await other.recover()

    assert [report.errors for report in reports] == [{}, {}]
    assert receipt.net > 0
    assert [entry.status for entry in settled] == ["confirmed"]
    with pytest.raises(ConfigurationError, match="not in this process"):
        held.secret.reveal()


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_a_key_in_the_agent_reads_and_converts(
    kind: Literal["ed25519", "rsa"], agent: Agent, exchange: Sandbox, session: Session
) -> None:
    client = session.client(agent.hold(exchange.open_account("alice", key=kind, ADA="6.21")))

    [report] = [report async for report in scan([client])]
    await client.dust_transfer(["ADA"])

    assert report.errors == {}
    assert len(exchange.conversions) == 1


@pytest.mark.long
async def test_200_accounts_at_one_agent_take_about_as_long_as_with_keys_in_the_process(
    agent: Agent,
) -> None:
    async def took(accounts: list[Credentials]) -> float:
        limits = RateLimits(window=WINDOW)
        async with Session(base_url=exchange.url, limits=limits) as session:
            clients = [session.client(each) for each in accounts]
            began = time.perf_counter()
            reports = [report async for report in scan(clients, liabilities=False)]
            assert [report.errors for report in reports] == [{}] * len(accounts)
            return time.perf_counter() - began

    async with Sandbox(seed=7, window=WINDOW) as exchange:
        ours = [exchange.open_account(f"a{n}", key="ed25519", ADA="1") for n in range(200)]
        held = [agent.hold(each) for each in ours]
        rounds = [(await took(ours), await took(held)) for _ in range(7)]

    ratio = median(theirs for _, theirs in rounds) / median(own for own, _ in rounds)
    # The agent is a process of its own: where others want its turn, each signature waits for it.
    busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    assert ratio < (2.5 if busy else 1.2), f"{ratio:.2f}: {rounds}"


async def test_the_same_key_as_a_pem_is_found_in_the_agent(agent: Agent, exchange: Sandbox) -> None:
    alice = exchange.open_account("alice", key="ed25519")
    agent.add(alice)
    assert alice.private_key is not None
    pem = pem_of(public(alice.private_key))

    signature = await SshAgent(pem, socket=agent.socket).sign(PAYLOAD)

    key = alice.private_key
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    key.public_key().verify(base64.b64decode(signature), PAYLOAD)


async def test_each_state_of_an_agent_says_what_to_do(agent: Agent, exchange: Sandbox) -> None:
    alice = agent.add(exchange.open_account("alice", key="ed25519"))
    bob = agent.add(exchange.open_account("bob", key="rsa"))
    signer = SshAgent(alice, socket=agent.socket)

    agent.tell("-x", given="word")
    with pytest.raises(CredentialsError, match=r"locked .*ssh-add -X"):
        await signer.sign(PAYLOAD)
    agent.tell("-X", given="word")
    assert len(await signer.sign(PAYLOAD)) == 88

    agent.tell("-d", str(alice))
    with pytest.raises(CredentialsError, match=r"1 other key, but not SHA256:.*ssh-add /.*/alice"):
        await signer.sign(PAYLOAD)
    assert len(await SshAgent(bob, socket=agent.socket).sign(PAYLOAD)) == 344

    agent.tell("-D")
    with pytest.raises(CredentialsError, match=r"alice\.pub.*has no keys"):
        await signer.sign(PAYLOAD)
    agent.kill()
    with pytest.raises(CredentialsError, match=r"no agent at .*: start ssh-agent.*ssh-add"):
        await signer.sign(PAYLOAD)


async def test_an_agent_that_dies_in_the_middle_of_a_scan_fails_its_accounts_only(
    agent: Agent, exchange: Sandbox, session: Session
) -> None:
    held = [agent.hold(exchange.open_account(f"a{n}", key="ed25519", ADA="1")) for n in range(12)]
    ours = [exchange.open_account(f"b{n}", ADA="1") for n in range(12)]
    clients = [session.client(each) for pair in zip(held, ours, strict=True) for each in pair]

    reports = {}
    async for report in scan(clients, concurrency=2):
        reports[report.account] = report
        if len(reports) == 6:
            agent.kill()

    assert len(reports) == 24
    good = {name for name, report in reports.items() if not report.errors}
    assert good >= {f"b{n}" for n in range(12)}
    failed = [e for report in reports.values() for e in report.errors.values()]
    assert failed
    assert all(isinstance(error, CredentialsError) for error in failed)
    assert all("ssh-agent (a" in str(error) for error in failed)
    assert not _QUEUES


async def test_an_agent_that_was_started_again_is_used_again(
    agent: Agent, exchange: Sandbox, session: Session
) -> None:
    alice = exchange.open_account("alice", key="ed25519", ADA="1")
    client = session.client(agent.hold(alice))
    await client.user_assets()

    agent.kill()
    agent.start()
    agent.add(alice)

    assert await client.user_assets()


# --- agents that answer wrongly ------------------------------------------------------------------


@asynccontextmanager
async def an_answer(folder: Path, make: Callable[[bytes], bytes | None]) -> AsyncIterator[Path]:
    """Serve an agent that answers with what `make` gives, or never."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(4))
                answer = make(await reader.readexactly(size))
                if answer is None:
                    await done.wait()
                    break
                writer.write(answer)
                if not answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, folder / "s")
    try:
        yield folder / "s"
    finally:
        done.set()
        server.close()
        await server.wait_closed()


def counted(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def signed(kind: bytes, signature: bytes, more: bytes = b"") -> bytes:
    return counted(b"\x0e" + counted(counted(kind) + counted(signature)) + more)


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", CredentialsError, "is that the socket of an ssh-agent"),
        (b"\xff\xff\xff\xff", CredentialsError, "is that the socket of an ssh-agent"),
        (b"\0\0\0\0", CredentialsError, "is that the socket"),
        (counted(b"\x63"), CredentialsError, "is that the socket"),
        (counted(b"\x0e\0\0\xff\xff"), CredentialsError, "is that the socket"),
        (signed(b"ssh-ed25519", b"x" * 63), CredentialsError, "is that the socket"),
        (signed(b"ssh-ed25519", b"x" * 64, b"!"), CredentialsError, "is that the socket"),
        (signed(b"ssh-ed25519", b"x" * 64) + b"!", CredentialsError, "is that the socket"),
        (signed(b"ssh-rsa", b"x" * 64), CredentialsError, "in another way than ssh-ed25519"),
        (counted(b"\x05"), CredentialsError, "is that the socket|locked"),
        (b"", NotSentError, "ended the connection without an answer"),
        (None, CredentialsError, "no signature within 0.2 s"),
    ],
)
async def test_an_agent_that_answers_wrongly_is_an_error_that_names_it(
    answer: bytes | None, error: type[Exception], says: str, tmp_path: Path, session: Session
) -> None:
    async with an_answer(tmp_path, lambda _: answer) as path:
        signer = SshAgent(TEXT, socket=path, timeout=0.2)
        client = session.client(Credentials("some-key", signer=signer, name="alice"))

        with pytest.raises(error, match=says) as direct:
            await signer.sign(PAYLOAD)
        with pytest.raises(error, match=says) as called:
            await client.user_assets()

    assert "ssh-agent (SHA256:" in str(direct.value)
    assert "(alice): ssh-agent (SHA256:" in str(called.value)
    assert not _QUEUES


async def test_a_hung_agent_holds_up_nobody_for_longer_than_its_time_limit(
    tmp_path: Path, session: Session, exchange: Sandbox
) -> None:
    loop = asyncio.get_running_loop()
    async with an_answer(tmp_path, lambda _: None) as path:
        clients = [
            session.client(Credentials(f"key-{n}", signer=SshAgent(TEXT, socket=path, timeout=0.3)))
            for n in range(100)
        ]
        await clients[0].server_time()
        began = loop.time()
        found = await asyncio.gather(*(c.account_info() for c in clients), return_exceptions=True)
        took = loop.time() - began

    assert all(isinstance(error, CredentialsError) for error in found)
    assert took < 3.0
