"""A short run in hostile hands; `nox -s proof -- hostile` makes thousands of answers."""

from __future__ import annotations

import pytest

from binance_dust import UnreadableAnswerError
from tests.proof.hostile import KEY, KINDS, Asked, answer_all, faults


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_no_answer_shows_blocks_or_costs_much(kind: str) -> None:
    toll = await answer_all(seed=7, answers=12, only=kind)

    assert toll.wrong == []
    assert toll.mebibytes < 100
    assert toll.slowest[0] < 0.1


def test_what_is_wrong_is_seen() -> None:
    """Each rule that a text is held to, by a text that breaks it."""
    asked = [Asked(KEY, "asset=ADA&signature=0123456789abcdef")]
    clean = str(UnreadableAnswerError("nothing in it"))

    assert list(faults(asked, [clean])) == []
    assert list(faults(asked, [f"key {KEY}"])) == ["shows a secret", "shows a part of a secret"]
    assert list(faults(asked, [f"cut {KEY[:30]}"])) == ["shows a part of a secret"]
    assert list(faults(asked, ["asset=ADA&signature=0123456789abcdef"])) == ["shows a secret"]
    assert "can't be seen" in next(faults(asked, ["\x1b[2J"]))
    assert "3000 characters" in next(faults(asked, ["x" * 3_000]))
