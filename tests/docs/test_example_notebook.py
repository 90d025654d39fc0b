"""The notebooks of the examples show what a run of today shows, and no secret."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from binance_dust.sandbox import Sandbox
from tests.docs.notebook import Notebook, read, run

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")


def shown(notebook: Notebook) -> str:
    """Give what its readers see, but for the time of day."""
    cells = [(cell["source"], cell.get("outputs")) for cell in notebook["cells"]]
    return TIME.sub("(a time)", json.dumps(cells, indent=1, ensure_ascii=False, sort_keys=True))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_shows_is_what_it_does(path: Path) -> None:
    notebook = read(path)

    fresh = asyncio.run(run(notebook), debug=False)  # as for readers, and in a tenth of the time

    again = f"run: python -m tests.docs.notebook docs/examples/{path.name}"
    assert shown(fresh).splitlines() == shown(notebook).splitlines(), again


def test_notebooks_show_no_key_no_path_and_no_address() -> None:
    assert len(NOTEBOOKS) == 2
    text = "".join(path.read_text(encoding="utf-8") for path in NOTEBOOKS)
    keys = [
        key
        for credentials in Sandbox(seed=7).open_accounts(300)
        for key in (credentials.api_key, credentials.masked_api_key, credentials.secret.reveal())
    ]

    assert [key for key in keys if key in text] == []
    assert re.findall(r"127\.0\.0\.1|localhost|file:|/(?:home|root|tmp|usr|Users)\b", text) == []
