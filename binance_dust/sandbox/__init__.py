"""A local exchange to rehearse on, with the rules, limits and errors of the real one, and faults.

The exchange's own test network serves no `/sapi`, so this is the only place to try a conversion
without money. It knows nothing of the client: it reads bytes and checks them by itself.

What users open and hold:

- `_sandbox`: `Sandbox`, what a test holds and asks
- `_standalone`: a sandbox for other programs: served until cancelled, its keys in a file
- `_rules`: the settings of a sandbox, each with its default and the reason; worlds by name
- `_faults`: what goes wrong, when a test says so
- `_control`: the same over HTTP, for rehearsals from a shell

What the exchange has:

- `_account`: what an account is made of: wallets, debts, permissions, conversions
- `_accounts`: opens accounts, with the caller's balances or random ones; draws histories
- `_keys`: keys by seed, and the checks of their signatures
- `_market`: listed assets, their prices and fees
- `_clock`: the exchange's own time, and true time
- `_weight`: pools of weight, refusals and bans
- `_requests`: requests, replies, and the record of them

How a request is handled:

- `_server`: HTTP on loopback, in this event loop or in a thread
- `_exchange`: the way of a request from arrival to reply
- `_endpoints`: the table of endpoints: cost, payer, rights, mandatory parameters
- `_parameters`: query and body, and the text that is signed
- `_admission`: key, signature, time and rights
- `_replies`: what each endpoint replies
- `_dust`: what can be converted, and the conversion
- `_refusals`: codes and texts of refusals
- `_amounts`: exact decimals, and their rounding
"""

from __future__ import annotations

from binance_dust.sandbox._account import (
    Account,
    Conversion,
    Debt,
    DebtExchange,
    Holding,
    Permissions,
    Repayment,
    Sale,
    Transfer,
)
from binance_dust.sandbox._faults import Fault, Faults
from binance_dust.sandbox._requests import Seen
from binance_dust.sandbox._rules import WORLDS, Rules
from binance_dust.sandbox._sandbox import Sandbox
from binance_dust.sandbox._standalone import serve_forever, write_accounts

__all__ = [
    "WORLDS",
    "Account",
    "Conversion",
    "Debt",
    "DebtExchange",
    "Fault",
    "Faults",
    "Holding",
    "Permissions",
    "Repayment",
    "Rules",
    "Sale",
    "Sandbox",
    "Seen",
    "Transfer",
    "serve_forever",
    "write_accounts",
]
