"""What commands tell programs: a line of JSON each."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import msgspec

from binance_dust._util.plain import plain


def print_json(row: object) -> None:
    """Print one line of JSON, in ASCII where the stream can't spell what is in it."""
    text = msgspec.json.encode(row).decode()
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(msgspec.json.decode(text))
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def as_json(value: Any) -> Any:
    """Give a value as what JSON has; a dataclass is spelled out, with the sums that it knows."""
    if isinstance(value, tuple):
        return [as_json(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return plain(value)
    names = [field.name for field in dataclasses.fields(value) if field.name != "key_id"]
    names += [name for name in ("gross", "fee", "net", "worth") if hasattr(value, name)]
    return {name: as_json(getattr(value, name)) for name in dict.fromkeys(names)}
