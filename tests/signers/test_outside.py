"""Signers that users write: the turn, the timestamp, the time limit, and what errors show."""

from __future__ import annotations

import asyncio
import gc
import pickle
import time
import weakref
from typing import Any, Literal
from urllib.parse import quote

import pytest

from binance_dust import (
    ConfigurationError,
    Credentials,
    CredentialsError,
    NotSentError,
    RetryPolicy,
    Session,
    scan,
)
from binance_dust._call import signing
from binance_dust._call.signing import (
    AccountKey,
    OutsideSigner,
    SigningLimits,
    _useless,
    sign,
    signer_for,
    try_signature,
)
from binance_dust.credentials import Secret
from binance_dust.sandbox import Sandbox
from binance_dust.signers import Command, Signer, SshAgent
from binance_dust.signers._queue import _QUEUES, _SILENT, SigningQueue
from binance_dust.signers._signer import QueuedSigner
from tests.signers.test_public_key import TEXT

CANARY = "canary-secret-9f2c"


class OutsideKey:
    """Signs with a key that is elsewhere."""

    name = "vault key desk"

    def __init__(self, credentials: Credentials, *, takes: float = 0.0) -> None:
        self._inner: Any = signer_for(credentials)
        self.takes = takes
        self.payloads: list[bytes] = []
        self.at_once = self.most = 0

    async def sign(self, payload: bytes) -> str:
        self.payloads.append(payload)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(self.takes)
            return await sign(self._inner, payload.decode())
        finally:
            self.at_once -= 1


def held(credentials: Credentials, **options: Any) -> Credentials:
    return Credentials(
        credentials.api_key, signer=OutsideKey(credentials, **options), name=credentials.name
    )


@pytest.mark.parametrize("kind", ["hmac", "ed25519", "rsa"])
async def test_a_signer_of_ones_own_makes_every_signature(
    kind: Literal["hmac", "ed25519", "rsa"], exchange: Sandbox, session: Session
) -> None:
    alice = held(exchange.open_account("alice", key=kind, ADA="6.21"))
    client = session.client(alice)

    assert [row.asset for row in await client.user_assets()] == ["ADA"]
    await client.dust_transfer(["ADA"])

    assert isinstance(alice.signer, OutsideKey)
    assert [b"timestamp=" in each for each in alice.signer.payloads] == [True, True]
    assert not _QUEUES


async def test_a_call_with_the_key_alone_asks_no_signer(
    exchange: Sandbox, session: Session
) -> None:
    alice = held(exchange.open_account("alice"))

    assert await session.client(alice).delist_schedule() == []

    assert isinstance(alice.signer, OutsideKey)
    assert alice.signer.payloads == []
    (seen,) = exchange.requests_of("/sapi/v1/spot/delist-schedule")
    assert (seen.account, seen.parameters) == ("alice", {})


async def raising(error: Exception | None) -> Any:
    if error is not None:
        raise error
    return 5


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (RuntimeError(CANARY), CredentialsError, r"vault key desk: failed \(RuntimeError\)"),
        (TimeoutError(CANARY), CredentialsError, r"failed \(TimeoutError\)"),
        (ExceptionGroup(CANARY, [ValueError()]), CredentialsError, "ExceptionGroup"),
        (CredentialsError("the token expired", status=0), CredentialsError, "desk: the token exp"),
        (CredentialsError("no right"), CredentialsError, "vault key desk: no right"),
        (NotSentError("vault is sealed"), NotSentError, "vault key desk: vault is sealed"),
        (ConfigurationError(CANARY), CredentialsError, r"failed \(ConfigurationError\)"),
        (None, CredentialsError, "gave no signature: it is to be base64"),
    ],
)
async def test_what_a_signer_raises_shows_by_its_type_or_by_our_own_words(
    error: Exception | None, kind: type[Exception], says: str, exchange: Sandbox, session: Session
) -> None:
    alice = held(exchange.open_account("alice", ADA="1"))
    alice.signer.sign = lambda payload: raising(error)  # type: ignore[union-attr, method-assign]

    with pytest.raises(kind, match=says) as caught:
        await session.client(alice).user_assets()

    assert "POST /sapi/v3/asset/getUserAsset (alice): vault key desk" in str(caught.value)
    assert CANARY not in str(caught.value)
    assert exchange.requests_of("/sapi/v3/asset/getUserAsset") == ()
    used = {pool.name: pool.used for pool in session.budget.snapshot().pools}
    assert not used.get("POST /sapi/v3/asset/getUserAsset"), "the weight was given back"


@pytest.mark.parametrize(
    "made",
    ["", "rubbish", CANARY, "ab" * 31, "QUJD", "ä" * 64, "x" * 64, b"short", None, 5, "=" * 88],
)
async def test_what_is_no_signature_is_not_sent(
    made: Any, exchange: Sandbox, session: Session
) -> None:
    alice = held(exchange.open_account("alice", ADA="1"))

    async def lie(payload: bytes) -> Any:
        return made

    alice.signer.sign = lie  # type: ignore[union-attr, method-assign]
    with pytest.raises(CredentialsError, match="gave no signature"):
        await session.client(alice).user_assets()
    assert exchange.requests_of("/sapi/v3/asset/getUserAsset") == ()


async def test_a_signature_that_is_encoded_already_is_taken(
    exchange: Sandbox, session: Session
) -> None:
    alice = exchange.open_account("alice", key="ed25519", ADA="1")
    inner: Any = signer_for(alice)

    class Encoded:
        async def sign(self, payload: bytes) -> str:
            return quote(await sign(inner, payload.decode()), safe="%") + "\n"

    client = session.client(Credentials(alice.api_key, signer=Encoded()))
    for _ in range(10):  # some have a plus, a slash
        assert await client.user_assets()


async def test_a_wrong_signature_names_who_made_it(exchange: Sandbox, session: Session) -> None:
    alice, bob = (exchange.open_account(name, key="ed25519") for name in ("alice", "bob"))
    wrong = Credentials(alice.api_key, signer=OutsideKey(bob), name="alice")

    with pytest.raises(CredentialsError, match=r"-1022 .*signed by vault key desk") as caught:
        await session.client(wrong).user_assets()
    assert caught.value.code == -1022
    assert caught.value.status == 400
    with pytest.raises(CredentialsError) as plain:
        await session.client(Credentials(alice.api_key, "x", name="alice")).user_assets()
    assert "signed by" not in str(plain.value)


def test_only_a_refused_signature_names_who_made_it() -> None:
    outside = OutsideSigner(Timed([]), "alice")
    other = CredentialsError("no right", code=-2015)

    assert outside.explain(other) is other
    assert "signed by Timed: is" in str(outside.explain(CredentialsError("bad", code=-1022)))


async def test_a_slow_signer_holds_up_no_other_account(
    exchange: Sandbox, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call of a pool goes alone; its weight is lent to others while it waits."""
    monkeypatch.setattr("binance_dust._call.signing._LENT", 0.05)
    slow = session.client(held(exchange.open_account("slow", ADA="1"), takes=1.0))
    quick = session.client(exchange.open_account("quick", ADA="1"))
    await quick.server_time()

    first = asyncio.create_task(slow.user_assets())
    await asyncio.sleep(0.01)
    await asyncio.wait_for(quick.user_assets(), 0.8)
    assert not first.done()
    assert await first
    assert isinstance(slow.credentials.signer, OutsideKey)
    assert len(slow.credentials.signer.payloads) == 1, "it is still good when there is weight again"


async def test_a_signature_that_is_too_old_when_there_is_weight_again_is_made_anew(
    exchange: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("binance_dust._call.signing._LENT", 0.05)
    alice = held(exchange.open_account("alice", ADA="1"), takes=0.5)
    async with Session(base_url=exchange.url, recv_window=900) as session:
        assert await session.client(alice).user_assets()

    assert isinstance(alice.signer, OutsideKey)
    assert len(alice.signer.payloads) == 4, "twice, because it takes long, and that twice"


async def test_a_signer_that_never_answers_is_given_up(exchange: Sandbox, session: Session) -> None:
    alice = held(exchange.open_account("alice", ADA="1"), takes=60.0)
    alice.signer.timeout = 0.1  # type: ignore[union-attr]

    with pytest.raises(CredentialsError, match=r"no signature within 0\.1 s"):
        await session.client(alice).user_assets()
    with pytest.raises(
        CredentialsError, match=r"too slow a moment ago, and is asked again in 0\.\d s"
    ):
        await session.client(alice).user_assets()
    alice.signer.takes = 0.0  # type: ignore[union-attr]
    await asyncio.sleep(0.1)
    assert await session.client(alice).user_assets()


@pytest.mark.parametrize("other", ["signs", "refuses", "is silent, too"])
async def test_an_agent_that_answers_others_is_not_silent(other: str) -> None:
    class Agent:
        timeout = 0.2

        async def sign(self, payload: bytes) -> str:
            if payload == b"hung" or other == "is silent, too":
                await asyncio.sleep(60)
            if other == "refuses":
                raise CredentialsError("no", status=0)
            return "ab" * 32

    outside = OutsideSigner(Agent(), "alice")
    limits = SigningLimits(None, 5.0, time.monotonic)

    async def made(text: str, after: float) -> str:
        async def stamped() -> Secret:
            return Secret(text)

        await asyncio.sleep(after)
        return str(await outside.sign(stamped, None, limits))

    hung, _ = await asyncio.gather(made("hung", 0), made("b", 0.1))
    later = await made("c", 0)

    assert "no signature within" in hung
    silent = "too slow a moment ago" in later
    assert silent is (other == "is silent, too")


async def test_an_answer_ends_a_silence_at_once() -> None:
    """Such as that of a call which was asked before another one was given up."""
    async with SigningQueue.at("agent", 1) as queue:
        queue.gave_up(asyncio.get_running_loop().time(), 60)
        for _ in range(2):  # looking at it changes nothing
            assert 59 < queue.silent_for() <= 60

        queue.answered()

        assert queue.silent_for() == 0


@pytest.mark.parametrize(("asked", "silent"), [(6.9, 0.0), (7.0, 60.0)])
def test_an_answer_from_before_the_question_says_nothing_of_it(asked: float, silent: float) -> None:
    class Stopped(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return 7.0

    loop = Stopped()
    queue = SigningQueue(loop, "agent", 1)
    queue.answered()

    queue.gave_up(asked, 60.0)

    assert queue.silent_for() == silent
    loop.close()


async def test_idle_connections_are_closed_by_the_last_one_who_leaves() -> None:
    class Connection:
        closed = False

        def close(self) -> None:
            self.closed = True

    idle = [Connection(), Connection()]
    async with SigningQueue.at("agent", 2):
        async with SigningQueue.at("agent", 2) as queue:
            queue.kept += idle
        assert [each.closed for each in idle] == [False, False]

    assert [each.closed for each in idle] == [True, True]


async def test_who_gives_up_waiting_for_a_turn_leaves_nothing_behind() -> None:
    entered = []

    async def wait() -> None:
        async with SigningQueue.at("agent", 1):
            entered.append(1)

    async with SigningQueue.at("agent", 1) as queue:
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert SigningQueue.in_use("agent") is queue

    assert entered == []
    assert not _QUEUES


def test_a_loop_that_has_ended_leaves_nothing_behind() -> None:
    """Neither the silence of an agent, nor a queue if it ended in the middle of a call."""

    async def give_up() -> None:
        async with SigningQueue.at("agent", 1) as queue:
            queue.gave_up(asyncio.get_running_loop().time(), 60)
            await asyncio.get_running_loop().create_future()

    loop = asyncio.new_event_loop()
    ours = weakref.ref(loop)
    call = loop.create_task(give_up())
    loop.run_until_complete(asyncio.sleep(0))
    assert loop in _SILENT
    assert (id(loop), "agent") in _QUEUES
    call._log_destroy_pending = False  # type: ignore[attr-defined]  # as it is meant to be
    loop.close()

    del loop, call
    gc.collect()

    assert ours() is None, "what is held of it weakly is gone with it"
    assert ours not in _SILENT.keyrefs()
    assert not _QUEUES


async def test_the_doctors_question_is_of_no_use_to_anybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed: list[str] = []

    async def recorded(signer: Any, payload: str) -> str:
        signed.append(payload)
        return "x"

    monkeypatch.setattr(signing, "sign", recorded)
    kind, seconds = await try_signature(Credentials("key", "secret"))

    assert (kind, signed) == ("HMAC", ["recvWindow=1&timestamp=1"])
    assert isinstance(seconds, float)
    assert 0 <= seconds < 5


async def test_a_deadline_ends_the_wait_for_a_signature(exchange: Sandbox) -> None:
    retry = RetryPolicy(deadline=0.2)
    async with Session(base_url=exchange.url, retry=retry) as session:
        client = session.client(held(exchange.open_account("alice"), takes=60.0))
        with pytest.raises(CredentialsError, match="before the call's deadline"):
            await client.user_assets()


async def test_many_accounts_on_one_signer_wait_before_their_timestamps(
    exchange: Sandbox,
) -> None:
    """100 signatures, 8 at once, take longer than a timestamp lives; none is refused."""
    accounts = [exchange.open_account(f"a{n}", ADA="1") for n in range(100)]
    vaults = [OutsideKey(each, takes=0.06) for each in accounts]
    async with Session(base_url=exchange.url, recv_window=400) as session:
        clients = [
            session.client(Credentials(each.api_key, signer=Shared(vault), name=each.name))
            for each, vault in zip(accounts, vaults, strict=True)
        ]
        reports = [report async for report in scan(clients, liabilities=False)]

    assert [report.errors for report in reports] == [{}] * 100
    assert Shared.most <= 8


class Shared(Command):
    """Many accounts' keys at one place, which signs slowly."""

    running = most = 0
    at_once = 8

    def __init__(self, vault: OutsideKey) -> None:
        super().__init__(["shared"])
        self._vault = vault

    async def make(self, payload: bytes) -> str:
        Shared.running += 1
        Shared.most = max(Shared.most, Shared.running)
        try:
            return await self._vault.sign(payload)
        finally:
            Shared.running -= 1


@pytest.mark.parametrize(
    ("seconds", "made"),
    [
        # Quick enough is half of the second for which a call is valid here.
        ([0.49], "1"),
        ([0.5, 0.1], "2"),
        ([0.5, 0.99], "2"),
        ([3.0, 0.6], "2"),
        # Once more, and no more: the next one would hardly be quicker.
        ([0.5, 1.0], "took 1.0 s to sign, and a call is valid for 1 s: raise recv_window"),
    ],
)
async def test_a_signature_that_took_long_is_made_again_with_a_fresh_timestamp(
    seconds: list[float], made: str
) -> None:
    signer = Timed(seconds)

    async def stamped() -> Secret:
        return Secret(f"timestamp={signer.now}")

    found = await OutsideSigner(signer, "alice").sign(
        stamped, "POST /x", SigningLimits(None, 1.0, lambda: signer.now)
    )

    starts = [sum(seconds[:n], 0.0) for n in range(len(seconds))]
    assert signer.payloads == [f"timestamp={start}".encode() for start in starts]
    if isinstance(found, tuple):
        assert found == (f"timestamp={starts[-1]}", made * 64)
    else:
        assert str(found).startswith("POST /x (alice): Timed: ")
        assert made in str(found)


class Timed:
    """Takes so many seconds, one after the other, of a time that it keeps."""

    timeout: Any = "no number, so that the usual one is taken"

    def __init__(self, seconds: list[float]) -> None:
        self.left = iter(seconds)
        self.now = 0.0
        self.payloads: list[bytes] = []

    async def sign(self, payload: bytes) -> str:
        self.payloads.append(payload)
        self.now += next(self.left)
        return f"{len(self.payloads)}" * 64


class Hanging(QueuedSigner):
    """Never answers, and may be alone with that."""

    def __init__(self) -> None:
        super().__init__("hanging", "one queue", 0.05)

    async def make(self, payload: bytes) -> str:
        await asyncio.sleep(60)
        return ""


async def test_a_signer_that_is_asked_by_itself_has_a_time_limit_and_a_name_too() -> None:
    with pytest.raises(CredentialsError, match=r"^hanging: gave no signature within 0\.05 s"):
        await Hanging().sign(b"a=1")


class HangingAlone(Hanging):
    """Says nothing of others in its queue."""

    alike = False


@pytest.mark.parametrize(
    ("kind", "says"), [(Hanging, "too slow a moment ago"), (HangingAlone, "gave no signature")]
)
async def test_a_silence_is_that_of_a_queue_if_its_signers_are_alike(
    kind: type[Hanging], says: str
) -> None:
    async def made() -> Any:
        limits = SigningLimits(None, 5.0, time.monotonic)
        return await OutsideSigner(kind(), "alice").sign(_useless, None, limits)

    first, second = await made(), await made()

    assert str(first).startswith("hanging: gave no signature within 0.05 s")
    assert says in str(second)
    assert (second.endpoint, second.account) == (None, None)


# --- credentials ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"secret": "x", "signer": Command(["a"])}, ConfigurationError, "or a signer, not both"),
        ({"password": "x", "signer": Command(["a"])}, ConfigurationError, "not both"),
        ({}, TypeError, "give a secret or a signer"),
        ({"signer": "ssh"}, TypeError, "a signer has `async def sign"),
    ],
)
def test_credentials_have_a_secret_or_a_signer(
    arguments: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        Credentials("key", name="alice", **arguments)


def test_an_account_is_made_of_credentials_alone() -> None:
    with pytest.raises(TypeError, match="credentials must be"):
        AccountKey("alice")  # type: ignore[arg-type]


@pytest.mark.parametrize("signer", [Command(["sign", CANARY]), SshAgent(TEXT, socket="/s")])
def test_a_signer_and_its_credentials_are_never_pickled(signer: Signer) -> None:
    credentials = Credentials("key-1234567890", signer=signer, name="alice")

    assert CANARY not in repr(credentials)
    assert repr(credentials).startswith("Credentials('alice', api_key='key…', signer=<")
    for thing in (signer, credentials, credentials.secret):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(thing)
    assert credentials.private_key is None


async def test_keys_in_the_process_pay_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a queue, nor a time limit, nor a step of the event loop."""
    for name in ("OutsideSigner", "on_loan", "SigningQueue"):
        monkeypatch.setattr(signing, name, None)
    ours: Any = signer_for(Credentials("key", "secret"))
    made = sign(ours, "a=b")
    with pytest.raises(StopIteration) as done:
        made.send(None)
    assert len(done.value.value) == 64
