"""Times as arguments; what other types refuse is tested with the commands that have them."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

import pytest

from binance_dust.cli import _arguments
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T08:30", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T08:30+02:00", datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
        ("2026-11-01T08:30Z", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_utc_unless_it_has_a_zone(text: str, moment: datetime) -> None:
    read = _arguments.moment(text)

    assert (read, read.utcoffset()) == (moment, timedelta(0))


def test_a_time_may_be_given_as_how_long_ago() -> None:
    before = datetime.now(UTC)
    day, week, hour = (_arguments.moment(text) for text in ("30d", "2w", "6h"))
    after = datetime.now(UTC)

    assert before <= day + timedelta(days=30) <= after
    assert before <= week + timedelta(weeks=2) <= after
    assert before <= hour + timedelta(hours=6) <= after
    for wrong in ("yesterday", "30", "-3d", "3m", "0001-01-01T00:00+05:00"):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a time"):
            _arguments.moment(wrong)


@pytest.mark.parametrize("option", ["--proxy", "--redis"])
@pytest.mark.parametrize("url", ["http://me:canary@proxy:3128", "redis://h/0?password=canary"])
def test_a_password_on_the_command_line_is_refused(run: Run, option: str, url: str) -> None:
    done = run("scan", option, url)

    assert done.code == 2
    assert "put the URL into the environment" in done.err
    assert "canary" not in done.err.partition("error:")[2]
