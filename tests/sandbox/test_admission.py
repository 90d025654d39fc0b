"""Admission: keys, signatures over the bytes as sent, time, parameters, codes of refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from binance_dust.sandbox import Permissions
from binance_dust.sandbox._requests import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import ExchangeBench

STATUS = "GET /sapi/v1/account/status"
ASSETS = "POST /sapi/v3/asset/getUserAsset"
DUST = "POST /sapi/v1/asset/dust"
CONVERT = "POST /sapi/v1/asset/dust-convert/convert"


def stamp(bench: ExchangeBench, ahead: int = 0) -> str:
    return f"timestamp={int(bench.time.now * 1000) + ahead}"


def test_a_signed_request_is_answered(bench: ExchangeBench) -> None:
    reply = bench.ask(STATUS)

    assert (reply.status, reply.json) == (200, {"data": "Normal"})


@pytest.mark.parametrize(
    ("api_key", "code"),
    [(None, -2014), ("", -2014), ("short", -2014), ("!" * 64, -2014), ("a" * 64, -2015)],
)
def test_a_malformed_or_unknown_key_is_answered_401(
    bench: ExchangeBench, api_key: str, code: int
) -> None:
    request = HttpRequest(method="GET", path="/sapi/v1/account/status", api_key=api_key)

    answer = bench.exchange.handle(request)

    assert answer.status == 401
    assert b'"code":%d,' % code in answer.body


@pytest.mark.parametrize(
    ("ahead", "window", "code"),
    [
        (0, None, None),
        (999, None, None),
        (1000, None, -1021),
        (-5000, None, None),
        (-5001, None, -1021),
        (-60_000, "60000", None),
        (-10, "9.999", -1021),
        (-10, "10.000", None),
        (0, "60000.001", -1131),
        (0, "60001", -1131),
        (0, "-1", -1100),
        (0, "1.0000", -1100),
        (0, "many", -1100),
        (0, "", None),
    ],
)
def test_timestamp_and_recv_window_are_checked(
    bench: ExchangeBench, ahead: int, window: str | None, code: int | None
) -> None:
    query = stamp(bench, ahead) + ("" if window is None else f"&recvWindow={window}")

    assert bench.send(STATUS, query).code == code


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", -1102),
        ("timestamp=", -1102),
        ("timestamp=soon", -1100),
        ("timestamp=-1", -1100),
        ("timestamp=1.5", -1100),
        ("timestamp=%D9%A1%D9%A2", -1100),  # digits, but not ASCII's
        ("timestamp=99999999999999999999", -1100),
        ("timestamp=1&timestamp=1", -1101),
        ("timestamp=%FF", -1100),
    ],
)
def test_a_missing_or_malformed_timestamp_is_refused(
    bench: ExchangeBench, query: str, code: int
) -> None:
    reply = bench.send(STATUS, query)

    # The two equal timestamps are too old, which is checked first.
    assert reply.code in ({code, -1021} if code == -1101 else {code})


def test_a_signature_is_mandatory_and_must_fit(bench: ExchangeBench) -> None:
    good = bench.send(STATUS, stamp(bench))

    assert good.status == 200
    assert bench.send(STATUS, stamp(bench), signed=False).code == -1102
    assert bench.send(STATUS, f"{stamp(bench)}&signature=", signed=False).code == -1102
    assert bench.send(STATUS, f"{stamp(bench)}&signature={'0' * 64}", signed=False).code == -1022


def test_the_signature_covers_query_and_body_with_nothing_between(bench: ExchangeBench) -> None:
    query, body = "asset=ADA", f"{stamp(bench)}&needBtcValuation=true"
    glued, joined = bench.sign(query + body), bench.sign(f"{query}&{body}")

    def status(signature: str) -> int:
        request = HttpRequest(
            method="POST",
            path="/sapi/v3/asset/getUserAsset",
            query=query,
            body=f"{body}&signature={signature}",
            api_key=bench.keys["alice"].api_key,
        )
        return bench.exchange.handle(request).status

    assert status(glued) == 200
    assert status(glued.upper()) == 200, "hexadecimal of any case"
    assert status(joined) == 400


def test_two_signatures_are_refused(bench: ExchangeBench) -> None:
    signature = f"signature={bench.sign(stamp(bench))}"

    twice = bench.send(ASSETS, f"{stamp(bench)}&{signature}", body=signature, signed=False)

    assert twice.code == -1101


def test_a_parameter_in_query_and_body_is_taken_from_the_query(bench: ExchangeBench) -> None:
    reply = bench.send(ASSETS, "asset=ADA", body=f"asset=XRP&{stamp(bench)}")

    assert [row["asset"] for row in reply.json] == ["ADA"]


def test_a_signature_that_is_not_last_is_refused(bench: ExchangeBench) -> None:
    signature = bench.sign(f"asset=ADA&{stamp(bench)}")
    query = f"asset=ADA&signature={signature}&{stamp(bench)}"

    assert bench.send(ASSETS, query, signed=False).code in (-1022, -1102)


@pytest.mark.parametrize("raw", ["asset=币安人生", "asset=A B", 'asset=["ADA"]', "asset=%zz"])
def test_an_unencoded_query_is_refused_even_if_its_signature_fits(
    bench: ExchangeBench, raw: str
) -> None:
    assert bench.send(ASSETS, f"{raw}&{stamp(bench)}").code == -1022


def test_a_name_that_is_not_ascii_is_found_by_its_encoding(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench()
    bench.open("alice", 币安人生="3")
    bench.exchange.accounts["alice"].deposit("币安人生", 3)

    reply = bench.ask(ASSETS, asset="币安人生")

    assert [row["asset"] for row in reply.json] == ["币安人生"]


def test_a_rule_accepts_signatures_over_unencoded_text_as_older_servers_did(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    for accept, status in ((False, 400), (True, 200)):
        bench = new_bench(accept_unencoded=accept)
        bench.open("alice", ADA="1", XRP="1")
        raw = f"asset=ADA,XRP&{stamp(bench)}"
        signature = bench.sign(raw)
        sent = raw.replace(",", "%2C")

        assert bench.send(DUST, f"{sent}&signature={signature}", signed=False).status == status


@pytest.mark.parametrize(
    ("endpoint", "status", "code"),
    [
        ("GET /sapi/v1/asset/dusty", 404, -1099),
        ("GET /", 404, -1099),
        ("GET /sapi/v1/asset/dust/", 404, -1099),
        ("GET /sapi/v1/margin/dust", 404, -1099),  # removed in 2024
        ("GET /sapi/v1/asset/dust", 405, -1020),
        ("DELETE /sapi/v1/asset/dust", 405, -1020),
        ("POST /api/v3/time", 405, -1020),
    ],
)
def test_an_unknown_path_is_404_and_an_unknown_method_405(
    bench: ExchangeBench, endpoint: str, status: int, code: int
) -> None:
    reply = bench.ask(endpoint)

    assert (reply.status, reply.code) == (status, code)


@pytest.mark.parametrize(
    ("endpoint", "parameters", "code"),
    [
        ("POST /sapi/v1/asset/dust-convert/query-convertible-assets", {}, -1102),
        (
            "POST /sapi/v1/asset/dust-convert/query-convertible-assets",
            {"targetAsset": "DOGE"},
            -1130,
        ),
        (DUST, {}, -1102),
        (DUST, {"asset": ""}, -1102),
        (DUST, {"asset": "ADA,"}, -1102),
        (DUST, {"asset": "ADA,ADA"}, -1101),
        (DUST, {"asset": b"\xff"}, -1100),
        (DUST, {"asset": '["ADA","XRP"]'}, -5003),
        (DUST, {"asset": "ADA", "accountType": "FUNDING"}, -1130),
        (DUST, {"asset": "ADA", "accountType": "MARGIN"}, -3003),
        (ASSETS, {"needBtcValuation": "yes"}, -1130),
        ("POST /sapi/v1/bnbBurn", {}, -1102),
        ("POST /sapi/v1/bnbBurn", {"spotBnbBurn": "true"}, -1102),  # the connector's misspelling
        ("GET /sapi/v1/margin/exchange-small-liability", {}, -3003),
        ("GET /sapi/v1/margin/exchange-small-liability-history", {"current": 1}, -1102),
        (
            "GET /sapi/v1/margin/exchange-small-liability-history",
            {"current": 0, "size": 10},
            -1130,
        ),
        (
            "GET /sapi/v1/margin/exchange-small-liability-history",
            {"current": 1, "size": 101},
            -1130,
        ),
        ("GET /sapi/v1/asset/dribblet", {"startTime": 1, "endTime": 7_776_000_002}, -4047),
        ("GET /sapi/v1/asset/dribblet", {"startTime": 2, "endTime": 1}, -4047),
    ],
)
def test_a_wrong_parameter_has_its_code(
    bench: ExchangeBench, endpoint: str, parameters: dict[str, Any], code: int
) -> None:
    reply = bench.ask(endpoint, **parameters)

    assert (reply.status, reply.code) == (400, code)


def test_several_assets_may_be_repeated_or_joined_by_commas(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    for query in ("asset=ADA&asset=XRP", "asset=ADA%2CXRP", "asset=ADA,XRP", "asset=ADA%2C+XRP"):
        bench = new_bench()
        bench.open("alice", ADA="1", XRP="1")

        reply = bench.send(DUST, f"{query}&{stamp(bench)}")

        rows = reply.json["transferResult"]
        assert [row["fromAsset"] for row in rows] == ["ADA", "XRP"], query


@pytest.mark.parametrize(
    ("several_assets", "repeated", "joined"),
    [("both", 200, 200), ("comma", 400, 200), ("repeat", 200, 400)],
)
def test_a_rule_says_how_dust_convert_takes_several_assets(
    new_bench: Callable[..., ExchangeBench], several_assets: str, repeated: int, joined: int
) -> None:
    for query, status in (("asset=ADA&asset=XRP", repeated), ("asset=ADA%2CXRP", joined)):
        bench = new_bench(several_assets=several_assets)
        bench.open("alice", ADA="1", XRP="1")

        assert bench.send(CONVERT, f"{query}&{stamp(bench)}").status == status, query


@pytest.mark.parametrize(
    ("right", "refused", "allowed"),
    [
        ("reading", STATUS, DUST),
        ("spot_and_margin_trading", DUST, STATUS),
        ("margin", "POST /sapi/v1/margin/exchange-small-liability", STATUS),
    ],
)
def test_a_key_without_the_right_is_refused(
    new_bench: Callable[..., ExchangeBench], right: str, refused: str, allowed: str
) -> None:
    taken: dict[str, Any] = {right: False}
    bench = new_bench()
    bench.open("alice", ADA="1", permissions=Permissions(**taken), debts={"ETH": "0.001"})

    assert bench.ask(refused, asset="ADA", assetNames="ETH").code == -2015
    assert bench.ask(allowed, asset="ADA").status == 200


def test_a_key_bound_to_an_address_is_refused_from_elsewhere(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench()
    bench.open("alice", permissions=Permissions(addresses=frozenset({"127.0.0.2"})))

    assert bench.send(STATUS, stamp(bench), address="127.0.0.1").code == -2015
    assert bench.send(STATUS, stamp(bench), address="127.0.0.2").status == 200
    shown = bench.send("GET /sapi/v1/account/apiRestrictions", stamp(bench), address="127.0.0.2")
    assert shown.json["ipRestrict"] is True


def test_the_time_is_checked_again_before_executing(bench: ExchangeBench) -> None:
    query = f"asset=ADA&{stamp(bench)}"
    signature = bench.sign(query)
    handling = bench.exchange.receive(
        HttpRequest(
            method="POST",
            path="/sapi/v1/asset/dust",
            query=f"{query}&signature={signature}",
            api_key=bench.keys["alice"].api_key,
        )
    )
    assert bench.exchange.admit(handling)

    bench.time.pass_by(5.1)
    bench.exchange.execute(handling)

    assert handling.code == -1021
    assert not bench.exchange.accounts["alice"].conversions


def test_public_endpoints_need_no_key(bench: ExchangeBench) -> None:
    for endpoint in ("GET /api/v3/time", "GET /sapi/v1/system/status", "GET /api/v3/ping"):
        assert bench.send(endpoint, account="nobody", signed=False).status == 200
    schedule = "GET /sapi/v1/spot/delist-schedule"
    assert bench.send(schedule, account="nobody", signed=False).status == 401
    assert bench.send(schedule, signed=False).status == 200
