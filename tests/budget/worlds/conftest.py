"""Worlds in virtual time: what a budget promises, whichever way its pools are kept.

Each test runs twice: with the pools in this process, and with a log that is shared. The log is in a
real Redis, or, where that makes `many_calls`, in memory; these take long, and run in the long
session. The short ones hold that both ways are one: the rules are the same code.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.budget.shared import SharedCaller


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "local_only(reason): not run with a shared log")
    config.addinivalue_line("markers", "many_calls: the shared log is in memory")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marked = metafunc.definition.get_closest_marker
    kept: list[Any] = ["alone"]
    if not marked("local_only"):
        in_memory = pytest.param("memory", marks=pytest.mark.long)
        kept.append(in_memory if marked("many_calls") else "shared")
    metafunc.parametrize("where", kept, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def where(request: Any) -> Iterator[None]:
    """Make the callers of the module share a budget in Redis, if the test is for that."""
    alone = request.module.VirtualCaller
    if request.param != "alone":
        in_redis = request.param == "shared"
        request.module.VirtualCaller = partial(
            SharedCaller,
            client=request.getfixturevalue("client") if in_redis else None,
            lease=3_600.0,  # some of these tests take days: few heartbeats
        )
    yield
    request.module.VirtualCaller = alone
