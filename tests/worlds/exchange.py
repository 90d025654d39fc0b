"""The strict exchange of a world: it counts, refuses and bans, and knows nothing of the package.

It is as simple as it can be, because it is the judge: a request is answered by the first of these
that applies: ban, firewall, failing node, a timestamp that is off, too much weight, success.
"""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict, deque
from dataclasses import dataclass

from tests.worlds.world import ENDPOINTS, Endpoint, Payer, World

EPOCH = 1_800_000_000.0
"""The exchange's time when a world begins, less the phase: a multiple of every window."""
_AHEAD = 1.0
"""Seconds by which a timestamp may be ahead."""
_NAMES: dict[Payer, str] = {
    "ip": "X-SAPI-USED-IP-WEIGHT-1M",
    "uid": "X-SAPI-USED-UID-WEIGHT-1M",
    "request": "X-MBX-USED-WEIGHT-1M",
}
_PAGE = b"<html><body><h1>%d</h1></body></html>"
_BY_TITLE = {endpoint.title: endpoint for endpoint in ENDPOINTS.values()}


@dataclass(frozen=True, slots=True)
class Request:
    """A call on its way."""

    title: str
    account: str
    stamp: float | None = None
    valid: float = 10.0
    """Seconds for which it is valid: the `recv_window`."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer on its way."""

    status: int
    headers: dict[str, str]
    body: bytes


class Meter:
    """The weight of one window, for one payer and endpoint."""

    def __init__(self, world: World) -> None:
        self._windows = world.windows
        self._index = -1
        self._used = 0
        self._spent: deque[tuple[float, int]] = deque()

    def used(self, now: float, clock: float) -> int:
        """Give what counts now; fixed windows are cut by the exchange's own clock."""
        if self._windows.mode == "fixed":
            index = math.floor((clock - self._windows.off) / self._windows.length)
            if index != self._index:
                self._index, self._used = index, 0
        else:
            while self._spent and self._spent[0][0] <= now - self._windows.length:
                self._used -= self._spent.popleft()[1]
        return self._used

    def add(self, now: float, clock: float, weight: int) -> int:
        """Count weight, and give what counts now."""
        self.used(now, clock)
        if self._windows.mode == "sliding":
            self._spent.append((now, weight))
        self._used += weight
        return self._used

    def room_in(self, now: float, clock: float) -> float:
        """Give the seconds until something is forgotten."""
        if self._windows.mode == "fixed":
            length = self._windows.length
            return length - (clock - self._windows.off) % length
        return self._spent[0][0] + self._windows.length - now if self._spent else 0.0


Key = tuple[Payer, str, str]
"""A payer, an endpoint, and the account where accounts pay."""


class StrictExchange:
    """The exchange, as one address meets it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._dice = random.Random(world.seed)  # noqa: S311 - to be repeated
        self._meters: dict[Key, Meter] = {}
        self._nodes: dict[tuple[Key, int], Meter] = {}
        self._shown: dict[Key, deque[int]] = defaultdict(lambda: deque(maxlen=20))
        self._good = 0
        self._in_a_row = 0
        self._pages = world.storm.pages
        self._banned_until = -math.inf
        self.bans: list[tuple[float, float]] = []
        """From when until when."""
        self.refused = 0
        self.while_banned = 0
        self.oddity_ended = -math.inf
        """When the last odd answer of a world with a passing oddity was given."""
        self.accepted: list[tuple[float, str, int]] = []
        """When, which endpoint, and the weight."""

    def clock(self, now: float) -> float:
        """Tell the exchange's own time."""
        clocks = self.world.clocks
        stepped = clocks.step if now >= clocks.step_at else 0.0
        return EPOCH + self.world.windows.phase + now * (1 + clocks.drift) + stepped

    def others(self, now: float, weight: int) -> None:
        """Let others spend, if there is room."""
        endpoint = self.world.main
        meter = self._meter(("ip", endpoint.title, ""))
        if meter.used(now, self.clock(now)) + weight <= self.world.limit("ip"):
            meter.add(now, self.clock(now), weight)

    def receive(self, now: float, request: Request) -> Response:
        """Answer a request that arrives."""
        endpoint, clock = _BY_TITLE[request.title], self.clock(now)
        if now < self._banned_until:
            self.while_banned += 1
            return self._ban(now)
        if (storm := self._storm(now)) is not None:
            return storm
        off = 0.0 if request.stamp is None else request.stamp - clock
        keys = self._keys(endpoint, request.account)
        weight = self.world.charged(endpoint)
        for key in keys:
            if self._meter(key).used(now, clock) + weight > self.world.limit(key[0]):
                return self._refuse(now, self._meter(key).room_in(now, clock))
        self._in_a_row = 0
        used = {key: self._meter(key).add(now, clock, weight) for key in keys}
        if not -request.valid < off < _AHEAD:
            return _says(400, -1021, "Timestamp for this request is outside of the recvWindow.")
        self.accepted.append((now, endpoint.title, weight))
        body = b"[]"
        if endpoint.payer == "request":
            body = json.dumps({"serverTime": round(clock * 1000)}).encode()
            return Response(200, {_NAMES["request"]: str(used[keys[0]])}, body)
        return Response(200, self._headers(now, used, weight), body)

    def _keys(self, endpoint: Endpoint, account: str) -> list[Key]:
        return [
            (payer, endpoint.title, account if payer == "uid" else "")
            for payer in self.world.payers(endpoint)
        ]

    def _meter(self, key: Key) -> Meter:
        if key not in self._meters:
            self._meters[key] = Meter(self.world)
        return self._meters[key]

    def _storm(self, now: float) -> Response | None:
        storm = self.world.storm
        if storm.kind == "none" or now < storm.at:
            return None
        if self._pages > 0:
            self._pages -= 1
        elif now >= storm.at + storm.lasts or self._dice.random() >= storm.part:
            return None
        self.oddity_ended = now
        status = 403 if storm.kind == "wall" else self._dice.choice([500, 502, 503])
        return Response(status, {}, _PAGE % status)

    def _refuse(self, now: float, wait: float) -> Response:
        self.refused += 1
        self._in_a_row += 1
        if self._in_a_row > self.world.bans.after:
            self._in_a_row = 0
            self._banned_until = now + self.world.bans.lasts
            self.bans.append((now, self._banned_until))
            return self._ban(now)
        refusals = self.world.refusals
        said = {"true": str(math.ceil(wait)), "zero": "0", "absent": None, "300": "300"}
        after = said[refusals.retry_after]
        headers = {} if after is None else {"Retry-After": after}
        return _says(refusals.status, -1003, "Too many requests; please slow down.", headers)

    def _ban(self, now: float) -> Response:
        if not self.world.bans.told:
            return _says(418, -1003, "Way too many requests; IP banned.")
        until = self.clock(now) + self._banned_until - now
        text = f"Way too much request weight used; IP banned until {math.ceil(until * 1000)}."
        after = str(math.ceil(self._banned_until - now))
        return _says(418, -1003, text, {"Retry-After": after})

    def _headers(self, now: float, used: dict[Key, int], weight: int) -> dict[str, str]:
        headers, said = dict[str, str](), self.world.headers
        self._good += 1
        odd = self._good == said.once if said.once else self._dice.random() < said.part
        if said.once and odd:
            self.oddity_ended = now
        node = self._dice.randrange(said.nodes)
        for key, count in used.items():
            shown: int | None = count
            if said.nodes > 1:
                meter = self._nodes.setdefault((key, node), Meter(self.world))
                shown = meter.add(now, self.clock(now), weight)
            name = _NAMES[key[0]]
            if odd and said.say == "other":
                name = _NAMES["ip" if key[0] == "uid" else "uid"]
            elif odd:
                shown = self._odd(key, shown)
            self._shown[key].append(count)
            if shown is not None:
                headers[name] = str(shown)
        return headers

    def _odd(self, key: Key, used: int | None) -> int | None:
        said, shown = self.world.headers, self._shown[key]
        odd = {
            "late": shown[-said.late] if len(shown) >= said.late else 1,
            "missing": None,
            "one": 1,
            "backwards": self._dice.randint(1, max(1, used or 1)),
            "huge": 999_999_999,
            "minus": -1,
        }
        return odd.get(said.say, used)


def _says(status: int, code: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return Response(status, headers or {}, json.dumps({"code": code, "msg": text}).encode())
