"""What has changed in what is believed of a pool, told as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.budget._beliefs import News
from binance_dust.events import (
    BoundaryLearnt,
    BoundaryLost,
    HeadersDoubted,
    LimitLearnt,
    WeightLearnt,
)

if TYPE_CHECKING:
    from binance_dust.budget._pool import Pool
    from binance_dust.events import Event

_NONE: Final[list[Event]] = []


def take_news(pool: Pool) -> list[Event]:
    """Give the events of what has changed since the last time."""
    news = pool.beliefs.news
    if not news:
        return _NONE
    events = [_event_of(each, pool) for each in news]
    news.clear()
    return events


def _event_of(news: News, pool: Pool) -> Event:
    """Make the event of something that has changed."""
    match news:
        case News.FIXED:
            return BoundaryLearnt(pool.name)
        case News.NOT_FIXED:
            return BoundaryLost(pool.name)
        case News.LIMIT:
            return LimitLearnt(pool.name, pool.whole, pool.documented)
        case News.WEIGHT:
            learnt = pool.beliefs.prices.newest
            return WeightLearnt(pool.name, learnt.weight, learnt.documented)
        case News.HEADERS:
            return HeadersDoubted(pool.name)
