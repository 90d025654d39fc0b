"""What an installed package has to do, with nothing beside it but what it declares.

    python -I tests/release/tour.py core

Run by an interpreter that knows nothing of this checkout: `core` in an environment that has the
package without extras, the others by their names when that extra was installed.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import binance_dust

ROOT = Path(__file__).resolve().parents[2]
BROUGHT = {
    "cli": ("rich",),
    "fleet": ("taskiq", "taskiq_redis"),
    "keys": ("cryptography",),
    "mcp": ("mcp",),
    "metrics": ("prometheus_client",),
    "otel": ("opentelemetry",),
    "redis": ("redis",),
}
"""What each extra brings, and the core is without."""


def core() -> None:
    """Open a session, read from the sandbox, write a page; say what is missing where it is."""
    from binance_dust import ConfigurationError, Session, scan
    from binance_dust.budget import RedisBudget
    from binance_dust.reports import write_page
    from binance_dust.sandbox import Sandbox
    from binance_dust.telemetry import Telemetry

    async def look() -> Path:
        async with Sandbox(seed=7) as exchange, Session(base_url=exchange.url) as session:
            clients = [session.client(each) for each in exchange.open_accounts(3)]
            return write_page("report.html", [report async for report in scan(clients)])

    for names in BROUGHT.values():
        for name in names:
            must(find_spec(name) is None, f"{name} is here, and nobody asked for it")
    must(repr(Session()).startswith("<Session"), "a session shows itself")
    asyncio.run(look())
    must("</html>" in Path("report.html").read_text(encoding="utf-8"), "the page is whole")
    for extra, use in (("redis", lambda: RedisBudget("redis://127.0.0.1")), ("otel", Telemetry)):
        try:
            use()
        except ConfigurationError as error:
            must(f"binance-dust[{extra}]" in str(error), "the extra is named")
        else:
            must(False, f"{extra} is missed")
    said = subprocess.run(
        [sys.executable, "-m", "binance_dust", "demo"], capture_output=True, text=True, check=False
    )
    must("binance-dust[cli]" in said.stderr, f"the extra is named: {said.stderr}")


def cli() -> None:
    """Run the demo."""
    subprocess.run([sys.executable, "-m", "binance_dust", "demo"], check=True)


def keys() -> None:
    """Sign with a private key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from binance_dust import Credentials, Session
    from binance_dust.sandbox import Sandbox

    async def ask() -> int:
        async with Sandbox() as exchange, Session(base_url=exchange.url) as session:
            alice = exchange.open_account("alice", key="ed25519", ADA="6.21")
            return len(await session.client(alice).user_assets())

    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    must("PRIVATE" not in repr(Credentials("made-up", pem.decode())), "no key shows")
    must(asyncio.run(ask()) == 1, "a call that was signed by a private key is answered")


def mcp() -> None:
    """Ask a server of its own which tools it has."""
    from mcp import Client, StdioServerParameters

    async def ask() -> list[str]:
        command = [sys.executable, "-m", "binance_dust", "mcp", "--sandbox"]
        started = StdioServerParameters(command=command[0], args=command[1:])
        async with Client(started) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    must(asyncio.run(ask()) == ["scan", "quote", "books", "doctor"], "an agent may ask")


def metrics() -> None:
    """Make the series, and see that they are there before anything happens."""
    from prometheus_client import CollectorRegistry, generate_latest

    from binance_dust.telemetry import Telemetry

    registry = CollectorRegistry()
    Telemetry(registry=registry)
    must(b"binance_dust_bans_total 0.0" in generate_latest(registry), "series exist at 0")


def otel() -> None:
    """Make the instruments."""
    from binance_dust.telemetry import Telemetry

    Telemetry()


def redis() -> None:
    """Make a shared budget, with the script that it brings."""
    from binance_dust.budget import RedisBudget
    from binance_dust.budget._redis._script import layout, script

    must("redis.call" in script(), "the script is here")
    must(bool(layout()), "the rules can be told from others")
    RedisBudget("redis://127.0.0.1")


def fleet() -> None:
    """Scan by a fleet."""
    from binance_dust import Session
    from binance_dust.fleet import Fleet, Worker
    from binance_dust.sandbox import Sandbox

    async def ask() -> int:
        async with Sandbox(seed=7) as exchange, Session(base_url=exchange.url) as session:
            clients = [session.client(each) for each in exchange.open_accounts(3)]
            async with Worker(clients), Fleet() as fleet:
                return len([each async for each in fleet.scan([c.name for c in clients])])

    must(asyncio.run(ask()) == 3, "three accounts are answered")


def must(holds: bool, what: str) -> None:
    """End if something does not hold, also where assertions are switched off."""
    if not holds:
        sys.exit(f"it does not hold that {what}")


if __name__ == "__main__":
    must(ROOT not in Path(binance_dust.__file__).parents, "the installed package is looked at")
    {each.__name__: each for each in (core, cli, keys, mcp, metrics, otel, redis, fleet)}[
        sys.argv[1]
    ]()
