"""A worker: the accounts whose keys it has, behind its own address, at a fleet's service."""

from __future__ import annotations

import asyncio
import platform
import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, Self

from binance_dust._util.checks import instance
from binance_dust._util.lifetimes import Closing
from binance_dust.client import DustClient
from binance_dust.errors import ConfigurationError, NotSentError
from binance_dust.events import logger
from binance_dust.fleet import _tasks
from binance_dust.fleet._carry import to_plain
from binance_dust.fleet._engagement import Engagement
from binance_dust.fleet._messages import Call, Errand, Presence, Result
from binance_dust.fleet._orders import carry_out, find_out, identity
from binance_dust.fleet._post import Post, listen, wait
from binance_dust.ledger import Ledger
from binance_dust.scanner import estimate_scan

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Worker"]

_ROOM: Final = 256
"""Accounts that a worker has in hand at once: two windows' worth of the heaviest question, so that
the next window finds enough of them waiting, and few enough to be taken over soon."""
_ERRANDS: Final = 1 << 16
"""Errands that taskiq runs at once. How many there are is the fleets' business: see `room`."""
_GONE: Final = 6
"""A fleet that was silent for so many times its own patience is gone."""
_REMEMBERED: Final = 1024
"""Jobs that have ended, whose late errands are known for what they are."""


class Worker(Closing):
    """Reads accounts for fleets, and converts their dust, until it is closed.

        async with Session(local_addr="10.0.0.2") as session:
            clients = [session.client(credentials) for credentials in Credentials.load(path)]
            async with Worker(clients, "redis://queue.internal") as worker:
                await stop.wait()

    Only names travel: a worker is handed the accounts whose clients it was given.
    """

    def __init__(  # noqa: PLR0913 - the public face, all but two by keyword
        self,
        clients: Iterable[DustClient],
        url: str = "memory://",
        *,
        ledger: Ledger | None = None,
        fleet: str = "binance-dust",
        name: str | None = None,
        concurrency: int = 64,
        room: int = _ROOM,
        grace: float = 10.0,
    ) -> None:
        """Take the accounts; nothing is opened.

        With an open `ledger` it also converts, if a fleet asks for that. `fleet` is the name under
        which fleets and workers meet at a URL. `concurrency` is as for `scan`, `room` how many
        accounts it has in hand at once. When it is closed, what it has in hand has `grace` seconds
        to end, and the rest is given back; a conversion that has begun is waited for.
        """
        self._clients = _by_name(clients)
        self._ledger = ledger if ledger is None else instance(ledger, Ledger, "ledger")
        self._ledger_id = None if ledger is None else identity(ledger)
        for option, value in (("concurrency", concurrency), ("room", room)):
            if instance(value, int, option) < 1:
                raise ConfigurationError(f"{option} must be at least 1, not {value}")
        self._post = Post(url, fleet)
        self._name = name or platform.node() or "worker"
        # Of this life alone: what was sent to an earlier one is not heard by this one.
        self._id = f"{self._name}-{secrets.token_hex(4)}"
        self._concurrency = concurrency
        self._room = room
        self._grace = grace
        self._engagements: dict[str, Engagement] = {}
        self._dismissed: list[Engagement] = []
        """Of jobs that have ended: conversions that were begun go on."""
        self._over: OrderedDict[str, None] = OrderedDict()
        self._idle = asyncio.Event()
        self._engaged = asyncio.Event()
        self._ending = asyncio.Event()
        self._leaving = False
        self._lines: list[asyncio.Task[None]] = []

    @property
    def name(self) -> str:
        """What progress calls it."""
        return self._name

    @property
    def in_hand(self) -> int:
        """How many accounts it has in hand."""
        engagements = (*self._engagements.values(), *self._dismissed)
        return sum(len(engagement.hand) for engagement in engagements)

    # --- life ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Begin to listen."""
        if self._lines:
            raise ConfigurationError("this worker is open already")
        if self._ledger is not None:
            for session in {client.session for client in self._clients.values()}:
                await self._ledger.refuse_other(session)
        await self._post.open()
        for queue in (self._post.bulletin, self._post.queue(self._id)):
            broker = self._post.reader(queue)
            broker.state.worker = self
            await broker.startup()
            line = listen(broker, self._ending, at_once=_ERRANDS, grace=self._grace)
            self._lines.append(asyncio.create_task(line, name=f"binance-dust worker {self._name}"))
        self._lines.append(asyncio.create_task(self._watch(), name="binance-dust worker's watch"))

    async def close(self) -> None:
        """Take nothing more, end what was begun, give the rest back, and go. Twice is no harm."""
        if not self._lines:
            return
        self._leaving = True
        await self._tell_all()
        await self._wind_up()
        await self._tell_all()
        self._engagements.clear()
        self._ending.set()
        self._lines[-1].cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        self._lines.clear()
        await self._post.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    # --- what the tasks do -----------------------------------------------------------------------

    async def answer(self, call: Call) -> None:
        """Answer a roll call."""
        if call.job in self._over:
            return
        engagement = self._engagements.get(call.job)
        if engagement is None:
            if self._leaving:
                return
            engagement = Engagement(call, concurrency=self._concurrency)
            self._engagements[call.job] = engagement
            self._engaged.set()
        engagement.called(call)
        await self._tell(engagement)

    async def dismiss(self, job: str) -> None:
        """Drop what was asked for in a job that has ended."""
        self._over[job] = None
        if len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)
        engagement = self._engagements.pop(job, None)
        if engagement is not None:
            self._dismissed.append(engagement)
            await engagement.drop()
            self._check_idle()

    async def visit(self, errand: Errand) -> None:
        """Read an account, and report."""
        engagement = self._taken(errand)
        if engagement is None:
            return
        try:
            report = await engagement.round(errand).visit(self._clients[errand.account])
            await self._send(errand, report.to_plain())
        except asyncio.CancelledError:
            # The round was stopped. taskiq would write an error to the log.
            logger.debug("%s: dropped", errand.account)
        finally:
            engagement.hand.discard(errand.number)
            self._check_idle()

    async def convert(self, errand: Errand) -> None:
        """Convert an account's dust, or find out what became of that, and report."""
        ledger, engagement = self._ledger, self._engagements.get(errand.job)
        if ledger is None or engagement is None:
            return
        if errand.since is None and (
            errand.number in engagement.begun or engagement.is_stale(errand)
        ):
            # The message came twice, or too late.
            return
        if self._taken(errand) is None:
            return
        client = self._clients[errand.account]
        try:
            if errand.since is None:
                engagement.begun.add(errand.number)
                report = await carry_out(
                    client, ledger, errand.asks, may_begin=lambda: engagement.check(errand)
                )
            else:
                report = await find_out(client, ledger, errand.asks, errand.since)
            await self._send(errand, to_plain(report))
        finally:
            engagement.hand.discard(errand.number)
            self._check_idle()

    async def foresee(self, errand: Errand) -> None:
        """Say how long the limits would make reading so many accounts last."""
        asks = dict(errand.asks)
        clients = [self._clients[name] for name in asks.pop("accounts")]
        found = estimate_scan(clients, **asks)
        lanes = [[lane.question, lane.calls, lane.weight, lane.seconds] for lane in found.lanes]
        await self._send(errand, {"seconds": found.seconds, "lanes": lanes})

    # --- parts -----------------------------------------------------------------------------------

    def _taken(self, errand: Errand) -> Engagement | None:
        """Take an errand in hand, unless it is there already or comes too late."""
        engagement = self._engagements.get(errand.job)
        if self._leaving or engagement is None or errand.account not in self._clients:
            return None
        if errand.number in engagement.hand:
            return None
        engagement.hand.add(errand.number)
        self._idle.clear()
        return engagement

    def _presence(self, engagement: Engagement) -> Presence:
        elsewhere = self.in_hand - len(engagement.hand)
        known = self._id in engagement.call.known
        return Presence(
            worker=self._id,
            name=self._name,
            room=0 if self._leaving else max(0, self._room - elsewhere),
            holding=tuple(engagement.hand),
            begun=tuple(engagement.begun) if self._leaving else (),
            leaving=self._leaving,
            ledger=self._ledger_id,
            clock=self._any_client.session.now().timestamp(),
            tick=asyncio.get_running_loop().time(),
            seconds_left=engagement.seconds_left,
            accounts=None if known else tuple(self._clients),
        )

    async def _tell(self, engagement: Engagement) -> None:
        try:
            await self._post.send(engagement.call.reply_to, _tasks.HERE, self._presence(engagement))
        except NotSentError as error:
            # It will be asked again, and in the end it is lost to the fleet.
            logger.debug("%s: %s", self._name, error)

    async def _tell_all(self) -> None:
        for engagement in list(self._engagements.values()):
            await self._tell(engagement)

    async def _send(self, errand: Errand, value: dict[str, Any]) -> None:
        result = Result(job=errand.job, number=errand.number, worker=self._id, value=value)
        try:
            await self._post.send(errand.reply_to, _tasks.RESULT, result)
        except NotSentError as error:
            # The fleet will miss it, and ask for it again.
            logger.warning("%s: the result of %s is lost: %s", self._name, errand.account, error)

    async def _wind_up(self) -> None:
        """Wait until nothing is in hand, for a while."""
        self._check_idle()
        await wait(self._idle, self._grace)
        for job in list(self._engagements):
            await self._engagements[job].drop()
        # What is left moves funds.
        self._check_idle()
        await self._idle.wait()

    def _check_idle(self) -> None:
        self._dismissed = [engagement for engagement in self._dismissed if engagement.hand]
        if self.in_hand == 0:
            self._idle.set()

    async def _watch(self) -> None:
        """Drop the jobs of fleets that are silent for too long: they have died."""
        while True:
            await self._engaged.wait()
            self._engaged.clear()
            while self._engagements:
                await asyncio.sleep(min(each.call.patience for each in self._engagements.values()))
                for job, engagement in list(self._engagements.items()):
                    if engagement.silence > engagement.call.patience * _GONE:
                        logger.info("%s: a fleet has gone silent, its job is dropped", self._name)
                        await self.dismiss(job)

    @property
    def _any_client(self) -> DustClient:
        return next(iter(self._clients.values()))

    def __repr__(self) -> str:
        return f"<Worker {self._name}, {len(self._clients)} accounts, {self.in_hand} in hand>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("a Worker holds clients, which hold keys, and is never pickled")


def _by_name(clients: Iterable[DustClient]) -> dict[str, DustClient]:
    found: dict[str, DustClient] = {}
    for client in clients:
        name = instance(client, DustClient, "each client").name
        if found.setdefault(name, client) is not client:
            raise ConfigurationError(f"two accounts are called {name!r}")
    if not found:
        raise ConfigurationError("a worker needs accounts")
    return found
