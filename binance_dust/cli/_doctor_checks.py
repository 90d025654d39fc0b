"""The doctor's checks: what the exchange's answers mean for work with dust, without I/O."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from binance_dust.errors import DustError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from binance_dust.models import (
        AccountInfo,
        AccountStatus,
        BnbBurn,
        Delistings,
        DustLog,
        KeyPermissions,
        SystemStatus,
    )

_SOON: Final = timedelta(days=14)
"""Warn this long before a key's right to trade ends: time to renew it."""
_MAX_AHEAD: Final = 1.0
"""Seconds: the exchange refuses a timestamp that is further ahead of its clock (-1021)."""
_SLOW: Final = 2.5
"""Seconds: half of the default `recv_window`, for which a signed call is valid."""
_SLOW_TO_SIGN: Final = 1.0
"""Seconds for one signature: of an account's calls, few get through then."""
NORMAL: Final = "Normal"


class Level(enum.StrEnum):
    """How serious a finding is; the members are in rising order."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"
    """Something does not work."""


severity: Final = list(Level).index
"""The sort key of levels."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    level: Level
    about: str
    text: str
    account: str | None = None


def judge_clock(offset: float, round_trip: float) -> Iterator[Finding]:
    """Check this machine's clock. `offset`: seconds by which the exchange is ahead."""
    # If the exchange is ahead, this machine is behind.
    where = "behind" if offset > 0 else "ahead"
    text = f"this machine is {abs(offset):.3f} s {where}, round trip {round_trip * 1000:.0f} ms"
    if abs(offset) >= _MAX_AHEAD:
        yield Finding(
            Level.WARNING,
            "clock",
            f"{text}: corrected for here, but other programs need the right time: set this clock",
        )
    else:
        yield Finding(Level.OK, "clock", text)
    if round_trip >= _SLOW:
        yield Finding(
            Level.WARNING, "clock", "answers take so long that signed calls may be too old (-1021)"
        )


def judge_system(status: SystemStatus | DustError) -> Iterator[Finding]:
    """Check whether the exchange is open."""
    if isinstance(status, DustError):
        yield Finding(Level.PROBLEM, "system", str(status))
    elif status.is_normal:
        yield Finding(Level.OK, "system", status.msg or "normal")
    else:
        why = status.msg or "maintenance"
        yield Finding(Level.PROBLEM, "system", f"closed: {why} ({status.status})")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAnswers:
    """What one account answered; an error for each failed call."""

    account: str
    permissions: KeyPermissions | DustError
    status: AccountStatus | DustError
    info: AccountInfo | DustError
    burn: BnbBurn | DustError
    log: DustLog | DustError
    signs: str = ""
    """Who or what signs."""
    signature: float | DustError = 0.0
    """Seconds that a signature takes."""
    plain_secret: bool = False
    """Whether its secret lies in a file that is not encrypted."""

    @property
    def margin(self) -> bool | None:
        """Whether the account has margin; `None` if not known."""
        return None if isinstance(self.info, DustError) else self.info.is_margin_enabled


def judge_schedules(delistings: Delistings | DustError) -> Iterator[Finding]:
    """Check whether it is known what will be delisted."""
    if isinstance(delistings, DustError):
        yield Finding(Level.WARNING, "delistings", f"not known: {delistings}")
    elif delistings.unread:
        pairs = ", ".join(delistings.unread)
        yield Finding(Level.NOTE, "delistings", f"{pairs}: pairs that can't be taken apart")


def judge_delistings(
    account: str, held: Mapping[str, Iterable[str]] | DustError, delistings: Delistings
) -> Iterator[Finding]:
    """Warn while what will be delisted can still be converted."""
    if isinstance(held, DustError):
        yield Finding(Level.PROBLEM, "delistings", str(held), account)
        return
    for account_type, assets in held.items():
        for chance in delistings.among(assets, account_type):
            level = Level.WARNING if chance.goes else Level.NOTE
            text = f"{chance}; it lies in {account_type.lower()}"
            yield Finding(level, "delistings", text, account)


def judge_account(answers: AccountAnswers, now: datetime) -> Iterator[Finding]:
    """Check one account: key, status, margin, fees."""
    name = answers.account
    if isinstance(answers.signature, DustError):
        # Nothing was asked: each question would have failed for the same reason.
        yield Finding(Level.PROBLEM, "signature", str(answers.signature), name)
        return
    found = [
        *_judge_signing(answers),
        *_judge_permissions(answers.permissions, margin=answers.margin, now=now),
        *_judge_status(answers.status),
        *_judge_margin(answers.info),
        *_judge_burn(answers.burn),
        *_judge_log(answers.log),
    ]
    yield from (Finding(each.level, each.about, each.text, name) for each in found)


def _judge_signing(answers: AccountAnswers) -> Iterator[Finding]:
    if isinstance(answers.signature, float) and answers.signature >= _SLOW_TO_SIGN:
        text = f"{answers.signature:.1f} s by {answers.signs}: calls wait for one another"
        yield Finding(Level.WARNING, "signature", text)
    if answers.plain_secret:
        yield Finding(
            Level.WARNING,
            "secret",
            "lies unencrypted in a file: let an agent or a program sign (ssh_agent, sign_command),"
            " or a password store print it (secret_command)",
        )


def _judge_permissions(
    key: KeyPermissions | DustError, *, margin: bool | None, now: datetime
) -> Iterator[Finding]:
    about = "key"
    if isinstance(key, DustError):
        yield Finding(Level.PROBLEM, about, str(key))
        return
    if key.enable_reading is False:
        yield Finding(Level.PROBLEM, about, "may not read, so nothing works")
    if key.enable_withdrawals:
        yield Finding(
            Level.WARNING, about, "may withdraw, which nothing here needs: remove that right"
        )
    if key.ip_restrict is False:
        yield Finding(
            Level.WARNING, about, "works from any address: restrict it to yours, on the exchange"
        )
    if key.enable_spot_and_margin_trading is False:
        yield Finding(Level.WARNING, about, "may not trade: dust can be seen, but not converted")
    if margin and key.enable_margin is False:
        yield Finding(
            Level.WARNING,
            about,
            "has no margin right: small debts can be seen, but not exchanged",
        )
    if key.permits_universal_transfer:
        yield Finding(Level.NOTE, about, "may move funds between wallets, which nothing here needs")
    ends = key.trading_authority_expiration_time
    if ends is not None and ends <= now:
        yield Finding(Level.WARNING, about, f"its right to trade ended on {ends:%Y-%m-%d}")
    elif ends is not None and ends <= now + _SOON:
        yield Finding(Level.WARNING, about, f"its right to trade ends on {ends:%Y-%m-%d}")


def _judge_status(status: AccountStatus | DustError) -> Iterator[Finding]:
    if isinstance(status, DustError):
        yield Finding(Level.PROBLEM, "status", str(status))
    elif status.data != NORMAL:
        yield Finding(
            Level.WARNING, "status", f"{status.data!r} instead of {NORMAL!r}: ask the exchange why"
        )


def _judge_margin(info: AccountInfo | DustError) -> Iterator[Finding]:
    if isinstance(info, DustError):
        yield Finding(Level.PROBLEM, "margin", str(info))


def _judge_burn(burn: BnbBurn | DustError) -> Iterator[Finding]:
    if isinstance(burn, DustError):
        yield Finding(Level.PROBLEM, "fees", str(burn))
    elif burn.spot_bnb_burn is False:
        yield Finding(
            Level.NOTE,
            "fees",
            "are not paid in BNB: each is taken from the asset that was bought, and leaves dust"
            " (binance-dust bnb-burn --spot on)",
        )


def _judge_log(log: DustLog | DustError) -> Iterator[Finding]:
    if isinstance(log, DustError):
        yield Finding(Level.PROBLEM, "dust log", str(log))
        return
    for row in log.unread:
        yield Finding(Level.WARNING, "dust log", f"{row}; books and quotes leave it out")
