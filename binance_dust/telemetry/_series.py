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
from functools import partial
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


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """One series, or one for each combination of its labels."""

    kind: SeriesKind
    name: str
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


_counter = partial(MetricSeries, SeriesKind.COUNTER)
_gauge = partial(MetricSeries, SeriesKind.GAUGE)
_histogram = partial(MetricSeries, SeriesKind.HISTOGRAM)

WAITS: Final = _histogram(
    "wait.duration", "s", "Time that calls waited for weight", ("endpoint",), _WAITS
)
REQUESTS: Final = _histogram(
    "request.duration",
    "s",
    "Time from sending to the end of an answer",
    ("endpoint", "status"),
    _REQUESTS,
)
RETRIES: Final = _counter("retries", "{request}", "Requests that were sent again", ("endpoint",))
REFUSALS: Final = _counter(
    "refusals", "{request}", "Requests refused for their weight (429)", ("endpoint",)
)
BANS: Final = _counter("bans", "{ban}", "Bans of the address (418 or 403)")
CONVERSIONS: Final = _counter(
    "conversions",
    "{call}",
    "Calls that move funds, by how they ended; unknown means: may have moved them",
    ("kind", "outcome"),
)
ACCOUNTS: Final = _counter(
    "accounts",
    "{account}",
    "Accounts that a scan or a sweep is done with, by how that ended",
    ("task", "outcome"),
)
CLOCK: Final = _gauge("clock.offset", "s", "Seconds by which the exchange is ahead of this machine")
USED: Final = _gauge(
    "pool.used",
    "{weight}",
    "Weight used in the window, others' included; of accounts that of the one with most",
    ("address", "endpoint", "payer"),
)
LIMIT: Final = _gauge(
    "pool.limit",
    "{weight}",
    "Weight that a window takes, as it is believed now",
    ("address", "endpoint", "payer"),
)
WAITING: Final = _gauge(
    "pool.waiting", "{call}", "Calls that wait for weight", ("address", "endpoint", "payer")
)
SHUT: Final = _gauge(
    "address.shut",
    "s",
    "Seconds for which a ban keeps the address shut; 0 if it is open",
    ("address",),
)
BUDGET_LOST: Final = _gauge(
    "budget.lost", "{budget}", "1 while the shared budget can't be reached, else 0"
)
BUDGET_LOSSES: Final = _counter(
    "budget.losses", "{loss}", "Times that the shared budget could not be reached any more"
)
OPEN: Final = _gauge("entries.open", "{entry}", "Entries of the ledger whose outcome is not known")
OLDEST: Final = _gauge(
    "entries.oldest", "s", "Age of the oldest entry whose outcome is not known; 0 if there is none"
)
LAST: Final = _gauge(
    "sweep.last.timestamp",
    "s",
    "When an account's turn in a sweep ended last, since the epoch; 0 before the first",
)
NEXT: Final = _gauge(
    "sweep.next.timestamp",
    "s",
    "When the next account's turn comes, since the epoch; 0 if no turn is planned",
)
WORKERS: Final = _gauge(
    "workers",
    "{worker}",
    "Workers of the fleet, as the program that asks them sees them",
    ("state",),
)
IN_HAND: Final = _gauge("worker.accounts", "{account}", "Accounts that this worker has in hand")

SERIES: Final = (
    *(WAITS, REQUESTS, RETRIES, REFUSALS, BANS, CONVERSIONS, ACCOUNTS, CLOCK),
    *(USED, LIMIT, WAITING, SHUT, BUDGET_LOST, BUDGET_LOSSES),
    *(OPEN, OLDEST, LAST, NEXT, WORKERS, IN_HAND),
)
