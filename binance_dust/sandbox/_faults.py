"""Faults on demand: what goes wrong between a client and an exchange, when a test says so.

Each method arms one fault and gives it back: `fault.hits` counts how often it struck,
`fault.cancel()` disarms it. All of them can be narrowed:

    exchange.faults.lose_answer(endpoint="/sapi/v1/asset/dust", account="alice", times=2)

`endpoint` is a path, or a method and a path where one path has two; `account` a name; `address`
where the request comes from; `times` how often (once unless told, `None` without end); `skip` how
many matching requests pass unharmed first. When several faults fit one request, every delay
applies, and of the rest the one that was armed first.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final, Unpack, get_args

from binance_dust.sandbox._endpoints import BY_PATH, LAWS
from binance_dust.sandbox._fault import (
    NO_PLAN,
    Block,
    ConvertNothing,
    Delay,
    Drop,
    Fail,
    Fault,
    Leg,
    Mangle,
    Misreport,
    Plan,
    Refuse,
)

if TYPE_CHECKING:
    from binance_dust.sandbox._clock import ServerClock
    from binance_dust.sandbox._endpoints import Law
    from binance_dust.sandbox._fault import What, Where
    from binance_dust.sandbox._weight import Gate


_CONVERSIONS: Final = frozenset(
    str(law) for law in LAWS if law.name in ("dust_transfer", "dust_convert")
)


class Faults:
    """Arms faults, and hands each request its share of them."""

    def __init__(self, seed: int, clock: ServerClock, gate: Gate) -> None:
        """Begin with none."""
        self._armed: list[Fault] = []
        self._random = Random(f"{seed}/faults")  # noqa: S311 - to be repeated, not guarded
        self._clock = clock
        self._gate = gate
        self.closed: bool = False
        """The exchange is under maintenance."""

    def lose_answer(self, *, after_executing: bool = True, **where: Unpack[Where]) -> Fault:
        """Drop the line without an answer, after executing the request or before."""
        return self._arm(Drop(after_executing), where)

    def fail(
        self,
        status: int = 503,
        *,
        code: int | None = None,
        msg: str = "Unknown error, please check your request or try again later.",
        after_executing: bool = True,
        **where: Unpack[Where],
    ) -> Fault:
        """Answer a server error: without `code` the body is plain text, as from a proxy."""
        return self._arm(Fail(status, code, msg, after_executing), where)

    def cut_body(self, **where: Unpack[Where]) -> Fault:
        """Execute, then drop the line in the middle of the answer."""
        return self._arm(Mangle("cut"), where)

    def garble_body(self, **where: Unpack[Where]) -> Fault:
        """Execute, then answer 200 with something that is not JSON."""
        return self._arm(Mangle("garbled"), where)

    def wrong_shape(self, **where: Unpack[Where]) -> Fault:
        """Execute, then answer 200 with JSON of another shape."""
        return self._arm(Mangle("wrong shape"), where)

    def html_403(self, **where: Unpack[Where]) -> Fault:
        """Answer as the firewall does: a page, and nothing executed or charged."""
        return self._arm(Block(), where)

    def refuse(
        self,
        status: int = 429,
        *,
        code: int = -1003,
        retry_after: float | str | None = 1,
        **where: Unpack[Where],
    ) -> Fault:
        """Refuse without executing: 429 or 418, with `Retry-After` as given, or without it.

        A 418 from here is words alone; `ban` really shuts the address out.
        """
        shown = None if retry_after is None else str(retry_after)
        return self._arm(Refuse(status, code, shown), where)

    def delay(
        self,
        seconds: float | tuple[float, float],
        *,
        on: Leg = "answer",
        **where: Unpack[Where],
    ) -> Fault:
        """Take `seconds`, or a time drawn from a range by seed, on one leg of the way.

        `request`: before the exchange has seen it, so it is charged later. `execution`: between
        admission and doing it, which checks the timestamp again. `answer`: after doing it.
        """
        low, high = (seconds, seconds) if isinstance(seconds, int | float) else seconds
        if not 0 <= low <= high:
            message = f"a delay takes zero seconds or more, not {seconds!r}"
            raise ValueError(message)
        if on not in get_args(Leg):
            # One on a leg that is not there would prove nothing.
            message = f"on must be one of {get_args(Leg)}, not {on!r}"
            raise ValueError(message)
        return self._arm(Delay(low, high, on), where)

    def convert_nothing(self, **where: Unpack[Where]) -> Fault:
        """Answer a conversion with 200 and an empty result, and convert nothing.

        What only reads passes unharmed, whether an endpoint is named or not.
        """
        return self._arm(ConvertNothing(), where, among=_CONVERSIONS)

    def misreport_weight(self, value: int | None, **where: Unpack[Where]) -> Fault:
        """Answer with this in the used-weight header (-1 means "not applicable"), or without it."""
        return self._arm(Misreport(value), where)

    def drift_clock(self, seconds: float, *, over: float = 0.0) -> None:
        """Set the exchange's clock `seconds` apart from true time, at once or gradually."""
        self._clock.set_apart(seconds, over=over)

    def jump_clock(self, seconds: float) -> None:
        """Move the exchange's clock at once, from wherever it is."""
        self._clock.jump(seconds)

    def spend(
        self,
        endpoint: str,
        weight: int,
        *,
        address: str = "127.0.0.1",
        account: str | None = None,
    ) -> None:
        """Spend as somebody else behind the same address, or on the same account, would."""
        law = law_of(endpoint)
        payer = address
        if self._gate.pool_of(law) == "uid":
            if account is None:
                message = f"{law} is charged to an account: say which"
                raise ValueError(message)
            payer = account
        self._gate.spend(law, payer, weight, self._clock.moment())

    def ban(self, seconds: float, *, address: str = "127.0.0.1") -> None:
        """Shut an address out, for every account behind it."""
        self._gate.ban(address, seconds, self._clock.moment())

    def pardon(self, address: str = "127.0.0.1") -> None:
        """Lift a ban before its time."""
        self._gate.pardon(address)

    def maintenance(self, on: bool = True) -> None:  # noqa: FBT001, FBT002 - reads as a switch
        """Close the exchange for maintenance, or open it again."""
        self.closed = on

    def clear(self) -> None:
        """Disarm everything, and open again; clock, bans and weight stay as they are."""
        self._armed.clear()
        self.closed = False

    def plan(self, method: str, path: str, account: str | None, address: str) -> Plan:
        """Say what goes wrong with one request."""
        if not self._armed:
            return NO_PLAN
        plan = Plan()
        for fault in tuple(self._armed):
            what = fault.what
            if plan.what is not None and not isinstance(what, Delay):
                continue
            if not fault.strikes(method, path, account, address):
                continue
            if isinstance(what, Delay):
                drawn = self._random.uniform(what.low, what.high)
                plan.delays[what.on] = plan.delays.get(what.on, 0.0) + drawn
            else:
                plan.what = what
        # In place: a test may be arming the next one from another thread.
        for fault in tuple(self._armed):
            if fault.spent:
                self._armed.remove(fault)
        return plan

    def _arm(self, what: What, where: Where, among: frozenset[str] | None = None) -> Fault:
        endpoint = where.get("endpoint")
        if endpoint is not None:
            laws = laws_of(endpoint)
            if among is not None and among.isdisjoint(map(str, laws)):
                message = (
                    f"{endpoint!r} can't be befallen by it: only {' and '.join(sorted(among))}"
                )
                raise ValueError(message)
        fault = Fault(what=what, among=among, **where)
        self._armed.append(fault)
        return fault

    def __repr__(self) -> str:
        return f"<Faults {len(self._armed)} armed>"


def law_of(endpoint: str) -> Law:
    """Find the one law of an endpoint, named as a path or as a method and a path."""
    laws = laws_of(endpoint)
    if len(laws) > 1:
        message = f"{endpoint!r} must name one of {' and '.join(str(law) for law in laws)}"
        raise ValueError(message)
    return laws[0]


def laws_of(endpoint: str) -> list[Law]:
    """Find the laws of an endpoint, one or two; a misspelt one would prove nothing."""
    method, _, path = endpoint.rpartition(" ")
    laws = [law for name, law in BY_PATH.get(path, {}).items() if method in ("", name)]
    if not laws:
        message = f"the exchange has no endpoint {endpoint!r}"
        raise ValueError(message)
    return laws
