"""The pytest plugin, as users have it: in pytest runs of their own, with other plugins."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

# Users get the plugin by its entry point; here it is named, so that it need not be installed.
PLUGIN = ["-p", "no:binance_dust", "-p", "binance_dust.testing"]
PLAIN = [*PLUGIN, "-p", "no:asyncio", "-p", "no:anyio"]


def run(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_users_own.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    command += ["--rootdir", str(folder), "-c", "/dev/null", "-W", "error", str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603


SYNC = """
import json, urllib.request

import pytest

pytestmark = pytest.mark.sandbox(seed=7, window=9.0)

def test_plain(sandbox):
    with urllib.request.urlopen(f"{sandbox.url}/sapi/v1/system/status") as answer:
        assert json.load(answer)["status"] == 0
    assert sandbox.seed == 7
    assert len(sandbox.accounts) == 0

@pytest.mark.sandbox(window=2.0, accounts=3, cooldown=0.0)
def test_marked(sandbox):
    assert (sandbox.seed, sandbox.rules.window, sandbox.rules.cooldown) == (7, 2.0, 0.0)
    assert [account.name for account in sandbox.accounts] == ["alice", "bob", "carol"]

class TestOneEach:
    urls = set()

    @pytest.mark.parametrize("n", [1, 2])
    def test_each_has_its_own(self, sandbox, n):
        sandbox.open_account("alice")
"""

ASYNC = """
import aiohttp

async def test_async(sandbox):
    alice = sandbox.open_account("alice", ADA="6.21")
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{sandbox.url}/api/v3/time") as answer:
            assert answer.status == 200
    assert len(sandbox.requests) == 1
"""


@pytest.mark.long
def test_the_fixture_needs_no_asyncio_plugin(tmp_path: Path) -> None:
    result = run(tmp_path, SYNC, "--strict-markers", *PLAIN)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "4 passed" in result.stdout


@pytest.mark.long
@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_fixture_works_with_pytest_asyncio(tmp_path: Path, mode: str) -> None:
    text = ASYNC if mode == "auto" else "import pytest\npytestmark = pytest.mark.asyncio\n" + ASYNC

    scope = "asyncio_default_fixture_loop_scope=function"
    asyncio = ["-p", "pytest_asyncio", f"--asyncio-mode={mode}", "-o", scope]
    result = run(tmp_path, text, *asyncio, *PLUGIN)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed" in result.stdout


@pytest.mark.long
def test_the_tests_in_the_manual_pass(tmp_path: Path) -> None:
    page = Path(__file__).parents[1] / "docs/how-to/test-your-code.md"
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    modules = [block for block in blocks if "async def test_" in block]
    asyncio = ["-p", "pytest_asyncio", "--asyncio-mode=auto"]
    scope = ["-o", "asyncio_default_fixture_loop_scope=function"]
    for n, module in enumerate(modules):
        (tmp_path / f"test_manual_{n}.py").write_text(module)

    result = run(tmp_path, "", *asyncio, *scope, *PLUGIN)

    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{sum(module.count('async def test_') for module in modules)} passed" in result.stdout


@pytest.mark.long
def test_a_wrong_marker_is_an_error_with_the_reason(tmp_path: Path) -> None:
    text = """
import pytest

@pytest.mark.sandbox(7)
def test_positional(sandbox): pass

@pytest.mark.sandbox(accounts="many")
def test_accounts(sandbox): pass

@pytest.mark.sandbox(widow=2.0)
def test_misspelt(sandbox): pass
"""

    result = run(tmp_path, text, *PLAIN)

    assert "3 errors" in result.stdout, result.stdout + result.stderr
    assert "takes keyword arguments only" in result.stdout
    assert "accounts=...) is a number" in result.stdout
    assert "widow" in result.stdout


@pytest.mark.long
def test_a_run_without_the_fixture_does_not_load_the_server(tmp_path: Path) -> None:
    text = """
import sys

def test_light():
    assert "binance_dust.testing" in sys.modules
    assert "binance_dust.sandbox" not in sys.modules
    assert "aiohttp.web" not in sys.modules
"""

    result = run(tmp_path, text, *PLAIN)

    assert result.returncode == 0, result.stdout + result.stderr


def test_the_marker_is_explained(tmp_path: Path) -> None:
    result = run(tmp_path, "", "--markers", *PLAIN)

    assert "@pytest.mark.sandbox(seed=0, window=60.0" in result.stdout
