"""`demo`: from a scan to the books."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Run

TRANSFER = "/sapi/v1/asset/dust"


@pytest.fixture
def demo(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the demo; its ledger stays in the folder for temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return partial(run, "demo")


def test_the_demo_goes_from_a_scan_to_the_books_and_says_what_to_try_next(
    demo: Run, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"

    done = demo("--accounts", "20", "--html", str(page))

    assert done.code == 0, done.err
    assert "with 20 accounts" in done.out
    assert "All dust would bring" in done.out
    assert ", 0 refused for their weight" in done.out
    assert "Read, never sent again" in done.out
    assert "Equal to the last digit" in done.out
    assert "Try next:" in done.out
    assert "A rehearsal" in page.read_text(encoding="utf-8")


def test_the_same_seed_makes_the_same_accounts(demo: Run) -> None:
    def amounts(seed: str) -> list[str]:
        lines = demo("--accounts", "5", "--seed", seed).out.splitlines()
        return [line for line in lines if "would bring" in line or " BNB " in line]

    assert amounts("3") == amounts("3") != amounts("4")


@pytest.mark.long
def test_an_account_that_failed_is_not_counted_as_one_with_nothing_to_convert(
    demo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Spoilt(Sandbox):
        def open_accounts(self, *args: Any, **options: Any) -> Any:
            accounts = super().open_accounts(*args, **options)
            third = accounts[2].label
            self.faults.fail(400, code=-5003, endpoint=TRANSFER, account=third, times=None)
            return accounts

    def nothing(out: str) -> str:
        return out.split("by reading only; ")[1].split(maxsplit=1)[0]

    good = demo("--accounts", "5")
    monkeypatch.setattr("binance_dust.cli.demo.Sandbox", Spoilt)
    spoilt = demo("--accounts", "5")

    assert (good.code, spoilt.code) == (0, 1)
    assert nothing(spoilt.out) == nothing(good.out)
    assert "1 account: failed." in spoilt.out
