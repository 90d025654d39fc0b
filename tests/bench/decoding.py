"""Decoding alone: why amounts are converted when they are read (docs/decisions/0003)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from binance_dust.models import UserAsset
from tests.bench import stub
from tests.bench.results import Column, Row, Table

FIELDS = [(name, str) for name in UserAsset.__struct_encode_fields__]
AS_TEXT = msgspec.defstruct("AsText", FIELDS)
AS_DECIMAL = msgspec.defstruct(
    "AsDecimal", [(name, str if name == "asset" else Decimal) for name, _ in FIELDS]
)
FULL, TINY = 15, 1
"""Rounds, of which the best counts."""
NAN = re.compile(rb'"(?:nan|[+-]?inf(?:inity)?|snan)"', re.IGNORECASE)


def ways() -> dict[str, Callable[[bytes], Any]]:
    """Give the ways to decode that were weighed."""
    ours = msgspec.json.Decoder(list[UserAsset], strict=False, float_hook=str).decode
    text = msgspec.json.Decoder(list[AS_TEXT]).decode  # type: ignore[valid-type]
    decimal = msgspec.json.Decoder(list[AS_DECIMAL]).decode  # type: ignore[valid-type]

    def checked(body: bytes) -> Any:
        assert NAN.search(body) is None
        return decimal(body)

    return {
        "ours, nothing read": ours,
        "ours, one amount a row read": lambda body: [row.free for row in ours(body)],
        "ours, every amount read": lambda body: [
            (r.free, r.locked, r.freeze, r.withdrawing, r.ipoable, r.btc_valuation)
            for r in ours(body)
        ],
        "json.loads to dicts": json.loads,
        "msgspec to str": text,
        "msgspec to Decimal": decimal,
        "msgspec to Decimal, body checked": checked,
    }


def measure(rounds: int = FULL) -> list[Table]:
    """Measure every way at every size."""
    bodies = [stub.assets(size) for size in stub.SIZES]
    table = Table(
        name="decoding",
        title="Decoding an answer, µs",
        about=f"The best of {rounds} rounds.",
        first="way",
        columns=tuple(Column(f"{size:,} assets", 1, None) for size in stub.SIZES),
        rows=tuple(
            Row(name, tuple(_best(decode, body, rounds) for body in bodies))
            for name, decode in ways().items()
        ),
        plot=None,
    )
    return [table]


def _best(decode: Callable[[bytes], Any], body: bytes, rounds: int) -> float:
    repeat = max(5, 400_000 // len(body))
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(repeat):
            decode(body)
        best = min(best, (time.perf_counter() - began) / repeat)
    return best * 1e6
