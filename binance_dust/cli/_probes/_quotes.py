"""What the list of convertible assets takes and tells."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Final

from binance_dust import endpoints
from binance_dust._util.plain import plain
from binance_dust.cli._probes._probe import (
    NOTHING,
    Probe,
    Prober,
    Verdict,
    by_answer,
    by_refusal,
    words,
)
from binance_dust.errors import ExchangeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.models import ConvertibleAsset, ConvertibleAssets

_QUOTE: Final = endpoints.CONVERTIBLE_ASSETS
_TARGETS: Final = ("BNB", "USDT", "BTC", "ETH")
_SMALLEST: Final = Decimal("1e-8")
_NOTHING_LISTED: Final = "the account has nothing to convert, so there is nothing to judge by"


async def _targets(prober: Prober) -> Verdict:
    found: dict[str, ConvertibleAssets | ExchangeError] = {}
    for target in _TARGETS:
        try:
            found[target] = await prober.ask(_QUOTE(target_asset=target))
        except ExchangeError as error:
            found[target] = error
    return judge_targets(found)


def judge_targets(found: Mapping[str, ConvertibleAssets | ExchangeError]) -> Verdict:
    """Tell which targets are taken, and by what their lists differ besides the target itself."""
    lists = {
        target: {row.asset for row in answer.details}
        for target, answer in found.items()
        if not isinstance(answer, ExchangeError)
    }
    told = [
        f"{target} {words(answer)}"
        if isinstance(answer, ExchangeError)
        else f"{target} lists {len(answer.details)}"
        for target, answer in found.items()
    ]
    everywhere = set.union(set(), *lists.values())
    odd = {
        asset: sorted(target for target, assets in lists.items() if asset in assets)
        for asset in sorted(everywhere)
        if any(asset not in assets and asset != target for target, assets in lists.items())
    }
    if odd:
        told.append(f"not the same assets: {', '.join(odd)}")
    elif everywhere:
        told.append("the same assets but for the target itself")
    evidence = {"lists": {name: sorted(assets) for name, assets in lists.items()}, "differing": odd}
    return Verdict(settled=bool(everywhere), answer="; ".join(told), evidence=evidence)


async def _fees(prober: Prober) -> Verdict:
    return judge_fees([await prober.ask(_QUOTE(target_asset=target)) for target in _TARGETS[:2]])


def judge_fees(quotes: list[ConvertibleAssets]) -> Verdict:
    """Tell whether every row's fee is the rate that stands above the list."""
    rows = [(row, quote.dribblet_percentage) for quote in quotes for row in quote.details]
    if not rows:
        return Verdict(settled=False, answer=_NOTHING_LISTED)
    odd = [
        row
        for row, rate in rows
        if abs(row.exchange - row.to_target_asset_amount * rate) > _SMALLEST
    ]
    others = {row.asset: _rate(row) for row in odd}
    rates = ", ".join(sorted({f"{rate:f}" for _, rate in rows}))
    answer = f"{len(rows) - len(odd)} of {len(rows)} rows cost the listed rate, {rates}"
    if others:
        answer += f"; {', '.join(f'{asset} {rate}' for asset, rate in others.items())}"
    configure = "max_fee_rate of a Converter, if those shall stay" if others else NOTHING
    return Verdict(
        settled=True,
        answer=answer,
        configure=configure,
        evidence={"rows": len(rows), "other_rates": others},
    )


def _rate(row: ConvertibleAsset) -> str:
    gross = row.to_target_asset_amount
    return f"{row.exchange / gross:.4f}" if gross else "a fee for nothing"


def judge_ceiling(quote: ConvertibleAssets) -> Verdict:
    """Compare the base that the list states with what is listed."""
    base = quote.dribblet_base
    worth = [row.to_quota_asset_amount for row in quote.details]
    evidence = {
        "dribblet_base": plain(base),
        "largest": plain(max(worth, default=None)),
        "together": plain(sum(worth, Decimal(0))),
    }
    if not worth:
        return Verdict(settled=False, answer=_NOTHING_LISTED, evidence=evidence)
    largest, together = max(worth), sum(worth, Decimal(0))
    if largest > base:
        answer = f"an asset worth {largest:f} is listed, so {base:f} is no ceiling of one asset"
    elif together > base:
        answer = f"{together:f} are listed together, so {base:f} is no ceiling of them all"
    else:
        answer = f"all that is listed is worth {together:f}: too little to tell"
        return Verdict(settled=False, answer=answer, evidence=evidence)
    return Verdict(settled=True, answer=answer, evidence=evidence)


def judge_rounding(quote: ConvertibleAssets) -> Verdict:
    """Tell how fees are rounded, by the rows where cutting and rounding half up differ."""
    down = half_up = 0
    for row in quote.details:
        exact = row.to_target_asset_amount * quote.dribblet_percentage
        cut = exact.quantize(_SMALLEST, ROUND_DOWN)
        rounded = exact.quantize(_SMALLEST, ROUND_HALF_UP)
        if cut != rounded:
            down += row.exchange == cut
            half_up += row.exchange == rounded
    evidence = {"cut": down, "half_up": half_up}
    if bool(down) is bool(half_up):
        return Verdict(settled=False, answer="no row tells one from the other", evidence=evidence)
    way = "half up" if half_up else "down"
    rows = down + half_up
    return Verdict(settled=True, answer=f"{way}, by {rows} rows that tell", evidence=evidence)


PROBES: Final = (
    Probe(
        name="recv-window",
        doubt="whether the list of convertible assets takes recvWindow, which no document lists",
        asks=((_QUOTE, 1),),
        # The client always sends it.
        run=by_refusal(_QUOTE(target_asset="BNB"), "recvWindow"),
    ),
    Probe(
        name="targets",
        doubt=f"which targets are taken ({', '.join(_TARGETS)}), and whether their lists differ",
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
        doubt="whether the list's base (10) is a ceiling of one asset, or of all together",
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
        doubt="whether the list of convertible assets takes accountType=MARGIN (since May 2026)",
        asks=((_QUOTE, 1),),
        run=by_refusal(_QUOTE(target_asset="BNB", account_type="MARGIN"), "accountType=MARGIN"),
        needs_margin=True,
    ),
)
