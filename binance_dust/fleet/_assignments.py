"""Which worker has which account in hand, and which one gets the next: the rules, without I/O.

A worker is handed accounts that it has the key of, and as many at once as it has room for. A worker
that does not answer for a while is lost, and its accounts are handed to others. So are accounts
that a worker should have in hand and does not name in its status: this is how lost messages are
noticed. The first result of an account counts, and later ones are dropped. But a failure that may
be the worker's is tried on another worker first.

Time is passed in.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from binance_dust.fleet._states import AccountState, WorkerState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from binance_dust.errors import DustError
    from binance_dust.fleet._messages import WorkerStatus

__all__ = ["Assignments", "Handout"]

_TRIES: Final = 5
"""An account is handed out at most so often: if it kills its workers, it does not kill all."""
_MISSING: Final = 2
"""An account is lost if it is missing in so many answers of its worker in a row."""


class Handout(NamedTuple):
    """An account for a worker; the fields are those of its `WorkItem`."""

    number: int
    account: str
    worker: str
    since: float | None
    worker_time: float


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
        """Begin without workers; without `names` all accounts of all workers are done.

        A worker is lost after `patience` without an answer. An account fails if for `wait` no
        worker is there that has its key. With `funds` an account goes only to workers that all have
        the same ledger.
        """
        self._patience = patience
        self._wait = wait
        self._room = room
        self._funds = funds
        self._all = names is None
        self._known = set(skip)
        self._accounts: list[AccountState] = []
        self._add(names or ())
        self._free: dict[frozenset[str], deque[int]] = {}
        """Accounts that no worker has in hand, by the workers that could do them."""
        self._ledgers: dict[str, str | None] = {}
        self.workers: dict[str, WorkerState] = {}
        self.past_workers: dict[str, WorkerState] = {}
        """Workers that have left or are lost."""
        self.done: int = 0
        self._doubted: frozenset[str] = frozenset()
        self._group()

    @property
    def total(self) -> int:
        """How many accounts there are, as far as is known."""
        return len(self._accounts)

    @property
    def ended(self) -> bool:
        """Whether every account has its result."""
        return self.done == len(self._accounts) and not self.no_worker_came

    @property
    def no_worker_came(self) -> bool:
        """Whether no worker has said yet which accounts "all" are."""
        return self._all and not self.workers and not self.past_workers

    @property
    def waiting(self) -> int:
        """How many accounts no worker has in hand."""
        in_hand = sum(len(worker.in_hand) for worker in self.workers.values())
        return len(self._accounts) - self.done - in_hand

    # --- what workers say ------------------------------------------------------------------------

    def on_status(self, status: WorkerStatus, now: float) -> None:
        """Take note of a worker's status."""
        worker = self.workers.get(status.worker)
        if worker is None:
            if status.accounts is None:
                # It was lost, and answers again: the next request asks for its accounts.
                return
            worker = self._add_worker(status, now)
        begins_to_leave = status.leaving and not worker.status.leaving
        worker.status, worker.heard_at = status, now
        if begins_to_leave:
            self._group()
        self._compare(worker, frozenset(status.holding), now)
        if status.leaving and not worker.in_hand and not status.holding:
            self._remove_worker(status.worker)

    def on_failure(self, number: int, worker: str, error: DustError, now: float) -> bool:
        """Take note of a failure that may be the worker's; say whether another one tries again.

        If not, the failure is the account's result.
        """
        account, state = self._accounts[number], self.worker(worker)
        if account.ended or state is None:
            return False
        if worker in account.failed_at:
            return True  # the message came twice
        judged = bool(account.failed_at) and state.health.well
        account.failed_at.append(worker)
        state.health.fails(error, now)
        if account.worker != worker:
            # It was taken for lost there: another worker tries already, or is looked for.
            return True
        if judged or not self._workers_for(account):
            self._judge(account, guilty=False)
            return False
        # Nothing was sent, or it was refused: for the next worker it is a new order.
        account.since = None
        self._give_back(number)
        self._group_if_changed()
        return True

    def on_result(self, number: int, worker: str, *, failed: bool = False) -> str | None:
        """Take note of a result; give the account's name, or `None` if it has a result already.

        `failed` says that `on_failure` was told of it.
        """
        account, state = self._accounts[number], self.worker(worker)
        if account.ended:
            return None
        account.ended = True
        self.done += 1
        self._take(account, number)
        if state is not None:
            state.done += 1
            if not failed:
                self._judge(account, guilty=True, well=state)
        return account.name

    def excuse_silence(self, now: float) -> None:
        """Take no worker for lost because of the silence so far: the queues were unreachable."""
        for worker in self.workers.values():
            worker.heard_at = now

    # --- what to do ------------------------------------------------------------------------------

    def hand_out(self, now: float, most: int) -> list[Handout]:
        """Hand out accounts while there is room, each to the worker that has the most room."""
        for name, worker in list(self.workers.items()):
            if now - worker.heard_at > self._patience:
                self._remove_worker(name)
        found = self._hand_to_sick(now)
        for able in sorted(self._free, key=len):
            while able and len(found) < most and self._free[able]:
                name = max(sorted(able), key=self._room_of)
                if self._room_of(name) <= 0:
                    break
                number = self._free[able].popleft()
                if self._is_free(number):
                    found.append(self._hand_to(number, name, now))
        return found

    def give_up(self, now: float) -> Iterator[tuple[int, str, str]]:
        """Give number, name and reason of each account that no worker can do, once each."""
        for number in list(self._free.get(frozenset(), ())):
            account = self._accounts[number]
            if not self._is_free(number):
                continue
            if account.failed_at:
                reason = "no other worker is there to try again"
            elif account.tries >= _TRIES:
                reason = f"lost {account.tries} times, each time with its worker or on the way"
            else:
                if account.no_worker_since is None:
                    account.no_worker_since = now
                if now - account.no_worker_since < self._wait:
                    continue
                reason = self._why_no_worker(account)
            account.ended = True
            self.done += 1
            self._judge(account, guilty=False)
            yield number, account.name, reason

    def is_of(self, number: int, account: str) -> bool:
        """Whether an account of the job has this number."""
        return number < len(self._accounts) and self._accounts[number].name == account

    def take_back_doubtful(self, number: int) -> None:
        """Take back an account that may have reached its worker: the next worker finds out."""
        self._give_back(number)

    def take_back_unsent(self, number: int) -> None:
        """Take back an account that did not reach its worker, as if it was not handed out."""
        account = self._accounts[number]
        account.tries -= 1
        if account.tries == 0:
            account.since = account.ledger = None
        self._give_back(number)

    def worker(self, name: str) -> WorkerState | None:
        """Give a worker, also one that has left."""
        return self.workers.get(name) or self.past_workers.get(name)

    # --- parts -----------------------------------------------------------------------------------

    def _judge(
        self, account: AccountState, *, guilty: bool, well: WorkerState | None = None
    ) -> None:
        """Find the workers guilty at which it failed, or not; `well` is the one that did it."""
        failed_at = [each for name in account.failed_at if (each := self.worker(name)) is not None]
        for each in failed_at:
            each.health.is_judged(guilty=guilty)
        if well is not None:
            well.health.succeeds()
        self._group_if_changed()

    def _group_if_changed(self) -> None:
        sick = frozenset(name for name, each in self.workers.items() if each.health.doubted)
        if sick != self._doubted:
            self._doubted = sick
            self._group()

    def _hand_to_sick(self, now: float) -> list[Handout]:
        """Give one account to each worker that may show that it is well again."""
        found: list[Handout] = []
        for name, worker in self.workers.items():
            if worker.health.may_show(now) and not worker.in_hand:
                free = (number for group in self._free.values() for number in group)
                numbers = (number for number in free if self._could_do(name, number))
                found += [self._hand_to(number, name, now) for number in islice(numbers, 1)]
        return found

    def _could_do(self, name: str, number: int) -> bool:
        return self._is_free(number) and name in self._able(self._accounts[number])

    def _add_worker(self, status: WorkerStatus, now: float) -> WorkerState:
        names = frozenset(status.accounts or ())
        worker = self.past_workers.pop(status.worker, None)
        if worker is None:
            worker = WorkerState(status, names, now)
        self.workers[status.worker] = worker
        if self._all:
            self._add(status.accounts or ())
        self._group()
        return worker

    def _add(self, names: Iterable[str]) -> None:
        new = [name for name in dict.fromkeys(names) if name not in self._known]
        self._accounts += [AccountState(name) for name in new]
        self._known.update(new)

    def _remove_worker(self, name: str) -> None:
        worker = self.past_workers[name] = self.workers.pop(name)
        for number in worker.in_hand:
            self._accounts[number].worker = None
        worker.in_hand = set()
        self._group()

    def _compare(self, worker: WorkerState, holding: frozenset[int], now: float) -> None:
        """Find the accounts that a worker should have in hand and has not."""
        for number in list(worker.in_hand):
            account = self._accounts[number]
            if number in holding:
                account.missing = 0
                continue
            if worker.status.leaving:
                if number in worker.status.begun:
                    self._give_back(number)
                else:
                    # It has not begun, and never will.
                    self.take_back_unsent(number)
                continue
            # An account that was handed out a moment ago may still be on its way.
            account.missing += now - account.handed_at > self._patience / 2
            if account.missing >= _MISSING:
                self._give_back(number)

    def _hand_to(self, number: int, name: str, now: float) -> Handout:
        account, worker = self._accounts[number], self.workers[name]
        again = account.since if self._funds else None
        if account.since is None:
            account.since, account.ledger = worker.status.exchange_time, worker.status.ledger
        account.worker, account.handed_at, account.missing = name, now, 0
        account.tries += 1
        worker.in_hand.add(number)
        return Handout(number, account.name, name, again, worker.status.worker_time)

    def _give_back(self, number: int) -> None:
        account = self._accounts[number]
        self._take(account, number)
        self._free.setdefault(self._workers_for(account), deque()).append(number)

    def _take(self, account: AccountState, number: int) -> None:
        if account.worker in self.workers:
            self.workers[account.worker].in_hand.discard(number)
        account.worker = None

    def _is_free(self, number: int) -> bool:
        return self._accounts[number].worker is None and not self._accounts[number].ended

    def _room_of(self, name: str) -> int:
        worker = self.workers[name]
        room = worker.status.room if self._room is None else min(self._room, worker.status.room)
        return room - len(worker.in_hand)

    def _group(self) -> None:
        """Group the free accounts by the workers that could do them."""
        self._free = {}
        if self._funds:
            self._ledgers = self._ledger_of_each()
        for number, account in enumerate(self._accounts):
            if self._is_free(number):
                able = self._workers_for(account)
                self._free.setdefault(able, deque()).append(number)
                if able:
                    account.no_worker_since = None

    def _workers_for(self, account: AccountState) -> frozenset[str]:
        """Find the workers that could do an account; sick ones only if there is no other."""
        able = self._able(account)
        health = {name: self.workers[name].health for name in able}
        # What ends a doubt does not wait for other doubts to end.
        again = bool(account.failed_at)
        sick = {name for name in able if health[name].aside or (health[name].doubted and not again)}
        return able - sick or able

    def _able(self, account: AccountState) -> frozenset[str]:
        if account.tries >= _TRIES:
            return frozenset()
        able = frozenset(
            name
            for name, worker in self.workers.items()
            if account.name in worker.accounts
            and not worker.status.leaving
            and name not in account.failed_at
        )
        if not self._funds:
            return able
        ledger = account.ledger or self._ledgers.get(account.name)
        return frozenset(
            name
            for name in able
            if ledger is not None and self.workers[name].status.ledger == ledger
        )

    def _ledger_of_each(self) -> dict[str, str | None]:
        """Find the ledger of each account; `None` if its workers have different ones."""
        found: dict[str, str | None] = {}
        for worker in (*self.past_workers.values(), *self.workers.values()):
            ledger = worker.status.ledger
            if ledger is not None:
                for name in worker.accounts:
                    found[name] = ledger if found.get(name, ledger) == ledger else None
        return found

    def _why_no_worker(self, account: AccountState) -> str:
        if account.since is not None:
            return "its worker was lost, and no other has its key" + (
                " and its ledger" if self._funds else ""
            )
        if self._funds and account.name in self._ledgers:
            if self._ledgers[account.name] is None:
                return "workers with different ledgers have its key: its funds stay where they are"
            return "no worker with its ledger is there"
        return "no worker has its key" + (" and a ledger" if self._funds else "")
