"""Which dust and which debts are planned, and why the rest is skipped: values in, values out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from binance_dust.conversion import Reason
from binance_dust.conversion._account import margin_holdings, spot_holdings
from binance_dust.conversion._plan import (
    plan_debts,
    plan_dust,
    target_of_debts,
)
from binance_dust.conversion._worth import Worth, find_worth
from binance_dust.models import (
    ConvertibleAsset,
    ConvertibleAssets,
    MarginAccount,
    MarginAsset,
    SmallLiability,
)
from tests.conversion.values import NOW, line, policy, seconds, user_asset

D = Decimal
CEILING = Worth(limit=D(10), bitcoin=D(100_000))


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        ({"free": "5", "btc_valuation": "0.00005"}, [Reason.UNSUPPORTED]),
        ({"free": "5", "btc_valuation": "0.0001"}, [Reason.ABOVE_CEILING]),
        ({"free": "5", "btc_valuation": "0.00009999"}, [Reason.UNSUPPORTED]),
        ({"free": "5"}, [Reason.TOO_SMALL]),
        ({"locked": "5"}, [Reason.IN_ORDER]),
        ({"freeze": "5"}, [Reason.FROZEN]),
        ({"withdrawing": "5"}, [Reason.WITHDRAWING]),
        ({"ipoable": "5"}, [Reason.IN_LAUNCH]),
        ({"locked": "1", "freeze": "2"}, [Reason.IN_ORDER, Reason.FROZEN]),
        # Half of it is free, and so is half of its worth.
        (
            {"free": "1", "locked": "1", "btc_valuation": "0.00015"},
            [Reason.UNSUPPORTED, Reason.IN_ORDER],
        ),
        (
            {"free": "1", "locked": "1", "btc_valuation": "0.0002"},
            [Reason.ABOVE_CEILING, Reason.IN_ORDER],
        ),
    ],
)
def test_a_holding_that_is_not_listed_has_its_reason(
    row: dict[str, str], reasons: list[Reason]
) -> None:
    held = spot_holdings([user_asset("BTC", **row)], valued=True)

    lines, skipped = plan_dust([], held, policy(), worth=CEILING, cooling={})

    assert lines == ()
    assert [each.reason for each in skipped] == reasons
    assert sum(each.amount for each in skipped) == held["BTC"].total


def test_an_asset_that_is_listed_twice_is_planned_once() -> None:
    kept = line("XRP", gross=D("0.5"), fee=D("0.01"), net=D("0.49"))
    twice = [line("ADA"), kept, line("ADA"), line("ADA", amount=D(7)), kept]
    rules = policy(keep=frozenset({"XRP"}))

    lines, skipped = plan_dust(twice, {}, rules, worth=Worth(), cooling={})

    assert lines == (line("ADA"),)
    assert [each.asset for each in skipped] == ["XRP"]


@pytest.mark.parametrize(
    ("changes", "rules", "reason"),
    [
        ({}, {}, None),
        ({}, {"keep": frozenset({"ADA"})}, Reason.KEPT),
        ({}, {"target": "ADA"}, Reason.TARGET),
        ({"fee": D("0.00177731")}, {}, Reason.FEE_TOO_HIGH),
        ({}, {"min_value": D("0.01741757")}, Reason.BELOW_MIN_VALUE),
        ({}, {"min_value": D("0.01741756")}, None),
        # A fee of a single unit of the eighth place is rounding, and leaves nothing here.
        ({"gross": D("1E-8"), "fee": D("1E-8"), "net": D(0)}, {}, Reason.TOO_SMALL),
        ({"gross": D(0), "fee": D(0), "net": D(0)}, {}, Reason.TOO_SMALL),
        ({"gross": D(0), "fee": D("1E-8"), "net": D("-1E-8")}, {}, Reason.BELOW_MIN_VALUE),
        ({"gross": D("2E-8"), "fee": D("1E-8"), "net": D("1E-8")}, {}, None),
        ({"fee": D("0.01777302"), "net": D(0)}, {"max_fee_rate": D(1)}, Reason.TOO_SMALL),
    ],
)
def test_a_listed_asset_is_planned_unless_the_policy_forbids_it(
    changes: dict[str, Any], rules: dict[str, Any], reason: Reason | None
) -> None:
    lines, skipped = plan_dust([line(**changes)], {}, policy(**rules), worth=Worth(), cooling={})

    assert [each.reason for each in skipped] == ([] if reason is None else [reason])
    assert len(lines) == (1 if reason is None else 0)


def test_an_asset_that_cools_down_says_until_when() -> None:
    until = NOW + seconds(5)

    lines, (why,) = plan_dust(
        [line("ADA"), line("XRP")], {}, policy(), worth=CEILING, cooling={"XRP": until}
    )

    assert [each.asset for each in lines] == ["ADA"]
    assert (why.asset, why.reason, why.until) == ("XRP", Reason.COOLING_DOWN, until)
    assert "until 2026-11-21 12:00:05 UTC" in str(why)


def test_the_unusable_part_of_a_planned_asset_is_explained_too() -> None:
    held = spot_holdings([user_asset("ADA", free="6.21", locked="2")], valued=True)

    lines, (why,) = plan_dust([line()], held, policy(), worth=CEILING, cooling={})

    assert len(lines) == 1
    assert (why.amount, why.reason) == (D(2), Reason.IN_ORDER)


def test_the_target_and_kept_assets_have_their_reasons() -> None:
    rows = [user_asset("BNB", free="1", locked="2", btc_valuation="1"), user_asset("ETH", free="1")]

    _, skipped = plan_dust(
        [],
        spot_holdings(rows, valued=True),
        policy(keep=frozenset({"ETH"})),
        worth=CEILING,
        cooling={},
    )

    assert [(each.asset, each.amount, each.reason) for each in skipped] == [
        ("BNB", D(3), Reason.TARGET),
        ("ETH", D(1), Reason.KEPT),
    ]


def test_without_valuations_a_margin_plan_says_no_more_than_it_knows() -> None:
    account = MarginAccount(
        user_assets=[
            MarginAsset(
                asset="ETH", borrowed=D(1), free=D(2), interest=D(0), locked=D(3), net_asset=D(4)
            )
        ]
    )

    held = margin_holdings(account)
    _, (free, locked) = plan_dust([], held, policy(), worth=Worth(), cooling={})

    assert (free.amount, free.reason) == (D(2), Reason.UNSUPPORTED)
    assert "too much" in free.detail
    assert (locked.amount, locked.reason) == (D(3), Reason.IN_ORDER)


def convertible(*rows: tuple[str, str]) -> ConvertibleAssets:
    details = [
        ConvertibleAsset(
            asset=asset,
            asset_full_name=asset,
            amount_free=D(1),
            exchange=D(0),
            to_quota_asset_amount=D(quota),
            to_target_asset_amount=D(1),
            to_target_asset_off_exchange=D(1),
        )
        for asset, quota in rows
    ]
    return ConvertibleAssets(
        dribblet_percentage=D("0.02"),
        total_transfer_quota_asset_amount=D(0),
        total_transfer_target_asset_amount=D(0),
        dribblet_base=D(10),
        details=details,
    )


@pytest.mark.parametrize(
    ("listed", "rows", "bitcoin"),
    [
        (
            convertible(("ADA", "2"), ("XRP", "5")),
            {"ADA": "0.00002", "XRP": "0.00005001"},
            "99980.00399920015996800639872",
        ),
        (convertible(("ADA", "2")), {"ADA": "0", "USDT": "0.00001"}, "100000"),
        (convertible(("ADA", "2")), {"XRP": "0.1"}, None),
        (convertible(), {}, None),
        (convertible(), {"USDT": "0"}, None),
        # What was measured by dust is believed before the balance of dollars.
        (convertible(("ADA", "2")), {"ADA": "0.00001", "USDT": "0.00002"}, "200000"),
    ],
)
def test_the_price_of_bitcoin_comes_from_an_asset_with_a_worth_in_both_units(
    listed: ConvertibleAssets, rows: dict[str, str], bitcoin: str | None
) -> None:
    held = spot_holdings(
        [user_asset(asset, free="1", btc_valuation=worth) for asset, worth in rows.items()],
        valued=True,
    )

    found = find_worth(listed, held)

    assert found.limit == D(10)
    assert found.bitcoin == (None if bitcoin is None else D(bitcoin))


def test_without_a_price_only_a_worth_above_all_known_ceilings_is_too_much() -> None:
    assert Worth().is_too_much(D("0.0012"))
    assert not Worth().is_too_much(D("0.0011"))
    assert Worth(limit=D(10)).is_too_much(D("0.0012"))
    assert not Worth(limit=D(10)).is_too_much(D("0.0011"))
    assert not Worth(bitcoin=D(100_000)).is_too_much(D("0.0011"))


def test_a_known_ceiling_is_named() -> None:
    held = spot_holdings([user_asset("ETH", free="1", btc_valuation="1")], valued=True)

    told = [
        plan_dust([], held, policy(), worth=ceiling, cooling={})[1][0].detail
        for ceiling in (CEILING, Worth())
    ]

    assert told == ["the ceiling is 10 USDT", ""]


def test_a_target_with_no_balance_is_not_mentioned() -> None:
    nothing = spot_holdings([user_asset("BNB", free="0")])
    some = spot_holdings([user_asset("BNB", free="1")])

    assert plan_dust([], nothing, policy(), worth=CEILING, cooling={}) == ((), ())
    # Should the exchange list it all the same, it is said once that it stays.
    _, told = plan_dust([line(asset="BNB")], some, policy(), worth=CEILING, cooling={})
    assert [each.reason for each in told] == [Reason.TARGET]
    assert [
        each.reason for each in plan_dust([], some, policy(), worth=CEILING, cooling={})[1]
    ] == [Reason.TARGET]


def test_a_missing_valuation_does_not_mean_worthless() -> None:
    held = spot_holdings([user_asset("ETH", free="1")])

    _, (why,) = plan_dust([], held, policy(), worth=CEILING, cooling={})

    assert why.reason is Reason.UNSUPPORTED
    assert "too much or too little" in why.detail


def test_an_asset_with_no_balance_has_no_worth_and_no_reason() -> None:
    held = spot_holdings([user_asset("ETH", btc_valuation="0.001")], valued=True)

    assert held["ETH"].free_in_bitcoin is None
    assert plan_dust([], held, policy(), worth=CEILING, cooling={}) == ((), ())


def row(asset: str, worth: str = "1", liability_asset: str = "USDT") -> SmallLiability:
    return SmallLiability(
        asset=asset,
        interest=Decimal("0.1"),
        principal=Decimal(1),
        liability_asset=liability_asset,
        liability_qty=Decimal(worth),
    )


def test_the_ten_largest_debts_go_at_once() -> None:
    rows = [row(f"A{n}", str(n)) for n in range(1, 13)]

    lines, skipped = plan_debts(rows, {}, target="USDT", keep=frozenset({"A12"}), until=None)

    assert [line.asset for line in lines] == [f"A{n}" for n in range(11, 1, -1)]
    assert {line.amount for line in lines} == {Decimal("1.1")}
    assert [(each.asset, each.reason) for each in skipped] == [
        ("A12", Reason.KEPT),
        ("A1", Reason.TOO_MANY),
    ]


def test_a_debt_that_is_listed_twice_is_planned_once() -> None:
    twice = [row("ETH", "3"), row("SOL", "3"), row("ETH", "4"), row("SOL", "3")]

    lines, skipped = plan_debts(twice, {}, target="USDT", keep=frozenset(), until=None)

    assert [(line.asset, line.worth) for line in lines] == [
        ("ETH", Decimal(3)),
        ("SOL", Decimal(3)),
    ]
    assert skipped == ()


def test_the_target_of_debts_is_the_one_the_exchange_lists() -> None:
    rows = [row("ETH", liability_asset="USDC")]
    owed = {"ETH": Decimal("1.1"), "USDC": Decimal(5), "USDT": Decimal(7)}

    _, skipped = plan_debts(rows, owed, target=target_of_debts(rows), keep=frozenset(), until=None)

    assert target_of_debts(rows) == "USDC"
    assert target_of_debts([]) == "USDT"
    assert [(each.asset, each.reason, each.detail) for each in skipped] == [
        ("USDC", Reason.TARGET, ""),
        ("USDT", Reason.UNSUPPORTED, "too large, or of an asset that is not exchanged"),
    ]


@pytest.mark.parametrize(
    ("free", "limits", "needed"),
    [
        ("0.04999999", {"BNB": "0.05"}, True),
        ("0.05", {"BNB": "0.05"}, False),
        ("0", {"BNB": "0.05"}, True),
        ("0", {"BNB": "0.05", "ETH": "1"}, True),
        ("0.06", {"BNB": "0.05", "ETH": "1"}, False),
        ("5", {}, True),
    ],
)
def test_dust_is_left_where_there_is_enough_of_what_pays_the_fees(
    free: str, limits: dict[str, str], needed: bool
) -> None:
    """What is locked pays no fee, and of several assets each has to be low."""
    held = spot_holdings([user_asset("BNB", free=free, locked="9")])
    rules = policy(
        keep=frozenset({"XRP"}), when_below={name: D(value) for name, value in limits.items()}
    )
    lines = [line("ADA", amount=D(7)), line("XRP")]

    planned, skipped = plan_dust(lines, held, rules, worth=Worth(), cooling={})

    assert [each.asset for each in planned] == (["ADA"] if needed else [])
    reasons = {each.asset: each for each in skipped}
    assert reasons["XRP"].reason is Reason.KEPT
    if not needed:
        left = reasons["ADA"]
        assert (left.reason, left.amount) == (Reason.NOT_NEEDED, D(7))
        assert left.detail == f"{free} BNB is not below {limits['BNB']}"
