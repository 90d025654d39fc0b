"""What the exchange replies: one function for each endpoint, found by the endpoint's name.

- `_dust`: what is convertible, conversions, and the dust log
- `_margin`: the margin account, and small liabilities with their rules
- `_account`: wallets, status, the BNB switch, and the key
- `_general`: the exchange itself, its clock, assets and symbols
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.sandbox._replies import _account, _dust, _general, _margin

if TYPE_CHECKING:
    from binance_dust.sandbox._admission import ReplyFunction

REPLIES: Final[dict[str, ReplyFunction]] = {
    **_dust.REPLIES,
    **_general.REPLIES,
    **_margin.REPLIES,
    **_account.REPLIES,
}
