"""The life of a call, step by step, with a transport and a budget that take notes."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import threading
import time
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from multidict import CIMultiDict

from binance_dust import (
    BudgetExceededError,
    ConfigurationError,
    Credentials,
    DustClient,
    NoAnswerError,
    NotSentError,
    OutcomeUnknownError,
    RateLimits,
    RetryPolicy,
    Session,
)
from binance_dust._answers.judge import Answer
from binance_dust._call import retry, wire
from binance_dust._call.signing import AccountKey, _RsaSigner
from binance_dust.budget import Charge, Lane, LimitKind, LocalBudget
from binance_dust.budget._payers import TO_ACCOUNT
from binance_dust.endpoints import DUST_TRANSFER
from binance_dust.events import Event, PayerLearnt, Refused, Retried
from binance_dust.sandbox import Sandbox

CREDENTIALS = Credentials("key-1234567890", "secret", name="alice")
LIST = "GET /sapi/v1/margin/exchange-small-liability"
Outcome = BaseException | tuple[int, str, dict[str, str]]
TIME: Outcome = (200, '{"serverTime":1700000000000}', {})


class PipelineNotes:
    """A transport and a budget in one: what they are told, in order."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = list(outcomes)
        self.told: list[str] = []
        self.charges: list[Charge] = []
        self.requests: list[wire.Request] = []
        self.within: list[float | None] = []
        self.deadlines: list[float | None] = []

    async def send(self, request: wire.Request, *, within: float | None = None) -> Answer:
        self.told.append("send")
        self.requests.append(request)
        self.within.append(within)
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        status, body, headers = outcome
        now = asyncio.get_running_loop().time()
        return Answer(status, CIMultiDict(headers), body.encode(), now, now)

    async def admit(
        self, charge: Charge, *, deadline: Any = None, lane: Any = None
    ) -> PipelineNotes:
        self.told.append("admit")
        self.charges.append(charge)
        self.deadlines.append(deadline)
        return self

    def sent(self, extra: int = 0) -> None:
        self.told.append("sent")

    def settle(self, answer: Any) -> None:
        self.told.append("settle")

    def unknown(self) -> None:
        self.told.append("unknown")

    def release(self) -> None:
        self.told.append("release")

    async def close(self) -> None:
        pass


def session_with(notes: PipelineNotes, **options: Any) -> Session:
    options = {"retry": RetryPolicy(attempts=2, max_wait=0.001)} | options
    session = Session(budget=notes, **options)  # type: ignore[arg-type]
    session._pipeline = replace(session._pipeline, transport=notes)  # type: ignore[misc, arg-type]
    return session


async def test_waiting_comes_before_signing_and_the_budget_hears_of_the_end() -> None:
    notes = PipelineNotes(TIME, (200, "[]", {}))

    assert await session_with(notes).client(CREDENTIALS).small_liabilities() == []

    assert notes.told == ["admit", "sent", "send", "settle"] * 2
    assert [charge.pool for charge in notes.charges] == ["GET /api/v3/time", LIST]
    assert notes.charges[1] == Charge(LIST, LimitKind.IP, 100, "alice")
    assert "timestamp=1700000000" in notes.requests[1].path_and_query


async def test_no_weight_is_held_while_the_time_is_asked_for() -> None:
    """After a ban one call goes first: not one that waits for another to tell the time."""

    class Slow(PipelineNotes):
        async def admit(
            self, charge: Charge, *, deadline: Any = None, lane: Any = None
        ) -> PipelineNotes:
            if charge.pool == LIST and not self.charges[1:]:
                session._pipeline.clock.refused(session._pipeline.clock.generation)
            return await super().admit(charge)

    notes = Slow(TIME, TIME, (200, "[]", {}))
    session = session_with(notes)

    assert await session.client(CREDENTIALS).small_liabilities() == []

    whole = ["admit", "sent", "send", "settle"]
    assert notes.told == [*whole, "admit", "release", *whole, *whole]


@pytest.mark.parametrize(
    ("outcome", "end"),
    [
        (NotSentError("refused"), "release"),
        (NoAnswerError("dropped"), "unknown"),
        (asyncio.CancelledError(), "unknown"),
        ((500, "", {}), "settle"),
        ((200, "garbled", {}), "settle"),
        ((400, '{"code":-1102,"msg":"no"}', {}), "settle"),
    ],
)
async def test_however_an_attempt_ends_the_budget_is_told_how_far_it_got(
    outcome: Outcome, end: str
) -> None:
    notes = PipelineNotes(outcome)
    session = session_with(notes, retry=RetryPolicy(attempts=1))

    with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever comes of it
        await session.client(CREDENTIALS).system_status()

    assert notes.told == ["admit", "sent", "send", end]


async def test_closing_ends_the_pause_before_another_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who is let go must not come back a minute later to hear it."""
    monkeypatch.setattr(retry, "_FIRST_PAUSE", 60.0)
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    failed = asyncio.Event()
    session = session_with(
        PipelineNotes(NoAnswerError("dropped")),
        retry=RetryPolicy(attempts=2),
        observer=lambda event: failed.set() if isinstance(event, Retried) else None,
    )
    call = asyncio.create_task(session.client(CREDENTIALS).system_status())
    await failed.wait()
    await asyncio.sleep(0)

    await session.close()
    await asyncio.wait([call], timeout=10)

    assert call.done()
    with pytest.raises(ConfigurationError, match="this Session is closed"):
        await call


async def test_each_attempt_pays_again_and_is_signed_anew() -> None:
    notes = PipelineNotes(TIME, NoAnswerError("dropped"), (200, "[]", {}))

    await session_with(notes).client(CREDENTIALS).small_liabilities()

    assert notes.told.count("admit") == 3
    first, second = notes.requests[1:]
    assert first is not second


class Broken:
    """A key that fails to sign."""

    in_thread = False

    def sign(self, payload: bytes) -> str:
        raise ZeroDivisionError


async def test_a_failure_to_sign_gives_the_weight_back() -> None:
    notes = PipelineNotes(TIME)
    client = session_with(notes).client(CREDENTIALS)
    client._account.signer = Broken()
    with pytest.raises(ZeroDivisionError):
        await client.small_liabilities()

    assert notes.told == ["admit", "sent", "send", "settle", "admit", "release"]


async def test_a_call_that_need_not_wait_is_admitted_without_a_coroutine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = int(time.time() * 1000)
    notes = PipelineNotes((200, f'{{"serverTime":{now}}}', {}), *[(200, "[]", {})] * 2)
    session = Session()
    session._pipeline = replace(session._pipeline, transport=notes)  # type: ignore[misc, arg-type]
    client = session.client(CREDENTIALS)
    await client.small_liabilities()  # waits for the clock
    monkeypatch.setattr(LocalBudget, "admit", None)

    await client.small_liabilities()

    (lists,) = (pool for pool in session.budget.snapshot().pools if pool.name == LIST)
    assert (lists.used, lists.in_flight) == (200, 0)


async def test_weight_of_a_call_that_can_not_be_signed_at_once_goes_back() -> None:
    now = int(time.time() * 1000)
    notes = PipelineNotes((200, f'{{"serverTime":{now}}}', {}), (200, "[]", {}))
    session = Session()
    session._pipeline = replace(session._pipeline, transport=notes)  # type: ignore[misc, arg-type]
    client = session.client(CREDENTIALS)
    await client.small_liabilities()
    client._account.signer = Broken()

    with pytest.raises(ZeroDivisionError):
        await client.small_liabilities()

    (lists,) = (pool for pool in session.budget.snapshot().pools if pool.name == LIST)
    assert (lists.used, lists.in_flight) == (100, 0)


async def test_a_deadline_shortens_reads_and_never_a_write_that_is_under_way() -> None:
    notes = PipelineNotes(TIME, (200, "[]", {}), NoAnswerError("dropped"))
    session = session_with(notes, retry=RetryPolicy(attempts=1, deadline=5.0))
    client = session.client(CREDENTIALS)

    await client.small_liabilities()
    with pytest.raises(OutcomeUnknownError):
        await client.dust_transfer(["ADA"])

    read, write = notes.within[1:]
    assert read is not None
    assert 0 < read <= 5.0
    assert write is None
    assert all(deadline is not None for deadline in notes.deadlines)


async def test_a_client_may_have_a_patience_of_its_own_behind_the_same_session() -> None:
    notes = PipelineNotes(TIME, *[(200, "[]", {})] * 4)
    session = session_with(notes, retry=RetryPolicy(attempts=1, deadline=60.0))
    quick, usual = session.client(CREDENTIALS, deadline=5.0), session.client(CREDENTIALS)
    patient = DustClient(CREDENTIALS, session, deadline=600.0)
    begun = session._pipeline.clock.monotonic()

    for client in (usual, quick, patient, quick._for_scans()):
        await client.small_liabilities()

    over = session._pipeline.clock.monotonic()
    told = notes.deadlines[1:]  # the first is that of the clock
    for deadline, seconds in zip(told, [60.0, 5.0, 600.0, 5.0], strict=True):
        assert deadline is not None
        assert begun + seconds <= deadline <= over + seconds


async def test_a_client_that_is_in_a_hurry_hears_at_once_that_there_is_no_weight() -> None:
    async with Sandbox() as exchange:
        alice = exchange.open_account("alice", debts={"ETH": "0.0011"})
        limits = RateLimits(ip_weight=100, window=1e9)  # a cut that is near may be waited for
        async with Session(base_url=exchange.url, limits=limits) as session:
            await session.client(alice).small_liabilities()

            with pytest.raises(BudgetExceededError):
                await session.client(alice, deadline=0.5).small_liabilities()


@pytest.mark.parametrize(
    ("deadline", "error"),
    [
        (0, ConfigurationError),
        (-1, ConfigurationError),
        (float("nan"), ConfigurationError),
        (float("inf"), ConfigurationError),
        ("5", TypeError),
        (True, TypeError),
    ],
)
def test_a_deadline_that_can_not_work_is_refused(deadline: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="deadline"):
        Session().client(CREDENTIALS, deadline=deadline)
    with pytest.raises(error, match="deadline"):
        DustClient(CREDENTIALS, deadline=deadline)


@pytest.mark.parametrize(
    ("answer", "code", "status"),
    [
        ((400, '{"code": -99999, "msg": "what?"}', {}), -99999, 400),
        ((503, '{"code": -1007, "msg": "slow"}', {}), -1007, 503),
        ((502, "<html>", {}), None, 502),
        ((200, "[", {}), None, 200),
        (NoAnswerError("dropped"), None, None),
    ],
)
async def test_an_unknown_outcome_has_the_numbers_of_the_answer_that_left_the_doubt(
    answer: Any, code: int | None, status: int | None
) -> None:
    client = session_with(PipelineNotes(TIME, answer), retry=RetryPolicy(attempts=1)).client(
        CREDENTIALS
    )

    with pytest.raises(OutcomeUnknownError) as caught:
        await client.dust_transfer(["ADA"])

    assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(
    ("deadline", "whose"), [(None, "record"), (60.0, "record"), (10.0, "deadline")]
)
async def test_who_can_not_be_sent_in_time_is_told_which_time_it_is(
    deadline: float | None, whose: str
) -> None:
    class Full(PipelineNotes):
        async def admit(self, charge: Charge, **_: Any) -> PipelineNotes:
            raise BudgetExceededError("too late", pool=charge.pool, retry_after=40.0)

    session = session_with(Full(), retry=RetryPolicy(deadline=deadline))
    now = session._pipeline.clock.now_utc()
    by = (now + timedelta(seconds=30)).astimezone(timezone(timedelta(hours=5)))

    with pytest.raises(BudgetExceededError) as caught:
        await session._pipeline.call(
            DUST_TRANSFER(assets=["ADA"]), AccountKey(CREDENTIALS), Lane.CALL, (now, by)
        )

    assert caught.value.pool == "POST /sapi/v1/asset/dust"
    assert caught.value.retry_after == 40.0
    told = f"sent by {by.astimezone(UTC):%H:%M:%S} UTC, as the ledger says"
    assert (told in str(caught.value)) is (whose == "record")
    assert str(caught.value).startswith("too late")


async def test_of_an_outage_one_warning_tells_that_the_clock_was_not_learnt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "binance_dust")
    out = NoAnswerError("unreachable")
    line = session_with(PipelineNotes(out, out, out, TIME, out, out))._pipeline

    for _ in range(2):
        await asyncio.gather(*[line.learn_clock(past=line.clock.generation) for _ in range(3)])
    await line.learn_clock(past=line.clock.generation)
    told = [level for _, level, text in caplog.record_tuples if "was not learnt" in text]
    assert told == [logging.WARNING] + [logging.DEBUG] * 6
    caplog.clear()

    for _ in range(3):
        await line.learn_clock(past=line.clock.generation)
    told = [level for _, level, text in caplog.record_tuples if "was not learnt" in text]
    assert told == [logging.WARNING, logging.DEBUG], "that is another outage"


# --- who pays ---

UID = {"X-SAPI-USED-UID-WEIGHT-1M": "100"}
IP = {"X-SAPI-USED-IP-WEIGHT-1M": "100"}


async def test_who_pays_is_learnt_from_many_answers_in_a_row_and_unlearnt_by_one() -> None:
    events: list[Event] = []
    answers = [(200, "[]", UID)] * (TO_ACCOUNT + 1) + [(200, "[]", IP)] * 2
    notes = PipelineNotes(TIME, *answers)
    client = session_with(notes, observer=events.append).client(CREDENTIALS)

    for _ in answers:
        await client.small_liabilities()

    kinds = [charge.kind for charge in notes.charges[1:]]
    by_account = [LimitKind.UID] * 2  # the second one hears otherwise
    assert kinds == [LimitKind.IP] * TO_ACCOUNT + by_account + [LimitKind.IP]
    assert [event for event in events if isinstance(event, PayerLearnt)] == [
        PayerLearnt(LIST, "uid"),
        PayerLearnt(LIST, "ip"),
    ]


@pytest.mark.parametrize("headers", [IP, {}, UID | IP, {"X-SAPI-USED-UID-WEIGHT-1M": "-1"}])
async def test_a_header_that_agrees_or_says_nothing_changes_nothing(headers: Any) -> None:
    notes = PipelineNotes(TIME, (200, "[]", headers), (200, "[]", headers))
    client = session_with(notes).client(CREDENTIALS)

    await client.small_liabilities()
    await client.small_liabilities()

    assert {charge.kind for charge in notes.charges[1:]} == {LimitKind.IP}


async def test_who_knows_better_may_say_so() -> None:
    notes = PipelineNotes(TIME, (200, "[]", IP), (200, "[]", IP))
    client = session_with(notes, payers={"small_liabilities": "uid"}).client(CREDENTIALS)

    await client.small_liabilities()
    await client.small_liabilities()

    assert {charge.kind for charge in notes.charges[1:]} == {LimitKind.UID}


@pytest.mark.parametrize(
    ("payers", "says"),
    [({"nothing": "ip"}, "no endpoint is called 'nothing'"), ({"dust_log": "me"}, "'ip' or 'uid'")],
)
def test_payers_that_can_not_be_are_refused(payers: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Session(payers=payers)


async def test_what_is_still_being_signed_when_a_refusal_is_heard_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard, given_back = threading.Event(), asyncio.Event()
    quick = itertools.chain([True, True], itertools.repeat(False))
    sign = _RsaSigner.sign

    def signed(signer: _RsaSigner, payload: bytes) -> str:
        if not next(quick):
            assert heard.wait(10)
        return sign(signer, payload)

    def observe(event: Event) -> None:
        if isinstance(event, Refused):
            heard.set()
        elif isinstance(event, Retried) and "refused another call meanwhile" in event.reason:
            given_back.set()

    monkeypatch.setattr(_RsaSigner, "sign", signed)
    async with Sandbox(ip_weight=100) as exchange:
        keys = [
            exchange.open_account(name, debts={"ETH": "0.001"}, key="rsa")
            for name in ("a", "b", "c", "d")
        ]
        async with Session(base_url=exchange.url, observer=observe) as session:
            first, *others = [session.client(each) for each in keys]
            await first.small_liabilities()
            burst = [asyncio.ensure_future(each.small_liabilities()) for each in others]
            async with asyncio.timeout(30):
                await given_back.wait()
            for each in burst:
                each.cancel()
            await asyncio.gather(*burst, return_exceptions=True)

        lists = [each.status for each in exchange.requests if each.path in LIST]
        assert lists == [200, 429]
