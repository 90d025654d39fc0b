"""Each endpoint has its row, its method, its sample and its place in the reference."""

from __future__ import annotations

import inspect
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from binance_dust import DustClient, endpoints, models
from binance_dust._answers import judge
from binance_dust._util.exact import AnswerStruct
from binance_dust._util.rows import RowsAnswer
from binance_dust.endpoints import Call, Endpoint, Replay, Security
from binance_dust.errors import UnreadableAnswerError

SAMPLES = Path(__file__).parent.parent / "samples"
ROWS = sorted(endpoints.ALL.items())
OPERANDS = {"transfer": 2, "repay": 2, "convert_quote": 2}
"""What moves is an asset and an amount; a price has two assets."""


def read_sample(name: str) -> Any:
    row = endpoints.ALL[name]
    return row.decoder.decode((SAMPLES / name / "200.json").read_bytes())


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_each_row_has_a_typed_method_of_its_name(name: str, row: Endpoint[..., Any]) -> None:
    method = getattr(DustClient, name)
    returned = method.__annotations__["return"]

    if inspect.isasyncgenfunction(method):
        assert returned == f"AsyncIterator[models.{row_of(row.result).__name__}]"
    elif row.result is models.TransactionId:
        assert returned == "int"
    else:
        assert inspect.iscoroutinefunction(method)
        assert returned == spelled(row.result)
    operands = list(inspect.signature(method).parameters.values())[1:]
    positional = [each for each in operands if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert len(positional) <= OPERANDS.get(name, 1), "keyword-only but for the obvious operands"


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_each_sample_decodes_to_the_digit(name: str, row: Endpoint[..., Any]) -> None:
    body = (SAMPLES / name / "200.json").read_bytes()
    if row.result is type(None):
        return
    decoded = row.decoder.decode(body)

    for digits in numbers_of(json.loads(body, parse_float=str, parse_int=str)):
        assert digits in texts_of(decoded)


def numbers_of(value: Any) -> set[str]:
    """Find every text in a JSON document that is a decimal number with a point."""
    if isinstance(value, dict):
        return set().union(*map(numbers_of, value.values()))
    if isinstance(value, list):
        return set().union(*map(numbers_of, value))
    if isinstance(value, str) and value.replace(".", "", 1).isdigit() and "." in value:
        return {value}
    return set()


def texts_of(value: Any) -> set[str]:
    """Print every field of an answer."""
    if isinstance(value, list):
        return set().union(*map(texts_of, value))
    if isinstance(value, AnswerStruct):
        return set().union(*(texts_of(getattr(value, name)) for name in value.__struct_fields__))
    return {f"{value:f}" if isinstance(value, Decimal) else str(value)}


def row_of(result: Any) -> Any:
    """Give the type of the rows of an answer."""
    if issubclass(result, RowsAnswer) if isinstance(result, type) else False:
        _, row = result._rows()
        return row
    (row,) = result.__args__
    return row


def spelled(result: Any) -> str:
    """Write a result type as an annotation does."""
    if result is type(None):
        return "None"
    inner = getattr(result, "__args__", ())
    return f"list[models.{inner[0].__name__}]" if inner else f"models.{result.__name__}"


def test_there_is_no_sample_without_its_row() -> None:
    assert {path.name for path in SAMPLES.iterdir() if path.is_dir()} == set(endpoints.ALL)


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_each_field_that_is_always_sent_is_required(name: str, row: Endpoint[..., Any]) -> None:
    """Take one field after another out of the sample: required ones are missed, with the path."""
    document = json.loads((SAMPLES / name / "200.json").read_bytes())
    first = document[0] if isinstance(document, list) else document
    for field in list(first):
        optional = field in optional_fields(row.result)
        value = first.pop(field)
        answer = judge.Answer(200, {}, json.dumps(document).encode())
        bound = Call(row, ())
        if optional or row.result is type(None):
            judge.judge(bound, answer).unwrap()
        else:
            with pytest.raises(UnreadableAnswerError, match=field):
                judge.judge(bound, answer).unwrap()
        first[field] = value


def optional_fields(result: Any) -> set[str]:
    struct = getattr(result, "__args__", (result,))[0]
    if not isinstance(struct, type) or not issubclass(struct, AnswerStruct):
        return set()
    return {field.encode_name for field in msgspec.structs.fields(struct) if not field.required}


def test_the_weights_are_those_of_the_design() -> None:
    assert {name: str(row.weight) for name, row in ROWS} == {
        "account_info": "ip 1",
        "account_status": "ip 1",
        "bnb_burn": "ip 1",
        "capital_flow": "ip 100",
        "convert_accept": "uid 500",
        "convert_pairs": "ip 3000",
        "convert_quote": "uid 200",
        "convert_status": "uid 100",
        "convertible_assets": "ip 1",
        "delist_schedule": "ip 100",
        "dust_assets": "ip 1",
        "dust_convert": "uid 10",
        "dust_log": "ip 1",
        "dust_transfer": "uid 10",
        "exchange_small_liabilities": "uid 3000",
        "funding_assets": "ip 1",
        "key_permissions": "ip 1",
        "margin_account": "ip 10",
        "margin_delist_schedule": "ip 100",
        "repay": "uid 1500",
        "server_time": "request 1",
        "set_bnb_burn": "ip 1",
        "small_liabilities": "ip 100",
        "small_liability_history": "uid 100",
        "spot_account": "request 20",
        "system_status": "ip 1",
        "transfer": "uid 300",
        "transfers": "ip 1",
        "user_assets": "ip 5",
        "wallet_balances": "ip 60",
    }


def test_only_what_moves_funds_is_never_sent_again() -> None:
    never = {name for name, row in ROWS if row.replay is Replay.NEVER}

    assert never == {
        "convert_accept",
        "dust_convert",
        "dust_transfer",
        "exchange_small_liabilities",
        "repay",
        "transfer",
    }


def test_only_what_is_about_no_account_needs_no_key() -> None:
    open_to_all = {name for name, row in ROWS if row.security is Security.NONE}

    assert open_to_all == {"convert_pairs", "server_time", "system_status"}


def test_only_what_is_the_same_for_all_accounts_needs_the_key_alone() -> None:
    keyed = {name for name, row in ROWS if row.security.needs_key and not row.security.signed}

    assert keyed == {"delist_schedule", "margin_delist_schedule"}


def test_the_seeds_numbers_print_as_they_were() -> None:
    assets = {row.asset: row for row in read_sample("user_assets")}
    (liability,) = read_sample("small_liabilities")

    assert str(assets["USDT"].free) == "50300000001.44911105"
    assert str(assets["BNB"].total) == "898.09061626"
    assert str(liability.liability_qty) == "0.3552"


def test_net_amounts_are_gross_less_the_charge() -> None:
    conversion = read_sample("dust_transfer")

    assert str(conversion.net_amount) == "1.03024557"
    assert [str(row.net_amount) for row in conversion.transfer_result] == [
        "0.245",
        "0.75852",
        "0.02672557",
    ]


def test_the_logs_oddities_are_told_apart() -> None:
    log = read_sample("dust_log")
    first, second = log.user_asset_dribblets

    assert log.total == 8
    assert first.trans_id == 45178372831
    assert [detail.trans_id for detail in first.user_asset_dribblet_details] == [4359321, 4359321]
    assert [
        entry.target_of(detail)
        for entry in (first, second)
        for detail in entry.user_asset_dribblet_details
    ] == ["BNB", "BNB", "USDC", "BNB"]


def test_a_debt_is_principal_and_interest() -> None:
    account = read_sample("margin_account")

    assert account.has_debt
    assert [str(row.debt) for row in account.user_assets] == ["0E-8", "0.00183334"]
    assert str(account.total_collateral_value_in_usdt) == "5.82728457"
