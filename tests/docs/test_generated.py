"""What is generated is up to date."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict[Path, Any] = runpy.run_path(str(DOCS / "generate.py"))["PAGES"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_generated_page_is_what_its_source_says(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path](), "run: python docs/generate.py"
