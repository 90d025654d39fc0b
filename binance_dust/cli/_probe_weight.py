"""Probes of weight: what each call costs, who pays for it, and how windows are cut."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from binance_dust import endpoints
from binance_dust.cli._probe import NOTHING, Probe, Prober, ProbeResult
from binance_dust.endpoints import LimitKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from binance_dust.budget import Feedback
    from binance_dust.endpoints import Call

_LIST: Final = endpoints.SMALL_LIABILITIES
_CHEAP: Final = endpoints.ACCOUNT_STATUS
_MANDATORY: Final[Mapping[str, Mapping[str, Any]]] = {
    "convertible_assets": {"target_asset": "BNB"},
    "small_liability_history": {"current": 1, "size": 1},
    "transfers": {"kind": "FUNDING_MAIN"},
    # A quote that nobody accepts sells nothing.
    "convert_quote": {"from_asset": "USDT", "to_asset": "BNB", "from_amount": Decimal(10)},
    "convert_status": {"order_id": 1},
    "convert_pairs": {"from_asset": "USDT", "to_asset": "BNB"},
}
_IN_A_ROW: Final = 3
"""Calls of each endpoint: two steps, so that others who spend show in one of them at most."""
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


# --- what each read costs ------------------------------------------------------------------------


_READS: Final[Mapping[str, Call[Any]]] = {
    name: endpoint(**_MANDATORY.get(name, {}))
    for name, endpoint in endpoints.ALL.items()
    if endpoint.replay is endpoints.Replay.SAFE and endpoint is not endpoints.SET_BNB_BURN
}
"""Every call that changes nothing."""


async def _weights(prober: Prober) -> ProbeResult:
    seen: dict[str, list[Feedback]] = {}
    for name, call in _READS.items():
        seen[name] = []
        for _ in range(_IN_A_ROW):
            # A refusal is charged too, and carries the header as well.
            await prober.refusal(call)
            if (headers := prober.last_feedback(call.endpoint)) is not None:
                seen[name].append(headers)
    return judge_weights(seen)


def judge_weights(seen: Mapping[str, Sequence[Feedback]]) -> ProbeResult:
    """Compare what calls in a row have added to the headers with what is documented."""
    found, unseen, payers, evidence = [], [], {}, {}
    for name, headers in seen.items():
        documented = endpoints.ALL[name].weight
        kinds = [kind for kind in LimitKind if any(each.used(kind) for each in headers)]
        costs = {kind: _added(headers, kind) for kind in kinds}
        evidence[name] = {kind.value: cost for kind, cost in costs.items()}
        if not costs or None in costs.values():
            unseen.append(name)
            continue
        if list(costs.items()) != [(documented.kind, documented.cost)]:
            charged = " and ".join(f"{kind.value} {cost}" for kind, cost in costs.items())
            found.append(f"{name} costs {charged}, documented is {documented}")
        if documented.kind not in costs and documented.kind is not LimitKind.REQUEST:
            payers[name] = kinds[0].value
    measured = len(seen) - len(unseen)
    parts = found or [f"as documented, for {measured} of {len(seen)} endpoints"]
    if unseen:
        parts.append(f"no telling header for {', '.join(unseen)}")
    return ProbeResult(
        settled=bool(measured),
        answer="; ".join(parts),
        configure=f"Session(payers={payers!r})" if payers else NOTHING,
        evidence=evidence,
    )


def _added(headers: Sequence[Feedback], kind: LimitKind) -> int | None:
    """Return what one call adds: others may spend in between, so the least that was seen.

    A count that went back has begun a new window, and tells nothing.
    """
    counts = [each.used(kind) for each in headers]
    steps = [
        after - before
        for before, after in pairwise(counts)
        if before is not None and after is not None and after > before
    ]
    return min(steps, default=None)


# --- how windows are cut -------------------------------------------------------------------------


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
        name="weights",
        doubt="what each read costs and who pays, measured, against what is documented",
        asks=tuple((call.endpoint, _IN_A_ROW) for call in _READS.values()),
        run=_weights,
    ),
    Probe(
        name="windows",
        doubt="whether weight is counted in fixed minutes or in sliding ones (takes some minutes)",
        asks=((_CHEAP, _TRIES * (_BEFORE + 1)), (endpoints.SERVER_TIME, _TRIES * 10)),
        run=_windows,
    ),
)
