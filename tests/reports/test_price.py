"""What dust is worth in another asset: one real answer, said with its source, and never guessed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from binance_dust import Session
from binance_dust.cli import main
from binance_dust.reports import page, read_price
from binance_dust.sandbox import Sandbox
from tests.reports.page.reading import read
from tests.reports.page.samples import AT, dust, report
from tests.reports.page.test_page import tiles

REPORTS = [report("alice", dust("ADA", "6.21", "0.0102", "0.0002"))]


async def test_the_price_is_an_offer_of_the_exchange_and_the_page_says_so() -> None:
    async with Sandbox(volatility=0) as exchange, Session(base_url=exchange.url) as session:
        client = session.client(exchange.open_account("alice", BNB="2"))
        offer = await client.convert_quote("BNB", "USDT", amount=Decimal(1))
        price = await read_price(client, "BNB", "USDT")

    assert price.value == offer.to_amount
    assert price.source == "an offer of the exchange's Convert for 1 BNB"
    text = page(REPORTS, made_at=AT, price=price)
    worth = Decimal("0.01") * offer.to_amount
    shown = tiles(read(text))["That is worth"].removesuffix(" USDT").replace(",", "")
    assert Decimal(shown) == worth
    assert f"at {price.value:,f} USDT for 1 BNB: an offer of the" in text


async def test_a_price_that_can_not_be_read_is_said_and_not_guessed() -> None:
    async with Sandbox() as exchange, Session(base_url=exchange.url) as session:
        client = session.client(exchange.open_account("alice", BNB="2"))
        price = await read_price(client, "BNB", "NOSUCHCOIN")

    assert price.value is None
    shown = page(REPORTS, made_at=AT, price=price)
    assert tiles(read(shown))["Worth in NOSUCHCOIN"] == "not known"
    assert price.source.partition(":")[0] in shown


async def test_the_price_of_another_target_says_nothing() -> None:
    async with Sandbox() as exchange, Session(base_url=exchange.url) as session:
        price = await read_price(session.client(exchange.open_account("a")), "BTC", "USDT")

    assert page(REPORTS, made_at=AT, price=price) == page(REPORTS, made_at=AT)


def test_a_scan_puts_it_on_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.html"
    asked = ["scan", "--sandbox", "--liabilities", "never", "--worth-in", "USDT"]

    assert main([*asked, "--html", str(file)]) == 0
    assert "That is worth" in file.read_text("utf-8")
    assert main(asked) == 2
    assert "--worth-in is for a page" in capsys.readouterr().err
