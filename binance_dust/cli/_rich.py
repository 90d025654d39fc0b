"""rich, as the commands use it."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console


class PlainConsole(Console):
    """A console that leaves it to the command line what a reader means who has enough."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise it again; rich would end the program here, as if it had failed."""
        raise BrokenPipeError
