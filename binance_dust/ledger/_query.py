"""The search for entries, as SQL."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

from binance_dust._util.checks import instance
from binance_dust.endpoints import to_account_type
from binance_dust.errors import ConfigurationError
from binance_dust.ledger._entry import OPEN, Kind, Status
from binance_dust.ledger._schema import OPEN_ONLY, stamp

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from datetime import datetime

    from binance_dust.endpoints import WalletName

__all__ = ["Query", "as_kind"]

_MOST: Final = 2**63 - 1
"""The largest integer of SQLite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which entries, in which order."""

    account: str | None = None
    status: Status | Iterable[Status] | None = None
    kind: Kind | str | None = None
    account_type: WalletName | None = None
    target: str | None = None
    asset: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    newest_first: bool = False
    limit: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no entry can have: an empty result would look like an answer."""
        if self.account_type is not None:
            object.__setattr__(self, "account_type", to_account_type(self.account_type))
        if self.status is not None:
            object.__setattr__(self, "status", _statuses(self.status))

    def sql(self) -> tuple[str, list[Any]]:
        """Write the query for the ids of the matching entries."""
        where, values = self.where()
        # Otherwise SQLite walks all entries in order rather than sort the few that are open.
        at = "+at" if self._only_open else "at"
        order = " DESC" if self.newest_first else ""
        sql = f"SELECT id FROM entries{where} ORDER BY {at}{order}, id{order}"  # noqa: S608 - our own text; values are bound
        if self.limit is not None:
            sql, values = f"{sql} LIMIT ?", [*values, _limit(self.limit)]
        return sql, values

    @property
    def _only_open(self) -> bool:
        return self.status is not None and set(self.status) <= set(OPEN)

    def ids(self, db: sqlite3.Connection) -> array[int]:
        """Find the ids of the matching entries, eight bytes each."""
        return array("q", (row[0] for row in db.execute(*self.sql())))

    def where(self) -> tuple[str, list[Any]]:
        """Write the conditions."""
        conditions: list[str] = []
        values: list[Any] = []

        def require(condition: str, *given: Any) -> None:
            conditions.append(condition)
            values.extend(given)

        if self.account is not None:
            # Any name of the account finds all of its entries.
            name = instance(self.account, str, "account")
            require("owner = coalesce((SELECT owner FROM names WHERE name = ?), ?)", name, name)
        for name in ("account_type", "target"):
            if (value := getattr(self, name)) is not None:
                require(f"{name} = ?", instance(value, str, name))
        if self.kind is not None:
            require("kind = ?", as_kind(self.kind).value)
        if self.status is not None:
            condition = f"status IN ({', '.join(map(repr, self.status))})"
            # SQLite uses the index of open entries only where its own words stand, and not for
            # bound values.
            require(f"{condition} AND {OPEN_ONLY}" if self._only_open else condition)
        if self.asset is not None:
            # Of what was asked for: less may have been converted.
            require(
                "id IN (SELECT entry_id FROM asked WHERE asset = ?)",
                instance(self.asset, str, "asset"),
            )
        if self.since is not None:
            require("at >= ?", stamp(self.since))
        if self.until is not None:
            require("at < ?", stamp(self.until))
        return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), values


def as_kind(value: Kind | str) -> Kind:
    """Return the kind of a name."""
    try:
        return Kind(value)
    except ValueError:
        raise ConfigurationError(f"kind must be one of {', '.join(Kind)}, not {value!r}") from None


def _limit(value: int) -> int:
    if not 0 <= instance(value, int, "limit") <= _MOST:
        raise ConfigurationError(f"limit must be between 0 and 2**63 - 1, not {value}")
    return value


def _statuses(value: Status | Iterable[Status]) -> tuple[str, ...]:
    wanted: tuple[str, ...] = (value,) if isinstance(value, str) else tuple(value)
    for each in wanted:
        if each not in get_args(Status):
            raise ConfigurationError(
                f"status must be one of {', '.join(get_args(Status))}, not {each!r}"
            )
    return wanted
