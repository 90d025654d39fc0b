"""What the exchange answers: one function for each row of the law, found by the row's name."""

from __future__ import annotations

from typing import Final

from binance_dust.sandbox._replies import _account as wallets
from binance_dust.sandbox._replies import _dust as dust
from binance_dust.sandbox._replies import _general as general
from binance_dust.sandbox._replies import _margin as margin
from binance_dust.sandbox._replies import _people as people
from binance_dust.sandbox._replies._call import Answering, Call

__all__ = ["ANSWERS", "Call"]

ANSWERS: Final[dict[str, Answering]] = {
    **dust.ANSWERS,
    **general.ANSWERS,
    **margin.ANSWERS,
    **people.ANSWERS,
    **wallets.ANSWERS,
}
