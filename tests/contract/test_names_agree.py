"""One name for one thing: cooldowns, quotes, wallets and durations, wherever users meet them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import binance_dust
from binance_dust import (
    AccountReport,
    ConfigurationError,
    Converter,
    CooldownError,
    CoolingDownError,
    Credentials,
    DustClient,
    GuardError,
    Ledger,
    RateLimits,
    RetryPolicy,
    Session,
    endpoints,
    models,
    scan,
    sweep,
)
from binance_dust._util.plain import error_from_plain, plain
from binance_dust.budget import RedisBudget
from binance_dust.conversion import Quote, QuoteLine
from binance_dust.errors import Delivery
from binance_dust.fleet import Timing
from binance_dust.signers import Command

D = Decimal
NOW = datetime(2026, 11, 1, tzinfo=UTC)
KEY = Credentials("key", "secret", name="alice")
DURATIONS = {
    *("busy_timeout", "configured", "cooldown", "deadline", "every", "gather", "lease", "max_wait"),
    *("patience", "pulse", "quote_ttl", "recv_window", "timeout", "wait", "window"),
}
"""What durations are called, in whatever is public."""


# --- cooldowns -----------------------------------------------------------------------------------


def test_one_except_catches_the_exchange_s_cooldown_and_our_own_rest() -> None:
    error = CoolingDownError("cooling down", account="alice", retry_at=NOW)

    assert isinstance(error, CooldownError)
    assert isinstance(error, GuardError)
    assert str(error) == "alice: cooling down"
    assert (error.retry_at, error.account, error.busy, error.entry_ids) == (NOW, "alice", False, ())
    assert (error.status, error.code, error.delivery) == (0, None, Delivery.UNSENT)
    again = error_from_plain(plain(error))
    assert type(again) is CoolingDownError
    assert vars(again) == vars(error)


# --- quotes --------------------------------------------------------------------------------------

ROW = models.ConvertibleAsset(
    asset="ADA",
    amount_free=D("6.21"),
    exchange=D("0.00006154"),
    to_target_asset_amount=D("0.00307693"),
    to_target_asset_off_exchange=D("0.00301539"),
)
LINE = QuoteLine(
    asset="ADA",
    full_name="ADA",
    amount=D("6.21"),
    gross=D("0.00307693"),
    fee=D("0.00006154"),
    net=D("0.00301539"),
)


@pytest.mark.parametrize("name", ["asset", "amount", "gross", "fee", "net"])
def test_the_row_of_a_scan_s_quote_and_of_a_converter_s_say_the_same(name: str) -> None:
    assert getattr(ROW, name) == getattr(LINE, name)


@pytest.mark.parametrize("name", ["gross", "fee", "net"])
def test_quotes_and_reports_have_their_sums_by_one_name_also_in_json(name: str) -> None:
    listed = models.ConvertibleAssets(details=[ROW])
    quote = Quote(
        account="alice",
        account_type="SPOT",
        target="BNB",
        lines=(LINE,),
        at=NOW,
        expires_at=NOW,
    )
    report = AccountReport(account="alice", at=NOW, quote=listed)
    empty = AccountReport(account="alice", at=NOW)

    assert getattr(quote, name) == getattr(listed, name) == getattr(report, name)
    written = report.to_plain()
    assert Decimal(written[name]) == Decimal(written["quote"][name]) == getattr(report, name)
    assert (empty.to_plain()[name], empty.to_plain()["quote"]) == (None, None)
    assert AccountReport.from_plain(written) == report


def test_the_fee_of_a_row_is_the_exchange_s_or_else_what_is_lost() -> None:
    dust = models.DustAsset(
        asset="ADA",
        amount_free=D("6.21"),
        to_bnb=D("0.3"),
        to_bnb_off_exchange=D("0.2"),
        exchange=D("0.11"),
    )
    silent = models.DustAsset(
        asset="ADA", amount_free=D("6.21"), to_bnb=D("0.3"), to_bnb_off_exchange=D("0.2")
    )

    assert (dust.gross, dust.fee, dust.net) == (D("0.3"), D("0.11"), D("0.2"))
    assert silent.fee == D("0.1")
    assert models.DustAssets(details=[dust, silent]).fee == D("0.21")


# --- wallets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "known"), [("spot", "SPOT"), ("Margin", "MARGIN")])
def test_a_wallet_is_read_in_any_case_and_written_in_capitals(given: Any, known: str) -> None:
    assert endpoints.to_account_type(given) == known
    assert endpoints.to_account_types([given]) == (known,)
    call = endpoints.DUST_LOG(account_type=given)
    assert call.parameters() == {"accountType": known}


def wrongly_named() -> Iterator[Any]:
    client, ledger = DustClient(KEY), Ledger(":memory:")
    yield lambda: endpoints.DUST_LOG(account_type="FUNDING")  # type: ignore[arg-type]
    yield lambda: scan([client], account_type="FUNDING")  # type: ignore[arg-type]
    yield lambda: Converter(client, ledger=ledger, account_type="FUNDING")  # type: ignore[arg-type]
    yield lambda: sweep([client], ledger=ledger, account_types=["FUNDING"])  # type: ignore[list-item]


@pytest.mark.parametrize("call", list(wrongly_named()))
def test_another_wallet_is_refused_wherever_it_is_named(call: Any) -> None:
    with pytest.raises(ConfigurationError, match="SPOT or MARGIN, not 'FUNDING'"):
        call()


# --- durations -----------------------------------------------------------------------------------


def signatures() -> Iterator[tuple[str, inspect.Parameter]]:
    """Give each parameter that is called as a duration, of all that is public and constructed."""
    homes = ("budget", "client", "conversion", "fleet", "ledger", "session", "signers", "sweeper")
    modules = [binance_dust, *(importlib.import_module(f"binance_dust.{each}") for each in homes)]
    things = {getattr(module, name) for module in modules for name in module.__all__}
    for thing in sorted((each for each in things if callable(each)), key=str):
        methods = [thing]
        if inspect.isclass(thing):
            public = (name for name in dir(thing) if not name.startswith("_"))
            methods = [vars(thing).get("__init__"), *(getattr(thing, name) for name in public)]
        for method in filter(inspect.isfunction, methods):
            for parameter in inspect.signature(method).parameters.values():
                if parameter.name in DURATIONS and parameter.annotation is not parameter.empty:
                    yield f"{method.__qualname__}({parameter.name})", parameter


SECONDS_ONLY = {
    *("Budget.admit(deadline)", "LocalBudget.admit(deadline)", "RedisBudget.admit(deadline)"),
    *("Attachable.attach(patience)", "RedisBudget.attach(patience)"),
    *("LocalBudget.__init__(patience)", "Session.send(deadline)"),
    *("Immediate.admit_at_once(deadline)", "LocalBudget.admit_at_once(deadline)"),
}
"""What a session passes on with each call: whoever writes a budget gets seconds."""
NO_DURATIONS = {"Converter.__init__(gather)", "Quote.__init__(gather)"}
"""A fleet gathers workers for some seconds, and a converter gathers dust."""


def test_every_duration_is_taken_in_seconds_and_as_a_timedelta() -> None:
    found = dict(signatures())
    annotated = {
        place
        for place, parameter in found.items()
        if "timedelta" in parameter.annotation and "float" in parameter.annotation
    }

    assert len(annotated) > 15
    assert found.keys() - annotated == SECONDS_ONLY | NO_DURATIONS


@pytest.mark.parametrize("given", [90, 90.0, timedelta(seconds=90)])
def test_both_forms_mean_the_same(given: Any) -> None:
    assert RetryPolicy(max_wait=given, deadline=given) == RetryPolicy(max_wait=90, deadline=90)
    assert RateLimits(window=given).window == 90
    assert Timing(wait=given).wait == 90
    assert Session(recv_window=timedelta(seconds=9)).recv_window == timedelta(seconds=9)
    for make in (
        lambda: Session(timeout=given),
        lambda: DustClient(KEY, deadline=given),
        lambda: Ledger(":memory:", busy_timeout=given),
        lambda: Command(["sign"], timeout=given),
        lambda: RedisBudget("redis://127.0.0.1", timeout=given, lease=given),
        lambda: sweep([], ledger=Ledger(":memory:"), every=given),
    ):
        make()


@pytest.mark.parametrize("given", ["90", True, None, timedelta(0), -1])
def test_what_is_no_duration_is_refused_by_all(given: Any) -> None:
    for make in (
        lambda: RetryPolicy(max_wait=given),
        lambda: RateLimits(window=given),
        lambda: Session(timeout=given),
        lambda: Session(recv_window=given),
        lambda: Timing(pulse=given),
        lambda: sweep([], ledger=Ledger(":memory:"), every=given or 0),
    ):
        with pytest.raises((TypeError, ConfigurationError)):
            make()
