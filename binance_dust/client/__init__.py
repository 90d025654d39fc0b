"""One account: a typed method for each endpoint.

`endpoints` declares the endpoints, and `_call` sends the calls. Methods that read may be called as
often as the budgets allow. Calls that move funds (`dust_convert`, `dust_transfer`,
`exchange_small_liabilities`, `transfer`, `repay`, `convert_accept`) are sent at most once. If their
outcome is unknown, they raise `OutcomeUnknownError`.

    _account.py    an account, and how its calls are sent and its histories read
    _elsewhere.py  methods about what lies beside dust
    _client.py     `DustClient`: methods about dust, small debts and settings
    _ranges.py     ranges of time and pages of histories, without I/O
"""

from __future__ import annotations

from binance_dust.client._client import DustClient

__all__ = ["DustClient"]
