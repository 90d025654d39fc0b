"""Every series that there is: its name, what it counts, and by what.

The table is the one source for all ways out. OpenTelemetry's names have dots; for Prometheus they
follow from these by its own rules: `binance_dust.wait.duration` in seconds becomes
`binance_dust_wait_duration_seconds`, and a counter ends in `_total`.

What a series is counted by has few values: endpoints, outcomes, addresses of this machine. An
account is never among them: thousands of accounts would be thousands of series.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

__all__ = ["SERIES", "MetricSeries", "SeriesKind"]

_NAME: Final = "binance_dust"
_WAITS: Final = (0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""From a hundredth of a second to ten minutes: a window is a minute, and a scan waits for many."""
_REQUESTS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class SeriesKind(enum.Enum):
    """How a series counts."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSeries:
    """One series, or one for each combination of its labels."""

    name: str
    kind: SeriesKind
    unit: str
    """`s` for seconds; a word in braces for what is counted."""
    text: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """Of a histogram's buckets."""

    @property
    def otel(self) -> str:
        """Its name in OpenTelemetry."""
        return f"{_NAME}.{self.name}"

    @property
    def prometheus(self) -> str:
        """Its name in Prometheus."""
        words = [_NAME, *self.name.split(".")]
        words += ["seconds"] if self.unit == "s" else []
        words += ["total"] if self.kind is SeriesKind.COUNTER else []
        return "_".join(words)


WAITS: Final = MetricSeries(
    name="wait.duration",
    kind=SeriesKind.HISTOGRAM,
    unit="s",
    text="Time that calls waited for weight",
    labels=("endpoint",),
    bounds=_WAITS,
)
REQUESTS: Final = MetricSeries(
    name="request.duration",
    kind=SeriesKind.HISTOGRAM,
    unit="s",
    text="Time from sending to the end of an answer",
    labels=("endpoint", "status"),
    bounds=_REQUESTS,
)
RETRIES: Final = MetricSeries(
    name="retries",
    kind=SeriesKind.COUNTER,
    unit="{request}",
    text="Requests that were sent again",
    labels=("endpoint",),
)
REFUSALS: Final = MetricSeries(
    name="refusals",
    kind=SeriesKind.COUNTER,
    unit="{request}",
    text="Requests refused for their weight (429)",
    labels=("endpoint",),
)
BANS: Final = MetricSeries(
    name="bans", kind=SeriesKind.COUNTER, unit="{ban}", text="Bans of the address (418 or 403)"
)
CONVERSIONS: Final = MetricSeries(
    name="conversions",
    kind=SeriesKind.COUNTER,
    unit="{call}",
    text="Calls that move funds, by how they ended; unknown means: may have moved them",
    labels=("kind", "outcome"),
)
ACCOUNTS: Final = MetricSeries(
    name="accounts",
    kind=SeriesKind.COUNTER,
    unit="{account}",
    text="Accounts that a scan or a sweep is done with, by how that ended",
    labels=("task", "outcome"),
)
CLOCK: Final = MetricSeries(
    name="clock.offset",
    kind=SeriesKind.GAUGE,
    unit="s",
    text="Seconds by which the exchange is ahead of this machine",
)
USED: Final = MetricSeries(
    name="pool.used",
    kind=SeriesKind.GAUGE,
    unit="{weight}",
    text="Weight used in the window, others' included; of accounts that of the one with most",
    labels=("address", "endpoint", "payer"),
)
LIMIT: Final = MetricSeries(
    name="pool.limit",
    kind=SeriesKind.GAUGE,
    unit="{weight}",
    text="Weight that a window takes, as it is believed now",
    labels=("address", "endpoint", "payer"),
)
WAITING: Final = MetricSeries(
    name="pool.waiting",
    kind=SeriesKind.GAUGE,
    unit="{call}",
    text="Calls that wait for weight",
    labels=("address", "endpoint", "payer"),
)
SHUT: Final = MetricSeries(
    name="address.shut",
    kind=SeriesKind.GAUGE,
    unit="s",
    text="Seconds for which a ban keeps the address shut; 0 if it is open",
    labels=("address",),
)
BUDGET_LOST: Final = MetricSeries(
    name="budget.lost",
    kind=SeriesKind.GAUGE,
    unit="{budget}",
    text="1 while the shared budget can't be reached, else 0",
)
BUDGET_LOSSES: Final = MetricSeries(
    name="budget.losses",
    kind=SeriesKind.COUNTER,
    unit="{loss}",
    text="Times that the shared budget could not be reached any more",
)
OPEN: Final = MetricSeries(
    name="entries.open",
    kind=SeriesKind.GAUGE,
    unit="{entry}",
    text="Entries of the ledger whose outcome is not known",
)
OLDEST: Final = MetricSeries(
    name="entries.oldest",
    kind=SeriesKind.GAUGE,
    unit="s",
    text="Age of the oldest entry whose outcome is not known; 0 if there is none",
)
LAST: Final = MetricSeries(
    name="sweep.last.timestamp",
    kind=SeriesKind.GAUGE,
    unit="s",
    text="When an account's turn in a sweep ended last, since the epoch; 0 before the first",
)
NEXT: Final = MetricSeries(
    name="sweep.next.timestamp",
    kind=SeriesKind.GAUGE,
    unit="s",
    text="When the next account's turn comes, since the epoch; 0 if no turn is planned",
)
WORKERS: Final = MetricSeries(
    name="workers",
    kind=SeriesKind.GAUGE,
    unit="{worker}",
    text="Workers of the fleet, as the program that asks them sees them",
    labels=("state",),
)
IN_HAND: Final = MetricSeries(
    name="worker.accounts",
    kind=SeriesKind.GAUGE,
    unit="{account}",
    text="Accounts that this worker has in hand",
)

SERIES: Final = (
    *(WAITS, REQUESTS, RETRIES, REFUSALS, BANS, CONVERSIONS, ACCOUNTS, CLOCK),
    *(USED, LIMIT, WAITING, SHUT, BUDGET_LOST, BUDGET_LOSSES),
    *(OPEN, OLDEST, LAST, NEXT, WORKERS, IN_HAND),
)
