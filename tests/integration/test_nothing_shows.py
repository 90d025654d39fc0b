"""No secret, signature or signed query: not in logs, reprs, errors, tracebacks or pickles."""

from __future__ import annotations

import asyncio
import io
import logging
import pickle
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from binance_dust import Credentials, DustClient, DustError, RetryPolicy, Session
from binance_dust.sandbox import Sandbox

SIGNED = re.compile(
    r"[0-9a-f]{64}"  # HMAC
    r"|signature(=|%3D)(?!\*\*\*)"
    r"|[?&]timestamp=\d"
    r"|recvWindow=\d",
    re.IGNORECASE,
)


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything that anybody logs, at DEBUG, tracebacks and all."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


class Eye:
    """Looks for what must not be seen."""

    def __init__(self, credentials: Credentials) -> None:
        self._secrets = (credentials.secret.reveal(), credentials.api_key)

    def look(self, text: str) -> None:
        for secret in self._secrets:
            assert secret not in text
        found = SIGNED.search(text)
        assert found is None, text[max(0, found.start() - 200) : found.end() + 50]

    def look_at_error(self, error: BaseException) -> None:
        seen: set[int] = set()
        chain: list[BaseException | None] = [error]
        while chain:
            one = chain.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            chain += [one.__cause__, one.__context__]
            self.look(f"{one} {one!r} {vars(one)} {one.args}")
        # With the variables of every frame of ours: a debugger, or a page of errors, shows them.
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        for frame in [*shown.stack, *(shown.__cause__.stack if shown.__cause__ else ())]:
            if "/binance_dust/" in frame.filename:
                self.look(f"{frame.name} {frame.locals}")
        self.look("".join(traceback.format_exception(error)))
        self.look(pickle.dumps(error).decode("latin-1"))
        self.look(f"{pickle.loads(pickle.dumps(error))!r}")  # noqa: S301 - our own bytes


ECHO = "/sapi/v1/asset/dribblet"
FAULTS: dict[str, Callable[[Sandbox], object]] = {
    "none": lambda exchange: None,
    "lost": lambda exchange: exchange.faults.lose_answer(times=None),
    "500": lambda exchange: exchange.faults.fail(500, times=None),
    "cut": lambda exchange: exchange.faults.cut_body(times=None),
    "garbled": lambda exchange: exchange.faults.garble_body(times=None),
    "another shape": lambda exchange: exchange.faults.wrong_shape(times=None),
    "firewall": lambda exchange: exchange.faults.html_403(times=None),
    "429": lambda exchange: exchange.faults.refuse(429, retry_after=100, times=None),
    "418": lambda exchange: exchange.faults.refuse(418, retry_after=100, times=None),
    "bad clock": lambda exchange: exchange.faults.fail(
        400, code=-1021, msg="Timestamp", after_executing=False, times=None
    ),
    "bad signature": lambda exchange: exchange.faults.fail(
        400, code=-1022, msg="Signature", after_executing=False, times=None
    ),
    "slow": lambda exchange: exchange.faults.delay(30.0, times=None),
}


@pytest.mark.parametrize("arm", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("key", ["hmac", "ed25519"])
async def test_nothing_shows_under_success_and_failure(
    exchange: Sandbox, logs: io.StringIO, arm: Any, key: Any
) -> None:
    asyncio.get_running_loop().set_debug(True)  # asyncio itself logs more then
    credentials = exchange.open_account("alice", key=key, ADA="6.21")
    eye = Eye(credentials)
    session = Session(
        base_url=exchange.url,
        timeout=0.2,
        retry=RetryPolicy(attempts=2, max_wait=0.01, deadline=2.0),
    )
    async with session:
        client = session.client(credentials)
        arm(exchange)
        for call in (client.user_assets(), client.dust_log(), client.dust_transfer(["ADA"])):
            try:
                result: Any = await call
            except DustError as error:
                result = None
                eye.look_at_error(error)
            eye.look(repr(result))
        for thing in (client, session, credentials, client.credentials, session.budget):
            eye.look(f"{thing!r} {thing}")

    assert logs.getvalue(), "something was logged at all"
    eye.look(logs.getvalue())


async def test_nothing_shows_in_the_frames_of_a_call_that_was_cancelled(exchange: Sandbox) -> None:
    credentials = exchange.open_account("alice", ADA="6.21")
    fault = exchange.faults.delay(30.0, endpoint="/sapi/v3/asset/getUserAsset")
    async with Session(base_url=exchange.url) as session:
        call = asyncio.create_task(session.client(credentials).user_assets())
        while not fault.hits:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call

    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert any(frame.name == "send" for frame in shown.stack)
    Eye(credentials).look(f"{[frame.locals for frame in shown.stack if frame.name != 'test']}")


@pytest.mark.parametrize("kind", ["client", "session", "credentials"])
async def test_what_holds_a_key_is_not_pickled(exchange: Sandbox, kind: str) -> None:
    credentials = exchange.open_account("alice")
    async with DustClient(credentials, base_url=exchange.url) as client:
        things = {"client": client, "session": client.session, "credentials": credentials}
        with pytest.raises(TypeError):
            pickle.dumps(things[kind])
