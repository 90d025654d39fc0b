"""What an endpoint is: a row of the exchange's contract, as data.

A row has everything that is known of an endpoint. `row(...)` checks and encodes parameters and
returns a `Call`; nothing is sent. A wrong parameter is reported here, before any I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import (
    Any,
    Final,
    Generic,
    Literal,
    ParamSpec,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)
from urllib.parse import quote

import msgspec

from binance_dust._util.exact import from_moment
from binance_dust.errors import ConfigurationError

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

AccountType: TypeAlias = Literal["SPOT", "MARGIN"]
WalletName: TypeAlias = Literal["SPOT", "MARGIN", "spot", "margin"]
"""A wallet as users may write it. What we write is an `AccountType`."""
ListStyle: TypeAlias = Literal["comma", "repeated"]


class Names(tuple[str, ...]):
    """Asset names, for a parameter that takes a list."""

    __slots__ = ()


class Security(enum.Enum):
    """What a call must prove: decides the key header and the signature."""

    NONE = "NONE"
    MARKET_DATA = "MARKET_DATA"
    """The key alone: the same answer for every account, so one key serves a whole desk."""
    USER_DATA = "USER_DATA"
    MARGIN = "MARGIN"
    """Signed like USER_DATA; the key needs the margin permission."""
    TRADE = "TRADE"
    """Signed like USER_DATA; the key needs the permission to trade."""

    def __init__(self, _value: str) -> None:
        # Attributes, because every call asks for them.
        self.needs_key: bool = _value != "NONE"
        """Whether the key is sent."""
        self.signed: bool = _value not in ("NONE", "MARKET_DATA")
        """Whether a signature is sent, and so a timestamp."""


class LimitKind(enum.Enum):
    """Which budget pays for a call."""

    IP = "ip"
    """One pool for each endpoint and outgoing address."""
    UID = "uid"
    """One pool for each endpoint and account."""
    REQUEST = "request"
    """One pool for each outgoing address, shared by all of /api/v3."""


class Weight(msgspec.Struct, frozen=True):
    """What a call costs, and which budget pays."""

    kind: LimitKind
    cost: int

    def __str__(self) -> str:
        return f"{self.kind.value} {self.cost}"


def ip(cost: int) -> Weight:
    """Return a weight that the address's pool of this endpoint pays."""
    return Weight(LimitKind.IP, cost)


def uid(cost: int) -> Weight:
    """Return a weight that the account's pool of this endpoint pays."""
    return Weight(LimitKind.UID, cost)


class Replay(enum.Enum):
    """Whether a call with an unknown outcome may be sent again."""

    SAFE = "safe"
    """A read, or a setting that has the same effect when it is sent twice."""
    NEVER = "never"
    """It moves funds."""


class Params(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of an endpoint's parameters; `None` is left out of the request."""


class NoParams(Params, frozen=True):
    """No parameters."""


@dataclass(frozen=True)
class Endpoint(Generic[P, R_co]):
    """One row of the exchange's contract."""

    method: Literal["GET", "POST"]
    path: str
    security: Security
    weight: Weight
    replay: Replay
    params: Callable[P, Params]
    """The constructor of its parameters: the signature of a call."""
    result: type[R_co]
    most_names: int | None = None
    """How many names its list parameter takes, if the exchange sets a limit."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Call[R_co]:
        """Check and encode parameters; nothing is sent."""
        return Call(self, encode(self, self.params(*args, **kwargs)))

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[R_co]:
        """The decoder of its answers. Numbers with a fraction become text, to keep their digits."""
        # Not strict: the exchange has sent integers as digit strings ("total": "4").
        return msgspec.json.Decoder(self.result, strict=False, float_hook=str)

    @cached_property
    def title(self) -> str:
        """Method and path: its name in logs, errors and budgets."""
        return f"{self.method} {self.path}"

    def __str__(self) -> str:
        return self.title


# A struct, like all objects made for each call: a frozen dataclass takes five times as long.
class Call(msgspec.Struct, Generic[R_co], frozen=True, gc=False):
    """An endpoint with its parameters, encoded once for signing and sending."""

    endpoint: Endpoint[..., R_co]
    pairs: tuple[tuple[str, str | Names], ...]

    def query(self, style: ListStyle) -> str:
        """Encode the parameters as a query, with lists in the given style."""
        if not self.pairs:
            return ""
        return "&".join(
            f"{name}={text}" for name, value in self.pairs for text in _texts(value, style)
        )

    def parameters(self) -> dict[str, str]:
        """Return the parameters as plain text, to show what was asked for."""
        return {
            name: ",".join(value) if isinstance(value, Names) else value
            for name, value in self.pairs
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The asset names of a list parameter, if it has one."""
        return next((tuple(value) for _, value in self.pairs if isinstance(value, Names)), ())


def to_account_type(value: object, name: str = "account_type") -> AccountType:
    """Read a wallet's name, in capitals or not."""
    found = value.upper() if isinstance(value, str) else value
    for known in get_args(AccountType):
        if found == known:
            return cast("AccountType", known)
    raise ConfigurationError(f"{name} must be SPOT or MARGIN, not {value!r}")


def to_account_types(values: object) -> tuple[AccountType, ...]:
    """Read several wallets' names."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"account_types must be a collection: write ({values!r},)")
    return tuple(to_account_type(each, "each of account_types") for each in values)


def percent_encode(text: str) -> str:
    """Encode a value for a query: UTF-8, escaped except letters, digits and `-._~`."""
    return text if text.isalnum() and text.isascii() else quote(text, safe="")


def _texts(value: str | Names, style: ListStyle) -> Sequence[str]:
    if isinstance(value, str):
        return (percent_encode(value),)
    if style == "repeated":
        return [percent_encode(name) for name in value]
    if any("," in name for name in value):
        # Also a single name: the exchange would read several names, and convert all of them.
        raise ConfigurationError(
            f"a name with a comma can't stand in a list of names: {list(value)}; "
            "send it alone, or with Session(lists='repeated')"
        )
    return (percent_encode(",".join(value)),)


# --- checking and encoding parameters ----------------------------------------------------------

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_PLACES: Final = 40
"""Amounts are written without exponent, and 1E+999999 would be a request of a megabyte."""

Encoder: TypeAlias = Callable[[Any], "str | Names"]


def encode(endpoint: Endpoint[Any, Any], params: Params) -> tuple[tuple[str, str | Names], ...]:
    """Check parameters and write them as the wire needs them."""
    pairs: list[tuple[str, str | Names]] = []
    for attribute, wire_name, optional, encoder in _encoders(type(params)):
        value = getattr(params, attribute)
        if value is None and optional:
            continue
        try:
            encoded = encoder(value)
        except _WrongType as wrong:
            expected, found = wrong.args
            raise TypeError(
                f"{endpoint}: {attribute} must be {expected}, not {found or type(value).__name__}"
            ) from None
        except _WrongValue as wrong:
            raise ConfigurationError(f"{endpoint}: {attribute} {wrong}") from None
        most = endpoint.most_names
        if most is not None and isinstance(encoded, Names) and len(encoded) > most:
            raise ConfigurationError(
                f"{endpoint}: {attribute} has {len(encoded)} names; one call takes at most {most}"
            )
        pairs.append((wire_name, encoded))
    return tuple(pairs)


class _WrongType(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, expected: str, found: str = "") -> None:
        super().__init__(expected, found)


class _WrongValue(Exception):  # noqa: N818 - never leaves this module
    pass


def _encode_text(value: object) -> str:
    if not isinstance(value, str):
        raise _WrongType("a str")
    if not value:
        raise _WrongValue("is empty: give a name, or leave it out")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _WrongValue("has a lone surrogate, which can't be encoded as UTF-8") from None
    return value


def _encode_flag(value: object) -> str:
    if not isinstance(value, bool):
        raise _WrongType("a bool")
    return "true" if value else "false"


def _encode_integer(value: object) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _WrongType("an int")
    return str(value)


def _encode_amount(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise _WrongType("a Decimal (a float would lose digits)")
    if not value.is_finite() or value <= 0:
        raise _WrongValue(f"must be a finite number above zero, not {value}")
    if abs(value.adjusted()) > _MOST_PLACES:
        raise _WrongValue(f"has more than {_MOST_PLACES} places, which no real price has")
    return f"{value:f}"


def _encode_moment(value: object) -> str:
    if not isinstance(value, datetime):
        raise _WrongType("a datetime")
    if value.utcoffset() is None:
        raise _WrongValue("has no time zone: give one, datetime(..., tzinfo=UTC)")
    if value < EARLIEST:
        raise _WrongValue(f"is before {EARLIEST:%Y}, where the exchange's timestamps begin")
    return str(from_moment(value))


def _encode_names(value: object) -> Names:
    if isinstance(value, str | bytes):
        raise _WrongType("a list of names (for one asset: ['ADA'])")
    try:
        given = list(cast("Any", value))
    except TypeError:
        raise _WrongType("a list of names") from None
    for name in given:
        if not isinstance(name, str):
            raise _WrongType("a list of names", f"a list with {type(name).__name__} in it")
        if not name:
            raise _WrongValue("has an empty name in it")
    names = Names(_encode_text(name) for name in given)
    if not names:
        raise _WrongValue("is empty: name at least one")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise _WrongValue(f"has {', '.join(twice)} more than once")
    return names


def _one_of(spellings: tuple[str, ...]) -> Encoder:
    choices = tuple(dict.fromkeys(each.upper() for each in spellings))

    def encode_choice(value: object) -> str:
        if not isinstance(value, str):
            raise _WrongType("a str")
        if value.upper() not in choices:
            raise _WrongValue(f"must be {' or '.join(choices)}, not {value!r}")
        return value.upper()

    return encode_choice


_BY_TYPE: Final[dict[object, Encoder]] = {
    str: _encode_text,
    bool: _encode_flag,
    int: _encode_integer,
    Decimal: _encode_amount,
    datetime: _encode_moment,
    Iterable[str]: _encode_names,
}


@cache
def _encoders(params: type[Params]) -> tuple[tuple[str, str, bool, Encoder], ...]:
    """Choose an encoder for each field by its annotation, once for each `Params` class."""
    hints = get_type_hints(params)
    wire_names = dict(zip(params.__struct_fields__, params.__struct_encode_fields__, strict=True))
    rows: list[tuple[str, str, bool, Encoder]] = []
    for attribute, wire_name in wire_names.items():
        hint = hints[attribute]
        kinds = set(get_args(hint)) if _is_union(hint) else {hint}
        optional = type(None) in kinds
        (kind,) = kinds - {type(None)}
        encoder = _one_of(get_args(kind)) if get_origin(kind) is Literal else _BY_TYPE[kind]
        rows.append((attribute, wire_name, optional, encoder))
    return tuple(rows)


def _is_union(hint: object) -> bool:
    return get_origin(hint) in (Union, type(int | None))
