"""The books as a journal of plain-text accounting, for hledger or Beancount.

Every row is a transaction that balances to the last digit, and nothing is left out but what is not
settled: a journal has accounts for debts, and for wallets that funds are moved between.

    2026-11-21 ADA to BNB  ; kind:dust, entry:1, at:2026-11-21T12:00:00.000Z, transaction:45178372
        Assets:Binance:alice:Spot  -6.21 ADA @@ 0.01777302 BNB
        Assets:Binance:alice:Spot  0.01741756 BNB
        Expenses:Binance:alice:Fees  0.00035546 BNB

The grammars of both know fewer names than there are. hledger takes any commodity in quotes, and
Beancount only capitals, digits and some marks, with a letter in front. What does not fit gets
another name, always the same, and the end of the file lists them.
"""

from __future__ import annotations

import itertools
import re
import string
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from binance_dust.errors import ConfigurationError
from binance_dust.ledger._entry import OPEN, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from binance_dust.ledger._rows import BookRow

__all__ = ["Journal", "JournalAccounts", "JournalStyle"]

JournalStyle = Literal["hledger", "beancount"]

_WALLETS: Final = {"SPOT": "Spot", "MARGIN": "Margin"}
_FUNDING: Final = "Funding"
_LONGEST: Final = 24
"""Characters of a currency, as Beancount 2 has it; version 3 takes longer ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalAccounts:
    """The accounts of a journal. `{account}` is the ledger's name, `{wallet}` is `Spot` or so."""

    wallets: str = "Assets:Binance:{account}:{wallet}"
    """What the account has."""
    debts: str = "Liabilities:Binance:{account}:{wallet}"
    """What it owes."""
    fees: str = "Expenses:Binance:{account}:Fees"
    """What the exchange kept."""

    def __post_init__(self) -> None:
        """Refuse a name that can't be filled in."""
        for field in fields(self):
            text = getattr(self, field.name)
            try:
                names = {name for _, name, _, _ in string.Formatter().parse(text)} - {None}
            except ValueError:
                names = {text}
            if not text or not names <= {"account", "wallet"}:
                raise ConfigurationError(
                    f"{field.name} must be the name of an account, with {{account}} and {{wallet}}"
                    f" where they belong, not {text!r}"
                )


class _Grammar(NamedTuple):
    """What one program takes."""

    header: str
    asset: Callable[[str], str]
    """Makes a name of an asset that the program takes, and that says the most of it."""
    written: Callable[[str], str]
    """Writes that name in a posting."""
    part: Callable[[str], str]
    """Makes a part of an account's name, without colons."""
    heading: Callable[[BookRow, str], str]
    """Writes the first lines of a transaction."""
    footer: Callable[[Mapping[str, str], Mapping[str, str], str], Iterator[str]]
    """Writes what has to be said of accounts (by the day of their first use) and assets."""


class _Renamer:
    """Gives each name one that fits, and no two names the same."""

    def __init__(self, fit: Callable[[str], str]) -> None:
        self._fit = fit
        self.given: dict[str, str] = {}
        self._taken: set[str] = set()

    def __getitem__(self, name: str) -> str:
        if name not in self.given:
            found = self._fit(name)
            same = itertools.count()
            while found in self._taken:
                found = _shortened(found, f"{name}{next(same)}")
            self._taken.add(found)
            self.given[name] = found
        return self.given[name]

    @property
    def renamed(self) -> dict[str, str]:
        """The names that are others now."""
        return {name: fit for name, fit in self.given.items() if name != fit}


class Journal:
    """Writes rows as transactions, and remembers what the end of the file has to say."""

    def __init__(self, style: JournalStyle, accounts: JournalAccounts) -> None:
        """Choose the program, and how accounts are named."""
        if style not in _GRAMMARS:
            raise ConfigurationError(f"style must be one of {', '.join(_GRAMMARS)}, not {style!r}")
        self._grammar = _GRAMMARS[style]
        self._accounts = accounts
        self._assets = _Renamer(self._grammar.asset)
        self._parts = _Renamer(self._grammar.part)
        self._named: dict[tuple[str, str, str], str] = {}
        self._spelt: dict[str, str] = {}
        self._used: dict[str, str] = {}
        self._last = ""
        self.rows = 0
        self.unsettled = 0

    @property
    def renamed(self) -> dict[str, str]:
        """Assets and accounts with another name in the file, beyond a capital letter."""
        accounts = self._parts.renamed.items()
        spelt = {name: fit for name, fit in accounts if name.lower() != fit.lower()}
        return self._assets.renamed | spelt

    def header(self) -> str:
        """Write the begin of the file."""
        return self._grammar.header

    def text_of(self, page: Sequence[BookRow]) -> str:
        """Write the rows of some entries."""
        return "".join(self._texts(page))

    def footer(self) -> str:
        """Write the end of the file."""
        lines = [f"; {_comment(name)} is {fit} here" for name, fit in self.renamed.items()]
        lines += self._grammar.footer(self._used, self._assets.renamed, self._last)
        return "".join(f"{line}\n" for line in lines)

    def _texts(self, page: Sequence[BookRow]) -> Iterator[str]:
        counted = 0
        for row in page:
            if row.status in OPEN:
                self.unsettled += row.entry != counted
                counted = row.entry
                what = f"entry {row.entry} of {row.account} is not settled yet: {row.asset}"
                yield f"; {_comment(what)}\n\n"
            elif row.asset:
                self.rows += 1
                self._last = row.at[:10]
                yield self._transaction(row)

    def _transaction(self, row: BookRow) -> str:
        what = f"{self._assets[row.asset]} to {self._assets[row.target]}"
        if row.kind in _WORDS:
            what = f"{_WORDS[row.kind]} {self._assets[row.asset]}"
        lines = [self._grammar.heading(row, what), *self._postings(row)]
        return "\n    ".join(lines) + "\n\n"

    def _postings(self, row: BookRow) -> Iterator[str]:
        accounts, wallet = self._accounts, _WALLETS[row.account_type]
        if row.kind == Kind.TRANSFER:
            yield self._posting(row, accounts.wallets, _FUNDING, _less(row.amount), row.asset)
            yield self._posting(row, accounts.wallets, wallet, row.amount, row.asset)
        elif row.kind == Kind.REPAYMENT:
            yield self._posting(row, accounts.debts, wallet, row.amount, row.asset)
            yield self._posting(row, accounts.wallets, wallet, _less(row.amount), row.asset)
        else:
            # A debt that ends is added to a liability, which is below zero.
            place, amount, net = accounts.wallets, _less(row.amount), row.net
            if row.kind == Kind.LIABILITIES:
                place, amount, net = accounts.debts, row.amount, _less(row.net)
            price = f" @@ {_number(row.gross)} {self._written(row.target)}"
            yield self._posting(row, place, wallet, amount, row.asset) + price
            yield self._posting(row, place, wallet, net, row.target)
            if row.fee.strip("0."):
                fee = _less(row.fee) if row.kind == Kind.LIABILITIES else row.fee
                yield self._posting(row, accounts.fees, wallet, fee, row.target)

    def _posting(self, row: BookRow, name: str, wallet: str, amount: str, asset: str) -> str:
        key = (name, row.account, wallet)
        if (account := self._named.get(key)) is None:
            account = name.format(account=self._parts[row.account], wallet=wallet)
            self._named[key] = account
            self._used.setdefault(account, row.at[:10])
        return f"{account}  {_number(amount)} {self._written(asset)}"

    def _written(self, asset: str) -> str:
        if (found := self._spelt.get(asset)) is None:
            found = self._spelt[asset] = self._grammar.written(self._assets[asset])
        return found


_WORDS: Final[dict[str, str]] = {
    Kind.LIABILITIES: "debt exchanged:",
    Kind.TRANSFER: "moved to spot:",
    Kind.REPAYMENT: "debt paid:",
}


def _less(amount: str) -> str:
    return f"-{amount}"


def _number(amount: str) -> str:
    """Write an amount with decimals: Beancount allows what balances as much as these say."""
    return amount if "." in amount else f"{amount}.00000000"


def _comment(text: str) -> str:
    return " ".join(text.split())


def _coded(text: str, allowed: str) -> str:
    """Write each character that is not allowed as its number."""
    return re.sub(f"[^{allowed}]", _code, text)


def _code(found: re.Match[str]) -> str:
    return f"{ord(found[0]):X}"


def _shortened(found: str, name: str) -> str:
    """Make a name that no other has, from what it stands for."""
    return f"{found[: _LONGEST - 5].rstrip('-._')}-{sha256(name.encode()).hexdigest()[:4].upper()}"


# hledger 1.25, manual, "Commodity" and "Account names": quotes take all but ; " and line ends; two
# blanks end an account's name.
def _hledger_heading(row: BookRow, what: str) -> str:
    number = f", transaction:{row.number}" if row.number else ""
    tags = f"kind:{row.kind}, entry:{row.entry}, at:{row.at[:23]}Z{number}"
    return f"{row.at[:10]} {what}  ; {tags}"


def _hledger_asset(name: str) -> str:
    return re.sub('[;"|]', _code, _comment(name)) or "X"


def _hledger_part(name: str) -> str:
    found = _coded(_comment(name), r"\w .@+()-").strip()
    # A whole account in brackets would be a posting that need not balance.
    return found if found and found[0] != "(" else f"X{found}"


def _no_more(*_: object) -> Iterator[str]:
    yield from ()


# Beancount 3, "Language Syntax" and its own patterns for currencies and parts of accounts. Version
# 2 takes at least two characters and at most 24.
_CURRENCY: Final = re.compile(r"[A-Z][A-Z0-9'._-]{0,22}[A-Z0-9]")


def _beancount_heading(row: BookRow, what: str) -> str:
    lines = [
        f'{row.at[:10]} * "{_quoted(row.account)}" "{_quoted(what)}"',
        f'kind: "{row.kind}"',
        f"entry: {row.entry}",
        f'at: "{row.at[:23]}Z"',
    ]
    return "\n    ".join([*lines, f'transaction: "{row.number}"'] if row.number else lines)


def _beancount_asset(name: str) -> str:
    found = _coded(name.upper(), "A-Z0-9'._-").rstrip("'._-")
    if not found[:1].isalpha() or len(found) == 1:
        found = f"X{found}"
    return found if _CURRENCY.fullmatch(found) else _shortened(found, name)


def _beancount_part(name: str) -> str:
    plain = re.sub(r"[\x00-\x7f]", lambda found: found[0] if found[0].isalnum() else "-", name)
    found = re.sub("-+", "-", _coded(plain, "A-Za-z0-9-")).strip("-")
    return f"{found[:1].upper()}{found[1:]}" or "X"


def _beancount_footer(
    accounts: Mapping[str, str], renamed: Mapping[str, str], last: str
) -> Iterator[str]:
    for account, day in accounts.items():
        yield f"{day} open {account}"
    for name, fit in renamed.items():
        yield f'{last} commodity {fit}\n    name: "{_quoted(name)}"'


def _quoted(text: str) -> str:
    return _comment(text).replace("\\", "\\\\").replace('"', '\\"')


_GRAMMARS: Final[dict[JournalStyle, _Grammar]] = {
    "hledger": _Grammar(
        header="; written by binance_dust\ndecimal-mark .\n\n",
        asset=_hledger_asset,
        written=lambda name: name if re.fullmatch("[A-Za-z]+", name) else f'"{name}"',
        part=_hledger_part,
        heading=_hledger_heading,
        footer=_no_more,
    ),
    "beancount": _Grammar(
        header="; written by binance_dust\n\n",
        asset=_beancount_asset,
        written=str,
        part=_beancount_part,
        heading=_beancount_heading,
        footer=_beancount_footer,
    ),
}
