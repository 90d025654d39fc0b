"""What the judges of the hour notice: each has a fault planted in what it looks at."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_dust import Converter, Credentials, Ledger, Session
from binance_dust.conversion import LiabilityExchanger
from binance_dust.ledger import Kind, LedgerEntry
from binance_dust.sandbox import Sandbox
from tests.proof.whole import books, traffic, turns
from tests.proof.whole.exchange import BOOKS, LastingExchange, become
from tests.proof.whole.hour import setting_for
from tests.proof.whole.journal import Journal, Witness, mend, read, witness
from tests.proof.whole.parts import command, prepare
from tests.proof.whole.weigh import Life, Sample, growth, look, row
from tests.proof.whole.worlds import ADDRESSES, CALM, PARTS, STORMS, draw

# --- books ---------------------------------------------------------------------------------------


class Lived:
    """A ledger with two conversions and an exchange of debts, and the exchange's record of them."""

    def __init__(self, ledger: Ledger, exchange: Sandbox) -> None:
        self.ledger = ledger
        self.witness = Witness()
        self.entries: list[LedgerEntry] = []
        self._exchange = exchange

    async def live(self, session: Session) -> None:
        for name in ("alice", "bob"):
            account = self._exchange.open_account(
                name, ADA="6.21", XRP="1.5", debts={"ETH": "1e-3"}
            )
            converter = Converter(session.client(account), ledger=self.ledger)
            await converter.convert(await converter.quote())
        debts = LiabilityExchanger(session.client(account), ledger=self.ledger)
        await debts.exchange(await debts.quote())
        self.entries = [entry async for entry in self.ledger.entries()]
        lines: list[dict[str, Any]] = []
        for each in self._exchange.accounts:
            for asset in ("ADA", "XRP"):
                amount = {"ADA": "6.21", "XRP": "1.5"}[asset]
                lines.append(
                    {"what": "holds", "account": each.name, "asset": asset, "amount": amount}
                )
            lines.append({"what": "owes", "account": each.name, "asset": "ETH", "amount": "0.001"})
            lines += (
                {
                    "what": "conversion",
                    "account": each.name,
                    "transaction_id": done.transaction_id,
                    "target": done.target,
                    "rows": [[r.asset, str(r.amount), str(r.gross), str(r.fee)] for r in done.rows],
                    "at_ms": done.at_ms,
                }
                for done in each.conversions
            )
            lines += (
                {
                    "what": "debts",
                    "account": each.name,
                    "target": done.target,
                    "rows": [[done.asset, str(done.amount), str(done.target_amount), "0"]],
                    "at_ms": done.at_ms,
                }
                for done in each.debt_exchanges
            )
        self.witness = witness(lines)


@pytest.fixture
async def lived(tmp_path: Path) -> AsyncIterator[Lived]:
    async with (
        Sandbox(seed=7) as exchange,
        Session(base_url=exchange.url) as session,
        Ledger(tmp_path / "desk.db") as ledger,
    ):
        lived = Lived(ledger, exchange)
        await lived.live(session)
        yield lived


async def test_books_that_agree_are_left_alone(lived: Lived, tmp_path: Path) -> None:
    assert Counter(move.kind for move in lived.witness.moves) == {"dust": 2, "liabilities": 1}
    assert books.entries(lived.entries, lived.witness) == []
    for by in ("account", "asset"):
        assert books.sums(await lived.ledger.totals(by), lived.witness, by) == []
    await lived.ledger.export_csv(tmp_path / "books.csv")
    assert books.export(tmp_path / "books.csv", lived.witness) == []


async def test_each_fault_in_an_entry_is_named(lived: Lived) -> None:
    first, second, debts = lived.entries
    other = replace(first.lines[0], amount=first.lines[0].amount + Decimal("1e-8"))
    planted = {
        "is unknown": replace(first, status="unknown"),
        "happened without a call of ours": replace(first, intended_at=None),
        "is not in the books": replace(first, status="rejected"),
        "has two entries": replace(second, id=99),
        "is a sale in the books": replace(first, kind=Kind.SALE),
        "and never happened": replace(first, account="bob"),
        "at the exchange": replace(first, lines=(other, *first.lines[1:])),
    }
    for words, entry in planted.items():
        wrong = books.entries([entry, second, debts], lived.witness)
        assert any(words in each for each in wrong), (words, wrong)
    wrong = books.entries([*lived.entries, replace(debts, id=99)], lived.witness)
    assert wrong == ["entry 99 of bob is confirmed, and never happened"]
    wrong = books.entries([first, second], lived.witness)
    assert [each.endswith("is not in the books") for each in wrong] == [True]


async def test_an_entry_that_is_rejected_and_happened_is_named(lived: Lived) -> None:
    first, second, debts = lived.entries

    assert books.denied(lived.entries, lived.witness) == []
    for entry in lived.entries:
        wrong = replace(entry, status="rejected", reason="planted")
        others = [each for each in lived.entries if each is not entry]
        assert len(books.denied([wrong, *others], lived.witness)) == 1
    # One that was refused, and was tried again at once: the second is what happened.
    again = replace(first, id=99, status="rejected", reason="too soon")
    assert books.denied([again, first, second, debts], lived.witness) == []


async def test_funds_that_moved_twice_are_named(lived: Lived) -> None:
    move = lived.witness.moves[0]
    lived.witness.moves.append(replace(move, transaction_id=1))

    assert len(books.entries(lived.entries, lived.witness)) == 1
    assert books.sums(await lived.ledger.totals("account"), lived.witness, "account")
    assert books.sums(await lived.ledger.totals("asset"), lived.witness, "asset")


async def test_a_row_that_the_file_lacks_or_has_too_much_is_named(
    lived: Lived, tmp_path: Path
) -> None:
    path = tmp_path / "books.csv"
    await lived.ledger.export_csv(path)
    head, first, *rest = path.read_text("utf-8").splitlines()
    for text, words in (([head, *rest], "not in"), ([head, first, first, *rest], "only in")):
        path.write_text("\n".join(text), "utf-8")
        (wrong,) = books.export(path, lived.witness)
        assert wrong.startswith(words)


async def test_an_open_entry_finds_its_move_and_no_other(lived: Lived) -> None:
    first, second, debts = lived.entries
    moves = {move.account: move for move in lived.witness.moves if move.kind == "dust"}

    assert books.matching(first, lived.witness, ()) == moves["alice"]
    assert books.matching(second, lived.witness, ()) == moves["bob"]
    assert books.matching(first, lived.witness, (first.transaction_id or 0,)) is None
    assert books.matching(replace(first, assets=("ADA",)), lived.witness, ()) is None
    found = books.matching(debts, lived.witness, ())
    assert found is not None
    assert found.kind == "liabilities"


def test_balances_that_do_not_add_up_are_named() -> None:
    told = {"alice ADA": "1.50", "alice BNB": "0"}
    assert books.balances(told, {("alice", "ADA"): Decimal("1.5")}, "balance") == []
    wrong = books.balances(told, {("alice", "ADA"): Decimal(1)}, "balance")
    assert wrong == ["balance of alice ADA: 1.50 is shown, 1 was moved"]
    assert books.balances({}, {("alice", "ADA"): Decimal(1)}, "balance") != []


# --- what processes weigh ------------------------------------------------------------------------


def a_life(mib: float = 0.0, files: float = 0.0, *, looks: int = 240) -> Life:
    """Give a life of an hour that grows by so much, and swings as a process at work does."""
    samples = [
        Sample(
            at=15.0 * n,
            mib=60 + n % 7 + mib * n / looks,
            files=round(20 + 30 * (n % 4 == 0) + files * n / looks),
        )
        for n in range(looks)
    ]
    return Life("one", 1, 0.0, samples)


def test_a_flat_life_is_left_alone_and_a_growing_one_is_named() -> None:
    assert growth(a_life()) == []
    assert growth(a_life(mib=15)) == []
    assert "memory grew" in growth(a_life(mib=60))[0]
    assert growth(a_life(mib=60), memory=False) == []
    assert "descriptors grew" in growth(a_life(files=30))[0]
    # Too short to judge: what a process learns in the beginning is no leak.
    assert growth(a_life(mib=60, files=60, looks=20)) == []


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc, as Linux has it")
def test_a_process_is_weighed_and_one_that_is_gone_is_not() -> None:
    sample = look(os.getpid(), 1.0)
    assert sample is not None
    assert 5 < sample.mib < 5_000
    assert sample.files >= 3
    assert look(2**22 + 1, 1.0) is None
    assert "60.0 min" in row(a_life(looks=241))
    assert "gone before" in row(Life("one", 1, 0.0, ended="killed"))


# --- traffic -------------------------------------------------------------------------------------


def calls(*answers: tuple[float, int], address: str = "127.0.0.2") -> list[dict[str, Any]]:
    world = {"what": "world", "at": 0.0, "name": "bans"}
    return [world] + [
        {"what": "request", "at": at, "call": "GET /x", "status": status, "address": address}
        for at, status in answers
    ]


def test_calls_into_a_ban_that_was_heard_are_named() -> None:
    burst = calls((1, 200), (2, 418), (2.5, 418), (4.9, 418), (40, 200))
    assert traffic.faults(traffic.count(burst, 90), []) == []
    later = calls((1, 200), (2, 418), (20, 418), (40, 200))
    seen = traffic.count(later, 90)
    assert traffic.faults(seen, []) == ["1 calls from 127.0.0.2 into a ban that was heard (bans)"]
    # A process that begins meanwhile has to find out.
    assert traffic.faults(seen, [(19.0, "127.0.0.2")]) == []
    assert traffic.faults(seen, [(19.0, "127.0.0.3")]) != []


def test_a_second_ban_for_one_cause_is_named() -> None:
    ban = {"what": "ban", "at": 3.0, "address": "127.0.0.2", "path": "/x"}
    lines = [{"what": "world", "at": 0.0, "name": "calm"}, *calls((1, 429), (2, 429)), ban]
    seen = traffic.count(lines, 90)
    assert (seen.refused["bans"], seen.last_refusal) == (2, 2)
    assert traffic.faults(seen, []) == []
    wrong = traffic.faults(traffic.count([*lines, ban], 90), [])
    assert wrong == ["2 bans of 127.0.0.2 for /x in one world (bans)"]


def test_a_refusal_while_all_is_as_documented_is_named() -> None:
    seen = traffic.count(calls((1, 200), (2, 429)), 90)
    assert traffic.faults(seen, []) == ["1 calls refused while all was as documented"]


# --- turns ---------------------------------------------------------------------------------------


def a_turn(seconds: int, account: str, outcome: str = "converted") -> dict[str, Any]:
    error = {"text": "no luck"} if outcome == "failed" else None
    at = f"1970-01-01T00:00:{seconds:02}Z"
    return {"at": at, "account": account, "outcome": outcome, "error": error}


def test_what_stands_still_or_fails_in_calm_is_named() -> None:
    fine = [
        a_turn(5, "alice"),
        a_turn(15, "bob"),
        a_turn(25, "alice"),
        a_turn(26, "bob", "resting"),
    ]
    both, worlds = ("alice", "bob"), ("calm", "slow", "calm")
    assert turns.faults(turns.count(fine, (0, 10, 20), 20), both, worlds) == []
    # What fails in a storm is no fault, nor what a trade stops.
    moved = {**a_turn(28, "bob", "stopped by a rule"), "error": {"text": "changed since the quote"}}
    stormy = [*fine, a_turn(16, "bob", "failed"), moved]
    assert turns.faults(turns.count(stormy, (0, 10, 20), 20), both, worlds) == []
    planted = {
        "calm, and yet 1 times failed: no luck": [*fine, a_turn(27, "bob", "failed")],
        "1 accounts had no turn in the calm at the end": fine[:3],
        "nothing was converted in world 2 (slow)": [fine[0], *fine[2:]],
    }
    for words, reports in planted.items():
        assert turns.faults(turns.count(reports, (0, 10, 20), 20), both, worlds) == [words]


# --- the plan, and the exchange ------------------------------------------------------------------


def test_a_seed_draws_all_worlds_and_kills_each_part_once() -> None:
    for seed in range(50):
        steps = draw(seed)
        assert steps == draw(seed)
        assert (steps[0].world, steps[-1].world) == (CALM, CALM)
        assert {step.world.name for step in steps[1:-1]} == {world.name for world in STORMS}
        assert sorted(part for step in steps for _, part in step.kills) == sorted(PARTS)
    assert len({repr(draw(seed)) for seed in range(50)}) == 50


async def test_the_blows_of_all_worlds_can_be_struck() -> None:
    from binance_dust.sandbox._control import FaultControl

    async with Sandbox(seed=7) as exchange:
        exchange.open_account("alice", ADA="6.21")
        control = FaultControl(exchange.faults)
        for world in (CALM, *STORMS):
            for rules in [world.rules, *(blow.rules for blow in world.blows if blow.rules)]:
                become(exchange._core, replace(exchange.rules, **{**world.rules, **rules}))
            for blow in world.blows:
                if blow.fault is not None:
                    body = json.dumps(dict(blow.fault)).encode()
                    reply = control.reply("POST", "application/json", body)
                    assert reply.status == 200, reply.body


async def test_a_world_changes_what_is_let_through_and_keeps_what_was_spent() -> None:
    async with Sandbox(seed=7, window=600.0) as exchange:
        alice = exchange.open_account("alice", debts={"ETH": "0.001"})
        async with Session(base_url=exchange.url) as session:
            for _ in range(3):
                await session.client(alice).small_liabilities()
            become(exchange._core, replace(exchange.rules, ip_weight=400))
            await session.client(alice).small_liabilities()
            path = "GET /sapi/v1/margin/exchange-small-liability"
            assert exchange.used_weight(path) == 400
            exchange.faults.clear()
            become(exchange._core, replace(exchange.rules, window_mode="sliding"))
            assert exchange.used_weight(path) == 400


async def test_an_exchange_that_is_killed_comes_back_with_its_books(tmp_path: Path) -> None:
    options = argparse.Namespace(seed=7, accounts=12, pace=1.0)

    async def live(steps: int) -> dict[str, Decimal]:
        """Open an exchange on the folder, convert some accounts, and leave it as a kill would."""
        async with (
            Sandbox(seed=7, cooldown=0, liability_cooldown=0) as exchange,
            Session(base_url=exchange.url) as session,
        ):
            lasting = LastingExchange(tmp_path, exchange, options)
            keys = Credentials.load(tmp_path / "keys.toml")
            for account in list(keys)[:steps]:
                client = session.client(account)
                dust = await client.dust_assets()
                await client.dust_transfer([row.asset for row in dust.details])
                if exchange.account(client.name).margin is not None:
                    debts = [row.asset for row in await client.small_liabilities()]
                    if debts:
                        await client.exchange_small_liabilities(debts)
            seen = witness(read(tmp_path / BOOKS))
            shown = json.loads((await lasting.show(None)).body)  # type: ignore[arg-type]
            assert books.balances(shown["spot"], seen.balances, "balance") == []
            assert books.balances(shown["debts"], seen.debts, "debt") == []
            assert len(exchange.conversions) == sum(move.kind == "dust" for move in seen.moves)
            assert {move.kind for move in seen.moves} == {"dust", "liabilities"}
            lasting.close()
            return seen.balances  # type: ignore[return-value]

    before = await live(12)
    assert await live(0) == before
    assert witness(read(tmp_path / BOOKS)).opened == 2


def test_a_line_that_a_kill_cut_is_no_line(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    journal = Journal(path)
    journal.write(what="deposit", n=1)
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"what": "depo')
    assert [line["n"] for line in read(path)] == [1]
    mend(path)
    journal = Journal(path)
    journal.write(what="deposit", n=2)
    journal.close()
    assert [line["n"] for line in read(path)] == [1, 2]
    assert list(read(tmp_path / "nothing")) == []


def test_every_part_has_a_command_and_prometheus_asks_five(tmp_path: Path) -> None:
    setting = setting_for(tmp_path, minutes=60, seed=8, accounts=5)
    prepare(setting)
    asked = (tmp_path / "prometheus.yml").read_text("utf-8")
    assert (setting.every, setting.cooldown) == (60, 45)
    for part in PARTS:
        assert str(setting.ports[part]) in " ".join(command(setting, part))
        assert (str(setting.ports[part]) in asked) == (part == "sweep" or part in ADDRESSES)
    assert "rules.yml" in asked
