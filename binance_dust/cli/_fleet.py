"""The options that name a fleet, and the import of its extra."""

from __future__ import annotations

import asyncio
import importlib
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from binance_dust._util.files import read_private
from binance_dust._util.words import count, duration
from binance_dust.cli import _arguments
from binance_dust.cli._streams import print_stderr
from binance_dust.errors import ConfigurationError, NotSentError

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Awaitable, Iterable
    from types import ModuleType

    from redis.asyncio import Redis

    from binance_dust.fleet import Fleet, FleetProgress

__all__ = [
    "add_url",
    "fleet_key",
    "fleet_url",
    "import_fleet",
    "open_fleet",
    "print_sick",
    "watched_redis",
]

_VARIABLE: Final = "BINANCE_DUST_FLEET"
_KEY_VARIABLE: Final = "BINANCE_DUST_FLEET_KEY"
"""A URL may hold a password, which does not belong on a command line."""
_PATIENCE: Final = 3.0
"""Seconds for a connection and for an answer."""
_LOOK_AGAIN: Final = 5.0
"""Seconds between two looks at Redis."""


def add_url(parser: argparse.ArgumentParser, text: str) -> None:
    """Add the options that name a fleet."""
    parser.add_argument(
        "--fleet",
        type=_arguments.open_url,
        metavar="URL",
        nargs="?",
        const="",
        help=f"{text}; without URL, the one in {_VARIABLE}, which may hold a password",
    )
    parser.add_argument(
        "--fleet-name",
        metavar="NAME",
        default="binance-dust",
        help="name of the fleet, if several fleets use one Redis (binance-dust)",
    )
    parser.add_argument(
        "--fleet-key",
        metavar="FILE",
        help="a file with the key that fleet and workers share: messages that others write to Redis"
        f" are dropped then; else {_KEY_VARIABLE}",
    )


def fleet_key(options: argparse.Namespace) -> str | None:
    """Give the key that fleet and workers share, from a file or the environment."""
    if options.fleet_key:
        return read_private(Path(options.fleet_key), "the fleet's key").strip()
    return os.environ.get(_KEY_VARIABLE) or None


def fleet_url(options: argparse.Namespace) -> str:
    """Give the URL of the fleet's Redis, from the options or the environment."""
    url: str = options.fleet or os.environ.get(_VARIABLE, "")
    if not url:
        raise ConfigurationError(f"name the fleet's Redis: --fleet redis://..., or {_VARIABLE}")
    if url.startswith("memory:"):
        raise ConfigurationError("memory:// is within one process: name a redis:// URL")
    return url


def import_fleet() -> ModuleType:
    """Import `binance_dust.fleet`, which needs an extra."""
    try:
        return importlib.import_module("binance_dust.fleet")
    except ImportError as error:
        raise ConfigurationError(str(error)) from None


@asynccontextmanager
async def watched_redis(url: str, *, needed: bool) -> AsyncIterator[None]:
    """Say once that the fleet's Redis is lost, and once that it is back.

    `needed`: fail at once if it is not there in the beginning.
    """
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    parts = urlsplit(url)
    where = f"Redis at {parts.hostname}:{parts.port or 6379}" if parts.hostname else "Redis"
    client = Redis.from_url(
        url, socket_connect_timeout=_PATIENCE, socket_timeout=_PATIENCE, retry=Retry(NoBackoff(), 0)
    )
    try:
        lost = await _why_not(client)
        if lost is not None and needed:
            raise NotSentError(f"no {where} ({lost}), and the fleet's workers are met there")
        task = asyncio.create_task(_watch(client, where, lost))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    finally:
        await client.aclose()


async def _watch(client: Redis, where: str, lost: str | None) -> None:
    now = asyncio.get_running_loop().time
    since, before = now(), None
    while True:
        if before is None and lost is not None:
            since = now()
            print_stderr(f"no {where} ({lost}): it is asked again until it answers")
        elif before is not None and lost is None:
            print_stderr(f"{where} answers again, after {duration(now() - since)}")
        await asyncio.sleep(_LOOK_AGAIN)
        before, lost = lost, await _why_not(client)


async def _why_not(client: Redis) -> str | None:
    """Ask Redis, and give the reason why it does not answer."""
    from redis.exceptions import RedisError

    try:
        # redis types its answer for both kinds of clients at once.
        await cast("Awaitable[object]", client.ping())
    except (RedisError, OSError) as error:
        return type(error).__name__
    return None


@asynccontextmanager
async def open_fleet(
    options: argparse.Namespace, of_workers: Iterable[str] = ()
) -> AsyncIterator[Fleet]:
    """Open the fleet that the options name; refuse options that belong to its workers."""
    for name in of_workers:
        if getattr(options, name):
            flag = f"--{name.replace('_', '-')}"
            raise ConfigurationError(f"with --fleet, {flag} is an option of the workers")
    url, key = fleet_url(options), fleet_key(options)
    fleet: Fleet = import_fleet().Fleet(url, name=options.fleet_name, key=key)
    async with fleet, watched_redis(url, needed=True):
        yield fleet


def print_sick(progress: FleetProgress) -> None:
    """Name the workers at which accounts failed that others could do, and why."""
    for worker in progress.workers:
        if not (worker.failed or worker.aside):
            continue
        failed = f"{count(worker.failed, 'account')} failed there and not elsewhere"
        aside = "; it was put aside" if worker.aside else ""
        print_stderr(f"worker {worker.name}: {failed}{aside}: {worker.why}")
