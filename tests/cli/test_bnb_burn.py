"""`bnb-burn`: the setting is shown, and changed only with `--yes`."""

from __future__ import annotations

from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Run


def test_the_setting_is_shown_and_changed_only_with_yes(
    run: Run, exchange: Sandbox, three_accounts: str, at: tuple[str, ...]
) -> None:
    exchange.account("bob").spot_bnb_burn = False

    shown = run("bnb-burn", "--json", "--accounts", three_accounts, *at)
    dry = run("bnb-burn", "--spot", "on", "--interest", "off", "--accounts", three_accounts, *at)

    assert [(row["spot"], row["interest"]) for row in shown.rows] == [
        (True, False),
        (False, False),
        (True, False),
    ]
    assert (dry.code, dry.out.count("would set")) == (0, 1)
    assert "Add --yes to set it for 1 account" in dry.out
    assert not [seen for seen in exchange.requests if seen.method == "POST"]

    done = run("bnb-burn", "--json", "--spot", "on", "--yes", "--accounts", three_accounts, *at)

    assert exchange.account("bob").spot_bnb_burn
    assert [(row["set"], row["changes"]) for row in done.rows] == [
        (False, {}),
        (True, {"spot": True}),
        (False, {}),
    ]
    assert len([seen for seen in exchange.requests if seen.method == "POST"]) == 1


def test_a_setting_that_cannot_be_read_is_not_changed(
    run: Run, exchange: Sandbox, three_accounts: str, at: tuple[str, ...]
) -> None:
    exchange.faults.refuse(401, code=-2015, account="bob", times=None, retry_after=None)

    done = run("bnb-burn", "--json", "--spot", "off", "--yes", "--accounts", three_accounts, *at)
    shown = run("bnb-burn", "--accounts", three_accounts, *at)

    assert (done.code, shown.code) == (1, 1)
    assert [(row["account"], row["spot"], row["set"]) for row in done.rows] == [
        ("alice", False, True),
        ("bob", None, False),
        ("carol", False, True),
    ]
    assert done.rows[1]["error"]["code"] == -2015
    assert "failed: GET /sapi/v1/bnbBurn: -2015" in shown.out


def test_a_setting_is_on_or_off(run: Run) -> None:
    done = run("bnb-burn", "--sandbox", "--spot", "maybe")

    assert done.code == 2
    assert "must be on or off" in done.err
