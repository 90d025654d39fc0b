"""Writes reference/endpoints.md from the table of endpoints: `python docs/generate.py`."""

from __future__ import annotations

from pathlib import Path

from binance_dust._spec import Replay
from binance_dust.endpoints import ALL

PAGE = Path(__file__).parent / "reference" / "endpoints.md"

HEAD = """\
# Endpoints

Generated from `binance_dust.endpoints` by `docs/generate.py`. `ip` weight is paid by the outgoing
address, 12,000 a minute for each endpoint; `uid` weight by the account, 180,000 a minute for each
endpoint; `request` weight by the address, 6,000 a minute for all of `/api/v3`.

| Method | Endpoint | Security | Weight | Sent again |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """Write the page."""
    rows = (
        f"| `{name}` | {row.method} `{row.path}` | {row.security.value} | {row.weight} | "
        f"{'yes' if row.replay is Replay.SAFE else '**never**'} |"
        for name, row in ALL.items()
    )
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
