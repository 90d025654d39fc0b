"""Why a world can't be better: what it deviates in, which invariant, and the reason.

`docs/explanation/weights-and-windows.md` tells the same. A violation without a reason here makes
the proof fail, with its seed. Worlds in which several things are off at once may each hide what
would show the other; not each of them was looked into. They are counted, and may be so many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from binance_dust.budget._pool import PATIENCE
from tests.worlds.invariants import Violation
from tests.worlds.play import Play
from tests.worlds.process import BANNED, REFUSED, WALLED
from tests.worlds.world import WINDOW

MOST_UNEXPLAINED: Final = 1 / 20
"""Part of the worlds with several deviations that may violate something for no reason below."""
MOST_ALONE: Final = 1 / 2_000
"""Part of the others that may: mostly slower than allowed by a hair."""
DOCUMENTED: Final = "documented"
"""What a world "deviates" in that does as documented."""
_CALLS: Final = 20
_BANNED, _AGAIN, _SLOW = "a second ban", "refused again and again", "slow"
_SILENCE: Final = "waited in silence"
_SENT_INTO: Final = frozenset({"sent into a refusal", "sent into a ban", "knocked at a wall"})


@dataclass(frozen=True, slots=True)
class Known:
    """Why an invariant does not hold in some worlds."""

    kinds: frozenset[str]
    deviates: str
    why: str
    when: Callable[[Play], bool] = lambda _: True

    def explains(self, play: Play, kind: str) -> bool:
        """Say whether this is the reason of a violation."""
        deviates = play.world.deviates or {DOCUMENTED}
        return kind in self.kinds and self.deviates in deviates and self.when(play)


def _in_turn(play: Play) -> bool:
    return not play.shared


def _no_count(play: Play) -> bool:
    headers = play.world.headers
    return headers.nodes > 1 or headers.say in {"backwards", "late"}


def _silent(play: Play) -> bool:
    return play.world.headers.say in {"missing", "minus", "one", "other", "huge"}


def _untold(play: Play) -> bool:
    died, trips = play.world.processes.die_at, 2 * play.world.redis_trip
    return play.shared and any(
        sent.process == 0 and sent.end in {REFUSED, BANNED, WALLED} and died - trips <= sent.heard
        for sent in play.notes.sent
        if sent.heard is not None
    )


def _several(play: Play) -> bool:
    return play.shared and bool(play.world.deviates & {"copies", "deaths"})


def _once_a_life(play: Play) -> bool:
    world = play.world
    died = world.processes.die_at + world.net.way + world.net.jitter
    before = sum(begin <= died for begin, _ in play.exchange.bans)
    return not play.shared and max(before, len(play.exchange.bans) - before) <= 1


def _unmeasured(play: Play) -> bool:
    return _no_count(play) and "weight" in play.world.deviates


def _slowly_told(play: Play) -> bool:
    world = play.world
    return world.payers(world.main) == ("uid",) and (
        "latency" in world.deviates or world.headers.say in {"missing", "minus", "other"}
    )


def _accounts_are_said_to_pay(play: Play) -> bool:
    return play.world.main.payer == "uid"


def _a_quarter(play: Play) -> bool:
    return play.world.windows.mode == "fixed" and play.seconds <= play.least + WINDOW / 4


def _asked_again(play: Play) -> bool:
    return bool(play.world.deviates & {"losses", "latency"})


def _at_the_cut(play: Play) -> bool:
    return play.world.others.spend == "minutely"


def _late(play: Play) -> bool:
    return play.world.net.round_trip > WINDOW * PATIENCE


def _unheard(play: Play) -> bool:
    odd = play.world.deviates & {"weight", "payer", "window"}
    return bool(odd) and (_silent(play) or _no_count(play))


def _once(play: Play) -> bool:
    return play.exchange.refused == 1 and play.world.clocks.step < 0


def _few(play: Play) -> bool:
    world = play.world
    left = world.limit("ip") * (1 - world.others.part)
    return left < _CALLS * world.charged(world.main) or world.others.spend != "evenly"


KNOWN: Final[tuple[Known, ...]] = (
    Known(
        frozenset({_BANNED, _AGAIN, _SLOW, _SILENCE}),
        "copies",
        "Copies that share nothing see one another only in headers of calls that are already spent."
        " What two of them send within one round trip after a cut, neither can know.",
        _in_turn,
    ),
    Known(
        frozenset({"banned for nothing", "refused for nothing", _SLOW}),
        "headers",
        "A header that is made up, old, or counts a part of the calls only is right as often as"
        " chance wants, and then it is believed.",
        _no_count,
    ),
    Known(
        frozenset({_SLOW, _SILENCE}),
        "headers",
        "Headers always name the address although accounts pay. That lets less through, so that it"
        " is believed, and nothing that is sent then can refute it. Each account waits for all.",
        lambda play: play.world.headers.say == "other" and play.world.main.payer == "uid",
    ),
    Known(
        frozenset({"banned for nothing", "refused for nothing", _SLOW}),
        "deaths",
        "A process that died has forgotten what it spent, and no header tells it.",
        _silent,
    ),
    Known(
        frozenset({_SLOW}),
        "deaths",
        "What a process spent before it died looks like the spending of others, and they are left"
        " their part for up to ten windows.",
    ),
    Known(
        frozenset({_BANNED}),
        "deaths",
        "A process that died has forgotten what was learnt from a ban: the same may come once more"
        " in its second life.",
        _once_a_life,
    ),
    Known(
        frozenset({_BANNED, _AGAIN}),
        "headers",
        "Headers that don't count what we count can't tell what a call weighs, and that others, who"
        " seem to spend, are the weight itself.",
        _unmeasured,
    ),
    Known(
        frozenset({_SLOW, _SILENCE}),
        "payer",
        "That accounts pay lets more through: sixteen answers have to say so, and then three calls"
        " at a time go, until more was let in than the address has. Where answers take long, or"
        " have no header, that takes long.",
        _slowly_told,
    ),
    Known(
        frozenset({"sent into a refusal"}),
        "payer",
        "Accounts are said to pay: after the refusal of one of them another one asks.",
        _accounts_are_said_to_pay,
    ),
    Known(
        _SENT_INTO,
        "deaths",
        "A process heard of a refusal and died before it could tell the others.",
        _untold,
    ),
    Known(
        _SENT_INTO,
        "payer",
        "Processes that share a budget share what they spent, but each learns by itself who pays.",
        _several,
    ),
    Known(
        frozenset({_BANNED, _AGAIN, _SLOW, "sent into a refusal"}),
        "latency",
        "An answer takes longer than the others wait for it, a twelfth of a window. What it tells"
        " comes when the next calls have left.",
        _late,
    ),
    Known(
        frozenset({_BANNED, _AGAIN, _SLOW}),
        "headers",
        "Who pays, what calls weigh and how long windows are is seen in headers only. Where these"
        " are missing or made up, refusals alone tell that something is wrong, and not what.",
        _unheard,
    ),
    Known(
        frozenset({"a single call waited"}),
        DOCUMENTED,
        "If all that a scan still wants fits in, it takes what is kept for single calls. In its"
        " first window it does so before the first cut that there might be, though windows slide.",
    ),
    Known(
        frozenset({_SLOW}),
        DOCUMENTED,
        "Until a cut was seen to hold, what was spent before it counts as in a window that slides."
        " After a few calls in its last seconds that takes up to a quarter of a window.",
        _a_quarter,
    ),
    Known(
        frozenset({"refused for nothing"}),
        "clocks",
        "The exchange's clock was set back before a cut was seen to hold. That windows are fixed is"
        " not known then, and by time the window is empty: one call asks.",
        _once,
    ),
    Known(
        frozenset({"refused for nothing"}),
        "deaths",
        "A process that comes back asks once for each endpoint. If the answer is late, or lost, it"
        " asks again.",
        _asked_again,
    ),
    Known(
        frozenset({_SLOW}),
        "others",
        "Others who spend in one burst at the beginning of a window look as if more were to come,"
        " and that is left to them until some windows have shown otherwise.",
        _at_the_cut,
    ),
    Known(
        frozenset({_SLOW}),
        "headers",
        "Where no header tells, windows are taken to slide: what a cut sets free is not used.",
        _silent,
    ),
    Known(
        frozenset({"foretold too short"}),
        "others",
        "Others leave room for a few calls: whether it is enough for one more is chance. And bursts"
        " are not foretold from what was seen between them.",
        _few,
    ),
)


def reason(play: Play, violation: Violation) -> Known | None:
    """Find why a violation can't be helped."""
    return next((each for each in KNOWN if each.explains(play, violation.kind)), None)
