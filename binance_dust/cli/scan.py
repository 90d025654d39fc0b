"""`binance-dust scan`: the dust and the small debts of many accounts at once."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from binance_dust.cli import _arguments, _desk
from binance_dust.cli._console import complain, console, duration, make_table, print_json
from binance_dust.cli._scan_live import Watch, draws, shown_live
from binance_dust.cli._scan_sums import Sums, print_sums, sound
from binance_dust.errors import ConfigurationError
from binance_dust.report_file import ReportFile, read_reports
from binance_dust.scanner import estimate_scan, scan

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from binance_dust.cli._desk import Desk
    from binance_dust.client import DustClient
    from binance_dust.reports import AccountReport
    from binance_dust.scanner import ScanEstimate

_LIABILITIES: Final[dict[str, Literal["auto"] | bool]] = {
    "auto": "auto",
    "always": True,
    "never": False,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("--target", default="BNB", help="what dust would be converted into (BNB)")
    parser.add_argument(
        "--liabilities",
        choices=tuple(_LIABILITIES),
        default="auto",
        help="ask for small debts (weight 100): where cheaper questions find any (auto), or not",
    )
    parser.add_argument(
        "--concurrency",
        type=_arguments.some,
        default=64,
        metavar="N",
        help="accounts of an address that are asked at once (64)",
    )
    parser.add_argument(
        "--estimate", action="store_true", help="say how long it would take, and send nothing"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write reports as they come: .jsonl or .csv"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with --out where it ends; accounts that failed are asked again",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page to look at, with charts"
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _desk.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Estimate, scan, write, and sum up."""
    if options.resume and options.out is None:
        raise ConfigurationError("--resume goes on with a file: name it with --out")
    if options.html is not None:
        _check_page(options)
    watch = Watch(aloud=not draws())
    found: list[AccountReport] = []
    with ExitStack() as stack:
        file = None
        if options.out is not None and not options.estimate:
            file = stack.enter_context(ReportFile(options.out, resume=options.resume))
            _check_target(file, options.target)
        async with _desk.open_desk(options, observer=watch) as desk:
            done = file.done if file else ()
            todo = [client for client in desk.clients if client.name not in done]
            longest, shortest = _estimates(todo, options.liabilities)
            if options.estimate:
                _show_estimate(longest, shortest, as_json=options.json)
                return 0
            _announce(longest, shortest, len(desk.clients) - len(todo))
            sums = Sums(options.target)
            _add_earlier(sums, file)
            await _scan(options, desk, todo, file, sums, watch, found)
    if options.html is not None and not options.estimate:
        from binance_dust.page import write_page

        write_page(options.html, found if file is None else _all_of(file, found))
    if not options.json:
        print_sums(sums)
        if file is not None:
            unsummed = len(file.done) - (sums.accounts - sums.failed)
            more = f", with those of {unsummed:,} accounts from before" if unsummed > 0 else ""
            console().print(f"The reports are in {file.path}{more}.", soft_wrap=True)
        if options.html is not None:
            console().print(f"The page is {options.html}.", soft_wrap=True)
    return 1 if sums.failed else 0


async def _scan(  # noqa: PLR0913, PLR0917 - what a scan needs, and nobody else calls it
    options: argparse.Namespace,
    desk: Desk,
    todo: Sequence[DustClient],
    file: ReportFile | None,
    sums: Sums,
    watch: Watch,
    found: list[AccountReport],
) -> None:
    reports = scan(
        todo,
        target=options.target,
        liabilities=_LIABILITIES[options.liabilities],
        concurrency=options.concurrency,
    )
    sessions = list(dict.fromkeys(client.session for client in todo))
    by_session = dict(zip(desk.sessions, desk.addresses, strict=True))
    addresses = [by_session[session] for session in sessions]
    try:
        async with reports, shown_live(reports, watch, sessions, addresses):
            async for each in reports:
                report = sound(each)
                if file is not None:
                    file.write(report)
                if options.json:
                    print_json(report.to_plain())
                if options.html is not None and not _readable(file):
                    found.append(report)
                sums.add(report)
    except asyncio.CancelledError:
        way_on = f"; --resume goes on with {file.path}" if file else ""
        complain(f"stopped after {reports.progress.done:,} of {len(todo):,} accounts{way_on}")
        raise


def _check_target(file: ReportFile, target: str) -> None:
    others = sorted(file.targets - {target})
    if others:
        raise ConfigurationError(
            f"{file.path} holds reports in {', '.join(others)}, not in {target}:"
            f" scan with --target {others[0]}, or into another file"
        )


def _add_earlier(sums: Sums, file: ReportFile | None) -> None:
    """Sum up what an earlier run has found, where it can be read back."""
    if file is not None and file.done and _readable(file):
        for report in read_reports(file.path):
            sums.add(report)


def _readable(file: ReportFile | None) -> bool:
    """Tell whether reports can be had back from a file, and need not be kept in memory."""
    return file is not None and file.path.suffix.lower() != ".csv"


def _all_of(file: ReportFile, found: list[AccountReport]) -> Iterable[AccountReport]:
    return read_reports(file.path) if _readable(file) else found


def _check_page(options: argparse.Namespace) -> None:
    """Refuse before a scan what could not be written after it."""
    if not options.html.parent.is_dir():
        raise ConfigurationError(f"can't write {options.html}: there is no such folder")
    if options.resume and options.out is not None and options.out.suffix.lower() == ".csv":
        raise ConfigurationError(
            "a page needs all reports, and a .csv does not give the earlier ones back:"
            " resume a .jsonl, or leave out --html"
        )


def _estimates(todo: Sequence[DustClient], liabilities: str) -> tuple[ScanEstimate, ScanEstimate]:
    """Give the longest and the shortest time that a scan can take by the limits."""
    how = _LIABILITIES[liabilities]
    longest = estimate_scan(todo, liabilities=how)
    shortest = estimate_scan(todo, liabilities=how, margin_share=0, debt_share=0)
    return longest, shortest


def _announce(longest: ScanEstimate, shortest: ScanEstimate, earlier: int) -> None:
    before = f", {earlier:,} were done before" if earlier else ""
    complain(f"{longest.accounts:,} accounts to scan{before}; {_spoken(longest, shortest)}")


def _spoken(longest: ScanEstimate, shortest: ScanEstimate) -> str:
    most, least = duration(longest.seconds), duration(shortest.seconds)
    if most == least:
        return f"{most} by the limits" if longest.seconds else "the limits allow it at once"
    return f"from {least} (nobody owes) to {most} (everybody does) by the limits"


def _show_estimate(longest: ScanEstimate, shortest: ScanEstimate, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "accounts": longest.accounts,
                "seconds_at_least": shortest.seconds,
                "seconds_at_most": longest.seconds,
                "lanes": [
                    {
                        "session": lane.session,
                        "question": lane.question.value,
                        "calls_at_most": lane.calls,
                        "weight_at_most": lane.weight,
                        "seconds_at_most": lane.seconds,
                    }
                    for lane in longest.lanes
                ],
            }
        )
        return
    out = console()
    out.print(f"{longest.accounts:,} accounts: {_spoken(longest, shortest)}.\n")
    numbers = ("calls at most", "weight", "until the last")
    table = make_table("question", *numbers, right=numbers)
    for lane in longest.lanes:
        table.add_row(
            lane.question.value, f"{lane.calls:,}", f"{lane.weight:,}", duration(lane.seconds)
        )
    out.print(table)
