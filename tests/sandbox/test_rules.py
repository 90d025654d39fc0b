"""The settings of a sandbox."""

from __future__ import annotations

import pytest

from binance_dust.sandbox import Rules
from binance_dust.sandbox._rules import RuleChanges


def test_every_rule_can_be_given_to_a_sandbox() -> None:
    assert set(RuleChanges.__annotations__) == set(Rules.__dataclass_fields__)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 0},
        {"ceiling": "many"},
        {"volatility": "NaN"},
        {"minimum": -1},
        {"window": float("nan")},
        {"window_mode": "leaking"},
        {"several_assets": "json"},
        {"liability_body": "[]"},
        {"ip_weight": -1},
        {"cooldown": -1.0},
        {"log_lag": float("nan")},
    ],
)
def test_impossible_rules_are_refused(wrong: RuleChanges) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Rules(**wrong)  # type: ignore[arg-type]
