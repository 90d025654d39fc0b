"""A fleet as an object: its options, its life, and what it never shows."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from binance_dust import (
    ConfigurationError,
    Credentials,
    NotSentError,
    Session,
)
from binance_dust._version import __version__
from binance_dust.cli import _fleet
from binance_dust.cli.fleet import show_workers
from binance_dust.fleet import Fleet, FleetProgress, Timing, Worker, WorkerInfo, WorkerProgress
from binance_dust.fleet._queues import MemoryBroker
from binance_dust.ledger import Ledger
from binance_dust.sandbox import Sandbox
from tests.cli.test_terminals import CONTROL, check_lines, recorded, replayed
from tests.fleet.conftest import TIMING, StartWorker

__all__ = ["recorded"]  # a fixture


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda fleet: fleet.scan("alice"), TypeError),
        (lambda fleet: fleet.scan([1]), TypeError),
        (lambda fleet: fleet.scan(target=" "), ConfigurationError),
        (lambda fleet: fleet.scan(liabilities="never"), ConfigurationError),
        (lambda fleet: Fleet("http://example.org"), ConfigurationError),
        (lambda fleet: Fleet(name=" "), ConfigurationError),
        (lambda fleet: Fleet(timing=Timing(pulse=1, patience=1)), ConfigurationError),
        (lambda fleet: Timing(pulse=0), ConfigurationError),
        (lambda fleet: Worker([]), ConfigurationError),
        (lambda fleet: Worker(["alice"]), TypeError),  # type: ignore[list-item]
    ],
)
async def test_wrong_use_is_an_error_before_anything_is_sent(
    fleet: Fleet, wrong: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        wrong(fleet)


async def test_fleets_and_workers_are_never_pickled_and_show_no_url(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet
) -> None:
    worker = await start_worker(exchange.open_accounts(1))
    for thing in (worker, fleet):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
    assert "secret" not in repr(Fleet("redis://:secret@queue"))
    twice = [Session().client(Credentials("a", "b", name="alice")) for _ in range(2)]
    with pytest.raises(ConfigurationError, match="two accounts are called 'alice'"):
        Worker(twice)


async def test_names_travel_and_keys_do_not(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = exchange.open_accounts(3)
    sent: list[bytes] = []
    kick = MemoryBroker.kick

    async def overheard(self: MemoryBroker, message: Any) -> None:
        sent.append(message.message)
        await kick(self, message)

    monkeypatch.setattr(MemoryBroker, "kick", overheard)
    await start_worker(accounts)
    assert len([report async for report in fleet.scan()]) == 3

    everything = b"".join(sent)
    assert b"binance_dust.visit" in everything
    for account in accounts:
        assert (account.name or "").encode() in everything
        assert account.secret.reveal().encode() not in everything
        assert account.api_key.encode() not in everything


async def test_a_fleet_is_opened_once_and_again_after_it_was_closed(url: str) -> None:
    async with Fleet(url, timing=TIMING) as fleet:
        senders = fleet._queues._sender, fleet._queues._broadcaster
        with pytest.raises(ConfigurationError, match="open already"):
            await fleet.open()
        assert (fleet._queues._sender, fleet._queues._broadcaster) == senders

    async with fleet:
        assert [report.account async for report in fleet.scan(["alice"])] == ["alice"]


async def test_fleets_of_different_names_do_not_meet(
    exchange: Sandbox, start_worker: StartWorker, url: str
) -> None:
    await start_worker(exchange.open_accounts(2), fleet="theirs")
    async with Fleet(url, name="ours", timing=TIMING) as fleet:
        with pytest.raises(NotSentError, match="no worker is there"):
            await anext(fleet.scan())


def test_sick_workers_are_named_in_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    workers = (
        WorkerProgress("one", 90, 0, 0.0, True),
        WorkerProgress("two", 0, 0, 0.0, True, 569, True, "NotSentError: bind"),
        WorkerProgress("three", 5, 0, 0.0, False, 1, False, "ClockError: late"),
    )

    _fleet.print_sick(FleetProgress(95, 0, 95, 1.0, 0.0, workers))

    there = "failed there and not elsewhere"
    assert capsys.readouterr().err.splitlines() == [
        f"binance-dust: worker two: 569 accounts {there}; it was put aside: NotSentError: bind",
        f"binance-dust: worker three: 1 account {there}: ClockError: late",
    ]


async def test_a_fleet_says_which_workers_are_there(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, ledger: Ledger
) -> None:
    assert await fleet.status() == ()
    accounts = exchange.open_accounts(3)
    await start_worker(accounts, name="two", ledger=ledger)
    await start_worker(accounts[:1], name="one")

    one, two = await fleet.status()

    assert (one.name, one.converts, len(one.accounts)) == ("one", False, 1)
    assert (two.name, two.converts, len(two.accounts)) == ("two", True, 3)
    assert (two.in_hand, two.shut_for, two.leaving) == (0, 0, False)
    assert two.version == __version__


def test_a_table_of_workers_fits_a_terminal(recorded: list[tuple[Any, Any]]) -> None:
    names = tuple(f"account-{number}" for number in range(1_234))
    workers = (
        WorkerInfo("one", names, True, 256, 0.0, False, "0.1.0"),
        WorkerInfo("worker-behind-a-long-address", names[:9], False, 0, 600.0, False, "0.1.0"),
    )

    show_workers(workers)
    printed = [*recorded]

    for width in (60, 80, 120):
        screen = CONTROL.sub("", replayed(printed, width))
        check_lines(screen, width)
        assert "worker-behind-a-long-address" in screen
        assert "1,234" in screen
        assert "banned for 10 min" in screen
        assert "2 workers, 1,234 accounts, 1,225 of them at one worker only." in screen
