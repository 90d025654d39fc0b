"""Small debts: ten at most, once in six hours, and what was done is read from the history."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_dust import ConfigurationError, CooldownError, GuardError, Ledger, OutcomeUnknownError
from binance_dust.conversion import LiabilityExchanger, LiabilityLine, LiabilityQuote, Reason
from binance_dust.conversion._account import debts_of
from binance_dust.conversion._guards import changed_debts
from binance_dust.conversion._plan import plan_debts, target_of_debts
from binance_dust.models import MarginAccount, MarginAsset, SmallLiability
from tests.budget.virtual import run
from tests.conversion.far import FarWorld, Killed, Mortal, entries_of, run_with_deaths

EXCHANGE = "POST /sapi/v1/margin/exchange-small-liability"
HISTORY = "/sapi/v1/margin/exchange-small-liability-history"
MARGIN_ACCOUNT = "/sapi/v1/margin/account"
MARGIN_ROW = {"borrowed": "1", "free": "0", "interest": "0", "locked": "0", "netAsset": "-1"}
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Bench:
    """An account with small debts, and whoever exchanges them."""

    def __init__(self, path: Path | str = ":memory:", world: FarWorld | None = None) -> None:
        self.world = world or FarWorld()
        accounts = self.world.exchange.accounts
        if "alice" not in {account.name for account in accounts}:
            debts = {"ETH": "0.001", "XRP": "0.5", "BTC": "0.4", "USDT": "1"}
            self.credentials = accounts.open("alice", {}, debts=debts)
        self.session = self.world.session()
        self.ledger = Ledger(path)

    async def __aenter__(self) -> LiabilityExchanger:
        await self.ledger.open()
        self.exchanger = LiabilityExchanger(
            self.session.client(self.credentials), ledger=self.ledger, cooldown=0
        )
        return self.exchanger

    async def __aexit__(self, *_: object) -> None:
        await self.ledger.close()
        await self.session.close()
        await self.world.quiet()

    @property
    def alice(self) -> Any:
        return self.world.exchange.accounts["alice"]


def test_a_quote_names_what_is_small_enough_and_why_the_rest_is_not() -> None:
    async def main() -> None:
        async with Bench() as exchanger:
            quote = await exchanger.quote()

            assert quote.target == "USDT"
            assert quote.assets == ("ETH", "XRP")
            assert quote.lines[0].amount == Decimal("0.001")
            assert quote.worth == Decimal("3.4") + Decimal("1.07")
            assert [(each.asset, each.reason) for each in quote.skipped] == [
                ("BTC", Reason.UNSUPPORTED),
                ("USDT", Reason.TARGET),
            ]
            assert quote.only("ETH").assets == ("ETH",)
            assert quote.without("ETH").assets == ("XRP",)
            with pytest.raises(ConfigurationError, match="BTC"):
                quote.only("BTC")
            assert "XRP" in str(quote)
            assert ">XRP</th>" in quote._repr_html_()

    run(main())


def test_an_exchange_is_on_record_as_the_history_has_it() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            quote = await exchanger.quote()
            began = bench.world.loop.time()
            receipt = await exchanger.exchange(quote)

            assert bench.world.loop.time() - began < 2.0
            assert receipt.assets == ("ETH", "XRP")
            assert receipt.quoted_net == quote.worth == Decimal("4.47")
            assert (receipt.gross, receipt.fee) == (Decimal("4.47"), Decimal(0))
            (entry,) = await entries_of(bench.ledger)
            assert (entry.kind, entry.status, entry.target) == ("liabilities", "confirmed", "USDT")
            assert entry.lines == receipt.lines
            assert entry.transaction_id is None
            assert bench.alice.margin.debts["USDT"].principal == Decimal("5.47")

    run(main())


@pytest.mark.parametrize("after_executing", [True, False])
def test_a_lost_answer_is_settled_by_the_history(after_executing: bool) -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            quote = await exchanger.quote()
            bench.world.exchange.faults.lose_answer(
                after_executing=after_executing, endpoint=EXCHANGE
            )
            with pytest.raises(OutcomeUnknownError) as caught:
                await exchanger.exchange(quote)
            assert caught.value.entry_ids == (1,)
            with pytest.raises(GuardError, match="recover"):
                await exchanger.exchange(quote)

            (entry,) = await exchanger.recover()

            assert entry.status == ("confirmed" if after_executing else "rejected")
            assert len(entry.lines) == (2 if after_executing else 0)
            assert len(bench.alice.debt_exchanges) == len(entry.lines)

    run(main())


def test_what_debts_became_is_what_the_history_says() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            quote = await exchanger.quote()
            bench.world.exchange.faults.lose_answer(endpoint=EXCHANGE)
            with pytest.raises(OutcomeUnknownError):
                await exchanger.exchange(quote)
            bench.world.garble = lambda path, body: (
                body.replace(b"USDT", b"USDC") if path == HISTORY else body
            )

            (entry,) = await exchanger.recover()

            assert (entry.status, entry.target) == ("confirmed", "USDC")

    run(main())


def test_the_history_is_asked_for_the_time_of_the_call() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            quote = await exchanger.quote()
            bench.world.exchange.faults.lose_answer(endpoint=EXCHANGE)
            with pytest.raises(OutcomeUnknownError):
                await exchanger.exchange(quote)
            # By default the exchange shows thirty days.
            await asyncio.sleep(40 * 86_400)

            (entry,) = await exchanger.recover()

            assert entry.status == "confirmed"

    run(main())


def test_an_exchange_whose_clock_is_a_little_behind_is_understood_at_once() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            quote = await exchanger.quote()
            bench.world.exchange.faults.jump_clock(-0.9)
            began = bench.world.loop.time()

            assert (await exchanger.exchange(quote)).complete

            assert bench.world.loop.time() - began < 2.0

    run(main())


def test_a_yes_that_the_history_does_not_show_is_unknown_and_never_a_no() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            quote = await exchanger.quote()
            bench.world.exchange.faults.fail(500, endpoint=HISTORY, times=100)
            with pytest.raises(OutcomeUnknownError, match="accepted"):
                await exchanger.exchange(quote)
            bench.world.exchange.faults.clear()

            (entry,) = await exchanger.recover()

            assert (entry.status, len(entry.lines)) == ("confirmed", 2)

    run(main())


def test_a_history_that_is_late_is_looked_at_again() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            quote = await exchanger.quote()
            looks = 0

            def late(path: str, body: bytes) -> bytes:
                nonlocal looks
                looks += path == HISTORY
                return b'{"total":0,"rows":[]}' if path == HISTORY and looks < 3 else body

            bench.world.garble = late
            began = bench.world.loop.time()
            receipt = await exchanger.exchange(quote)

            assert receipt.assets == ("ETH", "XRP")
            assert looks == 3
            assert 10.0 <= bench.world.loop.time() - began < 12.0

    run(main())


def test_an_exchange_that_is_killed_anywhere_happens_once_at_most(folder: Path) -> None:
    async def attempt(after: int | None) -> int:
        path = folder / f"{after}.db"
        bench = Bench(path)
        async with bench as exchanger:

            async def work() -> None:
                await exchanger.exchange(await exchanger.quote())

            mortal = Mortal(work(), after)
            with contextlib.suppress(Killed):
                await mortal
            await bench.world.quiet()
        second = Bench(path, bench.world)
        second.credentials = bench.credentials
        async with second as exchanger:
            for entry in await exchanger.recover():
                assert entry.status in ("confirmed", "rejected")
            confirmed = await entries_of(second.ledger, status="confirmed")
            lines = [line.asset for entry in confirmed for line in entry.lines]
            assert sorted(lines) == sorted(each.asset for each in bench.alice.debt_exchanges)
        mortal.bury()
        return mortal.steps

    async def main() -> None:
        steps = await attempt(None)
        assert steps >= 8
        for after in range(1, steps + 1):
            await attempt(after)
        await asyncio.sleep(0.1)

    run_with_deaths(main())


def test_the_cooldown_is_kept_without_asking() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as free:
            strict = LiabilityExchanger(free.client, ledger=bench.ledger)
            before = await strict.quote()
            await strict.exchange(before)
            bench.alice.owe("LTC", "0.01")
            asked = len(bench.world.sent)

            with pytest.raises(GuardError, match="cooling down") as caught:
                await strict.exchange(before)

            assert len(bench.world.sent) == asked
            until = await strict.next_eligible_at()
            assert caught.value.retry_at == until
            quote = await strict.quote()
            assert (quote.lines, quote.eligible_at) == ((), until)
            assert quote.why_not("LTC")[0].reason is Reason.COOLING_DOWN
            # Without the guard the exchange says no, and that is on record.
            with pytest.raises(CooldownError):
                await free.exchange(await free.quote())
            (_, refused) = await entries_of(bench.ledger)
            assert (refused.status, refused.code) == ("rejected", -5006)

    run(main())


def test_a_history_that_does_not_show_it_in_half_a_minute_leaves_it_unknown() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            quote = await exchanger.quote()
            bench.world.garble = lambda path, body: (
                b'{"total":0,"rows":[]}' if path == HISTORY else body
            )
            began = bench.world.loop.time()

            with pytest.raises(OutcomeUnknownError, match="does not show it yet"):
                await exchanger.exchange(quote)

            # Looked at six times, five seconds apart.
            assert 25 < bench.world.loop.time() - began < 29
            (entry,) = await entries_of(bench.ledger)
            assert entry.status == "unknown"

    run(main())


@pytest.mark.parametrize(("days", "status"), [(88, "rejected"), (90, "unknown")])
def test_a_history_that_has_forgotten_proves_nothing_by_its_silence(days: int, status: str) -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            quote = await exchanger.quote()
            bench.world.exchange.faults.lose_answer(after_executing=False, endpoint=EXCHANGE)
            with pytest.raises(OutcomeUnknownError):
                await exchanger.exchange(quote)
            await asyncio.sleep(days * 86_400)

            (entry,) = await exchanger.recover()

            assert entry.status == status
            assert ("ninety days" in (entry.reason or "")) is (status == "unknown")

    run(main())


def test_what_another_program_has_exchanged_counts_for_the_cooldown_as_well() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as somebody, Ledger(":memory:") as ours:
            await somebody.exchange(await somebody.quote())
            done_at = somebody.client.session.now()
            bench.alice.owe("LTC", "0.01")
            strict = LiabilityExchanger(somebody.client, ledger=ours)

            await asyncio.sleep(6 * 3600 - 60)
            quote = await strict.quote()

            assert quote.lines == ()
            assert quote.eligible_at is not None
            late = quote.eligible_at - (done_at + timedelta(hours=6))
            assert abs(late) < timedelta(minutes=1)
            await asyncio.sleep(120)
            again = await strict.quote()
            assert (again.assets, again.eligible_at) == (("LTC",), None)

    run(main())


def test_a_cooldown_of_the_exchange_s_says_when_it_is_worth_trying_again() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as free:
            hasty = LiabilityExchanger(free.client, ledger=bench.ledger, cooldown=1)
            await hasty.exchange(await hasty.quote())
            bench.alice.owe("LTC", "0.01")
            await asyncio.sleep(60)

            with pytest.raises(CooldownError) as caught:
                await hasty.exchange(await hasty.quote())

            assert caught.value.retry_at is not None
            assert caught.value.retry_at > free.client.session.now()
            assert caught.value.retry_at == await hasty.next_eligible_at()

    run(main())


def test_without_a_cooldown_the_history_is_not_asked() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            await exchanger.quote()
            assert not [title for _, title in bench.world.sent if title.endswith(HISTORY)]

            await LiabilityExchanger(exchanger.client, ledger=bench.ledger).quote()
            assert [title for _, title in bench.world.sent if title.endswith(HISTORY)]

    run(main())


def test_whoever_owes_nothing_is_not_asked_for_the_heavy_list() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            bench.alice.margin.debts.clear()
            quote = await exchanger.quote()

            assert (quote.lines, quote.skipped, quote.target) == ((), (), "USDT")
            assert not [
                title for _, title in bench.world.sent if title.endswith("exchange-small-liability")
            ]

    run(main())


def test_a_debt_that_is_to_be_kept_or_has_changed_is_left_as_it_is() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            bench.alice.owe("LTC", "0.01")
            choosy = LiabilityExchanger(
                exchanger.client, ledger=bench.ledger, cooldown=0, keep=["LTC"]
            )
            quote = await choosy.quote()
            assert [each.reason for each in quote.why_not("LTC")] == [Reason.KEPT]
            bench.alice.owe("XRP", "0.9")

            receipt = await choosy.exchange(quote)

            assert receipt.assets == ("ETH",)
            assert [(each.asset, each.reason) for each in receipt.dropped] == [
                ("XRP", Reason.CHANGED)
            ]
            assert receipt.quoted_net == Decimal("3.4")
            assert {"LTC", "XRP"} < bench.alice.margin.debts.keys()

    run(main())


def test_where_every_debt_has_changed_nothing_is_sent() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            quote = await exchanger.quote()
            bench.alice.owe("ETH", "0.5")
            bench.alice.owe("XRP", "0.9")

            with pytest.raises(GuardError, match="every debt has changed"):
                await exchanger.exchange(quote)

            assert EXCHANGE not in [title for _, title in bench.world.sent]
            assert await entries_of(bench.ledger) == []
            with pytest.raises(TypeError, match="never pickled"):
                pickle.dumps(exchanger)

    run(main())


def row(asset: str, worth: str = "1", liability_asset: str = "USDT") -> SmallLiability:
    return SmallLiability(
        asset=asset,
        interest=Decimal("0.1"),
        principal=Decimal(1),
        liability_asset=liability_asset,
        liability_qty=Decimal(worth),
    )


def test_ten_go_at_once_the_largest_first() -> None:
    rows = [row(f"A{n}", str(n)) for n in range(1, 13)]

    lines, skipped = plan_debts(rows, {}, target="USDT", keep=frozenset({"A12"}), until=None)

    assert [line.asset for line in lines] == [f"A{n}" for n in range(11, 1, -1)]
    assert {line.amount for line in lines} == {Decimal("1.1")}
    assert [(each.asset, each.reason) for each in skipped] == [
        ("A12", Reason.KEPT),
        ("A1", Reason.TOO_MANY),
    ]


def test_a_list_that_names_a_debt_twice_has_not_twice_as_much_of_it() -> None:
    twice = [row("ETH", "3"), row("SOL", "3"), row("ETH", "4"), row("SOL", "3")]

    lines, skipped = plan_debts(twice, {}, target="USDT", keep=frozenset(), until=None)

    assert [(line.asset, line.worth) for line in lines] == [
        ("ETH", Decimal(3)),
        ("SOL", Decimal(3)),
    ]
    assert skipped == ()


def test_what_small_debts_become_is_what_the_exchange_lists() -> None:
    rows = [row("ETH", liability_asset="USDC")]
    owed = {"ETH": Decimal("1.1"), "USDC": Decimal(5), "USDT": Decimal(7)}

    _, skipped = plan_debts(rows, owed, target=target_of_debts(rows), keep=frozenset(), until=None)

    assert target_of_debts(rows) == "USDC"
    assert [(each.asset, each.reason, each.detail) for each in skipped] == [
        ("USDC", Reason.TARGET, ""),
        ("USDT", Reason.UNSUPPORTED, "too large, or of an asset that is not exchanged"),
    ]


@pytest.mark.parametrize(
    ("now", "as_quoted"),
    [
        ("0.55", True),
        ("0.5525", True),
        ("0.5555", True),
        ("0.5556", False),
        ("0.5499", False),
        (None, False),
    ],
)
def test_a_debt_may_grow_by_its_interest_and_by_nothing_else(
    now: str | None, as_quoted: bool
) -> None:
    line = LiabilityLine(
        asset="ETH", principal=Decimal("0.5"), interest=Decimal("0.05"), worth=Decimal(3)
    )

    changed = changed_debts([line], {} if now is None else {"ETH": Decimal(now)})

    assert (changed == {}) is as_quoted
    if not as_quoted:
        assert changed["ETH"].detail == f"0.55 then, {now or 0} now"


def test_who_holds_an_asset_and_owes_nothing_of_it_has_no_debt() -> None:
    account = MarginAccount(
        user_assets=[
            MarginAsset(
                asset=asset,
                borrowed=Decimal(debt),
                free=Decimal(2),
                interest=Decimal(0),
                locked=Decimal(0),
                net_asset=Decimal(2),
            )
            for asset, debt in (("ETH", "0"), ("XRP", "0.5"))
        ]
    )

    assert debts_of(account) == {"XRP": Decimal("0.5")}


def test_debts_that_the_history_dates_apart_are_still_one_exchange() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            quote = await exchanger.quote()

            def apart(path: str, body: bytes) -> bytes:
                if path != HISTORY:
                    return body
                page = json.loads(body)
                for later, each in enumerate(page["rows"]):
                    each["timestamp"] += 7 * later
                return json.dumps(page).encode()

            bench.world.garble = apart
            receipt = await exchanger.exchange(quote)

            assert receipt.assets == ("ETH", "XRP")
            (entry,) = await entries_of(bench.ledger)
            assert (entry.status, entry.settled_by) == ("confirmed", "answer")

    run(main())


def test_unless_told_otherwise_a_quote_is_good_for_a_minute_and_an_account_rests_six_hours() -> (
    None
):
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            careful = LiabilityExchanger(exchanger.client, ledger=bench.ledger)
            quote = await careful.quote()

            await careful.exchange(quote)

            assert quote.expires_at - quote.at == timedelta(minutes=1)
            rests = await careful.next_eligible_at() - exchanger.client.session.now()
            assert timedelta(hours=6) - timedelta(minutes=1) < rests < timedelta(hours=6, minutes=1)

    run(main())


@pytest.mark.parametrize("wrong", [-3600.0, 3600.0])
def test_a_process_with_a_wrong_clock_can_tell_the_age_of_a_quote_from_elsewhere(
    wrong: float,
) -> None:
    async def main() -> None:
        bench = Bench(world=FarWorld(wrong_clock=wrong))
        async with bench as exchanger:
            quote = await exchanger.quote()
        fresh = Bench(world=bench.world)
        fresh.credentials = bench.credentials
        async with fresh as exchanger:
            assert (await exchanger.exchange(quote)).complete

    run(main())


def test_a_quote_that_grows_old_while_the_debts_are_read_again_is_not_carried_out() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            hasty = LiabilityExchanger(
                exchanger.client, ledger=bench.ledger, cooldown=0, quote_ttl=8
            )
            quote = await hasty.quote()
            bench.world.exchange.faults.delay(9, on="answer", endpoint=MARGIN_ACCOUNT)

            with pytest.raises(GuardError, match="9 s old"):
                await hasty.exchange(quote)

            assert EXCHANGE not in [title for _, title in bench.world.sent]
            assert await entries_of(bench.ledger) == []

    run(main())


def test_more_debts_than_go_in_one_call_are_refused_before_anything_is_written() -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            names = [f"A{n}" for n in range(11)]
            quote = replace(
                await exchanger.quote(),
                lines=tuple(
                    LiabilityLine(
                        asset=name, principal=Decimal(1), interest=Decimal(0), worth=Decimal(1)
                    )
                    for name in names
                ),
            )
            owed = json.dumps([MARGIN_ROW | {"asset": name} for name in names]).encode()
            bench.world.garble = lambda path, body: (
                body[:-1] + b',"userAssets":' + owed + b"}" if path == MARGIN_ACCOUNT else body
            )

            with pytest.raises(ConfigurationError, match="one call takes at most 10"):
                await exchanger.exchange(quote)

            assert EXCHANGE not in [title for _, title in bench.world.sent]
            assert await entries_of(bench.ledger) == []

    run(main())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"account": "bob"}, "is for bob"),
        ({"key_id": "other"}, "is for"),
        ({"lines": ()}, "nothing"),
        ({"expires_at": NOW - timedelta(days=9000)}, "old"),
        ({"eligible_at": NOW + timedelta(days=9000)}, "cooling"),
    ],
)
def test_a_quote_that_does_not_fit_is_refused_before_anything_is_sent(
    changes: dict[str, Any], words: str
) -> None:
    async def main() -> None:
        bench = Bench()
        async with bench as exchanger:
            quote = replace(await exchanger.quote(), **changes)
            asked = len(bench.world.sent)
            with pytest.raises(GuardError, match=words):
                await exchanger.exchange(quote)
            assert len(bench.world.sent) == asked
            with pytest.raises(TypeError, match="quote"):
                await exchanger.exchange("all")  # type: ignore[arg-type]
            assert isinstance(quote, LiabilityQuote)

    run(main())
