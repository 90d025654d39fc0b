"""The rules of moving funds, as tables: values in, values out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import (
    Clamped,
    Context,
    Decimal,
    FloatOperation,
    Inexact,
    Rounded,
    Subnormal,
    localcontext,
)
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import (
    ConfigurationError,
    GuardError,
    Quote,
    Receipt,
    UnreadableAnswerError,
)
from binance_dust.conversion import QuoteLine, Reason, Skipped
from binance_dust.conversion._account import HeldAsset, margin_holdings, spot_holdings
from binance_dust.conversion._evidence import (
    Done,
    Evidence,
    NotDone,
    NotYet,
    Unknowable,
    conclude,
)
from binance_dust.conversion._guards import (
    changed_balance,
    changed_debts,
    check_conversion,
    deviations,
)
from binance_dust.conversion._plan import Ceiling, find_ceiling, plan_dust
from binance_dust.conversion._policy import Policy, asset_names, to_decimal, to_timedelta
from binance_dust.conversion._quote import LiabilityLine
from binance_dust.conversion._run import CulpritSearch
from binance_dust.conversion._send import read_conversion
from binance_dust.ledger import Kind, LedgerEntry, LedgerLine, Observed
from binance_dust.models import (
    ConvertedAsset,
    ConvertibleAsset,
    ConvertibleAssets,
    DustConversion,
    MarginAccount,
    MarginAsset,
    UserAsset,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
D = Decimal


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def policy(**changes: Any) -> Policy:
    fields: dict[str, Any] = {
        "target": "BNB",
        "account_type": "SPOT",
        "keep": frozenset(),
        "max_fee_rate": D("0.05"),
        "min_value": D(0),
        "quote_ttl": seconds(60),
        "cooldown": timedelta(hours=24),
    }
    return Policy(**fields | changes)


def line(asset: str = "ADA", **changes: Any) -> QuoteLine:
    fields: dict[str, Any] = {
        "full_name": asset,
        "amount": D("6.21"),
        "gross": D("0.01777302"),
        "fee": D("0.00035546"),
        "net": D("0.01741756"),
    }
    return QuoteLine(asset=asset, **fields | changes)


def quote(*lines: QuoteLine, **changes: Any) -> Quote:
    fields: dict[str, Any] = {
        "account": "alice",
        "key_id": "k",
        "account_type": "SPOT",
        "target": "BNB",
        "lines": lines or (line("ADA"), line("XRP")),
        "at": NOW,
        "expires_at": NOW + seconds(60),
    }
    return Quote(**fields | changes)


# --- the guards ----------------------------------------------------------------------------------


def checked(plan: Quote, rules: Policy, now: datetime = NOW) -> None:
    check_conversion(plan, rules, account="alice", key_id="k", now=now)


def test_a_quote_in_order_passes() -> None:
    checked(quote(), policy())
    checked(quote(), policy(), now=NOW + seconds(59.999))


@pytest.mark.parametrize(
    ("plan", "rules", "words"),
    [
        (quote(account="bob"), policy(), "this quote is for bob"),
        (quote(key_id="other"), policy(), "this quote is for"),
        (quote(target="USDT"), policy(), "into USDT"),
        (quote(account_type="MARGIN"), policy(), "MARGIN into BNB"),
        (replace(quote(), lines=()), policy(), "nothing in this quote"),
        (quote(), policy(keep=frozenset({"XRP"})), "XRP: kept$"),
        (
            quote(),
            policy(max_fee_rate=D("0.01")),
            r"ADA: the fee is too high \(2.00 %, at most 1.00 % allowed\)$",
        ),
        (quote(), policy(min_value=D("0.02")), "ADA: worth less than min_value"),
        (quote(line("BNB")), policy(), "BNB: is the target itself"),
    ],
)
def test_what_a_converter_was_told_stops_it(plan: Quote, rules: Policy, words: str) -> None:
    with pytest.raises(GuardError, match=words) as caught:
        checked(plan, rules)
    assert caught.value.account == "alice"


@pytest.mark.parametrize(
    ("ttl", "age", "old"),
    [(60, 59.999, False), (60, 60, True), (600, 60, True), (5, 5, True), (5, 4.9, False)],
)
def test_a_quote_is_good_for_its_own_time_and_for_the_converter_s(
    ttl: float, age: float, old: bool
) -> None:
    if old:
        with pytest.raises(GuardError, match="ask for a new one"):
            checked(quote(), policy(quote_ttl=seconds(ttl)), NOW + seconds(age))
    else:
        checked(quote(), policy(quote_ttl=seconds(ttl)), NOW + seconds(age))


def test_while_the_account_cools_down_the_guard_says_until_when() -> None:
    until = NOW + seconds(30)
    with pytest.raises(GuardError, match="cooling down until 2026-11-21 12:00:30 UTC") as caught:
        checked(quote(eligible_at=until), policy())
    assert caught.value.retry_at == until
    checked(quote(eligible_at=until), policy(), now=until)


def test_what_brings_nothing_and_costs_something_costs_too_much() -> None:
    with pytest.raises(GuardError, match=r"\(100.00 %, at most 5.00 % allowed\)"):
        checked(quote(line(gross=D(0), fee=D("0.001"), net=D("-0.001"))), policy())


def test_a_fee_of_the_last_digit_is_rounding_and_no_rate() -> None:
    tiny = line(gross=D("0.00000003"), fee=D("0.00000001"), net=D("0.00000002"))
    checked(quote(tiny), policy())
    # To the digit: one unit above the rate is still rounding, two are not.
    even = line(gross=D("0.001"), fee=D("0.00005001"))
    checked(quote(even), policy())
    with pytest.raises(GuardError, match="fee"):
        checked(quote(replace(even, fee=D("0.00005002"))), policy())
    with pytest.raises(GuardError, match="fee"):
        checked(quote(replace(tiny, fee=D("0.00000002"))), policy())


def test_what_is_not_credited_is_a_cost_also_where_the_fee_does_not_say_so() -> None:
    """`exchange` is the fee in the one sample there is; no text says what else may be taken."""
    hidden = line(gross=D("0.01"), fee=D(0), net=D("0.005"))

    with pytest.raises(GuardError, match=r"fee is too high \(50.00 %, at most 5.00 % allowed\)"):
        checked(quote(hidden), policy())


@pytest.mark.parametrize(
    ("sold", "gross", "fee", "told"),
    [
        ("6.21", "0.001", "0.00002", []),
        ("6.21000001", "0.001", "0.00005001", []),
        ("7.5", "0.001", "0.00002", ["ADA: 7.5 were converted, and 6.21 were quoted"]),
        ("6.21", "0.001", "0.0001", ["ADA: the fee was 10.00 %, at most 5.00 % allowed"]),
        ("6.21", "0", "0.0001", ["ADA: the fee was 100.00 %, at most 5.00 % allowed"]),
    ],
)
def test_what_was_done_otherwise_than_quoted_is_told(
    sold: str, gross: str, fee: str, told: list[str]
) -> None:
    done = LedgerLine(asset="ADA", amount=D(sold), gross=D(gross), fee=D(fee), at=NOW)

    assert list(deviations(done, line("ADA", amount=D("6.21")), policy())) == told
    assert "was not asked for" in next(deviations(done, None, policy()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": ""}, "target: '' is not an asset's name"),
        ({"target": "bnb"}, "target: 'bnb' is not an asset's name"),
        ({"account_type": "FUNDING"}, "SPOT or MARGIN"),
        ({"max_fee_rate": D("1.1")}, "max_fee_rate"),
        ({"max_fee_rate": D("-0.1")}, "max_fee_rate"),
        ({"min_value": D(-1)}, "min_value"),
        ({"quote_ttl": seconds(0)}, "quote_ttl"),
        ({"cooldown": seconds(-1)}, "cooldown"),
    ],
)
def test_what_can_not_work_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        policy(**changes)


def test_all_of_a_fee_or_none_may_be_allowed() -> None:
    assert policy(max_fee_rate=D(0)).max_fee_rate == 0
    assert policy(max_fee_rate=D(1)).max_fee_rate == 1


def test_the_default_wallet_is_not_named_since_older_pages_know_no_other() -> None:
    assert policy().wallet is None
    assert policy(account_type="MARGIN").wallet == "MARGIN"


def test_options_are_taken_as_they_come_and_exact() -> None:
    assert to_decimal("0.02", "x") == to_decimal(D("0.02"), "x") == D("0.02")
    assert to_timedelta(1.5, "x") == to_timedelta(timedelta(seconds=1.5), "x") == seconds(1.5)
    assert asset_names(["ADA"], "keep") == frozenset({"ADA"})
    for wrong in (0.02, True, None):
        with pytest.raises(TypeError, match="x must be"):
            to_decimal(wrong, "x")  # type: ignore[arg-type]
    for text in ("two", "NaN", "1e9999999"):
        with pytest.raises(ConfigurationError, match="finite"):
            to_decimal(text, "x")
    for wrong_span in ("1h", True):
        with pytest.raises(TypeError, match="timedelta or seconds"):
            to_timedelta(wrong_span, "x")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="seconds"):
        to_timedelta(1e300, "x")
    for too_long in (timedelta.max, timedelta.min, 1e12):
        with pytest.raises(ConfigurationError, match="the calendar ends"):
            to_timedelta(too_long, "x")
    with pytest.raises(TypeError, match="several names"):
        asset_names("ADA", "keep")
    with pytest.raises(TypeError, match="keep"):
        asset_names([1], "keep")  # type: ignore[list-item]


@pytest.mark.parametrize("name", ["ada", "Ada", " ADA", "ADA ", "ADA XRP", ""])
def test_a_name_to_keep_that_could_fit_no_asset_does_not_pass_unseen(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"keep: '.*' is not an asset's name: .* in capitals"
    ):
        asset_names(["XRP", name], "keep")


def test_names_may_have_digits_and_other_letters_than_latin_ones() -> None:
    assert asset_names(["1000SATS", "币安人生"], "keep") == {"1000SATS", "币安人生"}


def test_a_balance_that_is_not_the_quoted_one_is_left_alone() -> None:
    def held(free: str) -> dict[str, HeldAsset]:
        return {"ADA": HeldAsset(asset="ADA", free=D(free))}

    assert changed_balance(line(), held("6.21")) is None
    assert changed_balance(line(), held("6.210")) is None
    # A list may round to eight places what the wallet has more of.
    assert changed_balance(line(), held("6.210000009")) is None
    for now in (held("6.21000001"), held("6.2"), {}):
        why = changed_balance(line(), now)
        assert why is not None
        assert why.reason is Reason.CHANGED
    assert changed_balance(line(amount=D(1)), {}) is not None


# --- why not -------------------------------------------------------------------------------------


def user_asset(asset: str, **parts: str) -> UserAsset:
    names = ("free", "locked", "freeze", "withdrawing", "ipoable", "btc_valuation")
    amounts: dict[str, Any] = {name: D(parts.get(name, "0")) for name in names}
    return UserAsset(asset=asset, **amounts)


CEILING = Ceiling(limit=D(10), bitcoin=D(100_000))


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        ({"free": "5", "btc_valuation": "0.00005"}, [Reason.UNSUPPORTED]),
        ({"free": "5", "btc_valuation": "0.0001"}, [Reason.ABOVE_CEILING]),
        ({"free": "5", "btc_valuation": "0.00009999"}, [Reason.UNSUPPORTED]),
        ({"free": "5"}, [Reason.TOO_SMALL]),
        ({"locked": "5"}, [Reason.IN_ORDER]),
        ({"freeze": "5"}, [Reason.FROZEN]),
        ({"withdrawing": "5"}, [Reason.WITHDRAWING]),
        ({"ipoable": "5"}, [Reason.IN_LAUNCH]),
        ({"locked": "1", "freeze": "2"}, [Reason.IN_ORDER, Reason.FROZEN]),
        # Half of it is free, and so is half of its worth.
        (
            {"free": "1", "locked": "1", "btc_valuation": "0.00015"},
            [Reason.UNSUPPORTED, Reason.IN_ORDER],
        ),
        (
            {"free": "1", "locked": "1", "btc_valuation": "0.0002"},
            [Reason.ABOVE_CEILING, Reason.IN_ORDER],
        ),
    ],
)
def test_what_is_held_and_not_listed_has_its_reason(
    row: dict[str, str], reasons: list[Reason]
) -> None:
    held = spot_holdings([user_asset("BTC", **row)], valued=True)

    lines, skipped = plan_dust([], held, policy(), ceiling=CEILING, cooling={})

    assert lines == ()
    assert [each.reason for each in skipped] == reasons
    assert sum(each.amount for each in skipped) == held["BTC"].total


def test_a_list_that_names_an_asset_twice_has_not_twice_as_much() -> None:
    kept = line("XRP", gross=D("0.5"), fee=D("0.01"), net=D("0.49"))
    twice = [line("ADA"), kept, line("ADA"), line("ADA", amount=D(7)), kept]
    rules = policy(keep=frozenset({"XRP"}))

    lines, skipped = plan_dust(twice, {}, rules, ceiling=Ceiling(), cooling={})

    assert lines == (line("ADA"),)
    assert [each.asset for each in skipped] == ["XRP"]


@pytest.mark.parametrize(
    ("changes", "rules", "reason"),
    [
        ({}, {}, None),
        ({}, {"keep": frozenset({"ADA"})}, Reason.KEPT),
        ({}, {"target": "ADA"}, Reason.TARGET),
        ({"fee": D("0.00177731")}, {}, Reason.FEE_TOO_HIGH),
        ({}, {"min_value": D("0.01741757")}, Reason.BELOW_MIN_VALUE),
        ({}, {"min_value": D("0.01741756")}, None),
        # A fee of a single unit of the eighth place is rounding, and leaves nothing here.
        ({"gross": D("1E-8"), "fee": D("1E-8"), "net": D(0)}, {}, Reason.TOO_SMALL),
        ({"gross": D(0), "fee": D(0), "net": D(0)}, {}, Reason.TOO_SMALL),
        ({"gross": D(0), "fee": D("1E-8"), "net": D("-1E-8")}, {}, Reason.BELOW_MIN_VALUE),
        ({"gross": D("2E-8"), "fee": D("1E-8"), "net": D("1E-8")}, {}, None),
        ({"fee": D("0.01777302"), "net": D(0)}, {"max_fee_rate": D(1)}, Reason.TOO_SMALL),
    ],
)
def test_what_is_listed_is_converted_unless_the_converter_was_told_otherwise(
    changes: dict[str, Any], rules: dict[str, Any], reason: Reason | None
) -> None:
    lines, skipped = plan_dust(
        [line(**changes)], {}, policy(**rules), ceiling=Ceiling(), cooling={}
    )

    assert [each.reason for each in skipped] == ([] if reason is None else [reason])
    assert len(lines) == (1 if reason is None else 0)


def test_what_cools_down_says_until_when() -> None:
    until = NOW + seconds(5)

    lines, (why,) = plan_dust(
        [line("ADA"), line("XRP")], {}, policy(), ceiling=CEILING, cooling={"XRP": until}
    )

    assert [each.asset for each in lines] == ["ADA"]
    assert (why.asset, why.reason, why.until) == ("XRP", Reason.COOLING_DOWN, until)
    assert "until 2026-11-21 12:00:05 UTC" in str(why)


def test_the_stuck_part_of_what_is_converted_is_explained_too() -> None:
    held = spot_holdings([user_asset("ADA", free="6.21", locked="2")], valued=True)

    lines, (why,) = plan_dust([line()], held, policy(), ceiling=CEILING, cooling={})

    assert len(lines) == 1
    assert (why.amount, why.reason) == (D(2), Reason.IN_ORDER)


def test_the_target_and_what_is_kept_are_named_as_such() -> None:
    rows = [user_asset("BNB", free="1", locked="2", btc_valuation="1"), user_asset("ETH", free="1")]

    _, skipped = plan_dust(
        [],
        spot_holdings(rows, valued=True),
        policy(keep=frozenset({"ETH"})),
        ceiling=CEILING,
        cooling={},
    )

    assert [(each.asset, each.amount, each.reason) for each in skipped] == [
        ("BNB", D(3), Reason.TARGET),
        ("ETH", D(1), Reason.KEPT),
    ]


def test_margin_has_no_valuations_and_the_plan_says_no_more_than_it_knows() -> None:
    account = MarginAccount(
        user_assets=[
            MarginAsset(
                asset="ETH", borrowed=D(1), free=D(2), interest=D(0), locked=D(3), net_asset=D(4)
            )
        ]
    )

    held = margin_holdings(account)
    _, (free, locked) = plan_dust([], held, policy(), ceiling=Ceiling(), cooling={})

    assert (free.amount, free.reason) == (D(2), Reason.UNSUPPORTED)
    assert "too much" in free.detail
    assert (locked.amount, locked.reason) == (D(3), Reason.IN_ORDER)


def convertible(*rows: tuple[str, str]) -> ConvertibleAssets:
    details = [
        ConvertibleAsset(
            asset=asset,
            asset_full_name=asset,
            amount_free=D(1),
            exchange=D(0),
            to_quota_asset_amount=D(quota),
            to_target_asset_amount=D(1),
            to_target_asset_off_exchange=D(1),
        )
        for asset, quota in rows
    ]
    return ConvertibleAssets(
        dribblet_percentage=D("0.02"),
        total_transfer_quota_asset_amount=D(0),
        total_transfer_target_asset_amount=D(0),
        dribblet_base=D(10),
        details=details,
    )


@pytest.mark.parametrize(
    ("listed", "rows", "bitcoin"),
    [
        (
            convertible(("ADA", "2"), ("XRP", "5")),
            {"ADA": "0.00002", "XRP": "0.00005001"},
            "99980.00399920015996800639872",
        ),
        (convertible(("ADA", "2")), {"ADA": "0", "USDT": "0.00001"}, "100000"),
        (convertible(("ADA", "2")), {"XRP": "0.1"}, None),
        (convertible(), {}, None),
        (convertible(), {"USDT": "0"}, None),
        # What was measured by dust is believed before the balance of dollars.
        (convertible(("ADA", "2")), {"ADA": "0.00001", "USDT": "0.00002"}, "200000"),
    ],
)
def test_what_a_bitcoin_is_worth_is_taken_from_what_is_given_in_both(
    listed: ConvertibleAssets, rows: dict[str, str], bitcoin: str | None
) -> None:
    held = spot_holdings(
        [user_asset(asset, free="1", btc_valuation=worth) for asset, worth in rows.items()],
        valued=True,
    )

    found = find_ceiling(listed, held)

    assert found.limit == D(10)
    assert found.bitcoin == (None if bitcoin is None else D(bitcoin))


def test_without_a_measure_only_what_is_above_all_ceilings_ever_seen_is_called_so() -> None:
    assert Ceiling().is_reached(D("0.0012"))
    assert not Ceiling().is_reached(D("0.0011"))
    assert Ceiling(limit=D(10)).is_reached(D("0.0012"))
    assert not Ceiling(limit=D(10)).is_reached(D("0.0011"))
    assert not Ceiling(bitcoin=D(100_000)).is_reached(D("0.0011"))


def test_a_ceiling_is_named_where_it_is_known() -> None:
    held = spot_holdings([user_asset("ETH", free="1", btc_valuation="1")], valued=True)

    told = [
        plan_dust([], held, policy(), ceiling=ceiling, cooling={})[1][0].detail
        for ceiling in (CEILING, Ceiling())
    ]

    assert told == ["the ceiling is 10 USDT", ""]


def test_a_target_of_which_nothing_is_held_is_not_worth_a_word() -> None:
    nothing = spot_holdings([user_asset("BNB", free="0")])
    some = spot_holdings([user_asset("BNB", free="1")])

    assert plan_dust([], nothing, policy(), ceiling=CEILING, cooling={}) == ((), ())
    # Should the exchange list it all the same, it is said once that it stays.
    _, told = plan_dust([line(asset="BNB")], some, policy(), ceiling=CEILING, cooling={})
    assert [each.reason for each in told] == [Reason.TARGET]
    assert [
        each.reason for each in plan_dust([], some, policy(), ceiling=CEILING, cooling={})[1]
    ] == [Reason.TARGET]


def test_a_worth_that_was_not_asked_for_is_not_nothing() -> None:
    held = spot_holdings([user_asset("ETH", free="1")])

    _, (why,) = plan_dust([], held, policy(), ceiling=CEILING, cooling={})

    assert why.reason is Reason.UNSUPPORTED
    assert "too much or too little" in why.detail


def test_an_asset_of_which_nothing_is_left_has_no_worth_and_no_reason() -> None:
    held = spot_holdings([user_asset("ETH", btc_valuation="0.001")], valued=True)

    assert held["ETH"].free_in_bitcoin is None
    assert plan_dust([], held, policy(), ceiling=CEILING, cooling={}) == ((), ())


def test_what_is_held_is_added_up_to_the_last_of_its_digits() -> None:
    row = user_asset("SHIB", free="50300000001.449111050000000001", locked="0.000000000000000001")

    assert spot_holdings([row])["SHIB"].total == D("50300000001.449111050000000002")


# --- narrowing -----------------------------------------------------------------------------------


def test_a_quote_is_narrowed_and_says_what_was_left_out() -> None:
    plan = quote()

    narrow = plan.only("ADA")

    assert (narrow.assets, plan.assets) == (("ADA",), ("ADA", "XRP"))
    assert narrow == replace(plan.without("XRP"))
    assert [(each.asset, each.reason) for each in narrow.why_not("XRP")] == [
        ("XRP", Reason.LEFT_OUT)
    ]
    assert (narrow.gross, narrow.fee, narrow.net) == (
        D("0.01777302"),
        D("0.00035546"),
        D("0.01741756"),
    )
    assert plan.net == 2 * narrow.net
    twice = quote(line("ADA"), line("XRP"), line("LTC")).without("LTC").without("XRP")
    assert [each.asset for each in twice.skipped] == ["LTC", "XRP"]
    assert not plan.without("ADA", "XRP")
    with pytest.raises(ConfigurationError, match=r"XRP is not in this quote: .*left out"):
        narrow.only("XRP")
    with pytest.raises(ConfigurationError, match="there is none"):
        plan.without("ADAA")


@given(kept=st.sets(st.sampled_from(["ADA", "XRP", "LTC", "TRX"])))
def test_only_and_without_divide_a_quote_in_two(kept: set[str]) -> None:
    plan = quote(*[line(asset) for asset in ("ADA", "XRP", "LTC", "TRX")])

    one, other = plan.only(*kept), plan.without(*kept)

    assert set(one.assets) == kept
    assert set(one.assets) | set(other.assets) == set(plan.assets)
    assert one.net + other.net == plan.net


def test_a_quote_can_be_read() -> None:
    why = Skipped(asset="<b>", amount=D(1), reason=Reason.FROZEN)

    plan = quote(line("ADA"), line("1000SATS", amount=D("12345.67")), skipped=(why,))

    assert str(plan).splitlines() == [
        "alice (SPOT) into BNB, as of 2026-11-21 12:00:00 UTC",
        "asset       amount       gross                  fee         net",
        "ADA           6.21  0.01777302  0.00035546 (2.00 %)  0.01741756",
        "1000SATS  12345.67  0.01777302  0.00035546 (2.00 %)  0.01741756",
        "2 assets            0.03554604  0.00071092 (2.00 %)  0.03483512",
        "not: <b> 1: frozen by the exchange",
    ]
    page = plan._repr_html_()
    assert ">0.01741756</td>" in page
    assert "&lt;b&gt; 1: frozen" in page
    assert "<ul>" not in quote()._repr_html_()
    assert plan.age(NOW + seconds(5)) == seconds(5)
    assert not plan.expired(NOW + seconds(59.999))
    assert plan.expired(NOW + seconds(60))
    assert plan.fee_rate == D("0.00071092") / D("0.03554604")


def test_what_is_skipped_says_why_until_when_and_what_more_there_is_to_say() -> None:
    why = Skipped(asset="ADA", amount=D("1E-8"), reason=Reason.COOLING_DOWN)

    assert str(why) == "ADA 0.00000001: cooling down"
    assert str(replace(why, until=NOW, detail="would bring 1 BNB")) == (
        "ADA 0.00000001: cooling down until 2026-11-21 12:00:00 UTC (would bring 1 BNB)"
    )


def test_what_brings_nothing_has_no_fee_rate() -> None:
    worthless = line(gross=D(0), fee=D(0), net=D(0))

    assert worthless.fee_rate == 0
    assert quote(worthless).fee_rate == 0


def test_a_receipt_can_be_read() -> None:
    done = LedgerLine(asset="ADA", amount=D("6.21"), gross=D("0.5"), fee=D("1E-8"), at=NOW)
    why = Skipped(asset="XRP", amount=D(1), reason=Reason.REFUSED, detail="no")

    receipt = Receipt(
        account="alice",
        account_type="SPOT",
        target="BNB",
        lines=(done,),
        dropped=(why,),
        quoted_net=D("0.4"),
        notes=("something is odd",),
        at=NOW,
    )

    assert str(receipt).splitlines() == [
        "alice (SPOT) into BNB, 2026-11-21 12:00:00 UTC",
        "asset    amount  gross         fee         net",
        "ADA        6.21    0.5  0.00000001  0.49999999",
        "1 asset            0.5  0.00000001  0.49999999",
        "not: XRP 1: refused by the exchange (no)",
        "something is odd",
    ]
    assert "<li>XRP 1: refused by the exchange (no)</li>" in receipt._repr_html_()
    assert receipt.slippage == D("0.09999999")
    assert not receipt.complete
    assert receipt.transaction_ids == ()


# --- whom to leave out ---------------------------------------------------------------------------


@given(
    size=st.integers(1, 25),
    data=st.data(),
    told=st.sampled_from(["by name", "by the list", "not at all"]),
)
def test_a_culprit_is_found_without_a_success_that_teaches(
    size: int, data: st.DataObject, told: str
) -> None:
    assets = tuple(f"A{n}" for n in range(size))
    most = size if told != "not at all" else min(1, size)
    guilty = data.draw(st.sets(st.sampled_from(assets), max_size=most))
    search, attempts = CulpritSearch(assets), 0

    while batch := search.batch:
        attempts += 1
        found = guilty & set(batch)
        if not found:
            search.succeeded()
            break
        search.refused(
            tuple(found)[:1] if told == "by name" else batch,
            tuple(found) if told == "by the list" else (),
        )

    # The one batch that went through is all that can be converted.
    assert set(batch) == set(assets) - guilty
    assert set(search.dropped) == guilty
    assert attempts <= size + 1


def test_whom_to_suspect_first_is_said() -> None:
    search = CulpritSearch(("A", "B", "C"), suspects=["C", "A", "B"])

    search.refused(("A", "B", "C"))
    assert search.batch == ("A", "B")
    search.refused(("A", "B"))
    assert search.batch == ("B", "C")


def test_two_unnamed_culprits_are_given_up_with_nothing_converted() -> None:
    assets = tuple("ABCDE")
    search, tried = CulpritSearch(assets), []

    while batch := search.batch:
        tried.append(batch)
        assert {"B", "D"} & set(batch)
        search.refused(batch)

    assert len(tried) == 6
    assert search.dropped == []


# --- what an answer says -------------------------------------------------------------------------


def conversion(
    *rows: tuple[str, str, str], gross: str, fee: str, amount: str = "1"
) -> DustConversion:
    return DustConversion(
        total_transferred=D(gross),
        total_service_charge=D(fee),
        transfer_result=[
            ConvertedAsset(
                tran_id=7,
                from_asset=asset,
                amount=D(amount),
                transferred_amount=D(transferred),
                service_charge_amount=D(charge),
                operate_time=NOW,
            )
            for asset, transferred, charge in rows
        ],
    )


def test_the_transferred_amount_is_gross() -> None:
    answer = read_conversion(conversion(("ADA", "0.5", "0.01"), gross="0.5", fee="0.01"))

    assert answer.transaction_id == 7
    (done,) = answer.lines
    assert (done.gross, done.fee, done.net) == (D("0.5"), D("0.01"), D("0.49"))
    assert answer.notes == ()


@pytest.mark.parametrize(
    ("gross", "notes"),
    [("1.00000002", 0), ("1.00000003", 1), ("0.99999998", 0), ("0.4", 1)],
)
def test_totals_may_be_off_by_the_last_digit_of_each_row(gross: str, notes: int) -> None:
    rows = (("ADA", "0.5", "0.01"), ("XRP", "0.5", "0.01"))

    assert len(read_conversion(conversion(*rows, gross=gross, fee="0.02")).notes) == notes


@pytest.mark.parametrize(("amount", "gross"), [("1", "0"), ("0", "0.5")])
def test_a_row_that_took_something_or_brought_something_was_converted(
    amount: str, gross: str
) -> None:
    answer = conversion(("ADA", gross, "0"), gross=gross, fee="0", amount=amount)

    assert [line.asset for line in read_conversion(answer).lines] == ["ADA"]


def test_a_row_of_nothing_for_nothing_was_not_converted() -> None:
    rows = (("ADA", "0.5", "0.01"), ("XRP", "0", "0"))

    answer = read_conversion(conversion(*rows, gross="0.5", fee="0.01", amount="0"))

    assert [line.asset for line in answer.lines] == ["ADA"]


def test_an_empty_result_converted_nothing_and_a_total_without_rows_is_a_riddle() -> None:
    assert read_conversion(conversion(gross="0", fee="0")).nothing is not None
    for gross, fee in (("0.1", "0"), ("0", "0.1")):
        with pytest.raises(UnreadableAnswerError, match="a total of"):
            read_conversion(conversion(gross=gross, fee=fee))


# --- how an open entry ended ---------------------------------------------------------------------

EXPIRES = NOW + seconds(35)


def entry(**changes: Any) -> LedgerEntry:
    fields: dict[str, Any] = {
        "id": 1,
        "account": "alice",
        "kind": Kind.DUST,
        "account_type": "SPOT",
        "target": "BNB",
        "assets": ("ADA", "XRP"),
        "held": {"ADA": D(6), "XRP": D(1)},
        "status": "intended",
        "at": NOW,
        "intended_at": NOW,
        "sent_after": NOW - seconds(1),
        "expires_at": EXPIRES,
    }
    return LedgerEntry(**fields | changes)


def record(*assets: str, at: datetime = NOW, number: int = 7, target: str = "BNB") -> Observed:
    lines = tuple(
        LedgerLine(asset=asset, amount=D(1), gross=D(1), fee=D(0), at=at, transaction_id=number)
        for asset in assets
    )
    return Observed(
        account="alice",
        kind=Kind.DUST,
        account_type="SPOT",
        target=target,
        transaction_id=number,
        at=at,
        lines=lines,
    )


BEFORE = {"ADA": D(6), "XRP": D(1)}
GONE = {"ADA": D(0), "XRP": D(0)}
WHOLE = record("ADA", "XRP")


@pytest.mark.parametrize(
    ("late", "records", "held", "complete", "conclusion"),
    [
        # The log shows it: whenever it is read, whatever the balances are.
        (-10, [WHOLE], BEFORE, True, Done),
        (500, [WHOLE], GONE, False, Done),
        # The exchange may still accept it: nothing else means anything.
        (-10, [], BEFORE, True, NotYet),
        (0, [], BEFORE, True, NotYet),
        (0, [], GONE, True, NotYet),
        (0, [record("ADA")], {"ADA": D(0), "XRP": D(1)}, True, NotYet),
        # It can't any more, and a late record would look the same.
        (0.001, [], BEFORE, True, NotYet),
        (59.9, [], BEFORE, True, NotYet),
        (60, [], BEFORE, True, NotDone),
        (60, [], {"ADA": D(7), "XRP": D(1)}, True, NotDone),
        # A balance is less, and nothing says why.
        (60, [], GONE, True, NotYet),
        (79, [], {"XRP": D(1)}, True, NotYet),
        (80, [], {"XRP": D(1)}, True, Unknowable),
        (80, [], GONE, True, Unknowable),
        # The log is full: what it does not show may be behind.
        (60, [], BEFORE, False, NotYet),
        (80, [], BEFORE, False, Unknowable),
        # Records of other calls prove nothing.
        (60, [record("ADA", "XRP", at=NOW - seconds(2))], BEFORE, True, NotDone),
        (60, [record("ADA", "XRP", at=EXPIRES + seconds(11))], BEFORE, True, NotDone),
        (60, [record("ADA", "XRP", target="USDT")], BEFORE, True, NotDone),
        (60, [record("ADA", "XRP", "LTC")], BEFORE, True, NotDone),
        # In part, and the rest is where it was; in several records; in part, and the rest is gone.
        (60, [record("ADA")], {"ADA": D(0), "XRP": D(1)}, True, Done),
        (59, [record("ADA")], {"ADA": D(0), "XRP": D(1)}, True, NotYet),
        (-10, [record("ADA"), record("XRP", number=8)], GONE, True, Done),
        (80, [record("ADA")], GONE, True, Unknowable),
        (80, [record("ADA")], {"ADA": D(0), "XRP": D(1)}, False, Unknowable),
    ],
)
def test_how_it_ended(
    late: float, records: list[Observed], held: dict[str, D], complete: bool, conclusion: type
) -> None:
    evidence = Evidence(
        clock=EXPIRES + seconds(late), records=records, held=held, complete=complete
    )

    assert type(conclude(entry(), evidence)) is conclusion


def test_a_verdict_says_what_was_done() -> None:
    both = [record("XRP", number=8), record("ADA")]
    held = {"ADA": D(0), "XRP": D(0)}

    whole = conclude(entry(), Evidence(clock=EXPIRES, records=both, held=held))
    part = conclude(
        entry(), Evidence(clock=EXPIRES + seconds(60), records=both[:1], held={"ADA": D(6)})
    )

    assert isinstance(whole, Done)
    assert whole.record.assets == {"ADA", "XRP"}
    assert whole.note is None
    assert isinstance(part, Done)
    assert part.note == "in part: ADA stayed"


def test_of_two_records_that_fit_the_earlier_one_is_it() -> None:
    later, earlier = record("ADA", "XRP", at=NOW + seconds(9), number=9), WHOLE

    conclusion = conclude(entry(), Evidence(clock=NOW, records=[later, earlier], held={}))

    assert isinstance(conclusion, Done)
    assert conclusion.record is earlier


def test_what_is_put_together_has_the_id_of_its_earliest_part() -> None:
    parts = [record("XRP", at=NOW + seconds(1), number=9), record("ADA", number=8)]

    conclusion = conclude(entry(), Evidence(clock=NOW, records=parts, held={}))

    assert isinstance(conclusion, Done)
    assert conclusion.record.transaction_id == 8


def test_debts_that_became_two_debts_are_not_put_together() -> None:
    debts = entry(kind=Kind.LIABILITIES, account_type="MARGIN", target="USDT")
    parts = [
        replace(record(asset, target=target), kind=Kind.LIABILITIES, account_type="MARGIN")
        for asset, target in (("ADA", "USDT"), ("XRP", "USDC"))
    ]

    conclusion = conclude(debts, Evidence(clock=EXPIRES + seconds(99), records=parts, held=GONE))

    assert isinstance(conclusion, Unknowable)


@pytest.mark.parametrize(
    ("late", "held", "complete", "words"),
    [
        (0, BEFORE, True, "can still accept it"),
        (1, BEFORE, True, "may be late"),
        (60, BEFORE, True, "60 s after the exchange could accept it for the last time"),
        (80, {"ADA": D(6)}, True, "less XRP than before"),
        (80, {}, True, "less ADA, XRP than before"),
        (80, BEFORE, False, "its newest hundred records only"),
    ],
)
def test_a_verdict_says_why(late: float, held: dict[str, D], complete: bool, words: str) -> None:
    evidence = Evidence(clock=EXPIRES + seconds(late), records=[], held=held, complete=complete)

    conclusion = conclude(entry(), evidence)

    assert isinstance(conclusion, NotYet | NotDone | Unknowable)
    assert words in conclusion.reason


def test_of_debts_that_are_less_the_history_is_said_to_be_silent() -> None:
    debts = entry(kind=Kind.LIABILITIES, account_type="MARGIN", target="USDT")

    conclusions = [
        conclude(
            debts, Evidence(clock=EXPIRES + seconds(80), records=[], held={}, complete=complete)
        )
        for complete in (True, False)
    ]

    assert [getattr(conclusion, "reason", "").split(",")[0] for conclusion in conclusions] == [
        "there is less ADA",
        "the history of debts goes back ninety days only",
    ]


def test_an_entry_that_does_not_say_until_when_is_never_judged_from_an_absence() -> None:
    evidence = Evidence(clock=NOW + timedelta(days=9), records=[], held=BEFORE)
    assert isinstance(conclude(entry(expires_at=None), evidence), Unknowable)


@given(
    late=st.floats(-100, 1000),
    held=st.dictionaries(st.sampled_from(["ADA", "XRP"]), st.integers(0, 9).map(Decimal)),
    complete=st.booleans(),
)
def test_an_absence_proves_something_only_late_and_with_nothing_missing(
    late: float, held: dict[str, D], complete: bool
) -> None:
    conclusion = conclude(
        entry(), Evidence(clock=EXPIRES + seconds(late), records=[], held=held, complete=complete)
    )

    assert not isinstance(conclusion, Done)
    if isinstance(conclusion, NotDone):
        assert late >= 60
        assert complete
        assert all(held.get(asset, D(0)) >= before for asset, before in BEFORE.items())


# --- whatever the caller's own context for decimals would do -------------------------------------

STRICT = Context(prec=3, traps=[Inexact, Rounded, Subnormal, Clamped, FloatOperation])


def test_differences_are_compared_with_every_digit_in_any_context() -> None:
    quoted = line(amount=D("1234.56789012"))
    held = {"ADA": HeldAsset(asset="ADA", free=D("1235.67891234"))}
    done = LedgerLine(
        asset="ADA", amount=D("1235.67891234"), gross=D("0.01777302"), fee=D("0.00035546"), at=NOW
    )
    rows = (("ADA", "500.00000001", "0.01"), ("XRP", "0.5", "0.01"))
    debt = LiabilityLine(asset="ETH", principal=D("1.23456789"), interest=D(0), worth=D(1))

    with localcontext(STRICT):
        found = changed_balance(quoted, held)
        notes = list(deviations(done, quoted, policy()))
        answer = read_conversion(conversion(*rows, gross="501.61234567", fee="0.02"))
        grown = changed_debts([debt], {"ETH": D("1.2469135689")})
        grown_more = changed_debts([debt], {"ETH": D("1.2469135690")})

    assert found is not None
    assert found.reason is Reason.CHANGED
    assert notes == ["ADA: 1235.67891234 were converted, and 1234.56789012 were quoted"]
    assert len(answer.notes) == 1
    assert (list(grown), list(grown_more)) == ([], ["ETH"])
