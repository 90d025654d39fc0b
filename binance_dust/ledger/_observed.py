"""From the exchange's own records to what the ledger takes in."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from binance_dust.ledger._entry import Kind, LedgerLine, Observed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from binance_dust.endpoints import AccountType
    from binance_dust.models import ConvertedAsset, DustLog, DustLogEntry, SmallLiabilityExchange

__all__ = ["converted_lines", "from_dust_log", "from_liabilities"]


def from_dust_log(log: DustLog, account: str, account_type: AccountType) -> Iterator[Observed]:
    """Read a page of the dust log: a record each, and one for each target where it has several."""
    for group in log.user_asset_dribblets:
        yield from _from_group(group, account, account_type)


def _from_group(group: DustLogEntry, account: str, account_type: AccountType) -> Iterator[Observed]:
    by_target: dict[str, list[LedgerLine]] = {}
    for detail in group.user_asset_dribblet_details:
        line = LedgerLine(
            asset=detail.from_asset,
            amount=detail.amount,
            gross=detail.transferred_amount,
            fee=detail.service_charge_amount,
            at=detail.operate_time,
            transaction_id=detail.trans_id,
        )
        by_target.setdefault(group.target_of(detail), []).append(line)
    for target, lines in by_target.items():
        yield Observed(
            account=account,
            kind=Kind.of_record(target),
            account_type=account_type,
            target=target,
            transaction_id=group.trans_id,
            at=group.happened_at or lines[0].at,
            lines=tuple(lines),
        )


def from_liabilities(rows: Iterable[SmallLiabilityExchange], account: str) -> Iterator[Observed]:
    """Read exchanged debts: a record for each moment and target, since they have no id."""
    groups: dict[tuple[str, object], list[LedgerLine]] = {}
    for row in rows:
        line = LedgerLine(
            asset=row.asset,
            amount=row.amount,
            gross=row.target_amount,
            # The debts are gathered at what they are worth; no fee is documented.
            fee=Decimal(0),
            at=row.timestamp,
        )
        groups.setdefault((row.target_asset, row.timestamp), []).append(line)
    for (target, _), lines in groups.items():
        yield Observed(
            account=account,
            kind=Kind.LIABILITIES,
            account_type="MARGIN",
            target=target,
            transaction_id=None,
            at=lines[0].at,
            lines=tuple(lines),
        )


def converted_lines(rows: Iterable[ConvertedAsset]) -> tuple[LedgerLine, ...]:
    """Read what the answer of a conversion says that it did."""
    return tuple(
        LedgerLine(
            asset=row.from_asset,
            amount=row.amount,
            gross=row.transferred_amount,
            fee=row.service_charge_amount,
            at=row.operate_time,
            transaction_id=row.tran_id,
        )
        for row in rows
    )
