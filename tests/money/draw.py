"""A life from one integer: programs of ours, and from none to four things that befall them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Literal, get_args

from tests.money.life import Deed, Fate, Job, Life, Line, Program, Rules, Storage, Stroke

Dice = random.Random
_ASSETS: Final = ("ADA", "XRP", "DOGE", "TRX", "LINK")
_FATES: Final[tuple[Fate, ...]] = tuple(fate for fate in get_args(Fate) if fate)
_UIDS: Final[tuple[Literal["told", "refused", "lost"], ...]] = (
    *("told",) * 9,
    "refused",
    "lost",
)
_SLOW: Final[tuple[Fate, ...]] = (
    "late request",
    "late execution",
    "late answer",
    "lost request",
    "lost answer",
    "unclear, not done",
)
_CONVERSIONS: Final[tuple[Job, ...]] = ("convert", "gather", "sell", "clean", "clean")
_DEBTS: Final[tuple[Job, ...]] = ("debts", "repay", "repay")
_FUNDING: Final = ((), ("DOGE",), ("DOGE", "TRX"), ("ADA", "DOGE", "TRX"))
_LARGE: Final[tuple[tuple[str, ...], ...]] = ((), ("LTC",), ("LTC", "SOL"))
_MARGIN: Final[tuple[tuple[str, ...], ...]] = (
    (),
    ("USDT",),
    ("USDT", "ETH"),
    ("USDT", "ETH", "XRP"),
)
_READERS: Final[tuple[tuple[Job, ...], ...]] = (
    ("sync",),
    ("recover",),
    ("sync", "convert"),
    ("recover", "convert"),
    ("sweep",),
)
_JOBS: Final[tuple[tuple[Job, ...], ...]] = (
    ("convert",),
    ("convert",),
    ("convert", "recover"),
    ("convert", "convert"),
    ("convert", "sync"),
    ("convert", "recover", "sync"),
    ("recover", "convert"),
    ("sync", "convert"),
    ("sync", "recover"),
    ("sweep",),
    ("sweep", "sweep"),
    ("recover", "sweep"),
    ("debts",),
    ("debts", "recover"),
    ("debts", "convert"),
    ("sync",),
    ("recover",),
)


def draw(seed: int) -> Life:
    """Draw a life."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    life = Life(seed=seed, programs=_programs(dice), rules=_rules(dice), line=_line(dice))
    for name in dice.choices(
        sorted(BEFALLS), k=dice.choices([0, 1, 2, 3, 4], [6, 34, 32, 18, 10])[0]
    ):
        life = replace(life, **BEFALLS[name](life, dice))
    # With dice of its own: every second life is as it was before there was anything beside dust.
    beside = random.Random(f"{seed}/beside")  # noqa: S311 - to be repeated
    return _beside_dust(life, beside) if beside.random() < 0.5 else life


def _beside_dust(life: Life, dice: Dice) -> Life:
    """Let programs also gather, sell and repay, and the owner do the same."""

    def job(name: Job) -> Job:
        if name == "convert":
            return dice.choice(_CONVERSIONS)
        return dice.choice(_DEBTS) if name == "debts" else name

    rules = replace(
        life.rules,
        funding=dice.choice(_FUNDING),
        large=dice.choice(_LARGE),
        margin=dice.choice(_MARGIN),
        debts=life.rules.debts or dice.choice([(), ("ETH",)]),
        sale_seconds=dice.choice([0.0, 0.0, 0.0, 3.0, 15.0, 60.0]),
    )
    programs = tuple(
        replace(each, jobs=tuple(job(name) for name in each.jobs)) for each in life.programs
    )
    owner = tuple(_other_deed(deed, rules, dice) for deed in life.owner)
    return replace(life, rules=rules, programs=programs, owner=owner)


def _other_deed(deed: Deed, rules: Rules, dice: Dice) -> Deed:
    what = dice.choice([deed.what, "fund", "gather", "sell", "repay"])
    assets = {"fund": rules.funding, "gather": rules.funding, "sell": rules.large}.get(
        what, rules.margin if what == "repay" else deed.assets
    )
    return replace(deed, what=what, assets=assets or deed.assets)


def _programs(dice: Dice) -> tuple[Program, ...]:
    count = dice.choices([1, 2, 3], [45, 41, 14])[0]
    target = dice.choice(["BNB", "BNB", "USDT"])
    programs = []
    for number in range(count):
        begin = dice.choice([0.0, dice.uniform(0.0, 1.0), dice.uniform(0.0, 20.0)])
        begin = dice.choice([begin, begin, dice.uniform(30.0, 150.0)]) if number else 0.0
        programs.append(Program(jobs=dice.choice(_JOBS), begin=_cut(begin), target=target))
    return tuple(programs)


def _rules(dice: Dice) -> Rules:
    debts = ("ETH", "XRP", "DOGE")[: dice.choice([0, 1, 2, 3])]
    return Rules(
        balances=_ASSETS[: dice.choice([1, 2, 2, 3, 5])],
        debts=debts,
        log_lag=dice.choice([0.0, 0.0, 0.0, 1.0, 5.0, 20.0, 45.0]),
        cooldown=dice.choice([0.0, 0.0, 0.0, 30.0, 3600.0]),
        uid=_UIDS[dice.randrange(len(_UIDS))],
    )


def _line(dice: Dice) -> Line:
    way = _cut(dice.choice([0.03, 0.03, 0.03, 0.3, 1.5]) * dice.uniform(0.5, 1.0))
    return Line(way=way, jitter=_cut(way * dice.random()))


def _stroke(life: Life, dice: Dice) -> dict[str, Any]:
    what: Literal["crash", "freeze", "cancel"] = dice.choice(["crash", "crash", "freeze", "cancel"])
    process = dice.randrange(len(life.programs))
    step = dice.randint(1, dice.choice([40, 60, 60, 80, 200]))
    after = _cut(dice.choice([0.0, 0.0, dice.uniform(0.001, 0.05), dice.uniform(0.0, 12.0)]))
    lasts = 0.0
    programs = list(life.programs)
    if what == "freeze":
        lasts = dice.choice([0.5, 4.0, 8.0, 31.0, 36.0, 60.0, 95.0, 130.0, 400.0])
    if what == "crash":
        back = dice.choice([0.0, 0.1, 5.0, 40.0, 120.0])
        programs[process] = replace(programs[process], back_after=back)
    stroke = Stroke(what=what, process=process, step=step, after=after, lasts=lasts)
    return {"strokes": (*life.strokes, stroke), "programs": tuple(programs)}


def _call(life: Life, dice: Dice) -> dict[str, Any]:
    fates: list[Fate] = [dice.choice(_FATES) for _ in range(dice.choice([1, 1, 2]))]
    if dice.random() < 0.3:
        fates.insert(0, "")
    late = dice.choice([0.5, 2.0, 4.0, 4.8, 5.2, 9.0, 20.0, 40.0])
    return {"line": replace(life.line, writes=tuple(fates), late=late)}


def _losses(life: Life, dice: Dice) -> dict[str, Any]:
    return {"line": replace(life.line, lost=dice.choice([0.05, 0.2, 0.5]))}


def _owner(life: Life, dice: Dice) -> dict[str, Any]:
    sent = life.line.way * 8 + 0.1
    at = dice.choice(
        [dice.uniform(0.5, 1.5) * sent, dice.uniform(0.0, 12.0), dice.uniform(10.0, 130.0)]
    )
    assets = life.rules.balances
    if dice.random() < 0.3:
        assets = tuple(dice.sample(assets, dice.randint(1, len(assets))))
    deed = Deed(
        what=dice.choice(["convert", "convert", "deposit", "withdraw", "exchange"]),
        at=_cut(at),
        assets=assets,
        target=dice.choice([life.programs[0].target, life.programs[0].target, "BNB"]),
    )
    return {"owner": (*life.owner, deed)}


def _race(life: Life, dice: Dice) -> dict[str, Any]:
    """Let the owner convert the same while a call is on its way, and somebody read the log."""
    sent = life.line.way * 9 + 0.1
    late = dice.choice([1.0, 3.0, 4.5, 4.9, 6.0, 20.0])
    fate = dice.choice(_SLOW)
    assets = life.rules.balances
    if life.programs[0].target != "BNB" and dice.random() < 0.7:
        assets = assets[:1]
    deed = Deed(
        at=_cut(sent + dice.uniform(-0.3, late)), assets=assets, target=life.programs[0].target
    )
    reader = dice.choice(_READERS)
    begin = _cut(sent + dice.uniform(-0.2, late + 1.0))
    programs = (
        *life.programs[:1],
        Program(jobs=reader, begin=begin, target=life.programs[0].target),
    )
    if life.programs[0].jobs[0] not in ("convert", "sweep"):
        programs = (replace(life.programs[0], jobs=("convert",)), programs[1])
    return {
        "line": replace(life.line, writes=(fate,), late=late),
        "owner": (deed,),
        "programs": (*programs, *life.programs[2:]),
    }


def _suspend(life: Life, dice: Dice) -> dict[str, Any]:
    at = dice.choice([dice.uniform(0.0, 1.0), dice.uniform(0.0, 15.0)])
    lasts = dice.choice([3.0, 20.0, 31.0, 40.0, 100.0, 3600.0])
    return {"machine": replace(life.machine, suspend_at=_cut(at), suspend_for=lasts)}


def _wall(life: Life, dice: Dice) -> dict[str, Any]:
    far = [-3600.0, -100.0, -2.0, 2.0, 50.0, 100.0, 86_400.0 * 365]
    if dice.random() < 0.4:
        return {"machine": replace(life.machine, wall=dice.choice(far))}
    at = _cut(dice.choice([dice.uniform(0.0, 1.0), dice.uniform(0.0, 30.0)]))
    return {"machine": replace(life.machine, step=dice.choice(far), step_at=at)}


def _disk(life: Life, dice: Dice) -> dict[str, Any]:
    return {"machine": replace(life.machine, slow_disk=dice.choice([0.002, 0.05, 1.0, 7.0]))}


def _storage(life: Life, dice: Dice) -> dict[str, Any]:
    fails: Literal["kill", "power", "full", "once"] = dice.choice(["kill", "power", "full", "once"])
    storage = Storage(
        fails=fails,
        at_write=dice.randint(1, dice.choice([40, 100, 250])),
        lasts=dice.choice([0.5, 20.0, 100.0]) if fails == "full" else 0.0,
        new=dice.random() < 0.3,
    )
    back = dice.choice([0.0, 0.1, 5.0, 40.0])
    programs = tuple(replace(program, back_after=back) for program in life.programs)
    return {"storage": storage, "programs": programs}


def _files(life: Life, dice: Dice) -> dict[str, Any]:
    """Let somebody harm the file; who opens it after that is of another machine, or comes alone."""
    files: Literal["no log", "no side files", "restored", "cut"] = dice.choice(
        ["no log", "no side files", "restored", "cut"]
    )
    at = dice.choice([dice.uniform(0.0, 1.0), dice.uniform(0.0, 12.0)])
    programs = tuple(
        replace(program, ledger=0, back_after=0.0, begin=0.0) for program in life.programs
    )
    return {"storage": Storage(files=files, files_at=_cut(at)), "programs": programs}


def _keys(life: Life, dice: Dice) -> dict[str, Any]:
    ways: tuple[tuple[str, str], ...] = (
        ("first", "other name"),
        ("first", "renewed"),
        ("unnamed", "rotated"),
        ("first", "unnamed"),
        ("first", "namesake"),
        ("first", "bob"),
    )
    if life.rules.uid != "told":
        # Two names of one account are then two accounts, for all that anybody knows.
        ways = (("first", "renewed"), ("first", "namesake"), ("first", "bob"))
    way = dice.choice(ways)
    keys = [way[0], *(dice.choice(way) for _ in life.programs[1:])]
    programs = [replace(program, key=key) for program, key in zip(life.programs, keys, strict=True)]
    if len(programs) == 1:
        begin = _cut(dice.choice([dice.uniform(0.0, 2.0), dice.uniform(5.0, 150.0)]))
        programs.append(replace(programs[0], key=way[1], begin=begin))
    return {"programs": tuple(programs)}


def _ledgers(life: Life, dice: Dice) -> dict[str, Any]:
    programs = [replace(program, ledger=dice.choice([0, 1])) for program in life.programs]
    return {"programs": tuple(programs)}


BEFALLS: Final[dict[str, Callable[[Life, Dice], dict[str, Any]]]] = {
    "stroke": _stroke,
    "second stroke": _stroke,
    "third stroke": _stroke,
    "fourth stroke": _stroke,
    "fifth stroke": _stroke,
    "call": _call,
    "call again": _call,
    "losses": _losses,
    "owner": _owner,
    "owner again": _owner,
    "race": _race,
    "race again": _race,
    "suspend": _suspend,
    "wall": _wall,
    "disk": _disk,
    "keys": _keys,
    "ledgers": _ledgers,
    "storage": _storage,
    "storage again": _storage,
    "files": _files,
}


def _cut(value: float) -> float:
    return round(value, 3)
