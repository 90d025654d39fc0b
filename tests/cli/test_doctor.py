"""`doctor`: its checks, what it asks, and what it prints."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from binance_dust import Credentials, CredentialsError, DustError, models
from binance_dust.cli._doctor_checks import (
    AccountAnswers,
    Finding,
    Level,
    judge_account,
    judge_clock,
    judge_delistings,
    judge_schedules,
    judge_system,
)
from binance_dust.sandbox import Permissions, Sandbox
from tests.cli.conftest import Keep, Run
from tests.systems import posix

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
REFUSED = CredentialsError("Invalid API-key, IP, or permissions for action.", code=-2015)


def key(**changes: Any) -> models.KeyPermissions:
    """Give a key as it should be, but for the changes."""
    usual: dict[str, Any] = {
        "ip_restrict": True,
        "create_time": NOW - timedelta(days=100),
        "enable_reading": True,
        "enable_withdrawals": False,
        "enable_internal_transfer": False,
        "enable_margin": True,
        "enable_futures": False,
        "permits_universal_transfer": False,
        "enable_vanilla_options": False,
        "enable_spot_and_margin_trading": True,
    }
    return models.KeyPermissions(**(usual | changes))


def answers(**changes: Any) -> AccountAnswers:
    usual: dict[str, Any] = {
        "account": "alice",
        "permissions": key(),
        "status": models.AccountStatus("Normal"),
        "info": models.AccountInfo(vip_level=0, is_margin_enabled=True, is_future_enabled=False),
        "burn": models.BnbBurn(spot_bnb_burn=True, interest_bnb_burn=False),
        "log": models.DustLog(user_asset_dribblets=[]),
    }
    return AccountAnswers(**(usual | changes))


NO_MARGIN = models.AccountInfo(vip_level=0, is_margin_enabled=False, is_future_enabled=False)
EXPIRES = "trading_authority_expiration_time"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"permissions": key(enable_withdrawals=True)}, [("warning", "key", "may withdraw")]),
        ({"permissions": key(ip_restrict=False)}, [("warning", "key", "from any address")]),
        (
            {"permissions": key(enable_spot_and_margin_trading=False)},
            [("warning", "key", "may not trade")],
        ),
        ({"permissions": key(enable_margin=False)}, [("warning", "key", "no margin right")]),
        ({"permissions": key(enable_margin=False), "info": NO_MARGIN}, []),
        ({"permissions": key(enable_reading=False)}, [("problem", "key", "may not read")]),
        ({"permissions": key(permits_universal_transfer=True)}, [("note", "key", "may move")]),
        (
            {"permissions": key(**{EXPIRES: NOW + timedelta(days=13)})},
            [("warning", "key", "ends on 2026-12-04")],
        ),
        ({"permissions": key(**{EXPIRES: NOW + timedelta(days=15)})}, []),
        (
            {"permissions": key(**{EXPIRES: NOW - timedelta(days=1)})},
            [("warning", "key", "ended on 2026-11-20")],
        ),
        ({"permissions": REFUSED}, [("problem", "key", "-2015")]),
        ({"status": models.AccountStatus("Locked")}, [("warning", "status", "'Locked'")]),
        ({"status": REFUSED}, [("problem", "status", "-2015")]),
        ({"info": REFUSED}, [("problem", "margin", "-2015")]),
        (
            {"burn": models.BnbBurn(spot_bnb_burn=False, interest_bnb_burn=True)},
            [("note", "fees", "leaves dust")],
        ),
        ({"burn": REFUSED}, [("problem", "fees", "-2015")]),
        (
            {"permissions": key(enable_withdrawals=True, ip_restrict=False), "status": REFUSED},
            [
                ("warning", "key", "may withdraw"),
                ("warning", "key", "from any address"),
                ("problem", "status", "-2015"),
            ],
        ),
    ],
)
def test_an_account_is_judged(changes: dict[str, Any], found: list[tuple[str, str, str]]) -> None:
    findings = list(judge_account(answers(**changes), NOW))

    assert [(each.level.value, each.about) for each in findings] == [row[:2] for row in found]
    for finding, (_, _, says) in zip(findings, found, strict=True):
        assert says in finding.text
        assert finding.account == "alice"


@pytest.mark.parametrize(
    ("offset", "round_trip", "levels", "says"),
    [
        (0.004, 0.08, [Level.OK], "this machine is 0.004 s behind, round trip 80 ms"),
        (-0.999, 0.08, [Level.OK], "0.999 s ahead"),
        (-1.0, 0.08, [Level.WARNING], "1.000 s ahead"),
        (90, 0.08, [Level.WARNING], "corrected for here"),
        (0, 2.5, [Level.OK, Level.WARNING], "too old (-1021)"),
    ],
)
def test_the_clock_is_judged(
    offset: float, round_trip: float, levels: list[Level], says: str
) -> None:
    findings = list(judge_clock(offset, round_trip))

    assert [each.level for each in findings] == levels
    assert any(says in each.text for each in findings)


def test_the_exchange_is_judged() -> None:
    def judged(status: Any) -> Finding:
        (finding,) = judge_system(status)
        return finding

    assert judged(models.SystemStatus(0, "normal")) == Finding(Level.OK, "system", "normal")
    assert judged(models.SystemStatus(1, "system_maintenance")).level is Level.PROBLEM
    assert judged(REFUSED).level is Level.PROBLEM


def two_accounts(exchange: Sandbox, keep: Keep) -> str:
    restricted = Permissions(addresses=frozenset({"127.0.0.1"}))
    return str(
        keep(
            exchange.open_account("alice", ADA="6", permissions=restricted, margin=True),
            exchange.open_account("bob", permissions=Permissions(withdrawals=True)),
        )
    )


@pytest.fixture
def file(exchange: Sandbox, keep: Keep) -> str:
    return two_accounts(exchange, keep)


def test_every_account_is_asked_once_and_nothing_is_written(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    done = run("doctor", "--accounts", file, *at)

    asked = [(seen.path, seen.account) for seen in exchange.requests if seen.account]
    once = ("/sapi/v1/spot/delist-schedule", "/sapi/v1/margin/delist-schedule")
    assert sorted(seen for seen in asked if seen[0] in once) == [
        (once[1], "alice"),
        (once[0], "alice"),
    ]
    assert sorted(seen for seen in asked if seen[0] not in once) == sorted(
        (path, account)
        for account in ("alice", "bob")
        for path in (
            "/sapi/v1/account/apiRestrictions",
            "/sapi/v1/account/status",
            "/sapi/v1/account/info",
            "/sapi/v1/bnbBurn",
            "/sapi/v1/asset/dribblet",
        )
    )
    assert {seen.method for seen in exchange.requests} == {"GET"}
    assert done.code == 0, "warnings are no failure"
    assert "bob: may withdraw" in done.out
    assert "alice: " not in done.out
    assert "It works. Look at the warnings above." in done.out


def test_programs_get_the_same_as_lines_of_json(run: Run, keep: Keep) -> None:
    # The window is long, so that the weight spent is still shown at the end on a busy machine.
    with Sandbox(seed=7, window=3600) as exchange:
        file = two_accounts(exchange, keep)
        at = ("--base-url", exchange.url, "--window", "3600")
        rows = run("doctor", "--json", "--accounts", file, *at).rows

    accounts = {row["account"]: row for row in rows if row["about"] == "account"}
    assert (accounts["alice"]["withdraws"], accounts["bob"]["withdraws"]) == (False, True)
    assert (accounts["alice"]["margin"], accounts["bob"]["margin"]) == (True, False)
    budgets = {row["pool"]: row for row in rows if row["about"] == "budget"}
    assert budgets["GET /sapi/v1/account/status"]["used"] == 2
    assert budgets["GET /sapi/v1/account/status"]["limit"] == 12_000
    assert rows[-1] == {"about": "end", "level": "warning", "rehearsal": True}


def an_account(exchange: Sandbox, folder: Path, how: str) -> tuple[Credentials, str]:
    """Open an account with nothing to find, and write an accounts file that says how it signs."""
    restricted = Permissions(addresses=frozenset({"127.0.0.1"}))
    alice = exchange.open_account("alice", permissions=restricted)
    path = folder / "accounts.toml"
    path.write_text(f'[alice]\napi_key = "{alice.api_key}"\n{how}\n')
    path.chmod(0o600)
    return alice, str(path)


def test_without_findings_everything_is_as_it_should_be(
    run: Run,
    exchange: Sandbox,
    at: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice, file = an_account(exchange, tmp_path, 'secret_env = "ALICE"')
    monkeypatch.setenv("ALICE", alice.secret.reveal())

    done = run("doctor", "--accounts", file, *at)

    assert done.code == 0
    assert "Everything is as it should be." in done.out


def test_a_secret_in_a_plain_file_is_a_warning_with_better_ways(
    run: Run, file: str, at: tuple[str, ...]
) -> None:
    done = run("doctor", "--accounts", file, *at)

    assert "warning  secret     alice, bob: lies unencrypted in a file" in done.out
    assert "ssh_agent" in done.out


@posix
def test_it_says_who_signs_and_how_long_that_takes(
    run: Run, exchange: Sandbox, at: tuple[str, ...], tmp_path: Path
) -> None:
    script = tmp_path / "sign"
    alice, file = an_account(exchange, tmp_path, f'sign_command = ["sh", "{script}"]')
    script.write_text(
        f"sleep 0.05; openssl dgst -sha256 -hmac {alice.secret.reveal()} | sed 's/.*= //'"
    )

    rows = run("doctor", "--json", "--accounts", file, *at).rows
    done = run("doctor", "--accounts", file, *at)

    (account,) = [row for row in rows if row["about"] == "account"]
    assert account["signs"] == "command sh"
    assert account["signature"] > 0.05
    assert re.search(r"command sh, \d+ ms", done.out)
    assert "Everything is as it should be." in done.out


@posix
def test_a_signer_that_fails_is_one_problem_and_nothing_is_asked(
    run: Run, exchange: Sandbox, at: tuple[str, ...], tmp_path: Path
) -> None:
    _, file = an_account(exchange, tmp_path, 'sign_command = ["sh", "-c", "exit 3"]')

    done = run("doctor", "--accounts", file, *at)

    assert done.code == 1
    assert done.out.count("problem") == 1
    assert "signature  alice: command sh: it ended with status 3" in done.out
    assert not [seen for seen in exchange.requests if seen.account]


def test_a_slow_signer_is_a_warning() -> None:
    slow = answers(signs="vault", signature=1.5)

    (finding,) = judge_account(slow, NOW)

    assert (finding.level, finding.about) == (Level.WARNING, "signature")
    assert finding.text == "1.5 s by vault: calls wait for one another"


def test_weight_that_others_spend_behind_the_address_is_shown(run: Run, keep: Keep) -> None:
    with Sandbox(seed=7) as slow:
        file = str(keep(slow.open_account("alice")))
        slow.faults.spend("GET /sapi/v1/account/status", 700)
        rows = run("doctor", "--json", "--accounts", file, "--base-url", slow.url).rows

    (status,) = [row for row in rows if row.get("pool") == "GET /sapi/v1/account/status"]
    assert status["others"] >= 699


def test_a_refused_key_is_a_problem_and_the_others_are_checked(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    exchange.faults.refuse(401, code=-2015, account="alice", times=None, retry_after=None)

    done = run("doctor", "--accounts", file, *at)

    assert done.code == 1
    assert "problem  key" in done.out
    assert "bob: may withdraw" in done.out
    assert "Something does not work" in done.out


def test_a_finding_of_many_accounts_is_printed_once(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    exchange.faults.refuse(
        401, code=-2015, endpoint="/sapi/v1/account/status", times=None, retry_after=None
    )

    done = run("doctor", "--accounts", file, *at)

    assert done.out.count("-2015") == 1
    assert "alice, bob: GET /sapi/v1/account/status: -2015" in done.out


def test_an_exchange_under_maintenance_is_not_asked_about_accounts(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    exchange.faults.maintenance()

    done = run("doctor", "--accounts", file, *at)

    assert done.code == 1
    assert "closed: system_maintenance" in done.out
    assert not [seen for seen in exchange.requests if seen.account]


def test_a_wrong_clock_is_a_warning_and_corrected_for(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    exchange.faults.drift_clock(30)

    done = run("doctor", "--accounts", file, *at)

    assert done.code == 0
    assert "corrected for here" in done.out
    assert "s behind" in done.out


def test_it_warns_while_dust_can_still_be_converted(
    run: Run, exchange: Sandbox, keep: Keep, at: tuple[str, ...]
) -> None:
    """The schedules are asked for once, and balances only if they name anything."""
    accounts = [exchange.open_account(name, ADA="6", KOGE="0.01") for name in ("yan", "zoe")]
    accounts.append(exchange.open_account("xia", margin={"XRP": "1"}))
    asked = ("doctor", "--accounts", str(keep(*accounts)), *at)
    assets = "POST /sapi/v3/asset/getUserAsset"

    before = run(*asked)
    assert "KOGE" not in before.out
    assert exchange.requests_of(assets) == ()
    exchange.delist("KOGE", datetime(2031, 12, 5, 3, tzinfo=UTC))
    exchange.delist("XRP", datetime(2031, 12, 6, 3, tzinfo=UTC))
    after = run(*asked)

    assert after.code == 0
    told = " ".join(after.out.split())
    assert "delistings yan, zoe: KOGE: convert it before 2031-12-05 03:00 UTC" in told
    assert "delistings xia: XRP: convert it before 2031-12-06 03:00 UTC" in told
    assert "; it lies in margin" in told
    for market in ("spot", "margin"):
        assert len(exchange.requests_of(f"GET /sapi/v1/{market}/delist-schedule")) == 2
    assert len(exchange.requests_of(assets)) == 3
    assert len(exchange.requests_of("GET /sapi/v1/margin/account")) == 1


def test_schedules_that_are_not_known_are_a_warning_and_some_pairs_a_note() -> None:
    unread = models.Delistings([models.Delisting(delist_time=NOW, symbols=["ADANEW", "XRPBTC"])])

    (failed,) = judge_schedules(REFUSED)
    (untold,) = judge_schedules(unread)
    (some,) = judge_delistings("alice", {"SPOT": ["XRP", "ADA"]}, unread)
    (unasked,) = judge_delistings("alice", REFUSED, unread)

    assert [each.level for each in (failed, untold)] == [Level.WARNING, Level.NOTE]
    assert "ADANEW" in untold.text
    assert (some.level, some.text) == (
        Level.NOTE,
        "XRP: may stay; XRPBTC stops at 2026-11-21 12:00 UTC; it lies in spot",
    )
    assert (unasked.level, unasked.account) == (Level.PROBLEM, "alice")


def test_the_retry_after_of_refusals_is_printed(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    exchange.faults.refuse(429, retry_after=0, endpoint="/sapi/v1/account/info")

    done = run("doctor", "--accounts", file, "--account", "alice", *at)

    assert "GET /sapi/v1/account/info: 429, Retry-After: 0 s" in done.out
    assert "refused for its weight (429)" in done.err


def test_a_record_of_the_log_that_can_not_be_read_is_a_warning() -> None:
    row = models.UnreadRow(place="$.userAssetDribblets[3]", why="it has no time", id="77")
    log = models.DustLog(user_asset_dribblets=[], unread=[row])

    found = [each for each in judge_account(answers(log=log), NOW) if each.about == "dust log"]

    (finding,) = found
    assert finding.level is Level.WARNING
    assert finding.text.startswith("record 77 can't be read: it has no time")
    (failed,) = [
        each
        for each in judge_account(answers(log=DustError("no")), NOW)
        if each.about == "dust log"
    ]
    assert failed.level is Level.PROBLEM
