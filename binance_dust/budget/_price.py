"""What calls really cost: the documented weight, or what lone calls were seen to add.

A call that goes alone, after the answer to one that went alone, adds its weight to the header, and
what others spend in between. Others don't spend the same each time, so the same difference three
times in a row is the weight. A higher weight than documented lets less through, so that three are
enough; a lower one needs more of them. Any header that is too low for a higher weight refutes it.
"""

from __future__ import annotations

import math
from typing import Final

SAME: Final = 3
"""Equal differences in a row that prove a higher weight."""
SAME_LOWER: Final = 12
"""Those that prove a lower one."""
STEPS: Final = 6
"""Of fewer headers all may happen to differ by multiples of twice or three times the weight."""
CERTAIN: Final = 4_096
"""Headers of one moment that differ by multiples of another weight prove it when that many to one
would have to be an accident."""
ASKS: Final = 6
"""So many calls go alone at the most while a weight is in doubt: not each of them tells."""


class Price:
    """What calls of one documented weight cost."""

    __slots__ = ("_asks", "_refuted", "_seen", "_times", "documented", "weight")

    def __init__(self, documented: int) -> None:
        """Start as documented, and look at the first calls."""
        self.documented: int = documented
        self.weight: int = documented
        """The weight that is believed."""
        self._seen = documented
        self._times = 0
        self._asks = ASKS
        """So many more calls go alone while the weight is in doubt."""
        self._refuted = False
        """Whether a header was too low for it, and no lone call has added it since."""

    @property
    def in_doubt(self) -> bool:
        """Whether the last lone call added something else, and the next may tell."""
        return self._seen != self.weight and self._asks > 0

    def doubt(self) -> None:
        """Look at the next calls again, until one adds what is believed."""
        self._asks, self._seen, self._times = ASKS, 0, 0

    def refute(self) -> None:
        """Take a header that is too low for it: windows may be shorter, too."""
        self.doubt()
        self._refuted = True

    def disprove(self) -> None:
        """Take two headers of one moment that differ by less: no call weighs so much."""
        self._refuted, self._asks = True, 0

    def asked(self) -> None:
        """Record that a lone call was answered which could have told, whatever it did tell."""
        self._asks = max(0, self._asks - 1)

    @property
    def given_up(self) -> bool:
        """Whether a header was too low for it, and no lone call could confirm it."""
        return self._refuted and self._asks == 0

    def again(self, weight: int) -> bool:
        """Whether a lone call added what is believed, and nothing is asked any more."""
        return self._asks == 0 and weight == self._seen == self.weight

    def added(self, weight: int) -> bool:
        """Record what a lone call added; return whether another weight is believed now."""
        self._times = self._times + 1 if weight == self._seen else 1
        self._seen = weight
        if weight == self.weight:
            self._refuted = False
            return False
        needed = SAME if weight >= self.documented else SAME_LOWER
        if self._times < needed:
            return False
        self.learn(weight)
        return True

    def learn(self, weight: int) -> None:
        """Believe what calls have added."""
        self.weight = self._seen = weight
        self._refuted = False

    def __repr__(self) -> str:
        return f"<Price {self.weight}, documented {self.documented}>"


class Prices:
    """What calls cost in one pool, by their documented weights."""

    __slots__ = (
        "_admitted",
        "_base",
        "_before",
        "_compared",
        "_doubted",
        "_first",
        "_last",
        "_prices",
        "_step",
        "_steps",
        "doubtful",
        "learnt",
        "newest",
    )

    newest: Price
    """The one that was learnt last."""

    def __init__(self) -> None:
        """Start as documented."""
        self._prices: dict[int, Price] = {}
        self._admitted = 0
        """Calls that were admitted."""
        self.doubtful: bool = False
        """Whether any weight is in doubt: asked before every call."""
        self.learnt: bool = False
        """Whether a call is believed to weigh something else than documented."""
        self._doubted = 0
        """Calls that were admitted before the last refusal that came unexpected."""
        self._last = 0
        """The header of the last call, if it went alone; else -1."""
        self._first = 0
        """The number of the last call that went first."""
        self._before = -1
        """What was known before it: the header of the call before, if that went alone."""
        self._compared = -1
        """The header that was compared last."""
        self._base = 0
        """A header, with which those after it are compared."""
        self._step = 0
        """What they all differ by, or multiples of it."""
        self._steps = 0
        """How many of them."""

    def weight(self, documented: int) -> int:
        """Return what calls of a documented weight are believed to weigh."""
        price = self._prices.get(documented)
        return documented if price is None else price.weight

    def of(self, documented: int) -> Price:
        """Find the price of calls with a documented weight."""
        price = self._prices.get(documented)
        if price is None:
            price = self._prices[documented] = Price(documented)
        return price

    def in_doubt(self, weight: int) -> bool:
        """Whether calls of a weight that is believed have to go alone, so that they tell it."""
        return any(price.weight == weight and price.in_doubt for price in self._prices.values())

    def admit(self, *, alone: bool, first: bool = False) -> int:
        """Count a call; return its number, by which its answer is known: negative if not alone.

        While the `first` one is under way, no other leaves for some time.
        """
        self._admitted += 1
        if alone:
            if first:
                self._first, self._before = self._admitted, self._last
            return self._admitted
        self._last = -1
        return -self._admitted

    def refute(self, documented: int) -> None:
        """Doubt a weight that a header is too low for, until a lone call confirms it, or none."""
        self.of(documented).refute()
        self._look_for_doubt()

    def give_up(self) -> bool:
        """Believe the documents again, if no call confirmed a weight; return whether that is so."""
        for documented, price in list(self._prices.items()):
            if price.given_up:
                self.newest = self._prices[documented] = Price(documented)
                self._look_for_doubt()
                return True
        return False

    def read(self, documented: int, number: int, used: int, *, soon: bool) -> bool:
        """Read the header of a call; return whether another weight is believed now.

        Only a call that left `soon` after the one before tells what it weighs.
        """
        if number == self._admitted:
            last, self._last = self._last, used
        elif number == self._first:
            last = self._before
        else:  # it was not alone
            if self.doubtful and abs(number) > self._doubted:
                self._asked(documented)
            return False
        price = self._prices.get(documented) or self.of(documented)
        if last < used and price.again(used - last):
            return False
        if soon:
            price.asked()
        learnt = False
        # Else others went in between, or a new window began.
        if 0 <= last < used and (soon or not last):
            learnt = price.added(used - last)
        if learnt:
            self.newest = price
        self._look_for_doubt()
        return learnt

    def compare(self, documented: int, used: int, *, first: bool = False) -> bool:
        """Compare headers of one moment; return whether another weight is believed now.

        If others spend nothing in this moment, they differ by multiples of what a call weighs. With
        those of other moments nothing is compared, but what was found then counts.
        """
        price, last, self._compared = self.of(documented), self._compared, used
        if first:
            self._base = used
            return False
        if used == last:
            return False
        if last >= 0 and documented < price.weight > abs(used - last):
            price.disprove()
            self._look_for_doubt()
            return False
        step = math.gcd(self._step, used - self._base)
        odds = step // math.gcd(step, price.weight)
        if odds == 1 or last < 0 or len(self._prices) > 1:
            self._base, self._step, self._steps = used, 0, 0
            return False
        self._step = step
        self._steps += 1
        if self._steps < STEPS or odds**self._steps < CERTAIN or step <= documented:
            return False
        price.learn(step)
        self.newest = price
        self._look_for_doubt()
        return True

    def heard_nothing(self, documented: int, number: int, *, soon: bool) -> None:
        """Record a good answer without a header."""
        if number == self._admitted:
            self._last = -1
        if self.doubtful and abs(number) > self._doubted and (soon or number < 0):
            self._asked(documented)

    def _asked(self, documented: int) -> None:
        """Record an answer that told nothing: where answers take long, no call goes alone."""
        self.of(documented).asked()
        self._look_for_doubt()

    def _look_for_doubt(self) -> None:
        prices = self._prices.values()
        self.learnt = any(price.weight != price.documented for price in prices)
        self.doubtful = any(price.in_doubt or price.given_up for price in prices)

    def doubt(self, documented: int) -> None:
        """Look at all weights again: a refusal came unexpected."""
        self.of(documented)
        self._doubted = self._admitted
        for price in self._prices.values():
            price.doubt()
        self._look_for_doubt()

    def __repr__(self) -> str:
        return f"<Prices {list(self._prices.values())!r}>"
