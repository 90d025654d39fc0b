"""A newcomer finds each of fourteen tasks: from the first page or README, in two clicks at most."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.test_code_blocks import anchors

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "docs" / "index.md"
README = ROOT / "README.md"


class Task(NamedTuple):
    """What somebody has to do, where the first page leads, and what the way ends with."""

    words: str
    """In the text of the link on the first page, whatever the case."""
    page: str
    section: str
    means: str
    """What one types in the end: it stands in that section."""


TASKS = {
    "see what all my accounts hold": Task(
        "scan many", "how-to/scan-many-accounts", "from-the-command-line", "--out morning.jsonl"
    ),
    "convert dust once, with rules of mine": Task(
        "convert dust", "how-to/convert-safely", "", "max_fee_rate"
    ),
    "rescue an unknown outcome": Task(
        "how a call ended",
        "how-to/recover-an-unknown-outcome",
        "from-the-command-line",
        "binance-dust recover",
    ),
    "clean up every week, by systemd": Task(
        "systemd", "how-to/run-as-a-service", "systemd", "binance-dust-sweep.timer"
    ),
    "leave alone what a bot trades": Task(
        "open trades", "how-to/keep-open-trades", "freqtrade", "keep=keep"
    ),
    "share a budget among processes": Task(
        "share a budget", "how-to/share-a-budget", "in-a-program", "RedisBudget"
    ),
    "sign with an ssh-agent": Task(
        "ssh-agent", "how-to/keep-keys", "let-an-ssh-agent-sign", 'ssh_agent = "desk.pub"'
    ),
    "change a key that is in use": Task(
        "store keys", "how-to/keep-keys", "a-new-key-for-an-account", "new key"
    ),
    "export to hledger": Task(
        "hledger", "how-to/take-the-books-elsewhere", "hledger", "--style hledger"
    ),
    "be told of a ban": Task(
        "alert on a ban", "how-to/watch-with-prometheus", "alerts-and-a-dashboard", "rules.yml"
    ),
    "pay small margin debts": Task(
        "pay debts", "how-to/gather-sell-and-repay", "debts-to-the-end", "Repayer"
    ),
    "know what -5006 wants of me": Task("-5006", "reference/codes", "", "| -5006 |"),
    "test my bot with a lost answer": Task(
        "test a bot", "how-to/test-your-code", "make-things-go-wrong", "lose_answer"
    ),
    "read from a second address": Task(
        "many addresses", "how-to/run-a-fleet", "workers", "--local-addr"
    ),
}


def links(page: Path) -> list[tuple[str, Path]]:
    """Give the texts and the pages that a page links to."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"\[([^\]]+)\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    return [(words, (page.parent / target).resolve()) for words, target in found]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_first_page_leads_to_the_page_of_a_task(task: Task) -> None:
    named = [page for words, page in links(INDEX) if task.words in words.lower()]

    assert named == [ROOT / "docs" / f"{task.page}.md"]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_readme_leads_there_in_two_clicks(task: Task) -> None:
    near = {page for _, page in links(README)}

    assert INDEX in near or ROOT / "docs" / f"{task.page}.md" in near


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_way_ends_with_what_one_types(task: Task) -> None:
    page = ROOT / "docs" / f"{task.page}.md"
    text = page.read_text(encoding="utf-8")
    if task.section:
        assert task.section in anchors(page)
        sections = re.split(r"^## ", text, flags=re.MULTILINE)
        slugs = {
            re.sub(r"[^\w\- ]", "", part.split("\n")[0].lower()).replace(" ", "-"): part
            for part in sections
        }
        text = slugs[task.section]

    assert task.means in text
