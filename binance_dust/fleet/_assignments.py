"""Who has which account in hand, and who gets the next one: the rules of a fleet, without I/O.

A worker is handed an account if it has its key, and as many at once as it has room for. Whoever is
not heard of for a while is lost, and its accounts are handed to others. So are accounts that a
worker should have in hand and says it has not: messages may be lost, and this is how it is noticed.
The first result of an account counts, and later ones are dropped.

Time is passed in.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from binance_dust.fleet._messages import Presence

__all__ = ["Assignments", "Handout", "WorkerState"]

_TRIES: Final = 5
"""How often an account is handed out at the most: one that kills its workers does not kill all."""
_UNSEEN: Final = 2
"""How many answers in a row have to lack an errand before it is taken for lost."""


class Handout(NamedTuple):
    """An account for a worker."""

    number: int
    account: str
    worker: str
    since: float | None
    """For what may have moved funds already: when it was handed out first, by the exchange."""
    tick: float
    """The worker's own clock, as it last told it."""


@dataclass(slots=True)
class WorkerState:
    """A worker as the fleet knows it."""

    presence: Presence
    accounts: frozenset[str]
    heard: float
    hand: set[int] = field(default_factory=set)
    done: int = 0


@dataclass(slots=True)
class _Account:
    name: str
    worker: str | None = None
    """Who has it in hand."""
    handed: float = 0.0
    unseen: int = 0
    tries: int = 0
    ended: bool = False
    alone_since: float | None = None
    """Since when nobody who is there has its key."""
    since: float | None = None
    ledger: str | None = None


class Assignments:
    """The accounts of one job."""

    def __init__(  # noqa: PLR0913 - the rules, all by keyword
        self,
        names: Iterable[str] | None,
        *,
        skip: Iterable[str] = (),
        patience: float,
        wait: float,
        room: int | None = None,
        funds: bool = False,
    ) -> None:
        """Begin with nobody there; `names` are all that the workers have, if not given.

        A worker is lost after `patience` without a word; an account fails that nobody has the key
        of for `wait`. With `funds` an account goes to workers with one and the same ledger only.
        """
        self._patience = patience
        self._wait = wait
        self._room = room
        self._funds = funds
        self._all = names is None
        self._known = set(skip)
        self._accounts: list[_Account] = []
        self._add(names or ())
        self._pools: dict[frozenset[str], deque[int]] = {}
        self._ledgers: dict[str, str | None] = {}
        self.workers: dict[str, WorkerState] = {}
        self.past: dict[str, WorkerState] = {}
        """Those who were there, and what they have done."""
        self.done: int = 0
        self._sort()

    @property
    def total(self) -> int:
        """How many accounts there are, as far as is known."""
        return len(self._accounts)

    @property
    def ended(self) -> bool:
        """Whether every account has its result."""
        return self.done == len(self._accounts) and not self.nobody_came

    @property
    def nobody_came(self) -> bool:
        """Whether it isn't known yet whose accounts "all" are."""
        return self._all and not self.workers and not self.past

    @property
    def waiting(self) -> int:
        """How many accounts nobody has in hand."""
        in_hand = sum(len(worker.hand) for worker in self.workers.values())
        return len(self._accounts) - self.done - in_hand

    # --- what is heard ---------------------------------------------------------------------------

    def heard(self, presence: Presence, now: float) -> None:
        """Take note of a worker that answered."""
        worker = self.workers.get(presence.worker)
        if worker is None:
            if presence.accounts is None:
                # Lost, and now heard of again: it will be asked for its accounts.
                return
            worker = self._welcome(presence, now)
        left = presence.leaving and not worker.presence.leaving
        worker.presence, worker.heard = presence, now
        if left:
            self._sort()
        self._compare(worker, frozenset(presence.holding), now)
        if presence.leaving and not worker.hand and not presence.holding:
            self._forget(presence.worker)

    def reported(self, number: int, worker: str) -> str | None:
        """Take note of a result: the account's name, or `None` if there is one already."""
        account = self._accounts[number]
        if account.ended:
            return None
        account.ended = True
        self.done += 1
        self._take(account, number)
        for known in (self.workers, self.past):
            if worker in known:
                known[worker].done += 1
        return account.name

    def silence(self, now: float) -> None:
        """Blame nobody for not being heard: the line was down."""
        for worker in self.workers.values():
            worker.heard = now

    # --- what to do ------------------------------------------------------------------------------

    def due(self, now: float, most: int) -> list[Handout]:
        """Hand out as many accounts as there is room for, each to whoever has the most of it."""
        for name, worker in list(self.workers.items()):
            if now - worker.heard > self._patience:
                self._forget(name)
        found: list[Handout] = []
        for able in sorted(self._pools, key=len):
            while able and len(found) < most and self._pools[able]:
                name = max(sorted(able), key=self._room_of)
                if self._room_of(name) <= 0:
                    break
                number = self._pools[able].popleft()
                if self._free(number):
                    found.append(self._hand(number, name, now))
        return found

    def failed(self, now: float) -> Iterator[tuple[int, str, str]]:
        """Give up accounts that can't be had: number, name, and why. Each is told once."""
        for number in list(self._pools.get(frozenset(), ())):
            account = self._accounts[number]
            if not self._free(number):
                continue
            if account.tries >= _TRIES:
                reason = f"lost {account.tries} times, each time with its worker or on the way"
            else:
                account.alone_since = now if account.alone_since is None else account.alone_since
                if now - account.alone_since < self._wait:
                    continue
                reason = self._why_nobody(account)
            account.ended = True
            self.done += 1
            yield number, account.name, reason

    def took_back(self, number: int) -> None:
        """Take note that a handout was not sent after all."""
        account = self._accounts[number]
        account.tries -= 1
        if account.tries == 0:
            account.since = account.ledger = None
        self._give_back(number)

    # --- parts -----------------------------------------------------------------------------------

    def _welcome(self, presence: Presence, now: float) -> WorkerState:
        names = frozenset(presence.accounts or ())
        worker = self.past.pop(presence.worker, None)
        if worker is None:
            worker = WorkerState(presence, names, now)
        self.workers[presence.worker] = worker
        if self._all:
            self._add(presence.accounts or ())
        self._sort()
        return worker

    def _add(self, names: Iterable[str]) -> None:
        new = [name for name in dict.fromkeys(names) if name not in self._known]
        self._accounts += [_Account(name) for name in new]
        self._known.update(new)

    def _forget(self, name: str) -> None:
        worker = self.past[name] = self.workers.pop(name)
        hand, worker.hand = worker.hand, set()
        for number in hand:
            self._accounts[number].worker = None
        self._sort()

    def _compare(self, worker: WorkerState, holding: frozenset[int], now: float) -> None:
        """See whether a worker has in hand what it should have."""
        for number in list(worker.hand):
            account = self._accounts[number]
            if number in holding:
                account.unseen = 0
                continue
            if worker.presence.leaving:
                if number in worker.presence.begun:
                    self._give_back(number)
                else:
                    # It has not begun, and never will: as if it had not been handed out.
                    self.took_back(number)
                continue
            # What was handed out a moment ago may be on its way.
            account.unseen += now - account.handed > self._patience / 2
            if account.unseen >= _UNSEEN:
                self._give_back(number)

    def _hand(self, number: int, name: str, now: float) -> Handout:
        account, worker = self._accounts[number], self.workers[name]
        again = account.since if self._funds else None
        if account.since is None:
            account.since, account.ledger = worker.presence.clock, worker.presence.ledger
        account.worker, account.handed, account.unseen = name, now, 0
        account.tries += 1
        worker.hand.add(number)
        return Handout(number, account.name, name, again, worker.presence.tick)

    def _give_back(self, number: int) -> None:
        account = self._accounts[number]
        self._take(account, number)
        self._pools.setdefault(self._able(account), deque()).append(number)

    def _take(self, account: _Account, number: int) -> None:
        if account.worker in self.workers:
            self.workers[account.worker].hand.discard(number)
        account.worker = None

    def _free(self, number: int) -> bool:
        return self._accounts[number].worker is None and not self._accounts[number].ended

    def _room_of(self, name: str) -> int:
        worker = self.workers[name]
        room = worker.presence.room if self._room is None else min(self._room, worker.presence.room)
        return room - len(worker.hand)

    def _sort(self) -> None:
        """Put the accounts that nobody has in hand together by who could have them."""
        self._pools = {}
        if self._funds:
            self._ledgers = self._ledger_of_each()
        for number, account in enumerate(self._accounts):
            if self._free(number):
                able = self._able(account)
                self._pools.setdefault(able, deque()).append(number)
                if able:
                    account.alone_since = None

    def _able(self, account: _Account) -> frozenset[str]:
        if account.tries >= _TRIES:
            return frozenset()
        able = frozenset(
            name
            for name, worker in self.workers.items()
            if account.name in worker.accounts and not worker.presence.leaving
        )
        if not self._funds:
            return able
        ledger = account.ledger or self._ledgers.get(account.name)
        return frozenset(
            name
            for name in able
            if ledger is not None and self.workers[name].presence.ledger == ledger
        )

    def _ledger_of_each(self) -> dict[str, str | None]:
        """Find the ledger of each account; `None` where workers disagree."""
        found: dict[str, str | None] = {}
        for worker in (*self.past.values(), *self.workers.values()):
            ledger = worker.presence.ledger
            if ledger is not None:
                for name in worker.accounts:
                    found[name] = ledger if found.get(name, ledger) == ledger else None
        return found

    def _why_nobody(self, account: _Account) -> str:
        if account.since is not None:
            return "its worker was lost, and no other has its key" + (
                " and its ledger" if self._funds else ""
            )
        if self._funds and account.name in self._ledgers:
            if self._ledgers[account.name] is None:
                return "workers with different ledgers have its key: its funds stay where they are"
            return "no worker with its ledger is there"
        return "no worker has its key" + (" and a ledger" if self._funds else "")
