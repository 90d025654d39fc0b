"""The pools of an address: their names, as a table, and which of them are forgotten."""

from __future__ import annotations

import pytest

from binance_dust.budget import Charge, LimitKind, RateLimits
from binance_dust.budget._pool import Pool
from binance_dust.budget._pools import Pools, account_of, key_of, name_of, read_key
from tests.budget.bench import StoppedClock


@pytest.mark.parametrize(
    ("charge", "name", "account", "key"),
    [
        (Charge("GET /a", LimitKind.IP, 1, "alice"), "GET /a", None, "ip GET /a"),
        (Charge("GET /a", LimitKind.UID, 1, "alice"), "GET /a", "alice", "uid GET /a\talice"),
        (Charge("GET /b", LimitKind.UID, 1, "bob"), "GET /b", "bob", "uid GET /b\tbob"),
        (Charge("GET /a", LimitKind.REQUEST, 1, "alice"), "/api/v3", None, "request /api/v3"),
    ],
)
def test_a_pool_is_named_after_its_endpoint_and_identified_by_its_payer(
    charge: Charge, name: str, account: str | None, key: str
) -> None:
    assert (name_of(charge), account_of(charge), key_of(charge)) == (name, account, key)
    assert read_key(key) == (charge.kind, name, account)


def test_an_idle_account_is_forgotten_unless_calls_wait_for_its_pool() -> None:
    waited_for: dict[Pool, None] = {}
    pools = Pools(RateLimits(), StoppedClock(), waited_for)
    waiting = pools.of(Charge("POST /x", LimitKind.UID, 1, "waiting"))
    assert waiting.idle(100.0)
    waited_for[waiting] = None
    idle = pools.of(Charge("POST /x", LimitKind.UID, 1, "idle"))

    pools.of(Charge("POST /x", LimitKind.UID, 1, "another"))

    assert waiting in list(pools)
    assert idle not in list(pools)
