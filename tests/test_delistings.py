"""Which assets the delisting schedules concern, and until when: values in, values out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from binance_dust.models import Delisting, Delistings, LastChance, MarginDelisting

DAY = timedelta(days=1)
NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)


def spot(*symbols: str, days: int = 2) -> Delisting:
    return Delisting(delist_time=NOW + days * DAY, symbols=list(symbols))


def margin(*assets: str, days: int = 1) -> MarginDelisting:
    return MarginDelisting(delist_time=NOW + days * DAY, cross_margin_assets=list(assets))


def test_an_asset_goes_if_its_pair_with_the_main_market_does() -> None:
    found = Delistings([spot("ADAUSDT", "ADABTC", "XRPUSDT"), spot("ADAFDUSD", days=1)])

    ada = found.of("ADA")
    assert ada == LastChance(
        asset="ADA",
        account_type="SPOT",
        until=NOW + 2 * DAY,
        pairs=["ADABTC", "ADAFDUSD", "ADAUSDT"],
        goes=True,
    )
    assert str(ada) == ("ADA: convert it before 2026-12-03 03:00 UTC (ADABTC, ADAFDUSD, ADAUSDT)")
    assert (found.of("BTC"), found.of("USDT"), found.of("AD")) == (None, None, None)


def test_an_asset_may_stay_if_only_some_of_its_pairs_go() -> None:
    """Pairs come and go for want of trade; the asset stays."""
    ada = Delistings([spot("ADAFDUSD"), spot("ADAEUR", days=1)]).of("ADA")

    assert ada is not None
    assert (ada.goes, ada.until, ada.pairs) == (False, NOW + DAY, ["ADAEUR", "ADAFDUSD"])
    assert str(ada) == "ADA: may stay; ADAEUR, ADAFDUSD stops at 2026-12-02 03:00 UTC"


def test_what_leaves_margin_concerns_margin_alone() -> None:
    found = Delistings([spot("ADAUSDT", days=3)], [margin("ADA", "SOL")])

    assert found.of("SOL") is None
    for asset, pairs in (("SOL", []), ("ADA", ["ADAUSDT"])):
        chance = found.of(asset, "MARGIN")
        assert chance is not None
        assert (chance.until, chance.pairs, chance.goes) == (NOW + DAY, pairs, True)
        assert chance.account_type == "MARGIN"
    assert "it leaves cross margin" in str(found.of("SOL", "MARGIN"))
    assert found.of("ADA", None) == found.of("ADA")


def test_the_first_that_ends_comes_first_and_each_once() -> None:
    found = Delistings([spot("LINKBTC", days=1), spot("ADAUSDT", days=5), spot("SOLUSDT")])

    among = found.among(["XRP", "LINK", "ADA", "SOL", "ADA"])

    assert [each.asset for each in among] == ["SOL", "ADA", "LINK"]


@pytest.mark.parametrize(
    ("pair", "asset"),
    [
        ("TUSDT", "T"),
        ("BNBBTC", "BNB"),
        ("1000SATSUSDT", "1000SATS"),
        ("币安人生USDT", "币安人生"),
        ("USDTTRY", "USDT"),
        ("ADAEUR", "ADA"),
        ("ADAAEUR", "ADA"),
    ],
)
def test_a_pair_is_taken_apart_at_what_others_are_priced_in(pair: str, asset: str) -> None:
    assert Delistings([spot(pair)]).of(asset) is not None


def test_pairs_that_can_not_be_taken_apart_are_told() -> None:
    found = Delistings([spot("ADANEW", "USDT", "ADABTC", "ADANEW")])

    assert found.unread == ("ADANEW", "USDT")


def test_schedules_without_anything_in_them_are_false() -> None:
    isolated = MarginDelisting(delist_time=NOW, isolated_margin_symbols=["ADAUSDT"])

    assert not Delistings()
    assert not Delistings([], [isolated])
    for some in (Delistings([spot("ADABTC")]), Delistings([], [margin("ADA")])):
        assert some
    assert Delistings([spot("ADANEW")])
    assert repr(Delistings([spot("ADABTC")])) == "<Delistings, 1 assets in spot, 0 in margin>"
