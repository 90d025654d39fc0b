"""Events go to the observer, or else to the log, and never break a call."""

from __future__ import annotations

import logging

import pytest

from binance_dust.events import Event, Refused, Reporter, Sent, Waited

EVENT = Waited("GET /x", 1.5)


def test_an_observer_gets_every_event_and_the_log_gets_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "binance_dust")
    seen: list[Event] = []

    Reporter(seen.append)(EVENT)

    assert seen == [EVENT]
    assert caplog.records == []


def test_an_observer_that_fails_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError

    Reporter(broken)(EVENT)

    assert "an observer failed on Waited" in caplog.text


@pytest.mark.parametrize(
    ("event", "level"),
    [(EVENT, logging.DEBUG), (Refused("GET /x", 7.0), logging.WARNING)],
)
def test_without_an_observer_the_log_has_it(
    caplog: pytest.LogCaptureFixture, event: Event, level: int
) -> None:
    caplog.set_level(logging.DEBUG, "binance_dust")

    Reporter(None)(event)

    ((name, found, text),) = caplog.record_tuples
    assert (name, found) == ("binance_dust", level)
    assert text == repr(event)


def test_detailed_events_are_created_only_if_wanted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "binance_dust")
    assert not Reporter(None).wants_details
    assert Reporter(lambda event: None).wants_details

    caplog.set_level(logging.DEBUG, "binance_dust")
    assert Reporter(None).wants_details
    assert Sent("GET /x", None, 1) == Sent("GET /x", None, 1)
