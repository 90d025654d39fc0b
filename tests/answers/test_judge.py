"""The one judge: results and errors from answers, and what budgets hear of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from binance_dust import endpoints
from binance_dust._answers.judge import Answer, Judgement, judge
from binance_dust._call import wire
from binance_dust.errors import (
    CooldownError,
    Delivery,
    DustError,
    ExchangeError,
    RateLimitedError,
    RejectedError,
    UnreadableAnswerError,
)

SIGNATURE = "5ca1ab1e" * 8
KEY = "canary-api-key-0123456789"


def request(call: Any) -> wire.Request:
    query = wire.payload(call.query("comma"), 5000, 1_700_000_000_000)
    return wire.signed_request(call, query, SIGNATURE, api_key=KEY, account="alice")


def judged(call: Any, body: bytes | str, status: int = 200, headers: Any = None) -> Judgement[Any]:
    content = body if isinstance(body, bytes) else body.encode()
    answer = Answer(status, CIMultiDict(headers or {}), content)
    return judge(call, answer, account="alice", clean=request(call).scrub)


def read(call: Any, body: bytes | str, status: int = 200, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return judged(call, body, status, named).unwrap()


ASSETS = endpoints.USER_ASSETS()
ROW = (
    '{"asset":"ADA","free":"1","locked":"0","freeze":"0",'
    '"withdrawing":"0","ipoable":"0","btcValuation":"0"}'
)


def test_an_answer_shows_its_size_and_not_its_body() -> None:
    answer = Answer(200, {}, b"abc")

    assert repr(answer) == "<Answer 200, 3 bytes>"
    assert answer.sent == answer.received == 0.0


def test_a_plain_success_is_the_declared_result() -> None:
    (row,) = read(ASSETS, f"[{ROW}]")

    assert row.free == Decimal(1)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (f'{{"code":"000000","message":"success","success":true,"data":[{ROW}]}}', 1),
        ('{"code":"000000","message":"success","success":true,"total":0}', 0),
        ('{"code":0,"data":null}', 0),
        (f'{{"code":200,"msg":"ok","data":[{ROW},{ROW}]}}', 2),
    ],
)
def test_a_wrapped_success_is_unwrapped(body: str, rows: int) -> None:
    assert len(read(ASSETS, body)) == rows


def test_a_wrapped_success_without_its_object_is_unreadable() -> None:
    with pytest.raises(UnreadableAnswerError, match=r"found null at \$\.data;") as caught:
        read(endpoints.BNB_BURN(), '{"code":"000000","success":true}')
    assert caught.value.path == "$.data"


def test_a_wrapped_number_may_be_text_as_an_unwrapped_one_may() -> None:
    log = read(endpoints.DUST_LOG(), '{"code":0,"data":{"total":"8","userAssetDribblets":[]}}')

    assert log.total == 8


@pytest.mark.parametrize("code", ["true", "[]", "{}", "null"])
def test_what_can_not_be_a_code_is_neither_a_success_nor_a_refusal(code: str) -> None:
    with pytest.raises(UnreadableAnswerError):
        read(ASSETS, f'{{"code":{code},"data":[{ROW}]}}')


@pytest.mark.parametrize("code", ["032001", "00a", "-0"])
def test_a_code_in_letters_or_with_a_zero_before_it_is_a_refusal_inside_a_success(
    code: str,
) -> None:
    with pytest.raises(ExchangeError) as caught:
        read(ASSETS, f'{{"code":"{code}","data":[{ROW}]}}')
    assert caught.value.code == code


def test_a_code_that_is_longer_than_any_is_cut() -> None:
    with pytest.raises(ExchangeError) as caught:
        read(ASSETS, f'{{"code":"{"A" * 50}","msg":"no"}}', 400)
    assert caught.value.code == "A" * 40


@pytest.mark.parametrize(
    ("written", "code"), [(2**63 - 1, 2**63 - 1), (2**63, "9223372036854775808")]
)
def test_a_code_that_the_ledger_can_not_keep_as_a_number_is_a_text(
    written: int, code: int | str
) -> None:
    with pytest.raises(ExchangeError) as caught:
        read(ASSETS, f'{{"code":{written},"msg":"no"}}', 400)
    assert caught.value.code == code


def test_a_wrapped_success_with_a_wrong_row_says_where() -> None:
    with pytest.raises(UnreadableAnswerError) as caught:
        read(ASSETS, '{"code":"000000","data":[{"asset":"ADA"}]}')
    assert caught.value.path == "$.data[0]"


@pytest.mark.parametrize(
    "body",
    ["", " \n", "{}", "null", "[]", '"done"', "true", '{"code":"000000"}', '{"success":true}'],
)
def test_any_json_that_a_small_liability_exchange_answers_is_a_success(body: str) -> None:
    assert read(endpoints.EXCHANGE_SMALL_LIABILITIES(assets=["BTC"]), body) is None


@pytest.mark.parametrize(
    "body", ["<html>Please wait</html>", '{"co', "~", b"\xff\xfe", '{"success":false}']
)
def test_what_is_no_json_tells_nothing_of_a_small_liability_exchange(body: Any) -> None:
    with pytest.raises(UnreadableAnswerError):
        read(endpoints.EXCHANGE_SMALL_LIABILITIES(assets=["BTC"]), body)


def test_a_refusal_inside_a_success_is_a_refusal() -> None:
    body = '{"code":-5006,"msg":"Only transfer once in 24 hours."}'

    for call in (
        endpoints.DUST_TRANSFER(assets=["ADA"]),
        endpoints.EXCHANGE_SMALL_LIABILITIES(assets=["ADA"]),
    ):
        with pytest.raises(CooldownError) as caught:
            read(call, body)
        assert caught.value.status == 200


def test_a_refusal_is_an_exchange_error_with_everything_in_it() -> None:
    with pytest.raises(RateLimitedError) as caught:
        read(ASSETS, '{"code":-1003,"msg":"Too much."}', 429, Retry_After="7")
    error = caught.value
    assert (error.code, error.message, error.status, error.retry_after) == (
        -1003,
        "Too much.",
        429,
        7.0,
    )
    assert (error.endpoint, error.account) == ("POST /sapi/v3/asset/getUserAsset", "alice")


def test_a_wait_that_is_a_date_is_held_against_the_exchange_s_time() -> None:
    headers = CIMultiDict({"Retry-After": "Fri, 15 Jan 2027 08:01:00 GMT"})
    answer = Answer(429, headers, b"{}")
    now = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)

    assert judge(ASSETS, answer, now=lambda: now).feedback.retry_after == 60.0
    assert judge(ASSETS, answer).feedback.retry_after is None


def test_a_code_in_digits_is_a_number_and_a_message_may_have_its_other_name() -> None:
    with pytest.raises(CooldownError) as caught:
        read(ASSETS, '{"code":"-5006","message":"too soon","success":false}', 400)
    assert caught.value.code == -5006
    assert caught.value.message == "too soon"


def test_a_message_that_is_longer_than_any_is_not_read() -> None:
    with pytest.raises(ExchangeError) as caught:
        read(ASSETS, f'{{"code":-1100,"msg":"{"x" * 70_000}"}}', 400)
    assert caught.value.message.startswith('{"code":-1100,"msg":"xx')


def test_an_html_refusal_shows_how_it_begins() -> None:
    with pytest.raises(RejectedError) as caught:
        read(ASSETS, "<html>\n  <title>403  Forbidden</title>", 403)
    assert caught.value.code is None
    assert caught.value.message == "<html> <title>403 Forbidden</title>"


@pytest.mark.parametrize(
    ("body", "path", "says"),
    [
        ("", None, "the body is empty"),
        ("   ", None, "the body is empty"),
        ("<html>fine</html>", None, "not JSON"),
        ('[{"asset":"ADA","fre', None, r"cut \(at character 16\)"),
        ("NaN", None, "not JSON"),
        (b'[{"asset":"\xff"}]', None, "not UTF-8"),
        # How deep is too deep is the interpreter's matter: some come to where it is cut.
        ('[{"new":' + "[" * 100_000, None, "too deep|or was cut"),
        (f'[{ROW[:-1]},"locked":{"9" * 5_000}}}]', "$[0].locked", "too many digits"),
        (f"[{ROW.replace('ADA', chr(92) + 'ud800')}]", "$[0].asset", "half a character"),
        ("{}", "$", "expected a list, found an object"),
        ('[{"asset":"ADA"}]', "$[0]", "`free` is missing"),
        (f"[{ROW},5]", "$[1]", "expected an object, found a number"),
        (
            f"[{ROW.replace(chr(34) + 'ADA' + chr(34), '7')}]",
            "$[0].asset",
            "expected a text, found a number",
        ),
    ],
)
def test_an_unreadable_success_says_what_is_wrong_and_where(
    body: Any, path: str | None, says: str
) -> None:
    with pytest.raises(UnreadableAnswerError, match=says) as caught:
        read(ASSETS, body)
    error = caught.value
    assert error.path == path
    assert error.status == 200
    assert len(error.excerpt) <= 200
    assert error.delivery is Delivery.UNCLEAR
    assert error.__context__ is None, "nothing of msgspec leaks"


MANY = ",".join([ROW] * 700)
"""More than is read twice for the exact reason."""


@pytest.mark.parametrize(
    ("call", "body", "path"),
    [
        (ASSETS, f'[{MANY},{{"asset":"ADA"}}]', "$[700]"),
        (ASSETS, f"[{MANY},{ROW[:20]}", None),
        (ASSETS, f'{{"rows":[{MANY}]}}', "$"),
        (ASSETS, f'{{"code":0,"data":[{MANY},7]}}', "$.data[700]"),
        (ASSETS, f'{{"code":0,"data":{{"rows":[{MANY}]}}}}', "$.data"),
        (endpoints.DUST_LOG(), f'{{"total":"8","userAssetDribblets":5,"more":[{MANY}]}}', "$.user"),
        (endpoints.BNB_BURN(), f'{{"unknown":[{MANY}]}}', "$"),
    ],
)
def test_a_long_answer_that_is_unreadable_says_where(
    call: Any, body: str, path: str | None
) -> None:
    with pytest.raises(UnreadableAnswerError) as caught:
        read(call, body)
    if path is None:
        assert "the body is not JSON, or was cut; " in str(caught.value)
    else:
        assert f"something in it can't be read at {path}" in str(caught.value)
        assert (caught.value.path or "").startswith(path)


@pytest.mark.parametrize(
    ("size", "says"), [(65_536, "expected an object, found a number at"), (65_537, "something in")]
)
def test_a_body_up_to_64_kib_is_read_again_for_the_exact_reason(size: int, says: str) -> None:
    with pytest.raises(UnreadableAnswerError, match=says) as caught:
        read(ASSETS, "[7]".ljust(size))
    assert caught.value.path == "$[0]"


def test_an_answer_with_more_values_than_any_has_is_not_read() -> None:
    """A comma, or a bracket that opens, begins a value: eight for each of these rows."""

    def assets(rows: int) -> str:
        return f"[{','.join([ROW] * rows)}]"

    def log(more: int) -> str:
        return json.dumps({"total": 0, "userAssetDribblets": [], "more": [0] * more})

    assert len(read(ASSETS, assets(25_000))) == 25_000
    assert read(endpoints.DUST_LOG(), log(49_996)).total == 0
    for call, body in ((ASSETS, assets(25_001)), (endpoints.DUST_LOG(), log(49_997))):
        with pytest.raises(UnreadableAnswerError, match="more than any answer"):
            read(call, body)


@pytest.mark.parametrize("status", [300, 302, 399])
@pytest.mark.parametrize("body", [f"[{ROW}]", '{"code":-5006,"msg":"too soon"}'])
def test_a_redirect_is_no_answer(status: int, body: str) -> None:
    with pytest.raises(UnreadableAnswerError, match=f"HTTP {status}"):
        read(ASSETS, body, status)


def test_an_unreadable_answer_shows_how_it_begins_if_it_has_a_beginning() -> None:
    with pytest.raises(UnreadableAnswerError, match=r"; the body begins '<html> fine'$"):
        read(ASSETS, "<html>  fine")
    with pytest.raises(UnreadableAnswerError, match=r"the body is empty$"):
        read(ASSETS, "")


@pytest.mark.parametrize(
    "template",
    [
        "<p>you asked for {url}</p>",
        "signature={signature}",
        "Signature%3D{signature}!",
        '{{"signature": "{signature}", "x": 1}}',
        "key {key}",
        "cut in the middle: signature={half}",
        "x" * 190 + "{signature}",
    ],
)
@pytest.mark.parametrize("status", [200, 302, 400, 403, 503])
def test_a_body_that_echoes_the_request_is_shown_without_its_secrets(
    template: str, status: int
) -> None:
    call = endpoints.DUST_TRANSFER(assets=["ADA"])
    body = template.format(
        url=request(call).path_and_query, signature=SIGNATURE, half=SIGNATURE[:40], key=KEY
    )

    with pytest.raises(DustError) as caught:
        read(call, body, status)
    shown = f"{caught.value} {vars(caught.value)}"
    for secret in (SIGNATURE, SIGNATURE[:16], KEY, "timestamp=1700000000000"):
        assert secret not in shown


def test_a_message_that_echoes_the_signature_is_scrubbed() -> None:
    body = json.dumps({"code": -1022, "msg": f"bad signature {SIGNATURE}"})

    with pytest.raises(ExchangeError) as caught:
        read(ASSETS, body, 400)
    assert caught.value.message == "bad signature ***"


def test_a_time_as_text_and_a_total_above_the_rows_are_read() -> None:
    body = """{"total":"8","userAssetDribblets":[{"transId":"45","totalTransferedAmount":"1",
      "totalServiceChargeAmount":"0","userAssetDribbletDetails":[{"transId":4,"fromAsset":"ETH",
      "amount":"1","transferedAmount":"1","serviceChargeAmount":"0",
      "operateTime":"2018-05-03 17:07:04"}]}]}"""
    log = read(endpoints.DUST_LOG(), body)

    assert log.total == 8
    (entry,) = log.user_asset_dribblets
    assert entry.trans_id == 45
    assert entry.operate_time is None
    assert entry.happened_at.isoformat() == "2018-05-03T17:07:04+00:00"


WIRE_NAMES = st.sampled_from(["code", "msg", "data", "asset", "free", "details", "total"])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | WIRE_NAMES, inner),
    max_leaves=12,
)
CALLS = [
    endpoints.USER_ASSETS(),
    endpoints.CONVERTIBLE_ASSETS(target_asset="BNB"),
    endpoints.DUST_TRANSFER(assets=["ADA"]),
    endpoints.DUST_LOG(),
    endpoints.SMALL_LIABILITIES(),
    endpoints.EXCHANGE_SMALL_LIABILITIES(assets=["BTC"]),
    endpoints.KEY_PERMISSIONS(),
    endpoints.ACCOUNT_STATUS(),
    endpoints.SERVER_TIME(),
]
STATUSES = st.sampled_from([200, 201, 204, 301, 400, 401, 403, 418, 429, 451, 500, 503])


@given(st.sampled_from(CALLS), JSON, STATUSES)
def test_any_json_is_a_result_or_one_of_our_errors(call: Any, value: Any, status: int) -> None:
    try:
        result = read(call, json.dumps(value), status)
    except DustError as error:
        assert str(error)
        assert repr(error)
        return
    touch(result)


@given(st.sampled_from(CALLS), st.binary(max_size=60), STATUSES)
def test_any_bytes_are_a_result_or_one_of_our_errors(call: Any, body: bytes, status: int) -> None:
    try:
        touch(read(call, body, status))
    except DustError as error:
        assert str(error)


def touch(result: Any) -> None:
    """Read every field; an amount that is none may say so."""
    for row in result if isinstance(result, list) else [result]:
        for name in getattr(row, "__struct_fields__", ()):
            try:
                touch(getattr(row, name))
            except UnreadableAnswerError as error:
                assert error.path
