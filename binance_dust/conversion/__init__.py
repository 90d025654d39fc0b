"""Moving funds, at most once, by rules. All safety rules are here, and only here.

_converter.py    the converter of dust: quote, convert, recover
_liabilities.py  the same for small margin debts
_repay.py        the same for debts that are paid from what is held
_mover.py        what these three share
_account.py      an account's client, ledger and claims; what it holds, owes and may convert
_policy.py       the options of a converter, checked
_guards.py       what stops a conversion before anything is sent: policy, old quote, cooldown
_plan.py         which of all that is held or owed goes, and why the rest does not
_worth.py        what an asset is worth in the units of the rules
_gather.py       which dust of the funding wallet is brought to the spot wallet
_sales.py        what is too much for dust, sold by quote
_quote.py        a plan, to be read and narrowed; the reasons why something is skipped
_run.py          the calls of one conversion, and which batch to try next
_send.py         where funds are moved: intent on record, one call, outcome on record
_calls.py        the calls that move funds, and how the answer of each is read
_receipt.py      what a conversion did
_recover.py      find out by reading how open entries ended
_evidence.py     what such a reading proves
_tables.py       quotes and receipts as text and HTML
"""

from __future__ import annotations

from binance_dust.conversion._converter import Converter
from binance_dust.conversion._liabilities import LiabilityExchanger
from binance_dust.conversion._quote import (
    GatherLine,
    LiabilityLine,
    LiabilityQuote,
    Quote,
    QuoteLine,
    Reason,
    Skipped,
)
from binance_dust.conversion._receipt import Receipt
from binance_dust.conversion._repay import (
    Repayer,
    RepaymentLine,
    RepaymentQuote,
    RepaymentReceipt,
)

__all__ = [
    "Converter",
    "GatherLine",
    "LiabilityExchanger",
    "LiabilityLine",
    "LiabilityQuote",
    "Quote",
    "QuoteLine",
    "Reason",
    "Receipt",
    "Repayer",
    "RepaymentLine",
    "RepaymentQuote",
    "RepaymentReceipt",
    "Skipped",
]
