"""A trading bot that turns the dust of its rounds into BNB, and never holds up its own trading."""

# As it is, this trades on a local exchange until Ctrl-C: no key, no network, no file. For your own
# account, set BINANCE_API_KEY and BINANCE_API_SECRET in the environment, write a round of your
# trading in place of `trade`, and give `run` only Credentials.from_env() and your `trade`.

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

# Seconds for which one call about leftovers may hold up trading, whatever goes wrong. It never
# cuts short a call that moves funds: that would only make its outcome unknown.
PATIENCE = 5.0


class Leftovers:
    """The dust of one account, after each round of trading."""

    def __init__(self, client: DustClient, ledger: Ledger) -> None:
        """Set the rules that the converter holds every conversion to."""
        self._session = client.session
        self._converter = Converter(
            client,
            ledger=ledger,
            # The assets that you trade. A conversion takes all that is free of an asset, and a
            # small position looks exactly like dust.
            keep=["USDT", "SOL"],
            max_fee_rate="0.03",
        )
        self._not_before = self._session.now()

    async def tidy(self) -> None:
        """Convert the dust. What can't be done in this round waits for a later one."""
        if self._session.now() < self._not_before:
            return  # cooling down: no need to ask the exchange
        try:
            if await self._settle():
                await self._convert()
        except (CredentialsError, ConfigurationError):
            raise  # a person has to correct this: trading would fail too
        except (GuardError, CooldownError) as error:
            # A rule of ours or of the exchange: nothing was converted. If waiting helps, `retry_at`
            # says for how long. If not (a balance has changed since the quote, say), the next
            # round plans anew.
            log.info("%s", error)
            self._not_before = error.retry_at or self._not_before
        except BudgetExceededError as error:
            log.info("not in this round: %s", error)
        except DustError as error:
            # The network, maintenance, a ban, a price that moved: nothing was converted. Only if
            # the ledger failed during a call, funds may have moved: the next round settles that.
            log.warning("%s", error)

    async def _settle(self) -> bool:
        """Find out by reading how earlier calls ended. Return False while that isn't known.

        If nothing is open, this reads the ledger and asks the exchange nothing.
        """
        try:
            # To prove that a call did nothing takes a minute or two. Reading may be cut short at
            # any time: the next round reads on, and trading does not wait.
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
            # Funds may have moved. Never send it again: read how it ended, and go on.
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
    """Trade and tidy until SIGINT or SIGTERM. A round that has begun is finished."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def wind_up(number: int, _: object) -> None:
        loop.call_soon_threadsafe(stop.set)
        signal.signal(number, signal.SIG_DFL)  # a second one kills: the ledger survives that

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, wind_up)

    retry = RetryPolicy(deadline=PATIENCE)
    async with Session(base_url=base_url, retry=retry) as session, Ledger(ledger) as books:
        leftovers = Leftovers(session.client(credentials), books)
        # The process before this one may have died with a call under way. Settle that before the
        # first trade: after it, changed balances prove nothing.
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
            """Fill an order that leaves some dust."""
            await asyncio.sleep(0.5)
            exchange.account("alice").deposit("ADA", "0.7")

        asyncio.run(run(alice, trade, base_url=exchange.url, ledger=":memory:"))
