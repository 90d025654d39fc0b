"""What a budget promises holds wherever its pool is kept: tests that open a desk run on both."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import redis

from tests.budget.shared import Server, SharedDesk, a_server

KEPT = ("alone", "shared")
TOO_MANY_CALLS = {
    "test_a_clock_that_is_set_anew_costs_no_refusal",
    "test_a_clock_that_is_wrong_costs_time_and_no_refusal",
    "test_a_day_of_scanning_10_000_accounts_uses_98_parts_in_a_hundred",
    "test_a_hundred_thousand_accounts_in_turn_need_no_more_memory_than_a_few",
    "test_an_hour_of_several_endpoints_uses_each_ones_limit",
    "test_an_exchange_that_turns_to_sliding_windows_refuses_nothing",
    "test_headroom_is_left_to_others",
    "test_headroom_that_others_use_is_not_left_twice",
    "test_no_second_has_more_requests_than_the_pace_allows",
    "test_others_cannot_fake_the_proof",
    "test_others_who_come_all_at_once_and_go_again_ban_nobody",
    "test_others_who_left_are_forgotten",
    "test_others_who_spend_half_cost_a_refusal_or_two_and_little_of_the_rest",
    "test_others_whose_calls_are_large_and_rare_are_not_starved",
    "test_two_processes_that_know_nothing_of_each_other_are_not_banned",
    # Of these test_same_pool.py has a few worlds.
    "test_300_accounts_take_little_longer_than_they_must",
    "test_a_slow_way_costs_no_more_than_being_careful_about_it",
    "test_nobody_is_refused_who_is_alone",
    "test_sliding_windows_are_never_taken_for_fixed",
}
LOCAL = {
    "test_a_call_that_finds_room_is_admitted_without_suspending",
    "test_ten_thousand_waiters_cost_little",
    "test_a_ban_that_nobody_wants_to_sit_out_is_an_error",
    "test_living_things_show_their_state",
}
"""What is said of a process's own memory and classes."""
ONLY_ALONE = TOO_MANY_CALLS | LOCAL


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with a_server() as server:
        yield server


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(server.url)
    yield client
    client.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module, test = metafunc.module, metafunc.function
    if not hasattr(module, "Desk") or hasattr(module, "SharedDesk"):
        return  # its desks are of one kind
    inner = getattr(getattr(test, "hypothesis", None), "inner_test", test)
    kept = KEPT[:1] if test.__name__ in ONLY_ALONE else KEPT
    if "desk" in inspect.getsource(inner).lower():
        metafunc.parametrize("where", kept, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def where(request: Any) -> Iterator[None]:
    """Have the module's desks open where the test is told to."""
    if getattr(request, "param", "alone") == "alone":
        yield
        return
    alone = request.module.Desk
    request.module.Desk = partial(
        SharedDesk,
        client=request.getfixturevalue("client"),
        lease=3_600.0,  # some of these tests take days: few beats
    )
    yield
    request.module.Desk = alone
