"""What a probe is: a doubt about the exchange, the reads that settle it, and their result.

A probe never writes, and runs only if its name is given. Some doubts only a conversion could settle
(how several assets are encoded, what a client id is good for, how long a cooldown is exactly): see
the how-to on settling a doubt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from binance_dust._call.signing import AccountKey
from binance_dust.budget import Lane, LocalBudget
from binance_dust.errors import ExchangeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from binance_dust._call.signing import KeySigner, OutsideSigner
    from binance_dust.budget import (
        Admission,
        BudgetSnapshot,
        Charge,
        Clock,
        Feedback,
        RateLimits,
        RedisBudget,
    )
    from binance_dust.client import DustClient
    from binance_dust.endpoints import Call, Endpoint
    from binance_dust.events import Event
    from binance_dust.session import Session

    AnySigner: TypeAlias = KeySigner | OutsideSigner
    Run: TypeAlias = Callable[["Prober"], Awaitable["ProbeResult"]]

R = TypeVar("R")

NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What the exchange's answers say about a doubt."""

    settled: bool
    answer: str
    configure: str | None = NOTHING
    """What to set because of it."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """The values seen, in JSON's types."""
    failed: bool = False
    """No answer came; `answer` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A doubt that reading can settle."""

    name: str
    doubt: str
    asks: Sequence[tuple[Endpoint[..., Any], int]]
    """Endpoints, and how often each is asked at most."""
    run: Run
    needs_margin: bool = False

    @property
    def cost(self) -> str:
        """The calls it sends at most, and their weight."""
        return ", ".join(
            f"{endpoint.method} {endpoint.path} ({times} x {endpoint.weight})"
            for endpoint, times in self.asks
        )


@dataclass(frozen=True, slots=True)
class Prober:
    """Sends a probe's calls for one account, without the corrections that `DustClient` makes."""

    client: DustClient
    budget: RecordingBudget
    window: float

    @property
    def session(self) -> Session:
        """The account's session."""
        return self.client.session

    async def ask(
        self, call: Call[R], *, sign_as: Callable[[AnySigner], AnySigner] | None = None
    ) -> R:
        """Send a call; `sign_as` replaces the account's signer."""
        account = AccountKey(self.client.credentials)
        if sign_as is not None:
            account.signer = sign_as(account.signer)
        return await self.session.send(call, account, Lane.CALL)

    async def refusal(
        self, call: Call[Any], *, sign_as: Callable[[AnySigner], AnySigner] | None = None
    ) -> ExchangeError | None:
        """Send a call, and give the exchange's refusal; `None` if the call was accepted."""
        try:
            await self.ask(call, sign_as=sign_as)
        except ExchangeError as error:
            return error
        return None

    def last_feedback(self, endpoint: Endpoint[..., Any]) -> Feedback | None:
        """Give the weight headers of an endpoint's last answer."""
        return self.budget.last(endpoint.title)


def no_result(reason: str) -> ProbeResult:
    """Say why no answer came."""
    return ProbeResult(settled=False, answer=reason, configure=None, failed=True)


def by_answer(call: Call[R], judge: Callable[[R], ProbeResult]) -> Run:
    """Make a probe's `run`: send one call, and judge its answer."""

    async def run(prober: Prober) -> ProbeResult:
        return judge(await prober.ask(call))

    return run


def by_refusal(call: Call[Any], what: str) -> Run:
    """Make a probe's `run`: send one call, and say whether it is accepted. A refusal settles it."""

    async def run(prober: Prober) -> ProbeResult:
        error = await prober.refusal(call)
        evidence = {"taken": error is None}
        return ProbeResult(settled=True, answer=f"{what}: {in_words(error)}", evidence=evidence)

    return run


def in_words(error: ExchangeError | None) -> str:
    """Describe a refusal in a few words, with nothing of the request."""
    if error is None:
        return "accepted"
    code = f"HTTP {error.status}" if error.code is None else str(error.code)
    return f"refused ({code} {error.message})"


# --- the headers of every answer -----------------------------------------------------------------


class RecordingBudget:
    """The usual budget of a session, which also records the weight headers of every answer."""

    _inner: LocalBudget | RedisBudget

    def __init__(self, shared: RedisBudget | None = None) -> None:
        """Begin with an empty record; `attach` makes the budget."""
        self.recorded: Final[list[tuple[str, Feedback]]] = []
        """Endpoint and headers of every answer, in the order of arrival."""
        self._shared = shared

    def attach(
        self,
        clock: Clock,
        observer: Callable[[Event], None],
        *,
        patience: float,
        limits: RateLimits,
    ) -> None:
        """Make the budget with what only a session has."""
        if self._shared is not None:
            self._shared.attach(clock, observer, patience=patience, limits=limits)
            self._inner = self._shared
        else:
            self._inner = LocalBudget(limits, clock, observer, patience=patience)

    def last(self, pool: str) -> Feedback | None:
        """Give the headers of an endpoint's last answer."""
        return next((headers for name, headers in reversed(self.recorded) if name == pool), None)

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        """Wait until a call may be sent."""
        admission = await self._inner.admit(charge, deadline=deadline, lane=lane)
        return _RecordingAdmission(admission, charge.pool, self.recorded)

    def forecast(self, charge: Charge, calls: int) -> float:
        """Estimate the seconds until the last of `calls` more calls can be sent."""
        return self._inner.forecast(charge, calls)

    def snapshot(self) -> BudgetSnapshot:
        """Show every pool as it is now."""
        return self._inner.snapshot()

    async def close(self) -> None:
        """Close the budget, which ends its waiters."""
        await self._inner.close()


class _RecordingAdmission:
    """An admission that records the headers of its answer."""

    __slots__ = ("_inner", "_pool", "_recorded")

    def __init__(self, inner: Admission, pool: str, recorded: list[tuple[str, Feedback]]) -> None:
        self._inner = inner
        self._pool = pool
        self._recorded = recorded

    def sent(self, extra: int = 0) -> None:
        self._inner.sent(extra)

    def settle(self, answer: Feedback) -> None:
        self._recorded.append((self._pool, answer))
        self._inner.settle(answer)

    def unknown(self) -> None:
        self._inner.unknown()

    def release(self) -> None:
        self._inner.release()
