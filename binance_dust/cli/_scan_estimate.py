"""How long a scan will take, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from binance_dust._util.words import count, duration
from binance_dust.cli._console import console, make_table
from binance_dust.scanner import ScanEstimate, estimate_scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from binance_dust.client import DustClient


class Estimates(NamedTuple):
    """The longest and the shortest time that a scan can take by the limits."""

    longest: ScanEstimate
    shortest: ScanEstimate

    def __str__(self) -> str:
        most, least = duration(self.longest.seconds), duration(self.shortest.seconds)
        if most == least:
            return (
                f"{most} by the limits" if self.longest.seconds else "the limits allow it at once"
            )
        return f"from {least} (nobody owes) to {most} (everybody does) by the limits"

    def as_json(self) -> dict[str, Any]:
        """Give them as what JSON has."""
        return {
            "accounts": self.longest.accounts,
            "seconds_at_least": self.shortest.seconds,
            "seconds_at_most": self.longest.seconds,
            "lanes": [
                {
                    "session": lane.session,
                    "question": lane.question.value,
                    "calls_at_most": lane.calls,
                    "weight_at_most": lane.weight,
                    "seconds_at_most": lane.seconds,
                }
                for lane in self.longest.lanes
            ],
        }

    def show(self) -> None:
        """Show them to eyes."""
        out = console()
        out.print(f"{count(self.longest.accounts, 'account')}: {self}.\n")
        numbers = ("calls at most", "weight", "until the last")
        several = len({lane.session for lane in self.longest.lanes}) > 1
        whose = ("session",) if several else ()
        table = make_table(*whose, "question", *numbers, right=numbers)
        for lane in self.longest.lanes:
            session = (str(lane.session),) if several else ()
            amounts = f"{lane.calls:,}", f"{lane.weight:,}", duration(lane.seconds)
            table.add_row(*session, lane.question.value, *amounts)
        out.print(table)


def estimate(todo: Sequence[DustClient], liabilities: Any) -> Estimates:
    """Estimate a scan by this process, both ways."""
    longest = estimate_scan(todo, liabilities=liabilities)
    shortest = estimate_scan(todo, liabilities=liabilities, margin_share=0, debt_share=0)
    return Estimates(longest, shortest)
