"""What a fleet may ask for, and the worker's own rules beside it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import ConfigurationError, GuardError
from binance_dust.fleet._options import (
    ConvertOptions,
    EstimateOptions,
    OwnRules,
    ReadOptions,
    read_options,
)

HOURS_24 = timedelta(hours=24)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ConvertOptions, {"liabilities": True}),
        (ConvertOptions, {"concurrency": 10**9}),
        (ConvertOptions, {"choose": "x"}),
        (ConvertOptions, {"every": -1}),
        (ConvertOptions, {"what": "transfers"}),
        (ConvertOptions, {"keep": "BTC"}),
        (ConvertOptions, {"cooldown": -1}),
        (ConvertOptions, {"cooldown": 1e300}),
        (ConvertOptions, {"quote_ttl": float("nan")}),
        (ConvertOptions, {"quote_ttl": float("inf")}),
        (ConvertOptions, {"max_fee_rate": 0.1}),
        (ConvertOptions, {"max_fee_rate": "9" * 61}),
        (ConvertOptions, {"account_type": "FUNDING"}),
        (ConvertOptions, {"target": ""}),
        (ConvertOptions, {"target": "A" * 201}),
        (ConvertOptions, {"keep": ["A"] * 100_001}),
        (ConvertOptions, {"when_below": ["BNB"]}),
        (ConvertOptions, {"when_below": {"BNB": 0.1}}),
        (ReadOptions, {"concurrency": 1}),
        (ReadOptions, {"liabilities": "all"}),
        (EstimateOptions, {}),
        (EstimateOptions, {"accounts": [], "debt_share": 2}),
    ],
)
def test_what_is_not_listed_or_out_of_bounds_is_refused(kind: Any, options: Any) -> None:
    with pytest.raises(ConfigurationError, match="does not take"):
        read_options(options, kind)


def test_of_two_rules_the_tighter_one_counts() -> None:
    own = OwnRules(
        {
            "keep": ["BTC"],
            "max_fee_rate": "0.03",
            "min_value": "0.001",
            "quote_ttl": 30,
            "cooldown": 3600,
            "when_below": {"BNB": "0.05"},
        }
    )
    loose = ConvertOptions(
        keep=(),
        max_fee_rate="1",
        min_value=0,
        quote_ttl=1e6,
        cooldown=0,
        when_below={"BNB": "0.5", "ETH": 1},
    )
    tight = ConvertOptions(
        keep=("ETH",),
        max_fee_rate="0.01",
        min_value="0.1",
        quote_ttl=5,
        cooldown=7200,
        when_below={"BNB": "0.02"},
    )

    assert rules_of(own, ConvertOptions()) == {
        **rules_of(own, loose),
        "when_below": {"BNB": Decimal("0.05")},
    }
    assert rules_of(own, loose) == {
        "target": "BNB",
        "keep": {"BTC"},
        "max_fee_rate": Decimal("0.03"),
        "min_value": Decimal("0.001"),
        "quote_ttl": timedelta(seconds=30),
        "cooldown": timedelta(hours=1),
        "when_below": {"BNB": Decimal("0.05"), "ETH": Decimal(1)},
        "together": False,
    }
    assert rules_of(own, tight) == {
        "target": "BNB",
        "keep": {"BTC", "ETH"},
        "max_fee_rate": Decimal("0.01"),
        "min_value": Decimal("0.1"),
        "quote_ttl": timedelta(seconds=5),
        "cooldown": timedelta(hours=2),
        "when_below": {"BNB": Decimal("0.02")},
        "together": False,
    }


def rules_of(own: OwnRules, asked: ConvertOptions) -> dict[str, Any]:
    """Give the rules that a worker would convert by, with the names to keep in place of a rule."""
    rules: dict[str, Any] = dict(own.with_those_of(asked))
    return rules | {"keep": rules["keep"].names}


async def test_a_workers_own_function_is_asked_besides_the_names_of_a_fleet() -> None:
    """A bot that runs beside a worker keeps its trades, whatever a fleet asks for."""
    own = OwnRules({"keep": lambda client: ["SOL"]})

    keep: Any = own.with_those_of(ConvertOptions(keep=("ETH",)))["keep"]

    assert await keep(None) == {"SOL", "ETH"}
    assert own.with_those_of(ConvertOptions())["keep"].names == set()  # type: ignore[union-attr]


@given(
    st.builds(
        ConvertOptions,
        keep=st.lists(st.sampled_from(["ADA", "XRP"])).map(tuple),
        max_fee_rate=st.none() | st.decimals(0, 1, places=3).map(str),
        min_value=st.none() | st.integers(0, 9),
        quote_ttl=st.none() | st.floats(0, 1e6),
        cooldown=st.none() | st.floats(0, 1e6),
    )
)
def test_without_rules_of_its_own_those_of_a_converter_bound_a_fleet(asked: ConvertOptions) -> None:
    found = OwnRules({}).with_those_of(asked)

    assert found["max_fee_rate"] <= Decimal("0.05")  # type: ignore[operator]
    assert found["cooldown"] >= HOURS_24  # type: ignore[operator]
    assert found["quote_ttl"] <= timedelta(seconds=60)  # type: ignore[operator]


def test_a_target_of_its_own_is_the_only_one() -> None:
    own = OwnRules({"target": "USDT"})

    assert own.with_those_of(ConvertOptions(target="USDT"))["target"] == "USDT"
    with pytest.raises(GuardError, match="into USDT, not BNB"):
        own.with_those_of(ConvertOptions())


def test_wallets_of_its_own_are_the_only_ones() -> None:
    own = OwnRules({"account_types": ["MARGIN"]}, liabilities=True)

    assert own.with_those_of(ConvertOptions(account_type="MARGIN"))
    assert own.with_those_of(ConvertOptions(what="liabilities", account_type="MARGIN"))
    with pytest.raises(GuardError, match="dust of MARGIN only"):
        own.with_those_of(ConvertOptions())


@pytest.mark.parametrize("rules", [{"keep": "BTC"}, {"max_fee_rate": 0.1}, {"dry_run": True}])
def test_rules_that_are_none_are_refused(rules: Any) -> None:
    with pytest.raises((TypeError, ConfigurationError)):
        OwnRules(rules)
