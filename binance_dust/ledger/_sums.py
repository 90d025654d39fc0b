"""What lines of a conversion come to, with every digit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from binance_dust._util.exact import total

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["Sums"]


class Sums:
    """Has `lines`, each with a gross and a fee in the same target."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def lines(self) -> tuple[Any, ...]: ...

    @property
    def gross(self) -> Decimal:
        """All of it before fees, in `target`."""
        return total(line.gross for line in self.lines)

    @property
    def fee(self) -> Decimal:
        """What it costs, in `target`."""
        return total(line.fee for line in self.lines)

    @property
    def net(self) -> Decimal:
        """All of it after fees, in `target`."""
        return total(line.net for line in self.lines)
