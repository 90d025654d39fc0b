"""`binance-dust adopt`: say that a new key is of an account that the books know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.cli import _context, _ledger
from binance_dust.cli._output import make_console
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse


EXAMPLES: Final = (("alice --accounts desk.toml", "alice has a new key"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "name",
        metavar="NAME",
        help="the name in the books; its key is that of --account, or else"
        " of the account of this name",
    )
    _ledger.add_ledger(parser)
    _context.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Bind the key to the account, unless the exchange says that it is another one."""
    options.account = options.account or [options.name]
    async with (
        _context.open_context(options) as context,
        _ledger.existing_ledger(options) as ledger,
    ):
        if len(context.clients) != 1:
            raise ConfigurationError("give one --account: a name in the books is one account")
        (client,) = context.clients
        await ledger.refuse_other(client.session)
        await _ledger.refuse_unknown_account(ledger, options.name)
        owner, uid = await ledger.adopt(options.name, client)
    number = "its number is not known" if uid is None else f"number {uid}"
    make_console().print(
        f"The key of {client.name} is a key of {owner} now ({number}).", markup=False
    )
    return 0
