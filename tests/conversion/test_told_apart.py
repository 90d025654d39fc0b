"""Our call beside other conversions of the same: on the website, by a bot, of other funds."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from binance_dust import ConfigurationError, Converter, GuardError, OutcomeUnknownError, Receipt
from binance_dust.conversion import LiabilityExchanger
from binance_dust.sandbox import Fault
from tests.conversion.far import CONVERT, DUST, LOG, FarProcess, check_books, entries_of
from tests.conversion.scene import EXCHANGE, Scene, in_virtual_time


async def converts_on_the_website(scene: Scene) -> None:
    """Convert by a program that knows nothing of ours, nor of our budget."""
    website = scene.world.session()
    await website.client(scene.credentials).dust_transfer(["ADA"])
    await website.close()


async def until_hit(fault: Fault) -> None:
    while not fault.hits:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.01)


# --- the owner converts the same on the website ---


@pytest.mark.parametrize("executed", [True, False])
@in_virtual_time
async def test_our_call_is_not_settled_by_the_record_of_the_website(executed: bool) -> None:
    """Our request is on its way for four seconds, and its answer comes after eight more."""
    scene = Scene({"ADA": "6.21"}, cooldown=0.0)
    async with scene.process() as process:
        quote = await process.converter.quote()
        scene.faults.delay(4.0, on="answer", endpoint=DUST)
        ours = scene.faults.delay(4.0, on="request", endpoint=DUST)
        sending = asyncio.ensure_future(process.converter.convert(quote))
        await until_hit(ours)
        await converts_on_the_website(scene)
        if executed:
            scene.alice.deposit("ADA", "5")
        await process.ledger.sync(process.client)

        (entry,) = await entries_of(process.ledger)
        assert entry.open
        recovering = asyncio.ensure_future(process.converter.recover())
        (outcome,) = await asyncio.gather(sending, return_exceptions=True)
        await recovering

        await process.ledger.sync(process.client)
        entry = await process.ledger.entry(entry.id)
        assert entry.settled_by == "answer"
        if executed:
            assert entry.transaction_id == scene.world.conversions()[-1].transaction_id
            assert isinstance(outcome, Receipt)
            assert outcome.lines == entry.lines
        else:
            assert entry.status == "rejected"
        await check_books(scene.world, process.ledger)


@in_virtual_time
async def test_two_records_that_fit_can_not_be_told_apart() -> None:
    scene = Scene({"ADA": "6.21"}, cooldown=0.0)
    async with scene.process() as process:
        await scene.lose_answer(process)
        scene.alice.deposit("ADA", "5")
        await converts_on_the_website(scene)
        await process.ledger.sync(process.client)

        (entry,) = await process.converter.recover()

        assert (entry.status, entry.needs_resolve) == ("unknown", True)
        numbers = [each.transaction_id for each in scene.world.conversions()]
        assert all(str(number) in (entry.reason or "") for number in numbers)
        began = scene.world.loop.time()
        (again,) = await process.converter.recover()
        assert again == entry
        assert scene.world.loop.time() - began < 3
        # The books have both, and the account's history on the website says which is ours.
        await process.ledger.sync(process.client)
        await check_books(scene.world, process.ledger)
        with pytest.raises(GuardError, match=f"binance-dust resolve {entry.id} ") as caught:
            await process.convert_all()
        assert "can't be known" in str(caught.value)

        done = await process.ledger.resolve(
            entry.id,
            "confirmed",
            "the app shows the time",
            now=process.session.now(),
            transaction_id=numbers[0],
        )

        assert done.transaction_id == numbers[0]
        assert len(done.lines) == 1
        await process.ledger.sync(process.client)
        await check_books(scene.world, process.ledger)


@in_virtual_time
async def test_a_record_that_was_never_imported_is_read_when_it_is_named() -> None:
    scene = Scene({"ADA": "6.21"}, cooldown=0.0)
    async with scene.process() as process:
        await scene.lose_answer(process)
        scene.alice.deposit("ADA", "5")
        await converts_on_the_website(scene)
        (entry,) = await process.converter.recover()
        number = scene.world.conversions()[1].transaction_id
        resolved: dict[str, Any] = {"transaction_id": number, "client": process.client}

        done = await process.ledger.resolve(
            entry.id, "confirmed", "seen", now=process.session.now(), **resolved
        )

        assert [line.asset for line in done.lines] == ["ADA"]
        await process.ledger.sync(process.client)
        await check_books(scene.world, process.ledger)


@in_virtual_time
async def test_a_record_is_not_looked_for_in_another_account() -> None:
    scene = Scene()
    bob = scene.world.exchange.accounts.open("bob", {"ADA": "3"})
    async with scene.process() as process:
        error = await scene.lose_answer(process)
        resolved: dict[str, Any] = {
            "now": error.expires_at + timedelta(minutes=1),
            "transaction_id": scene.world.conversions()[0].transaction_id,
            "client": process.session.client(bob),
        }

        with pytest.raises(ConfigurationError, match="is of account alice, and this client of bob"):
            await process.ledger.resolve(1, "confirmed", "seen", **resolved)

        assert (await process.ledger.entry(1)).open


@in_virtual_time
async def test_what_a_person_saw_counts_though_the_log_can_not_be_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    async with scene.process() as process:
        error = await scene.lose_answer(process)
        number = scene.world.conversions()[0].transaction_id
        scene.faults.fail(400, endpoint=LOG, times=None)
        resolved: dict[str, Any] = {"transaction_id": number, "client": process.client}

        done = await process.ledger.resolve(
            1, "confirmed", "seen", now=error.expires_at + timedelta(minutes=1), **resolved
        )

        assert (done.status, done.transaction_id, done.lines) == ("confirmed", number, ())
        assert "entry 1 is resolved without the exchange's log" in caplog.text
        scene.faults.clear()
        await process.ledger.sync(process.client)
        await check_books(scene.world, process.ledger)


@pytest.mark.parametrize("readable", [True, False])
@in_virtual_time
async def test_the_sender_s_late_answer_overrules_a_settlement_by_reading(readable: bool) -> None:
    """The sender was frozen until long after: its answer says what the log could not."""
    scene = Scene({"ADA": "6.21"}, cooldown=0.0)
    async with scene.process() as process:
        quote = await process.converter.quote()
        scene.faults.delay(4.0, on="answer", endpoint=DUST)
        on_its_way = scene.faults.delay(2.0, on="request", endpoint=DUST)
        sending = asyncio.ensure_future(process.converter.convert(quote))
        await until_hit(on_its_way)
        await converts_on_the_website(scene)
        scene.alice.deposit("ADA", "5")
        (entry,) = await entries_of(process.ledger)
        website, ours = await _log_of_two(scene, process)
        assert entry.expires_at is not None
        later = entry.expires_at + timedelta(minutes=1)
        # What a reading of the log would have concluded that showed the website's record only.
        await process.ledger.record([website], now=later)
        if readable:
            await process.ledger.record([ours], now=later)

        receipt = await sending

        entry = await process.ledger.entry(entry.id)
        assert receipt.lines == entry.lines
        assert entry.transaction_id == scene.world.conversions()[-1].transaction_id
        await process.ledger.sync(process.client)
        await check_books(scene.world, process.ledger)


async def _log_of_two(scene: Scene, process: FarProcess) -> Any:
    from binance_dust.ledger import from_dust_log

    while len(scene.world.conversions()) < 2:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.01)
    twin = scene.world.session().client(scene.credentials)
    records = list(from_dust_log(await twin.dust_log(), "alice", "SPOT"))
    await twin.session.close()
    return sorted(records, key=lambda record: record.at)


# --- a bot moved one of the balances ---


@in_virtual_time
async def test_what_can_not_be_known_says_so_with_the_command_that_ends_it() -> None:
    balances = {f"T{n:02}": "1" for n in range(30)}
    scene = Scene(balances)
    async with scene.process() as process:
        await scene.lose_answer(process, executed=False)
        await asyncio.sleep(60)
        scene.alice.withdraw("T07", "0.5")

        (entry,) = await process.converter.recover()

        assert (entry.status, entry.needs_resolve) == ("unknown", True)
        assert "less T07 than before" in (entry.reason or "")
        with pytest.raises(GuardError, match=r"resolve 1 --rejected .* --reason TEXT"):
            await process.converter.convert(await process.converter.quote())
        done = await process.ledger.resolve(
            entry.id, "rejected", "not in the history", now=process.session.now()
        )
        assert (done.needs_resolve, done.open) == (False, False)
        assert (await process.convert_all()).complete


# --- other funds of the account ---


async def _debts_left_open(scene: Scene, process: FarProcess) -> LiabilityExchanger:
    exchanger = LiabilityExchanger(process.client, ledger=process.ledger, cooldown=0)
    quote = await exchanger.quote()
    scene.faults.lose_answer(after_executing=False, endpoint=EXCHANGE)
    with pytest.raises(OutcomeUnknownError):
        await exchanger.exchange(quote)
    return exchanger


@in_virtual_time
async def test_an_open_exchange_of_debts_and_open_dust_do_not_block_each_other() -> None:
    scene = Scene(cooldown=0.0)
    scene.alice.owe("ETH", "0.001")
    async with scene.process() as process:
        exchanger = await _debts_left_open(scene, process)

        assert (await process.convert_all()).complete
        with pytest.raises(GuardError, match="recover"):
            await exchanger.exchange(await exchanger.quote())

        scene.alice.deposit("ADA", "5")
        await scene.lose_answer(process)
        settled = await process.converter.recover()

        assert [entry.status for entry in settled] == ["rejected", "confirmed"]
        await exchanger.exchange(await exchanger.quote())


@in_virtual_time
async def test_open_dust_of_one_wallet_does_not_block_the_other() -> None:
    scene = Scene({"ADA": "6.21"}, cooldown=0.0)
    scene.alice.owe("ETH", "0.001")
    scene.alice.deposit("ADA", "6.21", "MARGIN")
    async with scene.process() as process:
        margin = Converter(process.client, ledger=process.ledger, cooldown=0, account_type="MARGIN")
        await scene.lose_answer(process)

        receipt = await margin.convert(await margin.quote())

        # Of the same assets, at the same time: each has the record of its own wallet.
        assert receipt.assets == ("ADA",)
        (spot,) = await process.converter.recover()
        assert (spot.status, spot.account_type) == ("confirmed", "SPOT")
        await check_books(scene.world, process.ledger)


@in_virtual_time
async def test_dust_of_one_wallet_for_another_target_is_of_the_same_funds() -> None:
    scene = Scene(cooldown=0.0)
    async with scene.process() as process:
        await scene.lose_answer(process, executed=False)
        other = Converter(process.client, ledger=process.ledger, cooldown=0, target="USDT")

        with pytest.raises(GuardError, match="recover"):
            await other.convert(await other.quote())
        assert CONVERT not in scene.asked


@in_virtual_time
async def test_until_the_call_is_over_the_log_is_not_even_read() -> None:
    scene = Scene()
    async with scene.process() as process:
        error = await scene.lose_answer(process)
        began = scene.world.loop.time()

        (entry,) = await process.converter.recover()

        assert entry.status == "confirmed"
        assert error.expires_at is not None
        log = [at for at, title in scene.world.sent if title.endswith(LOG) and at > began]
        assert len(log) == 1
