"""Who may work on an account: one converter and one recoverer at a time, across processes.

A claim is good manners, and keeps two processes from planning the same conversion. It runs out by
the clock, so a holder that died blocks nobody for long. What keeps funds safe does not depend on
clocks: every intent is written in one transaction with a look at the claim and at the account's
open entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from binance_dust.errors import GuardError
from binance_dust.ledger._rows import moment, stamp

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime, timedelta

__all__ = ["Claim", "Role", "extend", "release", "take"]

Role = Literal["convert", "recover"]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on an account, until it runs out."""

    account: str
    role: Role
    holder: str


def take(connection: sqlite3.Connection, claim: Claim, *, now: datetime, length: timedelta) -> None:
    """Take a claim that is free, run out, or the holder's already; or say who has it until when."""
    row = connection.execute(
        "SELECT holder, until FROM claims WHERE account = ? AND role = ?",
        (claim.account, claim.role),
    ).fetchone()
    if row is not None and row["holder"] != claim.holder and moment(row["until"]) > now:
        raise GuardError(
            f"{claim.account}: another {claim.role} is under way",
            account=claim.account,
            retry_at=moment(row["until"]),
        )
    connection.execute(
        "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)",
        (claim.account, claim.role, claim.holder, stamp(now + length)),
    )


def extend(
    connection: sqlite3.Connection, claim: Claim, *, now: datetime, length: timedelta
) -> None:
    """Hold a claim for longer; one that somebody else has taken over is lost for good."""
    changed = connection.execute(
        "UPDATE claims SET until = ? WHERE account = ? AND role = ? AND holder = ?",
        (stamp(now + length), claim.account, claim.role, claim.holder),
    ).rowcount
    if not changed:
        raise GuardError(
            f"{claim.account}: this {claim.role} took too long, and another one took over",
            account=claim.account,
        )


def release(connection: sqlite3.Connection, claim: Claim) -> None:
    """Give a claim back, if it is still the holder's."""
    connection.execute(
        "DELETE FROM claims WHERE account = ? AND role = ? AND holder = ?",
        (claim.account, claim.role, claim.holder),
    )
