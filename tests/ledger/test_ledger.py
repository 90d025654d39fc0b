"""The ledger: intents, outcomes, searches; nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import pickle
import sqlite3
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import ConfigurationError, GuardError, Ledger, LedgerEntry
from binance_dust.ledger import Kind, SettledBy
from binance_dust.ledger._schema import VERSION
from binance_dust.ledger._store import LedgerStore
from tests.ledger.makers import MINUTE, NOW, intent, line, seen


async def all_of(ledger: Ledger, **query: object) -> list[LedgerEntry]:
    return [entry async for entry in ledger.entries(**query)]  # type: ignore[arg-type]


async def test_an_intent_is_read_back_as_it_was_written(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(client_id="bd-1", key_id="k"), length=MINUTE)

    assert (entry.status, entry.open, entry.imported) == ("intended", True, False)
    assert entry.assets == ("ADA", "XRP")
    assert entry.held == {"ADA": Decimal("6.21"), "XRP": Decimal("1.5")}
    assert (entry.intended_at, entry.at) == (NOW, NOW)
    assert (entry.client_id, entry.key_id) == ("bd-1", "k")
    assert entry.happened_at is None
    assert await all_of(ledger) == [entry]


async def test_an_outcome_is_read_back_to_the_digit(ledger: Ledger) -> None:
    begun = await ledger.intend(intent(), length=MINUTE)
    tiny = line(
        "XRP", amount=Decimal("50300000001.44911105"), gross=Decimal("1E-8"), fee=Decimal(0)
    )
    later = NOW + timedelta(seconds=2)

    done = await ledger.confirm(begun.id, [line(), tiny], transaction_id=7, now=later)

    assert done == await ledger.entry(begun.id)
    assert (done.status, done.settled_by, done.settled_at) == ("confirmed", "answer", later)
    assert done.lines == (line(), tiny)
    assert (done.gross, done.fee) == (Decimal("0.01777303"), Decimal("0.00035546"))
    assert done.net == Decimal("0.01741757")


@given(
    amount=st.decimals(allow_nan=False, allow_infinity=False, min_value=0, places=18),
    microseconds=st.integers(0, 10**15),
)
def test_every_amount_and_every_time_survives(amount: Decimal, microseconds: int) -> None:
    async def main() -> None:
        async with Ledger(":memory:") as ledger:
            at = NOW + timedelta(microseconds=microseconds)
            one = line(amount=amount, gross=amount, fee=Decimal(0), at=at)
            await ledger.record([seen(one, at=at)], now=NOW)
            (entry,) = await all_of(ledger)
            assert entry.lines == (one,)
            assert entry.at == at

    asyncio.run(main())


async def test_while_a_call_is_open_the_account_has_no_other(ledger: Ledger) -> None:
    first = await ledger.intend(intent(key_id="k"), length=MINUTE)

    for other in (intent(), intent(kind=Kind.DUST_CONVERT), intent(account="bob", key_id="k")):
        with pytest.raises(GuardError, match="not known yet") as caught:
            await ledger.intend(other, length=MINUTE)
        assert caught.value.entry_ids == (first.id,)

    await ledger.intend(intent(account="bob", key_id="other"), length=MINUTE)
    unknown = await ledger.leave_unknown(first.id, "the line was dropped", now=NOW)
    assert (unknown.status, unknown.settled_at, unknown.settled_by) == ("unknown", None, None)
    with pytest.raises(GuardError):
        await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(first.id, "read", now=NOW, by=SettledBy.READING)
    await ledger.intend(intent(), length=MINUTE)


async def test_two_connections_agree_on_who_came_first(path: Path) -> None:
    async with Ledger(path) as one, Ledger(path) as other:
        outcomes = await asyncio.gather(
            *[ledger.intend(intent(), length=MINUTE) for ledger in (one, other) * 10],
            return_exceptions=True,
        )

        assert sum(isinstance(outcome, LedgerEntry) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, GuardError) for outcome in outcomes) == 19


# --- outcomes -------------------------------------------------------------------------------------


async def test_a_confirmation_overrules_a_conclusion_and_is_final(
    ledger: Ledger,
) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(entry.id, "read", now=NOW, by=SettledBy.READING)
    done = await ledger.confirm(entry.id, [line()], transaction_id=7, now=NOW)
    assert done.status == "confirmed"

    for later in (
        ledger.reject(entry.id, "no", now=NOW),
        ledger.leave_unknown(entry.id, "?", now=NOW),
        ledger.confirm(entry.id, [line(), line()], transaction_id=8, now=NOW),
    ):
        assert await later == done


async def test_the_code_of_an_unclear_answer_stays_until_the_outcome(
    ledger: Ledger,
) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)

    unknown = await ledger.leave_unknown(entry.id, "what?", code=-99999, now=NOW)
    assert (unknown.status, unknown.code) == ("unknown", -99999)
    unread = await ledger.leave_unknown(entry.id, "the log does not say", now=NOW)
    assert (unread.reason, unread.code) == ("the log does not say", -99999)
    done = await ledger.confirm(entry.id, [line()], transaction_id=7, now=NOW)
    assert (done.status, done.code) == ("confirmed", None)


async def test_a_rejected_entry_does_not_open_again(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    rejected = await ledger.reject(entry.id, "no", now=NOW, code=-5006)
    assert (rejected.code, rejected.reason) == (-5006, "no")

    assert await ledger.leave_unknown(entry.id, "?", now=NOW) == rejected
    assert (await ledger.reject(entry.id, "other", now=NOW)).reason == "no"


# --- searches -------------------------------------------------------------------------------------


async def test_entries_are_found_by_what_they_are(ledger: Ledger) -> None:
    for n, (account, target) in enumerate([("alice", "BNB"), ("bob", "BNB"), ("alice", "USDT")]):
        at = NOW + n * MINUTE
        one = line(at=at)
        await ledger.record(
            [seen(one, account=account, target=target, at=at, transaction_id=n)], now=NOW
        )

    async def found(**query: object) -> list[int | None]:
        return [entry.transaction_id for entry in await all_of(ledger, **query)]

    assert await found() == [0, 1, 2]
    assert await found(limit=0) == []
    assert await found(limit=2**63 - 1) == [0, 1, 2]
    assert await found(newest_first=True, limit=2) == [2, 1]
    assert await found(account="alice") == [0, 2]
    assert await found(target="USDT") == [2]
    assert await found(since=NOW + MINUTE) == [1, 2]
    assert await found(until=NOW + MINUTE) == [0]
    assert await found(status="intended") == []
    assert await found(status=("confirmed", "unknown"), kind="dust", asset="ADA") == [0, 1, 2]
    assert await found(asset="XRP") == []
    assert await found(account="alice' OR 1=1 --") == []


async def test_a_wrong_search_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="status must be one of"):
        await all_of(ledger, status="done")
    with pytest.raises(ConfigurationError, match="kind must be one of"):
        await all_of(ledger, kind="withdrawal")
    with pytest.raises(ConfigurationError, match="time zone"):
        await all_of(ledger, since=NOW.replace(tzinfo=None))
    with pytest.raises(ConfigurationError, match="out of range in UTC"):
        await all_of(ledger, since=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))))
    with pytest.raises(ConfigurationError, match="SPOT or MARGIN, not 'FUNDING'"):
        await all_of(ledger, account_type="FUNDING")
    for limit in (-1, 2**63):
        with pytest.raises(ConfigurationError, match="limit must be"):
            await all_of(ledger, limit=limit)
    for wrong in ({"limit": 1.5}, {"limit": True}, {"account": 7}, {"asset": ["ADA"]}):
        with pytest.raises(TypeError, match="must be a"):
            await all_of(ledger, **wrong)
    with pytest.raises(ConfigurationError, match="no entry 1"):
        await ledger.entry(1)


async def test_entries_are_yielded_once_also_while_others_are_written(ledger: Ledger) -> None:
    records = [seen(line(), transaction_id=n, at=NOW + n * MINUTE) for n in range(450)]
    records = [
        seen(
            line(at=each.at, transaction_id=each.transaction_id),
            transaction_id=each.transaction_id,
            at=each.at,
        )
        for each in records
    ]
    await ledger.record(records, now=NOW)
    met: list[int | None] = []
    async for entry in ledger.entries():
        if not met:
            await ledger.record([seen(line(transaction_id=-1), transaction_id=-1)], now=NOW)
        met.append(entry.transaction_id)

    assert met == list(range(450))


# --- opening, closing, and the file itself --------------------------------------------------------


async def test_a_closed_ledger_says_so(path: Path) -> None:
    ledger = Ledger(path)
    with pytest.raises(ConfigurationError, match="not open"):
        await all_of(ledger)
    async with ledger:
        assert repr(ledger).endswith("open>")
        with pytest.raises(ConfigurationError, match="already open"):
            await ledger.open()
        with pytest.raises(TypeError, match="process"):
            pickle.dumps(ledger)
    await ledger.close()
    with pytest.raises(ConfigurationError, match="not open"):
        await ledger.entry(1)
    async with ledger:
        assert await all_of(ledger) == []


def test_a_wrong_path_is_refused() -> None:
    with pytest.raises(TypeError, match="path"):
        Ledger(5)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="empty"):
        Ledger("")


async def test_a_cancelled_write_is_still_done(path: Path) -> None:
    async with Ledger(path) as ledger:
        writing = asyncio.ensure_future(ledger.intend(intent(), length=MINUTE))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

        assert [entry.status for entry in await all_of(ledger)] == ["intended"]


KILLED = """
import asyncio, os, signal, sys
from binance_dust import Ledger
from tests.ledger.makers import MINUTE, intent

async def main():
    async with Ledger(sys.argv[1]) as ledger:
        entry = await ledger.intend(intent(), length=MINUTE)
        print(entry.id, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_an_intent_outlives_its_process(path: Path) -> None:
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, str(path)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (-9, "1\n"), done.stderr

    async with Ledger(path) as ledger:
        assert [entry.status for entry in await all_of(ledger)] == ["intended"]


async def test_every_commit_is_flushed_to_the_disk(ledger: Ledger) -> None:
    def pragmas(store: LedgerStore) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "user_version")
        return [store._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await ledger._thread.run(pragmas) == ["wal", 2, 1, VERSION]


async def test_a_person_can_read_the_file(ledger: Ledger, path: Path) -> None:
    await ledger.record([seen(line())], now=NOW)
    await ledger.intend(intent(), length=MINUTE)

    with sqlite3.connect(path) as person:
        rows = person.execute("SELECT * FROM conversions").fetchall()
        unsettled = person.execute("SELECT account, assets FROM open_entries").fetchall()
        for change in (
            "DELETE FROM entries",
            "UPDATE entries SET status = 'rejected' WHERE status = 'confirmed'",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                person.execute(change)
    person.close()

    assert rows == [
        (
            "2026-11-21T12:00:00.000000Z", "alice", "SPOT", "ADA", "6.21", "BNB",
            "0.01777302", "0.00035546", "0.01741756", 45178372831, "dust", 1,
        )
    ]  # fmt: skip
    assert unsettled == [("alice", "ADA XRP")]


@pytest.mark.parametrize("path", ["file:books.db?mode=memory", "file:led.db", "FILE:a"])
def test_a_path_is_a_path_and_no_uri(path: str) -> None:
    """Debian's SQLite takes it for one, and would keep the books in memory."""
    with pytest.raises(ConfigurationError, match="is a URI"):
        Ledger(path)
