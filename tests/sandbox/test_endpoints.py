"""Two tables of one contract, written apart: the client's endpoints and those of the sandbox.

These tests cross rooms: they compare `binance_dust.endpoints`, the samples and the sandbox.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from binance_dust import endpoints, sandbox
from binance_dust.sandbox import Debt, Permissions
from binance_dust.sandbox._endpoints import BY_NAME, BY_PATH, SERVED
from binance_dust.sandbox._replies import REPLIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import ExchangeBench

from tests.sandbox.conftest import NOON

SAMPLES = Path(__file__).parent.parent / "samples"
KINDS = {"ip": "ip", "uid": "uid", "request": "spot"}
ROWS = pytest.mark.parametrize(("name", "endpoint"), endpoints.ALL.items(), ids=endpoints.ALL)


def test_every_endpoint_has_a_reply_and_every_reply_an_endpoint() -> None:
    assert set(REPLIES) == set(BY_NAME)
    assert len(BY_NAME) == len(SERVED)
    assert len({str(endpoint) for endpoint in SERVED}) == len(SERVED)


@ROWS
def test_the_client_and_the_exchange_agree(name: str, endpoint: Any) -> None:
    served = BY_NAME[name]

    assert (served.method, served.path) == (endpoint.method, endpoint.path)
    assert BY_PATH[endpoint.path][endpoint.method] is served
    assert served.weight == endpoint.weight.cost
    assert served.pool == KINDS[endpoint.weight.kind.value]
    assert (served.security == "signed") is endpoint.security.signed
    assert (served.security == "none") is not endpoint.security.needs_key
    assert (served.right == "enableMargin") is (endpoint.security.name == "MARGIN")


@ROWS
def test_parameters_that_the_exchange_requires_are_required_by_the_client(
    name: str, endpoint: Any
) -> None:
    fields = msgspec.structs.fields(endpoint.params)

    assert set(BY_NAME[name].mandatory) == {field.encode_name for field in fields if field.required}


@ROWS
def test_answers_have_the_shape_of_the_documented_samples(
    new_bench: Callable[..., ExchangeBench], name: str, endpoint: Any
) -> None:
    """Every field of a sample is in the sandbox's answer, and is of the same kind."""
    bench = new_bench(liability_cooldown=0.0, quote_seconds=7_200.0)
    account = bench.open(
        ADA="6.21",
        funding={"TRX": "5"},
        margin={"USDT": "1", "ETH": "0.001"},
        debts={"ETH": Debt("0.001", interest="0.0001")},
        permissions=Permissions(universal_transfer=True),
    )
    bench.exchange.market.delistings["ADA"] = int((NOON + 86_400) * 1000)
    move = {"type": "FUNDING_MAIN", "asset": "TRX", "amount": "1"}
    bench.ask("POST /sapi/v1/asset/transfer", **move)
    offer = {"fromAsset": "TRX", "toAsset": "USDT", "fromAmount": "1"}
    accepted, fresh = (bench.ask("POST /sapi/v1/convert/getQuote", **offer).json for _ in range(2))
    bench.ask("POST /sapi/v1/convert/acceptQuote", quoteId=accepted["quoteId"])
    account.deposit("TRX", "9")
    bench.ask("POST /sapi/v1/asset/dust", asset="ADA")
    bench.ask("POST /sapi/v1/margin/exchange-small-liability", assetNames="ETH")
    account.deposit("ADA", "6.21")
    account.owe("ETH", "0.001")
    parameters: dict[str, dict[str, Any]] = {
        "convertible_assets": {"targetAsset": "USDT"},
        "dust_convert": {"asset": "ADA"},
        "dust_transfer": {"asset": "ADA"},
        "exchange_small_liabilities": {"assetNames": "ETH"},
        "small_liability_history": {"current": 1, "size": 10},
        "set_bnb_burn": {"spotBNBBurn": "true"},
        "wallet_balances": {"needBalanceDetail": "true"},
        "transfer": move,
        "transfers": {"type": "FUNDING_MAIN"},
        "repay": {"asset": "ETH", "isIsolated": "FALSE", "amount": "0.0001", "type": "REPAY"},
        "convert_quote": offer,
        "convert_accept": {"quoteId": fresh["quoteId"]},
        "convert_status": {"quoteId": accepted["quoteId"]},
        "convert_pairs": {"fromAsset": "ADA", "toAsset": "USDT"},
    }
    bench.time.pass_by(3_600)
    sample = json.loads((SAMPLES / name / "200.json").read_text() or "null")

    reply = bench.ask(f"{endpoint.method} {endpoint.path}", **parameters.get(name, {}))

    assert reply.status == 200
    if name != "exchange_small_liabilities":  # its body is not documented
        assert_shaped(reply.json, sample)


def test_the_sandbox_imports_nothing_that_it_checks() -> None:
    folder = Path(sandbox.__file__).parent
    allowed = ("binance_dust.sandbox", "binance_dust.credentials", "binance_dust.errors")

    imported = {
        node.module
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module is not None
    }

    ours = {module for module in imported if module.split(".")[0] == "binance_dust"}
    assert {module for module in ours if not module.startswith(allowed)} == set()


def assert_shaped(answer: Any, sample: Any) -> None:
    match sample:
        case dict():
            assert set(sample) <= set(answer)
            for key, value in sample.items():
                assert_shaped(answer[key], value)
        case []:
            assert isinstance(answer, list)
        case list():
            for row in answer:
                assert_shaped(row, sample[0])
            assert answer
        case bool() | str():
            assert type(answer) is type(sample)
        case _:
            assert not isinstance(answer, str | bool)
