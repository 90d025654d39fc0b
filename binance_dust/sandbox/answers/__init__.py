"""What the exchange answers: one function for each row of the law, found by the row's name."""

from __future__ import annotations

from typing import Final

from binance_dust.sandbox.answers import dust, general, margin, people, wallets
from binance_dust.sandbox.answers.call import Answering, Call

__all__ = ["ANSWERS", "Call"]

ANSWERS: Final[dict[str, Answering]] = {
    **dust.ANSWERS,
    **general.ANSWERS,
    **margin.ANSWERS,
    **people.ANSWERS,
    **wallets.ANSWERS,
}
