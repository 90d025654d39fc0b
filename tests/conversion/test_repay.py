"""Debts paid from what is held: planned, sent once, found again in the capital flow."""

from __future__ import annotations

import asyncio
import pickle
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from binance_dust import (
    CredentialsError,
    DustClient,
    GuardError,
    NotSentError,
    OutcomeUnknownError,
    RejectedError,
    endpoints,
)
from binance_dust.conversion import Reason, Repayer
from binance_dust.conversion._repay import plan_repayments
from binance_dust.ledger import Kind
from binance_dust.models import MarginAccount, MarginAsset
from tests.conversion.far import entries_of
from tests.conversion.scene import Scene, in_virtual_time

D = Decimal
REPAY = "/sapi/v1/margin/borrow-repay"
FLOW = "/sapi/v1/margin/capital-flow"


class Debts(Scene):
    """An account with debts, and with something to pay them."""

    def __init__(self, debts: dict[str, str], held: dict[str, str], **rules: Any) -> None:
        super().__init__({}, volatility="0", **rules)
        for asset, amount in debts.items():
            self.alice.owe(asset, amount)
        for asset, amount in held.items():
            self.alice.deposit(asset, amount, "MARGIN")

    @property
    def debts(self) -> dict[str, D]:
        assert self.alice.margin is not None
        return {asset: debt.total for asset, debt in self.alice.margin.debts.items()}


def repayer(process: Any, **options: Any) -> Repayer:
    return Repayer(process.client, ledger=process.ledger, **options)


def test_what_is_paid_and_what_stays() -> None:
    rows = [
        MarginAsset(asset=asset, borrowed=D(owed), interest=D("0.1"), free=D(free))
        for asset, owed, free in [("ADA", "5", "9"), ("BTC", "1", "0"), ("ETH", "2", "0.5")]
    ]
    rows += [
        MarginAsset(asset=asset, borrowed=D(3), interest=D(0), free=D(3))
        for asset in ("USDT", "XRP")
    ]

    lines, skipped = plan_repayments(MarginAccount(user_assets=rows), frozenset({"USDT"}))

    assert {each.asset: each.amount for each in lines} == {
        "ADA": D("5.1"),
        "ETH": D("0.5"),
        "XRP": D(3),
    }
    assert [(each.asset, each.amount, each.reason) for each in skipped] == [
        ("BTC", D("1.1"), Reason.NOTHING_HELD),
        ("ETH", D("1.6"), Reason.NOTHING_HELD),
        ("USDT", D(3), Reason.KEPT),
    ]


@in_virtual_time
async def test_debts_are_paid_from_what_is_held_each_with_its_entry() -> None:
    scene = Debts({"USDT": "5", "ETH": "0.01", "BTC": "1"}, {"USDT": "8", "ETH": "0.004"})
    async with scene.process() as process:
        mover = repayer(process)
        quote = await mover.quote()
        assert "USDT" in str(quote)

        receipt = await mover.repay(quote)

        assert {line.asset: line.amount for line in receipt.lines} == {
            "USDT": D(5),
            "ETH": D("0.004"),
        }
        assert receipt.complete
        assert scene.debts == {"ETH": D("0.006"), "BTC": D(1)}
        entries = await entries_of(process.ledger)
        assert [entry.kind for entry in entries] == [Kind.REPAYMENT] * 2
        assert {entry.transaction_id for entry in entries} == {
            each.transaction_id for each in scene.alice.repayments
        }
        assert await process.ledger.totals("kind") == []
        assert await process.ledger.totals("kind", liabilities=True) == []
        assert "debts paid" in str(receipt)


@in_virtual_time
async def test_what_is_kept_by_now_is_not_paid_though_it_was_quoted() -> None:
    scene = Debts({"USDT": "5"}, {"USDT": "8"})
    async with scene.process() as process:
        quote = await repayer(process).quote()
        choosy = Repayer(process.client, ledger=process.ledger, keep=lambda _: ["USDT"])

        with pytest.raises(GuardError, match="alice: USDT: kept"):
            await choosy.repay(quote)

    assert REPAY not in scene.asked


@pytest.mark.parametrize("executed", [True, False])
@in_virtual_time
async def test_a_lost_answer_is_settled_by_the_capital_flow(executed: bool) -> None:
    scene = Debts({"USDT": "5"}, {"USDT": "3"})
    async with scene.process() as process:
        mover = repayer(process)
        quote = await mover.quote()
        scene.faults.lose_answer(after_executing=executed, endpoint=REPAY)
        with pytest.raises(OutcomeUnknownError) as caught:
            await mover.repay(quote)
        assert caught.value.entry_ids == (1,)
        with pytest.raises(GuardError, match="recover"):
            await mover.repay(quote)

        (entry,) = await mover.recover()

        assert FLOW in scene.asked
        assert entry.status == ("confirmed" if executed else "rejected")
        assert [each.transaction_id for each in scene.alice.repayments] == (
            [entry.transaction_id] if executed else []
        )
        if executed:
            assert [(each.asset, each.amount) for each in entry.lines] == [("USDT", D(3))]


@in_virtual_time
async def test_a_debt_that_is_refused_is_dropped_and_the_rest_paid() -> None:
    scene = Debts({"USDT": "5", "ETH": "0.01"}, {"USDT": "8", "ETH": "1"})
    async with scene.process() as process:
        mover = repayer(process)
        quote = await mover.quote()
        scene.faults.fail(400, code=-3016, after_executing=False, endpoint=REPAY)

        receipt = await mover.repay(quote)

        assert [line.asset for line in receipt.lines] == ["USDT"]
        assert [(each.asset, each.reason) for each in receipt.dropped] == [("ETH", Reason.REFUSED)]
        assert [entry.status for entry in await entries_of(process.ledger)] == [
            "rejected",
            "confirmed",
        ]


@in_virtual_time
async def test_interest_since_the_quote_is_paid_too_and_a_new_loan_is_not() -> None:
    scene = Debts({"USDT": "5", "ETH": "0.01"}, {"USDT": "8", "ETH": "1"})
    async with scene.process() as process:
        mover = repayer(process)
        quote = await mover.quote()
        scene.alice.owe("USDT", "5.001")
        scene.alice.owe("ETH", "0.02")

        receipt = await mover.repay(quote)

        assert [(line.asset, line.amount) for line in receipt.lines] == [("USDT", D("5.001"))]
        assert [each.reason for each in receipt.dropped] == [Reason.CHANGED]


@in_virtual_time
async def test_what_is_not_owed_or_not_held_any_more_is_not_paid() -> None:
    scene = Debts({"USDT": "5", "ETH": "0.01", "BTC": "1"}, {"USDT": "8", "ETH": "1", "BTC": "2"})
    async with scene.process() as process:
        mover = repayer(process)
        quote = await mover.quote()
        assert scene.alice.margin is not None
        del scene.alice.margin.debts["ETH"]
        scene.alice.withdraw("BTC", "2", "MARGIN")

        receipt = await mover.repay(quote)

    assert receipt.assets == ("USDT",)
    assert [(each.asset, each.reason, each.detail) for each in receipt.dropped] == [
        ("BTC", Reason.CHANGED, "2 free then, 0 now"),
        ("ETH", Reason.CHANGED, "0.01 owed then, 0 now"),
    ]


@in_virtual_time
async def test_all_that_changed_stops_it_before_anything_is_sent() -> None:
    scene = Debts({"USDT": "5"}, {"USDT": "3"})
    async with scene.process(path=":memory:") as process:
        mover = repayer(process)
        quote = await mover.quote()
        scene.alice.withdraw("USDT", "1", "MARGIN")
        with pytest.raises(GuardError, match="every debt has changed"):
            await mover.repay(quote)
        assert REPAY not in scene.asked
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(mover)
        assert repr(mover) == "<Repayer alice>"
        assert not quote.without("USDT")
        assert Path(process.ledger.path).name == ":memory:"


@in_virtual_time
async def test_a_quote_that_is_old_or_of_another_account_pays_nothing() -> None:
    scene = Debts({"USDT": "5"}, {"USDT": "8"})
    async with scene.process() as process:
        mover = repayer(process, quote_ttl=30)
        quote = await mover.quote()
        with pytest.raises(GuardError, match="this quote is for bob"):
            await mover.repay(replace(quote, account="bob"))
        with pytest.raises(GuardError, match="nothing in this quote"):
            await mover.repay(quote.without("USDT"))
        with pytest.raises(TypeError, match="quote"):
            await mover.repay("all")  # type: ignore[arg-type]
        await asyncio.sleep(30)
        with pytest.raises(GuardError, match="30 s old"):
            await mover.repay(quote)
    assert scene.alice.repayments == []


@in_virtual_time
async def test_a_single_debt_that_is_refused_raises_the_refusal() -> None:
    scene = Debts({"USDT": "5"}, {"USDT": "8"})
    async with scene.process() as process:
        mover = repayer(process)
        quote = await mover.quote()
        scene.faults.fail(400, code=-3016, after_executing=False, endpoint=REPAY)
        with pytest.raises(RejectedError):
            await mover.repay(quote)


@pytest.mark.parametrize("paid_before", [True, False])
@in_virtual_time
async def test_an_error_that_is_no_refusal_ends_it(paid_before: bool) -> None:
    scene = Debts({"ETH": "0.01", "USDT": "5", "XRP": "2"}, {"ETH": "1", "USDT": "8", "XRP": "3"})
    async with scene.process() as process:
        mover = repayer(process)
        quote = await mover.quote()
        send, failed = process.client.send, []

        async def send_or_not(call: Any, **more: Any) -> Any:
            if call.endpoint is endpoints.REPAY and bool(scene.alice.repayments) is paid_before:
                failed.append(call)
                raise NotSentError("no connection", endpoint=call.endpoint.title)
            return await send(call, **more)

        with patch.object(DustClient, "send", lambda _, *a, **k: send_or_not(*a, **k)):
            if not paid_before:
                with pytest.raises(NotSentError):
                    await mover.repay(quote)
                return
            receipt = await mover.repay(quote)

    assert len(failed) == 1
    assert receipt.assets == ("ETH",)
    assert [(each.asset, each.reason) for each in receipt.dropped] == [
        ("USDT", Reason.NOT_TRIED),
        ("XRP", Reason.NOT_TRIED),
    ]


@in_virtual_time
async def test_a_debt_that_can_be_paid_in_part_is_paid_as_planned() -> None:
    """More came in meanwhile: what was planned is paid, and the rest waits for the next plan."""
    scene = Debts({"USDT": "5", "ETH": "0.01"}, {"USDT": "2", "ETH": "0.01"})
    async with scene.process() as process:
        mover = repayer(process)
        quote = await mover.quote()
        scene.alice.deposit("USDT", "9", "MARGIN")
        scene.alice.withdraw("ETH", "0.001", "MARGIN")
        receipt = await mover.repay(quote)

    assert [(line.asset, line.amount) for line in receipt.lines] == [("USDT", D(2))]
    assert [(each.asset, each.reason) for each in receipt.dropped] == [("ETH", Reason.CHANGED)]


@in_virtual_time
async def test_a_refusal_that_is_not_about_the_asset_is_met_once() -> None:
    scene = Debts({"USDT": "5", "ETH": "0.01"}, {"USDT": "8", "ETH": "1"})
    async with scene.process() as process:
        mover = repayer(process)
        quote = await mover.quote()
        scene.faults.fail(401, code=-2015, after_executing=False, endpoint=REPAY, times=None)
        with pytest.raises(CredentialsError):
            await mover.repay(quote)

    assert scene.asked.count("/sapi/v1/margin/borrow-repay") == 1
