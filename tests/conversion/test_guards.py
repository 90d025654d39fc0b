"""What stops a conversion, and what is noted afterwards: values in, values out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
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

import pytest

from binance_dust import GuardError, Quote
from binance_dust.conversion import GatherLine, LiabilityLine, Reason
from binance_dust.conversion._account import HeldAsset
from binance_dust.conversion._calls import read_conversion
from binance_dust.conversion._guards import (
    changed_balance,
    changed_debts,
    check_quote,
    check_rules,
    deviations,
    refuse_needless,
)
from binance_dust.conversion._policy import Policy
from binance_dust.ledger import LedgerLine
from tests.conversion.values import NOW, conversion, line, policy, quote, seconds

D = Decimal


SALE = quote(line(sale=True))
GATHER = quote(gather=(GatherLine(asset="DOGE", amount=D(20), in_bitcoin=D("0.00001")),))


def checked(plan: Quote, rules: Policy, now: datetime = NOW) -> None:
    ttl, keep = rules.quote_ttl, rules.keep
    check_quote(plan, account="alice", key_id="k", keep=keep, now=now, ttl=ttl)
    check_rules(plan, rules)


def test_a_quote_in_order_passes() -> None:
    checked(quote(), policy())
    checked(quote(), policy(), now=NOW + seconds(59.999))
    checked(quote(), policy(min_value=line().net))
    checked(SALE, policy(above_max=line().net))
    checked(GATHER, policy(gather=True))


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
        (quote(line("BNB")), policy(), "BNB: is the target itself$"),
        (quote(line(net=D(0))), policy(max_fee_rate=D(1)), r"too small .*\(would bring 0 BNB\)$"),
        # What another converter may do, and this one may not.
        (SALE, policy(), "ADA: worth too much .*this converter sells nothing"),
        (SALE, policy(above_max=D("0.017")), r"ADA: worth more .*0\.01741756 BNB, at most 0\.017"),
        (GATHER, policy(), "gathers from the funding wallet, and this converter does not"),
        (GATHER, policy(gather=True, keep=frozenset({"DOGE"})), "DOGE: kept$"),
    ],
)
def test_the_policy_stops_a_quote_it_does_not_allow(plan: Quote, rules: Policy, words: str) -> None:
    with pytest.raises(GuardError, match=words) as caught:
        checked(plan, rules)
    assert caught.value.account == "alice"


def test_a_conversion_is_needless_once_there_is_enough_of_what_was_low() -> None:
    rules = policy(when_below={"BNB": D("0.05")})

    for held in ({}, {"BNB": HeldAsset(asset="BNB", free=D("0.04999999"))}):
        refuse_needless(held, rules, account="alice")
    enough = {"BNB": HeldAsset(asset="BNB", free=D("0.05"))}
    with pytest.raises(GuardError, match=r"any more: 0\.05 BNB is not below 0\.05") as caught:
        refuse_needless(enough, rules, account="alice")
    assert caught.value.account == "alice"


@pytest.mark.parametrize(
    ("ttl", "age", "old"),
    [(60, 59.999, False), (60, 60, True), (600, 60, True), (5, 5, True), (5, 4.9, False)],
)
def test_a_quote_expires_by_its_own_time_and_by_the_converter_s_ttl(
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


def test_a_fee_without_a_gross_is_too_high() -> None:
    with pytest.raises(GuardError, match=r"\(100.00 %, at most 5.00 % allowed\)"):
        checked(quote(line(gross=D(0), fee=D("0.001"), net=D("-0.001"))), policy())


def test_a_fee_of_the_last_digit_is_rounding() -> None:
    tiny = line(gross=D("0.00000003"), fee=D("0.00000001"), net=D("0.00000002"))
    checked(quote(tiny), policy())
    # To the digit: one unit above the rate is still rounding, two are not.
    even = line(gross=D("0.001"), fee=D("0.00005001"))
    checked(quote(even), policy())
    with pytest.raises(GuardError, match="fee"):
        checked(quote(replace(even, fee=D("0.00005002"))), policy())
    with pytest.raises(GuardError, match="fee"):
        checked(quote(replace(tiny, fee=D("0.00000002"))), policy())


def test_an_amount_that_is_not_credited_is_a_cost_even_if_the_fee_is_zero() -> None:
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
def test_deviations_from_the_quote_are_named(
    sold: str, gross: str, fee: str, told: list[str]
) -> None:
    done = LedgerLine(asset="ADA", amount=D(sold), gross=D(gross), fee=D(fee), at=NOW)

    assert list(deviations(done, line("ADA", amount=D("6.21")), policy())) == told
    assert "was not asked for" in next(deviations(done, None, policy()))


def test_an_asset_with_a_changed_balance_is_skipped() -> None:
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
        answer = read_conversion(conversion(*rows, gross="501.61234567", fee="0.02"), NOW)
        grown = changed_debts([debt], {"ETH": D("1.2469135689")})
        grown_more = changed_debts([debt], {"ETH": D("1.2469135690")})

    assert found is not None
    assert found.reason is Reason.CHANGED
    assert notes == ["ADA: 1235.67891234 were converted, and 1234.56789012 were quoted"]
    assert len(answer.notes) == 1
    assert (list(grown), list(grown_more)) == ([], ["ETH"])


@pytest.mark.parametrize(
    ("now", "as_quoted"),
    [
        ("0.55", True),
        ("0.5525", True),
        ("0.5555", True),
        ("0.5556", False),
        ("0.5499", False),
        (None, False),
    ],
)
def test_a_debt_may_grow_by_its_interest_and_by_nothing_else(
    now: str | None, as_quoted: bool
) -> None:
    line = LiabilityLine(
        asset="ETH", principal=Decimal("0.5"), interest=Decimal("0.05"), worth=Decimal(3)
    )

    changed = changed_debts([line], {} if now is None else {"ETH": Decimal(now)})

    assert (changed == {}) is as_quoted
    if not as_quoted:
        assert changed["ETH"].detail == f"0.55 then, {now or 0} now"
