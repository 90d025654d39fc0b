"""Events as OpenTelemetry metrics, with the extra `otel`.

    Session(observer=Telemetry())

All instruments are named `binance_dust.*`. Histograms: durations of waits and requests. Counters:
retries, refusals and bans. Gauge: the exchange's clock. An attribute is an endpoint or a status,
never an account: thousands of accounts would be thousands of series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust._version import __version__
from binance_dust.errors import ConfigurationError
from binance_dust.events import Answered, Banned, ClockLearnt, Event, Refused, Retried, Waited

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

__all__ = ["Telemetry"]

_NAME: Final = "binance_dust"


class Telemetry:
    """An observer that records events as metrics.

    Without a `provider` OpenTelemetry's global one is used.
    """

    def __init__(self, provider: MeterProvider | None = None) -> None:
        """Create the instruments."""
        try:
            from opentelemetry import metrics
        except ImportError:
            message = "telemetry needs the extra 'otel': pip install 'binance-dust[otel]'"
            raise ConfigurationError(message) from None
        meter = metrics.get_meter(_NAME, __version__, provider)
        self._waits = meter.create_histogram(
            f"{_NAME}.wait.duration", "s", "Time that calls waited for weight"
        )
        self._requests = meter.create_histogram(
            f"{_NAME}.request.duration", "s", "Time from sending to the end of an answer"
        )
        self._retries = meter.create_counter(
            f"{_NAME}.retries", "{request}", "Requests that were sent again"
        )
        self._refusals = meter.create_counter(
            f"{_NAME}.refusals", "{request}", "Requests refused for their weight (429)"
        )
        self._bans = meter.create_counter(f"{_NAME}.bans", "{ban}", "Bans of the address (418)")
        self._offset = meter.create_gauge(
            f"{_NAME}.clock.offset", "s", "Seconds by which the exchange is ahead of this machine"
        )

    def __call__(self, event: Event, /) -> None:
        """Record an event, if there is an instrument for it."""
        match event:
            case Waited(pool=pool, seconds=seconds):
                self._waits.record(seconds, {"endpoint": pool})
            case Answered(endpoint=endpoint, status=status, seconds=seconds):
                self._requests.record(seconds, {"endpoint": endpoint, "status": status})
            case Retried(endpoint=endpoint):
                self._retries.add(1, {"endpoint": endpoint})
            case Refused(pool=pool):
                self._refusals.add(1, {"endpoint": pool})
            case Banned():
                self._bans.add(1)
            case ClockLearnt(offset=offset):
                self._offset.set(offset)
            case _:
                pass
