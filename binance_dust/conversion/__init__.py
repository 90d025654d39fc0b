"""Moving funds, at most once: the only home of safety policy.

_policy.py      what a converter was told, and the rules that stop it
_guards.py      what stops any plan
_holdings.py    what an account holds
_listing.py     what the exchange lists
_narrowing.py   what every plan can do
_plan.py        what is converted, and why the rest is not
_reasons.py     why not
_cooling.py     until when an account rests
_quote.py       a plan, to be read and narrowed
_orders.py      which call converts, and what its answer means
_account.py     an account's client, ledger and claims
_send.py        one call: intent, request, outcome
_culprits.py    which batch to try next when one asset fails all
_run.py         the calls of one conversion
_receipt.py     what they did
_judge.py       how an open entry ended, from what was read
_recover.py     the reading
_converter.py   all of it
_debts.py       which small debts are exchanged
_liabilities.py the same for small debts
_show.py        for eyes
"""

from __future__ import annotations

from binance_dust.conversion._converter import Converter
from binance_dust.conversion._debts import LiabilityLine, LiabilityQuote
from binance_dust.conversion._liabilities import LiabilityExchanger
from binance_dust.conversion._quote import Quote, QuoteLine
from binance_dust.conversion._reasons import Reason, Skipped
from binance_dust.conversion._receipt import Receipt

__all__ = [
    "Converter",
    "LiabilityExchanger",
    "LiabilityLine",
    "LiabilityQuote",
    "Quote",
    "QuoteLine",
    "Reason",
    "Receipt",
    "Skipped",
]
