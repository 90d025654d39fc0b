"""The exchange itself: requests in, replies out, and no I/O.

A request passes through `receive`, `admit`, `execute` and `finish`. The server waits between them
when a fault says so; a test may call `handle`, which does all four at once. Requests are checked in
the exchange's order: first the ban, then the path, then the weight (which is charged whatever
follows), then the key, the signature, the time, the right, the parameters.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from decimal import Context, localcontext
from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust.sandbox import _admission, _refusals
from binance_dust.sandbox._accounts import OpenAccounts
from binance_dust.sandbox._admission import AdmittedRequest
from binance_dust.sandbox._clock import ExchangeClock
from binance_dust.sandbox._endpoints import BY_PATH, find_endpoint, find_endpoints
from binance_dust.sandbox._faults import (
    MISSING,
    AnswerError,
    ChangeFields,
    ConvertNothing,
    DamageBody,
    DropConnection,
    Faults,
    FirewallPage,
    MisreportWeight,
    RefuseRequest,
)
from binance_dust.sandbox._market import Market
from binance_dust.sandbox._parameters import check_mandatory, read_parameters
from binance_dust.sandbox._refusals import Refusal
from binance_dust.sandbox._replies import REPLIES
from binance_dust.sandbox._replies._dust import nothing_converted
from binance_dust.sandbox._requests import HTML, HttpReply, RequestLog, Seen
from binance_dust.sandbox._weight import WeightLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from binance_dust.sandbox._account import Account
    from binance_dust.sandbox._admission import Freshness
    from binance_dust.sandbox._endpoints import ServedEndpoint
    from binance_dust.sandbox._faults import Effect, FaultPlan, Stage
    from binance_dust.sandbox._parameters import Parameters
    from binance_dust.sandbox._requests import HttpRequest
    from binance_dust.sandbox._rules import Rules, WindowMode

_encode: Final = msgspec.json.Encoder().encode
_OPEN_IN_MAINTENANCE: Final = frozenset({"system_status", "server_time", "ping"})
_MENDED: Final = {b'Transfered"': b'Transferred"', b'ransferedAmount"': b'ransferredAmount"'}
"""Field names, as the exchange misspells them and as they would be if it mended that."""
_BLOCKED: Final = b"<html><head><title>403 Forbidden</title></head><body>Forbidden</body></html>"
_BROKEN: Final = b"<html><body><h1>%d</h1>%s</body></html>"


@dataclass(slots=True, kw_only=True)
class Handling:
    """The state of one request while it is handled."""

    request: HttpRequest
    plan: FaultPlan
    key_owner: Account | None
    """The account with this key, even if the key may not do what is asked."""
    endpoint: ServedEndpoint | None = None
    parameters: Parameters | None = None
    sender: Account | None = None
    """The account, once its key was checked."""
    freshness: Freshness | None = None
    used_weight: Mapping[str, int] = field(default_factory=dict)
    """The headers of used weight."""
    reply: HttpReply | None = None
    code: int | None = None
    executed: bool = False

    @property
    def account_name(self) -> str | None:
        """Name of the account with this key."""
        return None if self.key_owner is None else self.key_owner.name

    def delay(self, stage: Stage) -> float:
        """Seconds that faults add to this stage."""
        return self.plan.delays.get(stage, 0.0)

    def refuse(self, refusal: Refusal) -> None:
        """Reply with a refusal."""
        self.code, self.reply = refusal.code, refusal_reply(refusal)


class Exchange:
    """One exchange: its accounts, market, rules, limits, faults and record of requests."""

    def __init__(
        self, *, seed: int = 0, rules: Rules, clock: Callable[[], float] = time.time
    ) -> None:
        """Open now, by `clock` (seconds since the epoch)."""
        self.seed = seed
        self.rules = rules
        self.clock: ExchangeClock = ExchangeClock(clock)
        self.market: Market = Market(seed, rules, self.clock.now().true)
        self.limits: WeightLimits = WeightLimits(rules)
        self.faults: Faults = Faults(seed, self.clock, self.limits)
        self.requests: RequestLog = RequestLog(rules.remember)
        self.accounts: OpenAccounts = OpenAccounts(seed, self.market, self.clock)

    def handle(self, request: HttpRequest) -> HttpReply:
        """Handle one request at once, without the delays of faults."""
        handling = self.receive(request)
        if self.admit(handling):
            self.execute(handling)
        return self.finish(handling)

    def receive(self, request: HttpRequest) -> Handling:
        """Find the account of the key, and what will go wrong."""
        key_owner = self.accounts.by_key(request.api_key)
        name = None if key_owner is None else key_owner.name
        plan = self.faults.plan(request.method, request.path, name, request.address)
        return Handling(request=request, plan=plan, key_owner=key_owner)

    def admit(self, handling: Handling) -> bool:
        """Check a request; `False` means that it was refused."""
        match handling.plan.effect:
            case FirewallPage():
                handling.reply = HttpReply(status=403, body=_BLOCKED, content_type=HTML)
                return False
            case RefuseRequest(status, code, retry_after):
                text = "Too much request weight used; please use WebSocket Streams instead."
                handling.refuse(Refusal(code, text, status=status, retry_after=retry_after))
                return False
        try:
            self._check(handling)
        except Refusal as refusal:
            handling.refuse(refusal)
            return False
        return True

    def execute(self, handling: Handling) -> None:
        """Do what an admitted request asks for, and make the reply."""
        match handling.plan.effect:
            case DropConnection(after_executing=False) | AnswerError(after_executing=False):
                handling.reply = HttpReply(status=0, body=b"")
                return
            case ConvertNothing():
                handling.reply = HttpReply(status=200, body=_encode(nothing_converted()))
                return
        try:
            result = self._result(handling)
        except Refusal as refusal:
            handling.refuse(refusal)
            return
        handling.executed = True
        body = _encode(result)
        if self.rules.spelling == "mended":
            for sent, mended in _MENDED.items():
                body = body.replace(sent, mended)
        handling.reply = HttpReply(status=200, body=body)

    def finish(self, handling: Handling) -> HttpReply:
        """Damage the reply if a fault says so, and add the request to the record."""
        reply = handling.reply
        assert reply is not None  # noqa: S101 - set by admit or execute
        reply.headers = _weight_header(handling) | reply.headers
        _apply_fault(reply, handling.plan.effect)
        request, now = handling.request, self.clock.now()
        self.requests.note(
            Seen(
                request.method,
                request.path,
                reply.status,
                handling.code,
                handling.account_name,
                request.address,
                {} if handling.parameters is None else handling.parameters.shown(),
                now.server,
                handling.executed,
                reply.delivery != "dropped",
            )
        )
        return reply

    def peak_weight(self, endpoint: str | None, payer: str | None, mode: WindowMode | None) -> int:
        """Most weight asked of one pool in any one window."""
        endpoints = None if endpoint is None else find_endpoints(endpoint)
        mode = mode or self.rules.window_mode
        return max(self.limits.peaks(mode, endpoints, payer), default=0)

    def used_weight(self, endpoint: str, payer: str) -> int:
        """Weight in the present window of one pool."""
        return self.limits.used(find_endpoint(endpoint), payer, self.clock.now())

    def _check(self, handling: Handling) -> None:
        request, now = handling.request, self.clock.now()
        self.limits.check_ban(request.address, now)
        endpoint = handling.endpoint = _find_endpoint(request)
        handling.used_weight = self.limits.charge(
            endpoint, request.address, handling.account_name, now
        )
        if self.faults.closed and endpoint.name not in _OPEN_IN_MAINTENANCE:
            raise _refusals.maintenance()
        if endpoint.security != "none":
            handling.sender = _admission.check_key(request.api_key, handling.key_owner)
        body = request.body if request.method == "POST" else ""
        parameters = handling.parameters = read_parameters(request.query, body)
        if handling.sender is not None:
            if endpoint.security == "signed":
                handling.freshness = _admission.check_signature(
                    parameters,
                    handling.sender.keys[request.api_key or ""],
                    now,
                    accept_unencoded=self.rules.accept_unencoded,
                )
            _admission.check_rights(endpoint, handling.sender, request.address)
        check_mandatory(parameters, endpoint)

    def _result(self, handling: Handling) -> Any:
        assert handling.endpoint is not None  # noqa: S101 - set by admit
        assert handling.parameters is not None  # noqa: S101 - set by admit
        now = self.clock.now()
        if handling.freshness is not None:
            handling.freshness.check(now)
        request = AdmittedRequest(
            market=self.market,
            rules=self.rules,
            now=now,
            endpoint=handling.endpoint,
            parameters=handling.parameters,
            sender=handling.sender,
            in_maintenance=self.faults.closed,
        )
        # The decimal context of a test must not change what the exchange computes.
        with localcontext(Context()):
            return REPLIES[handling.endpoint.name](request)


def refusal_reply(refusal: Refusal) -> HttpReply:
    """Make the reply of a refusal."""
    # The text may quote bytes of the request that are no valid text.
    msg = refusal.msg.encode("utf-8", "replace").decode()
    headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    body = _encode({"code": refusal.code, "msg": msg})
    return HttpReply(status=refusal.status, body=body, headers=headers)


def _find_endpoint(request: HttpRequest) -> ServedEndpoint:
    methods: Mapping[str, ServedEndpoint] | None = BY_PATH.get(request.path)
    if methods is None:
        raise _refusals.not_found()
    endpoint = methods.get(request.method)
    if endpoint is None:
        raise _refusals.wrong_method()
    return endpoint


def _weight_header(handling: Handling) -> dict[str, str]:
    """Give the headers of used weight, or what a fault puts in their place."""
    match handling.plan.effect:
        case MisreportWeight(None):
            return {}
        case MisreportWeight(value):
            return dict.fromkeys(handling.used_weight, str(value))
        case _:
            return {header: str(used) for header, used in handling.used_weight.items()}


def _apply_fault(reply: HttpReply, effect: Effect | None) -> None:
    """Change a reply as a fault says, whether it is a success or a refusal."""
    match effect:
        case DropConnection():
            reply.delivery = "dropped"
        case AnswerError(status, None, msg):
            reply.status, reply.content_type = status, HTML
            reply.body = _BROKEN % (status, msg.encode())
        case AnswerError(status, code, msg):
            reply.status = status
            reply.body = _encode({"code": code, "msg": msg})
        case ChangeFields(fields, nth):
            # Numbers keep their digits.
            value = json.loads(reply.body, parse_float=lambda digits: msgspec.Raw(digits.encode()))
            _change_fields(value, fields, dict.fromkeys(fields, 0), nth)
            reply.body = _encode(value)
        case DamageBody("cut"):
            reply.delivery = "cut"
        case DamageBody("garbled"):
            reply.body = reply.body[: len(reply.body) // 2] + b"\x00<garbled>"
        case DamageBody():
            reply.body = b'{"unexpected":[1]}' if reply.body[:1] == b"[" else b'["unexpected"]'


def _change_fields(
    value: object, fields: Mapping[str, object], seen: dict[str, int], nth: int | None
) -> None:
    """Change fields in a value and in all its parts; `seen` counts those that were met."""
    if isinstance(value, list):
        for part in value:
            _change_fields(part, fields, seen, nth)
    elif isinstance(value, dict):
        for name in list(value):
            if name not in fields:
                _change_fields(value[name], fields, seen, nth)
                continue
            if nth in (None, seen[name]):
                if fields[name] is MISSING:
                    del value[name]
                else:
                    value[name] = fields[name]
            seen[name] += 1
