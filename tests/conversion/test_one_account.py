"""An account is what the exchange says it is, whatever its names and keys are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from binance_dust import ConfigurationError, Converter, Credentials, GuardError, Ledger
from binance_dust.client import DustClient
from tests.conversion.far import DUST, FarProcess, entries_of
from tests.conversion.scene import DUST_OF_TWO, Scene, in_virtual_time

ACCOUNT = "/api/v3/account"


def another_key(scene: Scene, name: str | None = None, account: str = "alice") -> Credentials:
    return scene.world.exchange.accounts.add_key(account, label=name, key="hmac")


@asynccontextmanager
async def process_of(
    scene: Scene, credentials: Credentials, path: Path | str
) -> AsyncIterator[FarProcess]:
    async with FarProcess(scene.world, credentials, path) as process:
        yield process
        await scene.world.quiet()


async def net_by(ledger: Ledger, **query: Any) -> dict[str, int]:
    return {total.key: total.count for total in await ledger.totals("account", **query)}


# --- the number is known ---


@in_virtual_time
async def test_two_names_of_one_account_have_one_set_of_books(folder: Path) -> None:
    scene = Scene(cooldown=0.0)
    desk = another_key(scene, "desk")
    path = folder / "dust.db"
    async with (
        process_of(scene, scene.credentials, path) as one,
        process_of(scene, desk, path) as other,
    ):
        scene.alice.deposit("LTC", "0.01")
        await one.client.dust_transfer(["ADA"])
        for process in (one, other, one):
            await process.ledger.sync(process.client)

        assert await net_by(one.ledger) == {"alice": 1}
        assert await net_by(one.ledger, account="desk") == {"alice": 1}
        (known,) = await one.ledger.accounts()
        assert (known.owner, known.uid, known.names, known.keys) == (
            "alice",
            scene.alice.uid,
            ("alice", "desk"),
            2,
        )
        assert scene.asked.count(ACCOUNT) == 2
        # Cooldown, claim and open entries are the account's.
        await scene.lose_answer(one)
        with pytest.raises(GuardError, match="recover"):
            await other.convert_all()
        (entry,) = await other.converter.recover()
        assert (entry.account, entry.owner, entry.status) == ("alice", "alice", "confirmed")


@in_virtual_time
async def test_each_key_is_asked_for_its_number_once_in_the_life_of_a_ledger(folder: Path) -> None:
    scene = Scene()
    for _ in range(3):
        async with process_of(scene, scene.credentials, folder / "dust.db") as process:
            await asyncio.gather(*(process.converter.quote() for _ in range(3)))
            await process.ledger.sync(process.client)

    assert scene.asked.count(ACCOUNT) == 1


@in_virtual_time
async def test_one_name_for_two_accounts_is_refused_with_both_numbers(folder: Path) -> None:
    scene = Scene()
    accounts = scene.world.exchange.accounts
    accounts.open("bob", {"ADA": "3"})
    mains = [another_key(scene, "main"), another_key(scene, "main", "bob")]
    path = folder / "dust.db"
    async with process_of(scene, mains[0], path) as alice, process_of(scene, mains[1], path) as bob:
        await scene.lose_answer(alice)
        before = await entries_of(alice.ledger)

        for doing in (
            bob.ledger.sync(bob.client),
            bob.converter.quote(),
            bob.converter.recover(),
            bob.ledger.adopt("main", bob.client),
        ):
            with pytest.raises(ConfigurationError) as caught:
                await doing
            for number in (scene.alice.uid, accounts["bob"].uid):
                assert f"number {number}" in str(caught.value)

        assert await entries_of(alice.ledger) == before
        (entry,) = await alice.converter.recover()
        assert entry.status == "confirmed"
        # The refused key was asked for its number once, too.
        assert scene.asked.count(ACCOUNT) == 2


@pytest.mark.parametrize("name", [None, "alice"])
@in_virtual_time
async def test_a_new_key_finds_what_the_old_one_left_open(name: str | None, folder: Path) -> None:
    scene = Scene()
    old = another_key(scene, name)
    path = folder / "dust.db"
    async with process_of(scene, old, path) as process:
        await scene.lose_answer(process)
    scene.world.exchange.accounts.remove_key(old.api_key)
    async with process_of(scene, another_key(scene, name), path) as process:
        with pytest.raises(GuardError, match="recover"):
            await process.convert_all()
        await process.ledger.sync(process.client)

        (entry,) = await process.converter.recover()

        assert entry.status == "confirmed"
        assert [each.id for each in await entries_of(process.ledger)] == [entry.id]
        assert sum((await net_by(process.ledger)).values()) == 1


# --- the number can't be had ---


@pytest.mark.parametrize("status", [401, 404, 503])
@in_virtual_time
async def test_a_key_stands_in_for_the_number(status: int, folder: Path) -> None:
    scene = Scene()
    scene.faults.fail(status, endpoint=ACCOUNT, times=None)
    path = folder / "dust.db"
    key = scene.credentials
    again = Credentials(key.api_key, key.secret.reveal(), name="again")
    async with process_of(scene, key, path) as one, process_of(scene, again, path) as other:
        assert (await one.convert_all()).complete
        await other.ledger.sync(other.client)

        assert await net_by(one.ledger) == {"alice": 1}
        (known,) = await one.ledger.accounts()
        assert (known.uid, known.names) == (None, ("again", "alice"))
        # An answer is believed for a day, and none is no answer.
        assert (scene.asked.count(ACCOUNT) == 1) is (status != 503)


@in_virtual_time
async def test_a_name_with_another_key_is_refused_until_it_is_adopted(folder: Path) -> None:
    scene = Scene(DUST_OF_TWO | {"LTC": "0.01"})
    scene.faults.fail(404, endpoint=ACCOUNT, times=None)
    path = folder / "dust.db"
    async with process_of(scene, scene.credentials, path) as process:
        await scene.lose_answer(process)
    async with process_of(scene, another_key(scene, "alice"), path) as process:
        for doing in (process.convert_all, process.converter.recover):
            with pytest.raises(ConfigurationError, match="adopt") as caught:
                await doing()
            assert "404" in str(caught.value) or "did not tell" in str(caught.value)

        adopted = await process.ledger.adopt("alice", process.client)

        assert adopted == ("alice", None)
        (entry,) = await process.converter.recover()
        assert entry.status == "confirmed"
        # A refusal is not asked about again for a day.
        asked = scene.asked.count(ACCOUNT)
        await process.converter.quote()
        assert scene.asked.count(ACCOUNT) == asked
        scene.faults.clear()
        await asyncio.sleep(86_400)
        await process.converter.quote()
        (known,) = await process.ledger.accounts()
        assert (known.owner, known.uid, known.keys) == ("alice", scene.alice.uid, 2)


@in_virtual_time
async def test_an_account_is_adopted_by_a_client_of_another_name() -> None:
    scene = Scene()
    scene.faults.fail(404, endpoint=ACCOUNT, times=None)
    desk = another_key(scene, "desk")
    async with scene.process() as process:
        await scene.lose_answer(process)
        client = process.session.client(desk)
        converter = Converter(client, ledger=process.ledger)
        # Nothing says that it is alice: it has books of its own.
        quote = await converter.quote()

        await process.ledger.adopt("alice", client)

        (known,) = await process.ledger.accounts()
        assert (known.owner, known.names, known.keys) == ("alice", ("alice", "desk"), 2)
        with pytest.raises(GuardError, match="recover"):
            await converter.convert(quote)
        (entry,) = await converter.recover()
        assert entry.status == "confirmed"


@in_virtual_time
async def test_only_the_account_that_is_named_is_adopted() -> None:
    """The new key came under a name whose books are of another key, perhaps of another account."""
    scene = Scene()
    scene.faults.fail(404, endpoint=ACCOUNT, times=None)
    scene.world.exchange.accounts.open("bob", {"ADA": "3"})
    bob, new = another_key(scene, "desk", "bob"), another_key(scene, "desk")
    async with scene.process() as process:
        await process.convert_all()
        theirs = Converter(process.session.client(bob), ledger=process.ledger)
        await theirs.convert(await theirs.quote())
        client = process.session.client(new)

        await process.ledger.adopt("alice", client)

        assert await net_by(process.ledger) == {"alice": 1, "desk": 1}
        with pytest.raises(ConfigurationError, match="the name desk came with another key"):
            await Converter(client, ledger=process.ledger).quote()


@in_virtual_time
async def test_a_name_whose_books_are_empty_may_change_its_key(folder: Path) -> None:
    scene = Scene()
    path = folder / "dust.db"
    wrong = Credentials("k" * 64, "mistyped", name="alice")
    async with process_of(scene, wrong, path) as process:
        with pytest.raises(Exception, match="Invalid API-key"):
            await process.converter.quote()
    async with process_of(scene, scene.credentials, path) as process:
        await process.converter.quote()

        (known,) = await process.ledger.accounts()
        assert (known.uid, known.keys) == (scene.alice.uid, 1)


@in_virtual_time
async def test_a_number_that_is_learnt_later_joins_the_books_and_counts_each_record_once(
    folder: Path,
) -> None:
    scene = Scene(cooldown=0.0)
    desk = another_key(scene, "desk")
    path = folder / "dust.db"
    lost = scene.faults.fail(503, endpoint=ACCOUNT, times=None)
    async with (
        process_of(scene, scene.credentials, path) as one,
        process_of(scene, desk, path) as other,
    ):
        await one.convert_all()
        await other.ledger.sync(other.client)
        await other.ledger.sync(other.client)
        # Nothing says yet that they are one account.
        assert await net_by(one.ledger) == {"alice": 1, "desk": 1}
        scene.alice.deposit("ADA", "5")
        await scene.lose_answer(one)
        scene.alice.deposit("XRP", "1")
        await scene.lose_answer(other)
        lost.cancel()

        await one.converter.quote()
        await other.converter.quote()

        assert await net_by(one.ledger) == {"alice": 1}
        (known,) = await one.ledger.accounts()
        assert known.names == ("alice", "desk")
        # Both left a call open, and both are settled.
        settled = await one.converter.recover()
        assert [entry.status for entry in settled] == ["confirmed", "confirmed"]
        assert await net_by(one.ledger) == {"alice": 3}
        await one.ledger.sync(one.client)
        assert await net_by(one.ledger) == {"alice": 3}


@in_virtual_time
async def test_a_client_of_another_account_can_not_be_adopted_by_its_name(folder: Path) -> None:
    scene = Scene()
    scene.world.exchange.accounts.open("bob", {"ADA": "3"})
    bob = another_key(scene, None, "bob")
    async with process_of(scene, scene.credentials, folder / "dust.db") as process:
        await process.convert_all()

        with pytest.raises(ConfigurationError, match="account number"):
            await process.ledger.adopt("alice", DustClient(bob, process.session))


@in_virtual_time
async def test_a_converter_in_a_process_of_its_own_sees_a_claim_under_another_name(
    folder: Path,
) -> None:
    scene = Scene()
    path = folder / "dust.db"
    desk = another_key(scene, "desk")
    async with (
        process_of(scene, scene.credentials, path) as one,
        process_of(scene, desk, path) as other,
    ):
        quotes = [await process.converter.quote() for process in (one, other)]
        scene.faults.delay(5.0, endpoint=DUST)

        outcomes = await asyncio.gather(
            one.converter.convert(quotes[0]),
            other.converter.convert(quotes[1]),
            return_exceptions=True,
        )

        assert sorted(type(each).__name__ for each in outcomes) == ["GuardError", "Receipt"]
        assert len(scene.sent) == 1


@in_virtual_time
async def test_the_cooldown_is_the_account_s() -> None:
    scene = Scene()
    desk = another_key(scene, "desk")
    async with scene.process(cooldown=3600) as process:
        same = Converter(process.session.client(desk), ledger=process.ledger, cooldown=3600)
        quotes = await process.converter.quote(), await same.quote()
        await process.converter.convert(quotes[0].only("ADA"))

        # The ledger tells, before the exchange's own log is read again.
        with pytest.raises(GuardError, match="cooling down"):
            await same.convert(quotes[1].only("XRP"))

        assert (await same.next_eligible_at()) > process.session.now()
        assert scene.sent == ["ADA"]


@in_virtual_time
async def test_many_accounts_are_asked_for_their_numbers_at_once(folder: Path) -> None:
    scene = Scene()
    accounts = scene.world.exchange.accounts
    keys = [accounts.open(f"account-{n}", {"ADA": "3"}) for n in range(20)]
    scene.faults.delay(2.0, endpoint=ACCOUNT, times=None)
    async with process_of(scene, scene.credentials, folder / "dust.db") as process:
        began = scene.world.loop.time()

        found = await asyncio.gather(
            *(process.ledger.identify(process.session.client(key)) for key in keys)
        )

        # The first one goes alone: its answer tells what others have spent.
        assert scene.world.loop.time() - began < 6
        assert process.ledger._asking == {}
        assert [each.uid for each in found] == [accounts[key.name or ""].uid for key in keys]
