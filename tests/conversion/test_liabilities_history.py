"""Small debts: what a call did is read from the history."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from binance_dust import GuardError, OutcomeUnknownError
from binance_dust.sandbox._clock import DAY_MS
from tests.budget.virtual import run
from tests.conversion.far import Killed, Mortal, entries_of, run_with_deaths
from tests.conversion.scene import HISTORY, DebtScene, in_virtual_time


@pytest.mark.parametrize("after_executing", [True, False])
@in_virtual_time
async def test_a_lost_answer_is_settled_by_the_history(after_executing: bool) -> None:
    scene = DebtScene()
    async with scene as exchanger:
        error = await scene.lose_answer(executed=after_executing)
        assert error.entry_ids == (1,)
        with pytest.raises(GuardError, match="recover"):
            await exchanger.exchange(await exchanger.quote())

        (entry,) = await exchanger.recover()

        assert entry.status == ("confirmed" if after_executing else "rejected")
        assert len(entry.lines) == (2 if after_executing else 0)
        assert len(scene.alice.debt_exchanges) == len(entry.lines)


@in_virtual_time
async def test_the_target_on_record_is_the_one_in_the_history() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        await scene.lose_answer()
        scene.world.garble = lambda path, body: (
            body.replace(b"USDT", b"USDC") if path == HISTORY else body
        )

        (entry,) = await exchanger.recover()

        assert (entry.status, entry.target) == ("confirmed", "USDC")


@in_virtual_time
async def test_the_history_is_asked_for_the_time_of_the_call() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        await scene.lose_answer()
        # By default the exchange shows thirty days.
        await asyncio.sleep(40 * 86_400)

        (entry,) = await exchanger.recover()

        assert entry.status == "confirmed"


@in_virtual_time
async def test_an_exchange_clock_that_is_a_little_behind_does_no_harm() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        quote = await exchanger.quote()
        scene.world.exchange.faults.jump_clock(-0.9)
        began = scene.world.loop.time()

        assert (await exchanger.exchange(quote)).complete

        assert scene.world.loop.time() - began < 2.0


@in_virtual_time
async def test_an_accepted_call_missing_in_the_history_is_unknown_and_not_rejected() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        quote = await exchanger.quote()
        scene.world.exchange.faults.fail(500, endpoint=HISTORY, times=100)
        with pytest.raises(OutcomeUnknownError, match="accepted"):
            await exchanger.exchange(quote)
        scene.world.exchange.faults.clear()

        (entry,) = await exchanger.recover()

        assert (entry.status, len(entry.lines)) == ("confirmed", 2)


def test_a_history_that_is_late_is_read_again() -> None:
    async def main() -> None:
        scene = DebtScene()
        async with scene as exchanger:
            quote = await exchanger.quote()
            looks = 0

            def late(path: str, body: bytes) -> bytes:
                nonlocal looks
                looks += path == HISTORY
                return b'{"total":0,"rows":[]}' if path == HISTORY and looks < 3 else body

            scene.world.garble = late
            began = scene.world.loop.time()
            receipt = await exchanger.exchange(quote)

            assert receipt.assets == ("ETH", "XRP")
            assert looks == 3
            assert 10.0 <= scene.world.loop.time() - began < 12.0

    run(main())


def test_an_exchange_that_is_killed_anywhere_happens_once_at_most(folder: Path) -> None:
    async def attempt(after: int | None) -> int:
        path = folder / f"{after}.db"
        scene = DebtScene(path)
        async with scene as exchanger:

            async def work() -> None:
                await exchanger.exchange(await exchanger.quote())

            mortal = Mortal(work(), after)
            with contextlib.suppress(Killed):
                await mortal
            await scene.world.quiet()
        second = DebtScene(path, scene.world)
        second.credentials = scene.credentials
        async with second as exchanger:
            for entry in await exchanger.recover():
                assert entry.status in ("confirmed", "rejected")
            confirmed = await entries_of(second.ledger, status="confirmed")
            lines = [line.asset for entry in confirmed for line in entry.lines]
            assert sorted(lines) == sorted(each.asset for each in scene.alice.debt_exchanges)
        mortal.bury()
        return mortal.steps

    async def main() -> None:
        steps = await attempt(None)
        assert steps >= 8
        for after in range(1, steps + 1):
            await attempt(after)
        await asyncio.sleep(0.1)

    run_with_deaths(main())


@in_virtual_time
async def test_after_half_a_minute_without_a_record_the_outcome_is_unknown() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        quote = await exchanger.quote()
        scene.world.garble = lambda path, body: (
            b'{"total":0,"rows":[]}' if path == HISTORY else body
        )
        began = scene.world.loop.time()

        with pytest.raises(OutcomeUnknownError, match="does not show it yet"):
            await exchanger.exchange(quote)

        # Looked at six times, five seconds apart.
        assert 25 < scene.world.loop.time() - began < 29
        (entry,) = await entries_of(scene.ledger)
        assert entry.status == "unknown"


@pytest.mark.parametrize(("days", "status"), [(88, "rejected"), (90, "unknown")])
@in_virtual_time
async def test_a_history_that_may_have_dropped_records_proves_nothing_by_absence(
    days: int, status: str
) -> None:
    scene = DebtScene()
    async with scene as exchanger:
        await scene.lose_answer(executed=False)
        await asyncio.sleep(days * 86_400)

        (entry,) = await exchanger.recover()

        assert entry.status == status
        assert ("ninety days" in (entry.reason or "")) is (status == "unknown")


@in_virtual_time
async def test_a_history_is_not_asked_beyond_its_ninety_days() -> None:
    """The exchange may refuse that, and then nothing could be read any more."""
    scene = DebtScene()
    async with scene as exchanger:
        await scene.lose_answer(executed=False)
        await asyncio.sleep(95 * 86_400)
        scene.world.exchange.requests.forget()

        await exchanger.recover()

        now = scene.world.exchange.clock.now().ms
        asked = scene.world.exchange.requests.of(HISTORY)
        assert asked
        assert all(now - int(seen.parameters["startTime"]) <= 90 * DAY_MS for seen in asked)


@in_virtual_time
async def test_debts_that_the_history_dates_apart_are_still_one_exchange() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        quote = await exchanger.quote()

        def apart(path: str, body: bytes) -> bytes:
            if path != HISTORY:
                return body
            page = json.loads(body)
            for later, each in enumerate(page["rows"]):
                each["timestamp"] += 7 * later
            return json.dumps(page).encode()

        scene.world.garble = apart
        receipt = await exchanger.exchange(quote)

        assert receipt.assets == ("ETH", "XRP")
        (entry,) = await entries_of(scene.ledger)
        assert (entry.status, entry.settled_by) == ("confirmed", "answer")
