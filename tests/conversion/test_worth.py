"""What an asset is worth in the units of the rules: from what is known, or by a quote for BTC."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest

from binance_dust import DustClient, RejectedError
from binance_dust.conversion._account import HeldAsset
from binance_dust.conversion._worth import Worth, find_worth, with_ceiling, with_target
from binance_dust.models import ConvertibleAsset, ConvertibleAssets, ConvertQuote
from tests.conversion.values import line

D = Decimal
LISTED = ConvertibleAssets(
    details=[],
    dribblet_percentage=D("0.02"),
    total_transfer_quota_asset_amount=D(0),
    total_transfer_target_asset_amount=D(0),
    dribblet_base=D(10),
)


class Quoting:
    """Answers quotes for BTC, and remembers them."""

    def __init__(self, price: str | None, amount: str = "1", *, one_way: bool = False) -> None:
        self.price, self.amount, self.one_way = price, D(amount), one_way
        self.asked: list[tuple[str, str]] = []

    async def convert_quote(self, sold: str, target: str, *, amount: D) -> ConvertQuote:
        self.asked.append((sold, target))
        if self.price is None or (target == "BTC" and self.one_way):
            raise RejectedError("no such pair", code=-1130, status=400)
        if target == "BTC":
            # Less a tenth, as in the other direction.
            return ConvertQuote(from_amount=amount, to_amount=amount / D(self.price) * D("0.9"))
        brings = amount * D(self.price) * D("0.9")
        return ConvertQuote(from_amount=amount * self.amount, to_amount=brings * self.amount)

    @property
    def client(self) -> DustClient:
        return cast("DustClient", self)


def held(**worths: str) -> dict[str, HeldAsset]:
    return {
        asset: HeldAsset(asset=asset, free=D(1), in_bitcoin=D(worth))
        for asset, worth in worths.items()
    }


def test_only_what_can_be_compared_with_the_ceiling_is_certainly_dust() -> None:
    known = Worth(limit=D(10), bitcoin=D(100_000))

    assert known.is_dust(D("0.00009"))
    assert not known.is_dust(D("0.0001"))
    for unknown in (Worth(), Worth(limit=D(10)), Worth(bitcoin=D(100_000))):
        assert not unknown.is_dust(D("0.00000001"))


@pytest.mark.parametrize(
    ("holdings", "target", "price"),
    [
        # An asset of the list that is worth enough has both units, and is believed first.
        ({"ADA": "0.00001", "BNB": "0.01"}, "BNB", "17773.02"),
        # Below that, eight decimals are too few: the balance of the target itself.
        ({"ADA": "0.00000999", "BNB": "0.01"}, "BNB", "100"),
        ({"BNB": "0.01"}, "BNB", "100"),
        ({"ADA": "0.00000999"}, "BNB", None),
        ({"BNB": "0"}, "BNB", None),
        ({}, "BTC", "1"),
        ({"USDT": "0.00002"}, "USDT", "50000"),
        ({}, "BNB", None),
    ],
)
def test_where_the_price_of_the_target_comes_from(
    holdings: dict[str, str], target: str, price: str | None
) -> None:
    lines = [line("ADA", gross=D("0.1777302"))]

    found = find_worth(LISTED, held(**holdings), lines, target=target)

    assert found.target == (None if price is None else D(price))
    assert found.limit == 10


def test_the_asset_of_the_ceiling_has_one_price_also_as_target() -> None:
    """It is taken from the ceiling's side only if the list says nothing of its own."""
    row = ConvertibleAsset(
        asset="ADA",
        amount_free=D(1),
        to_quota_asset_amount=D(5),
        to_target_asset_amount=D(4),
        to_target_asset_off_exchange=D(4),
    )
    listed, has = ConvertibleAssets(details=[row], dribblet_base=D(10)), held(ADA="0.00005")

    same = find_worth(listed, has, target="USDT")
    assert same.bitcoin == same.target == 100_000
    assert find_worth(listed, has, [line("ADA", gross=D(4))], target="USDT").target == 80_000
    assert find_worth(listed, has, target="BNB").target is None


async def test_a_quote_is_asked_for_only_where_nothing_is_known() -> None:
    quoting = Quoting("90000")
    client = quoting.client

    assert (await with_target(client, Worth(target=D(3)), "BNB")).target == 3
    assert quoting.asked == []
    # It is what a BTC costs and not what it brings: a sale is compared with it.
    assert (await with_target(client, Worth(), "BNB")).target == 100_000
    assert quoting.asked == [("BTC", "BNB"), ("BNB", "BTC")]
    # A price of BTC in dollars that came from a quote has the spread of a sale.
    assert (await with_target(client, Worth(bitcoin=D(7)), "USDT")).target == 100_000


async def test_the_ceiling_is_made_comparable_only_if_there_is_one() -> None:
    quoting = Quoting("90000")
    client = quoting.client

    assert (await with_ceiling(client, Worth(bitcoin=D(7), limit=D(10)))).bitcoin == 7
    assert (await with_ceiling(client, Worth())).bitcoin is None
    assert quoting.asked == []
    assert (await with_ceiling(client, Worth(limit=D(10)))).bitcoin == 81_000
    assert quoting.asked == [("BTC", "USDT")]


async def test_without_an_answer_there_is_no_price() -> None:
    assert (await with_target(Quoting(None).client, Worth(), "BNB")).target is None
    assert (await with_target(Quoting("1", amount="0").client, Worth(), "BNB")).target is None
    assert (await with_target(Quoting("1", one_way=True).client, Worth(), "BNB")).target is None
