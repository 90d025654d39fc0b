"""`binance-dust history`: list conversions and exchanged debts, as the exchange remembers them.

Transfers and repayments only if they are asked for: a week of repayments costs a weight of 100.

One answer of the dust log spans 90 days and holds the newest hundred conversions. A longer time is
asked for in spans. After a full answer, the time before its oldest conversion is asked for again.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from binance_dust._util.exact import difference
from binance_dust._util.plain import plain
from binance_dust.cli import _arguments, _context
from binance_dust.cli._output import (
    Amounts,
    escape,
    make_console,
    print_json,
    print_rehearsal,
    reason_of,
)
from binance_dust.cli._streams import print_stderr
from binance_dust.cli._tables import TerminalTable, figure, figures, text
from binance_dust.errors import ConfigurationError, DustError, UnreadableAnswerError

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Iterator, Mapping
    from decimal import Decimal

    from binance_dust.cli._context import CommandContext
    from binance_dust.client import DustClient
    from binance_dust.endpoints import AccountType
    from binance_dust.models import CapitalFlow, DustLogEntry, TransferRecord, UnreadRow

LONGEST_SPAN: Final = timedelta(days=90)
"""What one question may ask for (-4047 if it asks for more)."""
OLDEST: Final = datetime(2020, 12, 1, tzinfo=UTC)
"""The log holds nothing older."""
_FULL: Final = 100
"""Conversions in an answer, at most."""
_MILLISECOND: Final = timedelta(milliseconds=1)

HistoryKind = Literal["dust", "margin dust", "liability", "transfer", "repayment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One asset that was converted, moved or paid, or one debt that was exchanged."""

    account: str
    kind: HistoryKind
    at: datetime
    asset: str
    amount: Decimal
    target: str
    gross: Decimal
    fee: Decimal | None = None
    """`None` for all but dust: the exchange shows no fee."""
    transaction_id: int | None = None
    """`None` for a debt: the exchange gives no id."""

    @property
    def net(self) -> Decimal:
        """The amount received, or the debt that is owed now."""
        return self.gross if self.fee is None else difference(self.gross, self.fee)


@dataclass(slots=True)
class AccountHistory:
    """The rows of one account, oldest first, and the parts that could not be read."""

    rows: list[HistoryRow] = field(default_factory=list)
    errors: dict[HistoryKind, DustError] = field(default_factory=dict)


EXAMPLES: Final = (
    ("--accounts desk.toml --since 30d", "the last thirty days"),
    ("--accounts desk.toml --only dust --json", "lines of JSON"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--since",
        type=_arguments.moment,
        metavar="TIME",
        help="only from this time on: 2026-11-01, 2026-11-01T08:00 (UTC unless it has a zone),"
        " or 30d for 30 days ago",
    )
    parser.add_argument(
        "--until", type=_arguments.moment, metavar="TIME", help="only before this time"
    )
    parser.add_argument(
        "--only",
        choices=("dust", "liabilities", "transfers", "repayments"),
        help="only conversions (dust), or only exchanged debts (liabilities); or transfers from the"
        " funding to the spot wallet, or repayments of debts, which are not shown otherwise",
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    parser.epilog = (
        "Without --since the exchange shows the newest hundred conversions, and the debts that were"
        " exchanged in the last 30 days; of transfers and repayments it shows those of the last"
        " seven days."
    )
    _context.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Read every account's history, and show it."""
    if options.since and options.until and options.since > options.until:
        raise ConfigurationError("--since is after --until")
    read = partial(
        _read_history,
        only=options.only or "dust liabilities",
        since=options.since,
        until=options.until,
    )
    failed = False
    received = Amounts()
    table = TerminalTable(
        *(text(title, 0) for title in ("when (UTC)", "account", "asset")),
        figure("amount"),
        *figures("gross", "fee", rank=3),
        figure("net", 0),
        text("kind", 4),
        text("transaction", 5),
    )
    async with (
        _context.open_context(options, with_history=True) as context,
        aclosing(_context.ask_each(context.clients, read)) as answers,
    ):
        async for client, answer in answers:
            if isinstance(answer, DustError):
                found = AccountHistory(errors={"dust": answer})
            else:
                found = answer
            failed = failed or bool(found.errors)
            for row in found.rows:
                table.add_row(*_cells(row))
                if row.kind in ("dust", "margin dust"):
                    received.add(row.target, row.net)
                if options.json:
                    print_json(_as_json(row), rehearsal=context.rehearsal)
            _print_errors(context, client.name, found.errors, as_json=options.json)
    if not options.json:
        _print(table, received)
        if context.rehearsal:
            print_rehearsal(make_console())
    return 1 if failed else 0


# --- reading -------------------------------------------------------------------------------------


def spans(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Cut a time into spans that one question may ask for, the newest first."""
    since = max(since, OLDEST)
    while since < until:
        start = max(since, until - LONGEST_SPAN)
        yield start, until
        until = start - _MILLISECOND


async def _read_history(
    client: DustClient,
    *,
    only: str,
    since: datetime | None,
    until: datetime | None,
) -> AccountHistory:
    """Read one account. A part that fails does not stop the others."""
    history = AccountHistory()
    if "dust" in only:
        await _add_dust(history, client, "dust", since, until)
    if only == "transfers":
        await _add(history, "transfer", _transfers(client, since, until))
    elif await _has_margin(client):
        if "dust" in only:
            await _add_dust(history, client, "margin dust", since, until)
        if "liabilities" in only:
            await _add(history, "liability", _liabilities(client, since, until))
        if only == "repayments":
            await _add(history, "repayment", _repayments(client, since, until))
    history.rows.sort(key=lambda row: row.at)
    return history


async def _has_margin(client: DustClient) -> bool:
    try:
        return (await client.account_info()).is_margin_enabled is not False
    except DustError:
        return True  # the questions about margin will show


async def _add_dust(
    history: AccountHistory,
    client: DustClient,
    kind: Literal["dust", "margin dust"],
    since: datetime | None,
    until: datetime | None,
) -> None:
    account_type: AccountType = "SPOT" if kind == "dust" else "MARGIN"
    unread: dict[str, UnreadRow] = {}
    try:
        entries = await _read_dust_log(client, account_type, since, until, unread)
    except DustError as error:
        history.errors[kind] = error
        return
    if unread:
        history.errors[kind] = UnreadableAnswerError("; ".join(unread), account=client.name)
    history.rows += [row for entry in entries for row in _dust_rows(client.name, kind, entry)]


async def _read_dust_log(
    client: DustClient,
    account_type: AccountType,
    since: datetime | None,
    until: datetime | None,
    unread: dict[str, UnreadRow],
) -> list[DustLogEntry]:
    """Read all conversions of a time; without `since`, the newest hundred.

    `unread` gets those that can't be read, each once.
    """
    if since is None:
        log = await client.dust_log(end=until, account_type=account_type)
        unread.update((str(row), row) for row in log.unread)
        return log.user_asset_dribblets
    found: dict[tuple[int | None, datetime | None], DustLogEntry] = {}
    for first, last in spans(since, until or client.session.now()):
        end = last
        while True:
            log = await client.dust_log(start=first, end=end, account_type=account_type)
            entries = log.user_asset_dribblets
            new = {(each.trans_id, each.happened_at): each for each in entries}
            times = [at for key in new if key not in found and (at := key[1]) is not None]
            times += [row.at for row in log.unread if row.at and str(row) not in unread]
            found.update(new)
            unread.update((str(row), row) for row in log.unread)
            if len(entries) + len(log.unread) < _FULL or not times:
                break
            # Include the oldest again: another conversion may have the same millisecond.
            end = max(first, min(times))
    return list(found.values())


def _dust_rows(account: str, kind: HistoryKind, entry: DustLogEntry) -> Iterator[HistoryRow]:
    at = entry.happened_at
    if at is None:
        return  # it has no details
    for detail in entry.user_asset_dribblet_details:
        yield HistoryRow(
            account=account,
            kind=kind,
            at=at,
            asset=detail.from_asset,
            amount=detail.amount,
            target=entry.target_of(detail),
            gross=detail.transferred_amount,
            fee=detail.service_charge_amount,
            transaction_id=entry.trans_id,
        )


async def _add(history: AccountHistory, kind: HistoryKind, rows: AsyncIterator[HistoryRow]) -> None:
    try:
        async for row in rows:
            history.rows.append(row)
    except DustError as error:
        history.errors[kind] = error


async def _liabilities(
    client: DustClient, since: datetime | None, until: datetime | None
) -> AsyncIterator[HistoryRow]:
    times: list[tuple[datetime | None, datetime | None]] = [(None, until)]
    if since is not None:
        times = [*spans(since, until or client.session.now())]
    for start, end in times:
        async for exchange in client.small_liability_history(start=start, end=end):
            yield HistoryRow(
                account=client.name,
                kind="liability",
                at=exchange.timestamp,
                asset=exchange.asset,
                amount=exchange.amount,
                target=exchange.target_asset,
                gross=exchange.target_amount,
            )


async def _transfers(
    client: DustClient, since: datetime | None, until: datetime | None
) -> AsyncIterator[HistoryRow]:
    async for done in client.transfers(kind="FUNDING_MAIN", start=since, end=until):
        if done.status == "CONFIRMED":
            yield _moved(client, "transfer", done)


async def _repayments(
    client: DustClient, since: datetime | None, until: datetime | None
) -> AsyncIterator[HistoryRow]:
    async for done in client.capital_flow(kind="REPAY", start=since, end=until):
        yield _moved(client, "repayment", done)


def _moved(client: DustClient, kind: HistoryKind, done: TransferRecord | CapitalFlow) -> HistoryRow:
    amount = done.amount.copy_abs()  # what leaves an account is negative in its flow
    return HistoryRow(
        account=client.name,
        kind=kind,
        at=done.timestamp,
        asset=done.asset,
        amount=amount,
        target=done.asset,
        gross=amount,
        transaction_id=done.tran_id,
    )


# --- printing ------------------------------------------------------------------------------------


def _print_errors(
    context: CommandContext, account: str, errors: Mapping[Any, DustError], *, as_json: bool
) -> None:
    for kind, error in errors.items():
        if as_json:
            row = {"account": account, "kind": kind, "error": plain(error)}
            print_json(row, rehearsal=context.rehearsal)
        else:
            print_stderr(f"{account}: {kind}: {reason_of(error, account)}")


def _as_json(row: HistoryRow) -> dict[str, Any]:
    return {
        "account": row.account,
        "kind": row.kind,
        "at": plain(row.at),
        "asset": row.asset,
        "amount": plain(row.amount),
        "target": row.target,
        "gross": plain(row.gross),
        "fee": plain(row.fee),
        "net": plain(row.net),
        "transaction_id": row.transaction_id,
    }


def _cells(row: HistoryRow) -> tuple[str, ...]:
    return (
        f"{row.at:%Y-%m-%d %H:%M:%S}",
        f"[cyan]{escape(row.account)}[/]",
        escape(row.asset),
        f"{row.amount:f}",
        f"{row.gross:f}",
        "" if row.fee is None else f"{row.fee:f}",
        f"{row.net:f} {escape(row.target)}",
        row.kind,
        "" if row.transaction_id is None else str(row.transaction_id),
    )


def _print(table: TerminalTable, received: Amounts) -> None:
    out = make_console()
    if not table.row_count:
        out.print("Nothing was converted, exchanged or moved in that time.")
        return
    out.print(table)
    if received:
        out.print(f"\nReceived for dust, after fees: {received}.")
