"""README as the package index shows it.

A link of README leads to a file of the checkout, and the index has none of them. There it leads to
the same file where the project lives, at the tag of the version. `[project.urls]` says where.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

_TARGET: Final = re.compile(r"(?P<picture>!?)(?P<text>\[[^\]]*\]\()(?!\w+:|#)(?P<path>[^)\s]+)\)")


def absolute(text: str, source: str, version: str) -> str:
    """Write Markdown with addresses in place of paths."""

    def lead(target: re.Match[str]) -> str:
        kind = "raw" if target["picture"] else "blob"
        address = f"{source}/{kind}/v{version}/{target['path']}"
        return f"{target['picture']}{target['text']}{address})"

    return _TARGET.sub(lead, text)


class ReadmeHook(MetadataHookInterface):
    """Sets the field `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put README into the metadata."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = absolute(text, metadata["urls"]["Source"], metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
