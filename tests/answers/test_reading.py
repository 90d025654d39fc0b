"""What may be missing from an answer, how its fields may be spelt, and what is set aside."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pytest

from binance_dust import endpoints, models
from binance_dust._answers import reading
from binance_dust._answers.judge import Answer, judge
from binance_dust._util.exact import AnswerStruct, ensure_readable
from binance_dust._util.rows import RowsAnswer, UnreadRow, without_unreadable
from binance_dust.endpoints import Call
from binance_dust.errors import UnreadableAnswerError

SAMPLES = Path(__file__).parents[1] / "samples"
READ = {name: row for name, row in endpoints.ALL.items() if row.result is not type(None)}
SAMPLE = {name: json.loads((SAMPLES / name / "200.json").read_bytes()) for name in READ}

WHICH = "which asset it is"
HELD = "how much is held: nothing read is not zero"
OWED = "how much is owed: nothing read is not zero"
BRINGS = "what it brings: the fee rule compares gross and net"
BOOKS = "it enters the books"
ROWS = "the rows are the answer"
ALONE = "the answer holds nothing else"

NEEDED: dict[str, dict[str, str]] = {
    "UserAsset": {"asset": WHICH, "free": HELD},
    "SpotAccount": {"uid": "whose books they are", "balances": ROWS},
    "SpotBalance": {"asset": WHICH, "free": HELD},
    "ConvertibleAssets": {"details": ROWS},
    "ConvertibleAsset": {
        "asset": WHICH,
        "amount_free": HELD,
        "to_target_asset_amount": BRINGS,
        "to_target_asset_off_exchange": BRINGS,
    },
    "DustAssets": {"details": ROWS},
    "DustAsset": {
        "asset": WHICH,
        "amount_free": HELD,
        "to_bnb": BRINGS,
        "to_bnb_off_exchange": BRINGS,
    },
    "DustConversion": {"transfer_result": ROWS},
    "ConvertedAsset": {
        "from_asset": WHICH,
        "amount": BOOKS,
        "transferred_amount": BOOKS,
        "service_charge_amount": BOOKS,
    },
    "DustLog": {"user_asset_dribblets": ROWS},
    "DustLogEntry": {"user_asset_dribblet_details": ROWS},
    "DustLogDetail": {
        "from_asset": WHICH,
        "amount": BOOKS,
        "transferred_amount": BOOKS,
        "service_charge_amount": BOOKS,
    },
    "SmallLiability": {
        "asset": WHICH,
        "principal": OWED,
        "interest": OWED,
        "liability_asset": "what its worth is counted in",
        "liability_qty": "what it is worth: the largest go first",
    },
    "SmallLiabilityHistory": {"rows": ROWS},
    "SmallLiabilityExchange": {
        "asset": WHICH,
        "amount": BOOKS,
        "target_asset": BOOKS,
        "target_amount": BOOKS,
        "timestamp": "a record without id is found by its time",
    },
    "MarginAccount": {"user_assets": ROWS},
    "MarginAsset": {"asset": WHICH, "free": HELD, "borrowed": OWED, "interest": OWED},
    "FundingAsset": {"asset": WHICH, "free": HELD},
    "WalletBalance": {"wallet_name": "which wallet it is", "balance": HELD},
    "WalletAsset": {"asset": WHICH, "free": HELD},
    "TransactionId": {"tran_id": ALONE},
    "TransferHistory": {"rows": ROWS},
    "TransferRecord": {
        "asset": WHICH,
        "amount": BOOKS,
        "status": "whether funds have moved",
        "timestamp": "a transfer with a lost answer is found by its time",
    },
    "Delisting": {"delist_time": "until when", "symbols": ROWS},
    "MarginDelisting": {"delist_time": "until when"},
    "CapitalFlow": {
        "asset": WHICH,
        "amount": BOOKS,
        "type": "what it was",
        "timestamp": "a conversion with a lost answer is found by its time",
    },
    "ConvertQuote": {"from_amount": BRINGS, "to_amount": BRINGS},
    "ConvertPair": {"from_asset": WHICH, "to_asset": WHICH},
    "ConvertOrder": {"order_status": "whether funds have moved"},
    "AccountStatus": {"data": ALONE},
    "SystemStatus": {"status": "0 or 1: open or closed"},
    "ServerTime": {"server_time": ALONE},
}
"""All that an answer can't do without, by the model, and why. Every other field may be missing."""

Place = tuple[int | str, ...]


def objects(value: Any, kind: Any, here: Place = ()) -> Iterator[tuple[Place, type[AnswerStruct]]]:
    """Give every object of a document that a model describes."""
    if isinstance(value, list):
        (row,) = kind.__args__
        for n, part in enumerate(value):
            yield from objects(part, row, (*here, n))
    elif isinstance(value, dict) and issubclass(kind, AnswerStruct):
        yield here, kind
        for field in msgspec.structs.fields(kind):
            part = value.get(field.encode_name)
            for inner in (field.type, *get_args(field.type)):
                rows = get_args(inner)[0] if get_origin(inner) is list else inner
                if isinstance(rows, type) and issubclass(rows, AnswerStruct) and part is not None:
                    yield from objects(part, inner, (*here, field.encode_name))
                    break


def at(document: Any, place: Place) -> Any:
    for name in place:
        document = document[name]
    return document


def is_of_rows(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, RowsAnswer)


def judged(name: str, document: Any) -> Any:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return judge(Call(READ[name], ()), Answer(200, {}, body), account="alice")


def read(name: str, document: Any) -> Any:
    """Read an answer and all that is in it."""
    result = judged(name, document).unwrap()
    ensure_readable(result)
    return result


FIELDS = [
    pytest.param(name, place, field.name, field.encode_name, id=f"{name}{place}.{field.name}")
    for name, sample in SAMPLE.items()
    for place, kind in objects(sample, READ[name].result)
    for field in msgspec.structs.fields(kind)
    if field.encode_name in at(sample, place)
]


@pytest.mark.parametrize(("name", "place", "field", "wire_name"), FIELDS)
@pytest.mark.parametrize("null", [False, True], ids=["missing", "null"])
def test_any_field_may_be_missing_but_those_of_the_table(
    name: str, place: Place, field: str, wire_name: str, null: bool
) -> None:
    document = copy.deepcopy(SAMPLE[name])
    model = dict(objects(document, READ[name].result))[place]
    inside = at(document, place)
    del inside[wire_name]
    if null:
        inside[wire_name] = None

    if field not in NEEDED.get(model.__name__, ()):
        result = read(name, document)
        assert getattr(result, "unread", []) == []
        return
    if place and is_of_rows(READ[name].result):
        result = read(name, document)
        (row,) = result.unread
        assert row.place == "$." + f"{place[0]}[{place[1]}]"
        assert len(getattr(result, result.rows_in)) == len(SAMPLE[name][place[0]]) - 1
        return
    with pytest.raises(UnreadableAnswerError):
        read(name, document)


def test_the_table_names_fields_that_are_there() -> None:
    for model, needed in NEEDED.items():
        assert needed.keys() <= set(vars(models)[model].__struct_fields__), model


@pytest.mark.parametrize("name", ["key_permissions", "account_info", "bnb_burn"])
@pytest.mark.parametrize("body", [{}, {"unexpected": [1]}, {"ipRestrict": None}])
def test_an_answer_of_switches_without_any_of_them_is_unreadable(name: str, body: Any) -> None:
    with pytest.raises(UnreadableAnswerError):
        read(name, body)


# --- spellings, and numbers as texts -------------------------------------------------------------


MENDED = ["dust_transfer", "dust_convert", "dust_log"]


@pytest.mark.parametrize("name", MENDED)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_misspelt_field_may_be_mended_one_day(name: str, wrapped: bool) -> None:
    sample = (SAMPLES / name / "200.json").read_bytes()
    mended = sample.replace(b"ransfered", b"ransferred")
    half = sample.replace(b"totalTransfered", b"totalTransferred")
    assert len({sample, mended, half}) == 3

    for body in (mended, half):
        inside = b'{"code":0,"data":%s}' % body if wrapped else body
        assert read(name, inside) == read(name, sample)


def test_a_field_of_the_same_name_in_any_other_answer_stays_as_it_is() -> None:
    """Nor is another answer searched for it."""
    reading._misspelt.cache_clear()
    body = b'{"transferredAmount":"1"}'

    searched = [name for name in READ if reading.spelt(READ[name].result, body) != body]

    assert sorted(searched) == sorted(MENDED)


@pytest.mark.parametrize(("name", "most"), [("user_assets", 200_000), ("dust_log", 50_000)])
@pytest.mark.parametrize("sign", [b",", b"[", b"{"])
def test_no_answer_has_so_many_values(name: str, most: int, sign: bytes) -> None:
    """A comma, or a bracket that opens, begins a value; and a text is long, but one value."""
    assert not reading.has_too_much(READ[name], sign * most + b"x" * 300_000)
    assert reading.has_too_much(READ[name], sign * most + b"{")


def other_kind(value: Any) -> Any:
    """Swap texts and numbers, in all of a document."""
    if isinstance(value, list):
        return [other_kind(part) for part in value]
    if isinstance(value, dict):
        return {name: other_kind(part) for name, part in value.items()}
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    try:
        Decimal(value)
    except (ArithmeticError, TypeError, ValueError):
        return value
    return f"<<{value}>>"


@pytest.mark.parametrize("name", READ)
def test_numbers_may_come_as_texts_and_texts_as_numbers(name: str) -> None:
    sample = SAMPLE[name]
    swapped = json.dumps(other_kind(sample)).replace('"<<', "").replace('>>"', "")
    assert json.loads(swapped) != sample or name == "account_status"

    assert read(name, swapped.encode()) == read(name, sample)


@pytest.mark.parametrize(
    "text", ["0.1", "50300000001.44911105", "1e-8", "0.00000001", "123456789012345678901234.5"]
)
def test_a_number_keeps_all_its_digits(text: str) -> None:
    (row,) = read("user_assets", b'[{"asset":"A","free":%s}]' % text.encode())

    assert row.free == Decimal(text)


# --- rows that are set aside ---------------------------------------------------------------------


def log_of(*amounts: Any) -> dict[str, Any]:
    rows = [
        {
            "operateTime": 1_700_000_000_000 + n,
            "transId": 100 + n,
            "userAssetDribbletDetails": [
                {
                    "transId": 100 + n,
                    "fromAsset": "ADA",
                    "amount": amount,
                    "transferedAmount": "1",
                    "serviceChargeAmount": "0.02",
                    "operateTime": 1_700_000_000_000 + n,
                }
            ],
        }
        for n, amount in enumerate(amounts)
    ]
    return {"total": len(rows), "userAssetDribblets": rows}


def test_a_record_with_a_null_is_named_and_the_others_are_read() -> None:
    log = read("dust_log", log_of("1", None, "3"))

    assert [entry.trans_id for entry in log.user_asset_dribblets] == [100, 102]
    (row,) = log.unread
    assert (row.place, row.id) == ("$.userAssetDribblets[1]", "101")
    assert str(row) == (
        "record 101 of 2023-11-14 22:13:20 UTC can't be read: "
        "DustLogDetail.amount: None is not a finite number"
    )


@pytest.mark.parametrize(
    "odd", [None, 7, "x", [], {}, {"userAssetDribbletDetails": None}, {"transId": 2**64}]
)
def test_a_record_of_any_other_form_is_set_aside_at_its_place(odd: Any) -> None:
    body = log_of("1", "2", "3")
    body["userAssetDribblets"][1] = odd
    body["userAssetDribblets"][2]["userAssetDribbletDetails"][0]["amount"] = "x"

    log = read("dust_log", body)

    assert [entry.trans_id for entry in log.user_asset_dribblets] == [100]
    assert [row.place[-3:] for row in log.unread] == ["[1]", "[2]"]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30, str(2**63)])
def test_an_id_beyond_64_bits_makes_its_record_unreadable(number: Any) -> None:
    body = log_of("1", "2")
    body["userAssetDribblets"][0]["transId"] = number

    log = read("dust_log", body)

    assert [entry.trans_id for entry in log.user_asset_dribblets] == [101]
    assert log.unread[0].id == (str(number) if "-" not in str(number) else None)
    answer = copy.deepcopy(SAMPLE["dust_transfer"])
    answer["transferResult"][0]["tranId"] = number
    with pytest.raises(UnreadableAnswerError, match=r"transferResult\[0\].tranId"):
        read("dust_transfer", answer)


def test_a_record_without_any_time_is_set_aside() -> None:
    body = log_of("1")
    del body["userAssetDribblets"][0]["operateTime"]
    assert read("dust_log", body).unread == []

    del body["userAssetDribblets"][0]["userAssetDribbletDetails"][0]["operateTime"]
    (row,) = read("dust_log", body).unread
    assert "has no time" in row.why
    assert row.at is None


def test_the_rows_of_debts_are_read_one_by_one_too() -> None:
    body = copy.deepcopy(SAMPLE["small_liability_history"])
    good = body["rows"][0]
    body["rows"] = [good | {"amount": None}, good, good | {"asset": 5}]

    page = read("small_liability_history", body)

    assert len(page.rows) == 1
    assert [row.place for row in page.unread] == ["$.rows[0]", "$.rows[2]"]


def test_what_the_wire_calls_unread_is_not_believed() -> None:
    body = log_of("1") | {"unread": [{"place": "$", "why": "so"}]}

    assert read("dust_log", body).unread == []
    body["userAssetDribblets"].append(None)
    assert len(read("dust_log", body).unread) == 1


def test_rows_beside_a_bad_one_are_read_as_they_always_are() -> None:
    body = log_of("1", "2")
    body["userAssetDribblets"][0]["transId"] = "100"
    body["userAssetDribblets"][1] = 5

    assert [entry.trans_id for entry in read("dust_log", body).user_asset_dribblets] == [100]


def test_a_wire_that_names_its_own_unread_rows_in_another_form_changes_nothing() -> None:
    body = log_of("1", None) | {"unread": 5}

    assert [row.id for row in read("dust_log", body).unread] == ["101"]


def test_a_record_is_named_by_the_time_of_its_first_detail_if_it_has_none() -> None:
    body = log_of("1", None)
    del body["userAssetDribblets"][1]["operateTime"]
    del body["userAssetDribblets"][1]["transId"]

    (row,) = read("dust_log", body).unread

    assert str(row).startswith("$.userAssetDribblets[1] of 2023-11-14 22:13:20 UTC can't be read")
    body["userAssetDribblets"][1]["userAssetDribbletDetails"] = []
    (row,) = read("dust_log", body).unread
    assert row.at is None


@pytest.mark.parametrize("number", [10**40, "1" * 41, "x", -1, 1.5, True, None, []])
def test_what_is_no_id_names_nothing(number: Any) -> None:
    body = log_of(None)
    body["userAssetDribblets"][0]["transId"] = number

    (row,) = read("dust_log", body).unread

    assert row.id is None


def test_rows_are_left_out_only_where_all_else_can_be_read() -> None:
    quote = copy.deepcopy(SAMPLE["convertible_assets"])
    quote["details"][0]["amountFree"] = None
    rest, unread = without_unreadable(judged("convertible_assets", quote).unwrap())
    assert len(rest.details) == len(quote["details"]) - 1
    assert [row.place for row in unread] == ["$.details[0]"]
    assert without_unreadable(None) == (None, [])

    quote["dribbletPercentage"] = "much"
    with pytest.raises(UnreadableAnswerError):
        without_unreadable(judged("convertible_assets", quote).unwrap())


def test_no_page_has_thousands_of_rows() -> None:
    body: Any = {"userAssetDribblets": [{"userAssetDribbletDetails": []}] * 1001}

    with pytest.raises(UnreadableAnswerError):
        read("dust_log", body)
    body["userAssetDribblets"][0] = {}
    with pytest.raises(UnreadableAnswerError):
        read("dust_log", body)


def test_a_holding_that_can_not_be_read_is_never_left_out() -> None:
    """A list of holdings that is silently smaller would say that nothing is held."""
    for name in ("user_assets", "margin_account", "small_liabilities"):
        assert not is_of_rows(READ[name].result)


# --- texts ---------------------------------------------------------------------------------------


NASTY = "A\x1b[31mB\n2026 ERROR forged\u202egnp\x00\x9b"
SEEN = r"A\x1b[31mB\n2026 ERROR forged\u202egnp\x00\x9b"


@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_texts_of_an_answer_are_made_visible(ascii_only: bool) -> None:
    body = json.dumps([{"asset": NASTY, "free": "1"}], ensure_ascii=ascii_only).encode()
    status = json.dumps({"status": 0, "msg": NASTY}, ensure_ascii=ascii_only).encode()
    log = log_of("1")
    log["userAssetDribblets"][0]["userAssetDribbletDetails"][0]["fromAsset"] = NASTY

    account = SAMPLE["spot_account"] | {"permissions": ["SPOT", NASTY]}

    assert read("spot_account", account).permissions == ["SPOT", SEEN]
    assert read("user_assets", body)[0].asset == SEEN
    assert read("system_status", status).msg == SEEN
    (entry,) = read("dust_log", log).user_asset_dribblets
    assert entry.user_asset_dribblet_details[0].from_asset == SEEN


def test_a_name_in_any_script_stays_as_it_is() -> None:
    body = json.dumps([{"asset": "币安人生", "free": "1"}]).encode()

    assert read("user_assets", body)[0].asset == "币安人生"


def test_an_unread_row_without_anything_names_its_place() -> None:
    assert str(UnreadRow(place="$.rows[3]", why="so")) == "$.rows[3] can't be read: so"
