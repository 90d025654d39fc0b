"""An account has one number, whatever its keys; each key signs for itself."""

from __future__ import annotations

import pytest

from binance_dust import Credentials, CredentialsError, Session
from binance_dust.sandbox import Sandbox


def test_each_account_has_a_number_of_its_own_the_same_by_seed() -> None:
    exchange, again = Sandbox(seed=3), Sandbox(seed=3)
    exchange.open_accounts(40)
    again.open_accounts(40)

    numbers = [account.uid for account in exchange.accounts]
    assert len(set(numbers)) == 40
    assert numbers == [account.uid for account in again.accounts]


async def test_all_keys_of_an_account_show_its_number() -> None:
    async with Sandbox() as exchange, Session(base_url=exchange.url) as session:
        first = exchange.open_account("alice", ADA="6.21")
        second = exchange.add_key("alice", name="desk", key="ed25519")
        exchange.open_account("bob")

        shown = [await session.client(each).spot_account() for each in (first, second)]

        assert {each.uid for each in shown} == {exchange.account("alice").uid}
        assert (second.name, exchange.add_key("alice").name) == ("desk", None)
        assert exchange.account("bob").uid not in {each.uid for each in shown}


async def test_a_signature_by_another_key_of_the_account_is_refused() -> None:
    async with Sandbox() as exchange, Session(base_url=exchange.url) as session:
        first = exchange.open_account("alice")
        second = exchange.add_key("alice")
        mixed = Credentials(first.api_key, second.secret.reveal())

        with pytest.raises(CredentialsError):
            await session.client(mixed).spot_account()


async def test_a_key_that_was_taken_away_is_no_key() -> None:
    async with Sandbox() as exchange, Session(base_url=exchange.url) as session:
        old = exchange.open_account("alice")
        new = exchange.add_key("alice")
        exchange.remove_key(old)

        with pytest.raises(CredentialsError):
            await session.client(old).spot_account()
        assert (await session.client(new).spot_account()).uid == exchange.account("alice").uid
        assert exchange.account("alice").api_key == new.api_key


async def test_zero_balances_are_left_out_unless_asked_for() -> None:
    async with Sandbox() as exchange, Session(base_url=exchange.url) as session:
        client = session.client(exchange.open_account("alice", ADA="6.21"))

        assert [each.asset for each in (await client.spot_account()).balances] == ["ADA"]
        everything = (await client.spot_account(omit_zero=False)).balances
        assert {"ADA", "BTC"} <= {each.asset for each in everything}
