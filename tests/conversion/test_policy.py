"""The options of a converter: read exactly, and rejected if they can't work."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from binance_dust import ConfigurationError, Credentials, DustError, GuardError, Session
from binance_dust._util.checks import to_timedelta
from binance_dust.conversion._policy import (
    KeepRule,
    asset_names,
    lower,
    most_to_sell,
    to_decimal,
    to_when_below,
)
from binance_dust.ledger import Kind
from tests.conversion.values import policy, seconds

D = Decimal


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": ""}, "target: '' is not an asset's name"),
        ({"target": "bnb"}, "target: 'bnb' is not an asset's name"),
        ({"max_fee_rate": D("1.1")}, "max_fee_rate"),
        ({"max_fee_rate": D("-0.1")}, "max_fee_rate"),
        ({"min_value": D(-1)}, "min_value"),
        ({"quote_ttl": seconds(0)}, "quote_ttl"),
        ({"cooldown": seconds(-1)}, "cooldown"),
        ({"above_max": D(0)}, "above_max must be above zero"),
        ({"account_type": "MARGIN", "above_max": D(1)}, "for the spot wallet only"),
        ({"account_type": "MARGIN", "gather": True}, "for the spot wallet only"),
    ],
)
def test_rules_that_can_not_work_are_rejected(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        policy(**changes)


def test_rules_may_be_at_their_bounds() -> None:
    assert policy(max_fee_rate=D(0)).max_fee_rate == 0
    assert policy(max_fee_rate=D(1)).max_fee_rate == 1
    assert policy(cooldown=seconds(0)).cooldown == seconds(0)
    assert policy(above_max=D("0.1"), gather=True).above_max == D("0.1")


def test_only_into_bnb_the_call_for_many_assets_is_used() -> None:
    assert policy().kind is Kind.DUST
    assert policy(target="USDT").kind is Kind.DUST_CONVERT


def test_how_much_is_sold_needs_both_of_its_options() -> None:
    assert most_to_sell(None, None) is None
    assert most_to_sell("convert", "0.5") == D("0.5")
    for above, most in (("sell", 1), (None, 1)):
        with pytest.raises(ConfigurationError, match="'convert' or None"):
            most_to_sell(above, most)
    with pytest.raises(ConfigurationError, match="say up to which worth"):
        most_to_sell("convert", None)


def test_of_two_rules_each_asset_has_to_be_low_by_both() -> None:
    first, second = to_when_below({"BNB": 1, "ETH": "0.5"}), to_when_below({"BNB": "2", "USDT": 3})

    assert lower(first, second) == lower(second, first) == {"BNB": 1, "ETH": D("0.5"), "USDT": 3}


def test_names_to_keep_can_be_added_to_a_rule() -> None:
    def ask(_: Any) -> list[str]:
        return ["XRP"]

    names, function = KeepRule(["ADA"]) | ["LTC"], KeepRule(ask) | ["LTC"]

    assert names.names == {"ADA", "LTC"}
    assert names.functions == ()
    assert function.names == {"LTC"}
    assert function.functions == (ask,)
    assert KeepRule(function).functions == (ask,)


def test_the_default_wallet_is_not_named_since_older_pages_know_no_other() -> None:
    assert policy().wallet is None
    assert policy(account_type="MARGIN").wallet == "MARGIN"


def test_options_are_read_exactly_and_wrong_types_are_rejected() -> None:
    assert to_decimal("0.02", "x") == to_decimal(D("0.02"), "x") == D("0.02")
    assert to_timedelta(1.5, "x") == to_timedelta(timedelta(seconds=1.5), "x") == seconds(1.5)
    assert asset_names(["ADA"], "keep") == frozenset({"ADA"})
    for wrong in (0.02, True, None):
        with pytest.raises(TypeError, match="x must be"):
            to_decimal(wrong, "x")  # type: ignore[arg-type]
    for text in ("two", "NaN", "1e9999999"):
        with pytest.raises(ConfigurationError, match="finite"):
            to_decimal(text, "x")
    for wrong_span in ("1h", True):
        with pytest.raises(TypeError, match="timedelta or seconds"):
            to_timedelta(wrong_span, "x")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="seconds"):
        to_timedelta(1e300, "x")
    for too_long in (timedelta.max, timedelta.min, 1e12):
        with pytest.raises(ConfigurationError, match="the calendar ends"):
            to_timedelta(too_long, "x")
    with pytest.raises(TypeError, match="several names"):
        asset_names("ADA", "keep")
    with pytest.raises(TypeError, match="keep"):
        asset_names([1], "keep")  # type: ignore[list-item]


@pytest.mark.parametrize("name", ["ada", "Ada", " ADA", "ADA ", "ADA XRP", ""])
def test_a_name_to_keep_that_matches_no_asset_is_rejected(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"keep: '.*' is not an asset's name: .* in capitals"
    ):
        asset_names(["XRP", name], "keep")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"BNB": 0.05}, TypeError),
        ([("BNB", "0.05")], TypeError),
        ({"bnb": "0.05"}, ConfigurationError),
        ({"BNB": "0"}, ConfigurationError),
        ({"BNB": -1}, ConfigurationError),
        ({"BNB": "NaN"}, ConfigurationError),
    ],
)
def test_amounts_below_which_nothing_can_be_are_rejected(
    given: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="when_below"):
        to_when_below(given)


class ShutError(Exception):
    """What a program raises whose errors are not ours."""


@pytest.mark.parametrize(
    "answer", [ShutError("token=s3cret"), "ADA", None, 5, [1], ("ADA", ShutError("in the middle"))]
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_what_to_keep_and_is_not_known_stops_an_account(answer: Any, is_async: bool) -> None:
    """Nothing may be sent on half of an answer, and no text of another program is shown."""

    def ask(client: Any) -> Any:
        if isinstance(answer, ShutError):
            raise answer
        if isinstance(answer, tuple):
            return (_raised(each) for each in answer)
        return answer

    async def ask_later(client: Any) -> Any:
        return ask(client)

    client = Session().client(Credentials("key", "secret", name="alice"))
    keep: Any = ask_later if is_async else ask
    with pytest.raises(GuardError, match=r"^alice: what to keep is not known: ") as caught:
        await KeepRule(keep)(client)

    assert caught.value.account == "alice"
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is not None


def _raised(each: Any) -> Any:
    if isinstance(each, Exception):
        raise each
    return each


async def test_an_error_of_ours_and_a_wrong_name_are_told_as_they_are() -> None:
    def refuse(client: Any) -> list[str]:
        raise GuardError("not today")

    for keep, words in ((refuse, "not today"), (lambda client: ["ada"], "is not an asset's name")):
        with pytest.raises(DustError, match=words):
            await KeepRule(keep)(Session().client(Credentials("key", "secret")))


def test_names_may_have_digits_and_other_letters_than_latin_ones() -> None:
    assert asset_names(["1000SATS", "币安人生"], "keep") == {"1000SATS", "币安人生"}
