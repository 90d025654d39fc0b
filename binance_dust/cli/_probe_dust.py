"""Probes of dust: what the log and the list of convertible assets take and tell, and signatures."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from binance_dust import endpoints
from binance_dust._call.signing import OutsideSigner
from binance_dust._util.plain import plain
from binance_dust.cli._probe import (
    NOTHING,
    Probe,
    Prober,
    ProbeResult,
    by_answer,
    by_refusal,
    in_words,
)
from binance_dust.errors import ExchangeError
from binance_dust.signers._signer import name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust._call.signing import KeySigner
    from binance_dust.cli._probe import AnySigner
    from binance_dust.models import ConvertibleAsset, ConvertibleAssets, DustLog
    from binance_dust.signers import Signer

_LOG: Final = endpoints.DUST_LOG
_LOG_DAYS: Final = (90, 91, 180, 366)
_NO_CONVERSION: Final = "the log shows no conversion to judge by"
_QUOTE: Final = endpoints.CONVERTIBLE_ASSETS
_TARGETS: Final = ("BNB", "USDT", "BTC", "ETH")
_SMALLEST: Final = Decimal("1e-8")
_NOTHING_LISTED: Final = "the account has nothing to convert, so there is nothing to judge by"
_ASSETS: Final = endpoints.USER_ASSETS
_NOT_ASCII: Final = "币安人生"
"""An asset that is listed under this name."""


# --- the dust log --------------------------------------------------------------------------------


async def _start_alone(prober: Prober) -> ProbeResult:
    start = prober.session.now() - timedelta(days=1)
    return judge_start_alone(await prober.refusal(_LOG(start_time=start)))


def judge_start_alone(refusal: ExchangeError | None) -> ProbeResult:
    """Say whether the log still refuses one bound alone, a bug of the exchange since 2026-09-07.

    The client always sends both or none.
    """
    text = "both bounds or none" if refusal else "one bound alone is accepted now"
    evidence = {"taken": refusal is None}
    return ProbeResult(settled=True, answer=f"{text}: {in_words(refusal)}", evidence=evidence)


async def _longest_span(prober: Prober) -> ProbeResult:
    now, taken = prober.session.now(), 0
    for days in _LOG_DAYS:
        start = now - timedelta(days=days) + timedelta(minutes=1)
        refusal = await prober.refusal(_LOG(start_time=start, end_time=now))
        if refusal is not None:
            return judge_span(taken, days, refusal)
        taken = days
    return judge_span(taken, None, None)


def judge_span(taken: int, refused: int | None, refusal: ExchangeError | None) -> ProbeResult:
    """Say how many days were accepted at most, and how many were refused first."""
    longest = f"{taken} days are accepted" if taken else "not even the shortest was accepted"
    answer = longest if refused is None else f"{longest}, {refused} {in_words(refusal)}"
    evidence = {"taken_days": taken, "refused_days": refused}
    return ProbeResult(settled=bool(taken), answer=answer, evidence=evidence)


def judge_target(log: DustLog) -> ProbeResult:
    """Say where the log names the target; the client looks in every place."""
    entries = log.user_asset_dribblets
    details = [detail for entry in entries for detail in entry.user_asset_dribblet_details]
    evidence = {
        "conversions": len(entries),
        "named_by_conversion": sum(entry.target_asset is not None for entry in entries),
        "details": len(details),
        "named_by_detail": sum(detail.target_asset is not None for detail in details),
    }
    if not details:
        return ProbeResult(settled=False, answer=_NO_CONVERSION, evidence=evidence)
    places = [
        f"{evidence[named]} of {evidence[all_of]} {what}"
        for what, named, all_of in (
            ("details", "named_by_detail", "details"),
            ("conversions", "named_by_conversion", "conversions"),
        )
        if evidence[named]
    ]
    answer = f"named by {' and '.join(places)}" if places else "named nowhere, so BNB is assumed"
    return ProbeResult(settled=True, answer=answer, evidence=evidence)


def judge_cooldown(log: DustLog) -> ProbeResult:
    """Say the shortest pause between two conversions in the log: the cooldown is not longer."""
    times = sorted(
        at for entry in log.user_asset_dribblets if (at := entry.happened_at) is not None
    )
    gaps = [after - before for before, after in pairwise(times)]
    if not gaps:
        answer = "needs two conversions in the log to compare"
        return ProbeResult(settled=False, answer=answer, evidence={"conversions": len(times)})
    shortest = min(gaps)
    hours = shortest / timedelta(hours=1)
    # Caution: single assets into different targets may follow at once, without such a pause.
    return ProbeResult(
        settled=True,
        answer=f"two conversions were {hours:.2f} h apart, so its cooldown is not longer",
        configure=f"Converter(cooldown=timedelta(seconds={shortest.total_seconds():.0f})) at most",
        evidence={"conversions": len(times), "shortest_seconds": shortest.total_seconds()},
    )


# --- the list of convertible assets --------------------------------------------------------------


async def _targets(prober: Prober) -> ProbeResult:
    found: dict[str, ConvertibleAssets | ExchangeError] = {}
    for target in _TARGETS:
        try:
            found[target] = await prober.ask(_QUOTE(target_asset=target))
        except ExchangeError as error:
            found[target] = error
    return judge_targets(found)


def judge_targets(found: Mapping[str, ConvertibleAssets | ExchangeError]) -> ProbeResult:
    """Say which targets are accepted, and how their lists differ besides the target itself."""
    lists = {
        target: {row.asset for row in answer.details}
        for target, answer in found.items()
        if not isinstance(answer, ExchangeError)
    }
    parts = [
        f"{target} {in_words(answer)}"
        if isinstance(answer, ExchangeError)
        else f"{target} lists {len(answer.details)}"
        for target, answer in found.items()
    ]
    everywhere = set.union(set(), *lists.values())
    differing = {
        asset: sorted(target for target, assets in lists.items() if asset in assets)
        for asset in sorted(everywhere)
        if any(asset not in assets and asset != target for target, assets in lists.items())
    }
    if differing:
        parts.append(f"not the same assets: {', '.join(differing)}")
    elif everywhere:
        parts.append("the same assets except the target itself")
    evidence = {
        "lists": {name: sorted(assets) for name, assets in lists.items()},
        "differing": differing,
    }
    return ProbeResult(settled=bool(everywhere), answer="; ".join(parts), evidence=evidence)


async def _fees(prober: Prober) -> ProbeResult:
    return judge_fees([await prober.ask(_QUOTE(target_asset=target)) for target in _TARGETS[:2]])


def judge_fees(quotes: list[ConvertibleAssets]) -> ProbeResult:
    """Say whether every row's fee is the rate that the list states."""
    rows = [
        (row, row.exchange, rate)
        for quote in quotes
        if (rate := quote.dribblet_percentage) is not None
        for row in quote.details
        if row.exchange is not None
    ]
    if not rows:
        return ProbeResult(settled=False, answer=_NOTHING_LISTED)
    odd = [
        (row, fee)
        for row, fee, rate in rows
        if abs(fee - row.to_target_asset_amount * rate) > _SMALLEST
    ]
    others = {row.asset: _rate(row, fee) for row, fee in odd}
    rates = ", ".join(sorted({f"{rate:f}" for _, _, rate in rows}))
    answer = f"{len(rows) - len(odd)} of {len(rows)} rows cost the listed rate, {rates}"
    if others:
        answer += f"; {', '.join(f'{asset} {rate}' for asset, rate in others.items())}"
    configure = "max_fee_rate of a Converter, to keep those assets" if others else NOTHING
    return ProbeResult(
        settled=True,
        answer=answer,
        configure=configure,
        evidence={"rows": len(rows), "other_rates": others},
    )


def _rate(row: ConvertibleAsset, fee: Decimal) -> str:
    gross = row.to_target_asset_amount
    return f"{fee / gross:.4f}" if gross else "a fee for nothing"


def judge_ceiling(quote: ConvertibleAssets) -> ProbeResult:
    """Say whether the base that the list states is a ceiling, by the worth of its rows."""
    base = quote.dribblet_base
    worth = [each for row in quote.details if (each := row.to_quota_asset_amount) is not None]
    evidence = {
        "dribblet_base": plain(base),
        "largest": plain(max(worth, default=None)),
        "together": plain(sum(worth, Decimal(0))),
    }
    if not worth or base is None:
        return ProbeResult(settled=False, answer=_NOTHING_LISTED, evidence=evidence)
    largest, together = max(worth), sum(worth, Decimal(0))
    if largest > base:
        answer = f"an asset worth {largest:f} is listed, so {base:f} is not a ceiling for one asset"
    elif together > base:
        answer = f"{together:f} are listed together, so {base:f} is not a ceiling for all together"
    else:
        answer = f"all that is listed is worth {together:f}: too little to judge by"
        return ProbeResult(settled=False, answer=answer, evidence=evidence)
    return ProbeResult(settled=True, answer=answer, evidence=evidence)


def judge_rounding(quote: ConvertibleAssets) -> ProbeResult:
    """Say how fees are rounded, by the rows where rounding down and half up differ."""
    down = half_up = 0
    rate = quote.dribblet_percentage
    for row in quote.details:
        if rate is None:
            break
        exact = row.to_target_asset_amount * rate
        cut = exact.quantize(_SMALLEST, ROUND_DOWN)
        rounded = exact.quantize(_SMALLEST, ROUND_HALF_UP)
        if cut != rounded:
            down += row.exchange == cut
            half_up += row.exchange == rounded
    evidence = {"cut": down, "half_up": half_up}
    if bool(down) is bool(half_up):
        return ProbeResult(settled=False, answer="no row shows the difference", evidence=evidence)
    way = "half up" if half_up else "down"
    rows = down + half_up
    return ProbeResult(
        settled=True, answer=f"{way}, by {rows} rows that show it", evidence=evidence
    )


# --- the text that is signed ---------------------------------------------------------------------


class _UnencodedSigner:
    """Signs the text as it was before encoding, as some programs do."""

    __slots__ = ("_inner", "in_thread")

    def __init__(self, inner: KeySigner) -> None:
        self._inner = inner
        self.in_thread = inner.in_thread

    def sign(self, payload: bytes) -> str:
        return self._inner.sign(unquote_to_bytes(payload))


class _UnencodedOutside:
    """Lets a signer outside of this process sign the text as it was before encoding."""

    def __init__(self, inner: Signer) -> None:
        self._inner = inner
        self.name = name_of(inner)

    async def sign(self, payload: bytes) -> str:
        return await self._inner.sign(unquote_to_bytes(payload))


def _unencoded(signer: AnySigner) -> AnySigner:
    if isinstance(signer, OutsideSigner):
        return OutsideSigner(_UnencodedOutside(signer.signer), signer.account)
    return _UnencodedSigner(signer)


async def _encoding(prober: Prober) -> ProbeResult:
    call = _ASSETS(asset=_NOT_ASCII)
    return judge_encoding(
        await prober.refusal(call), await prober.refusal(call, sign_as=_unencoded)
    )


def judge_encoding(encoded: ExchangeError | None, decoded: ExchangeError | None) -> ProbeResult:
    """Say which text may be signed: the text that is sent, or the text before encoding."""
    answer = f"signed as sent: {in_words(encoded)}; signed before encoding: {in_words(decoded)}"
    evidence = {"as_sent": encoded is None, "before_encoding": decoded is None}
    return ProbeResult(settled=encoded is None, answer=answer, evidence=evidence)


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
        asks=((_LOG, len(_LOG_DAYS)),),
        run=_longest_span,
    ),
    Probe(
        name="log-target",
        doubt="where the dust log names the target: in each detail, in the conversion, nowhere",
        asks=((_LOG, 1),),
        run=by_answer(_LOG(), judge_target),
    ),
    Probe(
        name="cooldown",
        doubt="how long the pause between two conversions must be (1, 6 and 24 h were seen)",
        asks=((_LOG, 1),),
        run=by_answer(_LOG(), judge_cooldown),
    ),
    Probe(
        name="recv-window",
        doubt="whether the list of convertible assets accepts recvWindow, which no document lists",
        asks=((_QUOTE, 1),),
        # The client always sends recvWindow.
        run=by_refusal(_QUOTE(target_asset="BNB"), "recvWindow"),
    ),
    Probe(
        name="targets",
        doubt=f"which targets are accepted ({', '.join(_TARGETS)}), and whether their lists differ",
        asks=((_QUOTE, len(_TARGETS)),),
        run=_targets,
    ),
    Probe(
        name="fees",
        doubt="whether every asset costs the listed fee rate",
        asks=((_QUOTE, 2),),
        run=_fees,
    ),
    Probe(
        name="ceiling",
        doubt="whether the list's base (10) is a ceiling for one asset, or for all together",
        asks=((_QUOTE, 1),),
        run=by_answer(_QUOTE(target_asset="BNB"), judge_ceiling),
    ),
    Probe(
        name="rounding",
        doubt="how the fees of a preview are rounded",
        asks=((_QUOTE, 1),),
        run=by_answer(_QUOTE(target_asset="BNB"), judge_rounding),
    ),
    Probe(
        name="margin-wallet",
        doubt="whether the list of convertible assets accepts accountType=MARGIN (since May 2026)",
        asks=((_QUOTE, 1),),
        run=by_refusal(_QUOTE(target_asset="BNB", account_type="MARGIN"), "accountType=MARGIN"),
        needs_margin=True,
    ),
    Probe(
        name="encoding",
        doubt="whether signatures must be over the percent-encoded text, a rule of /api since 2026",
        asks=((_ASSETS, 2),),
        run=_encoding,
    ),
)
