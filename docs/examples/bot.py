"""A trading bot that turns what its rounds leave behind into BNB, and never gets in its own way."""

# As it stands this trades on a local exchange until Ctrl-C: no key, no network, no file. With your
# own account set BINANCE_API_KEY and BINANCE_API_SECRET in the environment, write a round of your
# trading in place of `trade`, and give `run` nothing but Credentials.from_env() and that.

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

from binance_dust import (
    BudgetExceededError,
    ConfigurationError,
    Converter,
    CooldownError,
    Credentials,
    CredentialsError,
    DustClient,
    DustError,
    GuardError,
    Ledger,
    OutcomeUnknownError,
    RetryPolicy,
    Session,
)
from binance_dust.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger("bot")

# Seconds that one call about leftovers may keep trading waiting, whatever is wrong today. A call
# that moves funds is never cut short by it: that would only make its outcome unknown.
PATIENCE = 5.0


class Leftovers:
    """The dust of one account, after each round of trading."""

    def __init__(self, client: DustClient, ledger: Ledger) -> None:
        """Set the rules that the converter holds every conversion to."""
        self._session = client.session
        self._converter = Converter(
            client,
            ledger=ledger,
            # What you trade with. A conversion takes all that is free of an asset, and a small
            # position looks exactly like dust.
            keep=["USDT", "SOL"],
            max_fee_rate="0.03",
        )
        self._not_before = self._session.now()

    async def tidy(self) -> None:
        """Convert what has become dust. What can't be done in this round is left to a later one."""
        if self._session.now() < self._not_before:
            return  # resting: the exchange need not even be asked
        try:
            if await self._settle():
                await self._convert()
        except (CredentialsError, ConfigurationError):
            raise  # a person has to mend this, and trading would fare no better
        except (GuardError, CooldownError) as error:
            # A rule of ours, or the exchange's: nothing was converted. `retry_at` says until when,
            # where waiting helps. Where it doesn't (a balance has changed since the quote, say),
            # the next round plans anew.
            log.info("%s", error)
            self._not_before = error.retry_at or self._not_before
        except BudgetExceededError as error:
            log.info("not in this round: %s", error)
        except DustError as error:
            # The line, maintenance, a ban, a price that moved: nothing was converted. Where the
            # ledger failed under a call something may have been: the next round settles it first.
            log.warning("%s", error)

    async def _settle(self) -> bool:
        """Find out by reading how earlier calls ended; False while that isn't known.

        With nothing open this reads the ledger, and asks the exchange nothing.
        """
        try:
            # That something did not happen takes a minute or two to prove. Reading may be cut short
            # at any line: the next round reads on, and trading needn't wait.
            async with asyncio.timeout(PATIENCE):
                settled = await self._converter.recover()
        except TimeoutError:
            return False
        for entry in settled:
            log.info("entry %d (%s) is %s", entry.id, ", ".join(entry.assets), entry.status)
        return not any(entry.open for entry in settled)

    async def _convert(self) -> None:
        quote = await self._converter.quote()
        if not quote:
            self._not_before = quote.eligible_at or self._not_before
            return
        try:
            receipt = await self._converter.convert(quote)
        except OutcomeUnknownError as error:
            # Funds may have moved. Never send it again: read what became of it, and go on.
            log.warning("%s", error)
            await self._settle()
        else:
            log.info("%s became %s BNB", ", ".join(receipt.assets) or "nothing", f"{receipt.net:f}")


async def run(
    credentials: Credentials,
    trade: Callable[[], Awaitable[None]],
    *,
    base_url: str = "https://api.binance.com",
    ledger: str = "dust.db",
) -> None:
    """Trade and tidy until SIGINT or SIGTERM; a round that has begun is ended."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def wind_up(number: int, _: object) -> None:
        loop.call_soon_threadsafe(stop.set)
        signal.signal(number, signal.SIG_DFL)  # a second one kills, which the ledger is made for

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, wind_up)

    retry = RetryPolicy(deadline=PATIENCE)
    async with Session(base_url=base_url, retry=retry) as session, Ledger(ledger) as books:
        leftovers = Leftovers(session.client(credentials), books)
        # The process before this one may have died with a call under way. That is settled before
        # the first trade: balances that have changed since prove nothing any more.
        await leftovers.tidy()
        while not stop.is_set():
            await trade()
            await leftovers.tidy()
        log.info("stopped")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    with Sandbox(seed=7) as exchange:
        alice = exchange.open_account("alice", USDT="500")

        async def trade() -> None:
            """Fill an order, which leaves a little behind."""
            await asyncio.sleep(0.5)
            exchange.account("alice").deposit("ADA", "0.7")

        asyncio.run(run(alice, trade, base_url=exchange.url, ledger=":memory:"))
