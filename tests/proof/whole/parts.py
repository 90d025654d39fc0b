"""The processes of the hour: started, killed, started again, weighed, and ended by their ids."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import yaml

from tests.proof.whole.weigh import Life, look
from tests.proof.whole.worlds import ADDRESSES, PARTS
from tests.redis_server import executable

ROOT: Final = Path(__file__).parents[3]
_DEPLOY: Final = ROOT / "deploy" / "prometheus"
_BACK_AFTER: Final = 3.0
"""Seconds until a part that is gone is started again, as systemd would (there it is 30)."""
_PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Setting:
    """Where everything is, and how fast the hour is lived."""

    folder: Path
    seed: int
    accounts: int
    every: int
    """Seconds from one sweep of an account to the next, and the length of the limits' windows."""
    cooldown: int
    ports: Mapping[str, int]
    """Of the exchange (the next one takes worlds), Redis, the metrics of each part, Prometheus."""
    rules: str
    """JSON of the exchange's rules."""
    scrape: int

    @property
    def url(self) -> str:
        """Where the exchange answers."""
        return f"http://127.0.0.1:{self.ports['exchange']}"

    @property
    def redis(self) -> str:
        """Where Redis answers."""
        return f"redis://127.0.0.1:{self.ports['redis']}"

    @property
    def ledger(self) -> Path:
        """The books of all workers."""
        return self.folder / "desk.db"

    @property
    def asks(self) -> tuple[str, ...]:
        """The options of a command that asks the exchange by itself, as an operator's do."""
        keys = str(self.folder / "keys.toml")
        return (
            *("--accounts", keys, "--base-url", self.url, "--ledger", str(self.ledger)),
            *("--window", str(self.every)),
        )


def command(setting: Setting, part: str) -> tuple[str, ...]:
    """Give the command line of a part."""
    ours = (sys.executable, "-m", "tests.proof.whole.command")
    fleet = ("--fleet", setting.redis, "--fleet-key", str(setting.folder / "fleet.key"))
    pace = ("--cooldown", f"{setting.cooldown}s")
    if part == "scan":
        return (*ours, "scan", *fleet, "--liabilities", "always", "--json", "--quiet")
    port = str(setting.ports[part])
    match part:
        case "exchange":
            return (
                *(sys.executable, "-m", "tests.proof.whole.exchange", str(setting.folder)),
                *("--port", port, "--seed", str(setting.seed)),
                *("--accounts", str(setting.accounts), "--rules", setting.rules),
                *("--pace", str(setting.every / setting.accounts)),
            )
        case "redis":
            keeps_nothing = ("--save", "", "--appendonly", "no")
            return (executable() or "", "--bind", "127.0.0.1", "--port", port, *keeps_nothing)
        case "prometheus":
            return (
                *("prometheus", f"--config.file={setting.folder}/prometheus.yml"),
                f"--storage.tsdb.path={setting.folder}/prometheus",
                f"--web.listen-address=127.0.0.1:{port}",
            )
        case "sweep":
            return (
                *(*ours, "sweep", *fleet, *pace, "--yes", "--liabilities", "--json"),
                *("--every", f"{setting.every}s", "--metrics", port),
            )
    shares = ("--redis", setting.redis) if part in ("one", "two") else ()
    return (
        *(*ours, "worker", *fleet, *pace, *setting.asks, "--liabilities", "--name", part),
        *("--local-addr", ADDRESSES[part], "--metrics", port, *shares),
    )


def prepare(setting: Setting) -> None:
    """Write what the parts read: the fleet's key, and the configuration of deploy/."""
    key = setting.folder / "fleet.key"
    key.write_text(secrets.token_hex(), "ascii")
    key.chmod(0o600)
    config = yaml.safe_load((_DEPLOY / "prometheus.yml").read_text("utf-8"))
    pace = f"{setting.scrape}s"
    config["global"] = {"scrape_interval": pace, "evaluation_interval": pace}
    config["rule_files"] = [str(_DEPLOY / "rules.yml")]
    targets = [f"127.0.0.1:{setting.ports[part]}" for part in ("sweep", *ADDRESSES)]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = targets
    (setting.folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")


@dataclass(slots=True)
class Part:
    """One part: the process that it is now, and the lives that it had."""

    name: str
    setting: Setting
    clock: Callable[[], float]
    lives: list[Life] = field(default_factory=list)
    kills: int = 0
    back_at: float | None = None
    """When it is started again, if it is gone."""
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        self._process = self.open(self.name, command(self.setting, self.name))
        self.back_at = None
        self.lives.append(Life(self.name, self._process.pid, self.clock()))

    def open(self, name: str, line: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a process; what it says goes to files of its own."""
        folder = self.setting.folder
        environment = {name: text for name, text in os.environ.items() if "BINANCE" not in name}
        said: Mapping[str, IO[bytes]] = {
            stream: (folder / f"{name}.{stream}").open("ab") for stream in ("out", "err")
        }
        process = subprocess.Popen(  # noqa: S603 - our own commands
            line,
            stdin=subprocess.DEVNULL,
            stdout=said["out"],
            stderr=said["err"],
            cwd=folder,
            env=environment | {"PYTHONPATH": str(ROOT)},
        )
        for file in said.values():
            file.close()
        return process

    def kill(self) -> None:
        """Kill it, as a machine that fails does. It comes back a little later."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            self.kills += 1
            self._gone("killed")

    def look(self, now: float) -> None:
        """Weigh it; if it has ended by itself, take note, and start it again in a while."""
        if self._process is not None:
            code = self._process.poll()
            if code is not None:
                self._gone(f"ended by itself with {code}")
            elif (sample := look(self._process.pid, now)) is not None:
                self.lives[-1].samples.append(sample)
        if self.back_at is not None and now >= self.back_at:
            self.start()

    def end(self, *, patience: float = 30.0) -> int | None:
        """Tell it to end, and give its exit code; kill it if it does not. It stays gone."""
        self.back_at = None
        if self._process is None:
            return None
        process, self._process = self._process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(patience)
                self.lives[-1].ended = "told to end"
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self.lives[-1].ended = f"did not end within {patience:.0f} s of SIGTERM"
        return process.returncode

    def _gone(self, how: str) -> None:
        self._process = None
        self.lives[-1].ended = how
        self.back_at = self.clock() + _BACK_AFTER

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.poll() is None


def make(setting: Setting, clock: Callable[[], float]) -> dict[str, Part]:
    """Make all parts; nothing is started."""
    return {name: Part(name, setting, clock) for name in PARTS}


def until(done: Callable[[], Any], what: str, *, seconds: float = _PATIENCE) -> None:
    """Wait until something is so."""
    latest = time.monotonic() + seconds
    while not done():
        if time.monotonic() > latest:
            message = f"after {seconds:.0f} s still not: {what}"
            raise TimeoutError(message)
        time.sleep(0.1)
