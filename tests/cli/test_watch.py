"""Problems are said once and counted; lost answers at once, with what is done now."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from binance_dust import events as happened
from binance_dust.cli import _watch
from binance_dust.cli._problems import ExchangeOpened, Problems
from binance_dust.cli._watch import MoveWatch
from binance_dust.sandbox import Sandbox
from binance_dust.sweeper import Outcome
from tests.cli.conftest import Keep, Run
from tests.cli.program import complaints, start
from tests.systems import posix

DUST = "POST /sapi/v1/asset/dust"
ASSETS = "POST /sapi/v3/asset/getUserAsset"
BURN = "GET /sapi/v1/bnbBurn"


class SetClock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def said() -> list[str]:
    return []


def retried(account: str, endpoint: str = BURN, text: str = "no connection: refused") -> Any:
    reason = f"NotSentError: {endpoint} ({account}): {text}"
    return happened.Retried(endpoint, account, 1, reason, 0.1)


def test_one_cause_is_one_line_and_is_counted(said: list[str]) -> None:
    clock = SetClock()
    problems = Problems(said.append, clock)
    problems(ExchangeOpened("https://api.binance.com"))
    for number in range(48):
        problems(retried(f"a{number % 5}", (BURN, ASSETS)[number % 2]))
    once = said.copy()
    clock.now += 15
    problems(retried("a0"))
    problems(retried("a0"))
    problems(retried("a1", text="-1008 Server is busy"))

    problems.end()

    cause = "api.binance.com: no connection: refused"
    assert once == [f"{cause} (a0: {BURN}); what is safe to ask again is asked again"]
    assert said[1:] == [
        f"{cause}: 49 times by now (a0, a1, a2 and 2 more)",
        (
            f"api.binance.com: -1008 Server is busy (a1: {BURN}); what is safe to ask again is"
            " asked again"
        ),
        f"{cause}: 50 times by now (a0, a1, a2 and 2 more)",
    ]


def test_refusals_bans_and_a_lost_redis_are_said_once_until_they_are_over(said: list[str]) -> None:
    problems = Problems(said.append, SetClock())
    for _ in range(3):
        problems(happened.Refused(BURN, 9))
        problems(happened.Banned(130))
        problems(happened.SharedBudgetLost("ConnectionError"))
    problems(happened.SharedBudgetBack(31))
    problems(happened.SharedBudgetLost("ConnectionError"))

    assert said == [
        f"{BURN}: refused for its weight (429), shut for 9 s",
        "this address is banned (418) for 2 min 10 s",
        "Redis can't be asked (ConnectionError): reads go on within a share of the limits",
        "Redis can be asked again, after 31 s",
        "Redis can't be asked (ConnectionError): reads go on within a share of the limits",
    ]


def test_a_lost_answer_is_said_at_once_and_counted_down(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = SetClock()
    watch = MoveWatch(clock)

    watch(happened.FundsCallEnded("alice", "dust", "unknown", 7))
    watch(happened.OutcomeAwaited("alice", 7, "it can still be carried out", 45.2, 300))
    first = capsys.readouterr().err.splitlines()
    clock.now += 20
    counted = watch._lines()
    watch(happened.OutcomeAwaited("alice", 7, "could not be read", 0, 250))
    later = watch._lines()
    watch(happened.OutcomeRead("alice", 7, "confirmed"))

    assert first == [
        (
            "binance-dust: alice: no answer to the call of entry 7: funds may have moved. It is not"
            " sent again; reading finds out how it ended"
        ),
        (
            "binance-dust: alice: reading how entry 7 ended, nothing is sent again: known in 46 s"
            " as a rule, in 5 min 0 s at most"
        ),
    ]
    assert counted[1] == "alice: reading how entry 7 ended, known in 26 s"
    assert later[1] == "alice: reading how entry 7 ended, 4 min 10 s at most"
    assert watch._lines()[1:] == []
    assert capsys.readouterr().err == "binance-dust: alice: entry 7 is confirmed\n"


async def test_progress_has_a_pace_and_an_early_end_has_a_tally(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = SetClock()
    watch = MoveWatch(clock)

    lines: list[str] = []

    async def ended_early() -> None:
        async with watch.shown(25), watch.finishing():
            for number in range(10):
                report: Any = DoneReport(
                    f"a{number}", Outcome.NOTHING if number else Outcome.CONVERTED
                )
                watch.take(report)
            watch(happened.FundsCallEnded("a0", "dust", "confirmed", 1))
            watch(happened.FundsCallEnded("a12", "dust", "confirmed", 2))
            clock.now += 20
            lines.extend(watch._lines())
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await ended_early()

    assert lines == [
        "10 of 25 accounts, 9 nothing to convert, 1 converted, 20 s gone, 30 s left at this pace"
    ]
    assert capsys.readouterr().err.splitlines() == [
        "binance-dust: ending: calls that have begun are finished, and nothing new begins",
        (
            "binance-dust: stopped after 10 of 25 accounts, 9 nothing to convert, 1 converted;"
            " of the calls that move funds 2 confirmed"
        ),
    ]


async def test_what_goes_on_for_ever_says_only_what_is_being_read() -> None:
    watch = MoveWatch(SetClock())
    async with watch.shown(25, for_ever=True):
        drawing: Any = watch._drawing
        idle = drawing._line()
        watch(happened.OutcomeAwaited("alice", 7, "it can still be carried out", 45.2, 300))
        reading = drawing._line()

    assert (idle, reading) == ("", "alice: reading how entry 7 ended, known in 46 s")


class DoneReport:
    def __init__(self, account: str, outcome: Outcome) -> None:
        self.account = account
        self.outcome = outcome


# --- commands ------------------------------------------------------------------------------------


def test_three_accounts_without_network_are_two_lines(
    run: Run, exchange: Sandbox, keep: Keep, closed_port: int
) -> None:
    file = keep(*(exchange.open_account(name) for name in ("alice", "bob", "carol")))

    done = run(
        *("bnb-burn", "--accounts", str(file), "--attempts", "2"),
        *("--base-url", f"http://127.0.0.1:{closed_port}"),
    )

    first, counted = done.err.splitlines()
    assert f"127.0.0.1:{closed_port}: no connection" in first
    assert ": 3 times by now (alice, bob, carol)" in counted


@pytest.mark.usefixtures("time_passes")
def test_a_command_says_of_a_lost_answer_what_is_done_now(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox
) -> None:
    exchange.faults.lose_answer(endpoint=DUST, account="alice")

    done = run("sweep", *two_accounts, "--account", "alice", "--yes")

    assert "alice: no answer to the call of entry 1: funds may have moved" in done.err
    assert "alice: entry 1 is confirmed" in done.err
    assert done.code == 0


@posix
@pytest.mark.parametrize(("end", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.long
def test_a_sweep_that_is_ended_says_what_was_done(
    keep: Keep, tmp_path: Path, end: signal.Signals, code: int
) -> None:
    with Sandbox(seed=7) as exchange:
        accounts = [exchange.open_account(name, ADA="6.21") for name in ("alice", "bob", "carol")]
        slow = exchange.faults.delay(600, endpoint=ASSETS, account="carol", times=None)
        process = start(
            *("sweep", "--yes", "--accounts", str(keep(*accounts))),
            *("--base-url", exchange.url, "--ledger", str(tmp_path / "dust.db")),
        )
        assert process.stdout is not None
        for _ in range(2):
            assert "converted" in process.stdout.readline()
        assert slow.hits
        process.send_signal(end)
        _, errors = process.communicate(timeout=30)

    assert process.returncode == code
    assert complaints(errors).splitlines()[-3:-1] == [
        "binance-dust: ending: calls that have begun are finished, and nothing new begins",
        (
            "binance-dust: stopped after 2 of 3 accounts, 2 converted;"
            " of the calls that move funds 2 confirmed"
        ),
    ]


def test_a_drawing_makes_room_for_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    cleared: list[str] = []

    class FakeDrawing:
        def clear(self) -> None:
            cleared.append("cleared")

    watch = MoveWatch()
    drawing: Any = FakeDrawing()
    watch._drawing = drawing
    monkeypatch.setattr(_watch, "print_stderr", lambda *_: cleared.append("printed"))

    watch(happened.FundsCallEnded("alice", "dust", "unknown", 7))

    assert cleared == ["cleared", "printed"]
