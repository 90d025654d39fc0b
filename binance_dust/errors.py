"""Every error of the package, in one tree.

    DustError
    ├── ConfigurationError        an argument or setting is wrong: correct it; nothing was sent
    ├── BudgetExceededError       waiting for weight would pass the deadline: try again later
    ├── DeliveryError             no readable answer
    │   ├── NotSentError              the request never left this machine
    │   ├── NoAnswerError             it may have arrived, but no answer came
    │   └── UnreadableAnswerError     the answer does not have the expected form
    ├── ExchangeError             the exchange said no: code, message, status
    │   ├── RejectedError             the request is wrong, or not allowed
    │   ├── CredentialsError          the key, its signature or its permissions are wrong
    │   ├── ClockError                the timestamp was outside `recv_window`
    │   ├── RateLimitedError          too much weight: wait for retry_after
    │   ├── BannedError               this address is banned for all accounts until `until`
    │   ├── UnavailableError          the exchange is busy or broken
    │   │   └── MaintenanceError          it is closed for maintenance: see its status page
    │   └── DustRejectedError         a rule of the exchange for dust forbids it
    │       ├── CooldownError             the account converted too recently
    │       ├── NotConvertibleError       an asset of the batch can't be converted
    │       └── PriceMovedError           the price moved too far during the conversion
    ├── GuardError                one of our safety rules stopped it; nothing was sent
    │   └── CoolingDownError          the account rests after a conversion; a CooldownError, too
    ├── LedgerError               the ledger can't be read or written: repair the file or the disk
    └── OutcomeUnknownError       funds may have moved: find out by reading, never send again

Each branch stands for what a caller does next. How far a request got is a value (`delivery`), not a
class, so that the table of retries needs no list of classes.
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
    "CoolingDownError",
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
    """How far a request got, as far as we know."""

    UNSENT = "unsent"
    """The request never left this machine."""
    REFUSED = "refused"
    """The exchange answered "not now" and did nothing."""
    UNKNOWN = "unknown"
    """The exchange may have carried it out."""
    UNCLEAR = "unclear"
    """The answer does not say what happened, and asking again would not help."""
    FINAL = "final"
    """The exchange answered "no" and did nothing."""


class DustError(Exception):
    """The base class of every error that this package raises."""

    def __init__(self, message: str) -> None:
        """Take one line that begins with the subject."""
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle all fields, without the constructor's arguments."""
        return revive, (type(self), self.args, dict(self.__dict__))


def revive(
    cls: type[DustError], args: tuple[object, ...], fields: Mapping[str, object]
) -> DustError:
    """Make an error from its fields, after a pickle or JSON."""
    error = cls.__new__(cls, *args)
    error.__dict__.update(fields)
    return error


def _sentence(endpoint: str | None, account: str | None, text: str) -> str:
    """Begin with the subject of an error: `POST /sapi/v1/asset/dust (alice): ...`."""
    subject = f"{endpoint} ({account})" if endpoint and account else endpoint or account
    return f"{subject}: {text}" if subject else text


class ConfigurationError(DustError):
    """An argument or a setting is wrong. Raised before anything is sent."""


class BudgetExceededError(DustError):
    """Waiting for weight would pass the deadline; nothing was sent."""

    def __init__(
        self,
        message: str,
        *,
        pool: str,
        retry_after: float,
    ) -> None:
        """Take the pool, and the seconds until it has enough weight."""
        super().__init__(message)
        self.pool = pool
        self.retry_after = retry_after


class DeliveryError(DustError):
    """No readable answer came."""

    delivery: ClassVar[Delivery]

    def __init__(
        self, message: str, *, endpoint: str | None = None, account: str | None = None
    ) -> None:
        """Take the endpoint and the account's name."""
        super().__init__(_sentence(endpoint, account, message))
        self.endpoint = endpoint
        self.account = account


class NotSentError(DeliveryError):
    """The request never left this machine, so nothing happened."""

    delivery = Delivery.UNSENT


class NoAnswerError(DeliveryError):
    """The request may have arrived, but no answer came."""

    delivery = Delivery.UNKNOWN


class UnreadableAnswerError(DeliveryError):
    """The answer does not have the form that this endpoint is known for.

    `path` is the place in the JSON where reading failed (`$[3].free`); `excerpt` is the beginning
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
        """Take the HTTP status, the place where reading failed, and the beginning of the body."""
        super().__init__(message, endpoint=endpoint, account=account)
        self.status = status
        self.path = path
        self.excerpt = excerpt


class ExchangeError(DustError):
    """The exchange said no.

    `code` is the exchange's own code, an integer if possible; `None` if the answer had no code (a
    page of HTML, for example). `message` is the exchange's text, or the beginning of the body.
    `status` is 0 if it was not the exchange, but the account's signer: then nothing was sent.
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
        """Take the exchange's answer; `delivery` decides whether the call is sent again."""
        label = f"{code}" if code is not None else f"HTTP {status}" if status else ""
        text = f"{label} {message}".strip()
        super().__init__(_sentence(endpoint, account, f"{text}{'; ' if hint else ''}{hint}"))
        self.code = code
        self.message = message
        self.status = status
        self.endpoint = endpoint
        self.account = account
        self.delivery: Delivery = delivery or self.usual_delivery


class RejectedError(ExchangeError):
    """The request is wrong, or not allowed; sending it again changes nothing."""


class CredentialsError(ExchangeError):
    """The exchange does not accept the key, its signature, its address or its permissions.

    Also: the account's signer (`Credentials(api_key, signer=...)`) gave no signature that could be
    sent. Then `status` is 0.
    """


class ClockError(ExchangeError):
    """The timestamp was outside `recv_window`; the exchange did nothing."""

    usual_delivery = Delivery.REFUSED


class RateLimitedError(ExchangeError):
    """Too much weight was spent; `retry_after` is the wait in seconds, as the exchange asks."""

    usual_delivery = Delivery.REFUSED

    def __init__(self, message: str, *, retry_after: float | None = None, **fields: Any) -> None:
        """Take the wait that the exchange asks for."""
        hint = "" if retry_after is None else f"retry in {retry_after:g} s"
        super().__init__(message, hint=hint, **fields)
        self.retry_after = retry_after


class BannedError(ExchangeError):
    """The exchange banned this address, for every account behind it, until `until`.

    `retry_after` is the number of seconds left at the time of the answer.
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
        """Take the time at which the ban ends, if the exchange gave it."""
        hint = "" if until is None else f"banned until {until.isoformat(timespec='seconds')}"
        super().__init__(message, hint=hint, **fields)
        self.until = until
        self.retry_after = retry_after


class UnavailableError(ExchangeError):
    """The exchange is busy or broken. It may have acted, unless `delivery` says otherwise."""

    usual_delivery = Delivery.UNKNOWN


class MaintenanceError(UnavailableError):
    """The exchange, or this part of it, is closed for maintenance."""


class DustRejectedError(ExchangeError):
    """A rule of dust forbids the conversion; nothing was converted."""


class CooldownError(DustRejectedError):
    """The account converted too recently. The exchange's text says 24 hours, whatever its rule is.

    `retry_at` is when to try again; `None` if the converter leaves cooldowns to the exchange.
    """

    retry_at: datetime | None = None


class NotConvertibleError(DustRejectedError):
    """An asset of the batch can't be converted, so nothing was converted.

    `assets` are the assets that the exchange's message names, or else the whole batch.
    """

    def __init__(self, message: str, *, assets: tuple[str, ...] = (), **fields: Any) -> None:
        """Take the assets that can't be converted, as far as the answer names them."""
        super().__init__(message, **fields)
        self.assets = assets


class PriceMovedError(DustRejectedError):
    """The price moved too far, so the exchange did not convert; a new quote may work."""


class GuardError(DustError):
    """A safety rule stopped a conversion before anything was sent.

    `retry_at` is when the rule allows it, if waiting helps. `entry_ids` are the open entries of the
    ledger that forbid it: `recover()` settles them. `busy` says that something else is at work on
    the account at this moment: another process, or another task of this one.
    """

    def __init__(
        self,
        message: str,
        *,
        account: str | None = None,
        retry_at: datetime | None = None,
        entry_ids: tuple[int, ...] = (),
        busy: bool = False,
    ) -> None:
        """Take what has to change before the rule allows it."""
        super().__init__(message)
        self.account = account
        self.retry_at = retry_at
        self.entry_ids = entry_ids
        self.busy = busy


class CoolingDownError(CooldownError, GuardError):
    """The account converted too recently, by its ledger or quote. Nothing was sent (`status` 0)."""

    retry_at: datetime

    def __init__(self, message: str, *, account: str, retry_at: datetime) -> None:
        """Take when the account may convert again."""
        super().__init__(message, status=0, account=account, delivery=Delivery.UNSENT)
        self.retry_at = retry_at


class LedgerError(DustError):
    """The ledger's file can't be read or written, so no call is sent that it could not record.

    If a call was sent already, `entry_ids` are its entries. Its intent is on record, and
    `recover()` records how it ended, once the file is repaired.
    """

    def __init__(self, message: str, *, path: str, entry_ids: tuple[int, ...] = ()) -> None:
        """Take the path of the file."""
        super().__init__(f"ledger {path}: {message}")
        self.path = path
        self.entry_ids = entry_ids


class OutcomeUnknownError(DustError):
    """Funds may have moved: the request was sent, and how it ended is not known.

    Do not send it again. Read the dust log: it shows a conversion that happened. The exchange can
    have accepted the request only between `sent_after` and `expires_at` (by its own clock), so its
    absence from the log proves something only after `expires_at`. `parameters` are those of the
    request. `code` and `status` are those of the answer; `None` if there was no answer. A
    `Converter` puts the ledger's entries of the conversion into `entry_ids`, the open one last:
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
        """Take what is needed to find out how it ended."""
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
