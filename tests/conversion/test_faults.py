"""Faults at every step, combined, with processes that die in between. Crosses all modules."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from binance_dust import DustError
from tests.conversion.far import (
    ASSETS,
    CONVERT,
    DUST,
    LIST,
    LOG,
    MEMORY,
    FarProcess,
    FarWorld,
    Killed,
    Mortal,
    check_books,
    entries_of,
    run_with_deaths,
)

TIME = "/api/v3/time"
WRITES = (DUST, CONVERT)


class ArmedFault(NamedTuple):
    """One fault, to be armed before a round."""

    name: str
    endpoint: str
    options: dict[str, Any]

    def arm(self, world: FarWorld) -> None:
        options = {"endpoint": self.endpoint} | self.options
        if self.name == "no connection":
            world.refuse_connections += 2
        elif self.name == "delay":
            world.exchange.faults.delay(options.pop("seconds"), **options)
        else:
            getattr(world.exchange.faults, self.name)(**options)


times = st.fixed_dictionaries({"times": st.integers(1, 3), "skip": st.integers(0, 2)})
after = st.booleans().map(lambda value: {"after_executing": value})
plain = st.sampled_from(["cut_body", "garble_body", "wrong_shape", "html_403"])
errors = st.tuples(
    st.sampled_from([500, 502, 503, 504]), st.sampled_from([None, -1000, -1001, -1006, -1007])
).map(lambda both: {"status": both[0], "code": both[1]})
definite = st.sampled_from(
    [{"code": -5001}, {"code": -5002}, {"code": -5006}, {"code": -1021}, {"code": -1008}]
).map(lambda code: {"status": 400, "after_executing": False} | code)
legs = st.sampled_from(["request", "execution", "answer"]).map(lambda leg: {"on": leg})
seconds = st.floats(0.1, 25).map(lambda value: {"seconds": value})


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda found: {k: v for part in found for k, v in part.items()})


anywhere = st.sampled_from([*WRITES, *WRITES, LOG, ASSETS, LIST, TIME])
troubles = st.one_of(
    st.builds(ArmedFault, st.just("lose_answer"), anywhere, merged(times, after)),
    st.builds(ArmedFault, st.just("fail"), anywhere, merged(times, after, errors)),
    st.builds(ArmedFault, st.just("fail"), st.sampled_from(WRITES), merged(times, definite)),
    st.builds(ArmedFault, plain, anywhere, times),
    st.builds(ArmedFault, st.just("convert_nothing"), st.sampled_from(WRITES), times),
    st.builds(ArmedFault, st.just("delay"), anywhere, merged(times, legs, seconds)),
    st.builds(ArmedFault, st.just("refuse"), anywhere, times),
    st.builds(ArmedFault, st.just("no connection"), anywhere, st.just({})),
)
deaths = st.none() | st.integers(1, 14)


class Round(NamedTuple):
    """One attempt at a conversion, and one at finding out how it ended."""

    troubles: list[ArmedFault]
    converter_dies: int | None
    recoverer_dies: int | None
    target: str


rounds = st.builds(
    Round,
    st.lists(troubles, max_size=3),
    deaths,
    deaths,
    st.sampled_from(["BNB", "BNB", "USDT"]),
)


async def live(world: FarWorld, alice: Any, path: Path, turn: Round, *, recover: bool) -> None:
    async with FarProcess(world, alice, path, target=turn.target) as process:
        work = process.converter.recover() if recover else process.convert_all()
        dies = turn.recoverer_dies if recover else turn.converter_dies
        mortal = Mortal(work, dies)
        try:
            await mortal
        except Killed:
            note(f"killed at step {mortal.steps} of {'recover' if recover else 'convert'}")
        except DustError as error:
            note(f"{type(error).__name__}: {error}")
        if not recover:
            # What was sent arrives even if the sender died; some of it is late.
            await asyncio.sleep(1.0)
        # A process that was killed does not clean up: what it left is buried at the very end.
        graves.append(mortal)


graves: list[Mortal] = []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    plan=st.lists(rounds, min_size=1, max_size=3),
    lag=st.sampled_from([0.0, 5.0, 50.0]),
    wrong_clock=st.sampled_from([0.0, -7.0, 30.0, -3600.0, 86400.0]),
    seed=st.integers(0, 9),
)
def test_under_any_faults_each_intent_happens_at_most_once_and_the_books_are_right(
    plan: list[Round], lag: float, wrong_clock: float, seed: int
) -> None:
    async def main(path: Path) -> None:
        world = FarWorld(
            cooldown=0.0, log_lag=lag, wrong_clock=wrong_clock, seed=seed, volatility="0"
        )
        alice = world.exchange.accounts.open("alice", {"BNB": "0.1"})
        for turn in plan:
            for asset in ("ADA", "XRP", "LTC"):
                world.exchange.accounts["alice"].deposit(asset, "0.031")
            for trouble in turn.troubles:
                trouble.arm(world)
            await live(world, alice, path, turn, recover=False)
            await live(world, alice, path, turn, recover=True)
            world.exchange.faults.clear()
            world.refuse_connections = 0
            # The next attempt, and an open entry may still stand in its way.
            await live(world, alice, path, turn._replace(converter_dies=None), recover=False)

        await asyncio.sleep(100)
        await world.quiet()
        async with FarProcess(world, alice, path) as process:
            before = len(world.conversions())
            await process.converter.recover()
            assert len(world.conversions()) == before
            for entry in await entries_of(process.ledger):
                note(f"{entry.id} {entry.status} {entry.assets} {entry.reason}")
                assert not entry.open
                made = [
                    each
                    for each in world.conversions()
                    if each.transaction_id == entry.transaction_id
                ]
                assert len(made) == (1 if entry.status == "confirmed" else 0)
            await check_books(world, process.ledger)
        while graves:
            graves.pop().bury()
        # Generators that were left standing are closed by the loop, in tasks of its own.
        await asyncio.sleep(0.1)

    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        run_with_deaths(main(Path(folder) / "dust.db"))
