"""Worlds to rehearse in: how the exchange may be when it is not as documented.

Each was measured somewhere, or is what a change of the exchange would look like.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.sandbox._rules import RuleChanges

_LIST: Final = "small_liabilities"

WORLDS: Final[Mapping[str, RuleChanges]] = MappingProxyType(
    {
        "half-limit": {"ip_weight": 6_000, "uid_weight": 90_000, "spot_weight": 3_000},
        "sliding": {"window_mode": "sliding"},
        "shifted-windows": {"window_offset": 17.0},
        "no-header": {"weight_header": "missing"},
        "late-header": {"weight_header": "late"},
        "false-header": {"weight_header": "huge"},
        "other-payers-header": {"weight_header": "other payer"},
        "three-nodes": {"nodes": 3},
        "dear-lists": {"weights": {_LIST: 500}},
        "account-pays": {"payers": {_LIST: "uid"}},
        "both-pay": {"payers": {_LIST: "both"}},
        "others-half": {"others": {_LIST: 6_000}},
        "others-at-the-cut": {"others": {_LIST: 6_000}, "others_mode": "at the cut"},
        "strict-bans": {"ban_after": 3},
        "retry-after-zero": {"retry_after_zero": True},
    }
)
"""Rules by name, for `Sandbox(**WORLDS["half-limit"])` and `binance-dust sandbox --world`."""
