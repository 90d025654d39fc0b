"""What can't be known by reading: told apart from what is not known yet, and ended by a person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_dust import Ledger, LedgerEntry, Session
from binance_dust.ledger import Books, Intent, Kind
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Keep, Run

LONG_AGO = datetime.now(UTC) - timedelta(hours=2)
ACCOUNT = "GET /api/v3/account"
STUCK = "can't be known"


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Ledger]:
    async with Ledger(path) as ledger:
        yield ledger


def leave_open(path: Path, *, stuck: bool = True, at: datetime = LONG_AGO, **changes: Any) -> int:
    """Write down a call whose outcome is unknown."""
    fields: dict[str, Any] = {
        "account": "alice",
        "kind": Kind.DUST,
        "account_type": "SPOT",
        "target": "BNB",
        "held": {"ADA": Decimal("6.21")},
        "intended_at": at,
        "sent_after": at,
        "expires_at": at + timedelta(seconds=35),
    }

    async def write() -> int:
        async with opened(path) as ledger:
            entry = await ledger.intend(
                Intent(**fields | changes), length=timedelta(0), books=Books.LOCAL
            )
            await ledger.leave_unknown(
                entry.id, "there is less ADA than before", now=at, needs_resolve=stuck
            )
            return entry.id

    return asyncio.run(write())


def entry_of(path: Path, number: int) -> LedgerEntry:
    async def read() -> LedgerEntry:
        async with opened(path) as ledger:
            return await ledger.entry(number)

    return asyncio.run(read())


# --- told apart ---


def test_recover_sweep_convert_and_books_name_the_command_that_ends_it(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox, ledger: Path
) -> None:
    number = leave_open(ledger)
    exchange.account("alice").withdraw("ADA", "1")
    command = f"binance-dust resolve {number}"

    recovered = run("recover", *two_accounts, "--account", "alice")
    swept = run("sweep", *two_accounts, "--yes", "--json", "--wallet", "spot", "--wallet", "margin")
    converted = run("convert", *two_accounts, "--yes", "--account", "alice")
    books = run("books", "--ledger", str(ledger))

    assert (recovered.code, swept.code, converted.code, books.code) == (3, 3, 3, 0)
    assert "0 entries settled by reading, 1 that can't be known" in recovered.out
    assert STUCK in recovered.err
    assert command in recovered.err
    assert "try again" not in recovered.out
    outcomes = [(row["account"], row["account_type"], row["outcome"]) for row in swept.rows]
    assert sorted(outcomes) == [
        # Only what it concerns is blocked.
        ("alice", "MARGIN", "nothing to convert"),
        ("alice", "SPOT", "can't be known"),
        ("bob", "MARGIN", "nothing to convert"),
        ("bob", "SPOT", "converted"),
    ]
    (stuck,) = [row for row in swept.rows if row["outcome"] == STUCK]
    assert (stuck["settled"], [each["id"] for each in stuck["unsettled"]]) == ([], [number])
    assert command in converted.out
    assert "settled by reading" not in converted.out
    assert "can't be known by reading" in books.out
    assert "It is not known yet" not in books.out


def test_books_tell_what_is_not_known_yet(run: Run, ledger: Path) -> None:
    leave_open(ledger, stuck=False)

    books = run("books", "--ledger", str(ledger))

    assert "It is not known yet how these calls ended: binance-dust recover" in books.out
    assert STUCK not in books.out


# --- ended ---


def test_a_rejection_needs_no_key(run: Run, exchange: Sandbox, ledger: Path) -> None:
    number = leave_open(ledger)

    done = run(
        "resolve", str(number), "--rejected", "--reason", "not there", "--ledger", str(ledger)
    )

    assert done.code == 0
    entry = entry_of(ledger, number)
    assert (entry.status, entry.settled_by, entry.reason) == ("rejected", "hand", "not there")
    assert exchange.requests == ()


@pytest.mark.parametrize("with_key", [True, False])
def test_a_confirmation_takes_the_lines_of_the_log_if_the_key_is_at_hand(
    run: Run, exchange: Sandbox, ledger: Path, two_accounts: tuple[str, ...], with_key: bool
) -> None:
    async def convert() -> int:
        async with Session(base_url=exchange.url) as session, opened(ledger) as books:
            client = session.client(alice_of(exchange))
            await books.identify(client)
            done = await client.dust_transfer(["ADA"])
            number = done.transfer_result[0].tran_id
            assert number is not None
            return number

    transaction = asyncio.run(convert())
    number = leave_open(ledger, at=datetime.now(UTC) - timedelta(minutes=5))
    asked = two_accounts if with_key else ("--ledger", str(ledger))
    said = ("resolve", str(number), "--confirmed", str(transaction), "--reason", "in the app")

    done = run(*said, *asked)
    synced = run("sync", *two_accounts, "--account", "alice", "--json")

    assert done.code == 0
    assert ("binance-dust sync adds them" in done.out) is not with_key
    assert synced.rows[0]["added"] == 0
    entry = entry_of(ledger, number)
    assert (entry.status, entry.settled_by, entry.transaction_id) == (
        "confirmed",
        "hand",
        transaction,
    )
    assert [line.asset for line in entry.lines] == ["ADA"]


def alice_of(exchange: Sandbox) -> Any:
    return exchange.add_key("alice", name="alice")


def test_what_can_still_be_carried_out_is_not_resolved(run: Run, ledger: Path) -> None:
    number = leave_open(ledger, stuck=False, at=datetime.now(UTC))

    done = run("resolve", str(number), "--rejected", "--reason", "?", "--ledger", str(ledger))

    assert done.code == 1
    assert "can still be carried out" in done.err
    assert entry_of(ledger, number).open


@pytest.mark.parametrize(
    "said",
    [
        ("1", "--reason", "x"),
        ("1", "--rejected"),
        ("1", "--rejected", "--confirmed", "7", "--reason", "x"),
        ("one", "--rejected", "--reason", "x"),
        ("1", "--confirmed", "--reason", "x"),
        ("99", "--rejected", "--reason", "x"),
    ],
)
def test_wrong_use_of_resolve(run: Run, ledger: Path, said: tuple[str, ...]) -> None:
    number = leave_open(ledger)

    assert run("resolve", *said, "--ledger", str(ledger)).code == 2
    assert entry_of(ledger, number).open


# --- a new key where the number can't be had ---


def test_a_new_key_is_adopted(
    run: Run, exchange: Sandbox, keep: Keep, at: tuple[str, ...], ledger: Path
) -> None:
    first = exchange.open_account("alice", ADA="6.21")
    exchange.faults.fail(404, endpoint=ACCOUNT, times=None)
    old, new = (keep(key, name=name) for key, name in ((first, "old"), (alice_of(exchange), "new")))
    more = (*at, "--ledger", str(ledger))
    assert run("convert", "--accounts", str(old), *more, "--yes").code == 0

    refused = run("convert", "--accounts", str(new), *more)
    unknown = run("adopt", "zoe", "--accounts", str(new), "--account", "alice", *more)
    adopted = run("adopt", "alice", "--accounts", str(new), *more)
    again = run("quote", "--accounts", str(new), *more)

    assert (refused.code, unknown.code, adopted.code, again.code) == (1, 2, 0, 0)
    assert "binance-dust adopt alice" in refused.out
    assert "know no account 'zoe'" in unknown.err
    assert "is a key of alice now" in adopted.out
