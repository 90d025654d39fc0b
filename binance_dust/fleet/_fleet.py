"""A fleet: workers behind many addresses, asked as one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Self

from binance_dust._check import instance, positive
from binance_dust.errors import ConfigurationError, NotSentError
from binance_dust.fleet import _tasks
from binance_dust.fleet._assignments import Assignments
from binance_dust.fleet._job import Job
from binance_dust.fleet._post import Post
from binance_dust.fleet._stream import FleetStream
from binance_dust.reports import AccountReport

if TYPE_CHECKING:
    from types import TracebackType

    from binance_dust._spec import AccountType
    from binance_dust.scanner._desk import Liabilities

__all__ = ["Fleet", "Timing"]


@dataclass(frozen=True, slots=True)
class Timing:
    """How often a fleet asks who is there, and for how long it waits for whom."""

    pulse: float = 1.0
    """Seconds between two roll calls."""
    patience: float = 5.0
    """Seconds after which a worker that doesn't answer is lost."""
    wait: float = 30.0
    """Seconds that are waited for somebody to come who can do what nobody can."""

    def __post_init__(self) -> None:
        """Refuse what can't work."""
        for name in ("pulse", "patience", "wait"):
            positive(getattr(self, name), name)
        if self.patience < 2 * self.pulse:
            raise ConfigurationError("patience must be at least two pulses: one may be missed")


class Fleet:
    """The workers that meet at a URL, asked as one.

        async with Fleet("redis://queue.internal") as fleet:
            async for report in fleet.scan("all"):
                print(report.account, report.net)

    Workers may come and go meanwhile. `memory://` are those of this process and event loop.
    """

    def __init__(
        self,
        url: str = "memory://",
        *,
        name: str = "binance-dust",
        timing: Timing | None = None,
    ) -> None:
        """Name where to meet; nothing is opened. `name` keeps fleets at one URL apart."""
        self._post = Post(url, name)
        self._timing = instance(Timing() if timing is None else timing, Timing, "timing")

    # --- life ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Be ready to ask."""
        await self._post.open()

    async def close(self) -> None:
        """Ask no more. Closing twice is no harm."""
        await self._post.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # --- work ------------------------------------------------------------------------------------

    def scan(
        self,
        accounts: Iterable[str] | Literal["all"] = "all",
        *,
        target: str = "BNB",
        liabilities: Liabilities = "auto",
        account_type: AccountType | None = None,
        skip: Iterable[str] = (),
    ) -> FleetStream[AccountReport]:
        """Read many accounts at many addresses, and report on each as soon as it is done.

        As `binance_dust.scan`, but for names. "all" are those that the workers have keys for.
        What no worker comes for is reported with an error.
        """
        _check(target, liabilities)
        asks = {"target": target, "liabilities": liabilities, "account_type": account_type}
        assignments = Assignments(
            _names(accounts),
            skip=_names(skip) or (),
            patience=self._timing.patience,
            wait=self._timing.wait,
        )

        def give_up(account: str, error: NotSentError) -> AccountReport:
            errors = dict.fromkeys(("assets", "quote", "liabilities"), error)
            now = datetime.now(UTC)
            return AccountReport(account=account, target=target, at=now, errors=errors)

        return FleetStream(
            Job(
                self._post,
                assignments,
                _tasks.VISIT,
                asks,
                timing=self._timing,
                read=AccountReport.from_plain,
                give_up=give_up,
                has_failed=lambda report: not report.ok,
            )
        )

    def __repr__(self) -> str:
        return f"<Fleet {self._post!r}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("a Fleet is bound to its process and its loop: make another one there")


def _check(target: object, liabilities: object) -> None:
    if liabilities != "auto" and not isinstance(liabilities, bool):
        raise ConfigurationError(f"liabilities must be True, False or 'auto', not {liabilities!r}")
    if not instance(target, str, "target").strip():
        raise ConfigurationError("target is empty; name an asset, BNB say")


def _names(accounts: Iterable[str] | str) -> tuple[str, ...] | None:
    if accounts == "all":
        return None
    if isinstance(accounts, str) or not isinstance(accounts, Iterable):
        raise TypeError('accounts must be "all" or a collection of names')
    return tuple(instance(name, str, "each name") for name in accounts)
