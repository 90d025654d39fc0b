"""Amounts and times: exact when read, refused when they are no numbers."""

from __future__ import annotations

import copy
import pickle
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal, FloatOperation, Inexact, Rounded, Subnormal, localcontext
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from binance_dust._util.exact import (
    Amount,
    AnswerStruct,
    Moment,
    are_plain,
    ensure_readable,
    from_moment,
    product,
    ratio,
    to_amount,
    to_moment,
    total,
)
from binance_dust.endpoints import USER_ASSETS
from binance_dust.errors import UnreadableAnswerError
from binance_dust.models import ConvertedAsset, MarginAsset, UserAsset


class AmountRow(AnswerStruct, frozen=True, gc=False):
    asset: str
    amount_free: Amount
    at: Moment | None = None


def decode(body: bytes) -> AmountRow:
    return msgspec.json.Decoder(AmountRow, strict=False, float_hook=str).decode(body)


def row(amount: str) -> AmountRow:
    return decode(b'{"asset":"ADA","amountFree":%s}' % amount.encode())


@pytest.mark.parametrize(
    ("json", "text"),
    [
        ('"50300000001.44911105"', "50300000001.44911105"),
        ("50300000001.44911105", "50300000001.44911105"),
        ("0.3552", "0.3552"),
        ('"0"', "0"),
        ("7", "7"),
        ('"-1.50"', "-1.50"),
        ("1e-7", "1E-7"),
        ("3.552E-1", "0.3552"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        (
            "0.1234567890123456789012345678901234567890",
            "0.1234567890123456789012345678901234567890",
        ),
    ],
)
def test_an_amount_is_exact_whether_the_wire_sent_text_or_number(json: str, text: str) -> None:
    amount = row(json).amount_free

    assert type(amount) is Decimal
    assert str(amount) == text


@pytest.mark.parametrize(
    "json",
    [
        '"NaN"',
        '"Infinity"',
        '"-inf"',
        '"sNaN"',
        '""',
        '" 1"',
        '"1_000"',
        '"1,5"',
        '"0x10"',
        '"١٢"',
        '"1e9999999"',
        "1e9999999",
        "true",
        "null",
        "[]",
        "{}",
        '["1"]',
    ],
)
def test_what_is_no_finite_number_is_refused_where_it_is_read(json: str) -> None:
    answer = row(json)

    with pytest.raises(
        UnreadableAnswerError, match=r"AmountRow\.amount_free: .* is not a finite number"
    ):
        _ = answer.amount_free


def test_a_row_that_was_read_equals_one_that_was_not() -> None:
    one, other = row('"1.5"'), row('"1.5"')
    assert one.amount_free == other.amount_free
    assert one == other
    assert hash(one) == hash(other)
    assert one != row('"1.6"')
    assert one != "1.5"


def test_an_answer_survives_pickle_and_copy() -> None:
    answer = row("0.3552")

    assert pickle.loads(pickle.dumps(answer)) == answer  # noqa: S301 - our own bytes
    assert copy.deepcopy(answer) == answer


def test_an_answer_can_be_made_by_hand_for_tests() -> None:
    answer = AmountRow(
        asset="ADA", amount_free=Decimal("6.21"), at=datetime(2026, 1, 1, tzinfo=UTC)
    )

    assert answer.amount_free == Decimal("6.21")
    assert answer.at == datetime(2026, 1, 1, tzinfo=UTC)


def test_an_answer_can_not_be_changed() -> None:
    answer = row('"1.5"')

    with pytest.raises(AttributeError):
        answer.amount_free = Decimal(2)  # type: ignore[misc]


def test_a_repr_shows_values_and_never_raises() -> None:
    assert repr(row('"1.50"')) == "AmountRow(asset='ADA', amount_free=1.50, at=None)"
    assert "is not a finite number" in repr(row('"NaN"'))


def test_new_fields_are_ignored_and_missing_ones_are_not() -> None:
    assert decode(b'{"asset":"ADA","amountFree":"1","brandNew":[1]}').asset == "ADA"

    with pytest.raises(msgspec.ValidationError, match="amountFree"):
        decode(b'{"asset":"ADA"}')


@given(st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: abs(d.adjusted()) < 900))
def test_every_finite_decimal_comes_back_as_it_was(amount: Decimal) -> None:
    assert str(to_amount(str(amount))) == str(amount)


@given(st.text())
def test_any_text_is_a_number_or_a_value_error(text: str) -> None:
    try:
        amount = to_amount(text)
    except ValueError:
        return
    assert amount.is_finite()


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        (1672801339253, datetime(2023, 1, 4, 3, 2, 19, 253000, tzinfo=UTC)),
        ("1672801339253", datetime(2023, 1, 4, 3, 2, 19, 253000, tzinfo=UTC)),
        ("2018-05-03 17:07:04", datetime(2018, 5, 3, 17, 7, 4, tzinfo=UTC)),
        ("2018-05-03T17:07:04+02:00", datetime(2018, 5, 3, 15, 7, 4, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_aware_and_utc(sent: object, moment: datetime) -> None:
    read = to_moment(sent)

    assert read == moment
    assert read.tzinfo is UTC


EDGES = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", 253402300800000]
"""No moment of the calendar in UTC."""


@pytest.mark.parametrize(
    "sent", [True, None, "", "soon", "12:00", 10**18, "9" * 30, 1.5, [], "٣", *EDGES]
)
def test_what_is_no_time_is_refused(sent: object) -> None:
    with pytest.raises(ValueError, match=r".*"):
        to_moment(sent)


def test_a_time_that_can_not_be_read_is_named() -> None:
    with pytest.raises(UnreadableAnswerError, match=r"AmountRow\.at: 'soon' is not a time"):
        _ = decode(b'{"asset":"A","amountFree":"1","at":"soon"}').at


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_milliseconds_come_back_to_the_digit(milliseconds: int) -> None:
    moment = to_moment(milliseconds)

    assert from_moment(moment) == milliseconds
    assert from_moment(moment.astimezone(timezone(timedelta(hours=-7)))) == milliseconds


def test_a_sum_has_every_digit_that_its_amounts_have() -> None:
    amounts = [Decimal("123456789012345678901234567890.12345678"), Decimal("0.00000001")]

    assert total(amounts) == Decimal("123456789012345678901234567890.12345679")
    assert sum(amounts, Decimal(0)) != total(amounts)
    assert total([]) == 0


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8))
def test_products_and_ratios_are_the_same_in_every_context(amount: Decimal) -> None:
    rate = Decimal("0.0199999999999999999999999999999")
    exact = Fraction(amount) * Fraction(rate)

    strict = Context(prec=2, traps=[Inexact, Rounded, Subnormal, FloatOperation])
    with localcontext(strict):
        assert Fraction(product(amount, rate)) == exact
        found = ratio(amount, Decimal(3))
    assert found == ratio(amount, Decimal(3))
    assert abs(Fraction(found) * 3 - Fraction(amount)) <= abs(Fraction(amount)) / 10**27


def test_products_of_the_smallest_amounts_that_can_be_read_are_none_too_small() -> None:
    tiny, huge = Decimal("1E-999"), Decimal("9E999")

    assert product(tiny, tiny) == Decimal("1E-1998")
    assert ratio(tiny, huge) == ratio(Decimal(1), Decimal("9E1998"))


LONG = "123456789012345678901234567890.12345679"


def test_what_is_worked_out_of_an_answer_has_every_digit_in_any_context() -> None:
    wire: dict[str, Any] = {
        "asset": "ADA",
        "fromAsset": "ADA",
        "tranId": 1,
        "operateTime": 0,
        "transferedAmount": LONG,
        **dict.fromkeys(("locked", "freeze", "withdrawing", "ipoable"), "0"),
        **dict.fromkeys(("free", "borrowed", "btcValuation", "netAsset", "amount"), LONG),
        **dict.fromkeys(("interest", "serviceChargeAmount"), "0.00000001"),
    }

    with localcontext(prec=6):
        assert f"{msgspec.convert(wire, UserAsset).total:f}" == LONG
        assert f"{msgspec.convert(wire, ConvertedAsset).net_amount:f}" == LONG[:-1] + "8"
        assert f"{msgspec.convert(wire, MarginAsset).debt:f}" == LONG[:-2] + "80"


# --- many rows at once ---


def holding(free: Any, locked: Any = "0") -> UserAsset:
    return UserAsset(asset="A,B", free=free, locked=locked)


def reads(row: UserAsset) -> bool:
    try:
        ensure_readable(row)
    except UnreadableAnswerError:
        return False
    return True


@given(st.lists(st.text(alphabet="0123456789.,-+eEnaN_ \n\u0661", max_size=6), max_size=4))
@example(["1,5"])
@example(["1", "."])
@example(["", "1"])
@example(["0." + "0" * 998 + "1"])
@example(["1" * 1_000])
def test_rows_are_not_plain_if_one_of_them_can_not_be_read(texts: list[str]) -> None:
    rows = [holding(text) for text in texts]

    assert not are_plain(rows) or all(map(reads, rows))


@pytest.mark.parametrize("odd", ["1.5x", "nan", "", ".", "1,5", None, True, [], "1e-5000"])
def test_one_amount_that_is_no_number_is_found_among_a_thousand(odd: Any) -> None:
    rows = [holding("0.5")] * 1_000
    rows[700] = holding(odd)

    with pytest.raises(UnreadableAnswerError, match="free"):
        ensure_readable(rows)


@pytest.mark.parametrize("free", [3, "-1", "1e-8", ".5", "5.", Decimal(1)])
def test_what_is_not_plainly_a_number_is_read_to_find_out(free: Any) -> None:
    assert are_plain([holding("12.50", locked) for locked in ("0", "0.1", None)])
    assert not are_plain([holding(free)])
    assert reads(holding(free))


def test_a_thousand_assets_are_looked_at_in_less_than_a_few_times_their_decoding() -> None:
    """It was ten times their decoding, when every amount was read. Two costs of one run."""
    body = msgspec.json.encode(
        [{"asset": "ADA", "free": f"{n}.5", "locked": "0"} for n in range(1_000)]
    )
    rows = USER_ASSETS.decoder.decode(body)
    assert are_plain(rows)

    def best(work: Callable[[], object]) -> float:
        took = []
        for _ in range(20):
            began = time.process_time()
            work()
            took.append(time.process_time() - began)
        return min(took)

    assert best(lambda: ensure_readable(rows)) < 3 * best(lambda: USER_ASSETS.decoder.decode(body))
