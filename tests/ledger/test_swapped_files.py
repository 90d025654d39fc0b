"""Whatever becomes of the files of an open ledger: nothing is sent that a newcomer would not find.

Uses real processes: a newcomer in this one would share SQLite's view of the files.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from binance_dust import Converter, DustError, GuardError, Ledger, LedgerError, Session
from binance_dust._call import attempts
from binance_dust.ledger import Claim, _file
from binance_dust.ledger._store import LedgerStore
from binance_dust.sandbox import Sandbox
from tests.conversion.far import entries_of
from tests.ledger.makers import MINUTE, NOW, intent, numbered
from tests.systems import posix

pytestmark = posix

DUST = "/sapi/v1/asset/dust"
MOVED = "was moved, replaced or deleted"
SIDES = "side files .* were removed or replaced"
OTHER = "another content was copied over"
FAILED = "the disk failed"
DAMAGED = "it is damaged|not an SQLite database"
NEWCOMER = """
import asyncio, sys
from binance_dust import Ledger
from tests.ledger.makers import NOW, numbered

async def main():
    async with Ledger(sys.argv[1]) as ledger:
        await ledger.record([numbered(n) for n in range(100)], now=NOW)

asyncio.run(main())
"""

ENDS = """
import asyncio, sys
from binance_dust import Ledger, LedgerError
from binance_dust.ledger import Claim
from tests.ledger.makers import MINUTE, NOW, numbered

async def main():
    async with Ledger(sys.argv[1]) as ledger:
        await ledger.record([numbered(0)], now=NOW)
        if sys.argv[2]:
            claim = Claim("alice", "convert", "me")
            await ledger.claim(claim, now=NOW, length=MINUTE)
            await ledger.release(claim)
        print("open", flush=True)
        sys.stdin.readline()
        try:
            await ledger.record([numbered(1)], now=NOW)
        except LedgerError as error:
            print(repr(error), flush=True)

asyncio.run(main())
"""


def side(path: Path, end: str) -> Path:
    return path.with_name(f"{path.name}-{end}")


def newcomer_writes(path: Path) -> None:
    """A hundred entries, by a process that opens the path and closes it."""
    subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", NEWCOMER, str(path)],
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


def copy(source: Path, path: Path) -> None:
    """In a process of its own: one that opens and closes a file loses its locks on it."""
    subprocess.run(["cp", str(source), str(path)], check=True)  # noqa: S603, S607 - two paths


# --- what happens; each gets the path of the ledger and of an older copy -------------------------


def log_removed(path: Path, _: Path) -> None:
    side(path, "wal").unlink()


def index_removed(path: Path, _: Path) -> None:
    side(path, "shm").unlink()


def both_removed(path: Path, _: Path) -> None:
    side(path, "wal").unlink()
    side(path, "shm").unlink()


def both_removed_and_made_anew(path: Path, backup: Path) -> None:
    both_removed(path, backup)
    newcomer_writes(path)


def log_removed_and_made_anew(path: Path, backup: Path) -> None:
    log_removed(path, backup)
    newcomer_writes(path)


def restored_by_copying(path: Path, backup: Path) -> None:
    copy(backup, path)


def restored_by_copying_without_side_files(path: Path, backup: Path) -> None:
    both_removed(path, backup)
    copy(backup, path)


def restored_by_copying_with_an_empty_log(path: Path, backup: Path) -> None:
    copy(backup, path)
    os.truncate(side(path, "wal"), 0)


def restored_by_renaming(path: Path, backup: Path) -> None:
    backup.replace(path)


def restored_by_sqlite(path: Path, backup: Path) -> None:
    source, target = sqlite3.connect(backup), sqlite3.connect(path)
    source.backup(target)
    source.close()
    target.close()


def another_ledger_copied_over(path: Path, backup: Path) -> None:
    other = backup.with_name("other.db")
    newcomer_writes(other)
    copy(other, path)


def cut_to_nothing(path: Path, _: Path) -> None:
    os.truncate(path, 0)


def cut_short(path: Path, _: Path) -> None:
    os.truncate(path, 8192)


def folder_renamed(path: Path, _: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def log_cut_to_nothing(path: Path, _: Path) -> None:
    os.truncate(side(path, "wal"), 0)


def log_overwritten(path: Path, _: Path) -> None:
    size = side(path, "wal").stat().st_size
    side(path, "wal").write_bytes(b"\0" * size)


def nothing(path: Path, _: Path) -> None:
    assert path.exists()


def folder_renamed_and_back(path: Path, backup: Path) -> None:
    folder_renamed(path, backup)
    path.parent.with_name("elsewhere").rename(path.parent)


NOTICED: dict[Callable[[Path, Path], None], str] = {
    log_removed: SIDES,
    index_removed: SIDES,
    both_removed: SIDES,
    both_removed_and_made_anew: SIDES,
    restored_by_copying: OTHER,
    restored_by_copying_without_side_files: SIDES,
    restored_by_copying_with_an_empty_log: f"{OTHER}|{FAILED}",
    restored_by_renaming: MOVED,
    restored_by_sqlite: OTHER,
    another_ledger_copied_over: f"{OTHER}|{DAMAGED}",
    cut_to_nothing: DAMAGED,
    cut_short: DAMAGED,
    log_cut_to_nothing: FAILED,
    log_overwritten: f"{FAILED}|{DAMAGED}",
    folder_renamed: MOVED,
}
HARMLESS = (nothing, folder_renamed_and_back)


class SwappedDesk:
    """Two accounts on one ledger. The first has converted since the backup was made."""

    def __init__(self, exchange: Sandbox, session: Session, ledger: Ledger, path: Path) -> None:
        self.exchange = exchange
        self.ledger = ledger
        self.path = path
        self.backup = path.parent.with_name("backup.db")
        self._session = session

    async def __aenter__(self) -> Self:
        async with Ledger(self.path):
            pass
        copy(self.path, self.backup)
        await self.ledger.open()
        alice, self._bob = self._converter("alice"), self._converter("bob")
        self._quote = await self._bob.quote()
        # What was written last is in the log only: its claim, and that it was released.
        await alice.convert(await alice.quote())
        await self.ledger.books()  # the release is not waited for, but is done before this
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.ledger.close()

    def _converter(self, name: str) -> Converter:
        client = self._session.client(self.exchange.open_account(name, ADA="6.21"))
        return Converter(client, ledger=self.ledger, cooldown=0)

    async def convert(self) -> Any:
        """Convert; the answer is lost, so that the entry stays open."""
        self.exchange.faults.lose_answer(endpoint=DUST)
        with pytest.raises(DustError) as caught:
            await self._bob.convert(self._quote)
        return caught.value

    @property
    def sent(self) -> int:
        """How often the second account was converted."""
        return len(self.exchange.conversions) - 1


@contextmanager
def copied(path: Path, folder: Path, *ends: str) -> Iterator[Path]:
    """What a newcomer finds when all processes are dead: the file, with or without its log."""
    folder.mkdir()
    for end in ("", *ends):
        copy(path.with_name(path.name + end), folder / f"dust.db{end}")
    yield folder / "dust.db"


async def open_accounts(path: Path) -> list[str]:
    async with Ledger(path) as ledger:
        return [entry.account for entry in await entries_of(ledger) if entry.open]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    return folder / "dust.db"


@pytest.mark.parametrize(
    ("happens", "words"), NOTICED.items(), ids=[happens.__name__ for happens in NOTICED]
)
async def test_what_happens_to_the_files_is_noticed_before_anything_is_sent(
    path: Path, happens: Callable[[Path, Path], None], words: str
) -> None:
    async with Sandbox(seed=7) as exchange, Session(base_url=exchange.url) as session:
        desk = SwappedDesk(exchange, session, Ledger(path, busy_timeout=1), path)
        async with desk:
            await asyncio.to_thread(happens, path, desk.backup)

            error = await desk.convert()

            assert isinstance(error, LedgerError)
            assert error.entry_ids == ()
            assert desk.sent == 0
            with pytest.raises(LedgerError, match=words):
                await desk.ledger.record([numbered(1)], now=NOW)


@pytest.mark.parametrize("happens", HARMLESS)
async def test_what_is_sent_is_in_the_file_itself(
    path: Path, tmp_path: Path, happens: Callable[[Path, Path], None]
) -> None:
    """Also if the side files are lost while the call is under way, and all processes die."""
    async with Sandbox(seed=7) as exchange, Session(base_url=exchange.url) as session:
        desk = SwappedDesk(exchange, session, Ledger(path), path)
        async with desk:
            await asyncio.to_thread(happens, path, desk.backup)

            await desk.convert()

            assert desk.sent == 1
            with copied(path, tmp_path / "with its log", "-wal") as found:
                assert await open_accounts(found) == ["bob"]
            with copied(path, tmp_path / "alone") as found:
                assert await open_accounts(found) == ["bob"]


@pytest.mark.parametrize(
    ("happens", "claims"),
    [
        (log_removed_and_made_anew, False),
        (both_removed_and_made_anew, False),
        (both_removed_and_made_anew, True),
        (log_cut_to_nothing, True),
        (log_overwritten, True),
    ],
)
def test_a_process_that_ends_spoils_nothing(
    path: Path, happens: Callable[[Path, Path], None], claims: bool
) -> None:
    """Closing a log that is not its file's, SQLite would copy it into the file."""
    child = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", ENDS, str(path), "claims" if claims else ""],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    happens(path, path)
    noticed, _ = child.communicate("go on\n")
    assert "LedgerError" in noticed

    async def look() -> None:
        async with Ledger(path) as again:
            assert len(await entries_of(again)) in {1, 100}
            assert (await again.intend(intent(), length=MINUTE)).open

    asyncio.run(look())


async def test_a_process_that_holds_removed_side_files_can_not_open_it_again(path: Path) -> None:
    """SQLite would give it the removed ones, and other processes others."""
    ledger = Ledger(path)
    await ledger.open()
    both_removed(path, path)
    await ledger.close()

    for _ in range(2):
        with pytest.raises(LedgerError, match="while this process had it open"):
            await Ledger(path).open()


async def test_closing_it_leaves_the_file_that_has_taken_its_place_alone(path: Path) -> None:
    ledger = Ledger(path)
    await ledger.open()
    await asyncio.to_thread(path.rename, path.with_name("old.db"))
    both_removed(path, path)
    async with Ledger(path) as successor:
        await ledger.close()

        assert (await successor.intend(intent(), length=MINUTE)).open


async def test_a_program_that_reads_for_long_keeps_nothing_from_being_sent(path: Path) -> None:
    async with Sandbox(seed=7) as exchange, Session(base_url=exchange.url) as session:
        desk = SwappedDesk(exchange, session, Ledger(path), path)
        async with desk:
            reader = sqlite3.connect(path, isolation_level=None)
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM entries").fetchone()
            try:
                await desk.convert()
                assert desk.sent == 1
                # In this case alone the log is needed.
                os.truncate(side(path, "wal"), 0)
                with pytest.raises(LedgerError):
                    await desk.ledger.intend(intent(account="carol"), length=MINUTE)
            finally:
                reader.close()


async def test_a_copy_with_all_entries_may_be_copied_over_it(path: Path) -> None:
    async with Ledger(path) as ledger:
        await ledger.record([numbered(1)], now=NOW)
        copy(path, path.with_name("copy.db"))
        copy(path.with_name("copy.db"), path)

        assert (await ledger.intend(intent(), length=MINUTE)).open


async def test_an_intent_that_is_lost_after_its_commit_is_not_sent(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = path.with_name("backup.db")
    bring_home = _file.bring_home

    def lose(connection: sqlite3.Connection) -> None:
        bring_home(connection)
        copy(backup, path)

    async with Ledger(path) as ledger:
        await ledger.record([numbered(1)], now=NOW)
        copy(path, backup)
        monkeypatch.setattr(_file, "bring_home", lose)

        with pytest.raises(LedgerError, match="can't be read back"):
            await ledger.intend(intent(), length=MINUTE)


async def test_an_intent_that_is_not_in_the_file_any_more_is_not_sent(path: Path) -> None:
    async with Ledger(path) as ledger:
        entry = await ledger.intend(intent(), length=MINUTE)
        await ledger.find_written(entry.id)

        with pytest.raises(LedgerError, match="can't be read back"):
            await ledger.find_written(entry.id + 1)


async def test_a_file_that_is_moved_while_it_is_written_to_is_noticed_by_the_writer(
    path: Path,
) -> None:
    async with Ledger(path) as ledger:
        moved = path.with_name("moved.db")

        with pytest.raises(LedgerError, match=MOVED):
            await ledger._thread.run(lambda store: store.write(lambda _: path.rename(moved)))


async def test_what_was_in_it_when_it_was_opened_has_to_stay(path: Path) -> None:
    async with Ledger(path):
        pass
    copy(path, path.with_name("backup.db"))
    async with Ledger(path) as ledger:
        await ledger.record([numbered(1)], now=NOW)

    async with Ledger(path) as ledger:
        copy(path.with_name("backup.db"), path)
        with pytest.raises(LedgerError, match=OTHER):
            await ledger.intend(intent(), length=MINUTE)


async def test_only_claims_are_not_flushed(path: Path) -> None:
    def level(store: LedgerStore) -> int:
        found: int = store._connection.execute("PRAGMA synchronous").fetchone()[0]
        return found

    async with Ledger(path) as ledger:
        claim = Claim("alice", "convert", "me")
        with pytest.raises(GuardError):
            await ledger.extend(claim, now=NOW, length=MINUTE)
        assert await ledger._thread.run(level) == 2


@pytest.mark.parametrize("waits", ["for the clock", "for weight"])
async def test_files_that_are_cut_while_a_call_waits_stop_it(path: Path, waits: str) -> None:
    """Between its intent and its sending, or between two attempts."""
    async with (
        Sandbox(seed=7, cooldown=0) as exchange,
        Session(base_url=exchange.url) as session,
        Ledger(path, busy_timeout=1) as ledger,
    ):
        client = session.client(exchange.open_account("alice", ADA="6.21"))
        converter = Converter(client, ledger=ledger, cooldown=0)
        quote = await converter.quote()
        cut = asyncio.Event()
        check = Ledger.find_written

        async def cut_first(self: Ledger, entry_id: int) -> None:
            await asyncio.to_thread(both_removed, path, path)
            cut.set()
            await check(self, entry_id)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Ledger, "find_written", cut_first)
            if waits == "for the clock":
                exchange.faults.refuse(400, code=-1021, retry_after=None, endpoint=DUST)
            else:
                patch.setattr(attempts.Attempts, "_at_once", lambda _: None)
                patch.setattr(attempts, "_AT_ONCE", -1.0)
            with pytest.raises(LedgerError, match=SIDES):
                await converter.convert(quote)

        assert cut.is_set()
        assert exchange.conversions == ()
