"""Which accounts of a sweep have their turn first.

Those that are named, or those that hold what will be delisted soon.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, TypeAlias

from binance_dust._util.checks import instance
from binance_dust.conversion._account import read_holdings
from binance_dust.errors import DustError
from binance_dust.models import Delistings

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Sequence

    from binance_dust.client import DustClient
    from binance_dust.endpoints import AccountType

    First: TypeAlias = Delistings | Iterable[str]
    """Names of accounts, or the schedules of what is delisted."""

_AT_ONCE: Final = 64
"""Accounts whose balances are read at once."""


def read_first(first: First | None) -> First | None:
    """Check which accounts come first; names are read once."""
    if first is None or isinstance(first, Delistings):
        return first
    if isinstance(first, str):
        raise TypeError("first must be delistings or a collection of names, not one text")
    return tuple(instance(name, str, "each of first") for name in first)


async def in_order(
    clients: AsyncIterable[DustClient],
    first: First,
    wallets_of: Callable[[DustClient], Sequence[AccountType]],
) -> list[DustClient]:
    """Put those first that are named, or that hold what will be delisted: the soonest first.

    The others keep their order. For schedules the balances of every account are read.
    """
    found = [client async for client in clients]
    if not isinstance(first, Delistings):
        places = {name: place for place, name in enumerate(first)}
        return sorted(found, key=lambda client: places.get(client.name, math.inf))
    places_at_once = asyncio.Semaphore(_AT_ONCE)

    async def ends_at(client: DustClient) -> float:
        async with places_at_once:
            ends = [await _ends_at(client, each, first) for each in wallets_of(client)]
        return min(ends, default=math.inf)

    ends = await asyncio.gather(*map(ends_at, found))
    by_end = sorted(zip(ends, found, strict=True), key=lambda pair: pair[0])
    return [client for _, client in by_end]


async def _ends_at(client: DustClient, account_type: AccountType, delistings: Delistings) -> float:
    """Give the time at which something that an account holds can't be converted any more."""
    try:
        # In the lane of scans: single calls of a bot go first.
        held = await read_holdings(client._for_scans(), account_type)  # noqa: SLF001
    except DustError:
        # Its turn will say why.
        return math.inf
    assets = [each.asset for each in held.values() if each.total]
    ends = (each.until for each in delistings.among(assets, account_type) if each.goes)
    return min((end.timestamp() for end in ends), default=math.inf)
