"""`binance-dust liabilities`: the small margin debts that can be exchanged."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from binance_dust._answers.codes import has_no_margin
from binance_dust._util.plain import plain
from binance_dust._util.words import count
from binance_dust.cli import _arguments, _desk, _ledger
from binance_dust.cli._amounts import Amounts
from binance_dust.cli._console import console, make_table, reason_of, shown
from binance_dust.cli._convert import move
from binance_dust.cli._each import each
from binance_dust.cli._json import print_json
from binance_dust.errors import DustError
from binance_dust.reports import Settled

if TYPE_CHECKING:
    import argparse

    from rich.table import Table

    from binance_dust.client import DustClient
    from binance_dust.models import SmallLiability

_COLUMNS: Final = ("account", "asset", "principal", "interest", "worth", "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument(
        "--always",
        action="store_true",
        help="ask every account for the list (weight 100), without the cheap questions first",
    )
    parser.add_argument(
        "--exchange",
        action="store_true",
        help="gather them into one debt; a dry run unless --yes. What is owed does not get less",
    )
    parser.add_argument("--yes", action="store_true", help="really do it")
    parser.add_argument(
        "--keep",
        type=_arguments.asset,
        metavar="ASSET",
        action="append",
        default=[],
        help="leave this debt as it is",
    )
    _ledger.add_ledger(parser)
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _desk.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Ask every account, and show what is owed, or gather it."""
    if options.exchange:
        return await _exchange(options)
    ask = _ask_the_list if options.always else _ask_for_less
    table = make_table(*_COLUMNS, right=("principal", "interest", "worth"))
    sums: Counter[str] = Counter()
    owed = Amounts()
    async with _desk.open_desk(options) as desk, aclosing(each(desk.clients, ask)) as answers:
        async for client, answer in answers:
            row: dict[str, Any]
            if isinstance(answer, DustError):
                row = {"liabilities": [], "settled_by": None, "error": plain(answer)}
                sums["failed"] += 1
                reason = reason_of(answer, client.name)
                table.add_row(shown(client.name), f"[red]failed:[/] {shown(reason)}")
            else:
                debts, settled = answer
                row = {"liabilities": plain(debts), "settled_by": settled.value, "error": None}
                sums[settled] += 1
                for debt in debts:
                    sums["debts"] += 1
                    owed.add(debt.liability_asset, debt.liability_qty)
                    table.add_row(*_cells(client, debt))
            if options.json:
                print_json({"account": client.name, **row})
    if not options.json:
        _print(table, sums, owed)
    return 1 if sums["failed"] else 0


async def _exchange(options: argparse.Namespace) -> int:
    code = await move(
        options, really=options.yes, account_types=(), liabilities=True, keep=options.keep
    )
    if not options.yes and not options.json:
        console().print("Nothing was exchanged. Add --yes to do it.")
    return code


async def _ask_the_list(client: DustClient) -> tuple[list[SmallLiability], Settled]:
    try:
        return await client.small_liabilities(), Settled.LIST
    except DustError as error:
        if has_no_margin(error):
            return [], Settled.NO_MARGIN
        raise


async def _ask_for_less(client: DustClient) -> tuple[list[SmallLiability], Settled]:
    """Ask what costs 1 and 10, and spend 100 only where there is a debt to list."""
    try:
        if not (await client.account_info()).is_margin_enabled:
            return [], Settled.NO_MARGIN
        if not (await client.margin_account()).has_debt:
            return [], Settled.NO_DEBT
    except DustError as error:
        if has_no_margin(error):
            return [], Settled.NO_MARGIN
        # A right may be missing for these alone; if not, the list says what is wrong.
    return await _ask_the_list(client)


def _cells(client: DustClient, debt: SmallLiability) -> tuple[str, ...]:
    return (
        f"[cyan]{shown(client.name)}[/]",
        shown(debt.asset),
        f"{debt.principal:f}",
        f"{debt.interest:f}",
        f"{debt.liability_qty:f}",
        shown(debt.liability_asset),
    )


def _print(table: Table, sums: Counter[str], owed: Amounts) -> None:
    out = console()
    if table.row_count:
        out.print(table)
        out.print()
    worth = f", worth {owed}" if owed else ""
    out.print(f"{count(sums['debts'], 'small debt')}{worth}.")
    told = [
        f"{sums[settled]} {text}"
        for settled, text in (
            (Settled.NO_MARGIN, "without margin"),
            (Settled.NO_DEBT, "with margin and no debt"),
            (Settled.LIST, "asked for their list"),
            ("failed", "failed"),
        )
        if sums[settled]
    ]
    out.print(f"Accounts: {', '.join(told) or 'none'}.")
