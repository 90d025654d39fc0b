"""What is the dust of one account worth, and why does the rest stay? With --yes, convert it."""

# As it is, this runs on a local exchange: no key, no network, no file. For your own account, set
# BINANCE_API_KEY and BINANCE_API_SECRET in the environment, and in the last line give `main` only
# Credentials.from_env().

from __future__ import annotations

import asyncio
import sys

from binance_dust import Converter, Credentials, Ledger, Session
from binance_dust.sandbox import Holding, Sandbox


async def main(
    credentials: Credentials,
    *,
    base_url: str = "https://api.binance.com",
    ledger: str = "dust.db",
) -> None:
    """Show the plan, and carry it out with --yes."""
    async with Session(base_url=base_url) as session, Ledger(ledger) as books:
        converter = Converter(session.client(credentials), ledger=books, max_fee_rate="0.03")

        # An earlier run may have been interrupted. If nothing is open, this sends no request.
        for entry in await converter.recover():
            print(f"entry {entry.id}, left open by an earlier run, is {entry.status}")

        quote = await converter.quote()
        print(quote)
        if quote and "--yes" in sys.argv[1:]:
            print(await converter.convert(quote))


if __name__ == "__main__":
    with Sandbox(seed=7) as exchange:
        alice = exchange.open_account(
            "alice", ADA="6.21", XRP=Holding("1.5", locked="20"), KOGE="0.02", BTC="0.2"
        )
        asyncio.run(main(alice, base_url=exchange.url, ledger=":memory:"))
