"""Reads exported files by the programs that they are written for, each in a process of its own.

So their settings go to a folder of ours, and their warnings are theirs. Where a program is not
installed, the test is skipped: `nox -s importers` installs BittyTax and Beancount.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

BITTYTAX = """
import contextlib, io, json, sys
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    from bittytax.config import config
    from bittytax.import_records import ImportRecords
    records = ImportRecords()
    with open(sys.argv[1], newline="", encoding="utf-8") as file:
        records.import_csv(file, sys.argv[1])
def side(part):
    return None if part is None else [str(part.asset), f"{part.quantity:f}"]
print(json.dumps({
    "failed": records.failure_cnt,
    "records": [
        {"type": r.t_type.value, "sold": side(r.sell), "received": side(r.buy),
         "fee": side(r.fee), "wallet": r.wallet, "at": r.timestamp.isoformat(), "note": r.note}
        for r in (row.t_record for row in records.t_rows) if r is not None
    ],
}))
"""
BEANCOUNT = """
import json, sys
from beancount import loader
from beancount.core.data import Commodity, Transaction
entries, errors, _ = loader.load_file(sys.argv[1])
print(json.dumps({
    "errors": [str(each.message) for each in errors],
    "names": {e.currency: e.meta["name"] for e in entries if isinstance(e, Commodity)},
    "transactions": [
        {"at": e.meta["at"], "entry": int(e.meta["entry"]), "kind": e.meta["kind"],
         "transaction": e.meta.get("transaction"),
         "postings": [[p.account, p.units.currency, f"{p.units.number:f}"] for p in e.postings]}
        for e in entries if isinstance(e, Transaction)
    ],
}))
"""


class Posting(NamedTuple):
    """What a transaction does to an account."""

    account: str
    asset: str
    amount: Decimal


class Transaction(NamedTuple):
    """A transaction, with what it says of itself."""

    tags: dict[str, str]
    postings: list[Posting]


def by_bittytax(path: Path) -> dict[str, Any]:
    """Let BittyTax import a file."""
    return _by_package("bittytax", BITTYTAX, path)


def by_beancount(path: Path) -> tuple[list[Transaction], dict[str, str]]:
    """Let Beancount load a journal; give its transactions, and the names of its currencies."""
    found = _by_package("beancount", BEANCOUNT, path)
    assert found["errors"] == []
    return [
        Transaction(
            {name: str(each[name]) for name in ("at", "entry", "kind", "transaction")},
            [Posting(account, asset, Decimal(n)) for account, asset, n in each["postings"]],
        )
        for each in found["transactions"]
    ], found["names"]


def by_hledger(path: Path) -> list[Transaction]:
    """Let hledger check a journal, and give its transactions."""
    program = shutil.which("hledger")
    if program is None:
        pytest.skip("hledger is not installed")
    command = (program, "--file", str(path))
    _run((*command, "check"), path)
    # As CSV: its JSON keeps ten decimals only.
    text = _run((*command, "print", "--output-format", "csv"), path)
    found: dict[str, Transaction] = {}
    for row in csv.DictReader(io.StringIO(text)):
        tags = dict(tag.split(":", 1) for tag in row["comment"].split(", "))
        transaction = found.setdefault(row["txnidx"], Transaction(tags, []))
        posting = Posting(row["account"], row["commodity"], Decimal(row["amount"]))
        transaction.postings.append(posting)
    return list(found.values())


def _by_package(name: str, code: str, path: Path) -> dict[str, Any]:
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed: nox -s importers")
    found: dict[str, Any] = json.loads(_run((sys.executable, "-I", "-c", code, str(path)), path))
    return found


def _run(command: tuple[str, ...], path: Path) -> str:
    # What a program writes for itself goes where the file is. UTF-8 has to be asked for.
    env = os.environ | {"HOME": str(path.parent), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(  # noqa: S603 - the programs that are named above
        command, check=False, capture_output=True, env=env, timeout=60, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
