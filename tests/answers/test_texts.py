"""The exchange's texts: made visible where they are read, and cleaned of secrets before a cut."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from binance_dust import endpoints
from binance_dust._answers.judge import Answer, judge
from binance_dust._call import wire
from binance_dust._util.plain import plain
from binance_dust._util.words import visible
from binance_dust.errors import DustError, ExchangeError

KEY = "K3y" + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY"[:61]
SIGNATURE = "5ca1ab1e" * 8
NASTY = "no\x1b[2J\r\n2026-12-01 ERROR forged\u202egnp\x00\u2028"
SEEN = r"no\x1b[2J\r\n2026-12-01 ERROR forged\u202egnp\x00\u2028"
STATUSES = [200, 400, 403, 500]


def error_of(body: bytes | str, status: int) -> DustError:
    call = endpoints.DUST_TRANSFER(assets=["ADA"])
    query = wire.payload(call.query("comma"), 5000, 1_700_000_000_000)
    request = wire.signed_request(call, query, SIGNATURE, api_key=KEY, account="alice")
    content = body if isinstance(body, bytes) else body.encode()
    answer = Answer(status, CIMultiDict(), content)
    error = judge(call, answer, account="alice", clean=request.scrub).error
    assert error is not None
    return error


def everything(error: DustError) -> str:
    """Give all that is shown of an error: as text, its fields, and what ledger and JSON get."""
    return f"{error} {error!r} {vars(error)} {json.dumps(plain(error))}"


@pytest.mark.parametrize("escaped", [True, False])
def test_what_is_not_printable_in_a_result_is_spelled_out(escaped: bool) -> None:
    """Also if JSON has it as it is, and not as an escape."""
    row = {"asset": "A\u202eB", "free": "1"}
    body = json.dumps([row], ensure_ascii=escaped).encode()

    found = judge(endpoints.USER_ASSETS(), Answer(200, CIMultiDict(), body)).unwrap()

    assert [each.asset for each in found] == [r"A\u202eB"]


@pytest.mark.parametrize("status", STATUSES)
def test_a_message_can_steer_no_terminal_and_forge_no_line(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    error = error_of(json.dumps({"code": -2015, "msg": NASTY}), status)

    assert isinstance(error, ExchangeError)
    assert error.message == SEEN
    assert str(error).isprintable()
    logging.getLogger("binance_dust").warning("it said: %s", error)
    assert caplog.text.count("\n") == 1
    # What JSON escapes is not escaped twice.
    assert visible(error.message) == error.message


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    "body",
    [
        NASTY,
        f"<html>{NASTY}</html>",
        json.dumps({"code": NASTY, "msg": "no"}),
        json.dumps({"code": "", "msg": NASTY}),
        json.dumps({NASTY: {NASTY: NASTY}}),
        json.dumps({"transferResult": [{NASTY: "\ud800"}], "x": NASTY}),
        json.dumps({"transferResult": [{"amount": {NASTY: "\ud800"}, "fromAsset": NASTY}]}),
    ],
)
def test_no_answer_puts_a_control_character_into_an_error(status: int, body: str) -> None:
    error = error_of(body, status)

    for text in (str(error), *(each for each in vars(error).values() if isinstance(each, str))):
        assert text.isprintable(), text


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("before", [0, 100, 136, 150, 168, 190, 199, 3136, 3168, 3199])
@pytest.mark.parametrize(
    "form", ['{{"code":-2015,"msg":"{0}"}}', "{0}", '{{"code":"{0}"}}', '[{{"apiKey":"{0}"}}]']
)
@pytest.mark.parametrize("filler", ["x", " ", "<b> "])
@pytest.mark.parametrize("secret", [KEY, SIGNATURE], ids=["key", "signature"])
def test_a_secret_across_any_cut_is_taken_out_before_it(
    status: int, before: int, form: str, filler: str, secret: str
) -> None:
    padding = (filler * before)[:before]

    shown = everything(error_of(form.format(padding + secret), status))

    longest = max((n for n in range(64) if secret[:n] in shown), default=0)
    assert longest < 8


@given(st.text())
def test_what_is_visible_is_printable_and_nothing_is_lost_of_the_rest(text: str) -> None:
    shown = visible(text)

    assert shown.isprintable()
    assert visible(shown) == shown
    if text.isprintable():
        assert shown == text
    assert visible(text, 5) == shown[:5]


def test_a_text_that_was_cut_in_a_secret_shows_no_beginning_of_it() -> None:
    call: Any = endpoints.DUST_TRANSFER(assets=["ADA"])
    query = wire.payload(call.query("comma"), 5000, 1_700_000_000_000)
    request = wire.signed_request(call, query, SIGNATURE, api_key=KEY, account="alice")

    assert request.scrub(f"your key {KEY[:40]}") == "your key ***"
    assert request.scrub(f"{KEY} and {SIGNATURE[:9]}") == "*** and ***"
    # Less tells nothing, and words happen to begin like a query.
    assert request.scrub(f"your key {KEY[:7]}") == f"your key {KEY[:7]}"
    assert request.scrub("no such asset") == "no such asset"
