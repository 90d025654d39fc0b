"""What an agent may ask for: questions, quotes by number, and conversions of such a quote.

Nothing here knows how an agent is connected. All rules for conversions are the converter's own; one
is added: a quote's number is good for one attempt. Each call is on record before it begins.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import secrets
import sys
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec

from binance_dust._util.exact import total
from binance_dust._util.plain import plain
from binance_dust.cli import _doctor_report
from binance_dust.cli._output import as_json
from binance_dust.cli._streams import print_stderr
from binance_dust.conversion import Converter
from binance_dust.endpoints import to_account_type
from binance_dust.errors import (
    ConfigurationError,
    DustError,
    GuardError,
    LedgerError,
    OutcomeUnknownError,
)
from binance_dust.ledger import OPEN
from binance_dust.ledger._entry import why_stuck
from binance_dust.scanner import scan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from decimal import Decimal

    from binance_dust.cli._context import CommandContext
    from binance_dust.cli._doctor_checks import Level
    from binance_dust.client import DustClient
    from binance_dust.conversion import Quote
    from binance_dust.ledger import Ledger, LedgerEntry
    from binance_dust.reports import AccountReport
    from binance_dust.sweeper import AccountRules

__all__ = ["AgentDesk", "CallRecord"]

P = ParamSpec("P")

_QUOTES: Final = 1_000
"""Quotes that are remembered. Older ones have expired long before."""
_SHOWN: Final = 100
"""Accounts or entries of an answer: a model reads every word of it."""


class CallRecord:
    """Every call of an agent, as lines of JSON: one when it begins, one when it has ended."""

    def __init__(self, path: str | None) -> None:
        """Take the file; `None` writes to stderr."""
        self.path = path
        self._calls = 0

    def begin(self, tool: str, arguments: dict[str, Any]) -> int:
        """Write down a call before anything is done for it. Without that, nothing is done."""
        self._calls += 1
        self._write({"call": self._calls, "tool": tool, "arguments": arguments})
        return self._calls

    def end(self, call: int, outcome: str, **more: Any) -> None:
        """Write down how a call ended; on stderr if the file can't be written any more.

        An error here would hide from the agent what was done.
        """
        line = {"call": call, "ended": outcome, **more}
        try:
            self._write(line)
        except LedgerError as error:
            print_stderr(f"{error}: {json.dumps(line)}")

    def _write(self, line: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        text = json.dumps({"at": plain(now), "process": os.getpid(), **line}) + "\n"
        if self.path is None:
            sys.stderr.write(text)
            return
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            file = os.open(self.path, flags, 0o600)
            try:
                os.write(file, text.encode())
            finally:
                os.close(file)
        except OSError as error:
            problem = f"the record of calls can't be written: {error.strerror}"
        else:
            return
        raise LedgerError(problem, path=self.path)


def _recorded(
    work: Callable[Concatenate[AgentDesk, P], Awaitable[dict[str, Any]]],
) -> Callable[Concatenate[AgentDesk, P], Awaitable[dict[str, Any]]]:
    """Do the work of a call with a line on record before it, and one after it."""
    _, *names = inspect.signature(work).parameters

    @wraps(work)
    async def recorded(desk: AgentDesk, /, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        record = desk.record
        call = record.begin(work.__name__, dict(zip(names, args, strict=False)) | kwargs)
        try:
            answer = await work(desk, *args, **kwargs)
        except DustError as error:
            ended = "unknown" if _may_have_moved(error) else "refused"
            record.end(call, ended, error=str(error), entries=list(getattr(error, "entry_ids", ())))
            raise
        except BaseException as error:
            record.end(call, "cut short", error=type(error).__name__)
            raise
        record.end(call, "answered", entries=answer.get("entry_ids", []))
        return {**answer, "rehearsal": True} if desk.rehearsal else answer

    return recorded


class AgentDesk:
    """Accounts, books and rules of one server, and what an agent may do with them."""

    def __init__(  # noqa: PLR0913 - what the server was started with, all by keyword
        self,
        context: CommandContext,
        ledger: Ledger,
        *,
        rules: Callable[[DustClient], AccountRules],
        examine: Callable[[_doctor_report.Printer], Awaitable[Level]],
        target: str,
        max_value: Decimal | None,
        record: CallRecord,
    ) -> None:
        """Prepare; nothing is asked."""
        self._clients = {client.name: client for client in context.clients}
        self._ledger = ledger
        self._rules = rules
        self._examine = examine
        self._target = target
        self._max_value = max_value
        self.record = record
        self.rehearsal = context.rehearsal
        self._quotes: dict[str, tuple[Converter, Quote] | None] = {}
        """`None` for a quote that was used."""
        self._under_way: set[asyncio.Task[Any]] = set()

    # --- reading ---------------------------------------------------------------------------------

    @_recorded
    async def scan(self, accounts: Sequence[str] | None, target: str | None) -> dict[str, Any]:
        """Read what accounts hold and owe; an account's assets are listed if it was named."""
        asked = [self._client(name) for name in accounts] if accounts else [*self._clients.values()]
        into = target or self._target
        reports = [report async for report in scan(asked, target=into)]
        reports.sort(key=lambda report: (report.net, report.account), reverse=True)
        named = set(accounts or ())
        return {
            "target": into,
            **{
                name: plain(total(getattr(each, name) for each in reports))
                for name in ("gross", "fee", "net")
            },
            "accounts": [_account(each, each.account in named) for each in reports[:_SHOWN]],
            "accounts_left_out": max(len(reports) - _SHOWN, 0),
            "accounts_not_read_completely": sum(not each.ok for each in reports),
        }

    @_recorded
    async def quote(self, account: str, wallet: str | None) -> dict[str, Any]:
        """Plan a conversion, and give the plan a number."""
        client = self._client(account)
        rules: Any = {**self._rules(client)}
        wallets = tuple(rules.pop("account_types", ("SPOT",)))
        chosen = wallets[0] if wallet is None else to_account_type(wallet, "wallet")
        if chosen not in wallets:
            raise GuardError(f"{account}: this server was started for {', '.join(wallets)} only")
        converter = Converter(client, ledger=self._ledger, account_type=chosen, **rules)
        quote = await converter.quote()
        number = secrets.token_hex(6) if quote else None
        if number is not None:
            self._quotes[number] = converter, quote
            while len(self._quotes) > _QUOTES:
                del self._quotes[next(iter(self._quotes))]
        return {"quote_id": number, **as_json(quote)}

    @_recorded
    async def books(self, by: Any, account: str | None) -> dict[str, Any]:
        """Sum up the ledger, and list what is open and what came last."""
        if account is not None:
            self._client(account)
        sums = await self._ledger.totals(by, account=account)
        left = [e async for e in self._ledger.entries(account=account, status=OPEN)]
        last = self._ledger.entries(account=account, newest_first=True, limit=10)
        return {
            "by": by,
            "sums": [each.to_plain() for each in sums],
            "outcomes_unknown": [_open_entry(each) for each in left[:_SHOWN]],
            "last_calls": [as_json(each) async for each in last],
        }

    @_recorded
    async def doctor(self) -> dict[str, Any]:
        """Check clock, exchange, keys, accounts and budgets."""
        found: list[Any] = []
        worst = await self._examine(_doctor_report.JsonPrinter(found.append))
        return {"worst": worst.value, "findings": found}

    # --- moving funds ----------------------------------------------------------------------------

    @_recorded
    async def convert(self, quote_id: str) -> dict[str, Any]:
        """Carry out a quote that this server gave, once."""
        if quote_id not in self._quotes:
            raise GuardError(f"this server has given no quote {quote_id!r}: ask for one")
        found = self._quotes[quote_id]
        if found is None:
            raise GuardError(
                f"quote {quote_id} was used already, and a quote is good for one attempt: see"
                " `books` for what it did, and ask for a new quote"
            )
        converter, quote = found
        if self._max_value is not None and quote.gross > self._max_value:
            raise GuardError(
                f"this quote is worth {quote.gross:f} {quote.target}, and this server converts at"
                f" most {self._max_value:f} at once (--max-value): a person can convert it"
            )
        self._quotes[quote_id] = None
        # In a task of its own: an agent that gives up does not make the outcome unknown.
        task = asyncio.ensure_future(converter.convert(quote))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        receipt = await asyncio.shield(task)
        return {"outcome": "converted" if receipt else "nothing converted", **as_json(receipt)}

    async def finish(self) -> None:
        """Wait for the conversions that have begun."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    # --- parts -----------------------------------------------------------------------------------

    def _client(self, name: str) -> DustClient:
        if name in self._clients:
            return self._clients[name]
        known = [*self._clients]
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        raise ConfigurationError(
            f"no account {name!r}: there are {', '.join(known[:_SHOWN])}{more}"
        )


def _may_have_moved(error: DustError) -> bool:
    return isinstance(error, OutcomeUnknownError) or (
        isinstance(error, LedgerError) and bool(error.entry_ids)
    )


def what_to_do(error: DustError) -> str:
    """Say to an agent what an error means: whether funds moved, and what comes next."""
    numbers = ", ".join(map(str, getattr(error, "entry_ids", ())))
    match error:
        case _ if _may_have_moved(error):
            return (
                f"OUTCOME UNKNOWN: funds may have moved. {error} Do not try it again, and do not"
                f" report it as done or as failed. Tell the person: `binance-dust recover` finds"
                f" out by reading how it ended (entry {numbers}). `books` shows it under"
                " outcomes_unknown until then."
            )
        case GuardError(retry_at=datetime() as until):
            when = f"{until:%Y-%m-%d %H:%M:%S} UTC"
            return f"NOT DONE, nothing was sent: {error}. It may be tried after {when}."
        case GuardError(entry_ids=(_, *_)):
            return (
                f"NOT DONE, nothing was sent: {error}. Tell the person: `binance-dust recover`"
                f" finds out by reading how it ended (entry {numbers})."
            )
        case GuardError() | ConfigurationError():
            return f"NOT DONE, nothing was sent: {error}"
        case _:
            return f"NOT DONE, nothing was converted: {error}"


def _account(report: AccountReport, detailed: bool) -> dict[str, Any]:  # noqa: FBT001
    rows = report.quote.details if report.quote else []
    shown: dict[str, Any] = {
        "account": report.account,
        **{name: plain(getattr(report, name)) for name in ("gross", "fee", "net")},
        "convertible_assets": len(rows),
        "assets_held": len(report.assets),
        "small_debts": [plain(each) for each in report.liabilities],
        "not_read": {part: str(error) for part, error in report.errors.items()},
    }
    if detailed:
        names = ("asset", "amount", "gross", "fee", "net")
        shown["assets"] = [{name: plain(getattr(row, name)) for name in names} for row in rows]
    return shown


def _open_entry(entry: LedgerEntry) -> dict[str, Any]:
    how = why_stuck(entry) if entry.needs_resolve else "binance-dust recover"
    return {**as_json(entry), "what_ends_it": how}
