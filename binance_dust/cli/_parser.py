"""The parser of the command line: help that fits a terminal, and errors of one line."""

from __future__ import annotations

import argparse
import difflib
import shutil
import textwrap
from typing import TYPE_CHECKING, Any, Final, NoReturn

from binance_dust.cli._streams import print_stderr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Parser", "TopParser", "suggestion"]

_WRONG_USE: Final = 2


def suggestion(word: str, known: Iterable[str]) -> str:
    """Name the known word that was probably meant, as the end of a message; else nothing."""
    close = difflib.get_close_matches(word, [*known], n=1)
    return f": did you mean {close[0]}?" if close else ""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps at spaces only: names with a hyphen stay whole."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(" ".join(text.split()), width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = (each for line in text.splitlines() for each in _wrapped(line, width, indent))
        return "\n".join(lines)


def _wrapped(line: str, width: int, indent: str = "", hanging: str | None = None) -> list[str]:
    return textwrap.wrap(
        line,
        max(width, 10),
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


class Parser(argparse.ArgumentParser):
    """A parser of one command. An error is one line, and says where the options are told."""

    def __init__(self, **options: Any) -> None:
        """Take the options of `ArgumentParser`."""
        super().__init__(formatter_class=_Formatter, **options)

    def format_help(self) -> str:
        """Say how it is used in one line: the options are listed below it."""
        operands = [
            str(action.metavar or action.dest)
            for action in self._actions
            if not action.option_strings and action.nargs != argparse.PARSER
        ]
        self.usage = " ".join([self.prog, "[OPTIONS]", *operands])
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Say what is wrong; a usage of many lines would hide it."""
        print_stderr(f"{message}; {self.prog} --help says more")
        self.exit(_WRONG_USE)


class TopParser(Parser):
    """The parser of all commands. Its help lists them by what one wants."""

    def __init__(self, groups: Mapping[str, Mapping[str, str]], **options: Any) -> None:
        """Take the commands, in groups, and the options of `ArgumentParser`."""
        super().__init__(**options)
        self._groups = groups

    def format_help(self) -> str:
        """List the commands in their groups."""
        width = shutil.get_terminal_size().columns - 2
        longest = max(len(name) for group in self._groups.values() for name in group)
        hanging = " " * (longest + 4)
        lines = [
            f"usage: {self.prog} COMMAND [OPTIONS]",
            "",
            *_wrapped(self.description or "", width),
        ]
        for title, commands in self._groups.items():
            lines += ["", f"{title}:"]
            for name, text in commands.items():
                lines += _wrapped(f"{name:<{longest}}  {text}", width, "  ", hanging)
        lines += ["", *_wrapped(self.epilog or "", width)]
        return "\n".join([*lines, ""])
