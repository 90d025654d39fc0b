"""The gate of the exchange: who has spent how much weight, who is refused, who is banned.

Each `/sapi` endpoint has a meter of its own for each address or each account; all of `/api` shares
one for each address. A request is charged when it arrives, whatever becomes of it. The one that
would pass the limit is refused with 429 and costs nothing; an address that keeps on asking after
that is banned with 418, each time for twice as long, up to 2,160 times the first ban (two minutes
become three days).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from binance_dust.sandbox import _refusals as refusal
from binance_dust.sandbox._windows import Meter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from binance_dust.sandbox._clock import Moment
    from binance_dust.sandbox._endpoints import Law, Pool
    from binance_dust.sandbox._rules import Mode, Rules

_HEADERS: Final = {
    "ip": "X-SAPI-USED-IP-WEIGHT-1M",
    "uid": "X-SAPI-USED-UID-WEIGHT-1M",
    "spot": "X-MBX-USED-WEIGHT-1M",
}
_LONGEST: Final = 2160
_IN_DOUBT: Final = "small_liabilities"


class Tally(NamedTuple):
    """The used-weight header of one answer."""

    header: str
    used: int


class Gate:
    """Charges requests, refuses them, and bans addresses."""

    def __init__(self, rules: Rules) -> None:
        """Open with nothing spent."""
        self._rules = rules
        self._meters: dict[tuple[str, str], Meter] = {}
        self._banned: dict[str, float] = {}
        self._offences: dict[str, int] = {}
        self.refused: int = 0
        """Requests answered 429 for their weight."""
        self.shut_out: int = 0
        """Requests answered 418."""
        self.bans: int = 0
        """Bans imposed for going on after a 429."""

    def let_in(self, address: str, moment: Moment) -> None:
        """Refuse an address while it is banned."""
        until = self._banned.get(address)
        if until is None:
            return
        if moment.true >= until:
            del self._banned[address]
            return
        raise self._shut_out(until, moment)

    def charge(self, law: Law, address: str, account: str | None, moment: Moment) -> Tally | None:
        """Charge whom the law names; an account that is not known can't be charged."""
        pool = self.pool_of(law)
        payer = account if pool == "uid" else address
        if payer is None:
            return None
        meter = self._meter(law, payer)
        meter.ask(law.weight, moment)
        if meter.window.used(moment) + law.weight > meter.limit:
            raise self._refuse(meter, law, address, moment)
        meter.overruns = 0
        return Tally(_HEADERS[pool], meter.window.add(law.weight, moment))

    def spend(self, law: Law, payer: str, weight: int, moment: Moment) -> None:
        """Spend as somebody else behind the same address, or with the same account, would."""
        meter = self._meter(law, payer)
        meter.window.add(weight, moment)

    def ban(self, address: str, seconds: float, moment: Moment) -> None:
        """Shut an address out."""
        self._banned[address] = moment.true + seconds

    def pardon(self, address: str) -> None:
        """Let a banned address in again; its offences stay on record."""
        self._banned.pop(address, None)

    def used(self, law: Law, payer: str, moment: Moment) -> int:
        """Weight in the present window of one pool."""
        meter = self._meters.get((_pool_name(law), payer))
        return 0 if meter is None else meter.window.used(moment)

    def peaks(self, mode: Mode, laws: list[Law] | None, payer: str | None) -> Iterator[int]:
        """Most weight asked in any one window, of each pool that fits."""
        pools = None if laws is None else {_pool_name(law) for law in laws}
        for (name, owner), meter in list(self._meters.items()):
            if (pools is None or name in pools) and payer in (None, owner):
                yield meter.peaks[mode]

    def pool_of(self, law: Law) -> Pool:
        """Tell who pays: as the law says, but for the list that the documents disagree about."""
        return self._rules.liability_payer if law.name == _IN_DOUBT else law.pool

    def _meter(self, law: Law, payer: str) -> Meter:
        key = _pool_name(law), payer
        meter = self._meters.get(key)
        if meter is None:
            rules = self._rules
            limits = {"ip": rules.ip_weight, "uid": rules.uid_weight, "spot": rules.spot_weight}
            meter = Meter(limits[self.pool_of(law)], rules.window, rules.window_mode)
            self._meters[key] = meter
        return meter

    def _refuse(self, meter: Meter, law: Law, address: str, moment: Moment) -> refusal.Refusal:
        rules = self._rules
        meter.overruns += 1
        if rules.ban_after is not None and meter.overruns > rules.ban_after + 1:
            offences = self._offences.get(address, 0)
            self._offences[address] = offences + 1
            first = 2 * rules.window if rules.ban is None else rules.ban
            self.ban(address, first * min(2 ** min(offences, 12), _LONGEST), moment)
            meter.overruns = 0
            self.bans += 1
            return self._shut_out(self._banned[address], moment)
        self.refused += 1
        wait = meter.window.room_in(law.weight, meter.limit, moment)
        retry_after = 0 if rules.retry_after_zero else math.ceil(wait)
        return refusal.too_much_weight(meter.limit, retry_after)

    def _shut_out(self, until: float, moment: Moment) -> refusal.Refusal:
        self.shut_out += 1
        left = until - moment.true
        return refusal.banned(int((moment.server + left) * 1000), max(1, math.ceil(left)))

    def __repr__(self) -> str:
        return f"<Gate {len(self._meters)} pools, {self.refused} refused, {self.bans} bans>"


def _pool_name(law: Law) -> str:
    """Name the pool that a law draws on; all of `/api` is one."""
    return "spot" if law.pool == "spot" else law.name
