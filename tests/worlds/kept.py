"""Worlds that once failed, or stand for a finding, each with a line why. None is ever taken out.

`open` names what a world still violates: what is mended is taken out of it, and nothing is added.
The reasons are in `known.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.worlds.world import (
    Bans,
    Charging,
    Clocks,
    Headers,
    Limits,
    Net,
    Others,
    Processes,
    Redis,
    Refusals,
    Storm,
    Stream,
    Windows,
    World,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A world that once failed."""

    why: str
    world: World
    open: frozenset[str] = frozenset()


KEPT: Final[tuple[Kept, ...]] = (
    Kept(
        "two pages of a firewall within one burst of 300",
        World(limits=Limits(documented=6000), storm=Storm(kind="wall", at=0.2, pages=2)),
    ),
    Kept(
        "two pages within a later burst",
        World(limits=Limits(documented=6000), storm=Storm(kind="wall", at=60.5, pages=2)),
    ),
    Kept(
        "a wall that stands for five minutes",
        World(
            limits=Limits(documented=6000),
            storm=Storm(kind="wall", at=0.2, lasts=300.0),
            work=(Stream(calls=150),),
        ),
    ),
    Kept(
        "answers take 5.4 s of 60",
        World(
            limits=Limits(documented=6000), net=Net(way=2.7, jitter=0.0), work=(Stream(calls=55),)
        ),
    ),
    Kept(
        "answers take half a window",
        World(
            limits=Limits(documented=6000),
            net=Net(way=15.0, jitter=3.0, timeout=90.0),
            work=(Stream(calls=150),),
        ),
    ),
    Kept(
        "the limit is half, fixed",
        World(limits=Limits(documented=6000, true=0.5)),
    ),
    Kept(
        "the limit is half, sliding",
        World(windows=Windows(mode="sliding"), limits=Limits(documented=6000, true=0.5)),
    ),
    Kept(
        "the limit is a tenth",
        World(limits=Limits(documented=6000, true=0.1), work=(Stream(calls=50),)),
    ),
    Kept(
        "the other payer's header once",
        World(limits=Limits(documented=6000), headers=Headers(say="other", once=50)),
    ),
    Kept(
        "the other payer's header always",
        World(
            limits=Limits(documented=6000), headers=Headers(say="other"), work=(Stream(calls=180),)
        ),
    ),
    Kept(
        "a header of 999999999 once",
        World(limits=Limits(documented=6000), headers=Headers(say="huge", once=100)),
    ),
    Kept(
        "a header of 999999999 always",
        World(
            limits=Limits(documented=6000), headers=Headers(say="huge"), work=(Stream(calls=180),)
        ),
    ),
    Kept(
        "headers that are always 1, sliding",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            headers=Headers(say="one"),
        ),
    ),
    Kept(
        "headers that go backwards, sliding",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            headers=Headers(say="backwards"),
        ),
    ),
    Kept(
        "headers of three nodes, sliding",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            headers=Headers(nodes=3),
        ),
    ),
    Kept(
        "headers of eight nodes, fixed",
        World(limits=Limits(documented=6000), headers=Headers(nodes=8)),
    ),
    Kept(
        "headers late by five, fixed",
        World(limits=Limits(documented=6000), headers=Headers(say="late", late=5)),
    ),
    Kept("no headers", World(limits=Limits(documented=6000), headers=Headers(say="missing"))),
    Kept(
        "charged 100 instead of 1",
        World(
            limits=Limits(documented=6000),
            charging=Charging(times=100),
            work=(Stream(endpoint="log", calls=180),),
        ),
    ),
    Kept(
        "charged twice",
        World(
            limits=Limits(documented=6000), charging=Charging(times=2), work=(Stream(calls=150),)
        ),
    ),
    Kept(
        "one header of the other payer, in a stream of calls",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            headers=Headers(say="other", once=50),
            work=(Stream(every=0.4, single=True),),
        ),
    ),
    Kept(
        "charged to the account",
        World(
            limits=Limits(documented=6000),
            charging=Charging(payer="uid"),
            work=(Stream(calls=150),),
            accounts=7,
        ),
    ),
    Kept(
        "the exchange's clock steps back by 20 s",
        World(
            windows=Windows(phase=26.688),
            limits=Limits(documented=6000),
            clocks=Clocks(step_at=87.832, step=-20.0),
            work=(Stream(calls=240),),
        ),
    ),
    Kept(
        "the exchange's clock steps back by 3 s",
        World(limits=Limits(documented=6000), clocks=Clocks(step_at=70.0, step=-3.0)),
    ),
    Kept(
        "the exchange's clock steps back by 0.5 s",
        World(limits=Limits(documented=6000), clocks=Clocks(step_at=70.0, step=-0.5)),
    ),
    Kept(
        "a 429 with Retry-After 300",
        World(
            limits=Limits(documented=6000, true=0.5),
            refusals=Refusals(retry_after="300"),
            work=(Stream(calls=150),),
        ),
    ),
    Kept(
        "others spend half, evenly",
        World(limits=Limits(documented=6000), others=Others(spend="evenly", part=0.5)),
    ),
    Kept(
        "others spend half, evenly, sliding",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            others=Others(spend="evenly", part=0.5),
        ),
    ),
    Kept(
        "others spend half in bursts, sliding",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            others=Others(spend="bursts", part=0.5),
        ),
    ),
    Kept(
        "others spend half after each cut",
        World(limits=Limits(documented=6000), others=Others(spend="minutely", part=0.5)),
    ),
    Kept(
        "single calls beside a scan, fixed",
        World(
            limits=Limits(documented=6000),
            work=(Stream(calls=250), Stream(calls=20, every=12.0, begin=1.0, single=True)),
        ),
    ),
    Kept(
        "single calls beside a scan, sliding",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            work=(Stream(calls=250), Stream(calls=20, every=12.0, begin=1.0, single=True)),
        ),
    ),
    Kept(
        "two copies without a shared budget, sliding",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            processes=Processes(copies=2),
        ),
    ),
    Kept(
        "two copies without a shared budget, fixed",
        World(limits=Limits(documented=6000), processes=Processes(copies=2)),
    ),
    Kept(
        "a firewall's page, once, in a stream of calls",
        World(
            limits=Limits(documented=6000),
            storm=Storm(kind="wall", at=30.0, pages=1),
            work=(Stream(calls=150, every=0.8, single=True),),
        ),
    ),
    Kept(
        "a process dies with its window full and comes back",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            processes=Processes(die_at=20.0, back_after=0.5),
            work=(Stream(calls=150),),
        ),
    ),
    Kept(
        "a process dies within a burst and comes back",
        World(
            limits=Limits(documented=6000),
            processes=Processes(die_at=0.3, back_after=0.5),
            work=(Stream(calls=150),),
        ),
    ),
    Kept(
        "stopped for 8 s within a burst",
        World(limits=Limits(documented=6000), processes=Processes(stop_at=60.1, stop_for=8.0)),
    ),
    Kept(
        "suspended for 400 s",
        World(
            limits=Limits(documented=6000),
            processes=Processes(stop_at=30.0, stop_for=400.0, suspend=True),
        ),
    ),
    Kept(
        "windows of 300 s",
        World(
            windows=Windows(length=300.0), limits=Limits(documented=6000), work=(Stream(calls=180),)
        ),
    ),
    Kept(
        "windows of 300 s, sliding",
        World(
            windows=Windows(mode="sliding", length=300.0),
            limits=Limits(documented=6000),
            work=(Stream(calls=180),),
        ),
    ),
    Kept(
        "windows of 10 s",
        World(windows=Windows(length=10.0), limits=Limits(documented=6000)),
    ),
    Kept("windows off by 17 s", World(windows=Windows(off=17.0), limits=Limits(documented=6000))),
    Kept(
        "refusals under HTTP 200",
        World(
            limits=Limits(documented=6000, true=0.5),
            refusals=Refusals(status=200),
            work=(Stream(calls=150),),
        ),
    ),
    Kept(
        "a ban that does not say its end",
        World(
            limits=Limits(documented=6000, true=0.5),
            bans=Bans(after=3, lasts=600.0, told=False),
            work=(Stream(calls=150),),
        ),
    ),
    Kept(
        "the very first header says 999999999",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            headers=Headers(say="huge", once=1),
            work=(Stream(calls=130),),
        ),
    ),
    Kept(
        "the second header is the other payer's, in a stream of calls of seven accounts",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            headers=Headers(say="other", once=2),
            work=(Stream(calls=156, every=0.625, single=True),),
            accounts=7,
        ),
    ),
    Kept(
        "the other payer's header always, and single calls",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            headers=Headers(say="other"),
            work=(Stream(calls=130), Stream(calls=25, every=5.0, begin=0.6, single=True)),
        ),
    ),
    Kept(
        "the address pays for what accounts should",
        World(
            limits=Limits(documented=6000),
            charging=Charging(payer="ip"),
            work=(Stream(endpoint="exchange", calls=20),),
            accounts=7,
        ),
    ),
    Kept(
        "a process dies after a cut and comes back, fixed",
        World(
            windows=Windows(phase=1.456),
            limits=Limits(documented=6000),
            processes=Processes(die_at=85.483, back_after=0.1),
            work=(Stream(calls=177),),
        ),
    ),
    Kept(
        "others spend half, and a forecast in the second window",
        World(
            limits=Limits(documented=6000),
            others=Others(spend="evenly", part=0.5),
            work=(Stream(calls=200),),
        ),
    ),
    Kept("twice the limit", World(limits=Limits(documented=6000, true=2.0))),
    Kept(
        "sliding windows as documented, not quite four of them",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            work=(Stream(calls=223),),
        ),
    ),
    Kept(
        "sliding windows as documented, a forecast for the last but one",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            work=(Stream(calls=178),),
        ),
    ),
    Kept(
        "one header of the other payer, and single calls that come later",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            headers=Headers(say="other", once=1),
            work=(Stream(calls=158), Stream(calls=25, every=6.225, begin=0.783, single=True)),
        ),
    ),
    Kept(
        "headers that go backwards, and hardly any way",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            headers=Headers(say="backwards"),
            net=Net(way=0.025, jitter=0.005),
            work=(Stream(calls=110),),
        ),
    ),
    Kept(
        "a tenth of the limit, sliding",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000, true=0.1),
            work=(Stream(calls=60),),
        ),
    ),
    Kept(
        "a process comes back to others, who are its earlier self, and to a full window",
        World(
            windows=Windows(phase=45.839),
            limits=Limits(documented=1500),
            net=Net(way=0.021, jitter=0.001),
            processes=Processes(die_at=109.856, back_after=0.1),
            work=(Stream(calls=65), Stream(calls=14, every=18.653, begin=0.14, single=True)),
        ),
    ),
    Kept(
        "the exchange's clock steps back by 20 s, and one call would fit by what headers said",
        World(
            windows=Windows(phase=9.468),
            limits=Limits(documented=1500),
            net=Net(way=0.033, jitter=0.005),
            clocks=Clocks(step_at=73.095, step=-20.0),
            work=(Stream(calls=60, deadline=190.249),),
        ),
    ),
    Kept(
        "fifty pages of broken nodes where fifteen calls fill a window",
        World(
            windows=Windows(phase=0.764),
            limits=Limits(documented=1500),
            net=Net(way=0.108, jitter=0.084),
            storm=Storm(kind="broken", at=61.108, pages=50),
            work=(Stream(calls=53),),
        ),
    ),
    Kept(
        "four fifths of the limit, sliding",
        World(
            windows=Windows(mode="sliding", phase=48.279),
            limits=Limits(documented=1500, true=0.8),
            work=(Stream(calls=48),),
        ),
    ),
    Kept(
        "address and account are both charged, and two calls fit into a window",
        World(
            windows=Windows(phase=29.348),
            limits=Limits(documented=6000),
            charging=Charging(payer="both"),
            work=(Stream(endpoint="exchange", calls=20),),
            max_wait=20.0,
        ),
    ),
    Kept(
        "headers of three nodes, sliding, and a first window that ends soon",
        World(
            seed=843,
            windows=Windows(mode="sliding", phase=53.21),
            limits=Limits(documented=6000),
            headers=Headers(nodes=3),
            net=Net(way=0.067, jitter=0.01),
            work=(Stream(calls=120),),
        ),
    ),
    Kept(
        "charged five times, in a stream of calls that never follow at once",
        World(
            windows=Windows(mode="sliding"),
            limits=Limits(documented=6000),
            charging=Charging(times=5),
            bans=Bans(after=5),
            work=(Stream(calls=37, every=1.523),),
        ),
    ),
    Kept(
        "charged five times, and answers are so late that no call goes alone",
        World(charging=Charging(times=5), net=Net(way=13.72), work=(Stream(calls=120),)),
    ),
    Kept(
        "charged 100 times, and the first call is refused for its timestamp",
        World(
            limits=Limits(documented=1500),
            charging=Charging(times=100),
            processes=Processes(stop_for=400.0),
            work=(Stream(endpoint="log", calls=45),),
        ),
    ),
    Kept(
        "charged 100 times, and answers get lost",
        World(
            limits=Limits(documented=6000),
            charging=Charging(times=100),
            net=Net(lost_answers=0.15),
            work=(Stream(endpoint="log", calls=180),),
        ),
    ),
    Kept(
        "half of the limit, and what an earlier life has spent looks like others",
        World(
            windows=Windows(phase=27.355),
            limits=Limits(documented=1500, true=0.5),
            bans=Bans(after=3),
            processes=Processes(die_at=100.212),
            work=(Stream(calls=27),),
        ),
    ),
    # Processes that share a budget.
    Kept(
        "Redis is far, and calls that were granted before a firewall's page was known",
        World(
            seed=17,
            windows=Windows(mode="sliding", phase=57.63),
            limits=Limits(documented=1500),
            net=Net(way=0.038, jitter=0.029),
            storm=Storm(kind="wall", at=54.544, pages=3),
            redis=Redis(way=0.02, jitter=0.16),
            work=(
                Stream(calls=54),
                Stream(endpoint="margin", calls=12),
                Stream(endpoint="log", calls=15, every=2.0),
            ),
        ),
    ),
    Kept(
        "Redis forgets while a call asks after a ban, and the answer is far",
        World(
            seed=139,
            windows=Windows(mode="sliding", phase=44.931),
            limits=Limits(documented=6000, true=0.1),
            net=Net(way=11.175, jitter=0.0, timeout=90.0),
            bans=Bans(after=5, lasts=30.0),
            processes=Processes(stop_at=59.9, stop_for=0.5, suspend=True),
            redis=Redis(forgets=(107.766, 178.231), down=3.0),
            work=(
                Stream(calls=60),
                Stream(endpoint="margin", calls=27),
                Stream(endpoint="log", calls=10, every=2.0),
            ),
            max_wait=20.0,
        ),
    ),
    Kept(
        "Redis forgets while a window is full, and there is room as soon as it is back",
        World(
            windows=Windows(phase=53.416),
            limits=Limits(documented=6000),
            charging=Charging(payer="both"),
            redis=Redis(forgets=(120.864,), down=20.0),
            work=(Stream(endpoint="exchange", calls=20),),
        ),
    ),
    Kept(
        "After a ban that nothing explains three calls ask, and the last that went is lost",
        World(
            seed=2000110,
            windows=Windows(phase=43.506),
            limits=Limits(accounts=360000),
            charging=Charging(times=2),
            net=Net(way=0.117, jitter=0.113, lost_answers=0.15),
            storm=Storm(kind="wall", pages=2),
            work=(
                Stream(calls=317),
                Stream(endpoint="margin", calls=68),
                Stream(endpoint="log", calls=79, every=2.0),
            ),
            max_wait=20.0,
        ),
    ),
    Kept(
        "Windows slide, and a header that counts what is just being forgotten looks like others",
        World(
            seed=2005447,
            windows=Windows(mode="sliding", phase=59.282),
            limits=Limits(documented=6000),
            net=Net(way=0.073, jitter=0.044),
            others=Others(spend="evenly", part=0.1),
            work=(Stream(calls=252),),
            accounts=7,
        ),
        frozenset({"foretold too short"}),
    ),
    Kept(
        "A limit of one call is believed, and what that call weighs more looks like others",
        World(
            seed=2004473,
            windows=Windows(mode="sliding", phase=50.037),
            limits=Limits(documented=2400, accounts=72000),
            charging=Charging(times=2),
            net=Net(way=0.028, jitter=0.024),
            storm=Storm(kind="broken", pages=50),
            bans=Bans(after=8),
            work=(
                Stream(calls=37),
                Stream(endpoint="margin", calls=61),
                Stream(endpoint="log", calls=14, every=2.0),
            ),
        ),
    ),
    Kept(
        "Windows are shorter: headers are too low for a weight that is right",
        World(
            seed=2041988,
            windows=Windows(length=10.0, phase=22.962, off=9.218),
            limits=Limits(accounts=360000),
            charging=Charging(times=2),
            net=Net(way=0.069, jitter=0.058),
            work=(Stream(calls=300),),
        ),
    ),
    Kept(
        "Bans that do not say their end, one after another, each shorter than a call may wait",
        World(
            seed=2004543,
            windows=Windows(phase=26.298),
            limits=Limits(accounts=360000, true=0.1),
            net=Net(way=0.043, jitter=0.037),
            bans=Bans(after=3, lasts=600.0, told=False),
            work=(Stream(calls=120), Stream(calls=25, every=10.417, begin=0.14, single=True)),
            max_wait=130.0,
        ),
    ),
    Kept(
        "Pages from in front of the exchange are no proof that a ban is over",
        World(
            seed=2010171,
            windows=Windows(mode="sliding", phase=13.735),
            limits=Limits(documented=6000, true=0.1),
            net=Net(way=0.016, jitter=0.008),
            storm=Storm(kind="broken", at=0.135, pages=5),
            bans=Bans(after=5),
            work=(
                Stream(calls=60),
                Stream(endpoint="margin", calls=27),
                Stream(endpoint="log", calls=10, every=2.0),
            ),
            max_wait=130.0,
        ),
    ),
)
