"""Ledgers of the version before are brought up to date, with the names and keys they have."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from binance_dust import GuardError, Ledger
from binance_dust.ledger import Kind, _schema
from tests.ledger.makers import MINUTE, NOW, intent

AT = "2026-11-21T12:00:00.000000Z"
LATER = "2026-11-22T12:00:00.000000Z"


def write_old(path: Path, version: int, *entries: tuple[str, str | None, str]) -> None:
    """Write a file as an older version did; each entry is its name, its key and its status."""
    with closing(sqlite3.connect(path)) as old:
        for script in _schema.MIGRATIONS[:version]:
            old.executescript(script)
        old.execute(f"PRAGMA application_id = {_schema.APPLICATION_ID}")
        old.execute(f"PRAGMA user_version = {version}")
        for account, key, status in entries:
            old.execute(
                "INSERT INTO entries (account, key_id, kind, account_type, target, status, at,"
                " intended_at) VALUES (?, ?, 'dust', 'SPOT', 'BNB', ?, ?, ?)",
                (account, key, status, AT, None if key is None else AT),
            )
        if version > 1:
            ranges = [
                ("alice", "SPOT", AT, AT),
                ("desk", "SPOT", AT, LATER),
                ("carol", "MARGIN", AT, AT),
            ]
            old.executemany("INSERT INTO synced VALUES (?, ?, ?, ?)", ranges)
        old.commit()


@pytest.mark.parametrize("version", range(2, 5))  # 5 is the first that knows owners
async def test_names_that_share_a_key_are_one_account(path: Path, version: int) -> None:
    write_old(
        path,
        version,
        ("desk", "k1", "rejected"),
        ("alice", "k1", "rejected"),
        ("alice", "k2", "intended"),
        ("bob", "k3", "unknown"),
        ("dora", None, "confirmed"),
    )

    async with Ledger(path) as ledger:
        found = {entry.id: entry.owner async for entry in ledger.entries()}
        accounts = {each.owner: (each.names, each.keys) for each in await ledger.accounts()}

        assert found == {1: "desk", 2: "desk", 3: "desk", 4: "bob", 5: "dora"}
        assert accounts == {
            "bob": (("bob",), 1),
            "carol": (("carol",), 0),
            "desk": (("alice", "desk"), 2),
            "dora": (("dora",), 0),
        }
        assert [e.id async for e in ledger.entries(account="alice")] == [1, 2, 3]
        synced = await ledger.synced("alice", "SPOT")
        assert synced is not None
        assert synced.until.day == 22
        assert await ledger.synced("carol", "MARGIN") is not None
        # What was open still blocks, under any name and any key of the account.
        for blocked in (
            intent(account="desk"),
            intent(account="new", key_id="k1"),
            intent(account="alice", kind=Kind.DUST_CONVERT),
        ):
            with pytest.raises(GuardError, match="recover"):
                await ledger.intend(blocked, length=MINUTE)
        await ledger.intend(intent(account="desk", account_type="MARGIN"), length=MINUTE)
        with pytest.raises(GuardError):
            await ledger.intend(intent(account="bob", key_id="k9"), length=MINUTE)
        await ledger.reject(3, "refused", now=NOW)
        await ledger.intend(intent(account="desk"), length=MINUTE)


async def test_an_empty_old_ledger_is_opened(path: Path) -> None:
    write_old(path, 1)

    async with Ledger(path) as ledger:
        assert await ledger.accounts() == []
