"""Ask four type checkers about a user's bot, away from this project and its settings.

    python -m tests.typing.check

The bot is to be without an error, and of `typos.py` every line that is marked, and no other, is to
be one. mypy runs on the rest of the tests as well; pyright (as basedpyright), ty and pyrefly see
only these two.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CHECKERS: Final = {
    "mypy": "mypy --strict --no-color-output --no-error-summary --python-executable",
    "pyright": "basedpyright --level error --pythonpath",
    "ty": "ty check --output-format concise --python",
    "pyrefly": "pyrefly check --preset strict --output-format min-text --python-interpreter-path",
}
"""How each is called, up to the Python that has the package."""
# A file, a line and a column; pyrefly writes `ERROR` before, the others an error behind.
_ERROR: Final = re.compile(r"^(?:ERROR )?\s*\S*?(\w+)\.py:(\d+):.*?(?:error|\[)", re.MULTILINE)
_IGNORE: Final = re.compile(r"# type: ignore\[[\w-]+\]")
_MARK: Final = "# a typo"


def errors(said: str) -> set[tuple[str, int]]:
    """Find the lines that a checker complains about, by file and number."""
    return {(name, int(number)) for name, number in _ERROR.findall(said)}


def expected(text: str) -> set[tuple[str, int]]:
    """Give the lines that are marked."""
    lines = enumerate(text.splitlines(), start=1)
    return {("typos", number) for number, line in lines if _MARK in line}


def main() -> int:
    """Ask all of them, and print what differs."""
    # Without the marks that mypy obeys, since each checker has other ones.
    typos = _IGNORE.sub(_MARK, (HERE / "typos.py").read_text("utf-8"))
    wrong = 0
    with tempfile.TemporaryDirectory() as away:
        Path(away, "bot.py").write_text((HERE / "bot.py").read_text("utf-8"), "utf-8")
        Path(away, "typos.py").write_text(typos, "utf-8")
        for name, command in CHECKERS.items():
            program, *options = command.split()
            call = [str(Path(sys.executable).with_name(program)), *options, sys.executable]
            answer = subprocess.run(  # noqa: S603 - the checkers of this environment
                [*call, "bot.py", "typos.py"], cwd=away, capture_output=True, text=True, check=False
            )
            if (found := errors(answer.stdout)) == expected(typos):
                print(f"{name}: the bot is fine, and {len(found)} typos are seen")
                continue
            wrong += 1
            print(f"{name}: unseen {expected(typos) - found}, more {found - expected(typos)}")
            print(answer.stdout, answer.stderr, sep="\n")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
