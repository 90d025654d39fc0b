"""One admitted request, as the functions that answer it see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from binance_dust.sandbox import _refusals as refusal

if TYPE_CHECKING:
    from binance_dust.sandbox._account import Account, Margin, WalletName
    from binance_dust.sandbox._dust import Scene
    from binance_dust.sandbox._endpoints import Law
    from binance_dust.sandbox._parameters import Form

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who asks what, and in which scene."""

    law: Law
    form: Form
    scene: Scene
    asker: Account | None = None
    closed: bool = False
    """The exchange is under maintenance."""

    @property
    def account(self) -> Account:
        """The account that asks; endpoints that have no asker don't look here."""
        if self.asker is None:
            raise refusal.bad_key()
        return self.asker

    @property
    def margin(self) -> Margin:
        """The margin account of who asks, or the refusal that there is none."""
        if self.account.margin is None:
            raise refusal.no_margin_account()
        return self.account.margin

    def wallet(self) -> WalletName:
        """Read `accountType`, which is the spot wallet unless given."""
        if self.form.choice("accountType", "SPOT", "MARGIN") != "MARGIN":
            return "SPOT"
        if self.account.margin is None:
            raise refusal.no_margin_account()
        return "MARGIN"

    def span(self) -> tuple[int | None, int | None]:
        """Read `startTime` and `endTime`; too far apart they are refused with -4047."""
        start, end = self.form.whole_number("startTime"), self.form.whole_number("endTime")
        days = self.scene.rules.log_days
        if start is not None and end is not None and not 0 <= end - start <= days * DAY_MS:
            raise refusal.Refusal(-4047, f"Time interval must be within 0-{days} days")
        return start, end


Answering = Callable[[Call], Any]
"""Gives what will be written as JSON; raises `Refusal` to say no."""
