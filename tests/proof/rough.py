"""A world in virtual time whose ways are rough while a storm lasts, and smooth when it is over."""

from __future__ import annotations

import asyncio
import random
from typing import Any, Final

from multidict import CIMultiDict

from binance_dust import NoAnswerError, NotSentError
from binance_dust._answers.judge import Answer
from binance_dust._call import wire
from tests.proof.mutations import Mutator
from tests.simulation.world import SimulatedWorld, WorldTransport

_TIMEOUT: Final = 30.0
_LIST: Final = "GET /sapi/v1/margin/exchange-small-liability"
_WRONG_HEADERS: Final = ("-1", "0", "1", "11999", "999999999", "many", "", "1e3", "٣")

_WRONG_WAITS: Final = ("0", "1", "-1", "soon", "")
"""None of them long: what is told to wait for hours waits for hours."""


class RoughWorld(SimulatedWorld):
    """The exchange is as good as ever; what lies between, and happens to it, is not."""

    def __init__(self, *, seed: int, **rules: Any) -> None:
        """Begin in calm weather."""
        super().__init__(seed=seed, **rules)
        self.dice = random.Random(f"{seed}/weather")  # noqa: S311 - to be repeated
        self.mutator = Mutator(f"{seed}/rough")
        self.stormy = False
        self.struck: dict[str, int] = {}
        """How often each kind of trouble came."""
        self.lied_to: set[str | None] = set()
        """Who got an answer that was changed: into a success or a refusal, perhaps."""

    def transport(self) -> WorldTransport:
        """Make a rough transport."""
        return _RoughTransport(self)

    def strike(self, kind: str) -> None:
        """Count one trouble."""
        self.struck[kind] = self.struck.get(kind, 0) + 1

    async def storm(self, seconds: float) -> None:
        """Let things happen to the exchange at random moments; leave it well at the end."""
        self.stormy = True
        faults, dice = self.exchange.faults, self.dice
        end = self.loop.time() + seconds
        while (now := self.loop.time()) < end:
            await asyncio.sleep(min(end - now, dice.expovariate(1 / 10)))
            match dice.choice(("spend", "spend", "jump", "ban", "close", "open", "refuse", "fail")):
                case "spend":
                    faults.spend(_LIST, dice.randrange(100, 6_000, 100))
                case "jump":
                    faults.jump_clock(dice.choice((-40.0, -4.0, -0.5, 0.5, 4.0, 40.0)))
                case "ban":
                    faults.ban(dice.uniform(1.0, 50.0))
                case "close":
                    faults.maintenance()
                case "open":
                    faults.maintenance(on=False)
                case "refuse":
                    wait = dice.choice((0, 1, 20, None, "soon", "Fri, 15 Jan 2027 08:00:30 GMT"))
                    faults.refuse(dice.choice((429, 418)), retry_after=wait, times=3)
                case "fail":
                    code = dice.choice((None, -1000, -1001, -1007, -1008, -1021, -5012, 777))
                    # "Not now" and "not on time" say that nothing was done, and are not lies.
                    done = code not in (-1008, -1021) and dice.random() < 0.5
                    faults.fail(503, code=code, after_executing=done, times=3)
        faults.clear()
        self.stormy = False


class _RoughTransport(WorldTransport):
    """Loses, delays and spoils what passes, during a storm."""

    def __init__(self, world: RoughWorld) -> None:
        super().__init__(world)
        self._rough = world

    async def send(self, request: wire.Request, *, within: float | None = None) -> Answer:
        # What was noted for other tests would grow without end.
        self._rough.sent.clear()
        title, patience = request.endpoint.title, min(_TIMEOUT, within or _TIMEOUT)
        if self._happens("not sent"):
            raise NotSentError("no connection", endpoint=title, account=request.account)
        if self._happens("lost on the way there"):
            await asyncio.sleep(patience)
            raise NoAnswerError("no answer", endpoint=title, account=request.account)
        try:
            async with asyncio.timeout(patience):
                answer = await super().send(request, within=within)
                if self._happens("slow"):
                    await asyncio.sleep(self._rough.dice.uniform(0.0, 2 * _TIMEOUT))
        except TimeoutError:
            answer = None
        if answer is None or self._happens("lost on the way back"):
            raise NoAnswerError("no answer", endpoint=title, account=request.account)
        return self._spoilt(request, answer)

    def _spoilt(self, request: wire.Request, answer: Answer) -> Answer:
        world, headers, body = self._rough, CIMultiDict(answer.headers), answer.body
        if self._happens("header"):
            for name in list(headers):
                wrong = _WRONG_WAITS if name == "Retry-After" else _WRONG_HEADERS
                headers[name] = world.dice.choice(wrong)
        # Spoilt bodies of refusals could tell of a ban for days, and calm would never come.
        if answer.status == 200 and self._happens("body"):
            body = world.mutator.change(body)
            world.lied_to.add(request.account)
        return Answer(answer.status, headers, body, answer.sent, answer.received)

    def _happens(self, kind: str, odds: float = 0.04) -> bool:
        if not self._rough.stormy or self._rough.dice.random() >= odds:
            return False
        self._rough.strike(kind)
        return True
