"""Public means exported, and nothing of the libraries below shows."""

from __future__ import annotations

import inspect
import subprocess
import sys
import types
from typing import Any

import pytest

import binance_dust
from binance_dust import (
    DustClient,
    DustError,
    RateLimits,
    RetryPolicy,
    Session,
    conversion,
    credentials,
    errors,
    events,
    ledger,
    models,
    scan,
)

HEAVY = ("cryptography", "rich", "aiohttp.web", "redis", "opentelemetry")


def test_all_names_what_can_be_imported_and_nothing_more() -> None:
    scope: dict[str, Any] = {}
    exec("from binance_dust import *", scope)  # noqa: S102 - what a user may write
    public = {
        name
        for name, value in vars(binance_dust).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    } - {"annotations", "import_module", "TYPE_CHECKING"}

    assert public == set(binance_dust.__all__) - {"__version__"}
    assert public <= set(scope)
    assert list(binance_dust.__all__) == sorted(binance_dust.__all__) == dir(binance_dust)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = binance_dust.Nothing  # type: ignore[attr-defined]


def test_every_error_is_exported_and_has_the_one_root() -> None:
    for name in errors.__all__:
        kind = getattr(errors, name)
        if inspect.isclass(kind) and issubclass(kind, Exception):
            assert issubclass(kind, DustError)
            assert getattr(binance_dust, name) is kind


@pytest.mark.parametrize(
    "module", [binance_dust, errors, models, events, credentials, conversion, ledger]
)
def test_each_public_thing_says_what_it_is(module: types.ModuleType) -> None:
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing):
            assert thing.__doc__, name
            assert not thing.__doc__.startswith(name + "("), name


@pytest.mark.parametrize("kind", [Session, DustClient])
def test_signatures_speak_of_no_library_below(kind: type) -> None:
    for name, member in (each for base in kind.__mro__[:-1] for each in vars(base).items()):
        if name.startswith("_") and name != "__init__":
            continue
        target: Any = member.fget if isinstance(member, property) else member
        if not callable(target):
            continue
        for parameter, annotation in getattr(target, "__annotations__", {}).items():
            # A session of the caller's own is aiohttp's by definition.
            if parameter != "http":
                assert not any(
                    foreign in str(annotation) for foreign in ("aiohttp", "msgspec", "tenacity")
                ), f"{kind.__name__}.{name}"


WALKED = {"small_liability_history", "transfers", "capital_flow"}
METHODS = """
    user_assets(*, asset=None, btc_valuation=False)
    convertible_assets(target, *, price=None, account_type=None)
    dust_convert(assets, *, target=None, account_type=None, client_id=None)
    dust_assets(*, account_type=None)
    dust_transfer(assets, *, account_type=None)
    dust_log(*, start=None, end=None, account_type=None)
    small_liabilities()
    exchange_small_liabilities(assets)
    small_liability_history(*, start=None, end=None, unread=None)
    bnb_burn()
    set_bnb_burn(*, spot=None, interest=None)
    key_permissions()
    account_status()
    account_info()
    margin_account()
    system_status()
    server_time()
    spot_account(*, omit_zero=True)
    funding_assets(*, asset=None, btc_valuation=False)
    wallet_balances(*, quote_asset='BTC', details=False)
    delist_schedule()
    margin_delist_schedule()
    capital_flow(*, kind=None, start=None, end=None)
    transfer(asset, amount, *, kind='FUNDING_MAIN')
    transfers(*, kind, start=None, end=None, unread=None)
    repay(asset, amount)
    convert_pairs(*, from_asset=None, to_asset=None)
    convert_quote(from_asset, to_asset, *, amount, wallet='SPOT')
    convert_accept(quote_id)
    convert_status(*, quote_id=None, order_id=None)
"""


@pytest.mark.parametrize("promised", METHODS.split("\n")[1:-1], ids=str.strip)
def test_methods_are_called_as_promised(promised: str) -> None:
    method = getattr(DustClient, promised.partition("(")[0].strip())
    parameters = list(inspect.signature(method).parameters.values())[1:]
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]

    assert f"{method.__name__}{inspect.Signature(bare)}" == promised.strip()
    assert inspect.isasyncgenfunction(method) == (method.__name__ in WALKED)
    assert inspect.iscoroutinefunction(method) != inspect.isasyncgenfunction(method)


@pytest.mark.parametrize(
    ("callable_", "promised"),
    [
        (
            Session,
            {
                "base_url": "https://api.binance.com",
                "limits": RateLimits(),
                "retry": RetryPolicy(),
                "budget": None,
                "http": None,
                "proxy": None,
                "local_addr": None,
                "recv_window": 5000,
                "timeout": 10.0,
            },
        ),
        (
            RateLimits,
            {
                "ip_weight": 12_000,
                "uid_weight": 180_000,
                "window": 60.0,
                "headroom": 0.0,
                "requests_per_second": 500,
            },
        ),
        (RetryPolicy, {"attempts": 5, "deadline": None}),
        (scan, {"target": "BNB", "liabilities": "auto"}),
    ],
)
def test_options_are_given_by_name_and_are_what_was_promised(
    callable_: Any, promised: dict[str, Any]
) -> None:
    parameters = inspect.signature(callable_).parameters

    assert {name: parameters[name].default for name in promised} == promised
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in promised)


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("from binance_dust import Session, DustClient, scan", (*HEAVY, "aiohttp")),
        ("import binance_dust, binance_dust.testing", (*HEAVY, "aiohttp", "tenacity")),
    ],
)
def test_an_import_brings_nothing_along_that_it_does_not_need(
    code: str, absent: tuple[str, ...]
) -> None:
    code = f"import sys; {code}; print([name for name in {absent!r} if name in sys.modules])"
    found = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == "[]"
