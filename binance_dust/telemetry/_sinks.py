"""The ways out: OpenTelemetry's meters, and a registry of the Prometheus client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust._version import __version__
from binance_dust.errors import ConfigurationError
from binance_dust.telemetry._series import SERIES, MetricSeries, SeriesKind

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from prometheus_client import CollectorRegistry

__all__ = ["OtelSink", "PrometheusSink"]


class OtelSink:
    """Instruments of OpenTelemetry; its reader forgets nothing, so a gauge that ends becomes 0."""

    def __init__(self, provider: MeterProvider | None) -> None:
        """Create the instruments; without a provider, with OpenTelemetry's global one."""
        try:
            from opentelemetry import metrics
        except ImportError:
            message = "telemetry needs the extra 'otel': pip install 'binance-dust[otel]'"
            raise ConfigurationError(message) from None
        meter = metrics.get_meter("binance_dust", __version__, provider)
        self._set: dict[MetricSeries, set[tuple[str, ...]]] = {}
        self._instruments: Final[dict[MetricSeries, Any]] = {}
        for series in SERIES:
            names = (series.otel, series.unit, series.text)
            match series.kind:
                case SeriesKind.COUNTER:
                    made: Any = meter.create_counter(*names)
                case SeriesKind.GAUGE:
                    made = meter.create_gauge(*names)
                case SeriesKind.HISTOGRAM:
                    bounds = list(series.bounds)
                    made = meter.create_histogram(
                        *names, explicit_bucket_boundaries_advisory=bounds
                    )
            self._instruments[series] = made

    def record(self, series: MetricSeries, value: float, *labels: str) -> None:
        """Add to a counter, set a gauge, or put a value into a histogram.

        `labels` are the values of the series' labels, in their order.
        """
        instrument = self._instruments[series]
        attributes = dict(zip(series.labels, labels, strict=True))
        match series.kind:
            case SeriesKind.COUNTER:
                instrument.add(value, attributes)
            case SeriesKind.GAUGE:
                self._set.setdefault(series, set()).add(labels)
                instrument.set(value, attributes)
            case SeriesKind.HISTOGRAM:
                instrument.record(value, attributes)

    def clear(self, series: MetricSeries) -> None:
        """Set what was set to 0."""
        for labels in self._set.get(series, ()):
            self._instruments[series].set(0, dict(zip(series.labels, labels, strict=True)))


class PrometheusSink:
    """Metrics in a registry of the Prometheus client."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Create the metrics; a registry takes them once."""
        import prometheus_client as client

        self._metrics: Final[dict[MetricSeries, Any]] = {}
        for series in SERIES:
            # The client itself adds `_total` to the name of a counter.
            options: dict[str, Any] = {"labelnames": series.labels, "registry": registry}
            names = (series.prometheus, series.text)
            match series.kind:
                case SeriesKind.COUNTER:
                    made: Any = client.Counter(*names, **options)
                case SeriesKind.GAUGE:
                    made = client.Gauge(*names, **options)
                case SeriesKind.HISTOGRAM:
                    made = client.Histogram(*names, buckets=series.bounds, **options)
            self._metrics[series] = made

    def record(self, series: MetricSeries, value: float, *labels: str) -> None:
        """Record a value."""
        metric = self._metrics[series]
        if labels:
            metric = metric.labels(*labels)
        match series.kind:
            case SeriesKind.COUNTER:
                metric.inc(value)
            case SeriesKind.GAUGE:
                metric.set(value)
            case SeriesKind.HISTOGRAM:
                metric.observe(value)

    def clear(self, series: MetricSeries) -> None:
        """Forget all values."""
        self._metrics[series].clear()
