"""A key that only an ssh-agent holds: the real one, and others that answer wrongly."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
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
from binance_dust.signers._queue import _QUEUES, SigningQueue
from tests.signers.test_public_key import RSA, TEXT, counted, pem_of, public
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


Answer = bytes | None


class StandIn:
    """Answers each message with what `make` gives, or never."""

    def __init__(self, folder: Path, make: Callable[[bytes], Answer]) -> None:
        self.path = folder / "s"
        self.make = make
        self.asked: list[bytes] = []
        self.opened = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.all_closed = asyncio.Event()
        self.all_closed.set()
        self.done = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open.add(writer)
        self.all_closed.clear()
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int.from_bytes(await reader.readexactly(4))
                self.asked.append(await reader.readexactly(size))
                answer = self.make(self.asked[-1])
                if answer is None:
                    await self.done.wait()
                    break
                for part in (answer[:1], answer[1:5], answer[5:]):
                    writer.write(part)
                    for _ in range(3):  # it is read before the next part comes
                        await asyncio.sleep(0)
                if not answer:
                    break
        writer.close()
        self.open.remove(writer)
        if not self.open:
            self.all_closed.set()

    async def hang_up(self) -> None:
        """End the connections, as an agent does that ends."""
        for writer in self.open:
            writer.close()
        await self.closed()

    async def closed(self) -> None:
        """Wait until no connection is left."""
        async with asyncio.timeout(10):
            await self.all_closed.wait()


@asynccontextmanager
async def an_answer(folder: Path, make: Callable[[bytes], Answer]) -> AsyncIterator[StandIn]:
    """Serve a stand-in, and see that all connections to it are closed."""
    agent = StandIn(folder, make)
    server = await asyncio.start_unix_server(agent.serve, agent.path)
    try:
        yield agent
    finally:
        agent.done.set()
        await agent.closed()
        server.close()
        await server.wait_closed()


def signed(kind: bytes, signature: bytes, more: bytes = b"", inside: bytes = b"") -> bytes:
    made = counted(kind) + counted(signature) + inside
    return counted(b"\x0e" + counted(made) + more)


def listed(*blobs: bytes) -> bytes:
    keys = b"".join(counted(blob) + counted(b"a comment") for blob in blobs)
    return counted(b"\x0c" + len(blobs).to_bytes(4) + keys)


BLOB, RSA_BLOB = (base64.b64decode(text.split()[1]) for text in (TEXT, RSA))
GOOD = signed(b"ssh-ed25519", b"x" * 64)
SHORT = b"x" * 255
"""An RSA signature that begins with a zero, which an agent leaves out."""


@pytest.mark.parametrize(
    ("text", "question", "answer", "signature"),
    [
        (TEXT, counted(BLOB) + counted(PAYLOAD) + bytes(4), GOOD, b"x" * 64),
        (
            RSA,
            counted(RSA_BLOB) + counted(PAYLOAD) + b"\0\0\0\2",
            signed(b"rsa-sha2-256", SHORT),
            b"\0" + SHORT,
        ),
    ],
    ids=["ed25519", "rsa"],
)
async def test_an_agent_is_asked_as_its_protocol_says(
    text: str, question: bytes, answer: bytes, signature: bytes, tmp_path: Path
) -> None:
    async with an_answer(tmp_path, lambda _: answer) as agent:
        made = await SshAgent(text, socket=agent.path).sign(PAYLOAD)

    assert agent.asked == [b"\x0d" + question]
    assert base64.b64decode(made) == signature


def patience(answer: Answer) -> float:
    """Give a time limit: a short one if it is to be met, or else one that a busy machine keeps."""
    return 0.1 if answer is None else 30.0


NO_AGENT = "is that the socket of an ssh-agent"
WRONG: list[tuple[bytes | None, type[Exception], str]] = [
    (b"HTTP/1.1 400 Bad Request\r\n", CredentialsError, NO_AGENT),
    (b"\xff\xff\xff\xff", CredentialsError, NO_AGENT),
    (b"\0\0\0\0", CredentialsError, NO_AGENT),
    (counted(b"\x63"), CredentialsError, NO_AGENT),
    (counted(b"\x0d" + GOOD[5:]), CredentialsError, NO_AGENT),
    (counted(b"\x0e\0\0\xff\xff"), CredentialsError, NO_AGENT),
    (signed(b"ssh-ed25519", b"x" * 63), CredentialsError, NO_AGENT),
    (signed(b"ssh-ed25519", b"x" * 64, b"!"), CredentialsError, NO_AGENT),
    (signed(b"ssh-ed25519", b"x" * 64, inside=b"!"), CredentialsError, NO_AGENT),
    (GOOD + b"!", CredentialsError, NO_AGENT),
    (signed(b"ssh-rsa", b"x" * 64), CredentialsError, "in another way than ssh-ed25519"),
    (b"", NotSentError, "ended the connection without an answer"),
    (None, CredentialsError, r"no signature within 0\.1 s"),
]


@pytest.mark.parametrize(("answer", "error", "says"), WRONG)
async def test_an_agent_that_answers_wrongly_is_an_error_that_names_it(
    answer: bytes | None, error: type[Exception], says: str, tmp_path: Path
) -> None:
    async with an_answer(tmp_path, lambda _: answer) as agent:
        with pytest.raises(error, match=rf"^ssh-agent \(SHA256:.*\): .*{says}"):
            await SshAgent(TEXT, socket=agent.path, timeout=patience(answer)).sign(PAYLOAD)


@pytest.mark.parametrize(
    ("kind", "signature", "says"),
    [
        (b"ssh-rsa", SHORT, "another way than rsa-sha2-256"),
        (b"rsa-sha2-256", b"x" * 257, NO_AGENT),
    ],
)
async def test_an_rsa_signature_of_another_kind_or_length_is_not_taken(
    kind: bytes, signature: bytes, says: str, tmp_path: Path
) -> None:
    async with an_answer(tmp_path, lambda _: signed(kind, signature)) as agent:
        with pytest.raises(CredentialsError, match=says):
            await SshAgent(RSA, socket=agent.path).sign(PAYLOAD)


MOST = 256 * 1024


@pytest.mark.parametrize(
    ("listing", "says"),
    [
        (listed(), r"locked \(ssh-add -X unlocks it\) or has no keys \(ssh-add .*adds it"),
        (listed(BLOB), "refused to sign: was it to be confirmed"),
        (listed(b"a", BLOB), "refused to sign"),
        (listed(b"a"), "1 other key, but not SHA256:.*: run ssh-add"),
        (listed(b"a", b"b"), "2 other keys, but not SHA256:"),
        (listed(b"a" * (MOST - 26)), "1 other key"),
        (listed(b"a" * (MOST - 25)), NO_AGENT),
        (counted(b"\x0e" + listed(b"a")[5:]), NO_AGENT),
        (counted(listed(b"a")[4:-1]), NO_AGENT),
        (counted(b"\x05"), NO_AGENT),
    ],
)
async def test_an_agent_that_refuses_is_asked_which_keys_it_has(
    listing: bytes, says: str, tmp_path: Path
) -> None:
    def answer(message: bytes) -> bytes:
        return counted(b"\x05") if message[0] == 13 else listing

    async with an_answer(tmp_path, answer) as agent:
        with pytest.raises(CredentialsError, match=says):
            await SshAgent(TEXT, socket=agent.path).sign(PAYLOAD)

    assert agent.asked[1:] == [b"\x0b"]


async def test_a_connection_is_used_again_while_there_is_a_queue(tmp_path: Path) -> None:
    async with an_answer(tmp_path, lambda _: GOOD) as agent:
        signer = SshAgent(TEXT, socket=agent.path)
        async with SigningQueue.at(signer.queue, 1):
            for _ in range(3):
                await signer.sign(PAYLOAD)
            assert (agent.opened, len(agent.open)) == (1, 1)
            # As if the agent were started again.
            await agent.hang_up()
            await signer.sign(PAYLOAD)
            assert (agent.opened, len(agent.open)) == (2, 1)
        await agent.closed()

        for number in (3, 4):
            await signer.sign(PAYLOAD)
            await agent.closed()
            assert agent.opened == number


async def test_a_connection_that_outlives_its_queue_is_closed(tmp_path: Path) -> None:
    async with an_answer(tmp_path, lambda _: GOOD) as agent:
        signer = SshAgent(TEXT, socket=agent.path)
        async with SigningQueue.at(signer.queue, 1):
            signing = asyncio.create_task(signer.sign(PAYLOAD))
            await asyncio.sleep(0)
        await signing
        await agent.closed()


@pytest.mark.parametrize("answer", [b"HTTP", None])
async def test_a_connection_that_failed_is_closed_whoever_holds_the_error(
    answer: Answer, tmp_path: Path
) -> None:
    async with an_answer(tmp_path, lambda _: answer) as agent:
        with pytest.raises(CredentialsError) as caught:
            await SshAgent(TEXT, socket=agent.path, timeout=patience(answer)).sign(PAYLOAD)
        if answer:
            await agent.closed()
    assert caught.value.account is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("none", "No such file or directory"),
        ("s" * 200, "OSError"),
        ("\ud800", "this system has no such sockets, or that is not a path"),
    ],
)
async def test_where_no_agent_is_says_what_to_do(name: str, problem: str, tmp_path: Path) -> None:
    signer = SshAgent(TEXT, socket=tmp_path / name)

    with pytest.raises(CredentialsError, match=rf"no agent at .* \({problem}\): start ssh-agent"):
        await signer.sign(PAYLOAD)


async def test_a_system_without_such_sockets_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")

    with pytest.raises(CredentialsError, match="this system has no such sockets"):
        await SshAgent(TEXT, socket="/s").sign(PAYLOAD)


async def test_a_call_names_itself_and_the_agent_that_failed(
    tmp_path: Path, session: Session
) -> None:
    async with an_answer(tmp_path, lambda _: b"HTTP") as agent:
        signer = SshAgent(TEXT, socket=agent.path)
        client = session.client(Credentials("some-key", signer=signer, name="alice"))

        with pytest.raises(CredentialsError, match=r"\(alice\): ssh-agent \(SHA256:") as called:
            await client.user_assets()

    assert called.value.status == 0
    assert not _QUEUES


async def test_a_hung_agent_holds_up_nobody_for_longer_than_its_time_limit(
    tmp_path: Path, session: Session, exchange: Sandbox
) -> None:
    loop = asyncio.get_running_loop()
    async with an_answer(tmp_path, lambda _: None) as agent:
        signers = [SshAgent(TEXT, socket=agent.path, timeout=0.3) for _ in range(100)]
        clients = [
            session.client(Credentials(f"key-{n}", signer=signer))
            for n, signer in enumerate(signers)
        ]
        await clients[0].server_time()
        began = loop.time()
        found = await asyncio.gather(*(c.account_info() for c in clients), return_exceptions=True)
        took = loop.time() - began

    assert all(isinstance(error, CredentialsError) for error in found)
    assert took < 3.0


def test_the_socket_is_the_named_one_or_else_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/of/the/environment")

    assert SshAgent(TEXT).queue == ("ssh-agent", "/of/the/environment")
    assert SshAgent(TEXT, socket=Path("/named")).queue == ("ssh-agent", "/named")
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(ConfigurationError, match="no agent is known: set SSH_AUTH_SOCK"):
        SshAgent(TEXT)
    assert repr(SshAgent(RSA, socket="/s")).startswith("<SshAgent ssh-agent (SHA256:")
