"""What to do about each kind of error, and where the manual says more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.errors import DustError

__all__ = ["advice", "manual"]

_ADVICE: Final[Mapping[type[DustError], str]] = {
    errors.ConfigurationError: "Correct this account's settings.",
    errors.BudgetExceededError: "Give it more time, or ask for less: the weight was already taken.",
    errors.DeliveryError: "Scan this account again.",
    errors.NotSentError: "Check the network, the proxy and the name of the host; then scan again.",
    errors.NoAnswerError: "Scan again; if it stays so, allow a longer timeout.",
    errors.UnreadableAnswerError: "The answer has a new form: look for a newer release.",
    errors.ExchangeError: "Read the exchange's reason.",
    errors.RejectedError: "Not allowed for this account, or not from here: read the reason.",
    errors.CredentialsError: "Check the key, its permissions and its list of addresses.",
    errors.ClockError: "Set this machine's clock, or widen recv_window.",
    errors.RateLimitedError: "Others spend this address's weight: leave headroom, scan later.",
    errors.BannedError: "Send nothing from this address until the ban ends; leave more headroom.",
    errors.UnavailableError: "The exchange was busy: scan again in a while.",
    errors.MaintenanceError: "Closed for maintenance: look at the exchange's status, scan later.",
    errors.DustRejectedError: "The exchange's rules for dust forbid it: read the reason.",
    errors.CooldownError: "Converted too recently: wait.",
    errors.CoolingDownError: "Converted too recently: wait until the time in the reason.",
    errors.NotConvertibleError: "Leave the asset out.",
    errors.PriceMovedError: "The price moved: take a new quote.",
    errors.GuardError: "A safety rule stopped it: change the rule, or leave it.",
    errors.LedgerError: "Look at the ledger's file: nothing is sent while it can't be written.",
    errors.OutcomeUnknownError: "Don't send it again: recover it, which only reads.",
}


def advice(error: DustError) -> str:
    """Say what to do about an error, by the nearest class that has advice."""
    return next((_ADVICE[kind] for kind in type(error).__mro__ if kind in _ADVICE), "")


def manual() -> str | None:
    """Say where the pages of docs are, by what the installed package says of itself."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        urls = metadata("binance-dust").get_all("Project-URL") or []
    except PackageNotFoundError:
        return None
    found = (url.partition(", ")[2] for url in urls if url.startswith("Documentation, "))
    return next((url.rpartition("/")[0] + "/" for url in found), None)
