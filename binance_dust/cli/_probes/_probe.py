"""What a probe is: a doubt, the reads that settle it, and the verdict on their answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from binance_dust._call.pipeline import AccountKey
from binance_dust.budget import Lane
from binance_dust.errors import ExchangeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from binance_dust._call.signing import Signer
    from binance_dust.budget import Feedback
    from binance_dust.cli._overheard import Overheard
    from binance_dust.client import DustClient
    from binance_dust.endpoints import Call, Endpoint
    from binance_dust.session import Session

    Run: TypeAlias = Callable[["Prober"], Awaitable["Verdict"]]

R = TypeVar("R")

NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How the exchange answered a doubt."""

    settled: bool
    answer: str
    configure: str | None = NOTHING
    """What to set because of it."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What was seen, as JSON has it."""
    failed: bool = False
    """There was no answer to judge by; `answer` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One doubt that reading can settle."""

    name: str
    doubt: str
    asks: Sequence[tuple[Endpoint[..., Any], int]]
    """Endpoints, and how often each is asked at most."""
    run: Run
    needs_margin: bool = False

    @property
    def cost(self) -> str:
        """What it asks at most, and what that weighs."""
        return ", ".join(
            f"{endpoint.method} {endpoint.path} ({times} x {endpoint.weight})"
            for endpoint, times in self.asks
        )


@dataclass(frozen=True, slots=True)
class Prober:
    """Asks one account's questions as they are, without what the client does to help."""

    client: DustClient
    heard: Overheard
    window: float

    @property
    def session(self) -> Session:
        """The session that probes go through."""
        return self.client.session

    async def ask(self, call: Call[R], *, sign_as: Callable[[Signer], Signer] | None = None) -> R:
        """Send a call for the account; `sign_as` makes another signer of the account's own."""
        account = AccountKey(self.client.credentials)
        if sign_as is not None:
            account.signer = sign_as(account.signer)
        return await self.session.send(call, account, Lane.CALL)

    async def refusal(
        self, call: Call[Any], *, sign_as: Callable[[Signer], Signer] | None = None
    ) -> ExchangeError | None:
        """Send a call, and give the exchange's refusal, or `None` if it was taken."""
        try:
            await self.ask(call, sign_as=sign_as)
        except ExchangeError as error:
            return error
        return None

    def said(self, endpoint: Endpoint[..., Any]) -> Feedback | None:
        """Give what the last answer of an endpoint said of weight."""
        return self.heard.last(endpoint.title)


def no_verdict(reason: str) -> Verdict:
    """Say why a doubt could not be put to the exchange."""
    return Verdict(settled=False, answer=reason, configure=None, failed=True)


def by_answer(call: Call[R], judge: Callable[[R], Verdict]) -> Run:
    """Ask one thing, and judge its answer."""

    async def run(prober: Prober) -> Verdict:
        return judge(await prober.ask(call))

    return run


def by_refusal(call: Call[Any], what: str) -> Run:
    """Ask one thing, and tell whether it is taken; a refusal settles it too."""

    async def run(prober: Prober) -> Verdict:
        no = await prober.refusal(call)
        evidence = {"taken": no is None}
        return Verdict(settled=True, answer=f"{what}: {words(no)}", evidence=evidence)

    return run


def words(error: ExchangeError | None) -> str:
    """Give a refusal in a few words, with nothing of the request."""
    if error is None:
        return "taken"
    code = f"HTTP {error.status}" if error.code is None else str(error.code)
    return f"refused ({code} {error.message})"
