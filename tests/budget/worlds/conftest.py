"""Worlds in virtual time: what a budget promises, whichever way its pools are kept.

Each test runs twice, with the pools in this process and in Redis, unless it is marked `local_only`.
`test_same_pool.py` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.budget.shared import SharedCaller


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "local_only(reason): not run with the pools in Redis")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    local_only = metafunc.definition.get_closest_marker("local_only")
    kept = ["alone"] if local_only else ["alone", "shared"]
    metafunc.parametrize("where", kept, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def where(request: Any) -> Iterator[None]:
    """Make the callers of the module share a budget in Redis, if the test is for that."""
    alone = request.module.Caller
    if request.param == "shared":
        request.module.Caller = partial(
            SharedCaller,
            client=request.getfixturevalue("client"),
            lease=3_600.0,  # some of these tests take days: few heartbeats
        )
    yield
    request.module.Caller = alone
