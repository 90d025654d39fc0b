"""Errors: a line that begins with the subject, and they travel between processes."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from binance_dust import errors
from binance_dust._util.plain import error_from_plain, plain
from binance_dust.errors import DustError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLES: list[DustError] = [
    errors.ConfigurationError("mend it"),
    errors.BudgetExceededError("full", pool="GET /x", retry_after=3.0),
    errors.NotSentError("refused", endpoint="GET /x", account="alice"),
    errors.NoAnswerError("dropped"),
    errors.UnreadableAnswerError(
        "garbled", endpoint="GET /x", status=200, path="$[0]", excerpt="?"
    ),
    errors.ExchangeError("what?", code="032001", status=400),
    errors.RejectedError("no", code=-1102, endpoint="GET /x", account="alice"),
    errors.RateLimitedError("slow", code=-1003, status=429, retry_after=2.5),
    errors.BannedError("out", status=418, until=NOW),
    errors.NotConvertibleError("not this", code=-5001, assets=("ADA", "XRP")),
    errors.GuardError("too dear"),
    errors.OutcomeUnknownError(
        "dropped",
        endpoint="POST /x",
        account="alice",
        parameters={"asset": "ADA"},
        sent_after=NOW,
        expires_at=NOW,
    ),
    errors.OutcomeUnknownError(
        "-99999 what?",
        endpoint="POST /x",
        account="alice",
        parameters={"asset": "ADA"},
        sent_after=NOW,
        expires_at=NOW,
        entry_ids=(1, 2),
        code=-99999,
        status=400,
    ),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: DustError) -> None:
    other: Any = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_json(error: DustError) -> None:
    other: Any = error_from_plain(json.loads(json.dumps(plain(error))))

    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_fits_on_a_line(error: DustError) -> None:
    assert "\n" not in str(error)
    assert str(error)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (EXAMPLES[2], "GET /x (alice): refused"),
        (EXAMPLES[3], "dropped"),
        (EXAMPLES[5], "032001 what?"),
        (EXAMPLES[6], "GET /x (alice): -1102 no"),
        (EXAMPLES[7], "-1003 slow; retry in 2.5 s"),
        (EXAMPLES[8], "HTTP 418 out; banned until 2026-01-01T00:00:00+00:00"),
        (EXAMPLES[11], "POST /x (alice): outcome unknown, do not send it again: dropped"),
        (errors.NoAnswerError("dropped", endpoint="GET /x"), "GET /x: dropped"),
        (errors.NoAnswerError("dropped", account="alice"), "alice: dropped"),
    ],
)
def test_a_line_begins_with_the_subject(error: DustError, line: str) -> None:
    assert str(error) == line
