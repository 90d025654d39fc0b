"""A claim ends with the process that took it, or with its length. Uses real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from binance_dust import Ledger
from binance_dust.errors import GuardError, LedgerError
from binance_dust.ledger import Claim, _holders
from binance_dust.ledger._holders import Holder
from tests.ledger.makers import MINUTE, NOW, intent
from tests.systems import posix

MINE, THEIRS = (Claim("alice", "convert", holder) for holder in ("me", "they"))
HOLDS = """
import asyncio, os, sys
from binance_dust import Ledger
from binance_dust.ledger import Claim
from tests.ledger.makers import MINUTE, NOW

async def main():
    ledger = Ledger(sys.argv[1])
    await ledger.open()
    await ledger.claim(Claim("alice", "convert", "me"), now=NOW, length=MINUTE)

asyncio.run(main())
"""
WAITS = """
print("held", flush=True)
sys.stdin.readline()
"""
FORKS = """
child = os.fork()
if child == 0:
    sys.stdin.readline()
    os._exit(0)
print("held", flush=True)
os.waitpid(child, 0)
"""
STARTS = """
import subprocess
subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.readline()"])
print("held", flush=True)
sys.stdin.readline()
"""


def holders(path: Path) -> list[Path]:
    folder = path.with_name(f"{path.name}-holders")
    return sorted(folder.iterdir()) if folder.exists() else []


@contextlib.contextmanager
def another_process(path: Path, then: str = WAITS) -> Iterator[subprocess.Popen[str]]:
    """Claim alice in another process; what it has started ends when its stdin is closed."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", HOLDS + then, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()
        process.wait()


async def claimed(path: Path, claim: Claim = THEIRS) -> None:
    async with Ledger(path) as ledger:
        await ledger.claim(claim, now=NOW, length=MINUTE)


@posix
@pytest.mark.parametrize("then", [WAITS, FORKS, STARTS], ids=["alone", "forked", "started"])
async def test_a_process_s_death_ends_its_claims_though_its_children_live(
    path: Path, then: str
) -> None:
    with another_process(path, then) as process:
        with pytest.raises(GuardError, match="another convert") as caught:
            await claimed(path)
        assert caught.value.busy

        process.kill()
        process.wait()

        await claimed(path)
    assert holders(path) == []


@posix
async def test_a_frozen_process_is_alive_and_its_claim_ends_by_its_length(path: Path) -> None:
    with another_process(path) as process:
        process.send_signal(signal.SIGSTOP)

        with pytest.raises(GuardError) as caught:
            await claimed(path)
        assert caught.value.retry_at == NOW + MINUTE

        async with Ledger(path) as ledger:
            await ledger.claim(THEIRS, now=NOW + MINUTE, length=MINUTE)


@posix
async def test_of_two_ledgers_in_one_process_the_one_that_is_closed_claims_nothing(
    path: Path,
) -> None:
    async with Ledger(path) as other:
        async with Ledger(path) as one:
            await one.claim(MINE, now=NOW, length=MINUTE)
            with pytest.raises(GuardError):
                await other.claim(THEIRS, now=NOW, length=MINUTE)
            (file,) = holders(path)
            assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (
                0o600,
                0o700,
            )

        await other.claim(THEIRS, now=NOW, length=MINUTE)
        assert len(holders(path)) == 1
    assert not path.with_name(f"{path.name}-holders").exists()


@posix
async def test_a_claim_that_can_not_be_released_in_writing_is_free(path: Path) -> None:
    async with Ledger(path, busy_timeout=0.05) as one, Ledger(path) as other:
        await one.claim(MINE, now=NOW, length=MINUTE)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerError, match="writing"):
                await one.release(MINE)
            writer.execute("ROLLBACK")

        await other.claim(THEIRS, now=NOW, length=MINUTE)
        await other.release(THEIRS)
        await one.claim(MINE, now=NOW, length=MINUTE)
        with pytest.raises(GuardError):
            await other.claim(THEIRS, now=NOW, length=MINUTE)


@posix
async def test_a_ledger_that_claims_much_has_one_file_and_holds_it_all(
    ledger: Ledger, path: Path
) -> None:
    for holder in ("me", "they"):
        for number in range(3):
            claim = Claim(f"account-{number}", "convert", holder)
            if holder == "me":
                await ledger.claim(claim, now=NOW, length=MINUTE)
            else:
                with pytest.raises(GuardError):
                    await claimed(path, claim)

    assert len(holders(path)) == 1


@posix
def test_a_forked_child_keeps_no_lock_of_its_parent(path: Path) -> None:
    path.touch()
    holder, other = Holder(path), Holder(path)
    name = holder.hold()
    assert not other.is_dead(name)
    begun, ended = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other tests may have left threads
        child = os.fork()
    if not child:
        os.close(ended[1])
        os.write(begun[1], b".")
        os.read(ended[0], 1)
        os._exit(0)
    os.read(begun[0], 1)
    assert holder._file is not None

    holder._file.close()  # as the system does when we die

    assert other.is_dead(name)
    for end in (*begun, *ended):
        os.close(end)
    os.waitpid(child, 0)


@posix
async def test_what_a_forked_child_closes_is_no_lock_any_more(path: Path) -> None:
    async with Ledger(path) as ledger:
        await ledger.claim(MINE, now=NOW, length=MINUTE)

        _holders._forget()

        await claimed(path)


@posix
@pytest.mark.parametrize("user", [0, 1000])
async def test_files_of_the_superuser_are_given_to_the_ledger_s_owner(
    path: Path, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Path, int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "chown", lambda *to: given.append(to))
    async with Ledger(path) as ledger:
        await ledger.claim(MINE, now=NOW, length=MINUTE)
        (file,) = holders(path)

    owner = (os.getuid(), os.getgid())
    expected = [(each, *owner) for each in (file.parent, file)]
    assert given == ([] if user else expected)


async def test_a_ledger_in_memory_has_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        os, "geteuid", lambda: 1000, raising=False
    )  # the superuser gives files away
    async with Ledger(":memory:") as ledger:
        await ledger.claim(MINE, now=NOW, length=MINUTE)
        with pytest.raises(GuardError):
            await ledger.claim(THEIRS, now=NOW, length=MINUTE)
        assert os.listdir(tmp_path) == []  # noqa: PTH208


@posix
async def test_files_of_the_dead_are_cleared_away(path: Path) -> None:
    folder = path.with_name(f"{path.name}-holders")
    folder.mkdir()
    (folder / "0123456789abcdef").touch()
    (folder / "notes of mine").touch()

    async with Ledger(path) as ledger:
        await ledger.claim(MINE, now=NOW, length=MINUTE)

        assert len(holders(path)) == 2
    assert [file.name for file in holders(path)] == ["notes of mine"]


@posix
async def test_a_holder_whose_file_was_removed_gets_another(path: Path) -> None:
    locked = len(_holders._LOCKED)
    async with Ledger(path) as ledger, Ledger(path) as other:
        await ledger.claim(MINE, now=NOW, length=MINUTE)
        holders(path)[0].unlink()
        await ledger.claim(MINE, now=NOW, length=MINUTE)

        with pytest.raises(GuardError):
            await other.claim(THEIRS, now=NOW, length=MINUTE)
        assert len(_holders._LOCKED) == locked + 1
    assert len(_holders._LOCKED) == locked


@posix
async def test_whose_file_is_cleared_away_before_its_lock_is_not_taken_for_dead(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    lock: Callable[[Any, int], None] = fcntl.flock
    cleared: list[Path] = []

    def late(file: Any, operation: int) -> None:
        if operation & fcntl.LOCK_EX and not cleared:
            cleared.extend(holders(path))
            cleared[-1].unlink()
        lock(file, operation)

    monkeypatch.setattr("fcntl.flock", late)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    async with Ledger(path) as ledger, Ledger(path) as other:
        await ledger.claim(MINE, now=NOW, length=MINUTE)

        with pytest.raises(GuardError) as caught:
            await other.claim(THEIRS, now=NOW, length=MINUTE)
    assert caught.value.busy
    assert holders(path) == []


async def test_no_file_outside_of_the_folder_is_touched(ledger: Ledger, path: Path) -> None:
    await ledger.claim(MINE, now=NOW, length=MINUTE)
    with sqlite3.connect(path) as hand:
        hand.execute("UPDATE claims SET process = '../dust.db'")
    hand.close()

    with pytest.raises(GuardError):
        await ledger.claim(THEIRS, now=NOW, length=MINUTE)
    assert "dust.db" in {file.name for file in path.parent.iterdir()}


@posix
async def test_where_there_are_no_locks_nobody_is_taken_for_dead(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger in a folder that two systems share: one of them has locks."""
    async with Ledger(path) as ledger:
        await ledger.claim(MINE, now=NOW, length=MINUTE)
        monkeypatch.setattr(_holders, "fcntl", None)

        with pytest.raises(GuardError):
            await claimed(path)
        monkeypatch.undo()


def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr("fcntl.flock", refuse)


def no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_holders, "fcntl", None)


@posix
@pytest.mark.parametrize("without", [no_locks, no_module])
async def test_without_locks_a_claim_ends_by_its_length(
    path: Path,
    without: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without(monkeypatch)
    await claimed(path, MINE)

    async with Ledger(path) as ledger:
        with pytest.raises(GuardError) as caught:
            await ledger.claim(THEIRS, now=NOW, length=MINUTE)
        assert caught.value.retry_at == NOW + MINUTE
        await ledger.claim(THEIRS, now=NOW + MINUTE, length=MINUTE)
    assert holders(path) == []


# --- clocks --------------------------------------------------------------------------------------


async def test_a_claim_of_a_clock_that_was_ahead_is_over(ledger: Ledger) -> None:
    await ledger.claim(MINE, now=NOW + timedelta(days=365), length=MINUTE)

    await ledger.claim(THEIRS, now=NOW, length=MINUTE)

    with pytest.raises(GuardError, match="took over") as caught:
        await ledger.intend(intent(), claim=MINE, length=MINUTE)
    assert caught.value.busy


async def test_a_claim_stays_if_the_clock_is_set_back_by_two_seconds(ledger: Ledger) -> None:
    await ledger.claim(MINE, now=NOW, length=MINUTE)
    await ledger.extend(MINE, now=NOW + timedelta(seconds=2), length=MINUTE)

    with pytest.raises(GuardError) as caught:
        await ledger.claim(THEIRS, now=NOW, length=MINUTE)

    assert caught.value.retry_at == NOW + timedelta(seconds=62)
    await ledger.claim(THEIRS, now=NOW - timedelta(milliseconds=1), length=MINUTE)
