"""The pictures show what the package shows today."""

from __future__ import annotations

import re
import runpy
from html import unescape
from pathlib import Path
from typing import Any

PICTURES: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "pictures.py"))
TERMINAL: str = PICTURES["TERMINAL"].read_text(encoding="utf-8")


def words(svg: str) -> list[str]:
    """Give the words of a drawn terminal; ports, seconds and order differ from run to run."""
    texts = re.findall(r"<text [^>]*>([^<]*)</text>", svg)
    text = " ".join(unescape(text) for text in texts)
    return sorted(re.sub(r"127\.0\.0\.1:\d+|\sin\s\d+\.\d\ss,", "", text).split())


def test_the_terminal_shows_what_the_demo_prints(tmp_path: Path) -> None:
    printed = PICTURES["printed"](*PICTURES["DEMO"], folder=tmp_path)

    drawn = PICTURES["drawn"](printed, "binance-dust demo")

    assert words(drawn) == words(TERMINAL), "run: python docs/pictures.py --terminal"


def test_the_terminal_loads_nothing_from_anywhere() -> None:
    assert "url(http" not in TERMINAL
    assert "@font-face" not in TERMINAL
