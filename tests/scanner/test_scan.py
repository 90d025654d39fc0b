"""Many accounts at once, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from binance_dust import (
    ConfigurationError,
    Credentials,
    CredentialsError,
    DustClient,
    RateLimits,
    Session,
    UnreadableAnswerError,
    estimate_scan,
    models,
    scan,
)
from binance_dust.reports import AccountReport, Settled, page
from binance_dust.reports._lines import CsvRows
from binance_dust.sandbox import Permissions, Sandbox
from tests.systems import needs_address

INFO = "GET /sapi/v1/account/info"
MARGIN = "GET /sapi/v1/margin/account"
LIST = "GET /sapi/v1/margin/exchange-small-liability"
SCHEDULE = "GET /sapi/v1/spot/delist-schedule"
WALLETS = "GET /sapi/v1/asset/wallet/balance"
ASSETS = "POST /sapi/v3/asset/getUserAsset"
QUOTE = "POST /sapi/v1/asset/dust-convert/query-convertible-assets"


async def test_a_report_has_what_single_calls_give(exchange: Sandbox, session: Session) -> None:
    client = session.client(
        exchange.open_account("alice", ADA="6.21", margin=True, debts={"ETH": "0.001"})
    )

    (report,) = [report async for report in scan([client], target="USDT", liabilities=True)]

    assert report.ok
    assert report.account == "alice"
    assert report.target == "USDT"
    assert report.assets == await client.user_assets()
    assert report.quote == await client.convertible_assets("USDT")
    assert report.liabilities == await client.small_liabilities()
    assert report.settled_by is Settled.LIST
    assert report.net + report.fee == report.gross > 0
    assert report.owed == {"USDT": report.liabilities[0].liability_qty}
    assert report.at.utcoffset() is not None


@pytest.mark.parametrize(
    ("choice", "calls"), [("auto", 3), (True, 12), (False, 0)], ids=["auto", "always", "never"]
)
async def test_the_heavy_list_is_asked_only_where_it_has_to_be(
    choice: bool | str, calls: int, exchange: Sandbox, session: Session
) -> None:
    clients = [
        session.client(
            exchange.open_account(
                f"account-{number}",
                ADA="1",
                margin=number < 6,
                debts={"ETH": "0.001"} if number < 3 else None,
            )
        )
        for number in range(12)
    ]

    reports = {report.account: report async for report in scan(clients, liabilities=choice)}  # type: ignore[arg-type]

    assert all(report.ok for report in reports.values())
    assert len(exchange.requests_of(LIST)) == calls
    assert sum(bool(report.liabilities) for report in reports.values()) == (3 if choice else 0)
    if choice == "auto":
        settled = [reports[f"account-{number}"].settled_by for number in range(12)]
        expected = [Settled.LIST] * 3 + [Settled.NO_DEBT] * 3 + [Settled.NO_MARGIN] * 6
        assert settled == expected
        assert (len(exchange.requests_of(INFO)), len(exchange.requests_of(MARGIN))) == (12, 6)
    elif choice:
        # An account without margin has no list; that is an answer, and no failure.
        assert reports["account-9"].settled_by is Settled.NO_MARGIN
    else:
        assert {report.settled_by for report in reports.values()} == {Settled.NOT_ASKED}


@pytest.mark.parametrize("failing", [INFO, MARGIN])
async def test_where_a_cheap_question_fails_the_list_is_asked(
    failing: str, exchange: Sandbox, session: Session
) -> None:
    client = session.client(exchange.open_account("alice", margin=True, debts={"ETH": "0.001"}))
    exchange.faults.wrong_shape(endpoint=failing, times=None)

    (report,) = [report async for report in scan([client])]

    assert report.ok
    assert report.settled_by is Settled.LIST
    assert [row.asset for row in report.liabilities] == ["ETH"]


async def test_a_key_that_is_refused_costs_no_heavy_list(
    exchange: Sandbox, session: Session
) -> None:
    good = exchange.open_account("alice", margin=True, debts={"ETH": "0.001"})
    bad = session.client(Credentials(good.api_key, "a wrong secret".replace(" ", ""), name="bad"))

    (report,) = [report async for report in scan([bad])]

    assert set(report.errors) == {"assets", "quote", "liabilities"}
    assert all(isinstance(error, CredentialsError) for error in report.errors.values())
    assert (report.assets, report.quote, report.liabilities) == ([], None, [])
    assert report.settled_by is None
    assert exchange.requests_of(LIST) == ()


async def test_a_key_that_may_not_see_margin_is_told_so_in_its_part(
    exchange: Sandbox, session: Session
) -> None:
    client = session.client(exchange.open_account("alice", ADA="6.21", margin=True))
    exchange.faults.fail(400, code=-2015, msg="no permission", endpoint=LIST, times=None)
    exchange.faults.fail(400, code=-2015, msg="no permission", endpoint=MARGIN, times=None)

    (report,) = [report async for report in scan([client])]

    assert set(report.errors) == {"liabilities"}
    assert isinstance(report.errors["liabilities"], CredentialsError)
    assert report.quote is not None


async def test_one_bad_account_does_not_end_a_scan(
    exchange: Sandbox, session: Session, clients: list[DustClient]
) -> None:
    stranger = session.client(Credentials("k" * 64, "s" * 64, name="stranger"))

    reports = {report.account: report async for report in scan([stranger, *clients])}

    assert len(reports) == 13
    assert [name for name, report in reports.items() if not report.ok] == ["stranger"]


async def test_an_answer_of_another_shape_fails_its_part_alone(
    exchange: Sandbox, clients: list[DustClient]
) -> None:
    exchange.faults.wrong_shape(endpoint=ASSETS, account=clients[3].name, times=None)

    reports = {report.account: report async for report in scan(clients)}

    failed = reports[clients[3].name]
    assert isinstance(failed.errors.pop("assets"), UnreadableAnswerError)  # type: ignore[attr-defined]
    assert failed.quote is not None
    assert all(report.ok for report in reports.values())
    assert len(reports) == 12


@pytest.mark.parametrize(
    ("path", "field", "part"),
    [
        (ASSETS, "free", "assets"),
        (QUOTE, "toTargetAssetOffExchange", "quote"),
        (LIST, "liabilityQty", "liabilities"),
    ],
)
async def test_a_row_that_can_not_be_read_is_left_out_and_told(
    exchange: Sandbox, session: Session, path: str, field: str, part: str
) -> None:
    """Nothing read is not zero: the report is not ok, and the other rows are there."""
    debts = {"ETH": "0.001", "XRP": "0.5"}
    client = session.client(exchange.open_account("alice", ADA="6.21", XRP="1.5", debts=debts))
    exchange.faults.put({field: None}, nth=1, times=None, endpoint=path)

    (report,) = [report async for report in scan([client])]

    kept: dict[str, list[Any]] = {
        "assets": report.assets,
        "quote": report.quote.details if report.quote else [],
        "liabilities": report.liabilities,
    }
    assert {name: len(rows) for name, rows in kept.items()} == {
        name: 1 if name == part else 2 for name in kept
    }
    assert list(report.errors) == [part]
    assert "1 row left out: $" in str(report.errors[part])
    assert not report.ok
    assert report.net >= 0


@pytest.mark.parametrize("part", ["user_assets", "margin_account"])
async def test_an_amount_that_is_no_number_fails_its_part_and_nothing_else(
    part: str, exchange: Sandbox, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amounts are converted when they are read; that must not be where somebody sums reports up."""
    client = session.client(exchange.open_account("alice", ADA="6.21", debts={"ETH": "0.001"}))
    answer = getattr(DustClient, part)

    async def spoiled(self: DustClient) -> Any:
        found = await answer(self)
        rows = found if part == "user_assets" else found.user_assets
        rows[0] = msgspec.structs.replace(rows[0], free="NaN")
        return found

    monkeypatch.setattr(DustClient, part, spoiled)

    (report,) = [report async for report in scan([client])]

    if part == "user_assets":
        assert isinstance(report.errors["assets"], UnreadableAnswerError)
        assert report.assets == []
    # A cheap question that can't be read settles nothing: the list is asked.
    assert report.settled_by is Settled.LIST
    assert report.quote is not None
    assert report.net > 0


async def test_clients_may_come_from_anything_iterable(
    exchange: Sandbox, clients: list[DustClient]
) -> None:
    def one_by_one() -> Iterator[DustClient]:
        yield from clients

    async def after_a_while() -> AsyncIterator[DustClient]:
        for client in clients:
            await asyncio.sleep(0)
            yield client

    names = {client.name for client in clients}
    for source in (clients, tuple(clients), one_by_one(), after_a_while()):
        reports = scan(source, liabilities=False)
        assert {report.account async for report in reports} == names
        progress = reports.progress
        assert (progress.done, progress.failed) == (12, 0)
        known = isinstance(source, list | tuple)
        assert (progress.total, progress.seconds_left) == ((12, 0.0) if known else (None, None))


async def test_skipped_accounts_are_left_out(clients: list[DustClient]) -> None:
    done = [client.name for client in clients[:9]]

    reports = scan(clients, liabilities=False, skip=done)

    assert {report.account async for report in reports} == {c.name for c in clients[9:]}
    assert reports.progress.total == 3


@pytest.mark.parametrize("lazily", ["not", "with a pause", "without"])
async def test_skipped_accounts_are_left_out_of_any_source_of_clients(
    clients: list[DustClient], lazily: str
) -> None:
    async def after_a_while() -> AsyncIterator[DustClient]:
        for client in clients:
            yield client

    sources: dict[str, Any] = {
        "not": clients,
        "with a pause": after_a_while(),
        "without": iter(clients),
    }
    done = [client.name for client in clients[:9]]

    reports = scan(sources[lazily], liabilities=False, concurrency=1, skip=done)

    assert {report.account async for report in reports} == {c.name for c in clients[9:]}


async def test_no_more_accounts_are_read_ahead_than_fit(
    clients: list[DustClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("binance_dust.scanner._scan._AHEAD", 2)
    monkeypatch.setattr("binance_dust.scanner._lanes.WAITING_FOR_LIST", 1)
    read: list[DustClient] = []

    def one_by_one() -> Iterator[DustClient]:
        for client in clients:
            read.append(client)
            yield client

    done, ahead = 0, []
    async for _ in scan(one_by_one(), liabilities=False, concurrency=1):
        done += 1
        ahead.append(len(read) - done)

    assert done == 12
    # Two are under way, two wait, one is in hand, and one report is ready.
    assert 3 <= max(ahead) <= 6


async def test_progress_begins_with_nothing_and_ends_with_what_was_done(
    clients: list[DustClient], exchange: Sandbox, session: Session
) -> None:
    bad = session.client(Credentials("no-such-key", "secret", name="bad"))
    reports = scan([*clients, bad], liabilities=False)
    before = reports.progress
    assert (before.done, before.failed, before.total) == (0, 0, None)
    assert (before.elapsed, before.seconds_left, before.lanes) == (0.0, None, ())

    began = asyncio.get_running_loop().time()
    assert len([report async for report in reports]) == 13
    took = asyncio.get_running_loop().time() - began

    after = reports.progress
    assert (after.done, after.failed, after.total, after.seconds_left) == (13, 1, 13, 0.0)
    assert 0.0 < after.elapsed <= took
    assert [(lane.asked, lane.expected) for lane in after.lanes] == [(13, 13), (13, 13)]
    await asyncio.sleep(0.001)
    assert reports.progress == after, "its time stands still"


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"liabilities": "sometimes"}, ConfigurationError, "True, False or 'auto'"),
        ({"concurrency": 0}, ConfigurationError, "at least 1"),
        ({"concurrency": "many"}, TypeError, "must be a"),
        ({"target": " "}, ConfigurationError, "name an asset"),
        ({"skip": "alice"}, TypeError, "collection of names"),
        ({"account_type": "FUNDING"}, ConfigurationError, "SPOT or MARGIN"),
    ],
)
async def test_wrong_use_is_an_error_before_anything_is_sent(
    options: dict[str, object],
    error: type[Exception],
    text: str,
    exchange: Sandbox,
    clients: list[DustClient],
) -> None:
    with pytest.raises(error, match=text):
        scan(clients, **options)  # type: ignore[arg-type]

    assert exchange.requests == ()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"liabilities": "sometimes"}, ConfigurationError, "True, False or 'auto'"),
        ({"margin_share": 1.5}, ConfigurationError, "margin_share must be between 0 and 1"),
        ({"debt_share": float("nan")}, ConfigurationError, "debt_share must be between 0 and 1"),
        ({"debt_share": "much"}, TypeError, "debt_share must be a number"),
    ],
)
async def test_wrong_use_of_an_estimate_is_an_error(
    options: dict[str, Any], error: type[Exception], text: str, clients: list[DustClient]
) -> None:
    with pytest.raises(error, match=text):
        estimate_scan(clients, **options)


async def test_anything_else_than_clients_is_an_error(session: Session, exchange: Sandbox) -> None:
    account = exchange.open_account("alice")

    with pytest.raises(TypeError, match="clients must be iterable"):
        scan(session.client(account))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="DustClient, not Credentials"):
        await anext(scan([account]))  # type: ignore[list-item]
    with pytest.raises(TypeError, match="DustClient, not Credentials"):
        estimate_scan([account])  # type: ignore[list-item]
    assert exchange.requests == ()


async def test_two_addresses_scan_twice_as_fast_as_one() -> None:
    """In one window of an hour: more than one limit allows, each address within its own."""
    hour = 3600.0
    async with Sandbox(window=hour) as exchange:
        accounts = [exchange.open_account(f"a{n}", margin=True) for n in range(218)]
        addresses = ("127.0.0.1", needs_address("127.0.0.2"))
        sessions = [
            Session(base_url=exchange.url, limits=RateLimits(window=hour), local_addr=address)
            for address in addresses
        ]
        clients = [sessions[n % 2].client(account) for n, account in enumerate(accounts)]

        # One address could ask 120 of them before the hour ends.
        reports = [report async for report in scan(clients, liabilities=True)]

        for session in sessions:
            await session.close()
        assert len(reports) == 218
        assert all(report.ok for report in reports)
        assert exchange.refusals == 0
        for n, address in enumerate(addresses):
            assert exchange.peak_weight(LIST, address=address) == 10_900
            seen = {each.account for each in exchange.requests if each.address == address}
            assert seen - {None} == {account.name for account in accounts[n::2]}


async def test_rights_that_are_missing_are_told_once(exchange: Sandbox, session: Session) -> None:
    alice = exchange.open_account("alice", ADA="1", permissions=Permissions(reading=False))

    (report,) = [report async for report in scan([session.client(alice)])]

    assert isinstance(report.errors["assets"], CredentialsError)
    assert len(exchange.requests_of(ASSETS)) == 1


async def test_what_lies_in_other_wallets_is_read_if_asked_for(
    exchange: Sandbox, session: Session
) -> None:
    alice = exchange.open_account("alice", ADA="1", funding={"TRX": "5", "ADA": "0.5"})
    bob = exchange.open_account("bob", ADA="1", margin={"USDT": "3"})
    clients = [session.client(each) for each in (alice, bob)]

    plain = [report async for report in scan(clients)]
    assert [report.elsewhere for report in plain] == [None, None]
    assert exchange.requests_of(WALLETS) == ()
    found = {report.account: report async for report in scan(clients, elsewhere=True)}

    elsewhere = found["alice"].elsewhere
    assert elsewhere is not None
    (funding,) = elsewhere
    assert funding.wallet_name == "Funding"
    held = {row.asset: str(row.free) for row in funding.asset_balances or ()}
    assert held == {"ADA": "0.5", "TRX": "5"}
    assert [wallet.wallet_name for wallet in found["bob"].elsewhere or ()] == ["Cross Margin"]
    assert [request.parameters["needBalanceDetail"] for request in exchange.requests_of(WALLETS)]
    assert AccountReport.from_plain(found["alice"].to_plain()).elsewhere == elsewhere
    assert ">Funding<" in found["alice"]._repr_html_()


async def test_a_wallet_is_told_for_what_is_in_it_or_for_its_worth(
    exchange: Sandbox, session: Session
) -> None:
    alice = exchange.open_account("alice", funding={"PEPE": "0.001"}, margin=True)
    client = session.client(alice)

    (report,) = [report async for report in scan([client], elsewhere=True)]
    (worthless,) = report.elsewhere or []
    exchange.account("alice").deposit("TRX", "5", "FUNDING")
    exchange.faults.leave_out("assetBalances", endpoint=WALLETS)
    (report,) = [report async for report in scan([client], elsewhere=True)]
    (untold,) = report.elsewhere or []

    assert worthless.balance == 0
    assert len(worthless.asset_balances or []) == 1
    assert untold.asset_balances is None
    assert 0 < untold.balance < 1
    # Its worth is all that there is to show, and it is shown wherever the report is.
    assert f">{untold.balance:f}</td></tr></tbody></table>" in report._repr_html_()
    (row,) = [line for line in CsvRows().encode(report).decode().splitlines() if "Funding" in line]
    assert row.split(",")[2:] == [
        "elsewhere: Funding",
        "",
        "",
        "",
        f"{untold.balance:f}",
        "",
        "",
        "BTC",
        "",
    ]
    assert "all of it" in page([report])


async def test_one_reading_of_the_schedules_tells_a_desk_what_will_be_delisted(
    exchange: Sandbox, session: Session
) -> None:
    names = ["alice", "bob", "carol"]
    held: list[Any] = [{"ADA": "6.21", "XRP": "1"}, {"ADA": "3", "KOGE": "0.01"}, {"TRX": "5"}]
    pairs = zip(names, held, strict=True)
    clients = [session.client(exchange.open_account(name, **each)) for name, each in pairs]
    first, later = (exchange.now() + days * 86_400 for days in (1, 3))
    exchange.delist("KOGE", datetime.fromtimestamp(first, UTC))
    exchange.delist("ADA", datetime.fromtimestamp(later, UTC))

    delistings = await clients[0].delistings()
    found = {each.account: each async for each in scan(clients, delistings=delistings)}
    plain = [each.last_chances async for each in scan(clients)]

    told = {name: [each.asset for each in found[name].last_chances] for name in names}
    assert told == {"alice": ["ADA"], "bob": ["KOGE", "ADA"], "carol": []}
    assert all(each.goes for each in found["bob"].last_chances)
    assert plain == [[], [], []]
    for market in ("spot", "margin"):
        assert len(exchange.requests_of(f"GET /sapi/v1/{market}/delist-schedule")) == 1
    bob = found["bob"]
    assert AccountReport.from_plain(bob.to_plain()).last_chances == bob.last_chances
    assert "KOGE: convert it before" in bob._repr_html_()
    rows = CsvRows().encode(bob).decode().splitlines()
    until = f"{datetime.fromtimestamp(first, UTC):%Y-%m-%dT%H:%M}"
    assert [row.split(",")[3] for row in rows if f"delisted: {until}" in row] == ["KOGE"]
    text = page(found.values())
    assert "What is about to be delisted, in BNB" in text
    assert ">3 balances<" in text
    with pytest.raises(TypeError, match="delistings"):
        scan(clients, delistings=["ADA"])  # type: ignore[arg-type]


async def test_a_scan_reads_the_schedules_itself_once_by_a_key_that_is_taken(
    exchange: Sandbox, session: Session
) -> None:
    stranger = Credentials("k" * 64, "s" * 64, name="stranger")
    accounts = [stranger, *(exchange.open_account(f"a{n}", KOGE="0.01") for n in range(20))]
    exchange.delist("KOGE", datetime.fromtimestamp(exchange.now() + 86_400, UTC))
    clients = [session.client(each) for each in accounts]

    reports = {each.account: each async for each in scan(clients, delistings=True)}

    assert isinstance(reports.pop("stranger").errors["delistings"], CredentialsError)
    assert [(each.ok, len(each.last_chances)) for each in reports.values()] == [(True, 1)] * 20
    assert len([seen for seen in exchange.requests_of(SCHEDULE) if seen.account]) == 1


async def test_schedules_that_can_not_be_read_are_asked_for_once_and_are_an_error_of_all(
    exchange: Sandbox, session: Session
) -> None:
    clients = [session.client(exchange.open_account(f"a{n}", ADA="1")) for n in range(5)]
    exchange.faults.fail(400, code=-1130, endpoint=SCHEDULE, times=None)

    reports = [each async for each in scan(clients, delistings=True)]

    assert [list(each.errors) for each in reports] == [["delistings"]] * 5
    assert [len(each.assets) for each in reports] == [1] * 5
    assert len(exchange.requests_of(SCHEDULE)) == 1


async def test_dust_in_margin_ends_with_margin(exchange: Sandbox, session: Session) -> None:
    alice = exchange.open_account(
        "alice", ADA="1", margin={"ADA": "6", "XRP": "1"}, funding={"TRX": "5", "XRP": "1"}
    )
    client = session.client(alice)
    at = datetime.now(UTC)
    leaving = models.MarginDelisting(delist_time=at, cross_margin_assets=["XRP"])
    stops = models.Delisting(delist_time=at + timedelta(days=1), symbols=["TRXUSDT"])
    schedules = models.Delistings([stops], [leaving])

    (spot,) = [each async for each in scan([client], delistings=schedules)]
    reports = scan([client], delistings=schedules, account_type="MARGIN")
    (margin,) = [each async for each in reports]

    reports = scan([client], delistings=schedules, elsewhere=True, account_type="MARGIN")
    (everywhere,) = [each async for each in reports]

    assert spot.last_chances == []
    assert [(each.asset, each.account_type) for each in margin.last_chances] == [("XRP", "MARGIN")]
    found = [(each.asset, each.account_type) for each in everywhere.last_chances]
    assert found == [("XRP", "MARGIN"), ("TRX", "Funding")]


async def test_other_wallets_that_can_not_be_read_are_an_error_of_their_own(
    exchange: Sandbox, session: Session
) -> None:
    client = session.client(exchange.open_account("alice", ADA="1", funding={"TRX": "5"}))
    exchange.faults.fail(400, code=-1130, endpoint=WALLETS)

    (report,) = [report async for report in scan([client], elsewhere=True)]

    assert list(report.errors) == ["elsewhere"]
    assert (report.elsewhere, len(report.assets)) == (None, 1)


async def test_no_account_at_all_is_no_harm() -> None:
    assert estimate_scan([]).seconds == 0
    assert [report async for report in scan([])] == []
