"""What to do about each kind of error, in a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.errors import DustError

__all__ = ["advice"]

_ADVICE: Final[Mapping[type[DustError], str]] = {
    errors.ConfigurationError: "Mend this account's settings.",
    errors.BudgetExceededError: "Give it more time, or ask for less: the weight was spoken for.",
    errors.DeliveryError: "Scan this account again.",
    errors.NotSentError: "Check the network, the proxy and the name of the host; then scan again.",
    errors.NoAnswerError: "Scan again; if it stays so, allow a longer timeout.",
    errors.UnreadableAnswerError: "The exchange answers something new: look for a newer release.",
    errors.ExchangeError: "Read the exchange's reason.",
    errors.RejectedError: "Not allowed for this account, or not from here: read the reason.",
    errors.CredentialsError: "Check the key, its permissions and its list of addresses.",
    errors.ClockError: "Set this machine's clock, or widen recv_window.",
    errors.RateLimitedError: "Others spend this address's weight: leave headroom, scan later.",
    errors.BannedError: "Send nothing from this address until it lifts; then leave more headroom.",
    errors.UnavailableError: "The exchange was busy: scan again in a while.",
    errors.MaintenanceError: "Closed for maintenance: look at the exchange's status, scan later.",
    errors.DustRejectedError: "A rule of dust forbids it: read the reason.",
    errors.CooldownError: "Converted too recently: wait.",
    errors.NotConvertibleError: "Leave the asset out.",
    errors.PriceMovedError: "The price moved: take a new quote.",
    errors.GuardError: "A safety rule stopped it: change the rule, or leave it.",
    errors.LedgerError: "Look at the ledger's file: nothing is sent while it can't be written.",
    errors.OutcomeUnknownError: "Don't send it again: recover it, which only reads.",
}


def advice(error: DustError) -> str:
    """Tell what to do, by the nearest class that has something to say."""
    return next((_ADVICE[kind] for kind in type(error).__mro__ if kind in _ADVICE), "")
