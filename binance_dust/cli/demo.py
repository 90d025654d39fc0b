"""`binance-dust demo`: a desk of accounts, read on a local sandbox, with no key and no network."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from binance_dust.budget import RateLimits
from binance_dust.cli._console import console as make_console
from binance_dust.errors import DustError
from binance_dust.sandbox import Sandbox
from binance_dust.session import Session

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from binance_dust import models
    from binance_dust.client import DustClient
    from binance_dust.credentials import Credentials

_LIABILITIES: Final = "GET /sapi/v1/margin/exchange-small-liability"
_MINUTE: Final = 2.0
"""Seconds that a minute of the limits takes here, so that waiting can be watched."""
_SHOWN: Final = 12
"""Accounts in the table; the rest is in its last line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("--accounts", type=int, default=25, metavar="N", help="how many (25)")
    parser.add_argument("--seed", type=int, default=7, help="what makes it repeatable (7)")


@dataclass(slots=True)
class Found:
    """What one account has."""

    name: str
    assets: int = 0
    dust: models.DustAssets | None = None
    debts: list[models.SmallLiability] = field(default_factory=list)
    error: DustError | None = None

    @property
    def net(self) -> Decimal:
        """What converting the dust would bring, in BNB."""
        if self.dust is None:
            return Decimal(0)
        return sum((row.to_bnb_off_exchange for row in self.dust.details), Decimal(0))


async def run(options: argparse.Namespace) -> int:
    """Open a sandbox, read every account at once, and show what is there."""
    console = make_console()
    began = time.monotonic()
    async with (
        Sandbox(seed=options.seed, window=_MINUTE) as exchange,
        Session(base_url=exchange.url, limits=RateLimits(window=_MINUTE)) as session,
    ):
        accounts = exchange.open_accounts(max(1, options.accounts))
        console.print(
            f"A local exchange is open at [cyan]{exchange.url}[/] with {len(accounts)} accounts."
            " Nothing leaves this machine.\n"
            f"Its minute takes {_MINUTE:g} seconds; an endpoint may cost 12,000 in each.\n"
        )
        found = await _read_all(console, session, accounts)
        seconds = time.monotonic() - began
        console.print(_table(found))
        console.print()
        _print_sum(console, found)
        console.print(
            f"\n{len(exchange.requests)} requests in {seconds:.1f} s,"
            f" {exchange.refusals} refused for their weight."
            f" The heaviest list cost {exchange.peak_weight(_LIABILITIES):,} of 12,000 at the most."
        )
    console.print(
        "\n[bold]Next:[/] binance-dust sandbox   an exchange for your own program\n"
        "      binance-dust endpoints what each call costs, and whether it is sent again\n"
        "      docs/tutorial          from here to a conversion of your own"
    )
    return 1 if any(each.error for each in found) else 0


async def _read_all(console: Console, session: Session, accounts: list[Credentials]) -> list[Found]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=not console.is_terminal) as progress:
        bar = progress.add_task("reading accounts", total=len(accounts))

        async def read(credentials: Credentials) -> Found:
            found = await _read(session.client(credentials))
            progress.advance(bar)
            return found

        return await asyncio.gather(*map(read, accounts))


async def _read(client: DustClient) -> Found:
    """Read one account, the heavy list only where there is margin to have debts on."""
    found = Found(client.name)
    try:
        found.assets = len(await client.user_assets())
        found.dust = await client.dust_assets()
        if (await client.account_info()).is_margin_enabled:
            found.debts = await client.small_liabilities()
    except DustError as error:
        found.error = error
    return found


def _table(found: list[Found]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_footer=len(found) > _SHOWN)
    rest = len(found) - _SHOWN
    table.add_column("account", footer=f"[dim]and {rest} more[/]", no_wrap=True)
    table.add_column("assets", justify="right")
    table.add_column("dust", justify="right")
    table.add_column("would bring", justify="right", no_wrap=True)
    table.add_column("the most of it", no_wrap=True)
    table.add_column("small debts", justify="right", no_wrap=True)
    for each in sorted(found, key=lambda each: each.net, reverse=True)[:_SHOWN]:
        rows = each.dust.details if each.dust else []
        best = sorted(rows, key=lambda row: row.to_bnb_off_exchange, reverse=True)[:3]
        owed = sum((debt.liability_qty for debt in each.debts), Decimal(0))
        debts = f"{len(each.debts)} ({owed:.2f} USDT)" if each.debts else ""
        table.add_row(
            f"[cyan]{each.name}[/]",
            str(each.assets),
            str(len(rows)),
            f"{each.net:.8f} BNB",
            ", ".join(row.asset for row in best),
            f"[red]{each.error}[/]" if each.error else debts or "[dim]none[/]",
        )
    return table


def _print_sum(console: Console, found: list[Found]) -> None:
    net = sum((each.net for each in found), Decimal(0))
    gross = sum((each.dust.total_transfer_bnb for each in found if each.dust), Decimal(0))
    debts = [debt for each in found for debt in each.debts]
    owed = sum((debt.liability_qty for debt in debts), Decimal(0))
    console.print(
        f"All dust would bring [bold green]{net:.8f} BNB[/], after {gross - net:.8f} BNB in fees."
    )
    console.print(f"{len(debts)} small debts are worth {owed:f} USDT.")
