"""The pytest plugin: a sandbox for the tests of code that uses this package.

    async def test_my_report(sandbox: Sandbox) -> None:
        alice = sandbox.open_account("alice", ADA="6.21")
        ...

The sandbox runs in its own thread, so the fixture works in plain tests, with pytest-asyncio in
either mode, and with anyio. A marker configures it:

    @pytest.mark.sandbox(seed=7, window=2.0, accounts=3)

The marker takes every argument of `Sandbox`, and `accounts`: the number of accounts to open before
the test.

pytest loads this module in every run if the package is installed, so it imports nothing that only
the fixture needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from binance_dust.sandbox import Sandbox

__all__ = ["sandbox"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, for runs with `--strict-markers`."""
    config.addinivalue_line(
        "markers",
        "sandbox(seed=0, window=60.0, accounts=0, ...): configures the `sandbox` fixture; "
        "takes every argument of binance_dust.sandbox.Sandbox",
    )


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Open a local exchange for one test, configured by the `sandbox` marker."""
    from binance_dust.sandbox import Sandbox

    options: dict[str, object] = {}
    # For each argument the nearest marker wins: the test's, the class's, then the module's.
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
