"""Probes of weight: who pays for the list of debts, and how windows are cut."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from binance_dust import endpoints
from binance_dust.cli._probe import Probe, Prober, ProbeResult

if TYPE_CHECKING:
    from binance_dust.budget import Feedback

_LIST: Final = endpoints.SMALL_LIABILITIES
_CHEAP: Final = endpoints.ACCOUNT_STATUS
_BEFORE: Final = 3
"""Calls before a cut: more than the one after it, so that a new count shows."""
_TRIES: Final = 4
_LEAD: Final = 1 / 4
"""Part of a window, two seconds at most, for the calls before the cut."""


async def _payer(prober: Prober) -> ProbeResult:
    # A refusal carries the header as well.
    await prober.refusal(_LIST())
    return judge_payer(prober.last_feedback(_LIST))


def judge_payer(headers: Feedback | None) -> ProbeResult:
    """Say who pays: the header of the payer came."""
    ip, uid = (headers.used_ip, headers.used_uid) if headers else (None, None)
    evidence = {"used_ip_weight": ip, "used_uid_weight": uid}
    if (ip is None) is (uid is None):
        text = "neither header came" if ip is None else "both headers came"
        return ProbeResult(settled=False, answer=text, evidence=evidence)
    if ip is not None:
        return ProbeResult(
            settled=True,
            answer="the address pays: 120 lists a minute for all its accounts together",
            evidence=evidence,
        )
    return ProbeResult(
        settled=True,
        answer="the account pays: 1,800 lists a minute for each",
        configure='Session(payers={"small_liabilities": "uid"})',
        evidence=evidence,
    )


async def _windows(prober: Prober) -> ProbeResult:
    result = ProbeResult(settled=False, answer="no cut could be observed")
    sliding = 0
    for _ in range(_TRIES):
        before, after, ours = await _headers_at_a_cut(prober)
        result = judge_cut(before, after, ours)
        if before is None:
            return result  # no header comes
        if result.settled and result.evidence["fixed"]:
            return result
        # Other spending just after a cut looks like a sliding window; twice is not an accident.
        sliding += result.settled
        if sliding > 1:
            return result
    return ProbeResult(settled=False, answer=result.answer, evidence=result.evidence)


def judge_cut(before: int | None, after: int | None, ours: int) -> ProbeResult:
    """Compare the headers before and after a cut; we spent `ours` shortly before it.

    A sliding window would still count `ours`, so a lower header proves a fixed one.
    """
    evidence = {"before": before, "after": after, "ours": ours, "fixed": None}
    if before is None or after is None or ours < _BEFORE:
        return ProbeResult(settled=False, answer="the headers did not show it", evidence=evidence)
    if after < ours + 1:
        return ProbeResult(
            settled=True,
            answer="fixed: the count started again with the minute",
            evidence=evidence | {"fixed": True},
        )
    return ProbeResult(
        settled=True,
        answer="sliding, as far as two tries show: the count went on across the minute",
        evidence=evidence | {"fixed": False},
    )


async def _headers_at_a_cut(prober: Prober) -> tuple[int | None, int | None, int]:
    """Send calls before and after a cut; give both headers, and the weight that is ours before it.

    The exchange's own clock, asked in between, says on which side a call was: this machine knows
    that clock only to half a round trip.
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
    # If this machine was suspended, even a sliding window has forgotten the calls before the cut.
    late = asyncio.get_running_loop().time() - began >= window
    return before, _used(prober), 0 if late else _BEFORE


async def _server_time(prober: Prober) -> float:
    return (await prober.client.server_time()).server_time.timestamp()


def _used(prober: Prober) -> int | None:
    headers = prober.last_feedback(_CHEAP)
    return None if headers is None else headers.used(_CHEAP.weight.kind)


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
        doubt="whether weight is counted in fixed minutes or in sliding ones (takes some minutes)",
        asks=((_CHEAP, _TRIES * (_BEFORE + 1)), (endpoints.SERVER_TIME, _TRIES * 10)),
        run=_windows,
    ),
)
