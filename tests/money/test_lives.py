"""Drawn lives keep the invariants, and those that once failed are lived again."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Iterator

import pytest

from tests.money import life as names
from tests.money.draw import draw
from tests.money.each import BASES, each
from tests.money.kept import KEPT, OPEN, KeptLife
from tests.money.life import Life
from tests.money.play import play
from tests.money.shrink import kinds, shrink
from tests.systems import posix

SHORT, LONG, STRIDE = 30, 1_000, 97

pytestmark = [
    posix,
    # A killed process closes nothing.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """Lives warn of nothing: they have a session for each of their processes."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def hold(first: int, count: int) -> None:
    """Live so many drawn lives."""
    hold_all(draw(seed) for seed in range(first, first + count))


def hold_all(lives: Iterable[Life]) -> None:
    """Live lives; fail with the smallest life that violates something."""
    for life in lives:
        found = [each for each in play(life).violations if each.kind not in OPEN]
        if found:
            small = shrink(life, found[0].kind)
            pytest.fail(f"{found[0]}\n{life}\nshrunk:\n{small}")


@pytest.mark.parametrize("first", range(0, 4 * SHORT, SHORT))
def test_lives_keep_the_invariants(first: int) -> None:
    hold(first, SHORT)


@pytest.mark.parametrize("base", BASES)
def test_a_stroke_at_any_step_of_an_ordinary_life(base: str) -> None:
    """Some steps here; all of them are a long test."""
    hold_all(each(base, every=STRIDE, first=1 + zlib.crc32(base.encode()) % STRIDE))


@pytest.mark.long
@pytest.mark.parametrize("base", BASES)
def test_a_stroke_at_each_step_of_an_ordinary_life(base: str) -> None:
    hold_all(each(base))


@pytest.mark.long
@pytest.mark.parametrize("first", range(10_000, 10_000 + 8 * LONG, LONG))
def test_many_lives_keep_the_invariants(first: int) -> None:
    hold(first, LONG)


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: kept.why)
def test_a_life_that_once_failed(kept: KeptLife) -> None:
    assert kinds(kept.life) <= kept.open


def test_a_seed_is_one_life_and_its_repr_can_be_pasted() -> None:
    drawn = [draw(seed) for seed in range(300)]

    assert [draw(seed) for seed in range(300)] == drawn
    for life in drawn:
        assert eval(repr(life), dict(vars(names))) == life  # noqa: S307


def test_a_life_lived_twice_is_the_same() -> None:
    for seed in range(12):
        first, second = (play(draw(seed)) for _ in range(2))
        assert first.notes == second.notes
        assert first.steps == second.steps


def test_an_ordinary_life_is_one_conversion() -> None:
    lived = play(Life())

    assert lived.violations == []
    assert lived.calls == 1
    assert lived.checks["receipts"] == 2
