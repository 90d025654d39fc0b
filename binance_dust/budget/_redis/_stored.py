"""A replica that can be kept in Redis: as fields of a hash, one for each pool and one for the rest.

Only pools that have changed are written again. So what a snapshot costs follows from what has
happened, and not from how many accounts there are.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust.budget._limits import RateLimits
from binance_dust.budget._pace import Pace
from binance_dust.budget._pools import read_key
from binance_dust.budget._protocol import Charge
from binance_dust.budget._queue import Queue
from binance_dust.budget._redis._encoding import decode, encode, pack, unpack
from binance_dust.budget._redis._messages import spent_rows
from binance_dust.budget._redis._pools import text_of
from binance_dust.budget._redis._replica import Replica

if TYPE_CHECKING:
    from binance_dust.budget._address import AddressGate
    from binance_dust.budget._pool import Pool
    from binance_dust.budget._redis._shared import SharedCall, SharedWaiter

REST: Final = "rest"
_POOL: Final = "pool "
"""Before the text of a pool."""
LIMITS: Final = "limits"


class _Frozen(msgspec.Struct, array_like=True):
    turn: int
    pool: msgspec.Raw
    queue: msgspec.Raw


_FROZEN: Final = msgspec.msgpack.Decoder(_Frozen)


class StoredReplica(Replica):
    """A replica that can be written and loaded."""

    seen_at = -math.inf

    # --- writing ---------------------------------------------------------------------------------

    def fields(self, since: int = -1) -> tuple[dict[str, bytes], list[str]]:
        """Return the fields that changed after a position, and those to remove."""
        pools = self._pools
        all_of_them = pools if since < 0 else ()
        recent = (pool for pool, at in pools.changed.items() if at > since)
        changed = dict.fromkeys((*all_of_them, *recent, *self._queues))
        found = {_POOL + text_of(pool): self._pool_field(pool) for pool in changed}
        found[REST] = encode(self._rest())
        found[LIMITS] = encode(asdict(self._limits))
        return found, [_POOL + text for text, at in pools.gone.items() if at > since]

    def written(self, position: int) -> None:
        """Forget what had changed up to a position: Redis has it."""
        pools = self._pools
        pools.changed = {pool: at for pool, at in pools.changed.items() if at > position}
        pools.gone = {text: at for text, at in pools.gone.items() if at > position}

    def _pool_field(self, pool: Pool) -> bytes:
        turn = self._pools.turns.get(self._pools.key(pool), 0)
        queue = self._queues.get(pool)
        waiting = None
        if queue is not None:
            waiting = [queue.ahead, *[pack(waiter) for waiter in queue]]
        return encode([turn, pack(pool), waiting])

    def _rest(self) -> dict[str, Any]:
        boundaries, doors = self._pools.kept()
        clock = self.clock
        return {
            "clock": [clock.at, clock.shift, clock.offset],
            "opens": self.opens,
            "check": self.check,
            "known": self.known,
            "gate": pack(self._gate),
            "pace": [pack(self._pace), self._pace_at],
            "paced": [text_of(pool) for pool in self._paced],
            "queued": [text_of(pool) for pool in self._queues],
            "look_at": [[text_of(pool), at] for pool, at in self.look_at.items()],
            "members": pack(self.members),
            "boundaries": pack(boundaries),
            "doors": pack(doors),
            "calls": [[text_of(c.pool), pack(c, whole=True)] for c in self.calls.values()],
        }

    # --- loading ---------------------------------------------------------------------------------

    @classmethod
    def load(cls, fields: dict[str, bytes], position: int, pid: str) -> StoredReplica:
        """Make the replica of a process from what was written."""
        replica = cls(RateLimits(**decode(fields[LIMITS])), pid)
        replica.position = position
        replica._load(fields, decode(fields[REST]))
        return replica

    def _load(self, fields: dict[str, bytes], rest: dict[str, Any]) -> None:
        pools = self._pools
        pools.position = self.position
        self.clock.at, self.clock.shift, self.clock.offset = rest["clock"]
        self.opens, self.known, self.check = rest["opens"], rest["known"], rest["check"]
        of_pools = []
        for text, packed in rest["calls"]:
            call: SharedCall = unpack(packed, self.calls.get)
            self.calls[call.pid, call.ticket] = call
            of_pools.append((text, call))
        self._gate = unpack(rest["gate"], self.calls.get)
        self._pace, self._pace_at = unpack(rest["pace"][0], self.calls.get), rest["pace"][1]
        self.members = unpack(rest["members"], self.calls.get)
        boundaries, doors = pools.kept()
        boundaries.update(unpack(rest["boundaries"], self.calls.get))
        for boundary in boundaries.values():
            boundary.clock = self.clock
        doors.update(unpack(rest["doors"], self.calls.get))
        pools.thaw = self._thaw
        frozen: dict[str, tuple[int, bytes]] = {}
        waiting = {}
        for name, data in fields.items():
            if name.startswith(_POOL):
                field = _FROZEN.decode(data)
                text = name.removeprefix(_POOL)
                frozen[text] = field.turn, bytes(field.pool)
                waiting[text] = field.queue
        pools.freeze(frozen)
        for text, call in of_pools:
            call.pool = self._at(text)
        for text in rest["queued"]:
            self._fill(self._at(text), decode(waiting[text]))
        self._paced = {self._at(text): None for text in rest["paced"]}
        self.look_at = {self._at(text): at for text, at in rest["look_at"]}

    def _at(self, text: str) -> Pool:
        kind, name, account = read_key(text)
        return self._pools.like(Charge(name, kind, 0, account))

    def _thaw(self, data: bytes) -> Pool:
        pool: Pool = unpack(decode(data), self.calls.get)
        boundaries, doors = self._pools.kept()
        pool.boundary = boundaries[pool.name]
        pool.door = doors.get(pool.name) if pool.account is not None else None
        return pool

    def _fill(self, pool: Pool, waiting: list[Any]) -> None:
        queue: Queue[SharedWaiter] = Queue()
        self._queues[pool] = queue
        for packed in waiting[1:]:
            waiter: SharedWaiter = unpack(packed, self.calls.get)
            waiter.pool = pool
            self.waiters[waiter.pid, waiter.ticket] = waiter
            queue.join(waiter, waiter.deadline)
        queue.ahead = waiting[0]
        head = queue.head()
        if head is not None:
            self._heads[pool] = head

    # --- another life ----------------------------------------------------------------------------

    @property
    def limits(self) -> RateLimits:
        """The limits that all processes agree on."""
        return self._limits

    @property
    def gate(self) -> AddressGate:
        """What shuts the address."""
        return self._gate

    @property
    def pools(self) -> list[Pool]:
        """All pools."""
        return list(self._pools)

    def shut_for(self) -> float:
        """Return for how long a ban keeps the address shut."""
        return max(0.0, self._gate.until - self.clock.at)

    def banned_until(self) -> float:
        """Return until when a ban keeps the address shut, in the time of Redis."""
        return self._gate.until - self.clock.shift

    def shut_address(self, seconds: float) -> None:
        """Keep the address shut."""
        if seconds > 0:
            self._gate.shut_for(seconds, self.clock.at, guessed=False)

    def open_after(self, seconds: float) -> None:
        """Admit nothing for a while, so that all can say what they know; then one call alone."""
        self.opens = self.clock.at + seconds
        for member in self.members.values():
            member.heard = self.clock.at
        self._gate.open_half()

    def arrive(self, at: float) -> None:
        """Go on to a time of Redis, to look at the state as it is then."""
        self.seen_at = self.clock.of(at)

    def others_alive(self) -> bool:
        """Whether another process uses this state."""
        return any(
            pid != self.pid and member.heard + member.lease >= self.seen_at
            for pid, member in self.members.items()
        )

    def with_limits(self, limits: RateLimits) -> StoredReplica:
        """Return the same state with other limits; with other windows, only a ban is kept."""
        fresh = StoredReplica(limits, self.pid)
        if limits.window != self._limits.window:
            fresh.clock.at, fresh.clock.shift = self.clock.at, self.clock.shift
            fresh.shut_address(self.shut_for())
            return fresh
        fields, _ = self.fields()
        fields[LIMITS] = encode(asdict(limits))
        changed = StoredReplica.load(fields, self.position, self.pid)
        changed._pace = Pace(limits.requests_per_second)  # noqa: SLF001 - its own
        for pool in changed._pools:  # noqa: SLF001 - its own
            pool.set_limits(limits.of(pool.kind), limits.whole(pool.kind))
        return changed

    def knowledge(self, now: float) -> list[list[Any]]:
        """Return what was spent in each pool, in ages, and for how long it is shut."""
        found: list[list[Any]] = []
        in_flight: dict[Pool, int] = {}
        for call in self.calls.values():
            in_flight[call.pool] = in_flight.get(call.pool, 0) + call.weight + call.extra
        for pool in self._pools:
            rows, rest = spent_rows(pool.count.own.copy(), now, -math.inf)
            lost = max(0, rest - in_flight.get(pool, 0))
            shut = max(0.0, pool.valve.until - now)
            if rows or lost or shut:
                found.append([pool.kind.value, pool.name, pool.account, rows, lost, shut])
        return found
