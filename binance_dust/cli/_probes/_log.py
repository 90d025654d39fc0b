"""What the dust log takes, and what it tells."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from binance_dust import endpoints
from binance_dust.cli._probes._probe import Probe, Prober, Verdict, by_answer, words

if TYPE_CHECKING:
    from binance_dust.errors import ExchangeError
    from binance_dust.models import DustLog

_LOG: Final = endpoints.DUST_LOG
_SPANS: Final = (90, 91, 180, 366)
"""Days."""
_NO_CONVERSION: Final = "the log shows no conversion to judge by"


async def _start_alone(prober: Prober) -> Verdict:
    start = prober.session.now() - timedelta(days=1)
    return judge_start_alone(await prober.refusal(_LOG(start_time=start)))


def judge_start_alone(no: ExchangeError | None) -> Verdict:
    """Tell whether the slip of the pen of 2026-09-07 persists; the client is armed against it."""
    text = "both bounds or none" if no else "one bound alone is taken now"
    return Verdict(settled=True, answer=f"{text}: {words(no)}", evidence={"taken": no is None})


async def _span(prober: Prober) -> Verdict:
    now, taken = prober.session.now(), 0
    for days in _SPANS:
        start = now - timedelta(days=days) + timedelta(minutes=1)
        no = await prober.refusal(_LOG(start_time=start, end_time=now))
        if no is not None:
            return judge_span(taken, days, no)
        taken = days
    return judge_span(taken, None, None)


def judge_span(taken: int, refused: int | None, no: ExchangeError | None) -> Verdict:
    """Tell the longest range of days that was taken, and the first that was not."""
    longest = f"{taken} days are taken" if taken else "not even the shortest was taken"
    answer = longest if refused is None else f"{longest}, {refused} {words(no)}"
    evidence = {"taken_days": taken, "refused_days": refused}
    return Verdict(settled=bool(taken), answer=answer, evidence=evidence)


def judge_target(log: DustLog) -> Verdict:
    """Tell where the log names what was converted into; the client looks everywhere."""
    entries = log.user_asset_dribblets
    details = [detail for entry in entries for detail in entry.user_asset_dribblet_details]
    evidence = {
        "conversions": len(entries),
        "named_by_conversion": sum(entry.target_asset is not None for entry in entries),
        "details": len(details),
        "named_by_detail": sum(detail.target_asset is not None for detail in details),
    }
    if not details:
        return Verdict(settled=False, answer=_NO_CONVERSION, evidence=evidence)
    places = [
        f"{evidence[named]} of {evidence[all_of]} {what}"
        for what, named, all_of in (
            ("details", "named_by_detail", "details"),
            ("conversions", "named_by_conversion", "conversions"),
        )
        if evidence[named]
    ]
    answer = f"named by {' and '.join(places)}" if places else "named nowhere, and read as BNB"
    return Verdict(settled=True, answer=answer, evidence=evidence)


def judge_cooldown(log: DustLog) -> Verdict:
    """Tell the shortest pause that two conversions were seen to have: no cooldown is longer."""
    times = sorted(
        at for entry in log.user_asset_dribblets if (at := entry.happened_at) is not None
    )
    gaps = [after - before for before, after in pairwise(times)]
    if not gaps:
        answer = "needs two conversions in the log to compare"
        return Verdict(settled=False, answer=answer, evidence={"conversions": len(times)})
    shortest = min(gaps)
    hours = shortest / timedelta(hours=1)
    # Single assets into several targets may follow each other at once: that is no cooldown of all.
    return Verdict(
        settled=True,
        answer=f"two conversions were {hours:.2f} h apart, so its cooldown is no longer",
        configure=f"Converter(cooldown=timedelta(seconds={shortest.total_seconds():.0f})) at most",
        evidence={"conversions": len(times), "shortest_seconds": shortest.total_seconds()},
    )


PROBES: Final = (
    Probe(
        name="log-start-alone",
        doubt="whether the dust log still refuses startTime without endTime (-1102)",
        asks=((_LOG, 1),),
        run=_start_alone,
    ),
    Probe(
        name="log-span",
        doubt="how many days one question to the dust log may span",
        asks=((_LOG, len(_SPANS)),),
        run=_span,
    ),
    Probe(
        name="log-target",
        doubt="where the dust log names the target: in each detail, in the conversion, nowhere",
        asks=((_LOG, 1),),
        run=by_answer(_LOG(), judge_target),
    ),
    Probe(
        name="cooldown",
        doubt="how long the pause between two conversions has to be (1, 6 and 24 h were seen)",
        asks=((_LOG, 1),),
        run=by_answer(_LOG(), judge_cooldown),
    ),
)
