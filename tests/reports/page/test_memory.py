"""A page holds little of its reports, and says the same whatever it had to put aside."""

from __future__ import annotations

import errno
import tempfile
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust.errors import ConfigurationError, CredentialsError
from binance_dust.models import LastChance
from binance_dust.reports import AccountReport, page, write_page
from binance_dust.reports._page import _sorting
from binance_dust.reports._page._sorting import Scratch, SortedRows
from tests.reports.page.samples import AT, debt, dust, report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ["</script>", "币安人生", "a\nb\ud800", "\u202ez"]


def desk(count: int, targets: tuple[str, ...] = ("BNB",)) -> Iterator[AccountReport]:
    """Give reports one by one, with rows for every table that grows with them."""
    for n in range(count):
        net = f"{(n * 7919) % 1000 + 1}.00000001"
        rows = [dust(asset, "1", net, "0.00000001", net=net) for asset in ("ADA", "XRP")]
        failed = {"quote": CredentialsError(f"no key {n}", code=-2015)} if n % 10 == 7 else None
        debts = [debt("ETH", "1", "0.1", net)] if n % 5 == 0 else []
        target = targets[n % len(targets)]
        made = report(f"{NAMES[n % 4]}{n}", *rows, target=target, debts=debts, errors=failed)
        until = AT + timedelta(hours=(n * 31) % 17, microseconds=n % 2)
        chance = LastChance(
            asset="ADA", account_type="SPOT", until=until, pairs=["ADAUSDT"], goes=n % 3 > 0
        )
        yield replace(made, last_chances=[chance]) if n % 4 == 0 else made


def peak_of(count: int, path: Path) -> int:
    """Give what writing a page of so many reports took at most."""
    tracemalloc.start()
    try:
        write_page(path, desk(count), made_at=AT)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_four_times_the_reports_take_hardly_more_memory(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    write_page(file, desk(5))  # what is imported and compiled once is no part of it

    few, many = peak_of(500, file), peak_of(2000, file)

    assert many / few < 2
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("targets", [("BNB",), ("BNB", "USDT")])
def test_what_was_put_aside_is_on_the_page_as_if_it_was_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, targets: tuple[str, ...]
) -> None:
    whole = page(desk(60, targets), made_at=AT)
    monkeypatch.setattr(_sorting, "_RUN", 700)
    monkeypatch.setattr(_sorting, "_BLOCK", 64)

    file = write_page(tmp_path / "page.html", desk(60, targets), made_at=AT)

    assert file.read_bytes().decode() == whole
    assert page(desk(60, targets), made_at=AT) == whole


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=3))), st.booleans())
def test_rows_are_sorted_as_if_all_were_held(rows: list[tuple[int, str]], reverse: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sorting, "_RUN", 40)
        made = SortedRows(Scratch(), Decimal, reverse=reverse)
        for number, (order, text) in enumerate(rows):
            made.add(str(order), [text, str(number)])

        found = list(made)

    known = sorted(enumerate(rows), key=lambda row: row[1][0], reverse=reverse)
    assert found == [[text, str(number)] for number, (_, text) in known]
    assert made.count == len(rows)


def test_a_scratch_file_has_no_name_and_only_its_user_can_read_it(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    places = [scratch.append(data) for data in (b"one", b"three")]

    assert [scratch.read(*place) for place in places] == [b"one", b"three"]
    assert list(tmp_path.iterdir()) == []
    scratch.close()
    scratch.close()


@pytest.mark.parametrize("left", [0, 2])
def test_a_disk_that_is_full_is_named_and_the_old_page_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, left: int
) -> None:
    file = tmp_path / "page.html"
    file.write_text("the old one", encoding="utf-8")

    class Full:
        """A file that takes two writes of some bytes at most."""

        def __init__(self) -> None:
            self.left = left

        def seek(self, _: int) -> None: ...

        def close(self) -> None: ...

        def write(self, data: bytes) -> int:
            if not self.left:
                raise OSError(errno.ENOSPC, "the words of the system")
            self.left -= 1
            return min(100, len(data))

    def opened(**_: Any) -> Full:
        return Full()

    monkeypatch.setattr(tempfile, "TemporaryFile", opened)
    monkeypatch.setattr(_sorting, "_RUN", 700)

    with pytest.raises(ConfigurationError, match="can't be written: the words of"):
        write_page(file, desk(60))

    assert file.read_text(encoding="utf-8") == "the old one"
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
