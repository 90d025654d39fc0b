"""No key, secret, signature or signed URL shows: each kind of failure in each way of printing."""

from __future__ import annotations

import asyncio
import copy
import inspect
import io
import json
import logging
import pickle
import pprint
import reprlib
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import rich
import structlog
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback

from binance_dust import Credentials, DustClient, NotSentError, RetryPolicy, Session
from binance_dust._call import signing
from binance_dust._util.keys import NeverPickled
from binance_dust._util.plain import plain
from binance_dust.sandbox import Sandbox
from binance_dust.signers import Command, SshAgent
from tests.ssh_agent import an_agent
from tests.systems import posix

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


# --- ways of printing ----------------------------------------------------------------------------


def frames(error: BaseException) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    seen: list[BaseException | None] = [error]
    while seen:
        each = seen.pop()
        if each is None:
            continue
        seen += [each.__cause__, each.__context__]
        found += [dict(frame.f_locals) for frame, _ in traceback.walk_tb(each.__traceback__)]
    return found


def by_rich(thing: Any) -> str:
    console = Console(file=io.StringIO(), width=400)
    console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def by_rich_inspection(error: BaseException) -> str:
    console = Console(file=io.StringIO(), width=400)
    rich.inspect(error, console=console, all=True)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def by_logging(error: BaseException) -> str:
    record = logging.LogRecord("a", 40, "a.py", 1, "failed: %s", (error,), None)
    record.exc_info = (type(error), error, error.__traceback__)
    return logging.Formatter("%(message)s %(args)s").format(record)


def by_structlog(error: BaseException, *steps: Any) -> str:
    event: Any = {"event": "failed", "exc_info": (type(error), error, error.__traceback__)}
    for step in steps:
        event = step(None, "error", event)
    return str(event)


def by_the_loop(error: BaseException) -> str:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(logging.Formatter().format(record))  # type: ignore[method-assign]
    log = logging.getLogger("asyncio")
    log.addHandler(handler)
    loop = asyncio.new_event_loop()
    try:
        future = loop.create_future()
        loop.default_exception_handler({"message": "m", "exception": error, "future": future})
    finally:
        loop.close()
        log.removeHandler(handler)
    return "\n".join(lines)


def or_refusal(make: Callable[[], Any]) -> str:
    try:
        return str(make())
    except Exception as error:  # noqa: BLE001 - what can't be pickled shows nothing
        return repr(error)


PRINTERS: dict[str, Callable[[BaseException], Any]] = {
    "str": str,
    "repr": repr,
    "its traceback": lambda e: "".join(traceback.format_exception(e)),
    "its traceback with locals": lambda e: "".join(
        traceback.TracebackException.from_exception(e, capture_locals=True).format()
    ),
    "a group's traceback with locals": lambda e: "".join(
        traceback.TracebackException.from_exception(
            BaseExceptionGroup("several", [e]), capture_locals=True
        ).format()
    ),
    "logging": by_logging,
    "the event loop": by_the_loop,
    "structlog with rich": lambda e: by_structlog(e, structlog.dev.ConsoleRenderer()),
    "structlog as values": lambda e: by_structlog(
        e, structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()
    ),
    "rich": by_rich,
    "rich, its traceback": lambda e: by_rich(
        Traceback.from_exception(
            type(e), e, e.__traceback__, show_locals=True, locals_max_string=100_000
        )
    ),
    "rich, its inspection": by_rich_inspection,
    "rich, its fields": lambda e: pretty_repr(vars(e)),
    "rich, each local": lambda e: [
        pretty_repr(value) for frame in frames(e) for value in frame.values()
    ],
    "pytest": lambda e: pytest.ExceptionInfo.from_exception(e).getrepr(
        showlocals=True, style="long", truncate_locals=False
    ),
    "pprint, its fields": lambda e: pprint.pformat(vars(e)),
    "pprint, each local": lambda e: [
        pprint.pformat(value) for frame in frames(e) for value in frame.values()
    ],
    "reprlib, each local": lambda e: [
        reprlib.repr(value) for frame in frames(e) for value in frame.values()
    ],
    "pickle": lambda e: or_refusal(lambda: pickle.dumps(e)),
    "pickle, each local": lambda e: [
        or_refusal(lambda value=value: pickle.dumps(value))  # type: ignore[misc]
        for frame in frames(e)
        for value in frame.values()
    ],
    "a copy": lambda e: repr(vars(copy.deepcopy(e))),
    "as JSON": lambda e: json.dumps(plain(e), default=repr),
    "inspect": lambda e: [
        (record.code_context, {k: repr(v) for k, v in record.frame.f_locals.items()})
        for record in (inspect.getinnerframes(e.__traceback__) if e.__traceback__ else [])
    ],
}


# --- kinds of failure ----------------------------------------------------------------------------

READ = "/sapi/v3/asset/getUserAsset"
WRITE = "/sapi/v1/asset/dust"


async def refused(exchange: Sandbox, client: DustClient) -> None:
    await client.dust_transfer(["NOTHING"])


async def no_weight(exchange: Sandbox, client: DustClient) -> None:
    exchange.faults.refuse(429, endpoint=READ)
    await client.user_assets()


async def banned(exchange: Sandbox, client: DustClient) -> None:
    exchange.faults.ban(60.0)
    await client.user_assets()


async def walled(exchange: Sandbox, client: DustClient) -> None:
    exchange.faults.html_403(endpoint=READ)
    await client.user_assets()


async def broken(exchange: Sandbox, client: DustClient) -> None:
    exchange.faults.fail(502, endpoint=READ)
    await client.user_assets()


async def lost(exchange: Sandbox, client: DustClient) -> None:
    exchange.faults.lose_answer(endpoint=WRITE)
    await client.dust_transfer(["ADA"])


async def unreadable(exchange: Sandbox, client: DustClient) -> None:
    exchange.faults.garble_body(endpoint=READ)
    await client.user_assets()


async def unreadable_write(exchange: Sandbox, client: DustClient) -> None:
    exchange.faults.wrong_shape(endpoint=WRITE)
    await client.dust_transfer(["ADA"])


async def too_late(exchange: Sandbox, client: DustClient) -> None:
    exchange.faults.delay(30.0, endpoint=READ)
    await asyncio.wait_for(client.user_assets(), 0.2)


async def cancelled(exchange: Sandbox, client: DustClient) -> None:
    exchange.faults.delay(30.0, endpoint=WRITE)
    task = asyncio.ensure_future(client.dust_transfer(["ADA"]))
    await asyncio.wait([task], timeout=0.2)
    task.cancel()
    await task


FAILURES = [
    refused,
    no_weight,
    banned,
    walled,
    broken,
    lost,
    unreadable,
    unreadable_write,
    too_late,
    cancelled,
]
SOME = (refused, lost, unreadable_write, cancelled)
"""What is tried in every run: a plain no, no answer, an unknown outcome, an end from outside."""


# --- what must not show --------------------------------------------------------------------------


class Canaries(NeverPickled):
    """Everything secret of one client, and the signatures that it makes."""

    def __init__(self, credentials: Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
        secret = credentials.secret.reveal()
        self.texts = {credentials.api_key, secret, *secret.splitlines()[1:-1]}
        self._watch_outside(monkeypatch)
        sign = signing._HmacSigner.sign

        def recorded(signer: Any, payload: bytes) -> str:
            signature = sign(signer, payload)
            self.texts |= {signature, f"{payload.decode()}&signature="}
            return signature

        monkeypatch.setattr(signing._HmacSigner, "sign", recorded)

    def _watch_outside(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for kind in (SshAgent, Command):

            async def recorded(signer: Any, payload: bytes, make: Any = kind.make) -> Any:
                self.texts |= {payload.decode(), f"{payload.decode()}&signature="}
                signature = await make(signer, payload)
                self.texts |= {signature, quote(signature, safe="")}
                return signature

            monkeypatch.setattr(kind, "make", recorded)

    def shown_in(self, printed: object) -> list[str]:
        shown = str(printed)
        return [text for text in self.texts if text in shown]


def in_the_process(alice: Credentials, stack: AsyncExitStack) -> Credentials:
    return alice


def in_an_agent(alice: Credentials, stack: AsyncExitStack) -> Credentials:
    return stack.enter_context(an_agent()).hold(alice)


def by_a_command(alice: Credentials, stack: AsyncExitStack) -> Credentials:
    """Sign with a program that is told the secret, and that says on standard error all it knows."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    (folder / "secret").write_text(alice.secret.reveal(), encoding="utf-8")
    argv = [sys.executable, "-c", SIGN, str(folder / "secret")]
    return Credentials(alice.api_key, signer=Command(argv, timeout=60.0), name="alice")


SIGN = """
import hmac, sys
secret, payload = open(sys.argv[1]).read(), sys.stdin.read()
print(secret, payload, file=sys.stderr)
print(hmac.digest(secret.encode(), payload.encode(), "sha256").hex())
"""


@asynccontextmanager
async def met(
    failure: Callable[[Sandbox, DustClient], Any],
    monkeypatch: pytest.MonkeyPatch,
    hold: Callable[[Credentials, AsyncExitStack], Credentials] = in_the_process,
    **options: Any,
) -> AsyncIterator[tuple[BaseException, Canaries]]:
    async with AsyncExitStack() as stack:
        exchange = await stack.enter_async_context(Sandbox(seed=7))
        kind: Any = "ed25519" if hold is in_an_agent else "hmac"
        alice = exchange.open_account("alice", key=kind, ADA="6.21")
        canaries = Canaries(alice, monkeypatch)
        alice = hold(alice, stack)
        retry = RetryPolicy(attempts=1, max_wait=0.1)
        session = Session(base_url=exchange.url, retry=retry, **options)
        client = (await stack.enter_async_context(session)).client(alice)
        await client.server_time()
        found: BaseException | None = None
        try:
            await failure(exchange, client)
        except BaseException as error:  # noqa: BLE001 - a cancellation is one of them
            found = error
        assert found is not None
        yield found, canaries


@pytest.mark.parametrize(
    "failure",
    [each if each in SOME else pytest.param(each, marks=pytest.mark.long) for each in FAILURES],
    ids=lambda each: each.__name__,
)
async def test_no_failure_shows_a_secret_in_any_way_of_printing(
    failure: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with met(failure, monkeypatch) as (error, canaries):
        shown = {name for name, show in PRINTERS.items() if canaries.shown_in(show(error))}

        assert shown == set()
        assert canaries.shown_in(caplog.text) == []
        assert len(canaries.texts) >= 4 or failure is banned, "something was signed"


@posix
@pytest.mark.long
@pytest.mark.parametrize("hold", [in_an_agent, by_a_command], ids=lambda each: each.__name__)
@pytest.mark.parametrize("failure", FAILURES, ids=lambda each: each.__name__)
async def test_no_failure_shows_what_an_outside_signer_signs(
    failure: Any, hold: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with met(failure, monkeypatch, hold) as (error, canaries):
        shown = {name for name, show in PRINTERS.items() if canaries.shown_in(show(error))}

        assert shown == set()
        assert canaries.shown_in(caplog.text) == []
        assert len(canaries.texts) >= 4 or failure is banned, "something was signed"


class SpyingSigner:
    """Ends in any way that a signer can end in, with the payload in its frame."""

    name = "spy"
    timeout = 0.2

    def __init__(self, canaries: Canaries, end: str) -> None:
        self._canaries, self._end = canaries, end

    async def sign(self, payload: bytes) -> str:
        text = payload.decode()
        self._canaries.texts |= {text}
        if self._end in ("sleeps", "is cancelled"):
            await asyncio.sleep(60)
        if self._end == "raises":
            try:
                _ = dict[str, str]()[text]
            except KeyError as error:
                raise ValueError(text) from error
        if self._end == "raises ours":
            raise NotSentError("not now") from ValueError(text)
        return text if self._end == "lies" else "ab" * 32


@pytest.mark.parametrize(
    "end",
    [
        "raises",
        "is cancelled",
        *(
            pytest.param(end, marks=pytest.mark.long)
            for end in ("sleeps", "raises ours", "lies", "signs wrongly")
        ),
    ],
)
async def test_no_end_of_a_signer_shows_what_it_was_to_sign(
    end: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Sandbox(seed=7) as exchange, Session(base_url=exchange.url) as session:
        alice = exchange.open_account("alice", ADA="6.21")
        canaries = Canaries(alice, monkeypatch)
        spy = SpyingSigner(canaries, end)
        client = session.client(Credentials(alice.api_key, signer=spy, name="alice"))
        await client.server_time()
        found: BaseException | None = None
        try:
            task = asyncio.ensure_future(client.user_assets())
            if end == "is cancelled":
                await asyncio.wait([task], timeout=0.1)
                task.cancel()
            await task
        except BaseException as error:  # noqa: BLE001 - a cancellation is one of them
            found = error

        assert found is not None
        assert "spy" in str(found) or end == "is cancelled"
        shown = {name for name, show in PRINTERS.items() if canaries.shown_in(show(found))}
        assert shown == set()
        assert canaries.shown_in(caplog.text) == []
        assert len(canaries.texts) >= 3


@pytest.mark.parametrize("write", [False, pytest.param(True, marks=pytest.mark.long)])
async def test_what_a_callers_session_was_given_raises_and_shows_nothing(
    write: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail_afterwards(request: Any, send_on: Any) -> Any:
        response = await send_on(request)
        if "dust" in str(request.url) or "Asset" in str(request.url):
            raise KeyError(str(request.url))
        return response

    async def act(exchange: Sandbox, client: DustClient) -> None:
        await (client.dust_transfer(["ADA"]) if write else client.user_assets())

    async with (
        aiohttp.ClientSession(middlewares=[fail_afterwards]) as http,
        met(act, monkeypatch, http=http) as (error, canaries),
    ):
        assert type(error).__name__ == ("OutcomeUnknownError" if write else "NoAnswerError")
        assert "KeyError" in str(error)
        shown = {name for name, show in PRINTERS.items() if canaries.shown_in(show(error))}
        assert shown == set()


@posix
@pytest.mark.parametrize(
    "hold", [in_the_process, in_an_agent, by_a_command], ids=lambda each: each.__name__
)
async def test_no_object_shows_a_secret(hold: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        AsyncExitStack() as stack,
        Sandbox(seed=7) as exchange,
        Session(base_url=exchange.url) as session,
    ):
        kind: Any = "ed25519" if hold is in_an_agent else "hmac"
        alice = exchange.open_account("alice", key=kind, ADA="6.21")
        canaries = Canaries(alice, monkeypatch)
        alice = hold(alice, stack)
        client = session.client(alice)
        things = {
            "credentials": alice,
            "client": client,
            "account": client._account,
            "signer": client._account.signer,
            "session": session,
            "pipeline": session._pipeline,
            "who signs": alice.signer or alice.secret,
            "transport": session._pipeline.transport,
        }
        ways: dict[str, Callable[[Any], Any]] = {
            "repr": repr,
            "pprint": pprint.pformat,
            "rich": pretty_repr,
            "pickle": lambda thing: or_refusal(lambda: pickle.dumps(thing)),
            "old pickle": lambda thing: or_refusal(lambda: pickle.dumps(thing, protocol=0)),
            "a copy": lambda thing: repr(copy.copy(thing)) if thing is alice else "",
        }
        shown = [
            (what, way)
            for what, thing in things.items()
            for way, show in ways.items()
            if canaries.shown_in(show(thing))
        ]
        assert shown == []
        for what in ("credentials", "client", "account", "signer", "who signs"):
            with pytest.raises(TypeError, match="pickled"):
                pickle.dumps(things[what])
