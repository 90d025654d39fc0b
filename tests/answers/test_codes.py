"""What the exchange's "no" means: the table of codes, and what a status says without one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from binance_dust import errors
from binance_dust._answers.codes import (
    BY_CODE,
    banned_until,
    cooled,
    exchange_error,
    has_no_margin,
    limits_us,
    verdict,
)
from binance_dust.errors import Delivery, ExchangeError

FINAL, REFUSED, UNKNOWN, UNCLEAR = (
    Delivery.FINAL,
    Delivery.REFUSED,
    Delivery.UNKNOWN,
    Delivery.UNCLEAR,
)


def error_of(
    status: int = 400, code: int | str | None = None, message: str = "", **more: Any
) -> ExchangeError:
    found = verdict(status, code, message)
    return exchange_error(
        found,
        status=status,
        code=code,
        message=message,
        endpoint="POST /x",
        account="alice",
        until=banned_until(message) if found.error is errors.BannedError else None,
        **more,
    )


CODES = [
    ((-1000, -1001, -1006, -1007, -5010, -5012, -3000), "UnavailableError", UNKNOWN),
    ((-1004, -1008, -3007, -3044), "UnavailableError", REFUSED),
    ((-1016,), "MaintenanceError", REFUSED),
    ((-1003, -1015, -6009, -12014), "RateLimitedError", REFUSED),
    ((-1021,), "ClockError", REFUSED),
    ((-1002, -1022, -1099, -2008, -2014, -2015, -2017), "CredentialsError", FINAL),
    ((-1013, -1014, -1020, -1100, -1101, -1102, -1103, -1104), "RejectedError", FINAL),
    ((-1105, -1106, -1111, -1128, -1130, -1131, -1151, -4047), "RejectedError", FINAL),
    ((-5001, -5003, -5004, -5005, -5009), "NotConvertibleError", FINAL),
    ((-5006, 32110), "CooldownError", FINAL),
    ((-5002, -5007, -5008, -5013), "DustRejectedError", FINAL),
    ((-5011, -5021, 345_231), "RejectedError", FINAL),
    ((-3001, -3002, -3003, -3004, -3006, -3008, -3010, -3014, -3015), "RejectedError", FINAL),
    ((-3016, -3020, -3022, -3023, -3024, -3026, -3027, -3036), "RejectedError", FINAL),
    ((-3037, -3041, -3042, -3045, -3999), "RejectedError", FINAL),
]


@pytest.mark.parametrize(("codes", "kind", "delivery"), CODES)
def test_each_code_has_its_class_and_says_whether_anything_was_done(
    codes: tuple[int, ...], kind: str, delivery: Delivery
) -> None:
    for code in codes:
        error = error_of(400, code, "no")

        assert type(error) is getattr(errors, kind), code
        assert error.delivery is delivery, code
        assert (error.code, error.message, error.status) == (code, "no", 400)
        assert str(error) == f"POST /x (alice): {code} no"


def test_no_code_is_known_but_these() -> None:
    assert {code for codes, *_ in CODES for code in codes} == BY_CODE.keys()


@pytest.mark.parametrize(
    ("status", "kind", "delivery"),
    [
        (400, "RejectedError", FINAL),
        (401, "CredentialsError", FINAL),
        (403, "RejectedError", FINAL),
        (404, "RejectedError", FINAL),
        (408, "UnavailableError", UNKNOWN),
        (418, "BannedError", REFUSED),
        (429, "RateLimitedError", REFUSED),
        (451, "RejectedError", FINAL),
        (500, "UnavailableError", UNKNOWN),
        (502, "UnavailableError", UNKNOWN),
        (503, "UnavailableError", UNKNOWN),
        (504, "UnavailableError", UNKNOWN),
    ],
)
def test_a_status_speaks_where_there_is_no_code(status: int, kind: str, delivery: Delivery) -> None:
    error = error_of(status, None, "<html>")

    assert type(error) is getattr(errors, kind)
    assert error.delivery is delivery
    assert str(error).startswith(f"POST /x (alice): HTTP {status} <html>")


def test_an_unheard_of_code_says_nothing_about_what_was_done() -> None:
    for code in (-9999, -9000, 400002, "032010", "99"):
        error = error_of(400, code, "?")

        assert type(error) is ExchangeError
        assert error.delivery is UNCLEAR
        assert error.code == code


INNER = {
    "ASSET_DRIBBLET_CONVERT_SWITCH_OFF": "NotConvertibleError",
    "ASSET_ASSET_NOT_ENOUGH": "DustRejectedError",
    "ASSET_USER_HAVE_NO_ASSET": "NotConvertibleError",
    "USER_OUT_OF_TRANSFER_FLOAT": "NotConvertibleError",
    "USER_ASSET_AMOUNT_IS_TOO_LOW": "NotConvertibleError",
    "USER_CAN_NOT_REQUEST_IN_24_HOURS": "CooldownError",
    "AMOUNT_OVER_ZERO": "DustRejectedError",
    "ASSET_WITHDRAW_WITHDRAWING_NOT_ENOUGH": "DustRejectedError",
    "PRODUCT_NOT_EXIST": "NotConvertibleError",
}


@pytest.mark.parametrize(("number", "name"), [*enumerate(INNER, 1)])
def test_a_code_for_many_things_is_read_as_what_its_text_names(number: int, name: str) -> None:
    prefix = "com.binance.assetservice.AssetErrorCode."
    texts = (name, prefix + name, f"032 {name}: no", f"03200{number}", f" 3200{number} ")
    for message in (*texts, f"{prefix}03200{number}"):
        error = error_of(400, -9000, message)

        assert type(error) is getattr(errors, INNER[name]), message
        assert error.delivery is FINAL
        assert (error.code, error.message) == (-9000, message)
    assert type(error_of(400, f"03200{number}", "no")) is getattr(errors, INNER[name])
    assert cooled(-9000, name) is (INNER[name] == "CooldownError")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "187049",
        "032010",
        "03200",
        "1032004",
        "at 032004",
        "user has no amount",
        "MY_USER_OUT_OF_TRANSFER_FLOAT",
        "USER_OUT_OF_TRANSFER_FLOATING",
        "PRODUCT_NOT_EXIST, AMOUNT_OVER_ZERO",
    ],
)
def test_a_code_for_many_things_that_names_none_of_them_stays_unclear(message: str) -> None:
    assert error_of(400, -9000, message).delivery is UNCLEAR
    assert error_of(500, -9000, message).delivery is UNKNOWN
    assert not cooled(-9000, message)


@pytest.mark.parametrize("code", [-1102, None])
def test_a_name_in_the_text_of_a_known_code_or_of_a_page_changes_nothing(code: int | None) -> None:
    error = error_of(400, code, "USER_OUT_OF_TRANSFER_FLOAT")

    assert type(error) is errors.RejectedError


def test_a_number_alone_says_something_only_where_the_code_says_nothing() -> None:
    assert error_of(400, -9999, "032004").delivery is UNCLEAR
    assert error_of(400, -9999, "USER_OUT_OF_TRANSFER_FLOAT").delivery is FINAL


@pytest.mark.parametrize(
    ("code", "message", "limits"),
    [
        (-1003, "", True),
        (-6009, "", True),
        (-9999, "banned until 1672801339253", True),
        (-5001, "", False),
        (None, "", False),
        (-9000, "USER_CAN_NOT_REQUEST_IN_24_HOURS", False),
    ],
)
def test_what_asks_for_fewer_requests(code: int | None, message: str, limits: bool) -> None:
    assert limits_us(code, message) is limits


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (2, "The size of assets should not larger than 20"),
        (1, "asset is required"),
        (999, "asset is invalid"),
        (7, "Parameter 'asset' is malformed"),
        (100, "assetNames must not be empty"),
    ],
)
def test_a_500_with_a_small_code_that_speaks_of_parameters_is_a_no_to_reads(
    code: int, message: str
) -> None:
    error = error_of(500, code, message)

    assert type(error) is errors.RejectedError
    assert error.delivery is UNCLEAR, "raised for a read, and unknown for what moves funds"
    assert str(error) == f"POST /x (alice): {code} {message}"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (2, "Internal error"),
        (-2, "The size should not be larger"),
        (1000, "should not"),
        ("2", "should not"),
        (None, "should not"),
        (0, "should not"),
    ],
)
def test_any_other_500_is_unknown(code: int | str | None, message: str) -> None:
    assert error_of(500, code, message).delivery is UNKNOWN


@pytest.mark.parametrize("code", [-5001, -1102, -2015, -9999, None, -1000])
def test_a_server_error_is_unknown_whatever_no_it_carries(code: int | None) -> None:
    assert error_of(500, code, "no").delivery is UNKNOWN


@pytest.mark.parametrize("code", [-1003, -1004, -1008, -1016, -1021])
def test_a_server_error_that_says_it_did_nothing_is_believed(code: int) -> None:
    assert error_of(503, code, "busy").delivery is REFUSED


def test_words_decide_where_no_code_is_known() -> None:
    maintenance = error_of(503, None, "System is under maintenance.")
    moved = error_of(400, -9999, "The price has moved by more than 5%")
    fluctuated = error_of(400, 400001, "Price fluctuation too large")

    assert type(maintenance) is errors.MaintenanceError
    assert maintenance.delivery is UNKNOWN
    assert type(moved) is type(fluctuated) is errors.PriceMovedError
    assert moved.delivery is FINAL


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, -1000, "System maintenance", "MaintenanceError"),
        (400, -1102, "System maintenance", "RejectedError"),
        (400, -5003, "The price has moved", "NotConvertibleError"),
        (400, None, "The price has moved", "RejectedError"),
        (500, -9999, "The price has moved", "UnavailableError"),
        (400, -1102, "banned until 1672801339253", "RejectedError"),
        (400, 400001, "banned until 1672801339253", "BannedError"),
        (400, None, "banned until 1672801339253", "BannedError"),
        (429, -1003, "banned until 1672801339253", "BannedError"),
    ],
)
def test_words_do_not_overrule_a_code_that_is_known(
    status: int, code: int | None, message: str, kind: str
) -> None:
    assert type(error_of(status, code, message)) is getattr(errors, kind)


@pytest.mark.parametrize("code", [-1102, -9999, -1000, None])
def test_a_status_that_asks_to_wait_or_to_log_in_overrules_a_code(code: int | None) -> None:
    assert type(error_of(429, code, "no")) is errors.RateLimitedError
    assert type(error_of(418, code, "no")) is errors.BannedError
    if code in (None, -9999):
        assert type(error_of(401, code, "no")) is errors.CredentialsError


def test_a_rate_limit_carries_the_wait() -> None:
    error = error_of(429, -1003, "Too much request weight used", retry_after=12.0)

    assert isinstance(error, errors.RateLimitedError)
    assert error.retry_after == 12.0
    assert str(error) == ("POST /x (alice): -1003 Too much request weight used; retry in 12 s")


def test_a_ban_carries_its_end_from_the_text_or_from_the_wait() -> None:
    text = "Way too much request weight used; IP banned until 1672801339253. Please use WebSocket"
    told = error_of(418, -1003, text, retry_after=1.0)
    counted = error_of(
        418, -1003, "banned", retry_after=120.0, now=lambda: datetime(2026, 1, 1, tzinfo=UTC)
    )

    assert isinstance(told, errors.BannedError)
    assert told.until == banned_until(text) == datetime(2023, 1, 4, 3, 2, 19, 253000, tzinfo=UTC)
    assert isinstance(counted, errors.BannedError)
    assert counted.until == datetime(2026, 1, 1, 0, 2, tzinfo=UTC)
    assert type(error_of(400, -1003, text)) is errors.BannedError
    assert getattr(error_of(418, None, ""), "until", 0) is None


NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
TOLD = f"IP banned until {NOON.timestamp() * 1000:.0f}"


@pytest.mark.parametrize(
    ("message", "retry_after", "now", "until", "wait"),
    [
        (TOLD, 7.0, NOON - timedelta(seconds=90), NOON, 90.0),
        (TOLD, None, NOON - timedelta(seconds=90), NOON, 90.0),
        (TOLD, 7.0, NOON + timedelta(seconds=90), NOON, 0.0),
        (TOLD, 7.0, None, NOON, 7.0),
        ("banned", 60.0, NOON, NOON + timedelta(minutes=1), 60.0),
        ("banned", 60.0, None, None, 60.0),
        ("banned", None, NOON, None, None),
        ("banned", 0.0, NOON, None, 0.0),
    ],
)
def test_the_end_of_a_ban_and_the_wait_for_it_agree_as_far_as_they_are_known(
    message: str,
    retry_after: float | None,
    now: datetime | None,
    until: datetime | None,
    wait: float | None,
) -> None:
    clock = None if now is None else lambda: now
    error = error_of(418, -1003, message, retry_after=retry_after, now=clock)

    assert isinstance(error, errors.BannedError)
    assert (error.until, error.retry_after) == (until, wait)


@pytest.mark.parametrize(
    ("message", "blamed"),
    [
        ("The residual balances of XRP have exceeded 0.001BTC", ("XRP",)),
        ("Don't allow transfer to micro assets.", ("ADA", "XRP", "BTC")),
        ("ADA, XRP are not supported", ("ADA", "XRP")),
        ("ADAUP is not supported", ("ADA", "XRP", "BTC")),
    ],
)
def test_the_assets_to_blame_are_those_that_the_text_names_or_all(
    message: str, blamed: tuple[str, ...]
) -> None:
    error = error_of(400, -5004, message, names=("ADA", "XRP", "BTC"))

    assert isinstance(error, errors.NotConvertibleError)
    assert error.assets == blamed


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([ │├└─]*)([A-Z]\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4 - 1
            path[depth:] = [match[2]]
            if depth:
                drawn[match[2]] = path[depth - 1]

    real = {
        name: vars(errors)[name].__bases__[-1].__name__
        for name in errors.__all__
        if name not in ("Delivery", "DustError")
    }
    assert drawn == real


@pytest.mark.parametrize(
    ("error", "none"),
    [
        (error_of(code=-3003), True),
        (error_of(code=-3004), False),
        (error_of(code=-2015, status=401), False),
        (errors.NoAnswerError("the line was dropped"), False),
    ],
)
def test_an_account_without_margin_is_told_by_its_code_alone(
    error: errors.DustError, none: bool
) -> None:
    assert has_no_margin(error) is none
