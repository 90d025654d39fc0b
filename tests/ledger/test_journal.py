"""Journals balance to the last digit, and take any name. Real programs: test_importers.py."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import ConfigurationError, Ledger
from binance_dust.ledger import JournalAccounts, Kind, LedgerEntry
from binance_dust.ledger.export import Exported, JournalStyle
from binance_dust.ledger.export._journal import Journal
from tests.ledger.makers import (
    HOUR,
    NOW,
    converted,
    entry_maker,
    intent,
    line,
    rows_of_entry,
    seen,
)

ADA = ("ADA", "6.21", "0.01777302", "0.00035546")
DEBT = ("ETH", "0.00083434", "1.8576", "0")
ONE = ("1INCH", "6", "6", "0")
STYLES: tuple[JournalStyle, ...] = ("hledger", "beancount")
POSTING = re.compile(r'    (\S[^"]*?)  (-?[\d.]+) ("[^"]+"|\S+)(?: @@ (-?[\d.]+) ("[^"]+"|\S+))?')


def written(style: JournalStyle, *entries: LedgerEntry, **accounts: str) -> str:
    journal = Journal(style, JournalAccounts(**accounts))
    pages = [rows_of_entry(entry) for entry in entries]
    return "".join([journal.header(), *map(journal.text_of, pages), journal.footer()])


def test_a_conversion_in_hledger_s_words() -> None:
    make = entry_maker()

    text = written("hledger", make(NOW, ADA, transaction_id=45178372831))

    assert text == (
        "; written by binance_dust\n"
        "decimal-mark .\n\n"
        "2026-11-21 ADA to BNB  ; kind:dust, entry:1, at:2026-11-21T12:00:00.000Z,"
        " transaction:45178372831\n"
        "    Assets:Binance:alice:Spot  -6.21 ADA @@ 0.01777302 BNB\n"
        "    Assets:Binance:alice:Spot  0.01741756 BNB\n"
        "    Expenses:Binance:alice:Fees  0.00035546 BNB\n\n"
    )


def test_a_conversion_in_beancount_s_words() -> None:
    make = entry_maker()

    text = written("beancount", make(NOW, ONE, transaction_id=None))

    assert text == (
        "; written by binance_dust\n\n"
        '2026-11-21 * "alice" "X1INCH to BNB"\n'
        '    kind: "dust"\n'
        "    entry: 1\n"
        '    at: "2026-11-21T12:00:00.000Z"\n'
        '    transaction: "4000001"\n'
        "    Assets:Binance:Alice:Spot  -6.00000000 X1INCH @@ 6.00000000 BNB\n"
        "    Assets:Binance:Alice:Spot  6.00000000 BNB\n\n"
        "; 1INCH is X1INCH here\n"
        "2026-11-21 open Assets:Binance:Alice:Spot\n"
        "2026-11-21 commodity X1INCH\n"
        '    name: "1INCH"\n'
    )


@pytest.mark.parametrize(
    ("fields", "sold", "postings"),
    [
        (
            {"kind": Kind.LIABILITIES, "account_type": "MARGIN", "target": "USDT"},
            DEBT,
            [
                ("Liabilities:Binance:alice:Margin", "0.00083434", "ETH"),
                ("Liabilities:Binance:alice:Margin", "-1.8576", "USDT"),
            ],
        ),
        (
            {"kind": Kind.TRANSFER, "target": "ADA"},
            ("ADA", "6.5", "6.5", "0"),
            [
                ("Assets:Binance:alice:Funding", "-6.5", "ADA"),
                ("Assets:Binance:alice:Spot", "6.5", "ADA"),
            ],
        ),
        (
            {"kind": Kind.REPAYMENT, "account_type": "MARGIN", "target": "USDT"},
            ("USDT", "6.5", "6.5", "0"),
            [
                ("Liabilities:Binance:alice:Margin", "6.5", "USDT"),
                ("Assets:Binance:alice:Margin", "-6.5", "USDT"),
            ],
        ),
        (
            {"kind": Kind.SALE, "target": "USDT"},
            ("LTC", "0.5", "42.25", "0"),
            [
                ("Assets:Binance:alice:Spot", "-0.5", "LTC"),
                ("Assets:Binance:alice:Spot", "42.25", "USDT"),
            ],
        ),
    ],
    ids=lambda each: str(each["kind"]) if isinstance(each, dict) else "",
)
def test_every_kind_of_call_moves_what_it_moves(
    fields: dict[str, Any], sold: tuple[str, str, str, str], postings: list[tuple[str, ...]]
) -> None:
    text = written("hledger", entry_maker()(NOW, sold, **fields))

    assert [found[:3] for found in POSTING.findall(text)] == postings
    said = {Kind.LIABILITIES: "debt exchanged: ETH", Kind.TRANSFER: "moved to spot: ADA"}
    said |= {Kind.REPAYMENT: "debt paid: USDT", Kind.SALE: "LTC to USDT"}
    assert f"2026-11-21 {said[fields['kind']]}  ; kind:" in text


amounts = st.decimals("1e-18", "1e18", allow_nan=False, places=18)


@given(
    sold=st.lists(st.tuples(amounts, amounts, st.booleans()), min_size=1, max_size=4),
    kind=st.sampled_from([Kind.DUST, Kind.DUST_CONVERT, Kind.SALE, Kind.LIABILITIES]),
    style=st.sampled_from(STYLES),
)
def test_every_transaction_balances_to_the_last_digit(
    sold: list[Any], kind: Kind, style: JournalStyle
) -> None:
    lines = [
        ("ADA", f"{amount:f}", f"{gross:f}", f"{gross / 7 if fee else 0:f}")
        for amount, gross, fee in sold
    ]

    text = written(style, entry_maker()(NOW, *lines, kind=kind))

    transactions = [each for each in text.split("\n\n") if POSTING.search(each)]
    assert len(transactions) == len(lines)
    for transaction in transactions:
        sums: defaultdict[str, Fraction] = defaultdict(Fraction)
        for _, amount, asset, price, of_price in POSTING.findall(transaction):
            worth = Fraction(price or 0) * (-1 if amount.startswith("-") else 1)
            sums[of_price or asset] += worth if price else Fraction(amount)
        assert set(sums.values()) == {Fraction(0)}


@given(names=st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=6, unique=True))
def test_no_two_names_become_one_and_each_fits_the_grammar(names: list[str]) -> None:
    for style in STYLES:
        entries = [entry_maker()(NOW, (name, "1", "1", "0"), account=name) for name in names]
        found = [each[:3] for each in POSTING.findall(written(style, *entries))][::2]

        assert len({asset for _, _, asset in found}) == len(names)
        assert len({account for account, _, _ in found}) == len(names)
        for account, _, asset in found:
            assert account.count(":") == 3
            if style == "beancount":
                assert re.fullmatch(r"[A-Z][A-Z0-9'._-]{0,22}[A-Z0-9]", asset)
                assert re.fullmatch(r"Assets:Binance:[A-Z0-9][A-Za-z0-9-]*:Spot", account)
            else:
                assert not set(asset[1:-1]) & set('";\n')
                assert "  " not in account


def test_a_name_is_always_the_same_in_beancount_s_words() -> None:
    names = (
        "1INCH",
        "币安人生",
        "T",
        "eth",
        "A-",
        "1000SATS",
        "OP",
        "C98",
        "ONE-LONG-NAME-OF-AN-ASSET",
    )
    entries = [entry_maker()(NOW, (name, "1", "1", "0")) for name in names]
    assets = ("X1INCH", "X5E015B894EBA751F", "XT", "ETH", "XA", "X1000SATS", "OP", "C98")

    found = [each[2] for each in POSTING.findall(written("beancount", *entries))][::2]

    assert found[:8] == list(assets)
    assert found[8].startswith("ONE-LONG-NAME-OF-AN-")
    assert len(found[8]) <= 24


@pytest.mark.parametrize("style", STYLES)
def test_a_record_without_a_number_has_none_in_a_journal(style: JournalStyle) -> None:
    entry = entry_maker()(NOW, ADA, transaction_id=None)
    entry = replace(entry, lines=tuple(replace(one, transaction_id=None) for one in entry.lines))

    assert "transaction" not in written(style, entry)


def test_hledger_has_quotes_around_what_is_no_word() -> None:
    names = ("1INCH", "币安人生", "ADA", " ", 'a";|b')
    entries = [entry_maker()(NOW, (name, "1", "1", "0")) for name in names]

    found = [each[2] for each in POSTING.findall(written("hledger", *entries))][::2]

    assert found == ['"1INCH"', '"币安人生"', "ADA", "X", '"a223B7Cb"']


@pytest.mark.parametrize(
    ("name", "in_hledger", "in_beancount"),
    [
        ("alice (rehearsal)", "alice (rehearsal)", "Alice-rehearsal"),
        ("(desk) 1", "X(desk) 1", "Desk-1"),
        ("a:b;c", "a3Ab3Bc", "A-b-c"),
        ("币", "币", "5E01"),
        ("--", "--", "X"),
    ],
)
def test_an_account_s_name_is_kept_as_far_as_it_fits(
    name: str, in_hledger: str, in_beancount: str
) -> None:
    for style, fit in zip(STYLES, (in_hledger, in_beancount), strict=True):
        text = written(style, entry_maker()(NOW, ADA, account=name))
        assert POSTING.findall(text)[0][0] == f"Assets:Binance:{fit}:Spot"


def test_accounts_have_the_names_that_are_given() -> None:
    text = written(
        "hledger",
        entry_maker()(NOW, ADA),
        wallets="assets:exchange:{account} {wallet}",
        fees="expenses:fees",
    )

    assert [each[0] for each in POSTING.findall(text)] == [
        "assets:exchange:alice Spot",
        "assets:exchange:alice Spot",
        "expenses:fees",
    ]


@pytest.mark.parametrize("name", ["", "Assets:{uid}", "Assets:{", "Assets:{}"])
def test_an_account_that_can_not_be_filled_in_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="wallets must be the name of an account"):
        JournalAccounts(wallets=name)


async def test_what_is_not_settled_is_a_remark_and_is_counted(ledger: Ledger) -> None:
    three = dict.fromkeys(("ADA", "XRP", "LTC"), Decimal(1))
    await ledger.intend(intent(account="bob", held=three), length=HOUR)
    await converted(ledger, HOUR, 1)
    resolved = seen(line("ETH"), account="carol", transaction_id=2)
    await ledger.record([replace(resolved, lines=())], now=NOW)
    text = io.StringIO()

    done = await ledger.export_journal(text, style="hledger")

    assert done == Exported(rows=1, unsettled=1)
    assert text.getvalue().startswith("; written by binance_dust\n")
    assert text.getvalue().count("; entry 1 of bob is not settled yet: ") == 3
    text = io.StringIO()
    await ledger.export_journal(text, style="beancount")
    assert re.search("\n[0-9-]{10} open [A-Z][A-Za-z0-9:-]+\n$", text.getvalue())
    with pytest.raises(ConfigurationError, match="hledger, beancount"):
        await ledger.export_journal(text, style="ledger")  # type: ignore[arg-type]
