"""The accounts of a sandbox: opening them, and drawing their histories by seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from binance_dust.sandbox import Conversion, DebtExchange, Sandbox
from tests.sandbox.conftest import NOON, FakeTime

if TYPE_CHECKING:
    from binance_dust.credentials import Credentials

NOW = datetime.fromtimestamp(NOON, tz=UTC)
DAY = timedelta(days=1)


# Opening accounts


@pytest.mark.parametrize("kind", ["hmac", "ed25519", "rsa"])
async def test_an_account_has_the_kind_of_key_that_was_asked_for(kind: Any) -> None:
    async with Sandbox() as exchange:
        alice = exchange.open_account("alice", key=kind)

        assert alice.name == "alice"
        assert len(alice.api_key) == 64
        assert ("PRIVATE KEY" in alice.secret.reveal()) is (kind != "hmac")


def test_many_accounts_have_varied_balances_margin_and_debts() -> None:
    exchange = Sandbox(seed=1)

    credentials = exchange.open_accounts(60)

    accounts = list(exchange.accounts)
    assert len({account.api_key for account in credentials}) == 60
    assert [account.name for account in accounts] == [account.name for account in credentials]
    assert any(account.margin is None for account in accounts)
    assert any(account.margin is not None and not account.margin.debts for account in accounts)
    assert any(account.margin is not None and account.margin.debts for account in accounts)
    held = [dict(account.spot) for account in accounts]
    assert any("BZRX" in spot or "WRZ" in spot for spot in held)
    assert any(holding.locked for spot in held for holding in spot.values())
    assert exchange.account("alice") is accounts[0]


def test_a_name_is_given_once() -> None:
    exchange = Sandbox()
    exchange.open_account("alice")

    assert exchange.open_account().name == "bob"
    with pytest.raises(ValueError, match="'alice' is open already"):
        exchange.open_account("alice")


def test_a_misspelt_option_is_not_taken_for_an_asset() -> None:
    with pytest.raises(TypeError, match="no option 'permission'"):
        Sandbox().open_account("alice", permission="1")


def test_an_unlisted_asset_is_listed_at_a_price_of_cents() -> None:
    exchange = Sandbox(seed=1)
    exchange.open_account("alice", MYSTERY="1")

    assert 0 < exchange.market["MYSTERY"].price <= 1
    assert "NOSUCH" not in exchange.market


def keys(credentials: Credentials) -> tuple[str, str]:
    return credentials.api_key, credentials.secret.reveal()


def test_the_keys_do_not_depend_on_the_order_of_opening() -> None:
    one, two = Sandbox(seed=5), Sandbox(seed=5)

    first = keys(one.open_account("alice")), keys(one.open_account("bob"))
    second = keys(two.open_account("bob")), keys(two.open_account("alice"))

    assert first == (second[1], second[0])


# Histories


def sandbox(seed: int = 7, **rules: float) -> Sandbox:
    exchange = Sandbox(seed=seed, clock=FakeTime(), **rules)  # type: ignore[arg-type]
    exchange.open_account("alice", ADA="6.21", margin=True)
    return exchange


def test_a_history_has_a_conversion_at_each_time() -> None:
    exchange = sandbox()
    times = [NOW - n * DAY for n in range(5)]

    made = exchange.make_history("alice", times)

    assert [done.at_ms for done in made] == [int(time.timestamp() * 1000) for time in times]
    assert exchange.conversions == tuple(reversed(made))
    assert len({done.transaction_id for done in made}) == 5
    for done in made:
        assert done.target == "BNB"
        assert done.net == sum((row.gross - row.fee for row in done.rows), Decimal(0)) > 0
        assert len({row.asset for row in done.rows}) == len(done.rows)
        assert "BNB" not in {row.asset for row in done.rows}
    # The balance does not change.
    assert exchange.account("alice").free("BNB") == 0


def test_the_same_seed_draws_the_same_history() -> None:
    def history(seed: int) -> tuple[Conversion, ...]:
        return sandbox(seed).make_history("alice", [NOW - DAY, NOW], target="USDT")

    assert history(7) == history(7)
    assert history(7) != history(8)


def test_a_second_history_continues_the_ids_and_keeps_the_order() -> None:
    exchange = sandbox()

    late = exchange.make_history("alice", [NOW - DAY])
    early = exchange.make_history("alice", [NOW - 9 * DAY, NOW - 2 * DAY], wallet="MARGIN")

    assert exchange.account("alice").conversions == [*early, *late]
    assert len({done.transaction_id for done in (*early, *late)}) == 3
    assert {done.wallet for done in early} == {"MARGIN"}


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        sandbox().make_history("alice", [datetime(2026, 1, 1)])  # noqa: DTZ001 - that is the point


def test_recorded_debt_exchanges_are_kept_in_order_of_time() -> None:
    account = sandbox().account("alice")

    def debt(asset: str, at_ms: int) -> DebtExchange:
        return DebtExchange(
            account="alice",
            asset=asset,
            amount=Decimal(1),
            target="USDT",
            target_amount=Decimal(1),
            at_ms=at_ms,
        )

    for item in (debt("ETH", 200), debt("BTC", 100)):
        account.record(item)

    assert [done.asset for done in account.debt_exchanges] == ["BTC", "ETH"]


def test_a_history_is_dated_by_the_exchanges_own_clock() -> None:
    exchange = sandbox()
    exchange.faults.jump_clock(3_600)

    (done,) = exchange.make_history("alice", [NOW + timedelta(minutes=59)])

    assert done.done_at == pytest.approx(NOON - 60)


def test_no_two_accounts_share_the_numbers_of_their_transactions() -> None:
    # With this seed account-0032 and account-0056 draw the same.
    exchange = Sandbox(seed=10)
    exchange.open_accounts(100)

    assert len({account.first_transaction for account in exchange.accounts}) == 100
