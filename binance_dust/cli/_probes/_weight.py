"""Who pays for weight, and in which windows it is counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from binance_dust import endpoints
from binance_dust.cli._probes._probe import Probe, Prober, Verdict

if TYPE_CHECKING:
    from binance_dust.budget import Feedback

_LIST: Final = endpoints.SMALL_LIABILITIES
_CHEAP: Final = endpoints.ACCOUNT_STATUS
_BEFORE: Final = 3
"""Calls before a cut: more than the one behind it, so that beginning anew shows."""
_TRIES: Final = 4
_LEAD: Final = 1 / 4
"""Part of a window, two seconds at most, that is left for the calls before the cut."""


async def _payer(prober: Prober) -> Verdict:
    # A refusal may carry the header as well as an answer.
    await prober.refusal(_LIST())
    return judge_payer(prober.said(_LIST))


def judge_payer(said: Feedback | None) -> Verdict:
    """Tell who pays from whose header came."""
    ip, uid = (said.used_ip, said.used_uid) if said else (None, None)
    evidence = {"used_ip_weight": ip, "used_uid_weight": uid}
    if (ip is None) is (uid is None):
        text = "neither header came" if ip is None else "both headers came"
        return Verdict(settled=False, answer=text, evidence=evidence)
    if ip is not None:
        return Verdict(
            settled=True,
            answer="the address pays: 120 lists a minute for all its accounts together",
            evidence=evidence,
        )
    return Verdict(
        settled=True,
        answer="the account pays: 1,800 lists a minute for each",
        configure='Session(payers={"small_liabilities": "uid"})',
        evidence=evidence,
    )


async def _windows(prober: Prober) -> Verdict:
    verdict = Verdict(settled=False, answer="no cut could be looked at")
    slid = 0
    for _ in range(_TRIES):
        before, after, ours = await _look_at_a_cut(prober)
        verdict = judge_cut(before, after, ours)
        if before is None:
            return verdict  # no header came, and none will
        if verdict.settled and verdict.evidence["fixed"]:
            return verdict
        # Others who spend just behind a cut look like a window that slides; twice is no accident.
        slid += verdict.settled
        if slid > 1:
            return verdict
    return Verdict(settled=False, answer=verdict.answer, evidence=verdict.evidence)


def judge_cut(before: int | None, after: int | None, ours: int) -> Verdict:
    """Compare the headers at both sides of a cut; `ours` were spent before it, and not long ago.

    A header below what we spent ourselves can't come from a window that slides, whatever others do.
    """
    evidence = {"before": before, "after": after, "ours": ours, "fixed": None}
    if before is None or after is None or ours < _BEFORE:
        return Verdict(settled=False, answer="the headers did not tell", evidence=evidence)
    if after < ours + 1:
        return Verdict(
            settled=True,
            answer="fixed: the count began anew when the minute did",
            evidence=evidence | {"fixed": True},
        )
    return Verdict(
        settled=True,
        answer="sliding, as far as two looks show: the count went on across the minute",
        evidence=evidence | {"fixed": False},
    )


async def _look_at_a_cut(prober: Prober) -> tuple[int | None, int | None, int]:
    """Spend a little before the window's cut and once behind it; give both headers.

    Which side a call was on is told by the exchange's own clock, asked between: what this machine
    knows of it may be off by half a round trip.
    """
    window, now = prober.window, prober.session.now().timestamp()
    lead = min(window * _LEAD, 2.0)
    cut = (now + lead) // window * window + window
    await asyncio.sleep(cut - lead - now)
    began = asyncio.get_running_loop().time()
    for _ in range(_BEFORE):
        await prober.ask(_CHEAP())
    before = _used(prober)
    now = await _server_time(prober)
    if now >= cut:
        return before, None, 0
    while now < cut:
        await asyncio.sleep(max(cut - now, window / 1000))
        now = await _server_time(prober)
    await prober.ask(_CHEAP())
    # A machine that fell asleep in between comes back when even a sliding window has moved on.
    late = asyncio.get_running_loop().time() - began >= window
    return before, _used(prober), 0 if late else _BEFORE


async def _server_time(prober: Prober) -> float:
    return (await prober.client.server_time()).server_time.timestamp()


def _used(prober: Prober) -> int | None:
    said = prober.said(_CHEAP)
    return None if said is None else said.used(_CHEAP.weight.kind)


PROBES: Final = (
    Probe(
        name="liability-payer",
        doubt="who pays for the small-liability list (weight 100): the address or the account",
        asks=((_LIST, 1),),
        run=_payer,
        needs_margin=True,
    ),
    Probe(
        name="windows",
        doubt="whether weight is counted in fixed minutes or in sliding ones (takes minutes)",
        asks=((_CHEAP, _TRIES * (_BEFORE + 1)), (endpoints.SERVER_TIME, _TRIES * 10)),
        run=_windows,
    ),
)
