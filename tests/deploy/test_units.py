"""What `deploy/` has for systemd, Docker and Kubernetes: its commands are ours, and they run."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from binance_dust.cli import load, main, make_parser
from binance_dust.sandbox import Sandbox, write_accounts
from tests.cli.scraper import running

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES = sorted((DEPLOY / "systemd").glob("*.service"))
DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text("utf-8")
PROGRAM = "/opt/binance-dust/bin/binance-dust"


def read(name: str) -> Any:
    return [*yaml.safe_load_all((DEPLOY / name).read_text("utf-8"))]


def exec_start(unit: Path) -> list[str]:
    (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text("utf-8"), re.MULTILINE)
    program, *arguments = shlex.split(line)
    assert program == PROGRAM
    return arguments


def commands() -> dict[str, list[str]]:
    """Find every command of ours in `deploy/`."""
    found = {unit.name: exec_start(unit) for unit in SERVICES}
    (compose,) = read("docker/compose.yml")
    for name, service in compose["services"].items():
        if service["image"].startswith("binance-dust:"):
            found[name] = shlex.split(service["command"])
    job = read("kubernetes/cronjob.yaml")[1]["spec"]["jobTemplate"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    return found | {"cronjob": container["args"]}


@pytest.mark.parametrize("where", commands())
def test_every_command_is_understood(where: str) -> None:
    values = {"%i": "127.0.0.1", "${METRICS}": "9465"}
    arguments = [values.get(word, word) for word in commands()[where]]

    options: Any = make_parser({arguments[0]: load(arguments[0])}).parse_args(arguments)

    if arguments[0] == "sweep":
        assert options.yes
    if arguments[:2] == ["sweep", "--fleet"]:
        assert (options.accounts, options.ledger) == (None, None)
    else:
        assert options.ledger
        assert options.accounts.endswith("/accounts.toml")


def test_the_program_of_the_image_is_ours_and_nothing_is_installed_at_a_start() -> None:
    assert 'ENTRYPOINT ["binance-dust"]' in DOCKERFILE
    _, build, final = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    assert "-c constraints.txt" in build
    assert "pip" not in final
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    for line in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE):
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", line)
    (extras,) = re.findall(r"'\.\[([a-z,]+)\]'", build)
    assert set(extras.split(",")) >= {"cli", "fleet", "metrics"}
    (compose,) = read("docker/compose.yml")
    assert "pip" not in json.dumps(compose)


async def test_the_images_health_check_asks_the_command(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (check,) = re.findall(r"CMD (\[\"python\".*\])$", DOCKERFILE, re.MULTILINE)
    _, *arguments = json.loads(check)

    async def healthy(port: str) -> bool:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env={"METRICS_PORT": port}, stderr=subprocess.DEVNULL
        )
        return await process.wait() == 0

    async with Sandbox(seed=7, window=0.5) as exchange:
        accounts = [exchange.open_account("alice", ADA="6.21")]
        keys = str(write_accounts(tmp_path / "accounts.toml", accounts))
        where = ("--accounts", keys, "--base-url", exchange.url)
        books = ("--ledger", str(tmp_path / "desk.db"))
        async with running(capfd, "sweep", *where, *books, "--every", "7d") as command:
            port = command.url.rpartition(":")[2]
            assert await healthy(port)
    assert not await healthy(port)


@pytest.mark.parametrize("unit", [each for each in SERVICES if "--every" not in exec_start(each)])
async def test_what_systemd_starts_runs(
    unit: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if "worker" in unit.name:
        pytest.skip("a worker goes on until it is ended: tests/fleet has it")
    async with Sandbox(seed=7, window=0.5) as exchange:
        write_accounts(tmp_path / "accounts.toml", [exchange.open_account("alice", ADA="6.21")])
        (tmp_path / "binance-dust").mkdir()
        folder = str(tmp_path)
        arguments = [word.replace("%d", folder).replace("%S", folder) for word in exec_start(unit)]

        code = await asyncio.to_thread(main, [*arguments, "--base-url", exchange.url])

        assert code == 0, capfd.readouterr().err
        assert len(exchange.conversions) == 1
    assert (tmp_path / "binance-dust" / "desk.db").stat().st_mode & 0o077 == 0


# --- what can judge them here --------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_systemd_finds_no_fault_in_the_units_and_calls_them_well_hardened(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text("utf-8").replace(PROGRAM, "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    names = sorted(path.name for path in tmp_path.iterdir())

    verified = ask("systemd-analyze", "verify", "--man=no", *(f"./{n}" for n in names), at=tmp_path)
    assert (verified.returncode, verified.stderr) == (0, "")
    for name in names:
        if name.endswith(".service"):
            judged = ask("systemd-analyze", "security", "--offline=yes", f"./{name}", at=tmp_path)
            (exposure,) = re.findall(r"Overall exposure level for \S+: (\d+\.\d)", judged.stdout)
            assert float(exposure) < 2


def ask(*command: str, at: Path) -> subprocess.CompletedProcess[str]:
    environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    return subprocess.run(  # noqa: S603 - found above
        command, cwd=at, capture_output=True, text=True, check=False, env=environment
    )
