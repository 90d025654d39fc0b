"""Where the reports of a scan go: into totals, a file, a page, and lines for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust._util.words import count
from binance_dust.cli._console import console
from binance_dust.cli._json import print_json
from binance_dust.cli._scan_sums import Sums, print_sums
from binance_dust.errors import ConfigurationError
from binance_dust.reports import ReportFile, read_reports

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from contextlib import ExitStack
    from pathlib import Path

    from binance_dust.reports import AccountReport


class Results:
    """Takes reports one by one. What can be had back from the file is not kept in memory."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack) -> None:
        """Open what is to be written; refuse before a scan what could not be written after it."""
        self._as_json: bool = options.json
        self._page: Path | None = options.html
        self._kept: list[AccountReport] = []
        self.sums = Sums(options.target)
        self.file: ReportFile | None = None
        if self._page is not None:
            _check_page(options)
        if options.out is not None:
            self.file = stack.enter_context(ReportFile(options.out, resume=options.resume))
            _check_target(self.file, options.target)

    @property
    def done(self) -> frozenset[str]:
        """Accounts that an earlier scan has read."""
        return frozenset(self.file.done) if self.file else frozenset()

    @property
    def way_on(self) -> str:
        """How to go on where a scan is stopped, if there is a way."""
        return f"; --resume goes on with {self.file.path}" if self.file else ""

    def add_earlier(self) -> None:
        """Sum up what an earlier scan has found, where it can be had back."""
        if self._path_back is not None and self.done:
            for report in read_reports(self._path_back):
                self.sums.add(report)

    def take(self, report: AccountReport) -> None:
        """Take one report."""
        if self.file is not None:
            self.file.write(report)
        if self._as_json:
            print_json(report.to_plain())
        if self._page is not None and self._path_back is None:
            self._kept.append(report)
        self.sums.add(report)

    def finish(self) -> int:
        """Write the page and show the totals; give the exit code."""
        if self._page is not None:
            from binance_dust.reports import write_page

            write_page(self._page, self._all)
        if not self._as_json:
            self._show()
        return 1 if self.sums.failed else 0

    def _show(self) -> None:
        print_sums(self.sums)
        out = console()
        if self.file is not None:
            unsummed = len(self.file.done) - (self.sums.accounts - self.sums.failed)
            before = f", with those of {count(unsummed, 'account')} from before"
            more = before if unsummed > 0 else ""
            out.print(f"The reports are in {self.file.path}{more}.", soft_wrap=True, markup=False)
        if self._page is not None:
            out.print(f"The page is {self._page}.", soft_wrap=True, markup=False)

    @property
    def _path_back(self) -> Path | None:
        """The file, if reports can be had back from it."""
        if self.file is None or self.file.path.suffix.lower() == ".csv":
            return None
        return self.file.path

    @property
    def _all(self) -> Iterable[AccountReport]:
        return self._kept if self._path_back is None else read_reports(self._path_back)


def _check_target(file: ReportFile, target: str) -> None:
    others = sorted(file.targets - {target})
    if others:
        raise ConfigurationError(
            f"{file.path} holds reports in {', '.join(others)}, not in {target}:"
            f" scan with --target {others[0]}, or into another file"
        )


def check_page(path: Path) -> None:
    """Refuse a page that could not be written, before the work that goes into it."""
    if not path.parent.is_dir():
        raise ConfigurationError(f"can't write {path}: there is no such folder")
    if path.is_dir():
        raise ConfigurationError(f"can't write {path}: it is a folder, name a file in it")


def _check_page(options: argparse.Namespace) -> None:
    check_page(options.html)
    if options.resume and options.out is not None and options.out.suffix.lower() == ".csv":
        raise ConfigurationError(
            "a page needs all reports, and a .csv does not give the earlier ones back:"
            " resume a .jsonl, or leave out --html"
        )
