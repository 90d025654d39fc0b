"""Progress of a scan: drawn from made-up states, or printed in lines."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from rich.console import Console

from binance_dust import Session
from binance_dust.budget import LimitKind, PoolSnapshot
from binance_dust.cli import _progress
from binance_dust.cli._progress import EventCounter, draw_scan, progress_line
from binance_dust.events import Banned, BoundaryLearnt, Refused, Retried, Waited
from binance_dust.sandbox import Sandbox
from binance_dust.scanner import LaneProgress, Question, ScanProgress
from tests.cli.conftest import Keep, Run

LIST = "GET /sapi/v1/margin/exchange-small-liability"


class DrawnSession:
    """The part of a session that is drawn."""

    def __init__(self, *pools: PoolSnapshot, shut_for: float = 0) -> None:
        self.pools = pools
        self.shut_for = shut_for

    @property
    def budget(self) -> Any:
        return self

    def snapshot(self) -> Any:
        return self


def pool(**changes: Any) -> PoolSnapshot:
    usual: dict[str, Any] = {
        "name": LIST,
        "kind": LimitKind.IP,
        "account": None,
        "limit": 12_000,
        "used": 11_900,
        "in_flight": 0,
        "waiting": 880,
        "resets_in": 30,
        "shut_for": 0,
        "fixed": True,
        "others": 0,
    }
    return PoolSnapshot(**(usual | changes))


def progress(*lanes: LaneProgress, total: int | None = 1000) -> ScanProgress:
    left = None if total is None else 440.0
    return ScanProgress(120, 3, total, 61.0, left, lanes)


def drawn(
    moment: ScanProgress, *sessions: Any, events: EventCounter | None = None, width: int = 120
) -> list[str]:
    out = io.StringIO()
    places = {session: f"10.0.0.{number}" for number, session in enumerate(sessions, start=1)}
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    for part in draw_scan(moment, events or EventCounter(print_problems=False), places):
        console.print(part)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def lane(session: int = 0, question: Question = Question.LIST) -> LaneProgress:
    return LaneProgress(
        session, question, asked=1000, answered=120, expected=1000, seconds_left=440
    )


def test_progress_can_be_read_without_colours() -> None:
    lines = drawn(progress(lane()), DrawnSession(pool()))

    assert "120 of 1,000 accounts, 3 failed, 1 min 1 s gone, 7 min 20 s left" in lines[0]
    told = [" ".join(line.split()) for line in lines]
    assert told[1] == "asked for answered expected budget used waiting last in"
    assert told[2] == "list of debts 120 1,000 11,900 of 12,000 880 7 min 20 s"
    assert lines[3] == "no waits"


def test_each_of_several_addresses_has_its_own_rows() -> None:
    lines = drawn(progress(lane(0), lane(1)), DrawnSession(pool()), DrawnSession(pool(used=100)))

    assert lines[1].startswith("address")
    assert lines[2].startswith("10.0.0.1")
    assert lines[3].startswith("10.0.0.2")
    assert "100 of 12,000" in lines[3]


def test_refusals_bans_and_other_spenders_are_shown() -> None:
    refused = drawn(progress(lane()), DrawnSession(pool(shut_for=12)))
    shared = drawn(progress(lane()), DrawnSession(pool(others=700)))
    banned = drawn(progress(lane()), DrawnSession(pool(), shut_for=130))

    assert "refused: shut for 12 s" in refused[2]
    assert "others spend 700" in shared[2]
    assert "shut out for 2 min 10 s" in banned[-1]


def test_a_lane_without_calls_is_not_shown() -> None:
    empty = LaneProgress(0, Question.MARGIN_DEBT, 0, 0, 0, 0.0)

    assert not [line for line in drawn(progress(empty), DrawnSession()) if "debt" in line]


def test_without_a_total_there_is_no_time_left() -> None:
    assert progress_line(progress(total=None)) == "120 accounts, 3 failed, 1 min 1 s gone"
    assert drawn(progress(lane(), total=None), DrawnSession())


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_the_drawing_fits_any_terminal(width: int) -> None:
    lines = drawn(progress(lane()), DrawnSession(pool()), width=width)

    assert max(map(len, lines)) <= width


def test_events_are_counted_and_the_last_problem_is_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    events = EventCounter(print_problems=False)
    for event in (
        Waited(LIST, 1.5),
        Waited(LIST, 61),
        Refused(LIST, 9),
        Banned(130),
        BoundaryLearnt(LIST),
        Retried(LIST, "alice", 1, "NoAnswerError: GET /x (alice): the line [red]broke", 0.3),
    ):
        events(event)
    lines = drawn(progress(), DrawnSession(), events=events)

    assert str(events) == "2 waits, 1 refused, 1 bans, 1 sent again, longest wait 1 min 1 s"
    assert lines[-1] == "GET /x (alice): the line [red]broke; again in 0.3 s"
    assert capsys.readouterr().err == ""


def test_problems_are_printed_at_once_if_nothing_is_drawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    events = EventCounter(print_problems=True)

    events(Refused(LIST, 9))
    events(Retried(LIST, "alice", 1, "NotSentError: no connection", 0.3))

    assert capsys.readouterr().err.splitlines() == [
        f"binance-dust: {LIST}: refused for its weight (429), shut for 9 s",
        (
            f"binance-dust: the exchange: no connection (alice: {LIST});"
            " what is safe to ask again is asked again"
        ),
    ]


def test_in_a_pipe_a_line_of_progress_is_printed_now_and_then(
    run: Run,
    exchange: Sandbox,
    keep: Keep,
    at: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_progress, "_LINE_SECONDS", 0.01)
    exchange.faults.delay(0.1, endpoint="/sapi/v1/account/info", times=1)
    file = keep(*exchange.open_accounts(3))

    done = run("scan", "--accounts", str(file), *at)

    told = [line for line in done.err.splitlines() if " of 3 accounts, 0 failed, " in line]
    assert told
    assert "no waits" in told[0] or "waits" in told[0]


async def test_a_closed_stderr_does_not_stop_the_scan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = asyncio.Event()

    def gone(*_: object) -> None:
        told.set()
        raise BrokenPipeError

    monkeypatch.setattr(_progress, "_LINE_SECONDS", 0)
    monkeypatch.setattr(_progress, "print_stderr", gone)

    async with _progress.Drawing(list, lambda: "half of it").shown():
        await told.wait()


def test_a_real_session_has_what_the_fake_has() -> None:
    session = Session()

    assert session.budget.snapshot().shut_for == 0
    assert session.budget.snapshot().pools == ()
