"""What commands print: text for people, lines of JSON for programs."""

from __future__ import annotations

import dataclasses
import functools
import json
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from binance_dust._util.exact import total
from binance_dust._util.plain import plain
from binance_dust._util.words import visible
from binance_dust.cli._tables import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

_PIPE_WIDTH: Final = 160
"""For charts; a row of a table and a sentence stay one line there, for `grep`."""


# --- for people; rich is imported when something is printed --------------------------------------


def make_console(*, stderr: bool = False) -> Console:
    """Make a console: as wide as the terminal, or `_PIPE_WIDTH` in a pipe.

    What it prints is wrapped at spaces on a terminal, and not at all in a pipe.
    """
    made = console_class()(stderr=stderr, highlight=False)
    if not made.is_terminal:
        made.width = _PIPE_WIDTH
    return made


@functools.cache
def console_class() -> type[Console]:
    """Give the class of consoles, when something is printed for the first time."""
    from rich.console import Console
    from rich.text import Text

    class PlainConsole(Console):
        def on_broken_pipe(self) -> NoReturn:
            """Let `main` handle a closed pipe; rich would exit with 1 here."""
            raise BrokenPipeError

        def print(self, *objects: Any, markup: bool | None = None, **options: Any) -> None:
            """Print; text is wrapped at words, and nothing is cropped."""
            read = Text if markup is False else Text.from_markup
            shown = [read(each) if isinstance(each, str) else each for each in objects]
            if self.is_terminal:
                width = self.width
                shown = [wrapped(each, width) if isinstance(each, Text) else each for each in shown]
            super().print(*shown, soft_wrap=True, **options)

    return PlainConsole


def print_rehearsal(out: Console) -> None:
    """Mark what was printed as a rehearsal's."""
    out.print("[yellow]A rehearsal[/]: the exchange is on this machine, and nothing of it is real.")


def escape(text: str) -> str:
    """Make a foreign text safe to print: no markup for rich, and no control characters."""
    from rich.markup import escape as escape_markup

    return escape_markup(visible(text))


def reason_of(error: object, account: str) -> str:
    """Give an error's text without the account, so that equal errors of accounts are counted."""
    return str(error).replace(f" ({account})", "", 1)


class Amounts(dict[str, Decimal]):
    """A sum for each asset, with every digit; as a text `0.3552 USDT, 0.01 BNB`."""

    def add(self, asset: str, amount: Decimal) -> None:
        """Add to the sum of an asset."""
        self[asset] = total((self.get(asset, Decimal(0)), amount))

    def __str__(self) -> str:
        return ", ".join(f"{amount:f} {escape(asset)}" for asset, amount in self.items())


# --- for programs --------------------------------------------------------------------------------


def print_json(row: Mapping[str, Any], *, rehearsal: bool = False) -> None:
    """Print one line of JSON, with a mark if nothing of it is real.

    In ASCII if the stream's encoding lacks a character.
    """
    text = msgspec.json.encode({**row, "rehearsal": True} if rehearsal else row).decode()
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(msgspec.json.decode(text))
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def as_json(value: Any) -> Any:
    """Convert a value to JSON's types; a dataclass becomes an object, with the sums it computes."""
    if isinstance(value, tuple):
        return [as_json(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return plain(value)
    names = [field.name for field in dataclasses.fields(value) if field.name != "key_id"]
    names += [name for name in ("gross", "fee", "net", "worth") if hasattr(value, name)]
    return {name: as_json(getattr(value, name)) for name in dict.fromkeys(names)}
