"""The command line itself: help, wrong use, and a missing extra."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from tests.cli.program import complaints, execute


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--json",), "COMMAND"),
        (("fly",), "fly"),
        (("sandbox", "--port", "99999"), "from 0 to 65535"),
        (("sandbox", "--port", "x"), "not a whole number"),
        (("sandbox", "--accounts", "-1"), "must not be negative"),
        (("sandbox", "--window", "0"), "above zero"),
        (("demo", "--accounts", "many"), "not a whole number"),
    ],
)
def test_wrong_use_exits_with_2(run: Run, arguments: tuple[str, ...], says: str) -> None:
    done = run(*arguments)

    assert done.code == 2
    assert says in done.err


def test_help_and_a_wrong_command_import_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from binance_dust.cli import main\n"
        "try:\n    main([sys.argv[1]])\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'rich', 'aiohttp', 'asyncio', 'msgspec', 'json', 'logging'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    for word in ("--help", "fly"):
        assert execute(code, word).stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["scan", "history", "books"])
def test_help_of_a_command_imports_no_client(command: str) -> None:
    code = (
        "import sys\n"
        "from binance_dust.cli import main\n"
        "try:\n    main([sys.argv[1], '--help'])\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'aiohttp', 'binance_dust.session', 'binance_dust.scanner', 'rich.live'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    assert execute(code, command).stdout.splitlines()[-1] == "[]"


def test_no_help_imports_aiohttp() -> None:
    code = (
        "import contextlib, io, sys\n"
        "from binance_dust.cli import COMMANDS, main\n"
        "for name in COMMANDS:\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        main([name, '--help'])\n"
        "    if 'aiohttp' in sys.modules:\n        sys.exit(name)\n"
        "print('none')"
    )

    assert execute(code).stdout == "none\n"


def test_help_and_version(run: Run) -> None:
    assert "binance-dust demo" in run("--help").out
    assert run("--version").out.startswith("binance-dust 0.")


@pytest.mark.parametrize("command", ["endpoints", "liabilities --sandbox", "convert --sandbox"])
def test_without_the_extra_a_command_says_what_to_install(command: str) -> None:
    done = execute(
        "import sys; sys.modules['rich'] = None;"
        "from binance_dust.cli import main; sys.exit(main(sys.argv[1:]))",
        *command.split(),
    )

    assert done.returncode == 1
    assert complaints(done.stderr) == (
        "binance-dust: the command line needs the extra 'cli': pip install 'binance-dust[cli]'\n"
    )
