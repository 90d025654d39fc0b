"""The long forms: `python -m tests.proof.run fuzz soak sockets wire worlds money hostile`, or some.

Each prints how far it got, and fails at the first finding. Fuzzing is bounded by time: what was
reached by then is what is printed. `whole` takes an hour of real time, so it runs only if named.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import itertools
import logging
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from binance_dust.sandbox import Sandbox
from tests.money import draw as money_draw
from tests.money import run as money
from tests.proof.admission import knock, without_a_door
from tests.proof.decoders import readers
from tests.proof.fuzz import fuzz
from tests.proof.hostile import answer_all
from tests.proof.mutations import Mutator
from tests.proof.proxy import Leg, Trouble, What
from tests.proof.soak import Weight, soak
from tests.proof.sockets import soak_sockets
from tests.proof.whole.report import live
from tests.proof.wire import hold_all, measure
from tests.worlds.run import count_all, news, report, show

_HANGS: Final = 120
"""Seconds in which nothing was printed: then all stacks are, and it ends."""
_WORLD: Final = 900
"""The same where it is quiet for a world, and while an operator settles what is open."""
_PART: Final = 100_000


def run_fuzz(options: argparse.Namespace) -> None:
    """Feed every reader, and the sandbox's admission, a million changed samples."""
    done, began = 0, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        rows = [*readers(Path(folder)), without_a_door()]
        for part in itertools.count():
            left = options.seconds - (time.perf_counter() - began)
            wanted = min(_PART, options.inputs - done)
            if wanted <= 0 or left <= 0:
                break
            count = fuzz(rows, seed=options.seed + part, inputs=wanted, seconds=left)
            done += count.inputs
            worst = max(count.slowest.items(), key=lambda item: item[1][0])
            tell(f"fuzz: {done:,} inputs, the slowest {worst[1][0] * 1000:.0f} ms ({worst[0]})")
    right = asyncio.run(knock(seed=options.seed, count=options.knocks))
    tell(f"fuzz: {options.knocks:,} requests on a socket, {right} of them right after all")


def run_soak(options: argparse.Namespace) -> None:
    """Have a desk work through hours of storms and calm, and weigh it."""
    rounds = itertools.count(1)

    def say(weight: Weight) -> None:
        number = next(rounds)
        if number % 6 == 0:
            tell(f"soak: {number // 6} h, {weight}")

    tracemalloc.start()
    try:
        gone = soak(
            seed=options.seed, rounds=options.hours * 6, pace=0.5, newcomers=False, after=say
        )
    finally:
        tracemalloc.stop()
    tenth = max(2, len(gone.weights) // 10)
    # The first round learns: pools, boundaries, caches.
    first, last = gone.weights[1 : tenth + 1], gone.weights[-tenth:]
    for name in Weight.__slots__:
        before, after = (max(getattr(each, name) for each in part) for part in (first, last))
        tell(f"soak: {name} {before:,.0f} in the first tenth, {after:,.0f} in the last")
        slack = 65_536 if name == "memory" else 60
        assert name == "allowance" or after <= before * 1.2 + slack, f"{name} grew"
    tell(f"soak: {gone.seconds / 3600:.1f} h, {gone.conversions} conversions, {dict(gone.calls)}")


def run_sockets(options: argparse.Namespace) -> None:
    """Open and close sessions on sockets that break, and count descriptors."""
    gone = asyncio.run(soak_sockets(seed=options.seed, rounds=options.sessions))
    tell(f"sockets: {gone.struck} of {gone.connections} connections broken, {dict(gone.calls)}")
    tell(f"sockets: descriptors after each session {min(gone.open)} to {max(gone.open)}")
    assert max(gone.open) <= gone.open[0]


def run_wire(options: argparse.Namespace) -> None:
    """Break the line at every single byte of a visit, in every way."""

    async def sweep(what: What, step: int, **more: float | Callable[[bytes], bytes]) -> None:
        legs: tuple[Leg, ...] = ("answer",) if what in _ANSWERS_ONLY else ("request", "answer")
        async with Sandbox(seed=options.seed) as exchange:
            whole = await measure(exchange)
            troubles = [Trouble(what, leg, at) for leg in legs for at in range(0, whole[leg], step)]
            met = 0
            for number, some in enumerate(_parts(troubles, 500), start=1):
                met += await hold_all(exchange, some, **more)  # type: ignore[arg-type]
                exchange.forget_requests()
                done = min(500 * number, len(troubles))
                tell(f"wire: {what}: {met:,} lines broken of {done:,}, and the books agree")

    change = Mutator(options.seed).change
    asyncio.run(sweep("reset", 1))
    asyncio.run(sweep("close", 1))
    asyncio.run(sweep("twice", 7))
    asyncio.run(sweep("echo", 7))
    asyncio.run(sweep("stall", 7, at_once=16, timeout=0.5))
    asyncio.run(sweep("change", 1, at_once=16, timeout=0.5, change=change))


def run_worlds(options: argparse.Namespace) -> None:
    """Play drawn worlds, and count what violates an invariant."""
    jobs = os.cpu_count() or 1
    tally = count_all(options.seed, options.worlds, jobs, None, tell)
    tell(report(tally))
    for kind, seeds in tally.seeds.items():
        tell(show(seeds[0], only=kind))
    assert news(tally) == []
    shared = count_all(options.seed, options.worlds // 10, jobs, None, tell, shared=True)
    tell(f"with a shared budget: {report(shared)}")
    assert news(shared, shared=True) == []


def run_money(options: argparse.Namespace) -> None:
    """Strike ordinary lives at each step, live drawn ones, and count what violates an invariant."""
    jobs = os.cpu_count() or 1
    each = money.count_all_each(jobs, tell)
    tell(money.report(each))
    assert each.found == []
    tally = money.count_all(options.seed, options.lives, jobs, tell)
    tell(money.report(tally))
    for kind, seeds in tally.seeds.items():
        tell(money.show(money_draw.draw(seeds[0]), kind))
    assert money.news(tally) == []


def run_hostile(options: argparse.Namespace) -> None:
    """Ask an exchange in hostile hands, and weigh what each answer costs."""
    logging.disable(logging.NOTSET)  # what is logged is looked at
    for part in range(max(1, options.answers // 1_000)):
        toll = asyncio.run(answer_all(options.seed + part, min(1_000, options.answers)))
        tell(f"hostile: seed {options.seed + part}: {toll}")
        assert toll.wrong == []
        assert toll.mebibytes < 100
        assert toll.slowest[0] < 0.1


def run_whole(options: argparse.Namespace) -> None:
    """Run everything together, in real time, through worlds and kills."""

    def say(text: str) -> None:
        tell(f"whole: {text}")
        faulthandler.dump_traceback_later(_WORLD, exit=True)

    home = options.folder or Path(tempfile.mkdtemp(prefix="dust-whole-"))
    wrong = live(
        home / f"seed-{options.seed}",
        minutes=options.minutes,
        seed=options.seed,
        accounts=options.accounts,
        tell=say,
    )
    assert not wrong, f"{len(wrong)} invariants broken: see {home}"


_ANSWERS_ONLY: Final = ("twice", "echo", "change")
_ALL: Final[dict[str, Callable[[argparse.Namespace], None]]] = {
    "fuzz": run_fuzz,
    "soak": run_soak,
    "sockets": run_sockets,
    "wire": run_wire,
    "worlds": run_worlds,
    "money": run_money,
    "hostile": run_hostile,
    "whole": run_whole,
}
_NAMED_ONLY: Final = ("whole",)


def _parts(troubles: list[Trouble], size: int) -> Iterator[list[Trouble]]:
    for begin in range(0, len(troubles), size):
        yield troubles[begin : begin + size]


def tell(text: str) -> None:
    """Print a line, and begin to wait for the next."""
    print(text, flush=True)
    faulthandler.dump_traceback_later(_HANGS, exit=True)


def main() -> None:
    """Run what is named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.proof.run")
    parser.add_argument(
        "what", nargs="*", choices=[[], *_ALL], help="all but `whole`, unless named"
    )
    parser.add_argument("--seed", type=int, default=8, help="another, another day")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--knocks", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=900.0, help="that fuzzing may take")
    parser.add_argument("--hours", type=int, default=24, help="of virtual time")
    parser.add_argument("--sessions", type=int, default=60)
    parser.add_argument("--worlds", type=int, default=100_000)
    parser.add_argument("--lives", type=int, default=100_000)
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=60.0, help="of real time, for `whole`")
    parser.add_argument("--accounts", type=int, default=240, help="for `whole`")
    parser.add_argument("--folder", type=Path, help="where `whole` keeps what it saw")
    options = parser.parse_args()
    logging.disable()
    tell(f"seed {options.seed}, process {os.getpid()}")
    for name in options.what or [name for name in _ALL if name not in _NAMED_ONLY]:
        _ALL[name](options)
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main()
