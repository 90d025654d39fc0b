"""Judge the tests: make small faults in a module, one at a time, and see that some test fails.

    nox -s mutants -- binance_dust/budget/_pool.py [more modules] [--minutes 10]

A fault exists in the memory of one process only, and no file is touched. pytest collects the tests
that the table names; for each fault a fork puts the faulty function in the place of the sound one,
runs the tests that reach it (whoever noticed the last one first, then the quick ones), and dies at
the first failure. A fault outside of functions needs a process that imports the module with it. One
that goes round in circles is ended after some time, and counts as noticed.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import gc
import importlib
import importlib.util
import json
import os
import random
import signal
import sys
import time
import types
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, Final

import aiohttp  # noqa: F401 - once, and not in every fork
import hypothesis
import pytest

from tests.mutants.mutate import Mutant, mutants, tell_tale
from tests.mutants.table import EXPLAINED, JUDGES, TOO_SLOW

_QUIET: Final = (
    "-q",
    "-s",
    "-p",
    "no:randomly",
    "-p",
    "no:cacheprovider",
    "--assert=plain",
    "--tb=no",
    "-m",
    "not long",
)
_TELL: Final = "__reached__"


class Loader(SourceFileLoader):
    """Loads one module from a tree in memory, in place of its file."""

    def __init__(self, path: str, tree: ast.Module) -> None:
        super().__init__(path.removesuffix(".py").replace("/", "."), str(Path(path).resolve()))
        self.tree = ast.fix_missing_locations(tree)

    def find_spec(self, name: str, *_: Any) -> Any:
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def get_code(self, fullname: str) -> Any:
        return compile(self.tree, self.path, "exec")

    def load(self) -> None:
        sys.meta_path.insert(0, self)
        importlib.import_module(self.name)


# The first example that fails is enough: nobody waits for the smallest one.
hypothesis.settings.register_profile(
    "mutants",
    deadline=None,
    derandomize=True,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)
os.environ["HYPOTHESIS_PROFILE"] = "mutants"


def hurry(seconds: float) -> None:
    """End this process if what comes takes much longer than that, by its own time or in waiting."""
    signal.setitimer(signal.ITIMER_PROF, 1.0 + 4 * seconds)
    signal.setitimer(signal.ITIMER_REAL, 15.0 + 20 * seconds)


def fork(work: Callable[[], Any]) -> tuple[int, Any]:
    """Do something in a process of its own; give how it ended, and what it told."""
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(here)
            told = json.dumps(work()).encode()
            while told:
                told = told[os.write(there, told) :]
            os._exit(0)
        except BaseException:  # noqa: BLE001 - whatever it was, the parent hears of it
            os._exit(99)
    os.close(there)
    with os.fdopen(here, "rb") as pipe:
        told = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, json.loads(told) if told else None


class Bench:
    """A pytest plugin: with the tests at hand, runs `work` in place of them."""

    def __init__(self, path: str, work: Callable[[Bench], Any]) -> None:
        self.path = path
        self.work = work
        self.result: Any = None
        self.items: dict[str, pytest.Item] = {}
        self.failed = ""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {
            item.nodeid: item
            for item in session.items
            if not any(name in item.nodeid for name in TOO_SLOW)
        }
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.result = self.work(self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = report.nodeid

    def first_to_fail(self, chosen: list[str], seconds: dict[str, float]) -> str:
        """Run tests until one fails, or takes much longer than it should."""
        for name in chosen:
            hurry(seconds.get(name, 600.0))
            self.items[name].config.hook.pytest_runtest_protocol(
                item=self.items[name], nextitem=None
            )
            if self.failed:
                break
        return self.failed


def collect(path: str, tree: ast.Module, work: Callable[[Bench], Any]) -> Any:
    """Import a module from a tree, have pytest collect its tests, and do something with them."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    Loader(path, tree).load()
    bench = Bench(path, work)
    tests = next(tests for begin, tests in JUDGES.items() if path.startswith(begin))
    hurry(20.0)
    if code := pytest.main([*_QUIET, *tests], plugins=[bench]):
        raise RuntimeError(code)
    return bench.result


class Trial:
    """The faults of one module, tried one after another."""

    def __init__(self, path: str, until: float, slow: float) -> None:
        self.path = path
        self.until = until
        self.slow = slow
        self.out = os.dup(1)
        """Where to tell of survivors, also from a process that is silent otherwise."""
        self.source = Path(path).read_text(encoding="utf-8")
        self.tree = ast.parse(self.source)
        self.faults = list(mutants(self.tree))
        random.Random(0).shuffle(self.faults)  # noqa: S311 - a fair part, if time is up early
        self.order: list[str] = []
        self.reached: dict[str, list[int]] = {}
        self.seconds: dict[str, float] = {}
        self.at_once: set[int] = set()
        """What runs when the module is imported: put in afterwards, a fault would do no harm."""

    def hold(self) -> tuple[int, list[Mutant]]:
        """Try the faults; give how many were tried, and those that nobody noticed."""
        setattr(builtins, _TELL, self.at_once.add)
        watched = tell_tale(ast.parse(self.source), _TELL)
        code, told = fork(lambda: collect(self.path, watched, self._swap))
        if code:
            sys.exit(f"{self.path}: its tests fail as it is, or can't be run")
        tried, numbers, self.order, self.seconds, at_once = told
        self.at_once.update(at_once)
        for number, fault in self._left(inside=False):
            tried += 1
            if not self._noticed(fault, lambda: collect(self.path, self.tree, self._all)):
                numbers.append(number)
        return tried, [self.faults[number] for number in numbers]

    def _left(self, *, inside: bool) -> Iterator[tuple[int, Mutant]]:
        for number, fault in enumerate(self.faults):
            # A function in a function that has run by then was made from the sound one.
            inner = fault.within != fault.function and fault.begins in self.at_once
            swappable = bool(fault.function) and fault.block not in self.at_once and not inner
            if swappable is inside and time.monotonic() < self.until:
                with fault.made():
                    yield number, fault

    def _noticed(self, fault: Mutant, tests: Callable[[], str]) -> bool:
        code, killer = fork(tests)
        if killer:
            # Who noticed one is likely to notice the next.
            self.order.remove(killer)
            self.order.insert(0, killer)
        if code or killer:
            return True
        why = EXPLAINED.get(self.path, {}).get(str(fault), "NOT EXPLAINED")
        os.write(self.out, f"  {self.path}:{fault.line} {fault}  [{why}]\n".encode())
        return False

    def _all(self, bench: Bench) -> str:
        return bench.first_to_fail(self.order, self.seconds)

    def _swap(self, bench: Bench) -> tuple[Any, ...]:
        """Try every fault in a function, having imported and collected once."""
        functions = defaultdict(list)
        file = str(Path(self.path).resolve())
        for thing in gc.get_objects():
            if isinstance(thing, types.FunctionType) and thing.__code__.co_filename == file:
                functions[thing.__code__.co_qualname].append(thing)
        code, told = fork(lambda: self._watch(bench))
        if code:
            raise RuntimeError(code)
        self.order = sorted(
            (name for name in told if told[name][0] < self.slow), key=lambda name: told[name][0]
        )
        self.reached = {name: blocks for name, (_, blocks) in told.items()}
        self.seconds = {name: seconds for name, (seconds, _) in told.items()}
        tried, survivors = 0, []
        for number, fault in self._left(inside=True):
            tried += 1
            chosen = [name for name in self.order if fault.block in self.reached[name]]

            def work(fault: Mutant = fault, chosen: list[str] = chosen) -> str:
                (code,) = (
                    code
                    for code in _codes(Loader(self.path, self.tree).get_code(""))
                    if code.co_qualname == fault.function
                )
                for function in functions[fault.function]:
                    function.__code__ = code
                return bench.first_to_fail(chosen, self.seconds)

            if not self._noticed(fault, work):
                survivors.append(number)
        return tried, survivors, self.order, self.seconds, sorted(self.at_once)

    def _watch(self, bench: Bench) -> dict[str, tuple[float, list[int]]]:
        """Run all tests once: how long each takes, and what it reaches."""
        told = {}
        for name in bench.items:
            blocks: set[int] = set()
            setattr(builtins, _TELL, blocks.add)
            began = time.process_time()
            if bench.first_to_fail([name], {}):
                raise RuntimeError(name)
            told[name] = time.process_time() - began, sorted(blocks)
        return told


def _codes(code: types.CodeType) -> list[types.CodeType]:
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return inner + [deeper for one in inner for deeper in _codes(one)]


def judge(path: str, until: float, slow: float) -> bool:
    """Judge one module's tests; tell whether all is well."""
    trial = Trial(path, until, slow)
    tried, survivors = trial.hold()
    known = EXPLAINED.get(path, {})
    unexplained = sum(str(fault) not in known for fault in survivors)
    all_of = "" if tried == len(trial.faults) else f" of {len(trial.faults)}"
    share = 100 * (tried - len(survivors)) / max(1, tried)
    print(
        f"{path}: {tried}{all_of} faults, {len(survivors)} not noticed ({share:.1f} % are),"
        f" {unexplained} of these unexplained",
        flush=True,
    )
    return not unexplained


def main() -> None:
    """Judge modules, all of the table's if none is named."""
    parser = argparse.ArgumentParser(description="Make small faults, and see that a test fails.")
    parser.add_argument("modules", nargs="*", help="paths, as binance_dust/budget/_pool.py")
    parser.add_argument("--minutes", type=float, default=60, help="for all of them (60)")
    help_slow = "seconds of CPU: tests that take longer don't judge (0.25)"
    parser.add_argument("--slow", type=float, default=0.25, help=help_slow)
    asked = parser.parse_args()
    until = time.monotonic() + 60 * asked.minutes
    os.nice(10)
    paths = asked.modules or [
        str(path)
        for begin in JUDGES
        for path in sorted(Path().glob(begin + "*" * (not begin.endswith(".py"))))
        if path.name != "__init__.py" and path.is_file()
    ]
    sys.exit(not all([judge(path, until, asked.slow) for path in paths]))  # noqa: C419 - all of them, always


if __name__ == "__main__":
    main()
