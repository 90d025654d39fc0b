"""What an answer says about weight, read from plain values."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from binance_dust._answers.weight import ban_lasts
from binance_dust.budget import Feedback, read_feedback
from binance_dust.endpoints import LimitKind

NOW = 1_800_000_000.0
DATE = "Fri, 15 Jan 2027 08:00:00 GMT"
"""The same moment, as HTTP writes it."""


def read(status: int = 429, body: bytes | str = b"", **headers: str) -> Feedback:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_feedback(status, CIMultiDict(names), body, received=1.0, server_time=NOW)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("X-SAPI-USED-IP-WEIGHT-1M", "used_ip"),
        ("x-sapi-used-uid-weight-1m", "used_uid"),
        ("X-Mbx-Used-Weight-1M", "used_request"),
    ],
)
@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("0", 0),
        ("1", 1),
        ("12000", 12_000),
        ("-1", None),
        ("", None),
        ("1.5", None),
        ("1_0", None),
        ("٣", None),
        ("9999999999", None),
        ("many", None),
    ],
)
def test_a_used_weight_is_plain_digits_or_nothing(
    header: str, field: str, text: str, used: int | None
) -> None:
    feedback = read(200, **{header: text})

    assert getattr(feedback, field) == used


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("7.5", 7.5),
        ("259200", 259_200.0),
        ("259201", None),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("Fri, 15 Jan 2027 08:00:12 GMT", 12.0),
        ("Fri, 15 Jan 2027 10:00:12 +0200", 12.0),
        ("Fri, 15 Jan 2027 07:59:00 GMT", 0.0),
        ("Fri, 99 Jan 2027 07:59:00 GMT", None),
        ("Fri, 15 Jan 99999 07:59:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_junk(text: str, wait: float | None) -> None:
    assert read(Retry_After=text).retry_after == wait


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_a_date_without_a_zone_is_read_as_greenwichs_wherever_we_are(
    monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert read(Retry_After="Fri Jan 15 08:00:12 2027").retry_after == 12.0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_date_is_held_against_the_date_of_the_answer_itself() -> None:
    later = "Fri, 15 Jan 2027 08:01:00 GMT"

    assert read_feedback(429, {"Retry-After": later, "Date": DATE}).retry_after == 60.0
    assert read_feedback(429, {"Retry-After": later}).retry_after is None


@pytest.mark.parametrize(
    ("status", "body", "seen", "until"),
    [
        (418, b'{"code":-1003,"msg":"... IP banned until 1800000120000."}', 418, NOW + 120),
        (429, '{"code":-1003,"msg":"IP banned until 1800000120000"}', 418, NOW + 120),
        (400, b'{"code": -1003, "msg": "Too many requests"}', 429, None),
        (400, b'{"code":"-1003"}', 429, None),
        (400, b'{"code":-10031}', 400, None),
        (418, b'{"code":-1003}', 418, None),
        (418, b"banned until 12", 418, None),
        (200, b'{"code":-1003,"msg":"banned until 1800000120000"}', 418, NOW + 120),
        (200, b'{"code":-1003,"msg":"Too many requests"}', 429, None),
        (200, b'{"code":-1003,"msg":"Too ma', 429, None),
        (200, b'{"code":-100', 200, None),
        (200, b'[{"code":-1003,"msg":"a row"}]', 200, None),
        (302, b'{"code":-1003,"msg":"Too many requests"}', 429, None),
        (302, b'{"code":-5006,"msg":"too soon"}', 302, None),
        (503, b'{"code":-1003,"msg":"Too many requests"}', 429, None),
        (503, b"<html>Your IP is banned until 1800000120000</html>", 418, NOW + 120),
        (200, b"<html>Your IP is banned until 1800000120000</html>", 418, NOW + 120),
        (302, b"<html>Your IP is banned until 1800000120000</html>", 418, NOW + 120),
        (200, b'{"code":0,"msg":"banned until 1800000120000"}', 200, None),
        (302, b'{"msg":"banned until 1800000120000"}', 302, None),
        (400, b'{"code":-1015,"msg":"Too many new orders"}', 429, None),
        (400, b'{"code":-6009,"msg":"Too frequent"}', 429, None),
        (400, b'{"code":-12014,"msg":"Too frequent"}', 429, None),
        (400, b'{"code":-1102,"msg":"banned until 1800000120000"}', 400, None),
        (500, b"", 500, None),
    ],
)
def test_the_body_of_a_refusal_tells_what_the_status_does_not(
    status: int, body: bytes | str, seen: int, until: float | None
) -> None:
    feedback = read(status, body)

    assert feedback.status == seen
    assert feedback.banned_until == until


@pytest.mark.parametrize(
    ("status", "body", "walled"),
    [
        (403, b"<html>403 Forbidden</html>", True),
        (403, b"", True),
        (403, b'{"code":-2015,"msg":"no"}', False),
        (451, b"", False),
        (200, b"", False),
    ],
)
def test_a_403_without_a_code_comes_from_a_firewall(status: int, body: bytes, walled: bool) -> None:
    assert read(status, body).walled is walled


def test_a_status_alone_says_nothing_else() -> None:
    feedback = Feedback(200)

    said = (feedback.used_ip, feedback.used_uid, feedback.used_request, feedback.retry_after)
    assert said == (None, None, None, None)
    assert (feedback.received, feedback.banned_until, feedback.walled) == (0.0, None, False)


def test_each_kind_of_payer_has_a_weight_of_its_own() -> None:
    feedback = Feedback(200, used_ip=1, used_uid=2, used_request=3)

    assert [feedback.used(kind) for kind in (LimitKind.IP, LimitKind.UID)] == [1, 2]
    assert feedback.used(LimitKind.REQUEST) == 3


@pytest.mark.parametrize(
    ("status", "until", "bans"),
    [(418, None, True), (418, NOW, True), (200, NOW, True), (429, None, False), (200, None, False)],
)
def test_a_ban_is_told_by_the_status_or_by_its_end(
    status: int, until: float | None, bans: bool
) -> None:
    assert Feedback(status, banned_until=until).bans is bans


def test_an_error_begins_at_400_and_a_breakdown_at_500() -> None:
    answers = [Feedback(status) for status in (200, 399, 400, 499, 500, 502)]

    assert [answer.succeeded for answer in answers] == [True, True, False, False, False, False]
    assert [answer.broken for answer in answers] == [False, False, False, False, True, True]


DAYS = 3 * 86_400.0


@pytest.mark.parametrize(
    ("retry_after", "until", "now", "seconds"),
    [
        # Nothing is said of its end: as long as the shortest one.
        (None, None, NOW, 120.0),
        (0.0, None, NOW, 120.0),
        (None, NOW + 60, None, 120.0),
        (None, NOW, NOW, 120.0),
        (0.0, NOW - 60, NOW, 120.0),
        # A second is added to what is said, and the longer wait is believed.
        (0.5, None, NOW, 1.5),
        (30.0, None, None, 31.0),
        (None, NOW + 60, NOW, 61.0),
        (30.0, NOW + 60, NOW, 61.0),
        (90.0, NOW + 60, NOW, 91.0),
        # No ban is longer than three days.
        (None, NOW + DAYS, NOW, DAYS + 1),
        (None, NOW + DAYS + 60, NOW, DAYS + 1),
    ],
)
def test_a_ban_lasts_as_long_as_it_says_and_a_second_more(
    retry_after: float | None, until: float | None, now: float | None, seconds: float
) -> None:
    answer = Feedback(418, retry_after=retry_after, banned_until=until)

    assert ban_lasts(answer, now) == seconds


@given(
    st.integers(100, 599),
    st.dictionaries(
        st.sampled_from(
            ["Retry-After", "Date", "X-SAPI-USED-IP-WEIGHT-1M", "X-MBX-USED-WEIGHT-1M"]
        ),
        st.text(max_size=40),
    ),
    st.one_of(st.binary(max_size=60), st.text(max_size=60)),
)
def test_no_answer_is_too_strange_to_read(
    status: int, headers: dict[str, str], body: bytes | str
) -> None:
    feedback = read_feedback(status, headers, body, received=1.0)

    assert feedback.received == 1.0
    assert feedback.retry_after is None or 0 <= feedback.retry_after <= 3 * 86_400
    assert feedback.used_ip is None or feedback.used_ip >= 0
