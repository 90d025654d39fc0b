"""The page of the exchange's codes says what the client does about each."""

from __future__ import annotations

import re
from pathlib import Path

from binance_dust._answers.codes import BY_CODE
from binance_dust.errors import Delivery

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "codes.md"
DONE = {Delivery.FINAL: "no", Delivery.REFUSED: "not now", Delivery.UNKNOWN: "**unknown**"}


def test_every_code_stands_there_once_with_its_error_and_what_was_done() -> None:
    rows = re.findall(r"^\| (-?\d+) \| .+ \| `(\w+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)

    assert sorted(rows) == sorted(
        (str(code), known.error.__name__, DONE[known.delivery or known.error.usual_delivery])
        for code, known in BY_CODE.items()
    )
