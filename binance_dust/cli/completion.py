"""`binance-dust completion`: print a script that completes commands and options in a shell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

EXAMPLES: Final = (
    ("bash > ~/.local/share/bash-completion/completions/binance-dust", "for bash, from now on"),
    ("zsh > ~/.zfunc/_binance-dust", "for zsh, if ~/.zfunc is in its fpath"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="the shell")


async def run(options: argparse.Namespace) -> int:
    """Print the script. It is made once, so that completing starts no Python."""
    import shtab

    from binance_dust.cli import load_all, make_parser

    sys.stdout.write(shtab.complete(make_parser(load_all()), options.shell) + "\n")
    return 0
