"""`binance-dust bnb-burn`: whether fees are paid in BNB, which makes less dust.

A fee that is not paid in BNB is taken from what was bought: a round amount becomes one with a tail,
and the tail stays behind as dust.
"""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util.plain import plain
from binance_dust._util.words import count
from binance_dust.cli import _arguments, _desk
from binance_dust.cli._console import console, make_table, reason_of, shown
from binance_dust.cli._each import each
from binance_dust.cli._json import print_json
from binance_dust.errors import DustError

if TYPE_CHECKING:
    import argparse

    from binance_dust.client import DustClient
    from binance_dust.models import BnbBurn


_UNKNOWN: Final[dict[str, Any]] = {"spot": None, "interest": None, "changes": {}, "set": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
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
        "--yes", action="store_true", help="really set it; without, only say what would be set"
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _desk.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Show the switches of every account, and set them where that was asked for."""
    wanted = {
        name: value
        for name, value in (("spot", options.spot), ("interest", options.interest))
        if value is not None
    }
    failed = changes = 0
    table = make_table("account", "fees in BNB", "interest in BNB", "")
    ask = partial(_switch, wanted=wanted, really=options.yes)
    async with _desk.open_desk(options) as desk, aclosing(each(desk.clients, ask)) as answers:
        async for client, answer in answers:
            name = f"[cyan]{shown(client.name)}[/]"
            if isinstance(answer, DustError):
                failed += 1
                row: dict[str, Any] = {**_UNKNOWN, "error": plain(answer)}
                reason = reason_of(answer, client.name)
                table.add_row(name, "", "", f"[red]failed:[/] {shown(reason)}")
            else:
                changes += bool(answer["changes"])
                row = {**answer, "error": None}
                table.add_row(name, *_cells(answer))
            if options.json:
                print_json({"account": client.name, **row})
    if not options.json:
        out = console()
        out.print(table)
        if changes and not options.yes:
            out.print(f"\nNothing was set. Add --yes to set it for {count(changes, 'account')}.")
    return 1 if failed else 0


async def _switch(client: DustClient, *, wanted: dict[str, bool], really: bool) -> dict[str, Any]:
    """Read the switches, and set those that are not as they should be."""
    now = await client.bnb_burn()
    changes = {name: value for name, value in wanted.items() if _as_dict(now)[name] is not value}
    if changes and really:
        now = await client.set_bnb_burn(**changes)
    return {**_as_dict(now), "changes": changes, "set": bool(changes) and really}


def _as_dict(burn: BnbBurn) -> dict[str, bool]:
    return {"spot": burn.spot_bnb_burn, "interest": burn.interest_bnb_burn}


def _cells(answer: dict[str, Any]) -> tuple[str, str, str]:
    changes = answer["changes"]
    texts = [f"{name} {_word(value)}" for name, value in changes.items()]
    did = "set:" if answer["set"] else "would set:"
    return (
        _word(answer["spot"]),
        _word(answer["interest"]),
        f"{did} {', '.join(texts)}" if texts else "",
    )


def _word(value: bool) -> str:  # noqa: FBT001 - it is a switch
    return "on" if value else "off"
