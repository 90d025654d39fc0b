"""README on the package index, where there are none of the files that it leads to."""

from __future__ import annotations

import runpy
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.release.archives import lost_links

ROOT = Path(__file__).parents[2]
SOURCE = "https://example.org/desk/dust"


@pytest.fixture(scope="module")
def absolute() -> Callable[[str, str, str], str]:
    pytest.importorskip("hatchling", reason="hatch_build.py needs hatchling (group testing)")
    hook: Callable[[str, str, str], str] = runpy.run_path(str(ROOT / "hatch_build.py"))["absolute"]
    return hook


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[a](docs/a.md)", f"[a]({SOURCE}/blob/v1.2/docs/a.md)"),
        ("[a](docs/a.md#part-two)", f"[a]({SOURCE}/blob/v1.2/docs/a.md#part-two)"),
        ("![a b](docs/a.svg)", f"![a b]({SOURCE}/raw/v1.2/docs/a.svg)"),
        ("[over two\nlines](a)", f"[over two\nlines]({SOURCE}/blob/v1.2/a)"),
        ("[here](#problem)", "[here](#problem)"),
        ("[there](https://a.org/b)", "[there](https://a.org/b)"),
        ("pip install '.[cli]' (once)", "pip install '.[cli]' (once)"),
    ],
)
def test_paths_become_addresses_at_the_tag_of_the_version(
    absolute: Callable[[str, str, str], str], text: str, shown: str
) -> None:
    assert absolute(text, SOURCE, "1.2") == shown


def test_nothing_of_readme_leads_nowhere(absolute: Callable[[str, str, str], str]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(lost_links(readme)) > 30
    assert lost_links(absolute(readme, SOURCE, "1.2")) == []


def test_a_link_that_leads_nowhere_is_named() -> None:
    text = "![a](docs/a.svg), [b](http://a.org), [c](#here) and [d](https://a.org)"

    assert lost_links(text) == [
        "the package index can't show docs/a.svg",
        "the package index can't show http://a.org",
    ]


def test_the_project_has_one_home() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    urls: dict[str, str] = pyproject["project"]["urls"]

    assert [url for url in urls.values() if not url.startswith(urls["Source"])] == []
