"""One account as converters see it: its client, its place in the ledger, and its claims."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from binance_dust._util.checks import instance
from binance_dust.client import DustClient
from binance_dust.errors import GuardError
from binance_dust.ledger import OPEN, Claim, Ledger, account_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from binance_dust.ledger import LedgerEntry
    from binance_dust.ledger._access import Role

__all__ = ["CLAIM", "Desk"]

CLAIM: Final = timedelta(seconds=90)
"""How long a claim lasts without being renewed: longer than one call with its intent takes."""


class Desk:
    """An account's client and ledger, checked, with what both need to know of each other."""

    __slots__ = ("account", "client", "key_id", "ledger")

    def __init__(self, client: DustClient, ledger: Ledger) -> None:
        """Check what was passed in."""
        self.client = instance(client, DustClient, "client")
        self.ledger = instance(ledger, Ledger, "ledger")
        self.account = account_of(client)
        # Of no use to anybody who doesn't have the key already.
        self.key_id = sha256(client.credentials.api_key.encode()).hexdigest()[:16]

    def now(self) -> datetime:
        """Give the exchange's time."""
        return self.client.session.now()

    def claim_clock(self) -> datetime:
        """Give the time that claims go by: the machine's, on which all who share a file agree."""
        return self.client.session.machine_time()

    async def refuse_other_books(self) -> None:
        """Stop where a rehearsal would get into real books, or the other way round."""
        await self.ledger.refuse_other(self.client.session)

    @asynccontextmanager
    async def claimed(self, role: Role, length: timedelta = CLAIM) -> AsyncIterator[Claim]:
        """Hold the right to work on the account, in this process and all others."""
        claim = Claim(self.account, role, secrets.token_hex())
        now = self.claim_clock()
        try:
            await self.ledger.claim(claim, now=now, length=length)
        except GuardError as error:
            if error.retry_at is not None:
                error.retry_at += self.now() - now
            raise
        try:
            yield claim
        finally:
            # Handed over and not waited for: this may run where nothing can be awaited any more.
            self.ledger.release_soon(claim)

    async def open_entries(self) -> list[LedgerEntry]:
        """Read the account's entries of which it isn't known how they ended.

        Also those under another name for the same key: it is the same account.
        """
        return [
            entry
            async for entry in self.ledger.entries(status=OPEN)
            if entry.account == self.account or entry.key_id == self.key_id
        ]

    async def refuse_beside_open(self) -> None:
        """Stop where it isn't known how the call before ended."""
        for entry in await self.open_entries():
            raise GuardError(
                f"{self.account}: how entry {entry.id} ended is not known yet ({entry.status}): "
                "recover() first",
                account=self.account,
                entry_ids=(entry.id,),
            )
