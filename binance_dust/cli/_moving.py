"""What the commands that move funds take, and the exit code that they end with."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from binance_dust.cli import _arguments, _desk, _ledger
from binance_dust.sweeper import Outcome

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from binance_dust.sweeper import SweepRules

_WALLETS: Final = ("spot", "margin")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command that moves funds takes."""
    _ledger.add_ledger(parser)
    _add_rules(parser)
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _desk.add_arguments(parser)


def rules(options: argparse.Namespace) -> SweepRules:
    """Give the rules that the options ask for."""
    asked: SweepRules = {
        "target": options.target,
        "keep": options.keep,
        "max_fee_rate": options.max_fee_rate,
        "min_value": options.min_value,
    }
    if options.cooldown is not None:
        asked["cooldown"] = options.cooldown
    return asked


def wallets(options: argparse.Namespace) -> Any:
    """Give the wallets that the options ask for, each once."""
    return tuple(dict.fromkeys(wallet.upper() for wallet in options.wallet)) or ("SPOT",)


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """Give the exit code for what became of the accounts: the gravest counts."""
    seen = set(outcomes)
    if Outcome.UNKNOWN in seen:
        return 3
    return 1 if seen & {Outcome.FAILED, Outcome.STOPPED} else 0


def _add_rules(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("rules")
    group.add_argument(
        "--target",
        type=_arguments.asset,
        default="BNB",
        help="what dust is converted into (BNB)",
    )
    group.add_argument(
        "--wallet",
        choices=_WALLETS,
        action="append",
        default=[],
        help="spot (unless told otherwise), margin, or both: give it twice",
    )
    group.add_argument(
        "--keep",
        type=_arguments.asset,
        metavar="ASSET",
        action="append",
        default=[],
        help="leave it alone; again for more",
    )
    group.add_argument(
        "--max-fee-rate",
        type=_arguments.amount,
        default=Decimal("0.05"),
        metavar="PART",
        help="of an asset's worth; what costs more stays (0.05)",
    )
    group.add_argument(
        "--min-value",
        type=_arguments.amount,
        default=Decimal(0),
        metavar="AMOUNT",
        help="of the target; what brings less stays (0)",
    )
    group.add_argument(
        "--cooldown",
        type=_arguments.span,
        metavar="TIME",
        help="between two conversions of an account, until its history shows what is enough (24h)",
    )
