"""How long a scan will take: estimated before it, and all the way through it."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from binance_dust import BannedError, Credentials, CredentialsError, estimate_scan, scan
from tests.budget.virtual import run
from tests.simulation.world import SimulatedWorld

Mode = Literal["fixed", "sliding"]
QUOTE = "POST /sapi/v1/asset/dust-convert/query-convertible-assets"


def open_accounts(
    world: SimulatedWorld, count: int, *, margin: int = 10, debt: int = 10
) -> list[Any]:
    """Open accounts of which so many in ten have margin, and so many debts."""
    accounts = world.exchange.accounts
    return [
        accounts.open(
            f"account-{number}",
            {"ADA": "6.21"},
            margin=number % 10 < margin,
            debts={"ETH": "0.001"} if number % 10 < debt else None,
        )
        for number in range(count)
    ]


@pytest.mark.long
@pytest.mark.parametrize("mode", ["fixed", "sliding"])
@settings(max_examples=8, phases=[Phase.explicit, Phase.generate])
@given(start=st.floats(0, 59), seed=st.integers(0, 99))
def test_the_time_left_is_within_a_tenth_of_what_it_turns_out_to_be(
    mode: Mode, start: float, seed: int
) -> None:
    async def main() -> None:
        world = SimulatedWorld(start=start, seed=seed, window_mode=mode)
        async with world.session() as session:
            clients = [session.client(account) for account in open_accounts(world, 700)]
            estimates: list[tuple[float, float]] = []
            reports = scan(clients, liabilities=True)
            async for _ in reports:
                progress = reports.progress
                assert progress.seconds_left is not None
                estimates.append((progress.elapsed, progress.seconds_left))
            took = reports.progress.elapsed

        # Until the first cut has shown that windows are fixed, one more is allowed for.
        known = [(at, left) for at, left in estimates if mode == "sliding" or at > 65]
        assert len(known) > 300
        for at, left in known:
            assert abs(at + left - took) <= took * 0.1
        for at, left in estimates:
            assert took * 0.97 <= at + left <= took + 66.0
        assert estimates[-1][1] <= 1.0

    run(main())


@pytest.mark.parametrize("mode", ["fixed", "sliding"])
@pytest.mark.parametrize("start", [pytest.param(20.0, marks=pytest.mark.long), 0.0, 45.0])
def test_the_estimate_beforehand_is_not_too_short_nor_too_long_by_more_than_a_window(
    start: float, mode: Mode
) -> None:
    async def main() -> None:
        world = SimulatedWorld(start=start, window_mode=mode)
        async with world.session() as session:
            clients = [session.client(account) for account in open_accounts(world, 500)]
            estimate = estimate_scan(clients, liabilities=True)
            assert world.sent == []

            reports = [report async for report in scan(clients, liabilities=True)]

            took = world.loop.time()
            assert len(reports) == estimate.accounts == 500
            longest = took + 60.0 if mode == "fixed" else took
            # What answers take, and looks at windows that slide, comes on top.
            assert took * 0.97 <= estimate.seconds <= longest
            assert estimate.lanes[0].question == "small_liabilities"
            assert estimate.lanes[0].weight == 50_000

    run(main())


def test_a_desk_of_a_thousand_is_told_what_other_wallets_cost_and_it_takes_that_long() -> None:
    async def main() -> None:
        world = SimulatedWorld(start=20.0)
        async with world.session() as session:
            clients = [session.client(account) for account in open_accounts(world, 1_000)]
            options: Any = {"liabilities": False, "elsewhere": True}
            estimate = estimate_scan(clients, **options)
            assert world.sent == []

            reports = [report async for report in scan(clients, **options)]

            took = world.loop.time()
            assert all(report.ok and report.elsewhere is not None for report in reports)
            assert took * 0.97 <= estimate.seconds <= took + 60.0
            assert estimate.lanes[0].question == "wallet_balances"
            assert estimate.lanes[0].weight == 60_000

    run(main())


@pytest.mark.long
def test_shares_that_are_known_make_the_estimate_of_a_frugal_scan_true() -> None:
    async def main() -> None:
        world = SimulatedWorld(start=5.0)
        async with world.session() as session:
            accounts = open_accounts(world, 3000, margin=3, debt=1)
            clients = [session.client(account) for account in accounts]
            longest = estimate_scan(clients)
            estimate = estimate_scan(clients, margin_share=0.3, debt_share=0.1)

            reports = [report async for report in scan(clients)]

            took = world.loop.time()
            assert sum(bool(report.liabilities) for report in reports) == 300
            assert abs(estimate.seconds - took) <= took * 0.1
            assert longest.seconds > took * 5

    run(main())


@pytest.mark.long
def test_a_frugal_scan_learns_how_many_have_debts_and_foretells_its_end() -> None:
    async def main() -> None:
        world = SimulatedWorld(start=30.0)
        async with world.session() as session:
            accounts = open_accounts(world, 4000, margin=5, debt=2)
            reports = scan([session.client(account) for account in accounts])
            estimates: list[tuple[float, float]] = []
            async for _ in reports:
                progress = reports.progress
                estimates.append((progress.elapsed, progress.seconds_left or 0.0))
            took = reports.progress.elapsed

        known = [(at, left) for at, left in estimates if at > took / 4]
        assert len(known) > 500
        for at, left in known:
            assert abs(at + left - took) <= took * 0.1

    run(main())


def test_where_no_lane_is_short_the_time_left_is_that_of_the_answers() -> None:
    async def main() -> None:
        world = SimulatedWorld(latency=(0.2, 0.2))
        async with world.session() as session:
            accounts = open_accounts(world, 400)
            reports = scan(
                [session.client(account) for account in accounts], liabilities=False, concurrency=10
            )
            estimates: list[tuple[float, float]] = []
            async for _ in reports:
                progress = reports.progress
                estimates.append((progress.elapsed, progress.seconds_left or 0.0))
            took = reports.progress.elapsed

        assert took > 15.0
        for at, left in estimates[20:]:
            assert abs(at + left - took) <= took * 0.1

    run(main())


def test_the_slowest_lane_does_not_block_the_fast_ones() -> None:
    async def main() -> None:
        world = SimulatedWorld(start=1.0)
        async with world.session() as session:
            accounts = open_accounts(world, 600, margin=5, debt=5)
            clients = [session.client(account) for account in accounts]
            without_debts = [
                world.loop.time() async for report in scan(clients) if not report.liabilities
            ]

        # All that owe nothing are through while most that do still wait.
        assert len(without_debts) == 300
        assert max(without_debts) < 10.0
        assert world.loop.time() > 100.0

    run(main())


def test_500_accounts_among_them_bad_keys_slow_ones_and_broken_parts() -> None:
    """500 reports, the right errors in each, and the end was foretold."""

    async def main() -> None:
        world = SimulatedWorld(start=10.0)
        faults, slow, banned = world.exchange.faults, range(20, 25), range(30, 33)
        async with world.session() as session:
            accounts = open_accounts(world, 500)
            for number in range(10):
                api_key = accounts[number].api_key
                accounts[number] = Credentials(api_key, "wrong", name=f"account-{number}")
            for number in slow:
                faults.delay(3.0, account=f"account-{number}", times=None)
            for number in banned:
                faults.refuse(
                    418, retry_after=1, account=f"account-{number}", endpoint=QUOTE, times=None
                )
            clients = [session.client(account) for account in accounts]
            estimate = estimate_scan(clients, liabilities=True)

            reports = {r.account: r async for r in scan(clients, liabilities=True)}

            took = world.loop.time()
        assert len(reports) == 500
        failed = {name: report.errors for name, report in reports.items() if not report.ok}
        for number in range(10):
            errors = failed.pop(f"account-{number}")
            assert set(errors) == {"assets", "quote", "liabilities"}
            assert {type(error) for error in errors.values()} == {CredentialsError}
        for number in banned:
            errors = failed.pop(f"account-{number}")
            assert {part: type(error) for part, error in errors.items()} == {"quote": BannedError}
        assert failed == {}
        assert abs(estimate.seconds - took) <= took * 0.1

    run(main())


@pytest.mark.long
@pytest.mark.parametrize("mode", ["fixed", "sliding"])
def test_a_thousand_accounts_take_one_window_instead_of_nine(mode: Mode) -> None:
    async def main() -> tuple[dict[str, list[str]], float]:
        world = SimulatedWorld(start=1.0, window_mode=mode)
        async with world.session() as session:
            accounts = open_accounts(world, 1000, margin=3, debt=1)
            clients = [session.client(account) for account in accounts]
            found = {
                report.account: [row.asset for row in report.liabilities]
                async for report in scan(clients, liabilities=choice)
            }
            assert world.refusals == 0
            return found, world.loop.time()

    choice: Any = "auto"
    frugal, soon = run(main())
    choice = True
    thorough, late = run(main())

    assert frugal == thorough
    assert soon < 60.0
    assert late > 7 * 60.0
