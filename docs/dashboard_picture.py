"""Draws the dashboard as a real Prometheus answers it: `python -m docs.dashboard_picture`.

A sandbox, a sweep, a worker and a scan run for two minutes, and Debian's Prometheus asks them. The
queries are those of `deploy/grafana/dashboard.json`, with their titles and places. The drawing is
our own and not Grafana's. `nox -s proof -- whole` draws its hour with it.
"""

from __future__ import annotations

import html
import itertools
import json
import math
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from docs.pictures import BROWSERS, PICTURES
from tests.redis_server import a_server

if TYPE_CHECKING:
    from collections.abc import Sequence

DEPLOY: Final = Path(__file__).parents[1] / "deploy"
PORTS: Final = {"sandbox": 9361, "sweep": 9364, "worker": 9365, "scan": 9366, "prometheus": 9390}
SECONDS: Final = 120
WIDTH: Final = 1280
ROW, COLUMN = 26, WIDTH / 24
"""Of Grafana's grid, in pixels."""
COLOURS: Final = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9")
UNITS: Final = {"s": " s", "percentunit": " of 1", "reqps": "/s", "short": ""}


def start(stack: ExitStack, *command: str) -> None:
    """Start a program, and end it with the stack."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    stack.callback(process.wait, 30)
    stack.callback(process.terminate)


def run_all(stack: ExitStack, folder: Path, began: float) -> None:
    """Run what is watched, and who watches, until there is something to see."""
    ours = (sys.executable, "-m", "binance_dust")
    keys = folder / "keys.toml"
    port, window = str(PORTS["sandbox"]), ("--window", "10")
    start(
        stack, *ours, "sandbox", "--accounts", "400", "--port", port, *window, "--write", str(keys)
    )
    while not keys.exists():
        time.sleep(0.1)
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "2s", "evaluation_interval": "2s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / "rules.yml")]
    targets = [f"127.0.0.1:{PORTS[name]}" for name in ("sweep", "worker", "scan")]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = targets
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    listen = f"--web.listen-address=127.0.0.1:{PORTS['prometheus']}"
    files = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data")
    start(stack, "prometheus", *files, listen)
    given = ("--accounts", str(keys), "--base-url", f"http://127.0.0.1:{port}", *window)
    books = ("--ledger", str(folder / "desk.db"), "--yes", "--every", "7d", "--concurrency", "2")
    start(stack, *ours, "sweep", *given, *books, "--metrics", str(PORTS["sweep"]))
    fleet = ("--fleet", stack.enter_context(a_server()).url)
    other = ("--local-addr", "127.0.0.2", "--metrics", str(PORTS["worker"]))
    start(stack, *ours, "worker", *fleet, *given, *other)
    start(stack, *ours, "scan", *fleet, "--liabilities", "always", "--metrics", str(PORTS["scan"]))
    while time.time() < began + SECONDS:
        time.sleep(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a Prometheus says of some time, drawn as the panels of the dashboard."""

    port: int
    """Where Prometheus answers on this machine."""
    now: float
    """The end of what is shown, in seconds since the epoch."""
    seconds: float = SECONDS
    step: float = 2.0
    """Seconds between two points of a line. Rates are over ten of them."""
    marks: Sequence[tuple[float, str]] = ()
    """Moments that are marked in each panel, with a colour."""

    def draw(self, folder: Path, into: Path) -> None:
        """Draw all panels into a page in a folder, and take its picture."""
        board = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text("utf-8"))
        panels = "".join(self._panel(spec) for spec in board["panels"])
        height = max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in board["panels"]) * ROW
        style = (
            "body{margin:0;background:#111217;color:#ccccdc;font:11px sans-serif}"
            ".panel{position:absolute;margin:4px;padding:6px 10px;background:#181b1f;"
            "overflow:hidden;box-sizing:border-box}.stat{font-size:30px;margin-top:12px}"
            "i{display:block;color:#777}polyline{fill:none;stroke-width:1.5}"
            ".names{height:26px;overflow:hidden}span{margin-right:8px}"
        )
        page = folder / "page.html"
        page.write_text(f"<!doctype html><style>{style}</style>{panels}", encoding="utf-8")
        size = f"--window-size={WIDTH},{height + 8}"
        command = (BROWSERS[0], "--headless", "--no-sandbox", "--hide-scrollbars", size)
        shot = (*command, f"--screenshot={into}", str(page))
        subprocess.run(shot, check=True, timeout=120, capture_output=True)  # noqa: S603

    def ask(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Ask Prometheus, and give the series of its answer."""
        text = urllib.parse.urlencode(query)
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{text}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def _panel(self, spec: dict[str, Any]) -> str:
        """Draw one panel at its place."""
        place = spec["gridPos"]
        left, top = place["x"] * COLUMN, place["y"] * ROW
        wide, high = place["w"] * COLUMN - 8, place["h"] * ROW - 8
        style = f"left:{left:.0f}px;top:{top:.0f}px;width:{wide:.0f}px;height:{high:.0f}px"
        drawn = (self._stat if spec["type"] == "stat" else self._lines)(spec, wide - 20, high - 60)
        return (
            f'<div class="panel" style="{style}"><b>{html.escape(spec["title"])}</b>{drawn}</div>'
        )

    def _expressions(self, spec: dict[str, Any]) -> list[str]:
        """Give a panel's queries, as Grafana would send them."""
        texts = (target["expr"] for target in spec["targets"])
        rate = f"{10 * self.step:.0f}s"
        return [text.replace("$instance", ".*").replace("$__rate_interval", rate) for text in texts]

    def _stat(self, spec: dict[str, Any], *_: float) -> str:
        """Draw a single value."""
        found = self.ask("query", query=self._expressions(spec)[0], time=self.now)
        value = float(found[0]["value"][1]) if found else 0.0
        unit = UNITS[spec["fieldConfig"]["defaults"]["unit"]]
        return f'<div class="stat">{value:,.0f}{unit}</div>'

    def _lines(self, spec: dict[str, Any], wide: float, high: float) -> str:
        """Draw series over time, each with its name and its last value."""
        colours, names = itertools.cycle(COLOURS), []
        span = {"start": self.now - self.seconds, "end": self.now, "step": self.step}
        found = [
            (series, target["legendFormat"])
            for target, text in zip(spec["targets"], self._expressions(spec), strict=True)
            for series in self.ask("query_range", query=text, **span)
        ]
        values = [float(value) for series, _ in found for _, value in series["values"]]
        most = max([value for value in values if value == value], default=0.0) or 1.0  # noqa: PLR0124 - no NaN

        def across(at: float) -> str:
            return f"{(at - self.now + self.seconds) / self.seconds * wide:.1f}"

        parts = [
            f'<line x1="{across(at)}" x2="{across(at)}" y1="0" y2="{high:.0f}" stroke="{colour}"/>'
            for at, colour in self.marks
        ]
        unit = UNITS[spec["fieldConfig"]["defaults"]["unit"]]
        for series, legend in found:
            colour, name = next(colours), legend
            for label, value in series["metric"].items():
                name = name.replace("{{" + label + "}}", value)
            for dots in self._pieces(series["values"]):
                path = (f"{across(at)},{high - value / most * high:.1f}" for at, value in dots)
                parts.append(f'<polyline points="{" ".join(path)}" stroke="{colour}"/>')
            last = f"{float(series['values'][-1][1]):.3g}{unit}"
            names.append(f'<span style="color:{colour}">{html.escape(name)} {last}</span>')
        svg = f'<svg width="{wide:.0f}" height="{high:.0f}">{"".join(parts)}</svg>'
        return f'<i>{most:.3g}{unit}</i>{svg}<div class="names">{" ".join(names)}</div>'

    def _pieces(self, values: Sequence[tuple[float, str]]) -> list[list[tuple[float, float]]]:
        """Part a line where nothing is known: Prometheus was away, or the series was."""
        pieces: list[list[tuple[float, float]]] = []
        before = -math.inf
        for at, text in values:
            if text == "NaN":
                continue
            if at - before > 1.5 * self.step:
                pieces.append([])
            pieces[-1].append((at, float(text)))
            before = at
        return pieces


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home, ExitStack() as running:
        run_all(running, Path(home), time.time())
        picture = Picture(port=PORTS["prometheus"], now=time.time())
        picture.draw(Path(home), PICTURES / "dashboard.png")
