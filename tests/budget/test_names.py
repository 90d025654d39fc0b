"""What pools are called, as a table."""

from __future__ import annotations

import pytest

from binance_dust.budget import Charge, LimitKind
from binance_dust.budget._names import account_of, key_of, name_of, read_key


@pytest.mark.parametrize(
    ("charge", "name", "account", "key"),
    [
        (Charge("GET /a", LimitKind.IP, 1, "alice"), "GET /a", None, "ip GET /a"),
        (Charge("GET /a", LimitKind.UID, 1, "alice"), "GET /a", "alice", "uid GET /a\talice"),
        (Charge("GET /b", LimitKind.UID, 1, "bob"), "GET /b", "bob", "uid GET /b\tbob"),
        (Charge("GET /a", LimitKind.REQUEST, 1, "alice"), "/api/v3", None, "request /api/v3"),
    ],
)
def test_a_pool_is_called_by_its_endpoint_and_told_apart_by_who_pays(
    charge: Charge, name: str, account: str | None, key: str
) -> None:
    assert (name_of(charge), account_of(charge), key_of(charge)) == (name, account, key)
    assert read_key(key) == (charge.kind, name, account)
