"""A file that is not a ledger, or a disk that fails, is a clear error before anything is sent.

Uses real processes and full disks.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from binance_dust import (
    ConfigurationError,
    Converter,
    Ledger,
    LedgerError,
    RateLimits,
    Session,
)
from binance_dust.ledger import Books, _file, _schema
from binance_dust.ledger._store import LedgerStore
from binance_dust.sandbox import Sandbox
from tests.conversion.far import MEMORY
from tests.ledger.makers import HOUR, MINUTE, NOW, intent, numbered
from tests.systems import posix


async def opened(path: Path) -> None:
    async with Ledger(path):
        pass


def modes_of(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@posix
async def test_the_file_is_readable_only_by_its_owner(ledger: Ledger, path: Path) -> None:
    await ledger.intend(intent(), length=MINUTE)

    modes = modes_of(path.parent)

    assert modes == {"dust.db": 0o600, "dust.db-wal": 0o600, "dust.db-shm": 0o600}


def a_directory(path: Path) -> None:
    path.mkdir()


def a_text(path: Path) -> None:
    path.write_text("account,asset,amount\n" * 100)


def a_short_text(path: Path) -> None:
    path.write_text("x")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def another_program_s(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE orders (id INTEGER)")
    other.close()


def another_application(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA application_id = 7")
        other.execute("PRAGMA user_version = 1")
    other.close()


async def make(path: Path) -> None:
    async with Ledger(path) as ledger:
        await ledger.record([numbered(n) for n in range(200)], now=NOW)


def read_only(path: Path) -> None:
    asyncio.run(make(path))
    path.chmod(0o400)


def newer(path: Path) -> None:
    asyncio.run(make(path))
    with sqlite3.connect(path) as ledger:
        ledger.execute(f"PRAGMA user_version = {_schema.VERSION + 1}")
    ledger.close()


def damaged(path: Path) -> None:
    asyncio.run(make(path))
    content = bytearray(path.read_bytes())
    for begin in range(4096 * 3, len(content) - 4096, 4096):
        content[begin : begin + 64] = b"\xff" * 64
    path.write_bytes(content)


def damage_old_entries(path: Path) -> None:
    """Damage the page of the first entries, where no call looks."""
    content = bytearray(path.read_bytes())
    begin = content.index(b"2026-11-21T12:01:00")
    begin -= begin % 4096
    content[begin : begin + 64] = b"\xff" * 64
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    asyncio.run(make(path))
    os.truncate(path, 6000)


SPOILT = {
    a_directory: "is a directory",
    a_text: "not an SQLite database",
    a_short_text: "not an SQLite database",
    a_pipe: "not a regular file",
    another_program_s: "another program's database",
    another_application: "another program's database",
    read_only: "can't be written",
    newer: "newer version",
    damaged: "damaged",
    cut_short: "damaged",
}


@pytest.mark.parametrize(
    ("spoil", "words"), SPOILT.items(), ids=[spoil.__name__ for spoil in SPOILT]
)
def test_a_file_that_can_not_be_used_is_refused_in_plain_words(
    path: Path, spoil: object, words: str
) -> None:
    spoil(path)  # type: ignore[operator]

    with pytest.raises(LedgerError, match=words) as caught:
        asyncio.run(opened(path))

    assert caught.value.path == str(path)
    assert caught.value.entry_ids == ()


async def test_of_a_large_file_only_what_calls_rely_on_is_read_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(path)
    await asyncio.to_thread(damage_old_entries, path)
    with pytest.raises(LedgerError, match="damaged"):
        await opened(path)
    monkeypatch.setattr(_file, "_SMALL", 0)

    async with Ledger(path) as ledger:
        with pytest.raises(LedgerError, match="damaged"):
            await ledger.check()
        with pytest.raises(LedgerError, match="damaged"):
            await ledger.entry(1)
        assert (await ledger.intend(intent(), length=HOUR)).id == 201


def test_a_large_file_that_was_cut_short_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(make(path))
    os.truncate(path, path.stat().st_size // 2)
    monkeypatch.setattr(_file, "_SMALL", 0)

    with pytest.raises(LedgerError, match="damaged"):
        asyncio.run(opened(path))


async def test_a_whole_file_passes_its_check(path: Path) -> None:
    await make(path)
    async with Ledger(path) as ledger:
        await ledger.check()


async def test_another_task_learns_that_it_could_not_be_opened(path: Path) -> None:
    ledger = Ledger(path.parent)

    opening, reading = await asyncio.gather(ledger.open(), ledger.books(), return_exceptions=True)

    assert isinstance(opening, LedgerError)
    assert isinstance(reading, ConfigurationError)
    # The other task may ask while it is tried, or just after it has failed.
    assert str(reading).startswith(f"ledger {path.parent} ")
    assert str(reading).partition(f"{path.parent} ")[2] in {
        "could not be opened",
        "is not open: use it in `async with`",
    }


async def test_a_missing_folder_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=os.strerror(errno.ENOENT)):
        await opened(tmp_path / "nowhere" / "dust.db")


def test_a_refused_file_is_not_changed(path: Path) -> None:
    another_program_s(path)
    before = path.read_bytes()

    with pytest.raises(LedgerError):
        asyncio.run(opened(path))

    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["dust.db"]


async def test_many_may_open_a_new_file_at_once() -> None:
    # In memory, so that the disk does not slow them down.
    for _ in range(20):
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            path = Path(folder) / "dust.db"
            await asyncio.gather(*[opened(path) for _ in range(12)])


@pytest.mark.parametrize("version", range(1, _schema.VERSION))
async def test_an_older_ledger_is_brought_up_to_date(path: Path, version: int) -> None:
    with sqlite3.connect(path) as old:
        for script in _schema.MIGRATIONS[:version]:
            old.executescript(script)
        old.execute(f"PRAGMA application_id = {_schema.APPLICATION_ID}")
        old.execute(f"PRAGMA user_version = {version}")
        old.execute(
            "INSERT INTO entries (account, kind, account_type, target, status, at)"
            " VALUES ('alice', 'dust', 'SPOT', 'BNB', 'intended', '2026-11-21T12:00:00.000000Z')"
        )
    old.close()

    async with Ledger(path) as ledger:
        assert [entry.status async for entry in ledger.entries()] == ["intended"]
        # The kind of exchange is not known: the next use decides it.
        assert await ledger.books() is None
        await ledger.record([], now=NOW, books=Books.REAL)
        assert await ledger.books() is Books.REAL

    with sqlite3.connect(path) as now:
        assert now.execute("PRAGMA user_version").fetchone()[0] == _schema.VERSION
    now.close()


async def test_a_migration_that_fails_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(path)
    broken = (*_schema.MIGRATIONS, "CREATE TABLE fine (id);\nCREATE TABLE entries (id);\n")
    with monkeypatch.context() as patch:
        patch.setattr(_schema, "MIGRATIONS", broken)
        patch.setattr(_schema, "VERSION", len(broken))
        with pytest.raises(LedgerError, match="entries"):
            await opened(path)

    await opened(path)
    with sqlite3.connect(path) as now:
        assert now.execute("SELECT count(*) FROM sqlite_master WHERE name='fine'").fetchone() == (
            0,
        )
    now.close()


async def test_another_writer_is_waited_for_and_then_reported(path: Path) -> None:
    async with Ledger(path, busy_timeout=0.05) as ledger:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another process has been writing"):
            await ledger.intend(intent(), length=MINUTE)
        other.execute("ROLLBACK")
        other.close()

        assert (await ledger.intend(intent(), length=MINUTE)).status == "intended"


# --- a disk that fills up ------------------------------------------------------------------------


async def fill(ledger: Ledger) -> None:
    """Stop the database from growing: SQLite reports a full disk."""

    def limit(store: LedgerStore) -> None:
        db = store._connection
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")

    await ledger._thread.run(limit)


async def use_up(ledger: Ledger) -> None:
    """Write until the disk is full."""
    for n in range(1000):
        await ledger.record([numbered(n)], now=NOW)


async def test_on_a_full_disk_nothing_is_sent(path: Path) -> None:
    async with (
        Sandbox(seed=7) as exchange,
        Session(base_url=exchange.url, limits=RateLimits()) as session,
        Ledger(path) as ledger,
    ):
        alice = exchange.open_account("alice", ADA="6.21")
        converter = Converter(session.client(alice), ledger=ledger)
        quote = await converter.quote()
        await fill(ledger)
        asked = len(exchange.requests)

        with pytest.raises(LedgerError, match="the disk is full"):
            await use_up(ledger)
        with pytest.raises(LedgerError, match="the disk is full") as caught:
            await converter.convert(quote)

        assert exchange.conversions == ()
        assert len(exchange.requests) - asked <= 1, "it reads the balances at most"
        assert caught.value.entry_ids == ()


async def test_an_outcome_lost_on_a_full_disk_is_settled_once_there_is_room(path: Path) -> None:
    async with (
        Sandbox(seed=7) as exchange,
        Session(base_url=exchange.url) as session,
    ):
        alice = exchange.open_account("alice", ADA="6.21")
        async with Ledger(path) as ledger:
            converter = Converter(session.client(alice), ledger=ledger)
            quote = await converter.quote()
            confirm = ledger.confirm

            async def full(*args: object, **options: object) -> None:
                await fill(ledger)
                await use_up(ledger)

            ledger.confirm = full  # type: ignore[method-assign, assignment]
            with pytest.raises(LedgerError) as caught:
                await converter.convert(quote)
            ledger.confirm = confirm  # type: ignore[method-assign]

            assert len(exchange.conversions) == 1
            entry = await ledger.entry(caught.value.entry_ids[0])
            assert entry.status == "intended"
        exchange.faults.jump_clock(60)  # past the last moment at which it could be carried out
        async with Ledger(path) as ledger:
            converter = Converter(session.client(alice), ledger=ledger)
            (settled,) = await converter.recover()
            assert settled.status == "confirmed"
            assert settled.transaction_id == exchange.conversions[0].transaction_id


LIMITED = """
import asyncio, resource, signal, sys
from binance_dust import Ledger, LedgerError
from tests.conversion.far import MEMORY
from tests.ledger.makers import HOUR, MINUTE, NOW, numbered

async def main():
    async with Ledger(sys.argv[1]) as ledger:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            for n in range(10_000):
                await ledger.record([numbered(n)], now=NOW)
        except LedgerError as error:
            print(error, flush=True)

asyncio.run(main())
"""


@posix
async def test_a_failed_write_loses_no_earlier_entry(
    path: Path,
) -> None:
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True
    )
    assert f"ledger {path}: " in done.stdout, done.stderr

    async with Ledger(path) as ledger:
        numbers = [entry.transaction_id async for entry in ledger.entries()]
    assert sorted(number or 0 for number in numbers) == list(range(len(numbers)))
    assert len(numbers) > 0


def take_away(path: Path, *, delete: bool) -> None:
    if delete:
        path.unlink()
    else:
        path.rename(path.with_name("copy.db"))


@pytest.mark.parametrize("what", ["moved", "replaced", "deleted"])
async def test_nothing_is_sent_once_the_file_was_moved_or_deleted(
    path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example by a backup: the next process would create a new file, and convert again."""
    monkeypatch.chdir(path.parent)
    async with Ledger(path.name) as ledger:
        monkeypatch.chdir("/")
        first = await ledger.intend(intent(), length=MINUTE)
        await ledger.reject(first.id, "no", now=NOW)
        take_away(path, delete=what == "deleted")
        if what == "replaced":
            async with Ledger(path):
                pass

        with pytest.raises(LedgerError, match="was moved, replaced or deleted"):
            await ledger.intend(intent(), length=MINUTE)


@posix
async def test_a_second_ledger_of_a_process_leaves_the_first_one_its_locks(
    ledger: Ledger, path: Path
) -> None:
    """A process that loses them writes into a log that another one has deleted."""
    await opened(path)

    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM books')"
    command = [sys.executable, "-c", f"{code}; c.close()", str(path)]
    await asyncio.to_thread(subprocess.run, command, check=True)
    entry = await ledger.intend(intent(), length=MINUTE)

    async with Ledger(path) as again:
        assert (await again.entry(entry.id)).open
    assert path.with_name(f"{path.name}-wal").exists()
