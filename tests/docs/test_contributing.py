"""CONTRIBUTING shows where things are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_module_has_its_place_in_the_table_of_layers() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    places = [
        f"`{path.name}{'/' if path.is_dir() else ''}`"
        for path in (ROOT / "binance_dust").iterdir()
        if (path.is_dir() and (path / "__init__.py").exists()) or path.suffix == ".py"
    ]

    missing = [place for place in places if place not in text and "__" not in place]

    assert len(places) > 20
    assert not missing
