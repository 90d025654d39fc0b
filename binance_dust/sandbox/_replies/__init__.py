"""What the exchange replies: one function for each endpoint, found by the endpoint's name.

- `_dust`: what is convertible, conversions, and the dust log
- `_margin`: the margin account, and small liabilities with their rules
- `_flow`: repayments, and the record of the margin account's movements
- `_wallets`: what is in each wallet, and transfers between them
- `_sale`: sales by quote
- `_account`: the account's number, status, the BNB switch, and the key
- `_general`: the exchange itself, its clock, assets, symbols and delistings
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.sandbox._replies import _account, _dust, _flow, _general, _margin, _sale, _wallets

if TYPE_CHECKING:
    from binance_dust.sandbox._admission import ReplyFunction

REPLIES: Final[dict[str, ReplyFunction]] = {
    **_dust.REPLIES,
    **_general.REPLIES,
    **_margin.REPLIES,
    **_flow.REPLIES,
    **_wallets.REPLIES,
    **_sale.REPLIES,
    **_account.REPLIES,
}
