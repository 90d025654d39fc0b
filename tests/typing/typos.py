"""Mistakes that every type checker has to see. Never run: `nox -s types` reads it.

Each mistake stands under an `ignore`. Once a checker no longer sees it, the `ignore` is idle, and
that is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust import Recipt  # type: ignore[attr-defined]  # noqa: F401
from binance_dust.budget import RedisBudgt  # type: ignore[attr-defined]  # noqa: F401
from binance_dust.reports import ReportFil  # type: ignore[attr-defined]  # noqa: F401
from binance_dust.signers import SshAgnt  # type: ignore[attr-defined]  # noqa: F401
from binance_dust.sweeper import SweepReprt  # type: ignore[attr-defined]  # noqa: F401

if TYPE_CHECKING:
    from binance_dust import AccountReport, Converter, DustClient, Quote, Receipt, SweepReport


async def in_names_of_members(converter: Converter, client: DustClient) -> None:
    quote = await converter.quote()
    await client.user_asets()  # type: ignore[attr-defined]
    await client.user_assets(btc_valuations=True)  # type: ignore[call-arg]
    await converter.convert(quote.onnly("ADA"))  # type: ignore[attr-defined]


def in_names_of_fields(report: AccountReport, receipt: Receipt, turn: SweepReport) -> None:
    report.quotes  # type: ignore[attr-defined]  # noqa: B018
    receipt.slipage  # type: ignore[attr-defined]  # noqa: B018
    turn.outcom  # type: ignore[attr-defined]  # noqa: B018


def in_types(quote: Quote) -> str:
    return quote.net  # type: ignore[return-value]
