"""Which names and keys are one account, as the ledger's file has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from binance_dust import ConfigurationError, GuardError, Ledger
from binance_dust.ledger import Claim, _owners
from binance_dust.ledger._owners import Identity
from binance_dust.ledger._store import LedgerStore
from binance_dust.ledger._synced import SyncedRange
from tests.ledger.makers import MINUTE, NOW, intent, seen


@pytest.fixture
async def bind(ledger: Ledger) -> Callable[..., Any]:
    async def bind(name: str, key: str, uid: int | None = None, **how: Any) -> Identity:
        def work(store: LedgerStore) -> Identity:
            return store.bind(name, key, uid, **how)

        return await ledger._thread.run(work)

    return bind


async def bound(ledger: Ledger, name: str, key: str) -> Identity | None:
    return await ledger._thread.read(_owners.bound, name, key)


async def known(ledger: Ledger) -> dict[str, tuple[int | None, tuple[str, ...], int]]:
    return {each.owner: (each.uid, each.names, each.keys) for each in await ledger.accounts()}


async def test_the_first_name_of_an_account_is_its_owner(ledger: Ledger, bind: Any) -> None:
    assert await bound(ledger, "alice", "k1") is None
    assert await bind("alice", "k1", 7) == ("alice", 7)
    assert await bind("desk", "k2", 7) == ("alice", 7)
    assert await bind("desk", "k1", 7) == ("alice", 7)
    assert await bind("bob", "k3") == ("bob", None)
    assert await bind("bob, again", "k3") == ("bob", None)

    assert await known(ledger) == {
        "alice": (7, ("alice", "desk"), 2),
        "bob": (None, ("bob", "bob, again"), 1),
    }
    assert await bound(ledger, "desk", "k2") == ("alice", 7)
    assert await bound(ledger, "bob", "k3") == ("bob", None)
    assert await bound(ledger, "bob", "k2") is None
    assert await bound(ledger, "nobody", "k2") is None


async def test_a_key_whose_number_is_not_told_belongs_where_it_did(
    ledger: Ledger, bind: Any
) -> None:
    await bind("alice", "k1")
    await bind("alice", "k1", 7)

    assert await bind("alice", "k1") == ("alice", 7)
    assert await bind("desk", "k1") == ("alice", 7)


async def test_one_name_is_not_two_numbers(ledger: Ledger, bind: Any) -> None:
    await bind("alice", "k1", 7)
    before = await known(ledger)

    for adopt in (False, True):
        with pytest.raises(ConfigurationError, match=r"number 7 there, .* number 8"):
            await bind("alice", "k2", 8, adopt=adopt)

    assert await known(ledger) == before


@pytest.mark.parametrize("uid", [None, 7])
async def test_a_name_with_books_and_another_key_needs_to_be_adopted(
    ledger: Ledger, bind: Any, uid: int | None
) -> None:
    await bind("alice", "k1")
    await ledger.record([seen()], now=NOW)

    with pytest.raises(ConfigurationError, match=r"another key before.*\(no answer\).*adopt"):
        await bind("alice", "k2", uid, unread="no answer")
    with pytest.raises(ConfigurationError, match="is not known: if they are"):
        await bind("alice", "k2", uid)

    assert await bound(ledger, "alice", "k1") == ("alice", None)
    assert await bind("alice", "k2", uid, adopt=True) == ("alice", uid)
    assert await bind("alice", "k1") == ("alice", uid)


async def test_a_name_without_books_changes_hands(ledger: Ledger, bind: Any) -> None:
    await bind("alice", "k1")

    assert await bind("alice", "k2") == ("alice", None)

    assert (await known(ledger))["alice"] == (None, ("alice",), 1)
    assert await bound(ledger, "alice", "k1") is None
    with pytest.raises(ConfigurationError, match="came with another key a moment ago"):
        await ledger.intend(intent(account="alice", key_id="k1"), length=MINUTE)
    assert await bound(ledger, "nobody", "k1") is None
    await ledger.intend(intent(account="fresh", key_id="k1"), length=MINUTE)
    assert await bound(ledger, "fresh", "k1") == ("fresh", None)


async def test_books_that_were_only_imported_take_the_first_key(ledger: Ledger, bind: Any) -> None:
    await ledger.record([seen()], now=NOW)

    assert await bind("alice", "k1") == ("alice", None)
    assert (await known(ledger))["alice"] == (None, ("alice",), 1)


async def test_a_number_joins_what_stood_under_a_key_and_under_a_name(
    ledger: Ledger, bind: Any
) -> None:
    await bind("old", "k1", 7)
    await bind("alice", "k2")
    await ledger.intend(intent(account="alice", key_id="k2"), length=MINUTE)
    await ledger.mark_synced("old", "SPOT", SyncedRange(NOW, NOW + MINUTE))
    await ledger.mark_synced("alice", "SPOT", SyncedRange(NOW + MINUTE, NOW + 2 * MINUTE))
    await ledger.mark_synced("old", "MARGIN", SyncedRange(NOW, NOW + MINUTE))
    await ledger.mark_synced("alice", "MARGIN", SyncedRange(NOW + 2 * MINUTE, NOW + 3 * MINUTE))
    claim = Claim("alice", "convert", "me")
    await ledger.claim(claim, now=NOW, length=MINUTE)

    assert await bind("alice", "k2", 7) == ("old", 7)

    assert await known(ledger) == {"old": (7, ("alice", "old"), 2)}
    assert [entry.owner async for entry in ledger.entries(account="old")] == ["old"]
    # Of two ranges with a hole between them the newer one stays: older records are read again.
    assert await ledger.synced("alice", "SPOT") == SyncedRange(NOW, NOW + 2 * MINUTE)
    newer = SyncedRange(NOW + 2 * MINUTE, NOW + 3 * MINUTE)
    assert await ledger.synced("old", "MARGIN") == newer
    # Whoever held it has to look again.
    with pytest.raises(GuardError, match="took over"):
        await ledger.extend(claim, now=NOW, length=MINUTE)
    await ledger.claim(Claim("alice", "convert", "you"), now=NOW, length=MINUTE)


async def test_a_key_that_an_older_version_had_under_a_name_of_two_accounts(
    ledger: Ledger, bind: Any
) -> None:
    await ledger.intend(intent(account="main", key_id="k1"), length=MINUTE)
    await ledger.reject(1, "no", now=NOW)
    await ledger.intend(intent(account="main", key_id="k2"), length=MINUTE)
    assert await bind("main", "k1", 7) == ("main", 7)

    with pytest.raises(ConfigurationError, match="number 7"):
        await bind("main", "k2", 8)

    assert await bind("bob", "k2", 8) == ("bob", 8)
    assert await known(ledger) == {"bob": (8, ("bob",), 1), "main": (7, ("main",), 1)}


async def test_a_name_that_is_new_can_be_claimed(ledger: Ledger) -> None:
    await ledger.claim(Claim("nobody", "convert", "me"), now=NOW, length=MINUTE)

    with pytest.raises(GuardError, match="nobody: another convert"):
        await ledger.claim(Claim("nobody", "convert", "you"), now=NOW, length=MINUTE)
    assert await ledger.accounts() == []


async def test_what_is_written_without_a_client_is_bound_by_name_and_key(ledger: Ledger) -> None:
    await ledger.intend(intent(account="alice", key_id="k1"), length=MINUTE)
    await ledger.record([seen(account="bob")], now=NOW)
    await ledger.intend(intent(account="new", key_id="k1", account_type="MARGIN"), length=MINUTE)
    await ledger.intend(intent(account="carol"), length=MINUTE)

    assert await known(ledger) == {
        "alice": (None, ("alice", "new"), 1),
        "bob": (None, ("bob",), 0),
        "carol": (None, ("carol",), 0),
    }
    assert await bound(ledger, "new", "k1") == ("alice", None)
