"""What is generated is up to date."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_of_endpoints_is_that_of_the_table() -> None:
    generate = runpy.run_path(str(DOCS / "generate.py"))

    assert (DOCS / "reference" / "endpoints.md").read_text(encoding="utf-8") == generate[
        "page"
    ](), "run: python docs/generate.py"
