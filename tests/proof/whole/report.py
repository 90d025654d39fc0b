"""Lives an hour, or fewer minutes, and says what came of it: `nox -s proof -- whole`.

Its figures, its alerts, its picture, and each invariant that broke.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from docs.dashboard_picture import Picture
from docs.pictures import BROWSERS
from tests.proof.whole.hour import Hour, Outcome, setting_for
from tests.proof.whole.weigh import row

_STORM: Final = "#3a2f12"
_KILL: Final = "#5c1f2a"
_DUE: Final = {
    "BinanceDustBanned": "bans",
    "BinanceDustOutcomeUnknown": "lost answers",
}
"""Alerts that have to fire, and the world in which there is a reason."""


def live(
    folder: Path, *, minutes: float, seed: int, accounts: int, tell: Callable[[str], None]
) -> list[str]:
    """Live it in a folder, which keeps everything; give what does not hold."""
    folder.mkdir(parents=True)
    setting = setting_for(folder.resolve(), minutes=minutes, seed=seed, accounts=accounts)
    hour = Hour(setting, minutes, tell)
    tell(f"{minutes:.0f} minutes in {folder}, {time.strftime('%H:%M:%S UTC', time.gmtime())}")
    try:
        hour.run()
        for step in (hour.settle, hour.judge, lambda: look_at_prometheus(hour, folder)):
            try:
                step()
            except Exception as error:  # noqa: BLE001 - an hour is told of, whatever its end
                hour.out.wrong.append(f"{type(error).__name__} in the end: {error}")
    finally:
        hour.stop()
    write_samples(hour.out, folder / "samples.jsonl")
    said = list(lines(hour.out))
    (folder / "report.txt").write_text("\n".join(said) + "\n", "utf-8")
    for line in said:
        tell(line)
    return hour.out.wrong


def write_samples(out: Outcome, path: Path) -> None:
    """Keep what each process weighed, look by look."""
    with path.open("w", encoding="utf-8") as file:
        for part in out.parts.values():
            for life in part.lives:
                file.write(json.dumps(asdict(life)) + "\n")


def look_at_prometheus(hour: Hour, folder: Path) -> None:
    """Note for how long each alert fired, and draw the picture of the hour."""
    out, setting = hour.out, hour.out.setting
    now = time.time()
    seconds = now - out.began
    picture = Picture(
        port=setting.ports["prometheus"],
        now=now,
        seconds=seconds,
        step=max(setting.scrape, seconds / 600),
        marks=[
            *((at, _STORM) for at, _ in out.traffic.worlds),
            *((out.began + at, _KILL) for at, _ in out.kills),
        ],
    )
    span = {"start": out.began, "end": now, "step": picture.step}
    for series in picture.ask("query_range", query='ALERTS{alertstate="firing"}', **span):
        seen = round(len(series["values"]) * picture.step)
        out.alerts[series["metric"]["alertname"]] += seen
    out.wrong += quiet_alerts(out)
    if any(map(shutil.which, BROWSERS)):
        picture.draw(folder, folder / "dashboard.png")


def quiet_alerts(out: Outcome) -> list[str]:
    """Name the alerts that had a reason, and did not fire."""
    lived = {step.world.name for step in out.steps}
    return [
        f"the alert {alert} did not fire in the world of {world}"
        for alert, world in _DUE.items()
        if world in lived and alert not in out.alerts
    ]


def lines(out: Outcome) -> Iterator[str]:
    """Say everything."""
    seen, setting, turned = out.traffic, out.setting, out.turns.outcomes
    yield (
        f"{out.seconds / 60:.1f} min, seed {setting.seed}, {setting.accounts} accounts, a turn"
        f" every {setting.every} s: {turned.total():,} turns ({_counts(turned)})"
    )
    yield f"calls: {seen.calls.total():,} ({_counts(seen.statuses)} by status; 0: no answer)"
    yield f"refused (429): {_counts(seen.refused) or 'none'}"
    for ban in seen.bans:
        how = "earned by refusals" if ban.earned else "ordered"
        yield (
            f"ban of {ban.address} in {ban.world!r}: {how}, answered 418 for"
            f" {ban.last - ban.first:.1f} s, {ban.late} calls after it was heard"
        )
    yield "kills: " + ", ".join(f"{part} at {at / 60:.1f} min" for at, part in out.kills)
    yield "scans: " + ", ".join(
        f"{scan.seconds:.0f} s in {scan.world!r} (exit code {scan.code})" for scan in out.scans
    )
    moved = Counter(move.kind for move in out.witness.moves)
    yield f"the exchange moved funds: {_counts(moved)}; it was started {out.witness.opened} times"
    states = Counter(f"{entry.status} ({entry.settled_by})" for entry in out.entries)
    yield f"the books: {len(out.entries):,} entries: {_counts(states)}"
    yield f"said by hand: {len(out.resolved)}"
    yield from (f"  {each}" for each in out.resolved)
    yield f"alerts that fired, and seconds: {_counts(out.alerts) or 'none'}"
    for part in out.parts.values():
        yield from (row(life) for life in part.lives)
    yield f"{len(out.wrong)} invariants broken" if out.wrong else "every invariant holds"
    yield from (f"BROKEN: {each}" for each in out.wrong[:100])


def _counts(counts: Counter[str] | Counter[int]) -> str:
    return ", ".join(f"{times:,} {what}" for what, times in counts.most_common())
