"""The attempts at one call.

    budget -> timestamp -> sign -> send -> judge -> tell the budget

Waiting comes before signing, so a queue cannot age a timestamp. Every attempt pays again and is
signed again. However an attempt ends, also by cancellation, the budget is told how far it got.

Most calls have nothing to wait for until they are sent: there is weight, the clock is known, and
the key is here. They go from the budget to the signature without a coroutine (`_at_once`), all
others by `_in_turn`. Both do the same steps in the same order.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar, cast

from binance_dust._answers.judge import judge
from binance_dust._call import wire
from binance_dust._call.signing import OutsideSigner, SigningLimits, on_loan, sign
from binance_dust._util.exact import from_moment
from binance_dust.budget import Charge, Movable
from binance_dust.budget._errors import past_latest
from binance_dust.credentials import Secret
from binance_dust.endpoints import Replay
from binance_dust.errors import (
    BudgetExceededError,
    ClockError,
    CredentialsError,
    DustError,
    GuardError,
    NotSentError,
    OutcomeUnknownError,
)
from binance_dust.events import Answered, PayerLearnt, Retried, Sent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from binance_dust._call.pipeline import Pipeline
    from binance_dust._call.signing import AccountKey, KeySigner
    from binance_dust.budget import Admission, Lane
    from binance_dust.endpoints import Call, LimitKind

    Ready: TypeAlias = Callable[[], Awaitable[object]]

R = TypeVar("R")

_SHORTEST_TIMEOUT: Final = 0.001
_AT_ONCE: Final = 0.1
"""Seconds from its beginning in which a call that has not waited is sent."""
_MOST_AHEAD: Final = timedelta(seconds=1)


class Attempts(Generic[R]):
    """The attempts at one call."""

    __slots__ = (
        "_account",
        "_begun",
        "_between",
        "_call",
        "_charge",
        "_deadline",
        "_generation",
        "_lane",
        "_latest",
        "_number",
        "_pipeline",
        "_query",
        "_ready",
        "_timestamp",
        "took",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - the arguments of `Pipeline.call`
        self,
        pipeline: Pipeline,
        call: Call[R],
        account: AccountKey | None,
        lane: Lane,
        between: tuple[datetime, datetime] | None = None,
        deadline: float | None = None,
        ready: Ready | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._ready = ready
        self._begun = 0.0 if ready is None else pipeline.clock.monotonic()
        self._between = between
        self._call = call
        self._account = account
        self._lane = lane
        self._number = 0
        self._generation = 0
        self._timestamp = 0
        self.took = (0.0, 0.0)
        """When the last attempt was sent and answered, on the monotonic clock."""
        # Encoded once for all attempts, and before any I/O, because encoding can fail.
        self._query = call.query(pipeline.lists)
        title, weight = call.endpoint.title, call.endpoint.weight
        payer = pipeline.payers.of(title, weight.kind)
        self._charge = Charge(
            title,
            payer,
            weight.cost,
            account.identity if account else None,
            moves_funds=call.endpoint.replay is Replay.NEVER,
        )
        limit = pipeline.retry.deadline if deadline is None else deadline
        self._deadline = None if limit is None else pipeline.clock.monotonic() + limit
        self._latest: datetime | None = None
        """The latest timestamp, if it comes before the deadline."""
        if between is not None:
            # Fail now if the call cannot be sent before its latest timestamp.
            left = between[1].timestamp() - pipeline.clock.now()
            latest = pipeline.clock.monotonic() + left
            if self._deadline is None or latest < self._deadline:
                self._deadline, self._latest = latest, between[1]

    def left(self) -> float | None:
        """Seconds left for this call; `None` without a deadline."""
        return None if self._deadline is None else self._deadline - self._pipeline.clock.monotonic()

    async def once(self) -> R:
        """Make one attempt."""
        pipeline = self._pipeline
        self._number += 1
        ready = self._at_once()
        if ready is None:
            ready = await self._in_turn()
            ready[0].sent()
        admission, request = ready
        details = pipeline.report.wants_details
        if details:
            pipeline.report(Sent(self._charge.pool, request.account, self._number))
        try:
            within = None if self._deadline is None else self._within()
            answer = await pipeline.transport.send(request, within=within)
            judgement = judge(
                self._call,
                answer,
                account=request.account,
                clean=request.scrub,
                now=pipeline.clock.now_utc,
            )
        except NotSentError:
            admission.release()
            raise
        except BaseException:
            # No answer, or the caller was cancelled: it may have arrived, so it counts.
            admission.unknown()
            raise
        admission.settle(judgement.feedback)
        self.took = answer.sent, answer.received
        payer = pipeline.payers.read(self._charge, judgement.feedback)
        if payer is not None:
            self._learn_payer(payer)
        if details:
            seconds = answer.received - answer.sent
            pipeline.report(Answered(self._charge.pool, request.account, answer.status, seconds))
        if judgement.error is not None:
            raise self._explained(judgement.error)
        return cast("R", judgement.result)

    def _at_once(self) -> tuple[Admission, wire.Request] | None:
        """Admit and sign, if nothing has to be waited for; else do nothing."""
        pipeline, account = self._pipeline, self._account
        budget = pipeline.immediate
        if budget is None or (self._ready is not None and self._number > 1):
            return None
        signer: KeySigner | None = None
        if account is not None and self._call.endpoint.security.signed:
            if isinstance(account.signer, OutsideSigner) or account.signer.in_thread:
                return None
            if pipeline.clock.due:
                return None
            signer = account.signer
        admission = budget.admit_at_once(self._charge, self._deadline, self._lane)
        if admission is None:
            return None
        try:
            if account is None or signer is None:
                return admission, wire.unsigned_request(self._call, self._query, account)
            payload = self._payload()
            signature = signer.sign(payload.encode())
            return admission, self._signed(account, payload, signature)
        except BaseException:
            admission.release()
            raise

    async def _in_turn(self) -> tuple[Admission, wire.Request]:
        """Learn the clock and wait for weight, then sign with the time as it is then."""
        signed = self._call.endpoint.security.signed
        if signed and self._pipeline.clock.due:
            await self._pipeline.learn_clock()
        signer = self._account.signer if self._account else None
        if signed and isinstance(signer, OutsideSigner):
            return await on_loan(self._admit, self._sign, self._still_good)
        admission = await self._admit()
        if signed and self._pipeline.clock.due and self._pipeline.clock.wrong:
            # After a ban one call goes first. If it were this one, the lookup would wait for it.
            admission.release()
            await self._pipeline.learn_clock()
            admission = await self._admit()
        try:
            return admission, await self._sign()
        except BaseException:
            admission.release()
            raise

    async def _still_good(self) -> bool:
        await self._look_again()
        return self._pipeline.clock.timestamp() - self._timestamp < self._pipeline.recv_window / 2

    async def _look_again(self) -> None:
        waited = self._pipeline.clock.monotonic() - self._begun
        if self._ready is not None and (self._number > 1 or waited > _AT_ONCE):
            await self._ready()

    async def _admit(self) -> Admission:
        try:
            return await self._pipeline.budget.admit(
                self._charge, deadline=self._deadline, lane=self._lane
            )
        except BudgetExceededError as error:
            if self._latest is None:
                raise
            raise past_latest(self._latest, error) from error

    async def prepare(self, error: DustError, attempt: int, pause: float) -> None:
        """Prepare the next attempt: after a refused timestamp, learn the clock again."""
        reason = f"{type(error).__name__}: {error}"
        self._pipeline.report(
            Retried(self._charge.pool, self._label or None, attempt, reason, pause)
        )
        if isinstance(error, ClockError):
            await self._pipeline.learn_clock(past=self._generation)

    def outcome_unknown(self, error: DustError) -> OutcomeUnknownError:
        """Make the error that says that funds may have moved, with what recovery needs."""
        stamped = datetime.fromtimestamp(self._timestamp / 1000, tz=UTC)
        return OutcomeUnknownError(
            str(error).removeprefix(f"{self._charge.pool} ({self._label}): "),
            endpoint=self._charge.pool,
            account=self._label,
            parameters=self._call.parameters(),
            # The exchange accepts timestamps that are less than a second ahead of its clock.
            sent_after=stamped - _MOST_AHEAD,
            expires_at=stamped + timedelta(milliseconds=self._pipeline.recv_window),
            code=getattr(error, "code", None),
            status=getattr(error, "status", None),
        )

    @property
    def _label(self) -> str:
        return self._account.label if self._account else ""

    async def _sign(self) -> wire.Request:
        account = self._account
        if account is None or not self._call.endpoint.security.signed:
            return wire.unsigned_request(self._call, self._query, account)
        signer = account.signer
        if isinstance(signer, OutsideSigner):
            payload, signature = await self._sign_outside(signer)
            await self._look_again()
        else:
            await self._look_again()
            if self._pipeline.clock.due:
                # The wait for weight was long enough for a suspend, or for another call's refusal.
                await self._pipeline.learn_clock()
            payload = self._payload()
            signature = await sign(signer, payload)
        return self._signed(account, payload, signature)

    def _signed(self, account: AccountKey, payload: str, signature: str) -> wire.Request:
        return wire.signed_request(
            self._call, payload, signature, api_key=account.api_key, account=account.label
        )

    async def _sign_outside(self, signer: OutsideSigner) -> tuple[str, str]:
        pipeline = self._pipeline

        async def stamped() -> Secret:
            if pipeline.clock.due:
                await pipeline.learn_clock()
            return Secret(self._payload())

        limits = SigningLimits(self.left(), pipeline.recv_window / 1000, pipeline.clock.monotonic)
        signed = await signer.sign(stamped, self._charge.pool, limits)
        if isinstance(signed, DustError):
            raise signed
        return signed

    def _payload(self) -> str:
        self._generation = self._pipeline.clock.generation
        self._timestamp = self._stamp()
        return wire.payload(self._query, self._pipeline.recv_window, self._timestamp)

    def _stamp(self) -> int:
        timestamp = self._pipeline.clock.timestamp()
        if self._between is not None:
            earliest, latest = map(from_moment, self._between)
            # Also not too early: a clock that was just corrected may have stepped back.
            if not earliest <= timestamp <= latest:
                raise GuardError(
                    f"{self._charge.pool} ({self._label}): not sent: it was to be stamped between "
                    f"{self._between[0].isoformat()} and {self._between[1].isoformat()}",
                    account=self._label,
                )
        return timestamp

    def _explained(self, error: DustError) -> DustError:
        """Take what an error of the exchange says of the clock or the key."""
        if isinstance(error, ClockError):
            self._pipeline.clock.refused(self._generation)
        if isinstance(error, CredentialsError) and self._account is not None:
            return self._account.explain(error)
        return error

    def _learn_payer(self, payer: LimitKind) -> None:
        self._pipeline.report(PayerLearnt(self._charge.pool, payer.value))
        if isinstance(self._pipeline.budget, Movable):
            self._pipeline.budget.move(self._charge.pool, payer)

    def _within(self) -> float | None:
        # A deadline never ends a write that is under way: its outcome would become unknown.
        left = self.left()
        if left is None or self._call.endpoint.replay is Replay.NEVER:
            return None
        return max(left, _SHORTEST_TIMEOUT)
