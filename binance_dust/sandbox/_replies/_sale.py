"""Replies about sales by quote: a price for some seconds, accepted once, then an order.

No document names the codes of its refusals, save the one for a quote that has expired (345231, in
the pages of Binance Pay). The others are the sandbox's choice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from binance_dust.sandbox import _refusals
from binance_dust.sandbox._account import Sale
from binance_dust.sandbox._amounts import ZERO, floored, rounded, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.sandbox._account import WalletName
    from binance_dust.sandbox._admission import AdmittedRequest, ReplyFunction

_EXPIRED: Final = 345_231
_WALLETS: Final[Mapping[str, WalletName]] = {"SPOT": "SPOT", "FUNDING": "FUNDING"}
_MOST_WORTH: Final = 1_000_000
"""USDT that can be sold by one quote; no document names a number."""
_FIRST_ORDER: Final = 900_000_000_000_000_000
"""As long as the real ones."""


def convert_quote(request: AdmittedRequest) -> dict[str, Any]:
    """Offer a price; it can be accepted if the wallet holds the amount."""
    parameters, account = request.parameters, request.account
    market, rules, now = request.market, request.rules, request.now
    sold, target = parameters.text("fromAsset") or "", parameters.text("toAsset") or ""
    for name, asset in (("fromAsset", sold), ("toAsset", target)):
        if asset not in market or not market[asset].convertible:
            raise _refusals.invalid(name)
    wallet = _WALLETS.get(parameters.text("walletType") or "SPOT")
    if wallet is None:
        raise _refusals.invalid("walletType")
    ratio = market.price(sold, now) / market.price(target, now) * (1 - rules.quote_spread)
    amount, wanted = parameters.amount("fromAmount"), parameters.amount("toAmount")
    if sold == target or (amount is None) is (wanted is None):
        raise _refusals.invalid("toAsset" if sold == target else "fromAmount")
    if amount is None:
        amount = rounded((wanted or ZERO) / ratio)
    brings = floored(amount * ratio)
    if amount <= 0 or not brings or market.value(sold, amount, now) < rules.quote_minimum:
        raise _refusals.invalid("fromAmount")
    sale = Sale(
        quote_id=str(account.first_transaction + 8_000 + len(account.sales)),
        wallet=wallet,
        asset=sold,
        amount=amount,
        target=target,
        brings=brings,
        until_ms=now.ms + int(rules.quote_seconds * 1000),
    )
    answer = {
        "ratio": text(rounded(ratio)),
        "inverseRatio": text(rounded(1 / ratio)),
        "validTimestamp": sale.until_ms,
        "toAmount": text(brings),
        "fromAmount": text(amount),
    }
    if account.free(sold, wallet) < amount:
        return answer
    account.sales[sale.quote_id] = sale
    return {"quoteId": sale.quote_id, **answer}


def convert_accept(request: AdmittedRequest) -> dict[str, Any]:
    """Sell at the price of a quote, once. What is no longer held makes an order that has failed."""
    account, now = request.account, request.now
    sale = account.sales.get(request.parameters.text("quoteId") or "")
    if sale is None or sale.order_id is not None:
        raise _refusals.invalid("quoteId")
    if now.ms > sale.until_ms:
        raise _refusals.Refusal(_EXPIRED, "The quote has expired. Please request for quote again.")
    held = account.wallet(sale.wallet)
    enough = held[sale.asset].free >= sale.amount
    if enough:
        held.add(sale.asset, sale.amount.copy_negate())
        held.add(sale.target, sale.brings)
    done = replace(
        sale,
        order_id=_FIRST_ORDER + int(sale.quote_id),
        status="SUCCESS" if enough else "FAIL",
        at_ms=now.ms,
        accepted_at=now.true,
    )
    account.sales[sale.quote_id] = done
    return {
        "orderId": str(done.order_id),
        "createTime": done.at_ms,
        # As documented: how it ended is another question.
        "orderStatus": "PROCESS",
    }


def convert_status(request: AdmittedRequest) -> dict[str, Any]:
    """Show what became of an accepted quote, by quote or by order."""
    parameters = request.parameters
    quote, order = parameters.text("quoteId"), parameters.text("orderId")
    if (quote is None) is (order is None):
        raise _refusals.invalid("quoteId" if quote else "orderId")
    for sale in request.account.sales.values():
        if sale.order_id is not None and (
            sale.quote_id == quote if order is None else str(sale.order_id) == order
        ):
            break
    else:
        raise _refusals.invalid("orderId" if quote is None else "quoteId")
    busy = request.now.true - sale.accepted_at < request.rules.sale_seconds
    return {
        # A number here, and a text where it is accepted.
        "orderId": sale.order_id,
        "orderStatus": "PROCESS" if busy else sale.status,
        "fromAsset": sale.asset,
        "fromAmount": text(sale.amount),
        "toAsset": sale.target,
        "toAmount": text(sale.brings),
        "ratio": text(rounded(sale.brings / sale.amount)),
        "inverseRatio": text(rounded(sale.amount / sale.brings)),
        "createTime": sale.at_ms,
    }


def convert_pairs(request: AdmittedRequest) -> list[dict[str, str]]:
    """List between which amounts one asset can be sold for another."""
    market, now, rules = request.market, request.now, request.rules
    sold, target = request.parameters.text("fromAsset"), request.parameters.text("toAsset")
    if sold is None and target is None:
        raise _refusals.invalid("fromAsset")
    names = [each.symbol for each in market if each.convertible]

    def between(asset: str) -> tuple[str, str]:
        price = market.price(asset, now)
        most = _MOST_WORTH / price
        return text(rounded(rules.quote_minimum / price)), text(rounded(most))

    return [
        {
            "fromAsset": one,
            "toAsset": other,
            "fromAssetMinAmount": between(one)[0],
            "fromAssetMaxAmount": between(one)[1],
            "toAssetMinAmount": between(other)[0],
            "toAssetMaxAmount": between(other)[1],
        }
        for one in names
        for other in names
        if one != other and sold in (None, one) and target in (None, other)
    ]


REPLIES: Final[Mapping[str, ReplyFunction]] = {
    "convert_pairs": convert_pairs,
    "convert_quote": convert_quote,
    "convert_accept": convert_accept,
    "convert_status": convert_status,
}
