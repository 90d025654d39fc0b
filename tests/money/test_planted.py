"""Each invariant notices a fault that was made on purpose."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.money import oracle
from tests.money.life import Life, LifeMachine, Line, Program, Rules
from tests.money.planted import PLANTED, Planted
from tests.money.shrink import kinds, shrink
from tests.systems import posix

pytestmark = [
    posix,
    # A killed process closes nothing.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.kind}: {planted.why}")
def test_a_fault_on_purpose_is_noticed(planted: Planted) -> None:
    assert not any(planted.kind in kinds(life) for life in planted.lives)
    with planted.made():
        assert any(planted.kind in kinds(life) for life in planted.lives)


def test_every_invariant_was_seen_to_be_violated() -> None:
    assert {planted.kind for planted in PLANTED} == set(oracle.INVARIANTS)


def test_a_life_shrinks_to_what_matters() -> None:
    (planted,) = [each for each in PLANTED if each.kind == oracle.RECEIPT]
    life = Life(
        seed=7,
        programs=(Program(jobs=("recover", "convert")), Program(jobs=("sync",), begin=3.0)),
        machine=LifeMachine(wall=100.0),
        line=Line(way=0.3, lost=0.2),
        rules=Rules(log_lag=20.0, debts=("ETH",)),
    )

    with planted.made():
        small = shrink(life, planted.kind)

        assert planted.kind in kinds(small)
        assert len(repr(small)) < len(repr(life)) / 2
