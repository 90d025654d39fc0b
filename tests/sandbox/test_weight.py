"""Weight: windows, payers, headers, 429, and 418 for an address that goes on after a 429."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust.sandbox import Rules
from binance_dust.sandbox._clock import Instant
from binance_dust.sandbox._weight import FixedWindow, PoolMeter, SlidingWindow, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import ExchangeBench, Reply

STATUS = "GET /sapi/v1/account/status"
INFO = "GET /sapi/v1/account/info"
DUST = "POST /sapi/v1/asset/dust"
LIST = "GET /sapi/v1/margin/exchange-small-liability"
TIME = "GET /api/v3/time"

# Gaps between requests in eighths of a second, which floats hold exactly, and their weights.
REQUESTS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 100)), max_size=60)
LENGTH = 4.0


# Windows and meters


def at(seconds: float) -> Instant:
    return Instant(seconds, seconds)


def timed(requests: list[tuple[int, int]]) -> list[tuple[float, int]]:
    times = accumulate(gap for gap, _ in requests)
    return [(time / 8, weight) for time, (_, weight) in zip(times, requests, strict=True)]


@given(REQUESTS)
def test_a_fixed_window_is_cut_at_multiples_of_its_length(requests: list[tuple[int, int]]) -> None:
    window, seen = FixedWindow(LENGTH), timed(requests)

    for n, (time, weight) in enumerate(seen):
        same = [w for t, w in seen[:n] if t // LENGTH == time // LENGTH]
        assert window.used(at(time)) == sum(same)
        assert window.add(weight, at(time)) == sum(same) + weight


@given(REQUESTS)
def test_a_sliding_window_looks_back_by_its_length(requests: list[tuple[int, int]]) -> None:
    window, seen = SlidingWindow(LENGTH), timed(requests)

    for n, (time, weight) in enumerate(seen):
        recent = [w for t, w in seen[:n] if t > time - LENGTH]
        assert window.used(at(time)) == sum(recent)
        assert window.add(weight, at(time)) == sum(recent) + weight


@pytest.mark.parametrize("make", [FixedWindow, SlidingWindow])
@given(requests=REQUESTS, weight=st.integers(1, 300))
def test_there_is_room_after_the_announced_wait_and_not_before(
    make: type[FixedWindow | SlidingWindow], requests: list[tuple[int, int]], weight: int
) -> None:
    limit, window, now = 300, make(LENGTH), 0.0
    for time, spent in timed(requests):
        now = time
        window.add(spent, at(now))

    wait = window.room_in(weight, limit, at(now))

    assert 0 <= wait <= LENGTH
    assert window.used(at(now + wait)) + weight <= limit
    if wait:
        assert room_just_before(make, requests, now + wait - 1 / 16) + weight > limit


def room_just_before(
    make: type[FixedWindow | SlidingWindow], requests: list[tuple[int, int]], moment: float
) -> int:
    window: Window = make(LENGTH)
    for time, spent in timed(requests):
        window.add(spent, at(time))
    return window.used(at(moment))


@given(REQUESTS)
def test_a_meter_keeps_the_most_weight_asked_in_each_kind_of_window(
    requests: list[tuple[int, int]],
) -> None:
    meter, seen = PoolMeter("ip", Rules(window=LENGTH)), timed(requests)
    for time, weight in seen:
        meter.note_asked(weight, at(time))

    sliding = [
        sum(w for t, w in seen[: n + 1] if t > seen[n][0] - LENGTH) for n in range(len(seen))
    ]
    fixed = [
        sum(w for t, w in seen[: n + 1] if t // LENGTH == seen[n][0] // LENGTH)
        for n in range(len(seen))
    ]
    assert meter.peaks == {"fixed": max(fixed, default=0), "sliding": max(sliding, default=0)}


# Requests are charged, refused and banned


def ask_from(bench: ExchangeBench, address: str, endpoint: str, account: str = "alice") -> Reply:
    stamp = f"timestamp={int(bench.time.now * 1000)}"
    return bench.send(endpoint, stamp, account=account, address=address)


def test_each_endpoint_has_its_own_pool_for_each_address(bench: ExchangeBench) -> None:
    bench.open("bob")

    assert bench.ask(STATUS).headers == {"X-SAPI-USED-IP-WEIGHT-1M": "1"}
    assert bench.ask(STATUS, account="bob").used == 2, "accounts behind one address share it"
    assert bench.ask(INFO).used == 1, "another endpoint has another pool"
    assert ask_from(bench, "127.0.0.2", STATUS).used == 1, "so has another address"


def test_a_pool_by_account_follows_the_account_wherever_it_asks_from(bench: ExchangeBench) -> None:
    bench.open("bob", ADA="1")

    first = bench.ask(DUST, asset="ADA")
    assert first.headers == {"X-SAPI-USED-UID-WEIGHT-1M": "10"}
    assert ask_from(bench, "127.0.0.2", DUST).used == 20
    assert bench.ask(DUST, account="bob", asset="ADA").used == 10


def test_all_of_api_shares_one_pool_of_an_address(bench: ExchangeBench) -> None:
    assert bench.send(TIME, signed=False).headers == {"X-MBX-USED-WEIGHT-1M": "1"}
    assert bench.send("GET /api/v3/exchangeInfo", signed=False).used == 21
    assert ask_from(bench, "127.0.0.1", "GET /api/v3/account").used == 41
    assert bench.send(TIME, signed=False).used == 42


@pytest.mark.parametrize(
    ("query", "code"),
    [("timestamp=1", -1021), ("", -1102), ("timestamp=x", -1100)],
)
def test_failed_requests_are_charged(bench: ExchangeBench, query: str, code: int) -> None:
    failed = bench.send(STATUS, query)

    assert (failed.code, failed.used) == (code, 1)
    assert bench.ask(STATUS).used == 2


def test_a_wrong_key_is_charged_to_the_address_and_to_no_account(bench: ExchangeBench) -> None:
    assert bench.send(STATUS, account="nobody", signed=False).used == 1
    assert bench.send(DUST, account="nobody", signed=False).headers == {}
    assert bench.ask(DUST, asset="ADA").used == 10


def test_the_limit_is_reached_and_not_passed(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench(now=600.0 + 13)
    bench.open("alice", debts={"ETH": "0.001"})

    replies = [bench.ask(LIST) for _ in range(121)]

    assert [reply.status for reply in replies] == [200] * 120 + [429]
    assert replies[-1].code == -1003
    assert replies[-1].headers == {"Retry-After": "47"}, "to the next whole minute"
    assert bench.exchange.limits.refused == 1
    bench.time.pass_by(46.9)
    assert bench.ask(LIST).status == 429
    bench.time.pass_by(0.1)
    assert bench.ask(LIST).used == 100


def test_a_sliding_window_frees_weight_in_the_order_it_was_spent(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench(window_mode="sliding", ip_weight=3)
    bench.open()

    for _ in range(3):
        assert bench.ask(STATUS).status == 200
        bench.time.pass_by(10)
    refused = bench.ask(STATUS)

    assert refused.status == 429
    assert refused.headers["Retry-After"] == "30"
    bench.time.pass_by(30)
    assert bench.ask(STATUS).used == 3
    assert bench.ask(STATUS).headers["Retry-After"] == "10"


@settings(max_examples=40)
@given(
    gaps=st.lists(st.integers(0, 30), max_size=80),
    mode=st.sampled_from(["fixed", "sliding"]),
    phase=st.integers(0, 59),
)
def test_no_window_admits_more_than_its_limit(
    new_bench: Callable[..., ExchangeBench], gaps: list[int], mode: str, phase: int
) -> None:
    bench = new_bench(now=600.0 + phase, window_mode=mode, ip_weight=5, ban_after=None)
    bench.open()
    admitted: list[float] = []
    for gap in gaps:
        bench.time.pass_by(gap)
        if bench.ask(STATUS).status == 200:
            admitted.append(bench.time.now)
        else:
            assert len(admitted) >= 5, "refused with room to spare"

    for time in admitted:
        if mode == "fixed":
            window = [other for other in admitted if other // 60 == time // 60]
        else:
            window = [other for other in admitted if time - 60 < other <= time]
        assert len(window) <= 5


def test_a_rule_sends_retry_after_zero(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench(ip_weight=1, retry_after_zero=True)
    bench.open()

    bench.ask(STATUS)

    assert bench.ask(STATUS).headers == {"Retry-After": "0"}


def test_an_address_that_goes_on_after_a_429_is_banned_longer_each_time(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench(ip_weight=1, ban_after=3)
    bench.open("alice")
    bench.open("bob")
    bench.ask(STATUS)

    assert [bench.ask(STATUS).status for _ in range(5)] == [429] * 4 + [418]
    banned = bench.ask(INFO, account="bob")
    assert (banned.status, banned.code) == (418, -1003), "every account, every endpoint"
    assert banned.headers == {"Retry-After": "120"}
    until = int((bench.time.now + 120) * 1000)
    assert f"IP banned until {until}." in banned.json["msg"]
    assert bench.send("GET /nowhere", signed=False).status == 418
    assert ask_from(bench, "127.0.0.2", INFO).status == 200, "another address is another matter"

    for ban in (240, 480):
        bench.time.pass_by(ban / 2)
        assert [bench.ask(STATUS).status for _ in range(6)] == [200] + [429] * 4 + [418]
        assert bench.ask(STATUS).headers == {"Retry-After": str(ban)}
    assert bench.exchange.limits.bans == 3


def test_a_ban_grows_to_three_days_and_no_further(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench(ip_weight=1, ban_after=0)
    bench.open()
    longest = 0

    for _ in range(16):
        replies = [bench.ask(STATUS) for _ in range(3)]
        assert replies[-1].status == 418
        longest = int(replies[-1].headers["Retry-After"])
        bench.time.pass_by(longest)

    assert longest == 3 * 86_400


def test_an_admitted_request_resets_the_count_of_refusals(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench(ip_weight=1, ban_after=3)
    bench.open()

    for _ in range(10):
        assert [bench.ask(STATUS).status for _ in range(4)] == [200, 429, 429, 429]
        bench.time.pass_by(60)

    assert bench.exchange.limits.bans == 0


def test_a_rule_switches_bans_off(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench(ip_weight=1, ban_after=None)
    bench.open()

    assert {bench.ask(STATUS).status for _ in range(300)} == {200, 429}


def test_other_software_spends_behind_the_same_address(bench: ExchangeBench) -> None:
    faults = bench.exchange.faults
    path = "/sapi/v1/account/status"

    faults.spend(path, 11_998)
    faults.spend("POST /sapi/v1/asset/dust", 500, account="alice")

    assert [bench.ask(STATUS).status for _ in range(3)] == [200, 200, 429]
    assert bench.ask(DUST, asset="ADA").used == 510
    assert bench.exchange.peak_weight(path, None, None) == 3, "no client asked for it"
    with pytest.raises(ValueError, match="say which"):
        faults.spend("/sapi/v1/asset/dust", 1)
    with pytest.raises(ValueError, match="no endpoint"):
        faults.spend("/sapi/v1/asset/dusty", 1)
    with pytest.raises(ValueError, match="must name one of GET"):
        faults.spend("/sapi/v1/bnbBurn", 1)


def test_the_peak_shows_the_most_weight_asked_in_each_kind_of_window(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench(now=600.0 + 50, ip_weight=300)
    bench.open("alice", debts={"ETH": "0.001"})
    path = LIST.split()[1]
    endpoint = f"GET {path}"

    for _ in range(2):
        for _ in range(3):
            assert bench.ask(LIST).status == 200
        bench.time.pass_by(20)

    assert bench.exchange.peak_weight(endpoint, None, None) == 300
    assert bench.exchange.peak_weight(endpoint, None, "sliding") == 600
    assert bench.exchange.peak_weight(path, None, None) == 300, "of both methods"
    assert bench.exchange.peak_weight(endpoint, "127.0.0.2", None) == 0
    assert bench.exchange.peak_weight(None, None, None) == 300
    bench.time.pass_by(60)
    assert [bench.ask(LIST).status for _ in range(5)] == [200, 200, 200, 429, 429]
    assert bench.exchange.peak_weight(endpoint, "127.0.0.1", None) == 500, "refused ones too"


def test_maintenance_closes_everything_but_the_status(bench: ExchangeBench) -> None:
    bench.exchange.faults.maintenance()

    reply = bench.ask(STATUS)
    assert (reply.status, reply.code) == (503, -1016)
    status = bench.send("GET /sapi/v1/system/status", signed=False)
    assert status.json == {"status": 1, "msg": "system_maintenance"}
    assert bench.send(TIME, signed=False).status == 200
    bench.exchange.faults.maintenance(on=False)
    assert bench.ask(STATUS).status == 200
    assert bench.send("GET /sapi/v1/system/status", signed=False).json["msg"] == "normal"


# Worlds that are not as documented


HEADER = {"ip": "X-SAPI-USED-IP-WEIGHT-1M", "uid": "X-SAPI-USED-UID-WEIGHT-1M"}


def test_cuts_may_come_later_than_the_minute(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench(now=600.0 + 13, window_offset=17.0, ip_weight=2)
    bench.open()

    assert [bench.ask(STATUS).status for _ in range(3)] == [200, 200, 429]
    assert bench.ask(STATUS).headers == {"Retry-After": "4"}
    bench.time.pass_by(4)
    assert bench.ask(STATUS).used == 1
    assert bench.exchange.peak_weight(STATUS, None, None) == 4


def test_a_call_may_cost_more_than_documented(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench(weights={"account_status": 100})
    bench.open()

    assert [bench.ask(STATUS).used, bench.ask(STATUS).used] == [100, 200]
    assert bench.ask(INFO).used == 1


def test_others_may_pay_than_documented(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench(
        payers={"account_status": "uid", "dust_transfer": "ip", "account_info": "both"}
    )
    bench.open("alice")
    bench.open("bob")

    assert bench.ask(STATUS).headers == {HEADER["uid"]: "1"}
    assert bench.ask(STATUS, account="bob").headers == {HEADER["uid"]: "1"}
    assert bench.ask(DUST, asset="ADA").headers == {HEADER["ip"]: "10"}
    assert bench.ask(INFO).headers == {HEADER["ip"]: "1", HEADER["uid"]: "1"}
    assert bench.ask(INFO, account="bob").headers == {HEADER["ip"]: "2", HEADER["uid"]: "1"}


def test_a_call_that_both_pay_for_is_refused_if_one_has_no_room(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench(payers={"account_info": "both"}, uid_weight=1)
    bench.open("alice")
    bench.open("bob")

    assert [bench.ask(INFO).status for _ in range(2)] == [200, 429]
    assert bench.ask(INFO, account="bob").headers == {HEADER["ip"]: "2", HEADER["uid"]: "1"}


@pytest.mark.parametrize(
    ("says", "headers"),
    [
        ("missing", [{}, {}]),
        ("late", [{HEADER["ip"]: "1"}, {HEADER["ip"]: "1"}, {HEADER["ip"]: "2"}]),
        ("one", [{HEADER["ip"]: "1"}, {HEADER["ip"]: "1"}]),
        ("backwards", [{HEADER["ip"]: "11999"}, {HEADER["ip"]: "11998"}]),
        ("huge", [{HEADER["ip"]: "999999999"}] * 2),
        ("negative", [{HEADER["ip"]: "-1"}] * 2),
        ("other payer", [{HEADER["uid"]: "1"}, {HEADER["uid"]: "2"}]),
    ],
)
def test_headers_may_say_anything(
    new_bench: Callable[..., ExchangeBench], says: str, headers: list[dict[str, str]]
) -> None:
    bench = new_bench(weight_header=says, ip_weight=12_000)
    bench.open()

    assert [bench.ask(STATUS).headers for _ in headers] == headers
    assert bench.exchange.used_weight(STATUS, "127.0.0.1") == len(headers), "the count is right"


def test_each_of_several_nodes_tells_what_it_has_counted(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench(nodes=3, ip_weight=8)
    bench.open()

    assert [bench.ask(STATUS).used for _ in range(8)] == [1, 1, 1, 2, 2, 2, 3, 3]
    assert bench.ask(STATUS).status == 429, "together they know"


@pytest.mark.parametrize("mode", ["fixed", "sliding"])
def test_others_spend_evenly(new_bench: Callable[..., ExchangeBench], mode: str) -> None:
    bench = new_bench(now=600.0, window_mode=mode, others={"account_status": 6_000})
    bench.open()
    bench.ask(STATUS)

    bench.time.pass_by(30)

    assert bench.ask(STATUS).used == pytest.approx(3_000 if mode == "fixed" else 6_000, abs=102)
    bench.time.pass_by(300)
    bench.time.pass_by(29.9)
    assert bench.ask(STATUS).used == pytest.approx(6_000, abs=102)
    assert bench.ask(INFO).used == 1
    assert bench.exchange.peak_weight(STATUS, None, None) == 2, "no client asked for it"


def test_others_spend_when_a_window_begins_and_never_above_the_limit(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench(
        now=600.0 + 10, others={"account_status": 9_000}, others_mode="at the cut", ip_weight=9_002
    )
    bench.open()

    assert [bench.ask(STATUS).status for _ in range(3)] == [200, 200, 429]
    bench.time.pass_by(49)
    assert bench.ask(STATUS).status == 429
    bench.time.pass_by(1)
    assert bench.ask(STATUS).used == 9_001


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"weights": {"nothing": 1}}, "no endpoint is called 'nothing'"),
        ({"weights": {"account_status": -1}}, "whole numbers"),
        ({"others": {"account_status": 1.5}}, "whole numbers"),
        ({"payers": {"account_status": "me"}}, "must be among"),
        ({"payers": {"spot_account": "uid"}}, "shares one pool"),
        ({"nodes": 0}, "one or more"),
        ({"weight_header": "wrong"}, "must be one of"),
    ],
)
def test_a_world_that_can_not_be_is_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rules(**rules)
