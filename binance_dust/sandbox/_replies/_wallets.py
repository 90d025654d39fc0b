"""Replies about wallets: what is in each, and transfers between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust.sandbox import _refusals
from binance_dust.sandbox._account import Transfer
from binance_dust.sandbox._amounts import ZERO, rounded, text
from binance_dust.sandbox._clock import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from binance_dust.sandbox._account import Wallet, WalletName
    from binance_dust.sandbox._admission import AdmittedRequest, ReplyFunction

_WALLETS: Final[Mapping[str, WalletName]] = {
    "MAIN": "SPOT",
    "FUNDING": "FUNDING",
    "MARGIN": "MARGIN",
}
"""The wallets of a transfer, as its kind names them. Futures and options are not served."""
_SAFE_LEVEL: Final = 2
"""An account with debts may take out of margin only what is above this margin level."""
_MOST_ROWS: Final = 100


def user_assets(request: AdmittedRequest) -> list[dict[str, str]]:
    """List the spot wallet, or one asset of it."""
    return _holdings(request, request.account.spot)


def funding_assets(request: AdmittedRequest) -> list[dict[str, str]]:
    """List the funding wallet; its rows have no `ipoable`."""
    rows = _holdings(request, request.account.funding)
    for row in rows:
        del row["ipoable"]
    return rows


def wallet_balances(request: AdmittedRequest) -> list[dict[str, Any]]:
    """Show what each wallet is worth, in bitcoin by default, and if asked for, what is in it."""
    quote = request.parameters.text("quoteAsset") or "BTC"
    detailed = request.parameters.flag("needBalanceDetail")
    account, market, now = request.account, request.market, request.now
    if quote not in market:
        raise _refusals.invalid("quoteAsset")
    price = market.price(quote, now)

    def show(name: str, wallet: Wallet | None) -> dict[str, Any]:
        held = [] if wallet is None else list(wallet)
        value = sum((market.value(asset, holding.total, now) for asset, holding in held), ZERO)
        shown = {
            "activate": wallet is not None,
            "balance": text(rounded(value / price)),
            "walletName": name,
        }
        return shown | ({"assetBalances": _details(request, wallet)} if detailed else {})

    return [
        show("Spot", account.spot),
        show("Funding", account.funding),
        show("Cross Margin", None if account.margin is None else account.margin.wallet),
    ]


def transfer(request: AdmittedRequest) -> dict[str, int]:
    """Move an amount from one wallet to another."""
    account, parameters = request.account, request.parameters
    kind, asset = parameters.text("type") or "", parameters.text("asset") or ""
    source, _, goal = kind.partition("_")
    if source not in _WALLETS or goal not in _WALLETS or source == goal:
        raise _refusals.invalid("type")
    if asset not in request.market:
        raise _refusals.invalid("asset")
    amount = parameters.amount("amount") or ZERO
    if amount <= 0:
        raise _refusals.dust(-5007)
    if "MARGIN" in (source, goal):
        request.margin  # noqa: B018 - refuses an account without margin
    if account.free(asset, _WALLETS[source]) < amount:
        raise _refusals.short_of_funds()
    if source == "MARGIN":
        _check_level(request, asset, amount)
    done = Transfer(
        kind=kind,
        asset=asset,
        amount=amount,
        transaction_id=account.next_movement(),
        at_ms=request.now.ms,
    )
    account.wallet(_WALLETS[source]).add(asset, amount.copy_negate())
    account.wallet(_WALLETS[goal]).add(asset, amount)
    account.transfers.append(done)
    return {"tranId": done.transaction_id}


def transfers(request: AdmittedRequest) -> dict[str, Any]:
    """List transfers of one kind in pages, newest first."""
    parameters, now = request.parameters, request.now.ms
    current = parameters.whole_number("current")
    size = parameters.whole_number("size")
    current = 1 if current is None else current
    size = 10 if size is None else size
    if not current:
        raise _refusals.invalid("current")
    if not 0 < size <= _MOST_ROWS:
        raise _refusals.invalid("size")
    until = parameters.whole_number("endTime")
    since = parameters.whole_number("startTime")
    until = now if until is None else until
    since = until - 7 * DAY_MS if since is None else since
    found = [
        done
        for done in reversed(request.account.transfers)
        if done.kind == parameters.text("type") and since <= done.at_ms <= until
    ]
    return {
        "total": len(found),
        "rows": [
            {
                "asset": done.asset,
                "amount": text(done.amount),
                "type": done.kind,
                "status": "CONFIRMED",
                "tranId": done.transaction_id,
                "timestamp": done.at_ms,
            }
            for done in found[(current - 1) * size : current * size]
        ],
    }


def _check_level(request: AdmittedRequest, asset: str, amount: Decimal) -> None:
    """Refuse to take out of margin what its debts need."""
    margin, market, now = request.margin, request.market, request.now
    debts = sum((market.value(name, owed.total, now) for name, owed in margin.debts.items()), ZERO)
    assets = sum((market.value(name, held.total, now) for name, held in margin.wallet), ZERO)
    if debts and assets - market.value(asset, amount, now) < _SAFE_LEVEL * debts:
        raise _refusals.Refusal(-3020, "Transfer out amount exceeds max amount.")


def _details(request: AdmittedRequest, wallet: Wallet | None) -> list[dict[str, str]]:
    market, now = request.market, request.now
    bitcoin = market.price("BTC", now)
    return [
        {
            "asset": asset,
            "assetName": market[asset].full_name,
            "free": text(held.free),
            "locked": text(held.locked),
            "freeze": text(held.freeze),
            "withdrawing": text(held.withdrawing),
            "btcValuation": text(rounded(market.value(asset, held.total, now) / bitcoin)),
        }
        for asset, held in wallet or ()
    ]


def _holdings(request: AdmittedRequest, wallet: Wallet) -> list[dict[str, str]]:
    """List a wallet, or the one asset in the parameter `asset`."""
    market, now = request.market, request.now
    only = request.parameters.text("asset")
    valued = request.parameters.flag("needBtcValuation")
    bitcoin = market.price("BTC", now)
    rows = []
    for asset, held in wallet:
        if only not in (None, asset):
            continue
        value = market.value(asset, held.total, now) / bitcoin if valued else ZERO
        rows.append(
            {
                "asset": asset,
                "free": text(held.free),
                "locked": text(held.locked),
                "freeze": text(held.freeze),
                "withdrawing": text(held.withdrawing),
                "ipoable": text(held.ipoable),
                # "0" also means that no valuation was asked for.
                "btcValuation": text(rounded(value)),
            }
        )
    return rows


REPLIES: Final[Mapping[str, ReplyFunction]] = {
    "user_assets": user_assets,
    "funding_assets": funding_assets,
    "wallet_balances": wallet_balances,
    "transfer": transfer,
    "transfers": transfers,
}
