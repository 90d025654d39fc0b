"""Who may write to a ledger: real or local books, and claims on accounts.

Crosses modules: converters, sweepers and workers respect the kind of a file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from binance_dust import Converter, Credentials, DustClient, Ledger, Quote, Session
from binance_dust._call.way import is_local
from binance_dust.conversion import LiabilityExchanger, LiabilityQuote, Repayer
from binance_dust.errors import ConfigurationError, GuardError
from binance_dust.fleet import Worker
from binance_dust.ledger import Books, Claim
from binance_dust.ledger._access import key_id_of
from binance_dust.sandbox import Sandbox
from binance_dust.sweeper import Outcome, sweep
from tests.ledger.makers import MINUTE, NOW, intent, seen

REAL, LOCAL = Books.REAL, Books.LOCAL
OTHER = {REAL: LOCAL, LOCAL: REAL}


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7) as exchange:
        yield exchange


@pytest.fixture
async def client(exchange: Sandbox) -> AsyncIterator[DustClient]:
    async with Session(base_url=exchange.url) as session:
        yield session.client(
            exchange.open_account("alice", ADA="6.21", debts={"ETH": "0.0011", "SOL": "0.02"})
        )


def treat_as(client: DustClient, books: Books) -> None:
    """Make a session look real or local."""
    client.session._is_local = books is LOCAL  # type: ignore[misc]


@pytest.mark.parametrize(
    ("base_url", "local"),
    [
        ("https://api.binance.com", False),
        ("https://api.binance.com:8443/127.0.0.1", False),
        ("https://127.0.0.1.example.org", False),
        ("https://localhost.example.org", False),
        ("https://192.168.1.5", False),
        ("http://127.0.0.1:54321", True),
        ("http://127.3.2.1", True),
        ("http://LOCALHOST:1", True),
        ("https://localhost", True),
        ("http://[::1]:9000/", True),
    ],
)
def test_only_loopback_addresses_are_local(base_url: str, local: bool) -> None:
    assert is_local(base_url) is local
    assert Session(base_url=base_url).is_local is local


def test_a_key_keeps_the_id_that_ledgers_know_it_by() -> None:
    client = Session().client(Credentials("the-key-of-alice", "secret"))

    assert key_id_of(client) == "c56afa272807529f"


@pytest.mark.parametrize("books", Books)
async def test_the_first_intent_decides_the_kind_of_a_file(
    client: DustClient, path: Path, books: Books
) -> None:
    treat_as(client, books)
    async with Ledger(path) as ledger:
        converter = Converter(client, ledger=ledger)
        quote = await converter.quote()
        assert await ledger.books() is None
        await converter.convert(quote)
        assert await ledger.books() is books
    async with Ledger(path) as ledger:
        assert await ledger.books() is books


@pytest.mark.parametrize("books", Books)
async def test_a_first_sync_decides_the_kind_also_without_records(
    client: DustClient, ledger: Ledger, books: Books
) -> None:
    treat_as(client, books)

    assert (await ledger.sync(client)).added == 0

    assert await ledger.books() is books


class Setting(NamedTuple):
    """An account, the wrong ledger for it, and quotes made with another ledger."""

    client: DustClient
    ledger: Ledger
    quote: Quote
    debts: LiabilityQuote

    @property
    def converter(self) -> Converter:
        return Converter(self.client, ledger=self.ledger)

    @property
    def exchanger(self) -> LiabilityExchanger:
        return LiabilityExchanger(self.client, ledger=self.ledger)

    @property
    def repayer(self) -> Repayer:
        return Repayer(self.client, ledger=self.ledger)


async def swept(setting: Setting) -> None:
    async with sweep(
        [setting.client], ledger=setting.ledger, dry_run=False, liabilities=True
    ) as reports:
        found = [report async for report in reports]
    assert {report.outcome for report in found} == {Outcome.FAILED}
    for report in found:
        assert report.error is not None
        raise report.error


async def hired(setting: Setting) -> None:
    async with Worker([setting.client], "memory://books", ledger=setting.ledger):
        pass


DOING: dict[str, Callable[[Setting], Awaitable[Any]]] = {
    "quoting": lambda setting: setting.converter.quote(),
    "asking when": lambda setting: setting.converter.next_eligible_at(),
    "converting": lambda setting: setting.converter.convert(setting.quote),
    "recovering": lambda setting: setting.converter.recover(),
    "quoting debts": lambda setting: setting.exchanger.quote(),
    "asking when for debts": lambda setting: setting.exchanger.next_eligible_at(),
    "exchanging": lambda setting: setting.exchanger.exchange(setting.debts),
    "recovering debts": lambda setting: setting.exchanger.recover(),
    "quoting repayments": lambda setting: setting.repayer.quote(),
    "recovering repayments": lambda setting: setting.repayer.recover(),
    "syncing": lambda setting: setting.ledger.sync(setting.client),
    "sweeping": swept,
    "hiring": hired,
}


@pytest.mark.parametrize("doing", DOING)
@pytest.mark.parametrize("books", Books)
async def test_nothing_is_sent_if_the_ledger_is_of_the_other_kind(
    exchange: Sandbox, client: DustClient, ledger: Ledger, books: Books, doing: str
) -> None:
    async with Ledger(":memory:") as elsewhere:
        quote = await Converter(client, ledger=elsewhere).quote()
        debts = await LiabilityExchanger(client, ledger=elsewhere).quote()
    assert quote
    assert debts
    exchange.forget_requests()
    await ledger.intend(intent(account="bob"), length=MINUTE, books=OTHER[books])
    treat_as(client, books)
    mend = "another file for rehearsals, or" if books is LOCAL else "another file for its books"

    with pytest.raises(ConfigurationError, match=mend):
        await DOING[doing](Setting(client, ledger, quote, debts))

    assert exchange.requests == ()
    assert await ledger.books() is OTHER[books]
    assert [entry.account async for entry in ledger.entries()] == ["bob"]


async def test_of_two_kinds_the_second_writes_nothing(path: Path) -> None:
    async with Ledger(path) as one, Ledger(path) as other:
        await one.record([], now=NOW, books=REAL)

        with pytest.raises(ConfigurationError, match="of a real exchange"):
            await other.intend(intent(), length=MINUTE, books=LOCAL)
        with pytest.raises(ConfigurationError, match="of a real exchange"):
            await other.record([seen()], now=NOW, books=LOCAL)

        assert [entry async for entry in other.entries()] == []
        assert (await other.intend(intent(), length=MINUTE, books=REAL)).account == "alice"


async def test_entries_without_books_do_not_decide_the_kind(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(entry.id, "no", now=NOW)
    await ledger.record([seen()], now=NOW)
    assert await ledger.books() is None

    await ledger.intend(intent(), length=MINUTE, books=REAL)
    assert await ledger.books() is REAL


async def test_two_sandboxes_are_of_one_kind(client: DustClient, ledger: Ledger) -> None:
    await ledger.sync(client)
    async with Sandbox(seed=8) as another, Session(base_url=another.url) as session:
        report = await ledger.sync(session.client(another.open_account("carol")))

    assert report.account == "carol"


# --- claims ---------------------------------------------------------------------------------------


async def test_a_claim_has_one_holder_until_it_expires(ledger: Ledger) -> None:
    mine, theirs = Claim("alice", "convert", "me"), Claim("alice", "convert", "they")
    await ledger.claim(mine, now=NOW, length=MINUTE)
    await ledger.claim(mine, now=NOW, length=MINUTE)  # it is mine already

    with pytest.raises(GuardError, match="another convert") as caught:
        await ledger.claim(theirs, now=NOW, length=MINUTE)
    assert caught.value.retry_at == NOW + MINUTE
    await ledger.claim(Claim("alice", "recover", "they"), now=NOW, length=MINUTE)
    await ledger.claim(Claim("bob", "convert", "they"), now=NOW, length=MINUTE)

    await ledger.claim(theirs, now=NOW + MINUTE, length=MINUTE)
    with pytest.raises(GuardError, match="took over"):
        await ledger.intend(intent(), claim=mine, length=MINUTE)
    with pytest.raises(GuardError, match="took over"):
        await ledger.extend(mine, now=NOW, length=MINUTE)
    assert [entry async for entry in ledger.entries()] == []

    await ledger.release(mine)
    with pytest.raises(GuardError):
        await ledger.claim(mine, now=NOW + MINUTE, length=MINUTE)
    await ledger.release(theirs)
    await ledger.claim(mine, now=NOW + MINUTE, length=MINUTE)


async def test_each_intent_extends_the_claim(ledger: Ledger) -> None:
    mine, theirs = Claim("alice", "convert", "me"), Claim("alice", "convert", "they")
    await ledger.claim(mine, now=NOW, length=MINUTE)

    later = NOW + timedelta(seconds=59)
    await ledger.intend(intent(intended_at=later), claim=mine, length=MINUTE)

    with pytest.raises(GuardError):
        await ledger.claim(theirs, now=NOW + MINUTE, length=MINUTE)
