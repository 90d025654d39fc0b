"""A past that was never lived: in the log as if it had been, the same for the same seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from binance_dust.sandbox import Conversion, DebtExchange, Sandbox
from tests.sandbox.conftest import NOON, FakeTime

LOG = "GET /sapi/v1/asset/dribblet"
NOW = datetime.fromtimestamp(NOON, tz=UTC)
DAY = timedelta(days=1)


def sandbox(seed: int = 7, **rules: float) -> Sandbox:
    exchange = Sandbox(seed=seed, clock=FakeTime(), **rules)  # type: ignore[arg-type]
    exchange.open_account("alice", ADA="6.21", margin=True)
    return exchange


def test_a_past_has_a_conversion_at_each_of_its_times() -> None:
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
    # Nothing came in now.
    assert exchange.account("alice").free("BNB") == 0


def test_the_same_seed_has_the_same_past() -> None:
    def past(seed: int) -> tuple[Conversion, ...]:
        return sandbox(seed).make_history("alice", [NOW - DAY, NOW], target="USDT")

    assert past(7) == past(7)
    assert past(7) != past(8)


def test_a_past_added_later_goes_on_with_the_ids_and_keeps_the_order() -> None:
    exchange = sandbox()

    late = exchange.make_history("alice", [NOW - DAY])
    early = exchange.make_history("alice", [NOW - 9 * DAY, NOW - 2 * DAY], wallet="MARGIN")

    assert exchange.account("alice").conversions == [*early, *late]
    assert len({done.transaction_id for done in (*early, *late)}) == 3
    assert {done.wallet for done in early} == {"MARGIN"}


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        sandbox().make_history("alice", [datetime(2026, 1, 1)])  # noqa: DTZ001 - that is the point


def test_exchanged_debts_of_the_past_keep_their_order_too() -> None:
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


def test_the_log_shows_a_past_by_the_exchanges_own_clock() -> None:
    exchange = sandbox()
    exchange.faults.jump_clock(3_600)

    (done,) = exchange.make_history("alice", [NOW + timedelta(minutes=59)])

    assert done.done_at == pytest.approx(NOON - 60)
