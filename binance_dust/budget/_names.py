"""What pools are called: for users, and as a text that tells each from all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.endpoints import LimitKind

if TYPE_CHECKING:
    from binance_dust.budget._protocol import Charge


def name_of(charge: Charge) -> str:
    """Give the pool's name: its endpoint's, but for the one of all of `/api/v3`."""
    return "/api/v3" if charge.kind is LimitKind.REQUEST else charge.pool


def account_of(charge: Charge) -> str | None:
    """Give the account whose pool it is, if it is an account's."""
    return charge.account if charge.kind is LimitKind.UID else None


def key_of(charge: Charge) -> str:
    """Give the text that tells a pool from others."""
    key = f"{charge.kind.value} {name_of(charge)}"
    return f"{key}\t{charge.account}" if charge.kind is LimitKind.UID else key


def read_key(key: str) -> tuple[LimitKind, str, str | None]:
    """Read such a text: the kind, the name, and the account if it is an account's."""
    kind, _, rest = key.partition(" ")
    name, _, account = rest.partition("\t")
    return LimitKind(kind), name, account or None
