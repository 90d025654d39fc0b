"""The exchange itself: requests in, answers out, and no I/O.

A request passes through `receive`, `admit`, `execute` and `depart`, one after another. The server
waits between them where a fault says so; a test may call `handle`, which goes through all four at
once. The order of admission is the exchange's: first the ban, then the path, then the weight (which
is charged whatever follows), then the key, the signature, the time, the right, the parameters.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from decimal import Context, localcontext
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from binance_dust.sandbox import _admission as admission
from binance_dust.sandbox import _fault as fault
from binance_dust.sandbox import _parameters as form
from binance_dust.sandbox import _refusals as refusal
from binance_dust.sandbox._accounts import Accounts
from binance_dust.sandbox._clock import ServerClock
from binance_dust.sandbox._dust import Scene
from binance_dust.sandbox._endpoints import BY_PATH
from binance_dust.sandbox._faults import Faults, law_of, laws_of
from binance_dust.sandbox._market import Market
from binance_dust.sandbox._replies import ANSWERS, Call
from binance_dust.sandbox._replies._dust import nothing_converted
from binance_dust.sandbox._requests import Seen, Witness
from binance_dust.sandbox._weight import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from binance_dust.sandbox._account import Account
    from binance_dust.sandbox._endpoints import Law
    from binance_dust.sandbox._refusals import Refusal
    from binance_dust.sandbox._rules import Mode, Rules
    from binance_dust.sandbox._weight import Tally

JSON: Final = "application/json;charset=UTF-8"
HTML: Final = "text/html"

_encode: Final = msgspec.json.Encoder().encode
_OPEN_IN_MAINTENANCE: Final = frozenset({"system_status", "server_time", "ping"})
_BLOCKED: Final = b"<html><head><title>403 Forbidden</title></head><body>Forbidden</body></html>"
_BROKEN: Final = b"<html><body><h1>%d</h1>%s</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, as it was sent."""

    method: str
    path: str
    query: str = ""
    body: str = ""
    api_key: str | None = field(default=None, repr=False)
    address: str = "127.0.0.1"


@dataclass(slots=True, kw_only=True)
class Answer:
    """One HTTP answer, and how much of it arrives."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON
    line: Literal["whole", "cut", "dropped"] = "whole"


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request on its way through the exchange."""

    request: Request
    plan: fault.Plan
    known: Account | None
    law: Law | None = None
    form: form.Form | None = None
    asker: Account | None = None
    freshness: admission.Freshness | None = None
    tally: Tally | None = None
    answer: Answer | None = None
    code: int | None = None
    executed: bool = False

    def wait(self, leg: fault.Leg) -> float:
        """Seconds that a fault makes this leg take."""
        return self.plan.delays.get(leg, 0.0)

    def refuse(self, no: Refusal) -> None:
        """Answer no."""
        self.code, self.answer = no.code, refused(no)


class Exchange:
    """Accounts, market, rules, gate and witness of one exchange."""

    def __init__(
        self, *, seed: int = 0, rules: Rules, clock: Callable[[], float] = time.time
    ) -> None:
        """Open now, as `clock` (seconds since the epoch) has it."""
        self.seed = seed
        self.rules = rules
        self.clock: ServerClock = ServerClock(clock)
        self.market: Market = Market(seed, rules, self.clock.moment().true)
        self.gate: Gate = Gate(rules)
        self.faults: Faults = Faults(seed, self.clock, self.gate)
        self.witness: Witness = Witness(rules.remember)
        self.accounts: Accounts = Accounts(seed, self.market, self.clock)

    def handle(self, request: Request) -> Answer:
        """Answer one request at once, without the delays of faults."""
        visit = self.receive(request)
        if self.admit(visit):
            self.execute(visit)
        return self.depart(visit)

    def receive(self, request: Request) -> Visit:
        """See who asks, and what will go wrong."""
        known = self.accounts.by_key(request.api_key)
        name = None if known is None else known.name
        plan = self.faults.plan(request.method, request.path, name, request.address)
        return Visit(request=request, plan=plan, known=known)

    def admit(self, visit: Visit) -> bool:
        """Let a request in, or answer why not."""
        match visit.plan.what:
            case fault.Block():
                visit.answer = Answer(status=403, body=_BLOCKED, content_type=HTML)
                return False
            case fault.Refuse(status, code, retry_after):
                text = "Too much request weight used; please use WebSocket Streams instead."
                no = refusal.Refusal(code, text, status=status, retry_after=retry_after)
                visit.refuse(no)
                return False
        try:
            self._let_in(visit)
        except refusal.Refusal as no:
            visit.refuse(no)
            return False
        return True

    def execute(self, visit: Visit) -> None:
        """Do what an admitted request asks for, and make the answer."""
        match visit.plan.what:
            case fault.Drop(after_executing=False) | fault.Fail(after_executing=False):
                visit.answer = Answer(status=0, body=b"")
                return
            case fault.ConvertNothing():
                visit.answer = Answer(status=200, body=_encode(nothing_converted()))
                return
        try:
            result = self._result(visit)
        except refusal.Refusal as no:
            visit.refuse(no)
            return
        visit.executed = True
        visit.answer = Answer(status=200, body=_encode(result))

    def depart(self, visit: Visit) -> Answer:
        """Spoil the answer where a fault says so, and put the request on record."""
        answer = visit.answer
        assert answer is not None  # noqa: S101 - admit or execute made one
        answer.headers = _used_weight(visit) | answer.headers
        _spoil(answer, visit.plan.what)
        request, moment = visit.request, self.clock.moment()
        self.witness.note(
            Seen(
                request.method,
                request.path,
                answer.status,
                visit.code,
                None if visit.known is None else visit.known.name,
                request.address,
                {} if visit.form is None else visit.form.shown(),
                moment.server,
                visit.executed,
                answer.line != "dropped",
            )
        )
        return answer

    def peak_weight(self, endpoint: str | None, payer: str | None, mode: Mode | None) -> int:
        """Most weight asked of one pool in any one window."""
        laws = None if endpoint is None else laws_of(endpoint)
        return max(self.gate.peaks(mode or self.rules.window_mode, laws, payer), default=0)

    def used_weight(self, endpoint: str, payer: str) -> int:
        """Weight in the present window of one pool."""
        return self.gate.used(law_of(endpoint), payer, self.clock.moment())

    def _let_in(self, visit: Visit) -> None:
        request, moment = visit.request, self.clock.moment()
        self.gate.let_in(request.address, moment)
        law = visit.law = _law(request)
        name = None if visit.known is None else visit.known.name
        visit.tally = self.gate.charge(law, request.address, name, moment)
        if self.faults.closed and law.name not in _OPEN_IN_MAINTENANCE:
            raise refusal.maintenance()
        if law.security != "none":
            visit.asker = admission.identify(request.api_key, visit.known)
        body = request.body if request.method == "POST" else ""
        visit.form = form.read(request.query, body)
        if law.security == "signed" and visit.asker is not None:
            visit.freshness = admission.verify(
                visit.form, visit.asker, moment, accept_unencoded=self.rules.accept_unencoded
            )
        if visit.asker is not None:
            admission.authorize(law, visit.asker, request.address)
        form.check_presence(visit.form, law)

    def _result(self, visit: Visit) -> Any:
        assert visit.law is not None  # noqa: S101 - admitted
        assert visit.form is not None  # noqa: S101 - admitted
        moment = self.clock.moment()
        if visit.freshness is not None:
            visit.freshness.check(moment)
        call = Call(
            law=visit.law,
            form=visit.form,
            scene=Scene(market=self.market, rules=self.rules, moment=moment),
            asker=visit.asker,
            closed=self.faults.closed,
        )
        # In a context of its own: the exchange counts as ever, however its test does.
        with localcontext(Context()):
            return ANSWERS[visit.law.name](call)


def refused(no: Refusal) -> Answer:
    """Make the answer of a refusal."""
    # It may quote what was sent, and that need not be text.
    msg = no.msg.encode("utf-8", "replace").decode()
    headers = {} if no.retry_after is None else {"Retry-After": str(no.retry_after)}
    return Answer(status=no.status, body=_encode({"code": no.code, "msg": msg}), headers=headers)


def _law(request: Request) -> Law:
    methods: Mapping[str, Law] | None = BY_PATH.get(request.path)
    if methods is None:
        raise refusal.not_found()
    law = methods.get(request.method)
    if law is None:
        raise refusal.wrong_method()
    return law


def _used_weight(visit: Visit) -> dict[str, str]:
    """Give the used-weight header, or what a fault makes of it."""
    if visit.tally is None:
        return {}
    match visit.plan.what:
        case fault.Misreport(None):
            return {}
        case fault.Misreport(value):
            return {visit.tally.header: str(value)}
        case _:
            return {visit.tally.header: str(visit.tally.used)}


def _spoil(answer: Answer, what: fault.What | None) -> None:
    """Do to an answer what a fault says, whatever the answer was."""
    match what:
        case fault.Drop():
            answer.line = "dropped"
        case fault.Fail(status, None, msg):
            answer.status, answer.content_type = status, HTML
            answer.body = _BROKEN % (status, msg.encode())
        case fault.Fail(status, code, msg):
            answer.status = status
            answer.body = _encode({"code": code, "msg": msg})
        case fault.Mangle("cut"):
            answer.line = "cut"
        case fault.Mangle("garbled"):
            answer.body = answer.body[: len(answer.body) // 2] + b"\x00<garbled>"
        case fault.Mangle():
            answer.body = b'{"unexpected":[1]}' if answer.body[:1] == b"[" else b'["unexpected"]'
