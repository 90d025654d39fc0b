"""The exchange of the hour: a sandbox that outlives kills, and becomes other worlds when told.

`python -m tests.proof.whole.exchange FOLDER --port N` serves it on N, with faults at
`/sandbox/faults`, and takes worlds on N + 1. Trades leave new dust and new debts all the time. Its
books are in `FOLDER/exchange.jsonl`, its requests in `FOLDER/requests.jsonl`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from binance_dust.sandbox import Conversion, Debt, DebtExchange, Rules, Sandbox, write_accounts
from binance_dust.sandbox._account import Account, ConversionRow
from binance_dust.sandbox._endpoints import BY_NAME
from binance_dust.sandbox._exchange import Exchange, Handling
from binance_dust.sandbox._requests import Seen
from binance_dust.sandbox._weight import PoolMeter, _pool_name
from tests.proof.whole.journal import Journal, mend, read

BOOKS: Final = "exchange.jsonl"
REQUESTS: Final = "requests.jsonl"
KEYS: Final = "keys.toml"
_QUOTA: Final = "USDT"


def become(core: Exchange, rules: Rules) -> None:
    """Be another world from now on. What was spent in the present windows stays spent."""
    now, limits = core.clock.now(), core.limits
    core.rules = limits._rules = core.market._rules = rules
    for (pool, payer), old in list(limits._meters.items()):
        others = sum(
            weight for name, weight in rules.others.items() if _pool_name(BY_NAME[name]) == pool
        )
        fresh = limits._meters[pool, payer] = PoolMeter(old._kind, rules, others=others)
        fresh.window.add(old.window.used(now), now)
        fresh.refused_in_a_row = old.refused_in_a_row
        fresh._others_until = now.true


class RequestLines:
    """In place of the sandbox's record of requests: lines on disk, and nothing in memory."""

    def __init__(self, lines: Journal, core: Exchange) -> None:
        """Write to these lines."""
        self._lines = lines
        self._core = core
        self._bans = 0

    def note(self, seen: Seen) -> None:
        """Write a request down, and the ban that it led to."""
        at = round(time.time(), 3)
        if self._core.limits.bans > self._bans:
            self._bans = self._core.limits.bans
            self._lines.write(what="ban", at=at, address=seen.address, path=seen.path)
        self._lines.write(
            what="request",
            at=at,
            call=f"{seen.method} {seen.path}",
            status=seen.status if seen.answered else 0,
            code=seen.code,
            account=seen.account,
            address=seen.address,
        )


class LastingExchange:
    """A sandbox, its journal, and what happens to its accounts."""

    def __init__(self, folder: Path, exchange: Sandbox, options: argparse.Namespace) -> None:
        """Take up what is in the folder's journal, or begin one."""
        self.core: Exchange = exchange._core
        self._exchange = exchange
        self._base = exchange.rules
        self._dice = random.Random(f"{options.seed}/{time.time()}")  # noqa: S311 - not guarded
        self._pace = options.pace
        mend(folder / BOOKS)
        mend(folder / REQUESTS)
        before = list(read(folder / BOOKS))
        self.books = Journal(folder / BOOKS)
        self.requests = Journal(folder / REQUESTS)
        keys = exchange.open_accounts(options.accounts)
        if before:
            self._take_up(before)
        else:
            write_accounts(folder / KEYS, keys)
            self._note_all()
        self.books.write(what="opened", at=time.time(), first=self.core.market._opened)
        self.core.requests = RequestLines(self.requests, self.core)  # type: ignore[assignment]
        self._watch_writes()

    # --- books that outlive the process ----------------------------------------------------------

    def _note_all(self) -> None:
        """Write down what the accounts are opened with."""
        for account in self.core.accounts:
            for asset, held in account.spot:
                self.books.write(
                    what="holds", account=account.name, asset=asset, amount=str(held.free)
                )
            for asset, debt in (account.margin.debts if account.margin else {}).items():
                self.books.write(
                    what="owes", account=account.name, asset=asset, amount=str(debt.total)
                )

    def _take_up(self, before: list[dict[str, Any]]) -> None:
        """Do again what an exchange before this one did; same seed, same accounts, same prices."""
        self.core.market._opened = next(
            line["first"] for line in before if line["what"] == "opened"
        )
        for line in before:
            if line["what"] not in ("deposit", "owes", "conversion", "debts"):
                continue
            account = self.core.accounts[line["account"]]
            match line["what"]:
                case "deposit":
                    account.deposit(line["asset"], line["amount"])
                case "owes" if line.get("later"):
                    _owe_more(account, line["asset"], Decimal(line["amount"]))
                case "conversion":
                    _convert_again(account, line)
                case "debts":
                    _exchange_again(account, line)

    def _watch_writes(self) -> None:
        """Have each call that moves funds on disk before it is answered."""
        execute = self.core.execute

        def execute_and_write(handling: Handling) -> None:
            account = handling.sender
            if account is None:
                return execute(handling)
            converted, exchanged = len(account.conversions), len(account.debt_exchanges)
            execute(handling)
            for done in account.conversions[converted:]:
                self.books.write(
                    what="conversion",
                    account=account.name,
                    transaction_id=done.transaction_id,
                    client_id=done.client_id,
                    endpoint=done.endpoint,
                    wallet=done.wallet,
                    target=done.target,
                    rows=[[r.asset, str(r.amount), str(r.gross), str(r.fee)] for r in done.rows],
                    row_ms=[r.at_ms for r in done.rows],
                    at_ms=done.at_ms,
                    done_at=done.done_at,
                )
            if debts := account.debt_exchanges[exchanged:]:
                self.books.write(
                    what="debts",
                    account=account.name,
                    target=debts[0].target,
                    rows=[[d.asset, str(d.amount), str(d.target_amount), "0"] for d in debts],
                    at_ms=debts[0].at_ms,
                    done_at=account.debts_exchanged_at,
                )
            return None

        self.core.execute = execute_and_write  # type: ignore[method-assign]

    # --- life ------------------------------------------------------------------------------------

    async def trade(self) -> None:
        """Leave dust and small debts on accounts, as trades do."""
        market, dice = self.core.market, self._dice
        dust = [a for a in market if a.convertible and a.symbol not in ("BNB", "BTC", _QUOTA)]
        owed = [a for a in market if a.marginable and a.symbol not in ("BTC", _QUOTA)]
        while True:
            await asyncio.sleep(self._pace)
            account = dice.choice(list(self.core.accounts))
            asset = dice.choice(dust)
            amount = (Decimal(f"{dice.uniform(0.05, 2.0):.4f}") / asset.price).quantize(
                Decimal("1e-8")
            )
            self.books.write(
                what="deposit", account=account.name, asset=asset.symbol, amount=str(amount)
            )
            account.deposit(asset.symbol, amount)
            if account.margin is not None and dice.random() < 0.2:
                asset = dice.choice(owed)
                amount = (Decimal(f"{dice.uniform(0.2, 5.0):.4f}") / asset.price).quantize(
                    Decimal("1e-8")
                )
                self.books.write(
                    what="owes",
                    later=True,
                    account=account.name,
                    asset=asset.symbol,
                    amount=str(amount),
                )
                _owe_more(account, asset.symbol, amount)

    async def take_world(self, request: web.Request) -> web.Response:
        """Become what the request says; the rest is as in the beginning."""
        asked = await request.json()
        become(self.core, replace(self._base, **asked["rules"]))
        self.requests.write(what="world", at=round(time.time(), 3), name=asked["name"])
        return web.json_response({})

    async def show(self, _: web.Request) -> web.Response:
        """Tell what the accounts hold and owe now, by the sandbox itself."""
        spot = {
            f"{account.name} {asset}": str(held.free)
            for account in self.core.accounts
            for asset, held in account.spot
        }
        debts = {
            f"{account.name} {asset}": str(debt.total)
            for account in self.core.accounts
            for asset, debt in (account.margin.debts if account.margin else {}).items()
        }
        return web.json_response({"spot": spot, "debts": debts})

    def close(self) -> None:
        """Close the files."""
        self.books.close()
        self.requests.close()


def _owe_more(account: Account, asset: str, amount: Decimal) -> None:
    assert account.margin is not None
    before = account.margin.debts.get(asset, Debt(0))
    account.owe(asset, Debt(before.principal + amount, interest=before.interest))


def _convert_again(account: Account, line: dict[str, Any]) -> None:
    rows = tuple(
        ConversionRow(
            asset=asset,
            amount=Decimal(amount),
            gross=Decimal(gross),
            fee=Decimal(fee),
            at_ms=at_ms,
        )
        for (asset, amount, gross, fee), at_ms in zip(line["rows"], line["row_ms"], strict=True)
    )
    known = ("account", "endpoint", "transaction_id", "wallet", "target", "at_ms", "done_at")
    done = Conversion(
        **{name: line[name] for name in known}, rows=rows, client_id=line["client_id"]
    )
    for row in rows:
        account.withdraw(row.asset, row.amount, done.wallet)
    account.deposit(done.target, done.net, done.wallet)
    account.conversions.append(done)


def _exchange_again(account: Account, line: dict[str, Any]) -> None:
    assert account.margin is not None
    for asset, amount, worth, _ in line["rows"]:
        account.margin.debts.pop(asset)
        _owe_more(account, line["target"], Decimal(worth))
        account.debt_exchanges.append(
            DebtExchange(
                account=account.name,
                asset=asset,
                amount=Decimal(amount),
                target=line["target"],
                target_amount=Decimal(worth),
                at_ms=line["at_ms"],
            )
        )
    account.debts_exchanged_at = line["done_at"]


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    exchange = Sandbox(
        seed=options.seed, port=options.port, control=True, **json.loads(options.rules)
    )
    hour = LastingExchange(options.folder, exchange, options)
    app = web.Application()
    app.router.add_post("/world", hour.take_world)
    app.router.add_get("/books", hour.show)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", options.port + 1).start()
    async with exchange:
        trades = asyncio.create_task(hour.trade())
        await stop.wait()
        trades.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await trades
    await runner.cleanup()
    hour.close()


def main() -> None:
    """Read the options, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--accounts", type=int, default=120)
    parser.add_argument("--pace", type=float, default=0.5, help="seconds between two trades")
    parser.add_argument("--rules", default="{}", help="JSON of the rules that are not the usual")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
