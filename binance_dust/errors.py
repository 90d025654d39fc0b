"""Every error of the package, in one tree.

    DustError
    ├── ConfigurationError        before any I/O: mend what you passed in
    ├── BudgetExceededError       waiting for weight would pass the deadline: come back later
    ├── DeliveryError             no readable answer
    │   ├── NotSentError              it never left this machine
    │   ├── NoAnswerError             it may have arrived, and nothing came back
    │   └── UnreadableAnswerError     something came back that is not the declared answer
    ├── ExchangeError             the exchange said no: code, message, status
    │   ├── RejectedError             the request itself is wrong, or not allowed here
    │   ├── CredentialsError          the key, its signature or its permissions
    │   ├── ClockError                the timestamp was outside the window
    │   ├── RateLimitedError          too much weight: wait for retry_after
    │   ├── BannedError               the whole address is shut until `until`
    │   ├── UnavailableError          busy or broken on their side
    │   │   └── MaintenanceError          closed on purpose: look at the status page
    │   └── DustRejectedError         the rules of dust forbid it
    │       ├── CooldownError             converted too recently
    │       ├── NotConvertibleError       some asset of the batch can't be converted
    │       └── PriceMovedError           the price moved too far during the conversion
    ├── GuardError                a safety rule of ours stopped it before anything was sent
    ├── LedgerError               the record can't be read or written: mend the file or the disk
    └── OutcomeUnknownError       funds may have moved: settle it by reading, never by sending

Branches answer "what do I do now". How far a request got is a value beside the class (`delivery`),
so that the table that decides about sending again needs no list of classes.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = [
    "BannedError",
    "BudgetExceededError",
    "ClockError",
    "ConfigurationError",
    "CooldownError",
    "CredentialsError",
    "Delivery",
    "DeliveryError",
    "DustError",
    "DustRejectedError",
    "ExchangeError",
    "GuardError",
    "LedgerError",
    "MaintenanceError",
    "NoAnswerError",
    "NotConvertibleError",
    "NotSentError",
    "OutcomeUnknownError",
    "PriceMovedError",
    "RateLimitedError",
    "RejectedError",
    "UnavailableError",
    "UnreadableAnswerError",
]


class Delivery(enum.Enum):
    """How far a request got, as much as can be known from here."""

    UNSENT = "unsent"
    """It never left this machine."""
    REFUSED = "refused"
    """The exchange answered "not now" and did nothing."""
    UNKNOWN = "unknown"
    """It may have been carried out."""
    UNCLEAR = "unclear"
    """There was an answer, and it does not say what happened: asking again would not help."""
    FINAL = "final"
    """The exchange answered "no" and did nothing."""


class DustError(Exception):
    """Root of every error that this package raises."""

    def __init__(self, message: str) -> None:
        """Say what happened in one line that begins with the subject."""
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes whole, whatever the constructor asks for."""
        return revive, (type(self), self.args, dict(self.__dict__))


def revive(
    cls: type[DustError], args: tuple[object, ...], fields: Mapping[str, object]
) -> DustError:
    """Make an error from what it was made of: the way back from a pickle, and from JSON."""
    error = cls.__new__(cls, *args)
    error.__dict__.update(fields)
    return error


def _subject(endpoint: str | None, account: str | None) -> str:
    """Name whom an error is about: `POST /sapi/v1/asset/dust (alice)`."""
    if endpoint is None:
        return account or ""
    return f"{endpoint} ({account})" if account else endpoint


def _sentence(endpoint: str | None, account: str | None, text: str) -> str:
    subject = _subject(endpoint, account)
    return f"{subject}: {text}" if subject else text


class ConfigurationError(DustError):
    """Something that was passed in can't work. Raised before any I/O."""


class BudgetExceededError(DustError):
    """Waiting for weight would pass the deadline; nothing was sent."""

    def __init__(
        self,
        message: str,
        *,
        pool: str,
        retry_after: float,
    ) -> None:
        """Carry the pool that is short, and the seconds after which it would not be."""
        super().__init__(message)
        self.pool = pool
        self.retry_after = retry_after


class DeliveryError(DustError):
    """There is no readable answer."""

    delivery: ClassVar[Delivery]

    def __init__(
        self, message: str, *, endpoint: str | None = None, account: str | None = None
    ) -> None:
        """Carry the endpoint and the account's name."""
        super().__init__(_sentence(endpoint, account, message))
        self.endpoint = endpoint
        self.account = account


class NotSentError(DeliveryError):
    """The request never left this machine, so nothing happened."""

    delivery = Delivery.UNSENT


class NoAnswerError(DeliveryError):
    """The request may have arrived, and no answer came back."""

    delivery = Delivery.UNKNOWN


class UnreadableAnswerError(DeliveryError):
    """An answer came that is not what this endpoint is known to answer.

    `path` tells where in the JSON reading failed (`$[3].free`), and `excerpt` holds the beginning
    of the body.
    """

    delivery = Delivery.UNCLEAR

    def __init__(  # noqa: PLR0913 - the fields of the error, all by keyword
        self,
        message: str,
        *,
        endpoint: str | None = None,
        account: str | None = None,
        status: int | None = None,
        path: str | None = None,
        excerpt: str = "",
    ) -> None:
        """Carry the HTTP status, where reading failed, and the beginning of the body."""
        super().__init__(message, endpoint=endpoint, account=account)
        self.status = status
        self.path = path
        self.excerpt = excerpt


class ExchangeError(DustError):
    """The exchange said no.

    `code` is the exchange's own, as an integer where it is one; `None` where the answer had none
    (a page of HTML, say). `message` is the exchange's text, or the beginning of the body.
    """

    usual_delivery: ClassVar[Delivery] = Delivery.FINAL

    def __init__(  # noqa: PLR0913 - the fields of the error, all by keyword
        self,
        message: str,
        *,
        code: int | str | None = None,
        status: int = 400,
        endpoint: str | None = None,
        account: str | None = None,
        delivery: Delivery | None = None,
        hint: str = "",
    ) -> None:
        """Carry the exchange's words, and what they mean for sending again."""
        label = f"HTTP {status}" if code is None else f"{code}"
        text = f"{label} {message}".rstrip()
        super().__init__(_sentence(endpoint, account, f"{text}{'; ' if hint else ''}{hint}"))
        self.code = code
        self.message = message
        self.status = status
        self.endpoint = endpoint
        self.account = account
        self.delivery: Delivery = delivery or self.usual_delivery


class RejectedError(ExchangeError):
    """The request is wrong, or not allowed from here; sending it again changes nothing."""


class CredentialsError(ExchangeError):
    """The exchange does not accept the key, its signature, its address or its permissions."""


class ClockError(ExchangeError):
    """The timestamp was outside `recv_window`; nothing was done."""

    usual_delivery = Delivery.REFUSED


class RateLimitedError(ExchangeError):
    """Too much weight was spent; `retry_after` is the wait in seconds that was asked for."""

    usual_delivery = Delivery.REFUSED

    def __init__(self, message: str, *, retry_after: float | None = None, **fields: Any) -> None:
        """Carry the wait that the exchange asked for."""
        hint = "" if retry_after is None else f"retry in {retry_after:g} s"
        super().__init__(message, hint=hint, **fields)
        self.retry_after = retry_after


class BannedError(ExchangeError):
    """The exchange shut this address out, for every account behind it, until `until`.

    `retry_after` are the seconds that were left when it was said.
    """

    usual_delivery = Delivery.REFUSED

    def __init__(
        self,
        message: str,
        *,
        until: datetime | None = None,
        retry_after: float | None = None,
        **fields: Any,
    ) -> None:
        """Carry the moment at which the ban lifts, where the exchange told it."""
        hint = "" if until is None else f"banned until {until.isoformat(timespec='seconds')}"
        super().__init__(message, hint=hint, **fields)
        self.until = until
        self.retry_after = retry_after


class UnavailableError(ExchangeError):
    """The exchange is busy or broken; unless `delivery` says otherwise it may have acted."""

    usual_delivery = Delivery.UNKNOWN


class MaintenanceError(UnavailableError):
    """The exchange, or this part of it, is closed for maintenance."""


class DustRejectedError(ExchangeError):
    """A rule of dust forbids the conversion; nothing was converted."""


class CooldownError(DustRejectedError):
    """The account converted too recently. The exchange's text names 24 hours whatever the rule.

    `retry_at` is from when it is worth trying again, where a converter has learnt that; `None`
    where it was told to leave cooldowns to the exchange.
    """

    retry_at: datetime | None = None


class NotConvertibleError(DustRejectedError):
    """An asset of the batch can't be converted, and so none was.

    `assets` are those that the exchange's message names, or else all that were asked for.
    """

    def __init__(self, message: str, *, assets: tuple[str, ...] = (), **fields: Any) -> None:
        """Carry the assets that are to blame, as far as the answer tells."""
        super().__init__(message, **fields)
        self.assets = assets


class PriceMovedError(DustRejectedError):
    """The price moved too far while converting, so the exchange did not; a new quote may work."""


class GuardError(DustError):
    """A safety rule stopped a conversion before anything was sent.

    `retry_at` is the time from which the rule would not, where waiting helps; `entry_ids` are the
    ledger's entries that stand in the way: `recover()` settles them.
    """

    def __init__(
        self,
        message: str,
        *,
        account: str | None = None,
        retry_at: datetime | None = None,
        entry_ids: tuple[int, ...] = (),
    ) -> None:
        """Carry what would have to change."""
        super().__init__(message)
        self.account = account
        self.retry_at = retry_at
        self.entry_ids = entry_ids


class LedgerError(DustError):
    """The ledger's file can't be read or written, so nothing is sent that it could not hold.

    Where the call was sent already (`entry_ids` are its entries), its intent is on record, and
    `recover()` writes down how it ended once the file is well again.
    """

    def __init__(self, message: str, *, path: str, entry_ids: tuple[int, ...] = ()) -> None:
        """Carry the file."""
        super().__init__(f"ledger {path}: {message}")
        self.path = path
        self.entry_ids = entry_ids


class OutcomeUnknownError(DustError):
    """Funds may have moved: the request was sent, and how it ended is not known.

    Do not send it again. Read: the dust log shows a conversion that happened. `parameters` are
    what was asked for; the exchange can have accepted the request only between `sent_after` and
    `expires_at` (its own clock), so an absence means something only when read later than that.
    `code` and `status` are those of the answer that left the doubt, `None` where there was none.
    A `Converter` puts the ledger's entries of the conversion into `entry_ids`, the open one last:
    `await converter.recover()` settles it.
    """

    def __init__(  # noqa: PLR0913 - the fields of the error, all by keyword
        self,
        reason: str,
        *,
        endpoint: str,
        account: str,
        parameters: Mapping[str, str],
        sent_after: datetime,
        expires_at: datetime,
        entry_ids: tuple[int, ...] = (),
        code: int | str | None = None,
        status: int | None = None,
    ) -> None:
        """Carry what is needed to find out how it ended."""
        text = f"outcome unknown, do not send it again: {reason}"
        super().__init__(_sentence(endpoint, account, text))
        self.reason = reason
        self.endpoint = endpoint
        self.account = account
        self.parameters: dict[str, str] = dict(parameters)
        self.sent_after = sent_after
        self.expires_at = expires_at
        self.entry_ids = entry_ids
        self.code = code
        self.status = status
