"""`binance-dust liabilities`: list the small margin debts of accounts, exchange or pay them."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from binance_dust._answers.codes import has_no_margin
from binance_dust._util.plain import plain
from binance_dust._util.words import count
from binance_dust.cli import _arguments, _context, _ledger, _moving, _notify, _rules
from binance_dust.cli._output import (
    Amounts,
    escape,
    make_console,
    print_json,
    print_rehearsal,
    reason_of,
)
from binance_dust.cli._tables import TerminalTable, figure, figures, prose, text
from binance_dust.errors import DustError
from binance_dust.reports import Settled

if TYPE_CHECKING:
    import argparse

    from binance_dust.client import DustClient
    from binance_dust.models import SmallLiability


EXAMPLES: Final = (
    ("--accounts desk.toml", "list them"),
    ("--accounts desk.toml --exchange --yes", "turn them into one debt"),
    ("--accounts desk.toml --repay", "what can be paid from what is held: a dry run"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--always",
        action="store_true",
        help="ask every account for the list (weight 100), without the cheap questions first",
    )
    parser.add_argument(
        "--exchange",
        action="store_true",
        help="turn small debts into one debt of the same worth; a dry run unless --yes",
    )
    parser.add_argument(
        "--repay",
        action="store_true",
        help="pay debts from what is free of the same asset; a dry run unless --yes",
    )
    parser.add_argument("--yes", action="store_true", help="really exchange or pay them")
    parser.add_argument(
        "--keep",
        type=_arguments.asset,
        metavar="ASSET",
        action="append",
        default=[],
        help="leave this debt as it is; may be repeated",
    )
    _rules.add_option(parser)
    _notify.add_option(parser)
    # The rules of dust, which it has no options for.
    parser.set_defaults(target=None, wallet=[], max_fee_rate=None, min_value=None)
    parser.set_defaults(when_below=[], cooldown=None, gather=False, above_max=None)
    parser.set_defaults(delistings=False)
    _ledger.add_ledger(parser)
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _context.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Show the debts of every account, or exchange them."""
    if options.exchange or options.repay:
        return await _move(options)
    ask = _ask_the_list if options.always else _ask_cheaply
    table = TerminalTable(
        text("account", 0),
        text("asset", 0),
        *figures("principal", "interest", rank=2),
        figure("worth"),
        prose(""),
    )
    totals: Counter[str] = Counter()
    owed = Amounts()
    async with (
        _context.open_context(options) as context,
        aclosing(_context.ask_each(context.clients, ask)) as answers,
    ):
        async for client, answer in answers:
            row: dict[str, Any]
            if isinstance(answer, DustError):
                row = {"liabilities": [], "settled_by": None, "error": plain(answer)}
                totals["failed"] += 1
                reason = reason_of(answer, client.name)
                failed = f"[red]failed:[/] {escape(reason)}"
                table.add_row(f"[cyan]{escape(client.name)}[/]", "", "", "", "", failed)
            else:
                debts, settled = answer
                row = {"liabilities": plain(debts), "settled_by": settled.value, "error": None}
                totals[settled] += 1
                for debt in debts:
                    totals["debts"] += 1
                    owed.add(debt.liability_asset, debt.liability_qty)
                    table.add_row(*_cells(client, debt))
            if options.json:
                print_json({"account": client.name, **row}, rehearsal=context.rehearsal)
    if not options.json:
        _print(table, totals, owed)
        if context.rehearsal:
            print_rehearsal(make_console())
    return 1 if totals["failed"] else 0


async def _move(options: argparse.Namespace) -> int:
    """Exchange debts, pay them, or both in this order."""
    code = await _moving.move(
        options,
        really=options.yes,
        account_types=(),
        liabilities=options.exchange,
        repay=options.repay,
    )
    if not options.yes and not options.json:
        done = "paid" if options.repay else "exchanged"
        make_console().print(f"Nothing was {done}. Add --yes to do it.")
    return code


async def _ask_the_list(client: DustClient) -> tuple[list[SmallLiability], Settled]:
    try:
        return await client.small_liabilities(), Settled.LIST
    except DustError as error:
        if has_no_margin(error):
            return [], Settled.NO_MARGIN
        raise


async def _ask_cheaply(client: DustClient) -> tuple[list[SmallLiability], Settled]:
    """Ask questions of weight 1 and 10 first, and spend 100 only if there is a debt to list."""
    try:
        if (await client.account_info()).is_margin_enabled is False:
            return [], Settled.NO_MARGIN
        if not (await client.margin_account()).has_debt:
            return [], Settled.NO_DEBT
    except DustError as error:
        if has_no_margin(error):
            return [], Settled.NO_MARGIN
        # The key may lack a right for these questions only. If not, the list has the same error.
    return await _ask_the_list(client)


def _cells(client: DustClient, debt: SmallLiability) -> tuple[str, ...]:
    return (
        f"[cyan]{escape(client.name)}[/]",
        escape(debt.asset),
        f"{debt.principal:f}",
        f"{debt.interest:f}",
        f"{debt.liability_qty:f} {escape(debt.liability_asset)}",
    )


def _print(table: TerminalTable, totals: Counter[str], owed: Amounts) -> None:
    out = make_console()
    if table.row_count:
        out.print(table)
        out.print()
    worth = f", worth {owed}" if owed else ""
    out.print(f"{count(totals['debts'], 'small debt')}{worth}.")
    parts = [
        f"{totals[settled]} {what}"
        for settled, what in (
            (Settled.NO_MARGIN, "without margin"),
            (Settled.NO_DEBT, "with margin and no debt"),
            (Settled.LIST, "asked for their list"),
            ("failed", "failed"),
        )
        if totals[settled]
    ]
    out.print(f"Accounts: {', '.join(parts) or 'none'}.")
