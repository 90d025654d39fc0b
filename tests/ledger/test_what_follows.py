"""What the ledger says of its own entries: sums, files, and when to try again."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from binance_dust import ConfigurationError, Ledger
from binance_dust.ledger import Kind, Scope, chart
from binance_dust.ledger._cooldown import DELAY
from tests.ledger.conftest import MINUTE, NOW, intent, line, seen

HOUR = timedelta(hours=1)


async def converted(ledger: Ledger, at: timedelta, number: int, account: str = "alice") -> None:
    happened = NOW + at
    done = seen(
        line(at=happened, transaction_id=number),
        at=happened,
        transaction_id=number,
        account=account,
    )
    await ledger.record([done], now=happened)


async def refused(ledger: Ledger, at: timedelta, code: int = -5006) -> None:
    happened = NOW + at
    begun = await ledger.intend(
        intent(intended_at=happened, sent_after=happened, expires_at=happened + MINUTE),
        length=MINUTE,
    )
    await ledger.reject(begun.id, "too soon", now=happened, code=code)


async def test_the_next_time_is_learnt_from_what_is_on_record(ledger: Ledger) -> None:
    async def when(configured: timedelta) -> timedelta:
        found = await ledger.next_eligible_at(
            "alice", Kind.DUST, configured=configured, now=NOW + HOUR
        )
        return found - NOW - DELAY

    await converted(ledger, timedelta(0), 1)
    assert await when(24 * HOUR) == 24 * HOUR

    await refused(ledger, HOUR + DELAY)
    assert await when(HOUR) == 6 * HOUR

    await converted(ledger, 6 * HOUR + DELAY, 2)
    assert await when(24 * HOUR) == 12 * HOUR + DELAY


async def test_another_account_is_taught(ledger: Ledger) -> None:
    await converted(ledger, timedelta(0), 1, "bob")
    await converted(ledger, HOUR + DELAY, 2, "bob")
    await converted(ledger, timedelta(0), 3)

    one = await ledger.next_eligible_at("alice", Kind.DUST, configured=24 * HOUR, now=NOW)
    learnt = await ledger.cooldowns()
    many = learnt.next_eligible_at(Scope("alice", Kind.DUST, "SPOT"), now=NOW, configured=24 * HOUR)

    assert one == many == NOW + HOUR + DELAY


async def test_a_refusal_for_another_reason_teaches_nothing(ledger: Ledger) -> None:
    await converted(ledger, timedelta(0), 1)
    await refused(ledger, HOUR + DELAY, code=-5001)

    when = await ledger.next_eligible_at("alice", Kind.DUST, configured=HOUR, now=NOW)

    assert when == NOW + HOUR + DELAY


async def test_sums_and_pictures_of_a_ledger(ledger: Ledger) -> None:
    await converted(ledger, timedelta(0), 1)
    await converted(ledger, timedelta(days=40), 2, "bob")
    await refused(ledger, timedelta(days=41))

    months = await ledger.totals("month")
    of_bob = await ledger.totals("account", account="bob")
    early = await ledger.totals("target", until=NOW + HOUR)

    assert [(total.key, total.net) for total in months] == [
        ("2026-11", Decimal("0.01741756")),
        ("2026-12", Decimal("0.01741756")),
    ]
    assert [(total.key, total.count) for total in of_bob] == [("bob", 1)]
    assert [(total.key, total.count) for total in early] == [("BNB", 1)]
    assert chart(months).splitlines()[0] == "BNB, credited by month"
    with pytest.raises(ConfigurationError):
        await ledger.totals("week")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["dust.db", "link.db", "dust.db-wal"])
async def test_a_ledger_never_writes_a_file_over_itself(
    name: str, ledger: Ledger, path: Path
) -> None:
    await converted(ledger, timedelta(0), 1)
    (path.parent / "link.db").symlink_to(path)

    with pytest.raises(ConfigurationError, match="the ledger itself"):
        await ledger.export_csv(path.parent / name)
    with pytest.raises(ConfigurationError, match="the ledger itself"):
        await ledger.export_json_lines(str(path.parent / name))

    async with Ledger(path) as again:
        assert (await again.totals("target"))[0].count == 1


async def test_files_of_a_ledger(ledger: Ledger, tmp_path: Path) -> None:
    # Written later, happened earlier: files are in the order of what happened.
    await converted(ledger, HOUR, 1)
    await converted(ledger, timedelta(0), 2, "bob")
    await refused(ledger, 2 * HOUR)

    path = tmp_path / "books.csv"
    done = await ledger.export_csv(path)
    lines = io.StringIO()
    await ledger.export_json_lines(lines, account="alice", since=NOW + HOUR)

    rows = path.read_text(encoding="utf-8").splitlines()
    assert done.rows == 2
    assert [row.split(",")[1] for row in rows] == ["account", "bob", "alice"]
    assert [json.loads(text)["status"] for text in lines.getvalue().splitlines()] == [
        "confirmed",
        "rejected",
    ]
