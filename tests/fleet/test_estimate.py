"""Estimates of scans by a fleet: accounts are shared out, and the slowest worker counts."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import (
    NotSentError,
    RateLimits,
    Session,
    estimate_scan,
)
from binance_dust.fleet import Fleet
from binance_dust.fleet._estimate import share_out
from binance_dust.fleet._messages import END_JOB
from binance_dust.fleet._queues import FleetQueues
from binance_dust.sandbox import Sandbox
from tests.fleet.conftest import TIMING, WINDOW, StartWorker


async def test_an_estimate_is_that_of_the_slowest_worker(
    exchange: Sandbox, start_worker: StartWorker, url: str, stack: AsyncExitStack
) -> None:
    accounts = [exchange.open_account(f"a{number}", margin=True) for number in range(500)]
    await start_worker(accounts, name="one")
    await start_worker(accounts, name="two")

    # It goes on as soon as a worker is there, however busy the machine is.
    async with Fleet(url, timing=replace(TIMING, wait=30.0)) as fleet:
        found = await fleet.estimate(liabilities=True)

    limits = RateLimits(window=WINDOW)
    session = await stack.enter_async_context(Session(base_url=exchange.url, limits=limits))
    half = estimate_scan([session.client(each) for each in accounts[:250]], liabilities=True)
    assert found.accounts == 500
    assert found.seconds == pytest.approx(half.seconds, rel=0.5)
    assert {lane.session for lane in found.lanes} == {0, 1}
    assert (
        sum(lane.weight for lane in found.lanes if lane.question == "small_liabilities") == 50_000
    )
    assert exchange.requests == ()


async def test_queues_that_fail_at_the_end_do_not_hide_what_failed_first(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(self: FleetQueues, queue_name: str, task: str, message: Any) -> None:
        raise NotSentError("at the end" if task == END_JOB else "at first")

    monkeypatch.setattr(FleetQueues, "send", send)

    async with Fleet(url, timing=TIMING) as fleet:
        with pytest.raises(NotSentError, match="at first"):
            await fleet.estimate()


@given(st.dictionaries(st.sampled_from("xyz"), st.sets(st.sampled_from("abcdefgh")), min_size=1))
def test_accounts_are_shared_out_as_evenly_as_the_keys_allow(keys: dict[str, set[str]]) -> None:
    shares = share_out(None, keys)

    given_out = [account for share in shares.values() for account in share]
    assert sorted(given_out) == sorted(set().union(*keys.values()))
    for worker, share in shares.items():
        assert set(share) <= keys[worker]
    if len({frozenset(accounts) for accounts in keys.values()}) == 1:
        sizes = [len(share) for share in shares.values()]
        assert max(sizes) - min(sizes) <= 1
