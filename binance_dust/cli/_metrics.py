"""`--metrics`: a command answers Prometheus while it runs, and says at `/health` that it runs.

`/health` says that the process is there and its loop turns. It says nothing about the exchange: a
program should not be restarted because its address is banned.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from binance_dust._version import __version__
from binance_dust.cli import _arguments
from binance_dust.cli._streams import MessageLevel, print_stderr
from binance_dust.errors import ConfigurationError, DustError
from binance_dust.events import logger

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from aiohttp import web

    from binance_dust.events import Event
    from binance_dust.reports import AccountReport
    from binance_dust.sweeper import SweepReport

__all__ = ["CommandMetrics", "add_arguments"]

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option that opens a port for metrics."""
    parser.add_argument(
        "--metrics",
        type=_arguments.listen_at,
        metavar="[HOST:]PORT",
        help="answer Prometheus at /metrics, and /health, while this runs; without HOST only on"
        " this machine",
    )


class CommandMetrics:
    """The metrics of one command; without `--metrics` it does nothing."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Create the series, if they are asked for; nothing is opened."""
        self._where: tuple[str, int] | None = options.metrics
        self._command: str = options.command
        self._began = time.monotonic()
        if self._where is None:
            return
        try:
            import prometheus_client
        except ImportError:
            message = "--metrics needs the extra 'metrics': pip install 'binance-dust[metrics]'"
            raise ConfigurationError(message) from None
        from binance_dust.telemetry import Telemetry

        # When a series began says nothing here, and would double the lines.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = prometheus_client.CollectorRegistry()
        self._telemetry = Telemetry(registry=self._registry)

    def __call__(self, event: Event, /) -> None:
        """Record an event of a session."""
        if self._where is not None:
            self._telemetry(event)

    def count(self, report: AccountReport | SweepReport) -> None:
        """Count an account that is done."""
        if self._where is not None:
            self._telemetry.count(report)

    @asynccontextmanager
    async def serve(self, **watched: Any) -> AsyncIterator[None]:
        """Answer until the end; `watched` are the arguments of `Telemetry.watch`."""
        if self._where is None:
            yield
            return
        from aiohttp import web

        self._telemetry.watch(**watched)
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/health", self._health)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            host, port = self._where
            try:
                await web.TCPSite(runner, host, port).start()
            except OSError as error:
                raise ConfigurationError(f"--metrics {host}:{port}: {error.strerror}") from None
            for address, number, *_ in runner.addresses:
                shown = f"[{address}]" if ":" in address else address
                print_stderr(f"metrics at http://{shown}:{number}/metrics", MessageLevel.INFO)
            yield
        finally:
            await runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        from aiohttp import web
        from prometheus_client import generate_latest

        try:
            await self._telemetry.refresh()
        except DustError as error:
            # What is known is told all the same: the ledger may be what has failed.
            logger.warning("not all metrics could be read: %s", error)
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": _TEXT})

    async def _health(self, _: web.Request) -> web.Response:
        from aiohttp import web

        return web.json_response(
            {
                "status": "ok",
                "command": self._command,
                "version": __version__,
                "seconds": round(time.monotonic() - self._began, 1),
            }
        )
