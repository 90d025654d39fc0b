"""Faults: what goes wrong between a client and the exchange, when a test says so.

Each method of `Faults` arms one fault and returns it: `fault.hits` counts how often it struck,
`fault.cancel()` disarms it. Every fault can be kept to some requests:

    exchange.faults.lose_answer(endpoint="/sapi/v1/asset/dust", account="alice", times=2)

`endpoint` is a path, or a method and a path; `account` is a name; `address` is where the request
comes from. `times` is how often it strikes: once by default, `None` for no end. `skip` matching
requests pass unharmed first. If several faults match one request, all delays apply, and of the
others the one that was armed first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final, Literal, TypedDict, Unpack, get_args

from binance_dust.sandbox._endpoints import SERVED, find_endpoint, find_endpoints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.sandbox._clock import ExchangeClock
    from binance_dust.sandbox._weight import WeightLimits

Stage = Literal["request", "execution", "answer"]
MISSING: Final = object()
"""In place of a value: the field is not sent."""
BodyDamage = Literal["cut", "garbled", "wrong shape"]

_CONVERSIONS: Final = frozenset(
    str(endpoint) for endpoint in SERVED if endpoint.name in ("dust_transfer", "dust_convert")
)

_MOVING_FUNDS: Final = _CONVERSIONS | {
    str(endpoint)
    for endpoint in SERVED
    if endpoint.name in ("exchange_small_liabilities", "transfer", "repay", "convert_accept")
}


class FaultFilter(TypedDict, total=False):
    """Which requests a fault strikes, and how often."""

    endpoint: str | None
    account: str | None
    address: str | None
    times: int | None
    skip: int


@dataclass(frozen=True, slots=True)
class DropConnection:
    """The connection is closed without an answer."""

    after_executing: bool


@dataclass(frozen=True, slots=True)
class AnswerError:
    """A server error is sent in place of the answer."""

    status: int
    code: int | None
    msg: str
    after_executing: bool


@dataclass(frozen=True, slots=True)
class RefuseRequest:
    """The request is refused before admission."""

    status: int
    code: int
    retry_after: str | None


@dataclass(frozen=True, slots=True)
class FirewallPage:
    """The firewall answers a page; the exchange never sees the request."""


@dataclass(frozen=True, slots=True)
class DamageBody:
    """The answer arrives, and can't be read."""

    how: BodyDamage


@dataclass(frozen=True, slots=True)
class ChangeFields:
    """The answer has other fields than documented."""

    fields: Mapping[str, object]
    """By name; `MISSING` leaves a field out."""
    nth: int | None
    """Which occurrence in the answer; all, if it is `None`."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The request, its execution or its answer is delayed."""

    low: float
    high: float
    on: Stage


@dataclass(frozen=True, slots=True)
class ConvertNothing:
    """A conversion is answered with 200 and an empty result."""


@dataclass(frozen=True, slots=True)
class MisreportWeight:
    """The used-weight header is missing or wrong."""

    value: int | None


Effect = (
    DropConnection
    | AnswerError
    | RefuseRequest
    | FirewallPage
    | DamageBody
    | ChangeFields
    | Delay
    | ConvertNothing
    | MisreportWeight
)


@dataclass(slots=True, eq=False, kw_only=True)
class Fault:
    """One armed fault."""

    effect: Effect
    only: frozenset[str] | None = None
    """The endpoints that it can strike, by method and path; `None` means all."""
    endpoint: str | None = None
    account: str | None = None
    address: str | None = None
    times: int | None = 1
    skip: int = 0
    hits: int = 0
    """How often it struck."""

    @property
    def spent(self) -> bool:
        """It has struck as often as it was armed for."""
        return self.times is not None and self.hits >= self.times

    def cancel(self) -> None:
        """Disarm it."""
        self.times = 0

    def strikes(self, method: str, path: str, account: str | None, address: str) -> bool:
        """Tell whether it strikes this request, and count the hit."""
        title = f"{method} {path}"
        if (
            self.spent
            or (self.only is not None and title not in self.only)
            or self.endpoint not in (None, path, title)
            or self.account not in (None, account)
            or self.address not in (None, address)
        ):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        return True


@dataclass(slots=True)
class FaultPlan:
    """What goes wrong with one request."""

    delays: dict[Stage, float] = field(default_factory=dict)
    effect: Effect | None = None


_NO_FAULTS: Final = FaultPlan()


class Faults:
    """Arms faults, and plans for each request what goes wrong with it."""

    def __init__(self, seed: int, clock: ExchangeClock, limits: WeightLimits) -> None:
        """Start without faults."""
        self._armed: list[Fault] = []
        self._random = Random(f"{seed}/faults")  # noqa: S311 - to be repeated, not guarded
        self._clock = clock
        self._limits = limits
        self.closed: bool = False
        """The exchange is under maintenance."""

    def lose_answer(self, *, after_executing: bool = True, **where: Unpack[FaultFilter]) -> Fault:
        """Close the connection without an answer, after executing the request or before."""
        return self._arm(DropConnection(after_executing), where)

    def lose_funds_answer(self, **where: Unpack[FaultFilter]) -> Fault:
        """Execute a call that moves funds, whichever comes next, and lose its answer."""
        return self._arm(DropConnection(after_executing=True), where, only=_MOVING_FUNDS)

    def fail(
        self,
        status: int = 503,
        *,
        code: int | None = None,
        msg: str = "Unknown error, please check your request or try again later.",
        after_executing: bool = True,
        **where: Unpack[FaultFilter],
    ) -> Fault:
        """Answer a server error; without `code` the body is HTML, as from a proxy."""
        return self._arm(AnswerError(status, code, msg, after_executing), where)

    def cut_body(self, **where: Unpack[FaultFilter]) -> Fault:
        """Execute, then close the connection in the middle of the answer."""
        return self._arm(DamageBody("cut"), where)

    def garble_body(self, **where: Unpack[FaultFilter]) -> Fault:
        """Execute, then answer 200 with something that is not JSON."""
        return self._arm(DamageBody("garbled"), where)

    def wrong_shape(self, **where: Unpack[FaultFilter]) -> Fault:
        """Execute, then answer 200 with JSON of another shape."""
        return self._arm(DamageBody("wrong shape"), where)

    def leave_out(self, *names: str, nth: int | None = None, **where: Unpack[FaultFilter]) -> Fault:
        """Execute, then answer without these fields, wherever they stand, or the `nth` of each."""
        return self._arm(ChangeFields(dict.fromkeys(names, MISSING), nth), where)

    def put(
        self, fields: Mapping[str, object], *, nth: int | None = None, **where: Unpack[FaultFilter]
    ) -> Fault:
        """Execute, then answer with these values in fields of these names, or in the `nth` of each.

        `None` is sent as `null`.
        """
        return self._arm(ChangeFields(dict(fields), nth), where)

    def html_403(self, **where: Unpack[FaultFilter]) -> Fault:
        """Answer an HTML page as the firewall does; nothing is executed or charged."""
        return self._arm(FirewallPage(), where)

    def refuse(
        self,
        status: int = 429,
        *,
        code: int = -1003,
        retry_after: float | str | None = 1,
        **where: Unpack[FaultFilter],
    ) -> Fault:
        """Refuse without executing: 429 or 418, with this `Retry-After`, or without it.

        A 418 from here strikes one request only; `ban` really bans the address.
        """
        shown = None if retry_after is None else str(retry_after)
        return self._arm(RefuseRequest(status, code, shown), where)

    def delay(
        self,
        seconds: float | tuple[float, float],
        *,
        on: Stage = "answer",
        **where: Unpack[FaultFilter],
    ) -> Fault:
        """Delay one stage by `seconds`, or by a time drawn from a range by seed.

        `request`: before the exchange sees the request, so it is charged later. `execution`: after
        admission; the timestamp is checked again after the delay. `answer`: after executing.
        """
        low, high = (seconds, seconds) if isinstance(seconds, int | float) else seconds
        if not 0 <= low <= high:
            message = f"a delay takes zero seconds or more, not {seconds!r}"
            raise ValueError(message)
        if on not in get_args(Stage):
            # A delay of an unknown stage would never happen, and its test would prove nothing.
            message = f"on must be one of {get_args(Stage)}, not {on!r}"
            raise ValueError(message)
        return self._arm(Delay(low, high, on), where)

    def convert_nothing(self, **where: Unpack[FaultFilter]) -> Fault:
        """Answer a conversion with 200 and an empty result, and convert nothing.

        Requests that only read are never struck, whether an endpoint is named or not.
        """
        return self._arm(ConvertNothing(), where, only=_CONVERSIONS)

    def misreport_weight(self, value: int | None, **where: Unpack[FaultFilter]) -> Fault:
        """Send this in the used-weight header (-1 means "not applicable"), or leave it out."""
        return self._arm(MisreportWeight(value), where)

    def drift_clock(self, seconds: float, *, over: float = 0.0) -> None:
        """Set the exchange's clock `seconds` ahead of true time, at once or gradually."""
        self._clock.set_offset(seconds, over=over)

    def jump_clock(self, seconds: float) -> None:
        """Move the exchange's clock by `seconds` from its present time."""
        self._clock.jump(seconds)

    def spend(
        self,
        endpoint: str,
        weight: int,
        *,
        address: str = "127.0.0.1",
        account: str | None = None,
    ) -> None:
        """Spend as other software behind the same address, or on the same account, would."""
        served, now = find_endpoint(endpoint), self._clock.now()
        for kind in self._limits.pools_of(served):
            payer = account if kind == "uid" else address
            if payer is None:
                message = f"{served} is charged to an account: say which"
                raise ValueError(message)
            self._limits.spend(served, kind, payer, weight, now)

    def ban(self, seconds: float, *, address: str = "127.0.0.1") -> None:
        """Ban an address, for every account behind it."""
        self._limits.ban(address, seconds, self._clock.now())

    def pardon(self, address: str = "127.0.0.1") -> None:
        """Lift a ban before its time."""
        self._limits.pardon(address)

    def maintenance(self, on: bool = True) -> None:  # noqa: FBT001, FBT002 - reads as a switch
        """Begin maintenance, or end it."""
        self.closed = on

    def clear(self) -> None:
        """Disarm all faults, and end maintenance; clock, bans and weight stay as they are."""
        self._armed.clear()
        self.closed = False

    def plan(self, method: str, path: str, account: str | None, address: str) -> FaultPlan:
        """Plan what goes wrong with one request, and count the hits."""
        if not self._armed:
            return _NO_FAULTS
        plan = FaultPlan()
        for fault in tuple(self._armed):
            effect = fault.effect
            if plan.effect is not None and not isinstance(effect, Delay):
                continue
            if not fault.strikes(method, path, account, address):
                continue
            if isinstance(effect, Delay):
                drawn = self._random.uniform(effect.low, effect.high)
                plan.delays[effect.on] = plan.delays.get(effect.on, 0.0) + drawn
            else:
                plan.effect = effect
        # In place: a test may arm the next fault from another thread meanwhile.
        for fault in tuple(self._armed):
            if fault.spent:
                self._armed.remove(fault)
        return plan

    def _arm(self, effect: Effect, where: FaultFilter, only: frozenset[str] | None = None) -> Fault:
        endpoint = where.get("endpoint")
        if endpoint is not None:
            found = find_endpoints(endpoint)
            if only is not None and only.isdisjoint(map(str, found)):
                message = f"this fault can't strike {endpoint!r}: only {' and '.join(sorted(only))}"
                raise ValueError(message)
        fault = Fault(effect=effect, only=only, **where)
        self._armed.append(fault)
        return fault

    def __repr__(self) -> str:
        return f"<Faults {len(self._armed)} armed>"
