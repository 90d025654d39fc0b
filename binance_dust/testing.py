"""The pytest plugin: a sandbox for the tests of code that uses this package.

    async def test_my_report(sandbox: Sandbox) -> None:
        alice = sandbox.open_account("alice", ADA="6.21")
        ...

The sandbox serves from a thread of its own, so the fixture works in plain tests, with
pytest-asyncio in either mode, and with anyio. A marker sets it up:

    @pytest.mark.sandbox(seed=7, window=2.0, accounts=3)

It takes every argument of `Sandbox`, and `accounts`: so many are open before the test begins.

pytest loads this module in every run of an environment that has the package installed, so nothing
is imported here that a run without the fixture would have to wait for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from binance_dust.sandbox import Sandbox

__all__ = ["sandbox"]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, for runs with `--strict-markers`."""
    config.addinivalue_line(
        "markers",
        "sandbox(seed=0, window=60.0, accounts=0, ...): how the `sandbox` fixture is set up; "
        "takes every argument of binance_dust.sandbox.Sandbox",
    )


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Open a local exchange for one test, as the `sandbox` marker has it."""
    from binance_dust.sandbox import Sandbox

    options: dict[str, object] = {}
    # The marker nearest to the test wins, argument by argument: module, then class, then test.
    for mark in reversed(list(request.node.iter_markers("sandbox"))):
        if mark.args:
            message = "the sandbox marker takes keyword arguments only"
            raise pytest.UsageError(message)
        options |= mark.kwargs
    accounts = options.pop("accounts", 0)
    if not isinstance(accounts, int):
        message = f"sandbox(accounts=...) is a number, not {accounts!r}"
        raise pytest.UsageError(message)
    with Sandbox(**options) as exchange:  # type: ignore[arg-type]  # checked by Sandbox itself
        exchange.open_accounts(accounts)
        yield exchange
