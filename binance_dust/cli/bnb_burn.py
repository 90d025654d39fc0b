"""`binance-dust bnb-burn`: show or set whether fees are paid in BNB, which makes less dust.

Otherwise a fee is taken from the asset that was bought: 100 become 99.9, and the rest of a sale
stays as dust.
"""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util.plain import plain
from binance_dust._util.words import count
from binance_dust.cli import _arguments, _context
from binance_dust.cli._output import escape, make_console, print_json, print_rehearsal, reason_of
from binance_dust.cli._tables import TerminalTable, prose, text
from binance_dust.errors import DustError

if TYPE_CHECKING:
    import argparse

    from binance_dust.client import DustClient
    from binance_dust.models import BnbBurn

_UNKNOWN: Final[dict[str, Any]] = {"spot": None, "interest": None, "changes": {}, "set": False}


EXAMPLES: Final = (
    ("--accounts desk.toml", "show it"),
    ("--accounts desk.toml --spot on --yes", "pay fees in BNB from now on"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--spot",
        type=_arguments.switch,
        metavar="on|off",
        help="set whether trading fees are paid in BNB",
    )
    parser.add_argument(
        "--interest",
        type=_arguments.switch,
        metavar="on|off",
        help="set whether margin interest is paid in BNB",
    )
    parser.add_argument(
        "--yes",
        action="store_true",
        help="really set it; without --yes, only show what would be set",
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _context.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Show the settings of every account, and change them if asked to."""
    wanted = {
        name: value
        for name, value in (("spot", options.spot), ("interest", options.interest))
        if value is not None
    }
    failed = changes = 0
    table = TerminalTable(
        text("account", 0), text("fees in BNB"), text("interest in BNB", 2), prose("")
    )
    ask = partial(_read_and_set, wanted=wanted, really=options.yes)
    async with (
        _context.open_context(options) as context,
        aclosing(_context.ask_each(context.clients, ask)) as answers,
    ):
        async for client, answer in answers:
            name = f"[cyan]{escape(client.name)}[/]"
            if isinstance(answer, DustError):
                failed += 1
                row: dict[str, Any] = {**_UNKNOWN, "error": plain(answer)}
                reason = reason_of(answer, client.name)
                table.add_row(name, "", "", f"[red]failed:[/] {escape(reason)}")
            else:
                changes += bool(answer["changes"])
                row = {**answer, "error": None}
                table.add_row(name, *_cells(answer))
            if options.json:
                print_json({"account": client.name, **row}, rehearsal=context.rehearsal)
    if not options.json:
        out = make_console()
        out.print(table)
        if changes and not options.yes:
            out.print(f"\nNothing was set. Add --yes to set it for {count(changes, 'account')}.")
        if context.rehearsal:
            print_rehearsal(out)
    return 1 if failed else 0


async def _read_and_set(
    client: DustClient, *, wanted: dict[str, bool], really: bool
) -> dict[str, Any]:
    """Read the settings, and set the ones that differ."""
    now = await client.bnb_burn()
    changes = {name: value for name, value in wanted.items() if _as_dict(now)[name] is not value}
    if changes and really:
        now = await client.set_bnb_burn(**changes)
    return {**_as_dict(now), "changes": changes, "set": bool(changes) and really}


def _as_dict(burn: BnbBurn) -> dict[str, bool | None]:
    return {"spot": burn.spot_bnb_burn, "interest": burn.interest_bnb_burn}


def _cells(answer: dict[str, Any]) -> tuple[str, str, str]:
    texts = [f"{name} {_word(value)}" for name, value in answer["changes"].items()]
    verb = "set:" if answer["set"] else "would set:"
    return (
        _word(answer["spot"]),
        _word(answer["interest"]),
        f"{verb} {', '.join(texts)}" if texts else "",
    )


def _word(value: bool | None) -> str:  # noqa: FBT001 - it is a setting
    return "not said" if value is None else "on" if value else "off"
