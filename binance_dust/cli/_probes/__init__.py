"""Doubts about the exchange that an owner of a key can settle by reading, each asked for by name.

None of them writes, and none runs unless it is named. What only a conversion could show (how
several assets are written, what a client id is good for, how long a cooldown is exactly) stays a
doubt: see the how-to on checking an account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.cli._probes import _encoding, _log, _quotes, _weight
from binance_dust.cli._probes._probe import Probe, Prober, Verdict, no_verdict
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PROBES", "Probe", "Prober", "Verdict", "choose", "no_verdict"]

PROBES: Final[dict[str, Probe]] = {
    probe.name: probe for module in (_weight, _log, _quotes, _encoding) for probe in module.PROBES
}


def choose(names: Sequence[str]) -> list[Probe]:
    """Find probes by name; `all` are all of them."""
    strange = [name for name in names if name != "all" and name not in PROBES]
    if strange:
        raise ConfigurationError(
            f"no probe {', '.join(map(repr, strange))}; --probe list shows them"
        )
    return [probe for name, probe in PROBES.items() if "all" in names or name in names]
