"""What every plan can do: be narrowed, and say why something is not in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from binance_dust.conversion._reasons import Reason, Skipped
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

__all__ = ["Narrowing"]


class Narrowing:
    """A frozen plan with `lines`, each of an asset and an amount, and with what is `skipped`."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def account(self) -> str: ...
        @property
        def key_id(self) -> str | None: ...
        @property
        def lines(self) -> tuple[Any, ...]: ...
        @property
        def skipped(self) -> tuple[Skipped, ...]: ...
        @property
        def at(self) -> datetime: ...
        @property
        def expires_at(self) -> datetime: ...
        @property
        def eligible_at(self) -> datetime | None: ...

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets that are in it."""
        return tuple(line.asset for line in self.lines)

    def age(self, now: datetime) -> timedelta:
        """Tell how old it is; `now` is `session.now()`."""
        return now - self.at

    def expired(self, now: datetime) -> bool:
        """Tell whether it is too old to be carried out."""
        return now >= self.expires_at

    def only(self, *assets: str) -> Self:
        """Keep these assets, and leave the others out."""
        self._know(assets)
        return self._leave_out(set(self.assets) - set(assets))

    def without(self, *assets: str) -> Self:
        """Leave these assets out."""
        self._know(assets)
        return self._leave_out(set(assets))

    def why_not(self, asset: str) -> tuple[Skipped, ...]:
        """Say why an asset, or a part of it, is not in it; empty if all of it is."""
        return tuple(skipped for skipped in self.skipped if skipped.asset == asset)

    def _know(self, assets: tuple[str, ...]) -> None:
        """Refuse a name that is not in the plan: a misspelt one must not pass unseen."""
        for asset in assets:
            if asset in self.assets:
                continue
            why = "; ".join(str(skipped) for skipped in self.why_not(asset))
            raise ConfigurationError(
                f"{asset} is not in this quote: {why or 'there is none of it'}"
            )

    def _leave_out(self, assets: set[str]) -> Self:
        left_out = tuple(
            Skipped(asset=line.asset, amount=line.amount, reason=Reason.LEFT_OUT)
            for line in self.lines
            if line.asset in assets
        )
        changes: dict[str, Any] = {
            "lines": tuple(line for line in self.lines if line.asset not in assets),
            "skipped": self.skipped + left_out,
        }
        narrowed: Self = replace(self, **changes)  # type: ignore[type-var]
        return narrowed

    def __bool__(self) -> bool:
        return bool(self.lines)
