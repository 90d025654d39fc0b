"""What isn't known of the real exchange, or what a test wants otherwise: each a choice.

Where the exchange's documents are silent or disagree, the default is the newest account of them,
and the field's text says what else was seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, TypedDict, get_args

from binance_dust.sandbox._amounts import exact

Mode = Literal["fixed", "sliding"]
Encoding = Literal["both", "comma", "repeat"]
Scope = Literal["asset", "account"]
TargetPlace = Literal["detail", "group", "nowhere"]
Body = Literal["", "{}", "null"]
Payer = Literal["ip", "uid"]

HOUR: Final = 3600.0
_NEVER_BELOW_ZERO: Final = (
    "ip_weight",
    "uid_weight",
    "spot_weight",
    "cooldown",
    "log_lag",
    "log_days",
    "liability_cooldown",
    "ceiling",
    "minimum",
    "volatility",
    "liability_ceiling",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The choices of one sandbox. Times are in seconds of true time."""

    window: float = 60.0
    """Length of every weight window; shorten it to test in compressed time."""
    window_mode: Mode = "fixed"
    """`fixed`: cut at multiples of `window` since the epoch, in server time. `sliding`: any."""
    ip_weight: int = 12_000
    """Weight that one address may spend on one endpoint in a window."""
    uid_weight: int = 180_000
    """Weight that one account may spend on one endpoint in a window."""
    spot_weight: int = 6_000
    """Weight that one address may spend on all of `/api` together."""
    ban_after: int | None = 50
    """Refusals of one pool that may follow its first 429 before the address is banned.

    `None` never bans: one page of the exchange says that `/sapi` stops at 429, another repeats the
    general text about 418. The strict reading is the default."""
    ban: float | None = None
    """Seconds of the first ban, doubled at each repetition; two windows when not given."""
    retry_after_zero: bool = False
    """Say `Retry-After: 0` on every 429, as some have seen the exchange do."""
    accept_unencoded: bool = False
    """Take signatures over the decoded parameters too, as servers did before 2026-01-15."""
    several_assets: Encoding = "both"
    """How `asset` may name several assets: repeated, joined by commas, or either."""
    cooldown: float = HOUR
    """Between two conversions of an account. 1 h (2026), 6 h (2021) and 24 h (2018) were seen."""
    cooldown_code: int = -5006
    """What a conversion too soon is answered with: -5006, or 32110."""
    convert_cooldown: Scope = "asset"
    """Whom `dust-convert` cools down: the asset converted, or the whole account.

    Programs are known that convert ten assets in a loop, one a call."""
    ceiling: Decimal = Decimal(10)
    """Value of one asset, in USDT, from which it is no longer dust."""
    minimum: Decimal = Decimal(0)
    """Value in USDT below which an asset is too little to convert, besides rounding to nothing."""
    max_assets: int | None = None
    """Assets in one conversion; no document limits them."""
    price_step: float = 60.0
    """Prices move once in so many seconds, counted from the opening of the exchange."""
    volatility: Decimal = Decimal("0.004")
    """How far, as a part of the price, they move at most."""
    price_moved_code: int | None = -5010
    """Code that refuses a conversion because the price moved by 5 % or more since it was shown.

    Only the rule is documented (FAQ, 2021 and later), not its answer; the text says what happened.
    `None` answers 200 with nothing converted."""
    log_lag: float = 0.0
    """Seconds before a conversion shows in the dust log."""
    log_target: TargetPlace = "detail"
    """Where the dust log names the target: in each detail (2026-07), the group, or nowhere."""
    log_one_bound: bool = False
    """Take `startTime` without `endTime`, which the exchange refused on 2026-09-07."""
    log_days: int = 90
    """Days that one question to the log may span; by the text of -4047."""
    liability_payer: Payer = "ip"
    """Who pays for the list of small liabilities: `uid` in the documents of 2024."""
    liability_cooldown: float = 6 * HOUR
    """Between two exchanges of small liabilities."""
    liability_cooldown_code: int = -5006
    """What an exchange too soon is answered with; the real code is unknown."""
    liability_ceiling: Decimal = Decimal(10)
    """Value in USDT from which a debt is no longer small."""
    liability_body: Body = ""
    """Body of a successful exchange of small liabilities; none is documented."""
    remember: int = 100_000
    """Requests that the witness keeps, the newest."""

    def __post_init__(self) -> None:
        """Refuse numbers that no exchange could live by."""
        for name in ("ceiling", "minimum", "volatility", "liability_ceiling"):
            try:
                object.__setattr__(self, name, exact(str(getattr(self, name))))
            except ValueError as error:
                message = f"{name}: {error}"
                raise ValueError(message) from None
        for name in ("window", "price_step"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds > 0):
                message = f"{name} must be a positive number of seconds, not {seconds!r}"
                raise ValueError(message)
        for name in _NEVER_BELOW_ZERO:
            if not getattr(self, name) >= 0:
                message = f"{name} must be zero or more, not {getattr(self, name)!r}"
                raise ValueError(message)
        choices = {
            "window_mode": Mode,
            "several_assets": Encoding,
            "convert_cooldown": Scope,
            "log_target": TargetPlace,
            "liability_body": Body,
            "liability_payer": Payer,
        }
        for name, choice in choices.items():
            allowed = get_args(choice)
            if getattr(self, name) not in allowed:
                message = f"{name} must be one of {allowed}, not {getattr(self, name)!r}"
                raise ValueError(message)


class RuleChanges(TypedDict, total=False):
    """The fields of `Rules`, as keyword arguments of `Sandbox`."""

    window: float
    window_mode: Mode
    ip_weight: int
    uid_weight: int
    spot_weight: int
    ban_after: int | None
    ban: float | None
    retry_after_zero: bool
    accept_unencoded: bool
    several_assets: Encoding
    cooldown: float
    cooldown_code: int
    convert_cooldown: Scope
    ceiling: Decimal | str | int
    minimum: Decimal | str | int
    max_assets: int | None
    price_step: float
    volatility: Decimal | str | int
    price_moved_code: int | None
    log_lag: float
    log_target: TargetPlace
    log_one_bound: bool
    log_days: int
    liability_payer: Payer
    liability_cooldown: float
    liability_cooldown_code: int
    liability_ceiling: Decimal | str | int
    liability_body: Body
    remember: int
