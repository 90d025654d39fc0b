"""The parser of the command line: help that fits a terminal, and errors of one line."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from typing import TYPE_CHECKING, Any, Final, NoReturn

from binance_dust.cli._streams import MessageLevel, print_stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["Parser", "TopParser", "add_messages", "suggestion"]

_WRONG_USE: Final = 2
_MOST_CHOICES: Final = 40
"""Characters of choices that are shown with their option."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """Name the known word that was probably meant, as the end of a message; else nothing."""
    import difflib

    close = difflib.get_close_matches(word, [*known], n=1)
    return f": did you mean {close[0]}?" if close else ""


def add_messages(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command: which messages it prints to stderr, and how."""
    group = parser.add_argument_group("messages")
    level = group.add_mutually_exclusive_group()
    level.add_argument(
        "-v", "--verbose", action="store_true", help="also say what is sent, answered and learnt"
    )
    level.add_argument(
        "-q", "--quiet", action="store_true", help="no progress, only warnings and errors"
    )
    group.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="messages as text, or as lines of JSON with time and level (text)",
    )


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps at spaces only: names with a hyphen stay whole. Many choices stand in the text."""

    def _metavar_formatter(
        self, action: argparse.Action, default_metavar: str
    ) -> Callable[[int], tuple[str, ...]]:
        if _has_many_choices(action):
            return lambda size: (action.dest.upper(),) * size
        return super()._metavar_formatter(action, default_metavar)

    def _expand_help(self, action: argparse.Action) -> str:
        text = super()._expand_help(action)
        if not _has_many_choices(action):
            return text
        return f"{text}: {', '.join(map(str, action.choices or ()))}"

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(" ".join(text.split()), width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = (each for line in text.splitlines() for each in _wrapped(line, width, indent))
        return "\n".join(lines)


def _has_many_choices(action: argparse.Action) -> bool:
    shown = ",".join(map(str, action.choices or ()))
    return action.metavar is None and len(shown) > _MOST_CHOICES


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
        self.examples: Sequence[tuple[str, str]] = ()
        """Arguments, and what they do."""

    def format_help(self) -> str:
        """Say how it is used in one line: the options are listed below it."""
        operands = [
            str(action.metavar or action.dest)
            for action in self._actions
            if not action.option_strings and action.nargs != argparse.PARSER
        ]
        self.usage = " ".join([self.prog, "[OPTIONS]", *operands])
        lines = [super().format_help()]
        if self.examples:
            lines.append("examples:")
        width = shutil.get_terminal_size().columns - 2
        for command, what in self.examples:
            lines += _wrapped(f"{self.prog} {command}".rstrip(), width, "  ", " " * 6)
            lines += _wrapped(what, width, " " * 4)
        return "\n".join(lines).rstrip() + "\n"

    def error(self, message: str) -> NoReturn:
        """Say what is wrong; a usage of many lines would hide it."""
        print_stderr(f"{message}; {self.prog} --help says more", MessageLevel.ERROR)
        self.exit(_WRONG_USE)

    def refuse(self, word: str) -> NoReturn:
        """Refuse a word that no option takes."""
        known = [each for each in self._option_string_actions if each.startswith("--")]
        near = suggestion(word.partition("=")[0], known) if word.startswith("-") else ""
        self.error(f"{word!r} is not understood{near}")


class TopParser(Parser):
    """The parser of all commands. Its help lists them by what one wants."""

    def __init__(self, groups: Mapping[str, Mapping[str, str]], **options: Any) -> None:
        """Take the commands, in groups, and the options of `ArgumentParser`."""
        super().__init__(**options)
        self._groups = groups
        self._commands: Mapping[str, Parser] = {}

    def add_commands(self, **options: Any) -> argparse._SubParsersAction[Parser]:
        """Give what commands are added to."""
        made = self.add_subparsers(parser_class=Parser, **options)
        self._commands = made.choices
        return made

    def parse_command(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse; the command itself refuses what it does not know."""
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            self._commands[options.command].refuse(unknown[0])
        return options

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
