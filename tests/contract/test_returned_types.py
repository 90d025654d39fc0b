"""What a public function returns has a name that users can import from the top.

Answers of the exchange are the exception: there are thirty of them, and `binance_dust.models` is
their place.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import binance_dust

HOMES = (
    *("budget", "client", "conversion", "credentials", "endpoints", "errors", "ledger"),
    *("reports", "scanner", "session", "signers", "sweeper"),
)
PUBLIC: dict[str, Any] = {
    name: getattr(module, name)
    for module in (importlib.import_module(f"binance_dust.{home}") for home in HOMES)
    for name in module.__all__
}
TOP = set(binance_dust.__all__)


def hints(thing: Any) -> Iterator[tuple[str, str]]:
    """Give what a function returns, or what the methods and fields of a class are."""
    if inspect.isfunction(thing):
        yield "return", thing.__annotations__["return"]
    if inspect.isclass(thing):
        for base in thing.__mro__:
            if base.__module__.partition(".")[0] == "binance_dust":
                yield from members(base)


def members(base: type) -> Iterator[tuple[str, str]]:
    """Give what the methods, properties, fields and type arguments of one class are."""
    for name, member in vars(base).items():
        target = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if inspect.isfunction(target) and not name.startswith("_"):
            yield name, target.__annotations__["return"]
    for name, hint in vars(base).get("__annotations__", {}).items():
        if not name.startswith("_"):
            yield name, hint
    for parent in getattr(base, "__orig_bases__", ()):  # `Stream[SweepReport]`
        for argument in getattr(parent, "__args__", ()):
            yield "bases", getattr(argument, "__name__", "None")


def reachable() -> dict[str, str]:
    """Walk from the top through all that is returned: each name, and where it was met first."""
    found: dict[str, str] = {}
    ahead = [(name, "the top") for name in sorted(TOP)]
    while ahead:
        name, place = ahead.pop()
        if name in found:
            continue
        found[name] = place
        for member, hint in hints(PUBLIC.get(name)):
            ahead += [(each, f"{name}.{member}") for each in sorted(named(hint) & PUBLIC.keys())]
    return found


def named(hint: str | type) -> set[str]:
    """Give the names in an annotation, as it was written or as it was evaluated."""
    if isinstance(hint, str):
        return {node.id for node in ast.walk(ast.parse(hint)) if isinstance(node, ast.Name)}
    return {getattr(hint, "__name__", "")}


def test_what_is_returned_can_be_imported_from_the_top() -> None:
    found = reachable()

    assert len(found) > 70
    assert {name: place for name, place in found.items() if name not in TOP} == {}


def test_the_walk_sees_methods_properties_fields_and_streams() -> None:
    sweep_report = dict(hints(PUBLIC["SweepReport"]))

    assert ("bases", "SweepReport") in hints(PUBLIC["Sweep"])
    assert sweep_report["quote"] == "Quote | LiabilityQuote | RepaymentQuote | None"
    assert dict(hints(PUBLIC["LedgerEntry"]))["net"] == "Decimal"
    assert dict(hints(PUBLIC["Ledger"]))["sync"] == "SyncReport"
    assert dict(hints(PUBLIC["Credentials"]))["load"] == "Accounts"


def test_a_name_at_the_top_is_the_one_of_its_home() -> None:
    assert all(getattr(binance_dust, name) is PUBLIC[name] for name in TOP & PUBLIC.keys())
