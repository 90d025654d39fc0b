"""What clients do where no clock is needed: lost answers, exactness, what shows, what is installed.

Each client does the same with a sandbox, its own usual way. Nothing here is timed, so a busy
machine does not harm it. Instructions are counted by valgrind.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import logging
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from packaging.requirements import Requirement

from binance_dust.endpoints import ALL
from binance_dust.sandbox import Debt, Sandbox
from tests.bench import clients
from tests.bench.alone import ROOT
from tests.bench.clients import OFFICIAL, OURS
from tests.bench.results import Column, Row, Table

AMOUNT = "50300000001.44911105"
TIMES = 5
LOG = "GET /sapi/v1/asset/dribblet"
ASSETS = "POST /sapi/v3/asset/getUserAsset"
SEND = "POST /sapi/v1/asset/dust"


class Client(NamedTuple):
    """One account of a client: three calls, and the object that a program holds."""

    object: object
    log: Callable[[], Awaitable[Any]]
    """A read by GET."""
    assets: Callable[[], Awaitable[Any]]
    """A read by POST: the free amount of one asset."""
    debts: Callable[[], Awaitable[Any]]
    """The worth of one small debt, which the exchange sends as a number."""
    send: Callable[[], Awaitable[Any]]
    """Turn one asset into BNB: it moves funds."""


Open = Callable[[str, str, str], AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def ours(url: str, key: str, secret: str) -> AsyncIterator[Client]:
    """Ours."""
    from binance_dust import Credentials, DustClient

    async with DustClient(Credentials(key, secret), base_url=url) as client:

        async def assets() -> Any:
            return (await client.user_assets(asset="USDT"))[0].free

        async def debts() -> Any:
            return (await client.small_liabilities())[0].liability_qty

        yield Client(client, client.dust_log, assets, debts, lambda: client.dust_transfer(["ADA"]))


@asynccontextmanager
async def python_binance(url: str, key: str, secret: str) -> AsyncIterator[Client]:
    """python-binance, asynchronous."""
    from binance import AsyncClient

    client = AsyncClient(key, secret)
    client.MARGIN_API_URL = f"{url}/sapi"

    async def assets() -> Any:
        return (await client.get_user_asset(asset="USDT"))[0]["free"]

    async def debts() -> Any:
        return (await client.get_small_liability_exchange_assets())[0]["liabilityQty"]

    try:
        send = lambda: client.transfer_dust(asset="ADA")  # noqa: E731
        yield Client(client, client.get_dust_log, assets, debts, send)
    finally:
        await client.close_connection()


@asynccontextmanager
async def ccxt(url: str, key: str, secret: str) -> AsyncIterator[Client]:
    """The asynchronous ccxt, by its methods for single endpoints."""
    import ccxt.async_support

    client = ccxt.async_support.binance({"apiKey": key, "secret": secret})
    client.urls["api"] |= {"sapi": f"{url}/sapi/v1", "sapiV3": f"{url}/sapi/v3"}

    async def assets() -> Any:
        return (await client.sapiV3PostAssetGetUserAsset({"asset": "USDT"}))[0]["free"]

    async def debts() -> Any:
        return (await client.sapiGetMarginExchangeSmallLiability())[0]["liabilityQty"]

    try:
        send = lambda: client.sapiPostAssetDust({"asset": ["ADA"]})  # noqa: E731
        yield Client(client, client.sapiGetAssetDribblet, assets, debts, send)
    finally:
        await client.close()


@asynccontextmanager
async def official_sdk(url: str, key: str, secret: str) -> AsyncIterator[Client]:
    """The official SDK, which blocks, in threads."""
    from binance_common.configuration import ConfigurationRestAPI
    from binance_sdk_margin_trading.margin_trading import MarginTrading
    from binance_sdk_wallet.wallet import Wallet

    configuration = ConfigurationRestAPI(api_key=key, api_secret=secret, base_path=url)
    wallet: Any = Wallet(config_rest_api=configuration).rest_api
    margin: Any = MarginTrading(config_rest_api=configuration).rest_api

    def assets() -> Any:
        return wallet.user_asset(asset="USDT").data()[0].free

    def debts() -> Any:
        return margin.get_small_liability_exchange_coin_list().data()[0].liability_qty

    def threaded(call: Callable[..., Any], **named: Any) -> Callable[[], Awaitable[Any]]:
        return lambda: asyncio.to_thread(call, **named)

    try:
        log, send = threaded(wallet.dustlog), threaded(wallet.dust_transfer, asset="ADA")
        yield Client(wallet, log, threaded(assets), threaded(debts), send)
    finally:
        wallet._session.close()
        margin._session.close()


CLIENTS: dict[str, Open] = {
    OURS: ours,
    "python-binance": python_binance,
    "ccxt": ccxt,
    OFFICIAL: official_sdk,
}


class Effort(NamedTuple):
    """How often, and with whom."""

    times: int = TIMES
    who: tuple[str, ...] = tuple(CLIENTS)
    counted: bool = True
    """Whether mypy and valgrind are asked, which takes a minute."""


FULL = Effort()
TINY = Effort(1, (OURS,), counted=False)


def measure(effort: Effort = FULL) -> list[Table]:
    """Try everything with every client."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trials = (_lost(effort), _exact(effort), _shown(effort))
        tables = [asyncio.run(trial) for trial in trials]
        return [*tables, _coverage(effort), _installed(effort)]


@asynccontextmanager
async def _an_account(
    name: str, exchange: Sandbox, account: str
) -> AsyncIterator[tuple[Client, str]]:
    """Open an account and a client for it; give the secret as well."""
    credentials = exchange.open_account(
        account, debts={"ETH": Debt("0.001")}, ADA="6.21", USDT=AMOUNT
    )
    secret = credentials.secret.reveal()
    async with CLIENTS[name](exchange.url, credentials.api_key, secret) as client:
        yield client, secret


# --- lost answers --------------------------------------------------------------------------------


async def _lost(effort: Effort) -> Table:
    return Table(
        name="compare-lost",
        title=f"{effort.times} calls of each kind whose first answer is lost",
        about=(
            "The sandbox executes each call and closes the connection without an answer. `a "
            "conversion is sent` says how often it reached the exchange, on average, and `the "
            "error` what the program is told then."
        ),
        columns=(
            Column("reads by GET answered", 0, "more", effort.times),
            Column("reads by POST answered", 0, "more", effort.times),
            Column("a conversion is sent", 1, "less", 1.0),
            Column("the error"),
        ),
        rows=tuple([Row(name, await _lost_by(name, effort.times)) for name in effort.who]),
        plot=None,
    )


async def _lost_by(name: str, times: int) -> tuple[float | str, ...]:
    logging.disable(logging.WARNING)
    try:
        async with Sandbox(seed=7) as exchange:
            # One after the other: each has a session of its own.
            found = [await _lose(name, exchange, f"account-{number}") for number in range(times)]
            sent = len(exchange.requests_of(SEND)) / times
    finally:
        logging.disable(logging.NOTSET)
    got, posted, told = zip(*found, strict=True)
    return float(sum(got)), float(sum(posted)), sent, f"`{told[0]}`"


async def _lose(name: str, exchange: Sandbox, account: str) -> tuple[bool, bool, str]:
    async with _an_account(name, exchange, account) as (client, _):
        for endpoint in (LOG, ASSETS, SEND):
            exchange.faults.lose_answer(endpoint=endpoint, account=account)
        errors = [await _error_of(call) for call in (client.log, client.assets, client.send)]
    got, posted, told = errors
    return got is None, posted is None, type(told).__name__


async def _error_of(call: Callable[[], Awaitable[Any]]) -> Exception | None:
    try:
        await call()
    except Exception as error:  # noqa: BLE001 - whatever a client raises is what it tells
        return error
    return None


# --- exactness -----------------------------------------------------------------------------------


async def _exact(effort: Effort) -> Table:
    return Table(
        name="compare-exact",
        title=f"What becomes of {AMOUNT}",
        about=(
            "The exchange sends most amounts as text, and some as numbers: here the balance of an "
            "asset, and the worth of a small debt."
        ),
        columns=(
            Column("sent as text"),
            Column("exact"),
            Column("sent as a number"),
            Column("is exact"),
        ),
        rows=tuple([Row(name, await _read_by(name)) for name in effort.who]),
        plot=None,
    )


async def _read_by(name: str) -> tuple[str, ...]:
    async with Sandbox(seed=7) as exchange, _an_account(name, exchange, "alice") as (client, _):
        exchange.faults.put({"liabilityQty": msgspec.Raw(AMOUNT.encode())}, times=None)
        found = [await client.assets(), await client.debts()]
    return tuple(
        text
        for value in found
        for text in (f"`{type(value).__name__}`", "yes" if str(value) == AMOUNT else "**no**")
    )


# --- what shows ----------------------------------------------------------------------------------


async def _shown(effort: Effort) -> Table:
    return Table(
        name="compare-shown",
        title="Where the secret or a signature shows",
        about=(
            "No answer of a read and of a conversion arrives. Looked at are the client's `repr`, "
            "the errors with their tracebacks, the same with local variables (as error reporters "
            "show them), the log at DEBUG, and a pickle of the client. `refused`: it can't be "
            "pickled."
        ),
        columns=tuple(
            Column(title) for title in ("repr", "error", "with variables", "log", "pickle")
        ),
        rows=tuple([Row(name, await _seen_in(name)) for name in effort.who]),
        plot=None,
    )


async def _seen_in(name: str) -> tuple[str, ...]:
    errors, frames = "", ""
    async with (
        Sandbox(seed=7) as exchange,
        _an_account(name, exchange, "alice") as (client, secret),
    ):
        exchange.faults.lose_answer(times=None)
        with _logged() as log:
            for call in (client.log, client.send):
                error = await _error_of(call)
                assert error is not None
                errors += "".join(traceback.format_exception(error))
                frames += "".join(_variables(error))
        places = [repr(client.object), errors, frames, log.getvalue(), _pickled(client.object)]
    return tuple("refused" if text is None else _worst(text, secret) for text in places)


def _worst(text: str, secret: str) -> str:
    if secret in text:
        return "**secret**"
    found = re.search(r"signature(=|%3D|': ?')[0-9a-f]{64}", text)
    return "nothing" if found is None else "**signature**"


@contextmanager
def _logged() -> Iterator[io.StringIO]:
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _variables(error: BaseException) -> Iterator[str]:
    """Show the local variables of all frames but those of this file."""
    shown: traceback.TracebackException | None
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    while shown is not None:
        yield from (f"{frame.locals}" for frame in shown.stack if frame.filename != __file__)
        shown = shown.__cause__ or shown.__context__


def _pickled(thing: object) -> str | None:
    try:
        return pickle.dumps(thing).decode("latin-1")
    except Exception:  # noqa: BLE001 - each library says no in its own way
        return None


# --- which calls there are -----------------------------------------------------------------------


Calls = set[tuple[str, str]]


def _coverage(effort: Effort) -> Table:
    wanted = {(row.method, row.path) for row in ALL.values()}
    dust = {key for key in wanted if re.search("dust|dribblet|small-liability", key[1])}
    found = {name: OFFERED[name]() for name in effort.who}
    return Table(
        name="compare-calls",
        title="Calls that have a method",
        about=(
            "Read from the tables and methods of the installed packages: REST calls of `/sapi` "
            "and `/api/v3`. More of the official SDK comes in further packages."
        ),
        columns=(
            Column(f"of {len(dust)} about dust", 0, "more", len(dust)),
            Column(f"of {len(wanted)} of ours", 0, "more", len(wanted)),
            Column("in all", 0, None),
            Column("exchanges", 0, None),
        ),
        rows=tuple(
            Row(
                name,
                (*(float(len(each & calls)) for each in (dust, wanted, calls)), _exchanges(name)),
            )
            for name, calls in found.items()
        ),
        plot=None,
    )


def _exchanges(name: str) -> float:
    if name != "ccxt":
        return 1.0
    import ccxt.async_support

    return float(len(ccxt.async_support.exchanges))


def _of_python_binance() -> Calls:
    import binance.async_client

    text = inspect.getsource(binance.async_client)
    found = set()
    pattern = r'_request_(margin_)?api\(\s*"(\w+)",\s*"([^"]+)"([^)]*)\)'
    for margin, method, path, more in re.findall(pattern, text):
        version = re.search(r"version=(\d)", more)
        base = f"/sapi/v{version[1] if version else 1}" if margin else "/api/v3"
        found.add((method.upper(), f"{base}/{path}"))
    for method, path in re.findall(r'self\._(get|post|put|delete)\(\s*"([^"]+)"', text):
        found.add((method.upper(), f"/api/v3/{path}"))
    return found


def _of_ccxt() -> Calls:
    import ccxt.async_support

    tree = ccxt.async_support.binance().describe()["api"]
    bases = {"sapi": "/sapi/v1", "sapiV2": "/sapi/v2", "sapiV3": "/sapi/v3", "sapiV4": "/sapi/v4"}
    bases |= {"public": "/api/v3", "private": "/api/v3"}
    return {
        (method.upper(), f"{base}/{path}")
        for name, base in bases.items()
        for method, paths in tree[name].items()
        for path in paths
    }


def _of_the_official_sdk() -> Calls:
    files = [
        Path(str(file.locate()))
        for name in PACKAGES[OFFICIAL]
        for file in metadata.files(name) or ()
        if file.name.endswith("_api.py")
    ]
    pattern = r'method="(\w+)",\s*path="([^"]+)"'
    return {call for file in files for call in re.findall(pattern, file.read_text("utf-8"))}


OFFERED: dict[str, Callable[[], Calls]] = {
    OURS: lambda: {(row.method, row.path) for row in ALL.values()},
    "python-binance": _of_python_binance,
    "ccxt": _of_ccxt,
    OFFICIAL: _of_the_official_sdk,
}


# --- what is installed ---------------------------------------------------------------------------


PACKAGES: dict[str, tuple[str, ...]] = {
    OURS: ("binance-dust",),
    "python-binance": ("python-binance",),
    "ccxt": ("ccxt",),
    OFFICIAL: (
        "binance-sdk-wallet",
        "binance-sdk-margin-trading",
        "binance-sdk-convert",
        "binance-sdk-spot",
    ),
}
TYPED = {
    OURS: """
from binance_dust import DustClient
async def use(client: DustClient) -> None:
    reveal_type((await client.dust_transfer(["ADA"])).total_transferred)
""",
    "python-binance": """
from binance import AsyncClient
async def use(client: AsyncClient) -> None:
    reveal_type((await client.transfer_dust(asset="ADA"))["totalTransfered"])
""",
    "ccxt": """
import ccxt.async_support as ccxt
async def use(client: ccxt.binance) -> None:
    reveal_type((await client.sapiPostAssetDust({"asset": ["ADA"]}))["totalTransfered"])
""",
    OFFICIAL: """
from binance_sdk_wallet.wallet import Wallet
def use(client: Wallet) -> None:
    reveal_type(client.rest_api.dust_transfer(asset="ADA").data().total_transfered)
""",
}


def _installed(effort: Effort) -> Table:
    return Table(
        name="compare-installed",
        title="What comes with an installation",
        about=(
            "The packages that an installation without extras brings, and the size of their files "
            "without compiled ones, as this environment has them. Instructions of the import are "
            "those above an empty interpreter's, counted by valgrind. The type is what `mypy "
            "--strict` sees in the sum of a conversion, and the errors are those of a user's four "
            "lines. Of the official SDK, the four packages that our calls need: wallet, "
            "margin-trading, convert, spot."
        ),
        columns=(
            Column("version"),
            Column("packages"),
            Column("MiB", 1),
            Column("import, million instructions"),
            Column("type of an amount"),
            Column("errors", 0, "less", 0.0),
        ),
        rows=tuple(
            Row(name, (*_packages(name), *(_counted(name) if effort.counted else (None,) * 3)))
            for name in effort.who
        ),
        plot=None,
    )


def _packages(name: str) -> tuple[str | float, ...]:
    every = _closure(PACKAGES[name])
    size = sum(map(_size, every)) / 2**20
    versions = ", ".join(metadata.version(package) for package in PACKAGES[name])
    return versions, float(len(every)), size


def _closure(names: tuple[str, ...]) -> set[str]:
    """Give the packages that come with these, and themselves."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name not in found:
            found.add(name)
            needs = map(Requirement, metadata.requires(name) or ())
            waiting += [
                need.name
                for need in needs
                if need.marker is None or need.marker.evaluate({"extra": ""})
            ]
    return found


def _size(name: str) -> int:
    if name == "binance-dust":  # the checkout, if it is installed as such
        files = [path for path in Path(ROOT, "binance_dust").rglob("*") if path.is_file()]
    else:
        files = [Path(str(file.locate())) for file in metadata.files(name) or ()]
    return sum(path.stat().st_size for path in files if path.suffix != ".pyc" and path.exists())


def _counted(name: str) -> tuple[float | str | None, ...]:
    counter = shutil.which("valgrind")
    imported = None
    if counter is not None:
        # Ours imports aiohttp when a session is made: nobody does without.
        code = f"import aiohttp; {clients.IMPORTS[name]}" if name == OURS else clients.IMPORTS[name]
        imported = (_instructions(code) - _instructions("")) / 1e6
    return imported, *_type_of_an_amount(TYPED[name])


def _instructions(code: str) -> int:
    counter = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    # The first run compiles modules, and does not count.
    env = os.environ | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env=env, cwd=ROOT)  # noqa: S603
    done = subprocess.run(  # noqa: S603
        [*counter, sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=env,
        cwd=ROOT,
    )
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    assert found is not None, done.stderr
    return int(found[1].replace(",", ""))


def _type_of_an_amount(code: str) -> tuple[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "program.py")
        program.write_text(code, encoding="utf-8")
        command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--output=json"]
        done = subprocess.run(  # noqa: S603
            [*command, "--config-file=", str(program)],
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
            env=os.environ | {"MYPYPATH": str(ROOT)},
        )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    (told,) = (line["message"] for line in found if "Revealed type" in line["message"])
    errors = [line for line in found if line["severity"] == "error"]
    text = re.sub(r"\b(builtins|_?decimal)\.", "", told.split('"')[1])
    return f"`{text}`".replace("|", "or"), float(len(errors))
