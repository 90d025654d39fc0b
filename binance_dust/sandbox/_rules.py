"""The settings of a sandbox: what is unknown of the real exchange, and what a test may change.

`WORLDS` are settings by name: how the exchange may be when it is not as documented.

Where the exchange's documents are silent or disagree, the default follows the newest of them. The
text of the field says what else was seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypedDict, get_args

from binance_dust.sandbox._amounts import exact
from binance_dust.sandbox._endpoints import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

WindowMode = Literal["fixed", "sliding"]
ListEncoding = Literal["both", "comma", "repeat"]
CooldownScope = Literal["asset", "account"]
TargetPlace = Literal["detail", "group", "nowhere"]
LiabilityBody = Literal["", "{}", "null"]
Spelling = Literal["documented", "mended"]
LiabilityPayer = Literal["ip", "uid"]
Payer = Literal["ip", "uid", "both"]
WeightHeader = Literal[
    "true", "late", "missing", "one", "backwards", "huge", "negative", "other payer"
]
OthersMode = Literal["evenly", "at the cut"]

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
    "quote_seconds",
    "quote_spread",
    "quote_minimum",
    "sale_seconds",
)


_AMOUNTS: Final = (
    "ceiling",
    "minimum",
    "volatility",
    "liability_ceiling",
    "quote_spread",
    "quote_minimum",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The settings of one sandbox. Times are in seconds of true time."""

    window: float = 60.0
    """Length of every weight window. Shorten it to test in compressed time."""
    window_mode: WindowMode = "fixed"
    """`fixed`: windows are cut at multiples of `window` since the epoch, in server time.
    `sliding`: each request looks back by one `window`, in true time."""
    window_offset: float = 0.0
    """Fixed windows are cut this long after the multiples of `window`."""
    ip_weight: int = 12_000
    """Weight that one address may spend on one endpoint in a window."""
    uid_weight: int = 180_000
    """Weight that one account may spend on one endpoint in a window."""
    spot_weight: int = 6_000
    """Weight that one address may spend on all of `/api` together."""
    weights: Mapping[str, int] = field(default_factory=dict)
    """What a call costs, by the endpoint's name, where it is not as documented."""
    payers: Mapping[str, Payer] = field(default_factory=dict)
    """Who pays for a call, by the endpoint's name, where it is not as documented."""
    weight_header: WeightHeader = "true"
    """What the header of used weight says of the pool that paid.

    `late`: what it would have said one answer earlier. `missing`: there is none. `one`: always 1.
    `backwards`: less with each call. `huge`: 999999999. `negative`: -1. `other payer`: the number
    is right, but stands in the other payer's header."""
    nodes: int = 1
    """How many servers answer in turn. Each one's header tells only what it has counted itself."""
    others: Mapping[str, int] = field(default_factory=dict)
    """Weight that other programs behind each address (or on each account) spend in a window, by the
    endpoint's name."""
    others_mode: OthersMode = "evenly"
    """Whether others spend evenly, or all at once when a window begins."""
    ban_after: int | None = 50
    """Refusals of one pool after its first 429, before the address is banned.

    `None` never bans. One page of the exchange says that `/sapi` stops at 429; another repeats the
    general text about 418. The strict reading is the default."""
    ban: float | None = None
    """Seconds of the first ban; two windows by default. Each further ban is twice as long."""
    retry_after_zero: bool = False
    """Send `Retry-After: 0` with every 429; the exchange was seen to do so."""
    accept_unencoded: bool = False
    """Also accept signatures over the decoded parameters, as servers did before 2026-01-15."""
    several_assets: ListEncoding = "both"
    """How `asset` may name several assets: repeated, joined by commas, or either."""
    cooldown: float = HOUR
    """Between two conversions of an account. 1 h (2026), 6 h (2021) and 24 h (2018) were seen."""
    cooldown_code: int = -5006
    """Code for a conversion that comes too soon: -5006, or 32110."""
    convert_cooldown: CooldownScope = "asset"
    """What cools down after `dust-convert`: the converted asset, or the whole account.

    Some programs convert ten assets in a loop, one per call."""
    ceiling: Decimal = Decimal(10)
    """An asset worth this much or more, in USDT, is no longer dust."""
    minimum: Decimal = Decimal(0)
    """An asset worth less, in USDT, is too little to convert, like one that rounds to nothing."""
    max_assets: int | None = None
    """Most assets in one conversion; no document names a limit."""
    price_step: float = 60.0
    """Seconds between two changes of prices, counted from the opening of the exchange."""
    volatility: Decimal = Decimal("0.004")
    """Greatest change of a price, as a part of it."""
    price_moved_code: int | None = -5010
    """Code for a conversion after the price moved by 5 % or more since it was shown.

    The rule is documented (FAQ, 2021 and later), the code is not; the text says what happened.
    `None` answers 200 with nothing converted."""
    log_lag: float = 0.0
    """Seconds before a conversion shows in the dust log."""
    log_target: TargetPlace = "detail"
    """Where the dust log names the target: in each detail (2026-07), the group, or nowhere."""
    log_one_bound: bool = False
    """Accept `startTime` without `endTime`; the exchange refused it on 2026-09-07."""
    log_days: int = 90
    """Days that one request to the log may cover, by the text of -4047."""
    liability_payer: LiabilityPayer = "ip"
    """Who pays for the list of small liabilities: `uid` in the documents of 2024."""
    liability_cooldown: float = 6 * HOUR
    """Between two exchanges of small liabilities."""
    liability_cooldown_code: int = -5006
    """Code for an exchange that comes too soon; the real code is unknown."""
    liability_ceiling: Decimal = Decimal(10)
    """A debt worth this much or more, in USDT, is no longer small."""
    liability_body: LiabilityBody = "{}"
    """Body of a successful exchange of small liabilities; no document shows one.

    The official SDKs parse every success as JSON, so it can't be empty."""
    quote_seconds: float = 10.0
    """How long a quote of a sale can be accepted, in the exchange's time."""
    quote_spread: Decimal = Decimal("0.002")
    """What a sale by quote brings less than the market's price, as a part of it."""
    quote_minimum: Decimal = Decimal("0.01")
    """A sale by quote worth less, in USDT, is refused; the real minimum differs by pair."""
    sale_seconds: float = 0.0
    """How long an accepted sale is in `PROCESS` before it is done."""
    spelling: Spelling = "documented"
    """`mended`: `transferredAmount` instead of the exchange's `transferedAmount`, and so on."""
    remember: int = 100_000
    """How many requests are kept; the oldest go first."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        for name in _AMOUNTS:
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
            "window_mode": WindowMode,
            "several_assets": ListEncoding,
            "convert_cooldown": CooldownScope,
            "log_target": TargetPlace,
            "liability_body": LiabilityBody,
            "liability_payer": LiabilityPayer,
            "weight_header": WeightHeader,
            "others_mode": OthersMode,
            "spelling": Spelling,
        }
        for name, choice in choices.items():
            allowed = get_args(choice)
            if getattr(self, name) not in allowed:
                message = f"{name} must be one of {allowed}, not {getattr(self, name)!r}"
                raise ValueError(message)
        self._check_world()

    def _check_world(self) -> None:
        """Refuse a world that can't be."""
        if self.nodes < 1:
            message = f"nodes must be one or more, not {self.nodes!r}"
            raise ValueError(message)
        for name in ("weights", "payers", "others"):
            self._check_by_endpoint(name)

    def _check_by_endpoint(self, name: str) -> None:
        """Refuse an endpoint that is not served, and a value that means nothing."""
        for endpoint, value in getattr(self, name).items():
            if endpoint not in BY_NAME:
                message = f"{name}: no endpoint is called {endpoint!r}"
                raise ValueError(message)
            if name == "payers":
                if value not in get_args(Payer):
                    message = f"payers must be among {get_args(Payer)}, not {value!r}"
                    raise ValueError(message)
                if BY_NAME[endpoint].pool == "spot":
                    message = f"payers: all of /api shares one pool, {endpoint!r} too"
                    raise ValueError(message)
            elif isinstance(value, bool) or not isinstance(value, int) or value < 0:
                message = f"{name} must be whole numbers of zero or more, not {value!r}"
                raise ValueError(message)


class RuleChanges(TypedDict, total=False):
    """The fields of `Rules`, as keyword arguments of `Sandbox`."""

    window: float
    window_mode: WindowMode
    window_offset: float
    ip_weight: int
    uid_weight: int
    spot_weight: int
    weights: Mapping[str, int]
    payers: Mapping[str, Payer]
    weight_header: WeightHeader
    nodes: int
    others: Mapping[str, int]
    others_mode: OthersMode
    ban_after: int | None
    ban: float | None
    retry_after_zero: bool
    accept_unencoded: bool
    several_assets: ListEncoding
    cooldown: float
    cooldown_code: int
    convert_cooldown: CooldownScope
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
    liability_payer: LiabilityPayer
    liability_cooldown: float
    liability_cooldown_code: int
    liability_ceiling: Decimal | str | int
    liability_body: LiabilityBody
    quote_seconds: float
    quote_spread: Decimal | str | int
    quote_minimum: Decimal | str | int
    sale_seconds: float
    spelling: Spelling
    remember: int


_LIST: Final = "small_liabilities"

WORLDS: Final[Mapping[str, RuleChanges]] = MappingProxyType(
    {
        "half-limit": {"ip_weight": 6_000, "uid_weight": 90_000, "spot_weight": 3_000},
        "sliding": {"window_mode": "sliding"},
        "shifted-windows": {"window_offset": 17.0},
        "no-header": {"weight_header": "missing"},
        "late-header": {"weight_header": "late"},
        "false-header": {"weight_header": "huge"},
        "other-payers-header": {"weight_header": "other payer"},
        "three-nodes": {"nodes": 3},
        "dear-lists": {"weights": {_LIST: 500}},
        "account-pays": {"payers": {_LIST: "uid"}},
        "both-pay": {"payers": {_LIST: "both"}},
        "others-half": {"others": {_LIST: 6_000}},
        "others-at-the-cut": {"others": {_LIST: 6_000}, "others_mode": "at the cut"},
        "strict-bans": {"ban_after": 3},
        "retry-after-zero": {"retry_after_zero": True},
    }
)
"""Rules by name, for `Sandbox(**WORLDS["half-limit"])` and `binance-dust sandbox --world`.

Each was measured somewhere, or is what a change of the exchange would look like."""
