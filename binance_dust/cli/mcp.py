"""`binance-dust mcp`: let an agent ask about dust, over the Model Context Protocol on stdio.

The official SDK speaks the protocol; `_agent` does the work. Here are the options, and the texts
that a model reads.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from binance_dust._version import __version__
from binance_dust.cli import _arguments, _context, _ledger, _moving, doctor
from binance_dust.cli._agent import AgentDesk, CallRecord, what_to_do
from binance_dust.errors import ConfigurationError, DustError
from binance_dust.ledger._totals import By  # noqa: TC001 - the SDK reads annotations

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable

    from mcp.server import MCPServer

EXAMPLES: Final = (
    ("--accounts desk.toml", "reads only: the agent can't convert"),
    ("--accounts desk.toml --allow-conversions --max-value 0.05", "up to 0.05 BNB at once"),
    ("--sandbox --allow-conversions", "a rehearsal: no key, no network"),
)

_ABOUT: Final = """\
This server knows accounts at the Binance exchange. It looks after their dust: balances that are too
small to be traded, which the exchange converts into one asset (the target, BNB by default) for a
fee. Small margin debts are shown too.

- Amounts are exact decimal numbers as texts: never round them, and do not compute with floats.
  gross is before the fee, net is after it, both in the target. Times are in UTC.
- `scan` shows what all accounts have. `quote` is the plan for one account. `books` is what was
  converted before. `doctor` checks keys and connection.
- `rehearsal` in an answer says that the exchange is a sandbox on this machine: nothing is real.
- NOT DONE in an answer says that nothing was converted, and why. OUTCOME UNKNOWN in an answer says
  that funds may have moved: never repeat that call.
- The rules (assets to keep, highest fee, smallest worth, rests between conversions) were set by the
  person who started this server. You can't change them; skipped assets say which rule it was.
"""
_READ_ONLY: Final = "\nThis server only reads: it was started without the right to convert.\n"
_CONVERTS: Final = """
To convert: call `quote`, show the person its lines, fee and net, and call `convert` with its
quote_id only if the person agrees. A quote_id works once, and for about a minute. What is converted
can't be taken back.
"""
_SCAN: Final = """\
Read what accounts hold as dust, what converting it would bring (gross, fee, net in the target), and
their small margin debts. Reads only. Without `accounts` it reads all accounts that this server
knows, which can take minutes if there are thousands, and lists them from the largest to the
smallest. Name accounts to see their assets too. `not_read` says which part of an account could not
be read, and why: then its figures are too low."""
_QUOTE: Final = """\
Plan the conversion of one account's dust. Reads only; nothing is converted. `lines` are the assets
that can be converted now, with amount, gross, fee and net as the exchange estimates them; `skipped`
are all others, each with the reason why it stays. `quote_id` names the plan until `expires_at`; it
is null if nothing can be converted. `eligible_at` is set if the account has to rest until then."""
_BOOKS: Final = """\
Sum up what was converted so far, from the ledger on this machine; the exchange is not asked.
`outcomes_unknown` are calls of which it is not known whether funds moved, each with the command by
which a person ends that. `last_calls` are the newest ten."""
_DOCTOR: Final = """\
Check this machine's clock, the exchange's status, and each account's key: whether it may read and
convert, and what is dangerous about it. Reads only. `worst` is ok, note, warning or problem."""
_CONVERT: Final = """\
Convert the dust of a quote, for real: this moves funds, and can't be taken back. It takes the
quote_id of a `quote` that this server gave less than a minute ago. Each quote_id works once, within
the rules and the highest value that this server was started with. Ask the person first. The answer
is a receipt: `lines` with what each asset brought, `dropped` with what was not converted and why.
If the answer is OUTCOME UNKNOWN, do not call it again for this account: tell the person.\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    group = parser.add_argument_group("what an agent may do")
    group.add_argument(
        "--allow-conversions",
        action="store_true",
        help="also let it convert a quote that it was given; without this the agent only reads",
    )
    group.add_argument(
        "--max-value",
        type=_arguments.amount,
        metavar="AMOUNT",
        help="refuse to convert a quote that is worth more, in the target asset, before fees",
    )
    group.add_argument(
        "--record",
        metavar="FILE",
        help="where each call of an agent is written down; else beside the ledger, as"
        " LEDGER.mcp.jsonl",
    )
    _ledger.add_ledger(parser)
    _moving.add_rules(parser)
    # What these bring is not in a quote's sums, so no highest value would hold for it.
    parser.set_defaults(gather=False, above_max=None)
    _context.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Serve one agent on stdin and stdout until it closes them."""
    try:
        from mcp.server import MCPServer  # noqa: F401 - before anything is opened
    except ImportError:
        raise ConfigurationError(
            "mcp needs its extra: pip install 'binance-dust[cli,mcp]'"
        ) from None
    if options.max_value is not None and not options.allow_conversions:
        raise ConfigurationError("--max-value is for conversions: add --allow-conversions")
    async with (
        _context.open_context(options) as context,
        _ledger.open_ledger_to_move(options, context) as ledger,
    ):
        desk = AgentDesk(
            context,
            ledger,
            rules=_moving.rules(options, context)["each"],
            examine=partial(doctor.examine, options, context),
            target=options.target or "BNB",
            max_value=options.max_value,
            record=CallRecord(options.record or _beside(ledger.path)),
        )
        try:
            await make_server(desk, may_convert=options.allow_conversions).run_stdio_async()
        finally:
            await desk.finish()
    return 0


def _beside(ledger: str) -> str | None:
    """Name the record of a ledger; a ledger that is thrown away has none."""
    return None if ledger == ":memory:" else f"{ledger}.mcp.jsonl"


def make_server(desk: AgentDesk, *, may_convert: bool) -> MCPServer[Any]:
    """Make a server of the official SDK with the tools of a desk."""
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp_types import ToolAnnotations

    about = _ABOUT + (_CONVERTS if may_convert else _READ_ONLY)
    server: MCPServer[Any] = MCPServer("binance-dust", version=__version__, instructions=about)

    def add(text: str, tool: Callable[..., Awaitable[dict[str, Any]]], *, reads: bool) -> None:
        @wraps(tool)
        async def answer(*args: Any, **kwargs: Any) -> dict[str, Any]:
            try:
                return await tool(*args, **kwargs)
            except DustError as error:
                problem = what_to_do(error)
            # Outside of the clause: an error in context is another text that an agent might see.
            raise ToolError(problem)

        hints = ToolAnnotations(
            read_only_hint=reads,
            destructive_hint=not reads,
            idempotent_hint=reads,
            open_world_hint=tool.__name__ != "books",
        )
        server.add_tool(answer, name=tool.__name__, description=text, annotations=hints)

    async def scan(accounts: list[str] | None = None, target: str | None = None) -> dict[str, Any]:
        return await desk.scan(accounts, target)

    async def quote(account: str, wallet: str | None = None) -> dict[str, Any]:
        return await desk.quote(account, wallet)

    async def books(by: By = "month", account: str | None = None) -> dict[str, Any]:
        return await desk.books(by, account)

    async def doctor() -> dict[str, Any]:
        return await desk.doctor()

    async def convert(quote_id: str) -> dict[str, Any]:
        return await desk.convert(quote_id)

    add(_SCAN, scan, reads=True)
    add(_QUOTE, quote, reads=True)
    add(_BOOKS, books, reads=True)
    add(_DOCTOR, doctor, reads=True)
    if may_convert:
        add(_CONVERT, convert, reads=False)
    return server
