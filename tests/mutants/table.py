"""Which tests judge which module, and why what they don't notice is no fault."""

from __future__ import annotations

from typing import Final

JUDGES: Final[dict[str, tuple[str, ...]]] = {
    "binance_dust/budget/": ("tests/budget",),
    "binance_dust/_retry.py": ("tests/unit/test_retry.py",),
    "binance_dust/_verdicts.py": ("tests/unit/test_verdicts.py",),
    "binance_dust/_signing.py": (
        "tests/unit/test_credentials.py",
        "tests/contract/test_published_vectors.py",
    ),
    "binance_dust/_keys.py": (
        "tests/unit/test_credentials.py",
        "tests/contract/test_published_vectors.py",
    ),
    "binance_dust/_wire.py": ("tests/unit/test_wire.py", "tests/contract"),
    "binance_dust/_spec.py": ("tests/unit/test_spec.py", "tests/contract"),
    "binance_dust/_clock.py": ("tests/unit/test_clock.py",),
    "binance_dust/scanner/": ("tests/simulation", "tests/integration/test_scan.py"),
}
"""By path, or by how it begins."""

TOO_SLOW: Final = (
    "test_a_day_of_scanning",
    "test_an_hour_of_several",
    "test_nobody_is_refused_who_is_alone",
    "test_headroom_that_others_use",
    "test_others_who_spend_half_cost",
    "test_a_hundred_thousand_accounts_in_turn",
    "test_an_outage_is_not_multiplied",
)
"""Tests that take seconds don't judge, or a fault that nobody notices would cost minutes."""

_TYPES: Final = "never otherwise: it narrows a type for the checker"
_NOBODY_CARES: Final = "a figure of taste: the next one does as well"
_FASTER: Final = "only faster: without it the same is found out on the longer way"

EXPLAINED: Final[dict[str, dict[str, str]]] = {
    "binance_dust/_retry.py": {
        "send_again.announce: state.outcome -> True": _TYPES,
        "send_again.announce: isinstance(error, DustError) -> True": _TYPES,
        "send_again.pause: state.outcome -> True": _TYPES,
    },
    "binance_dust/_verdicts.py": {
        "verdict: isinstance(code, int) -> True": _TYPES,
        "_server_error: known.delivery or known.error.usual_delivery"
        " -> known.error.usual_delivery": "every row of today with a delivery of its own is"
        " an UnavailableError, and so is kept in either case",
    },
    "binance_dust/_clock.py": {
        "ServerClock.due: self._learning is not None and self.generation == 0"
        " and (not self._learning.done())"
        " -> self.generation == 0 and (not self._learning.done())": _TYPES,
        "_being_cancelled: task is not None and task.cancelling() > 0"
        " -> task.cancelling() > 0": _TYPES,
    },
    "binance_dust/_wire.py": {
        "Answer: 0.0 -> 1.0": "only tests leave it to the default",
        "_look_closer: code is not None and isinstance(envelope, dict) -> code is not None": _TYPES,
        "_excerpt: 16 -> 17": _NOBODY_CARES,
    },
}
"""By path and by what was changed: why no test can tell, or need not."""
