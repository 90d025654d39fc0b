"""Whatever others wrote is read as a good value, or refused with an error of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proof.decoders import CALLS, Reader, readers
from tests.proof.fuzz import FoundError, fuzz

SEED = 8
INPUTS = 4_000


@pytest.mark.long
def test_every_reader_survives_what_nobody_would_write(tmp_path: Path) -> None:
    rows = list(readers(tmp_path))
    assert len(rows) == len(CALLS) + 5

    count = fuzz(rows, seed=SEED, inputs=INPUTS)

    assert count.inputs >= INPUTS


def test_a_finding_says_how_to_see_it_again() -> None:
    """The fuzzer itself must be able to fail."""

    def read(text: bytes, mutator: object) -> None:
        if b"\0" in text:
            raise KeyError("nul")

    reader = Reader("careless", (b'{"a": "b"}',), read)

    with pytest.raises(FoundError, match=r"careless, seed 8, input \d+: KeyError\('nul'\) at b'"):
        fuzz([reader], seed=SEED, inputs=5_000)
