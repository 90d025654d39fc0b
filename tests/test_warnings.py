"""Which warnings fail a test."""

from __future__ import annotations

import warnings

import pytest

GOING = (DeprecationWarning, PendingDeprecationWarning)


def warn(category: type[Warning], module: str) -> None:
    """Warn as code of a module does."""
    warnings.warn_explicit("this will go", category, f"{module}.py", 1, module=module, registry={})


@pytest.mark.parametrize("category", [*GOING, RuntimeWarning, UserWarning])
@pytest.mark.parametrize(
    "module", ["binance_dust", "binance_dust.client", "tests.test_client", "bot", "__docs__"]
)
def test_any_warning_in_our_own_code_is_an_error(category: type[Warning], module: str) -> None:
    with pytest.raises(category):
        warn(category, module)


def test_a_deprecation_in_the_standard_library_is_an_error_because_we_may_be_the_caller() -> None:
    with pytest.raises(DeprecationWarning):
        warn(DeprecationWarning, "asyncio.events")


@pytest.mark.parametrize("category", GOING)
@pytest.mark.parametrize("module", ["aiohttp", "aiohttp.helpers", "redis.asyncio.client"])
def test_a_deprecation_inside_a_dependency_is_an_error_only_where_nothing_is_locked(
    category: type[Warning], module: str, pytestconfig: pytest.Config
) -> None:
    if "error" in (pytestconfig.known_args_namespace.pythonwarnings or ()):
        with pytest.raises(category):
            warn(category, module)
    else:
        with warnings.catch_warnings(record=True) as seen:
            warn(category, module)

        assert [each.category for each in seen] == [category]


def test_any_other_warning_inside_a_dependency_is_an_error() -> None:
    with pytest.raises(RuntimeWarning):
        warn(RuntimeWarning, "aiohttp.helpers")
