"""Probes of all modules, each against sandboxes that answer differently; they never write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from binance_dust import Credentials, CredentialsError, RejectedError, Session, models
from binance_dust.budget import Feedback
from binance_dust.cli._probe_dust import (
    judge_ceiling,
    judge_cooldown,
    judge_fees,
    judge_rounding,
    judge_span,
    judge_target,
    judge_targets,
)
from binance_dust.cli._probe_weight import judge_cut, judge_payer
from binance_dust.cli.doctor import PROBES
from binance_dust.endpoints import Replay
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Keep, Run

WINDOW = 0.4
SLOWER = 0.8
"""A quarter of it must do for four calls, on a busy machine too."""


@dataclass(frozen=True)
class Case:
    """A probe, an exchange that answers in one way, and the result."""

    probe: str
    says: str
    settled: bool = True
    configure: str = "nothing"
    rules: dict[str, Any] = field(default_factory=dict)
    window: float = WINDOW
    arm: Callable[[Sandbox, Credentials], object] = lambda _exchange, _alice: None


def convert(exchange: Sandbox, alice: Credentials) -> None:
    """Let alice have converted something, as another program would have."""

    async def run() -> None:
        async with Session(base_url=exchange.url) as session:
            await session.client(alice).dust_transfer(["ADA"])

    asyncio.run(run())


LIST = "/sapi/v1/margin/exchange-small-liability"
QUOTE = "/sapi/v1/asset/dust-convert/query-convertible-assets"


def refuse(code: int, endpoint: str = QUOTE) -> Callable[[Sandbox, Credentials], object]:
    """Have a question refused for a reason of its own."""
    return lambda exchange, _: exchange.faults.refuse(
        400, code=code, retry_after=None, endpoint=endpoint
    )


CASES = [
    Case("liability-payer", "the address pays"),
    Case(
        "liability-payer",
        "the account pays",
        configure='Session(payers={"small_liabilities": "uid"})',
        rules={"liability_payer": "uid"},
    ),
    Case(
        "liability-payer",
        "neither header came",
        settled=False,
        arm=lambda exchange, _: exchange.faults.misreport_weight(None, endpoint=f"GET {LIST}"),
    ),
    Case("weights", "as documented, for 23 of 23 endpoints"),
    Case(
        "weights",
        "account_status costs uid 7, documented is ip 1; account_info costs ip 1 and uid 1",
        rules={
            "weights": {"account_status": 7},
            "payers": {"account_status": "uid", "account_info": "both"},
        },
        configure="Session(payers={'account_status': 'uid'})",
    ),
    Case("weights", "no telling header", settled=False, rules={"weight_header": "one"}),
    Case("windows", "fixed: the count started again", window=SLOWER),
    Case(
        "windows",
        "sliding, as far as two tries show",
        rules={"window_mode": "sliding"},
        window=SLOWER,
    ),
    Case(
        "windows",
        "the headers did not show it",
        settled=False,
        window=SLOWER,
        arm=lambda exchange, _: exchange.faults.misreport_weight(
            -1, endpoint="/sapi/v1/account/status", times=None
        ),
    ),
    Case("log-start-alone", "both bounds or none: refused (-1102"),
    Case("log-start-alone", "one bound alone is accepted", rules={"log_one_bound": True}),
    Case("log-span", "90 days are accepted, 91 refused (-4047"),
    Case("log-span", "180 days are accepted, 366 refused", rules={"log_days": 200}),
    Case("log-span", "366 days are accepted", rules={"log_days": 4000}),
    Case("log-span", "not even the shortest", settled=False, rules={"log_days": 7}),
    Case("log-target", "shows no conversion", settled=False),
    Case("log-target", "named by 1 of 1 details", arm=convert),
    Case("log-target", "named by 1 of 1 conversions", arm=convert, rules={"log_target": "group"}),
    Case("log-target", "named nowhere", arm=convert, rules={"log_target": "nowhere"}),
    Case("cooldown", "needs two conversions", settled=False, arm=convert),
    Case("recv-window", "recvWindow: accepted"),
    Case("recv-window", "recvWindow: refused (-1104", arm=refuse(-1104)),
    Case("targets", "BNB lists 6; USDT lists 7; BTC lists 7; ETH lists 7; the same assets except"),
    Case("targets", "BNB refused (-1130", arm=refuse(-1130)),
    Case("fees", "11 of 13 rows cost the listed rate, 0.02; ALPHACA 0.1", configure="max_fee_rate"),
    Case("ceiling", "so 10 is not a ceiling for all together"),
    Case("ceiling", "too little to judge by", settled=False, rules={"ceiling": 100}),
    Case("rounding", "half up, by"),
    Case("margin-wallet", "accountType=MARGIN: accepted"),
    Case("margin-wallet", "accountType=MARGIN: refused (-1104", arm=refuse(-1104)),
    Case("encoding", "signed as sent: accepted; signed before encoding: refused (-1022"),
    Case("encoding", "before encoding: accepted", rules={"accept_unencoded": True}),
    Case(
        "encoding",
        "signed as sent: refused (-1022",
        settled=False,
        arm=refuse(-1022, "/sapi/v3/asset/getUserAsset"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.probe}: {case.says}")
def test_a_probe_reports_what_the_exchange_answers(run: Run, keep: Keep, case: Case) -> None:
    with Sandbox(seed=7, window=case.window, **case.rules) as exchange:
        alice = exchange.open_account(
            "alice",
            ADA="6.21",
            ALPHACA="99.04694835",
            BCH="0.00360081",
            FIL="1.33086419",
            SHIB="442123.99540757",
            XLM="8.93104855",
            BNB="0.0082",
            margin=True,
        )
        at = ("--base-url", exchange.url, "--window", str(case.window), "--attempts", "1")
        case.arm(exchange, alice)
        exchange.forget_requests()

        done = run("doctor", "--json", "--probe", case.probe, "--accounts", str(keep(alice)), *at)

        written = [seen for seen in exchange.requests if seen.path not in READS]
    (result,) = [row for row in done.rows if row["about"] == "probe"]
    assert case.says in result["answer"]
    assert result["settled"] is case.settled
    assert result["configure"].startswith(case.configure)
    assert (result["account"], result["failed"]) == ("alice", False)
    assert done.code == 0
    assert written == []


READS = {endpoint.path for probe in PROBES.values() for endpoint, _ in probe.asks} | {
    "/sapi/v1/account/apiRestrictions",
    "/sapi/v1/account/info",
    "/sapi/v1/bnbBurn",
    "/sapi/v1/system/status",
}


def test_no_probe_moves_funds() -> None:
    for probe in PROBES.values():
        assert probe.asks
        for endpoint, times in probe.asks:
            assert endpoint.replay is Replay.SAFE, probe.name
            assert endpoint.title != "POST /sapi/v1/bnbBurn"
            assert times >= 1


@pytest.mark.parametrize("probe", PROBES.values(), ids=lambda probe: probe.name)
def test_a_probe_asks_no_more_than_it_says(run: Run, keep: Keep, probe: Any) -> None:
    checks = {
        "/sapi/v1/account/status": 1,
        "/sapi/v1/account/info": 2,
        "/sapi/v1/account/apiRestrictions": 1,
        "/sapi/v1/bnbBurn": 1,
        "/sapi/v1/asset/dribblet": 1,
        "/sapi/v1/system/status": 1,
        "/sapi/v1/spot/delist-schedule": 1,
        "/sapi/v1/margin/delist-schedule": 1,
        "/api/v3/time": 4,
    }
    with Sandbox(seed=7, window=WINDOW) as exchange:
        file = keep(exchange.open_account("alice", ADA="6.21", margin=True))
        run(
            "doctor",
            "--probe",
            probe.name,
            *("--accounts", str(file), "--base-url", exchange.url, "--window", str(WINDOW)),
        )
        for endpoint, times in probe.asks:
            asked = len(exchange.requests_of(endpoint.title))
            assert asked <= times + checks.get(endpoint.path, 0), endpoint.title
            assert asked > checks.get(endpoint.path, 0) - 1


def test_the_list_of_probes_needs_no_account(run: Run) -> None:
    table = run("doctor", "--probe", "list")
    rows = run("doctor", "--probe", "list", "--json").rows

    assert (table.code, [row["probe"] for row in rows]) == (0, list(PROBES))
    assert all(name in table.out for name in PROBES)
    assert rows[0]["asks"] == f"GET {LIST} (1 x ip 100)"


def test_an_unknown_probe_is_wrong_use(run: Run) -> None:
    done = run("doctor", "--sandbox", "--probe", "fees", "--probe", "everything")

    assert done.code == 2
    assert "no probe 'everything'; --probe list shows them" in done.err


def test_a_probe_runs_only_if_it_is_named(run: Run) -> None:
    rows = run("doctor", "--sandbox", "--json").rows

    assert not [row for row in rows if row["about"] == "probe"]


def test_results_are_printed_for_people(run: Run, keep: Keep) -> None:
    with Sandbox(seed=7, window=WINDOW) as exchange:
        file = keep(exchange.open_account("alice"))
        asked = ("--probe", "liability-payer", "--probe", "fees", "--probe", "recv-window")
        done = run("doctor", *asked, "--accounts", str(file), "--base-url", exchange.url)

    assert done.code == 0
    assert "needs an account with margin, and there is none" in done.out
    assert "unsettled  the account has nothing to convert" in done.out
    assert "settled    recvWindow: accepted" in done.out
    assert "configure  nothing" in done.out


def test_a_probe_without_an_answer_ends_the_probing(
    run: Run, keep: Keep, at: tuple[str, ...], exchange: Sandbox
) -> None:
    exchange.faults.lose_answer(endpoint=QUOTE, times=None)
    file = keep(exchange.open_account("alice"))

    done = run(
        "doctor", "--json", "--probe", "fees", "--probe", "encoding", "--accounts", str(file), *at
    )

    (result,) = [row for row in done.rows if row["about"] == "probe"]
    assert result["failed"]
    assert "the connection was dropped" in result["answer"]
    assert done.code == 1


# --- answers that the sandbox does not give ------------------------------------------------------


def no(code: int) -> RejectedError:
    return RejectedError("no", code=code)


def test_the_header_that_came_names_the_payer() -> None:
    assert judge_payer(Feedback(200, used_ip=100)).settled
    assert "payers=" in str(judge_payer(Feedback(200, used_uid=100)).configure)
    assert not judge_payer(Feedback(200, used_ip=100, used_uid=100)).settled
    assert not judge_payer(None).settled


@pytest.mark.parametrize(
    ("before", "after", "ours", "fixed"),
    [
        (3, 1, 3, True),
        (903, 1, 3, True),
        (903, 3, 3, True),
        (3, 4, 3, False),
        (903, 904, 3, False),
        (3, 4, 0, None),
        (None, 4, 3, None),
        (3, None, 3, None),
    ],
)
def test_a_count_below_our_own_proves_fixed_windows(
    before: int | None, after: int | None, ours: int, fixed: bool | None
) -> None:
    result = judge_cut(before, after, ours)

    assert result.evidence["fixed"] is fixed
    assert result.settled is (fixed is not None)


def test_the_longest_span_needs_no_refusal() -> None:
    assert judge_span(366, None, None).answer == "366 days are accepted"
    assert judge_span(90, 91, no(-4047)).evidence == {"taken_days": 90, "refused_days": 91}


def entry(number: int, hour: float, target: str | None = None, on: str = "") -> Any:
    at = datetime.fromtimestamp(1_790_000_000 + hour * 3600, tz=UTC)
    one = Decimal(1)
    detail = models.DustLogDetail(
        trans_id=number,
        from_asset="ADA",
        amount=one,
        transferred_amount=one,
        service_charge_amount=one,
        operate_time=at,
        target_asset=target if on == "detail" else None,
    )
    return models.DustLogEntry(
        trans_id=number,
        total_transferred_amount=one,
        total_service_charge_amount=one,
        user_asset_dribblet_details=[detail],
        operate_time=at,
        target_asset=target if on == "group" else None,
    )


def test_the_shortest_pause_bounds_the_cooldown() -> None:
    log = models.DustLog(total=3, user_asset_dribblets=[entry(3, 30), entry(2, 24), entry(1, 0)])

    result = judge_cooldown(log)

    assert result.settled
    assert "6.00 h apart" in result.answer
    assert "timedelta(seconds=21600)" in str(result.configure)
    assert not judge_cooldown(models.DustLog(total=0, user_asset_dribblets=[])).settled


def test_targets_in_both_places_are_counted() -> None:
    log = models.DustLog(
        total=2, user_asset_dribblets=[entry(2, 1, "BNB", "detail"), entry(1, 0, "BNB", "group")]
    )

    answer = judge_target(log).answer

    assert answer == "named by 1 of 2 details and 1 of 2 conversions"


def quote(*rows: tuple[str, str, str, str], rate: str = "0.02", base: str = "10") -> Any:
    """Rows are asset, worth in the quota asset, gross, fee."""
    details = [
        models.ConvertibleAsset(
            asset=asset,
            asset_full_name=asset,
            amount_free=Decimal(1),
            exchange=Decimal(fee),
            to_quota_asset_amount=Decimal(worth),
            to_target_asset_amount=Decimal(gross),
            to_target_asset_off_exchange=Decimal(gross) - Decimal(fee),
        )
        for asset, worth, gross, fee in rows
    ]
    return models.ConvertibleAssets(
        dribblet_percentage=Decimal(rate),
        total_transfer_quota_asset_amount=Decimal(0),
        total_transfer_target_asset_amount=Decimal(0),
        dribblet_base=Decimal(base),
        details=details,
    )


def test_differing_lists_are_reported() -> None:
    ada, xlm = ("ADA", "1", "1", "0.02"), ("XLM", "1", "1", "0.02")

    result = judge_targets({"BNB": quote(ada, xlm), "ADA": quote(xlm), "BTC": quote(ada)})

    assert result.evidence["differing"] == {"XLM": ["ADA", "BNB"]}
    assert "not the same assets: XLM" in result.answer
    assert not judge_targets({"BNB": no(-1130), "BTC": quote()}).settled


def test_an_asset_above_the_base_shows_that_it_is_no_ceiling() -> None:
    above = judge_ceiling(quote(("ADA", "12", "1", "0.02")))
    together = judge_ceiling(quote(("ADA", "6", "1", "0.02"), ("XLM", "6", "1", "0.02")))

    assert "so 10 is not a ceiling for one asset" in above.answer
    assert "so 10 is not a ceiling for all together" in together.answer
    assert not judge_ceiling(quote()).settled


def test_fees_are_compared_to_the_last_digit_but_one() -> None:
    same = judge_fees([quote(("ADA", "1", "0.00000333", "0.00000006"))])
    other = judge_fees([quote(("ADA", "1", "1", "0.1"), ("XLM", "1", "0", "0"))])

    assert same.configure == "nothing"
    assert other.evidence["other_rates"] == {"ADA": "0.1000"}
    assert not judge_fees([]).settled


@pytest.mark.parametrize(
    ("fee", "settled", "says"),
    [
        ("0.00000006", True, "down"),
        ("0.00000007", True, "half up"),
        ("0.00000008", False, "no row shows"),
    ],
)
def test_rounding_is_judged_by_rows_where_it_matters(fee: str, settled: bool, says: str) -> None:
    # 2 % of 0.00000333 are 0.0000000666; of 0.000005 they are 0.0000001 either way.
    result = judge_rounding(quote(("ADA", "1", "0.00000333", fee), ("XLM", "1", "0.000005", "1")))

    assert result.settled is settled
    assert says in result.answer


def test_a_refused_key_settles_nothing_about_targets() -> None:
    error = CredentialsError("Invalid API-key", code=-2015)

    assert not judge_targets(dict.fromkeys(("BNB", "USDT"), error)).settled
