"""The log of an address in Redis, and the lives of its state: it may be lost, and begin anew.

An epoch names one history of positions. If Redis has lost all of it, or its end (in a failover), a
new epoch begins with what the process knows that notices it first. The others say what they knew
besides (`Replica._op_knew`). Nothing is admitted for a lease, so that all can say it.
"""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Any, Final

from binance_dust.budget._redis import _messages
from binance_dust.budget._redis._encoding import decode
from binance_dust.budget._redis._script import layout
from binance_dust.budget._redis._store import AwayError
from binance_dust.budget._redis._stored import StoredReplica
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._redis._messages import Op
    from binance_dust.budget._redis._settings import Settings
    from binance_dust.budget._redis._store import PoolStore

_IDLE_TTL: Final = 60
"""TTL of an idle budget, in windows."""
_TRIES: Final = 8
"""How often a life is begun or loaded, if others do so in the same moment."""
EPOCH: Final = "@epoch"
AT: Final = "@at"
_LAYOUT: Final = "@layout"
_HEARD: Final = "@heard"
_BAN: Final = "@ban"


class Lives:
    """The state in Redis, and this process's replica of it."""

    def __init__(self, store: PoolStore, settings: Settings, pid: str) -> None:
        """Start with nothing loaded."""
        self._store = store
        self._settings = settings
        self._pid = pid
        self._epoch = ""
        self._last: float | None = None
        """The time of the last entry that was read."""
        self._at = -1
        """Where the snapshot is."""
        self.replica: StoredReplica | None = None

    @property
    def loaded(self) -> StoredReplica:
        """The replica, which was loaded."""
        if self.replica is None:
            raise AwayError("not loaded")
        return self.replica

    def _keep(self) -> int:
        """Return the milliseconds for which Redis keeps an idle budget: no ban is forgotten."""
        shut = 0.0 if self.replica is None else self.replica.shut_for()
        return math.ceil(1000 * (shut + self._settings.limits.window * _IDLE_TTL))

    async def append(
        self, batch: bytes, *, last: bool = False
    ) -> tuple[int, list[list[Any]]] | None:
        """Add a batch; return where the snapshot is, and all that is new.

        `None` if the state has to be loaded. `last` says that this process ends.
        """
        replica = self.loaded
        alone = int(last and replica.members.keys() <= {self._pid})
        known = "" if self._last is None else repr(self._last)
        reply = await self._store.call(
            "append",
            self._epoch,
            replica.position,
            known,
            self._keep(),
            replica.banned_until(),
            alone,
            batch,
        )
        if reply is None:
            return None
        at, entries = decode(reply)
        self._last = entries[-1][0]
        if at != self._at:
            self._at = at
            replica.written(at)
        return at, entries

    async def save(self, replica: StoredReplica, at: int, entries: int) -> None:
        """Bring the snapshot up to date from where it is."""
        if replica is not self.replica:
            return
        found, removed = replica.fields(at)
        fields: list[str | bytes | float] = []
        for name, value in found.items():
            fields += [name, value]
        position = replica.position
        await self._store.call(
            "save", self._epoch, at, position, entries, len(removed), *removed, *fields
        )

    async def load(self, unread: float, calls: list[list[Any]], lease: float) -> Op | None:
        """Load the state; return what the others have to know of an earlier life.

        `unread` is how long ago the last entry was read, and `calls` may be in flight.
        """
        known = self._knowledge(unread, calls)
        for _ in range(_TRIES):
            time, fields, entries = await self._ask()
            if not fields:
                await self._begin("", self._restored(float(time), unread, lease))
                continue
            if fields[_LAYOUT].decode() != layout():
                await self._replace_layout(float(time), fields)
                continue
            epoch, position = fields[EPOCH].decode(), int(fields[AT])
            replica = StoredReplica.load(fields, position, self._pid)
            for at, entry in entries:
                replica.step(at, entry)
            if epoch == self._epoch and self.replica is not None:
                if replica.position < self.replica.position or not self._same(replica, entries):
                    # Redis has lost the end: all have to notice it.
                    replica.known[epoch] = replica.clock.at
                    await self._begin(epoch, self._opened_later(replica, float(time), lease))
                    continue
                known = None
            if replica.limits != self._settings.limits:
                await self._change_limits(epoch, replica, float(time))
                continue
            self._last = entries[-1][0] if entries else None
            self._epoch, self.replica = epoch, replica
            replica.arrive(float(time))
            return known
        raise AwayError("its state changes too often")

    async def _ask(self) -> tuple[bytes, dict[str, bytes], list[list[Any]]]:
        time, flat, entries = await self._store.call("load")
        fields = {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
        return time, fields, [decode(entry) for entry in entries]

    def _same(self, replica: StoredReplica, entries: list[list[Any]]) -> bool:
        """Whether the log still has the last entry that was read."""
        behind = replica.position - self.loaded.position
        if behind >= len(entries):
            return True
        return bool(entries[-1 - behind][0] == self._last)

    async def _begin(self, expected: str, replica: StoredReplica) -> None:
        """Begin a new epoch, if nobody has done so meanwhile."""
        found, _ = replica.fields()
        fields: list[str | bytes | float] = [_LAYOUT, layout(), _BAN, replica.banned_until()]
        for name, value in found.items():
            fields += [name, value]
        epoch = uuid.uuid4().hex[:12]
        await self._store.call("create", expected, epoch, replica.position, self._keep(), *fields)

    def _restored(self, time: float, unread: float, lease: float) -> StoredReplica:
        """Make the state of a Redis that has none: what was known here, or nothing."""
        if self.replica is None:
            fresh = StoredReplica(self._settings.limits, self._pid)
            fresh.clock.set(time)
            return fresh
        fields, _ = self.replica.fields()
        replica = StoredReplica.load(fields, self.replica.position, self._pid)
        replica.known[self._epoch] = replica.clock.at
        # Time goes on, whatever the clock of this server says.
        replica.clock.shift = replica.clock.at + unread - time
        return self._opened_later(replica, time, lease)

    @staticmethod
    def _opened_later(replica: StoredReplica, time: float, lease: float) -> StoredReplica:
        replica.clock.set(time)
        replica.open_after(lease)
        return replica

    async def _replace_layout(self, time: float, fields: dict[str, bytes]) -> None:
        """Begin anew after another version that is silent for a window; only a ban is kept."""
        heard, theirs = float(fields.get(_HEARD, b"-inf")), fields[_LAYOUT].decode()
        if time - heard < max(self._settings.limits.window, self._settings.lease):
            raise ConfigurationError(
                "others share this budget by another version of this package (layout"
                f" {theirs}, this one's is {layout()}): upgrade all of them together"
            )
        fresh = StoredReplica(self._settings.limits, self._pid)
        fresh.clock.set(time)
        fresh.shut_address(float(fields.get(_BAN, b"-inf")) - time)
        await self._begin(fields[EPOCH].decode(), fresh)

    async def _change_limits(self, epoch: str, replica: StoredReplica, time: float) -> None:
        """Let our limits hold, if nobody uses the old ones."""
        limits = self._settings.limits
        replica.arrive(time)
        if replica.others_alive():
            raise ConfigurationError(
                f"others share this budget by other limits: theirs are {_show(replica.limits)},"
                f" these {_show(limits)}"
            )
        await self._begin(epoch, replica.with_limits(limits))

    def _knowledge(self, unread: float, calls: list[list[Any]]) -> Op | None:
        """Say all that is known of this life, in ages."""
        replica = self.replica
        if replica is None:
            return None
        now = replica.clock.at + unread
        pools = replica.knowledge(now)
        ban = replica.shut_for() - unread
        return [_messages.KNEW, self._epoch, replica.clock.at, ban, pools, calls]


def _show(limits: RateLimits) -> str:
    return repr(limits).removeprefix("RateLimits")
