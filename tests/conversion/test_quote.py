"""A quote is narrowed and printed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import ConfigurationError
from binance_dust.conversion import Reason, Skipped
from tests.conversion.values import NOW, line, quote, seconds

D = Decimal


def test_a_quote_is_narrowed_and_says_what_was_left_out() -> None:
    plan = quote()

    narrow = plan.only("ADA")

    assert (narrow.assets, plan.assets) == (("ADA",), ("ADA", "XRP"))
    assert narrow == replace(plan.without("XRP"))
    assert [(each.asset, each.reason) for each in narrow.why_not("XRP")] == [
        ("XRP", Reason.LEFT_OUT)
    ]
    assert (narrow.gross, narrow.fee, narrow.net) == (
        D("0.01777302"),
        D("0.00035546"),
        D("0.01741756"),
    )
    assert plan.net == 2 * narrow.net
    twice = quote(line("ADA"), line("XRP"), line("LTC")).without("LTC").without("XRP")
    assert [each.asset for each in twice.skipped] == ["LTC", "XRP"]
    assert not plan.without("ADA", "XRP")
    with pytest.raises(ConfigurationError, match=r"XRP is not in this quote: .*left out"):
        narrow.only("XRP")
    with pytest.raises(ConfigurationError, match="there is none"):
        plan.without("ADAA")


@given(kept=st.sets(st.sampled_from(["ADA", "XRP", "LTC", "TRX"])))
def test_only_and_without_divide_a_quote_in_two(kept: set[str]) -> None:
    plan = quote(*[line(asset) for asset in ("ADA", "XRP", "LTC", "TRX")])

    one, other = plan.only(*kept), plan.without(*kept)

    assert set(one.assets) == kept
    assert set(one.assets) | set(other.assets) == set(plan.assets)
    assert one.net + other.net == plan.net


def test_a_quote_can_be_read() -> None:
    why = Skipped(asset="<b>", amount=D(1), reason=Reason.FROZEN)

    plan = quote(line("ADA"), line("1000SATS", amount=D("12345.67")), skipped=(why,))

    assert str(plan).splitlines() == [
        "alice (SPOT) into BNB, as of 2026-11-21 12:00:00 UTC",
        "asset       amount       gross                  fee         net",
        "ADA           6.21  0.01777302  0.00035546 (2.00 %)  0.01741756",
        "1000SATS  12345.67  0.01777302  0.00035546 (2.00 %)  0.01741756",
        "2 assets            0.03554604  0.00071092 (2.00 %)  0.03483512",
        "not: <b> 1: frozen by the exchange",
    ]
    page = plan._repr_html_()
    assert ">0.01741756</td>" in page
    assert "&lt;b&gt; 1: frozen" in page
    assert "<ul>" not in quote()._repr_html_()
    assert plan.age(NOW + seconds(5)) == seconds(5)
    assert not plan.expired(NOW + seconds(59.999))
    assert plan.expired(NOW + seconds(60))
    assert plan.fee_rate == D("0.00071092") / D("0.03554604")


def test_a_skipped_asset_says_why_until_when_and_more() -> None:
    why = Skipped(asset="ADA", amount=D("1E-8"), reason=Reason.COOLING_DOWN)

    assert str(why) == "ADA 0.00000001: cooling down"
    assert str(replace(why, until=NOW, detail="would bring 1 BNB")) == (
        "ADA 0.00000001: cooling down until 2026-11-21 12:00:00 UTC (would bring 1 BNB)"
    )


def test_a_line_without_a_gross_has_a_fee_rate_of_zero() -> None:
    worthless = line(gross=D(0), fee=D(0), net=D(0))

    assert worthless.fee_rate == 0
    assert quote(worthless).fee_rate == 0
