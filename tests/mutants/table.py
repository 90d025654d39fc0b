"""Which tests judge which module, and why what they don't notice is no fault."""

from __future__ import annotations

from typing import Final

JUDGES: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        (f"binance_dust/budget/_redis/_{name}.py" for name in ("replica", "shared", "pools")),
        ("tests/budget/test_replica.py",),
    ),
    **dict.fromkeys(
        (f"binance_dust/budget/_redis/_{name}.py" for name in ("stored", "encoding")),
        ("tests/budget/test_stored.py", "tests/budget/test_replica.py"),
    ),
    "binance_dust/budget/_redis/_lives.py": ("tests/budget/test_lives.py",),
    "binance_dust/budget/_redis/_budget.py": (
        "tests/budget/test_redis_budget.py",
        "tests/budget/test_redis_away.py",
    ),
    "binance_dust/budget/_redis/_link.py": ("tests/budget/test_link.py",),
    "binance_dust/budget/_redis/_store.py": ("tests/budget/test_redis_store.py",),
    "binance_dust/budget/_redis/_member.py": ("tests/budget/test_member.py",),
    **dict.fromkeys(
        (f"binance_dust/budget/_redis/_{name}.py" for name in ("share", "settings", "messages")),
        ("tests/budget/test_share.py",),
    ),
    "binance_dust/budget/_redis/": (
        *(f"tests/budget/test_redis_{name}.py" for name in ("away", "members", "versions")),
    ),
    "binance_dust/budget/_payers.py": ("tests/budget/test_beliefs.py",),
    "binance_dust/budget/_dispatch.py": (
        "tests/budget/test_dispatch.py",
        "tests/budget/test_local.py",
        "tests/budget/test_kept.py",
    ),
    "binance_dust/budget/_kept.py": (
        "tests/budget/test_kept.py",
        "tests/budget/test_dispatch.py",
    ),
    "binance_dust/budget/_forecast.py": ("tests/budget/test_forecast.py",),
    "binance_dust/budget/_admission.py": (
        "tests/budget/test_admission.py",
        "tests/budget/test_local.py",
    ),
    "binance_dust/budget/_count.py": (
        "tests/budget/test_count.py",
        "tests/budget/test_pool.py",
        "tests/budget/test_dispatch.py",
    ),
    "binance_dust/budget/_gates.py": (
        "tests/budget/test_gates.py",
        "tests/budget/test_dispatch.py",
        "tests/budget/test_local.py",
    ),
    "binance_dust/budget/_door.py": (
        "tests/budget/test_gates.py",
        "tests/budget/test_dispatch.py",
        "tests/budget/test_local.py",
    ),
    **dict.fromkeys(
        (f"binance_dust/budget/_{name}.py" for name in ("trust", "ceiling", "price", "beliefs")),
        tuple(f"tests/budget/test_{name}.py" for name in ("beliefs", "evidence", "pool")),
    ),
    **dict.fromkeys(
        (f"binance_dust/budget/_{name}.py" for name in ("address", "look", "news", "pace")),
        tuple(f"tests/budget/test_{name}.py" for name in ("gates", "dispatch", "local", "pool")),
    ),
    "binance_dust/budget/_": (
        *(
            f"tests/budget/test_{name}.py"
            for name in (
                *("admission", "beliefs", "boundary", "cost", "count", "dispatch", "forecast"),
                *("gates", "kept", "limits", "local", "others", "own", "pool", "pools", "queue"),
            )
        ),
        "tests/budget/worlds",
    ),
    "binance_dust/_answers/weight.py": ("tests/answers/test_weight.py",),
    "binance_dust/_call/retry.py": ("tests/call/test_retry.py",),
    "binance_dust/_answers/codes.py": ("tests/answers/test_codes.py",),
    "binance_dust/_util/rows.py": ("tests/answers", "tests/util", "tests/scanner/test_scan.py"),
    "binance_dust/_call/body.py": ("tests/call/test_body.py",),
    "binance_dust/_call/signing.py": (
        "tests/test_credentials.py",
        "tests/contract/test_published_vectors.py",
        "tests/signers/test_outside.py",
        "tests/cli/test_doctor.py",
    ),
    "binance_dust/signers/_public_key.py": ("tests/signers/test_public_key.py",),
    "binance_dust/signers/_agent.py": ("tests/signers/test_agent.py",),
    "binance_dust/signers/_command.py": (
        "tests/signers/test_command.py",
        "tests/signers/test_accounts_file.py",
    ),
    "binance_dust/signers/_vault.py": ("tests/signers/test_vault.py",),
    "binance_dust/signers/": ("tests/signers/test_signature.py", "tests/signers/test_outside.py"),
    "binance_dust/_util/keys.py": (
        "tests/test_credentials.py",
        "tests/contract/test_published_vectors.py",
    ),
    "binance_dust/_answers/judge.py": ("tests/answers", "tests/contract"),
    "binance_dust/_answers/reading.py": ("tests/answers", "tests/contract"),
    "binance_dust/_answers/unreadable.py": ("tests/answers", "tests/util/test_misfit.py"),
    "binance_dust/_util/misfit.py": ("tests/util/test_misfit.py", "tests/answers"),
    "binance_dust/_call/wire.py": ("tests/call/test_wire.py", "tests/contract"),
    "binance_dust/endpoints/_spec.py": ("tests/endpoints/test_spec.py", "tests/contract"),
    "binance_dust/client/_ranges.py": ("tests/client/test_ranges.py",),
    "binance_dust/_call/clock.py": ("tests/call/test_clock.py",),
    "binance_dust/_call/forecasts.py": ("tests/call/test_forecasts.py",),
    "binance_dust/_call/addresses.py": ("tests/call/test_addresses.py",),
    "binance_dust/scanner/_lanes.py": ("tests/scanner/test_lanes.py",),
    "binance_dust/scanner/_account.py": (
        "tests/scanner/test_account.py",
        "tests/scanner/test_scan.py",
        "tests/scanner/test_scan_ends.py",
    ),
    "binance_dust/scanner/": ("tests/scanner/test_scan.py", "tests/scanner/test_scan_ends.py"),
    **{
        f"binance_dust/conversion/_{name}.py": tuple(
            f"tests/conversion/test_{test}.py" for test in tests
        )
        for name, tests in {
            "run": ("run", "gather", "sales", "converter", "cooldowns", "send"),
            "converter": ("converter", "cooldowns", "gather", "sales", "policy", "quote"),
            "recover": (
                *("recover", "recover_log_pages", "second_witness", "one_account", "converter"),
            ),
            "account": (
                *("account", "one_account", "converter", "recover", "repay", "gather"),
                "liabilities",
            ),
        }.items()
    },
    "binance_dust/conversion/": (
        *(
            f"tests/conversion/test_{name}.py"
            for name in (
                *("account", "converter", "cooldowns", "evidence", "guards", "liabilities"),
                *("liabilities_history", "plan", "policy", "quote", "receipt"),
                *("recover", "recover_log_pages", "run", "send", "second_witness"),
                *("gather", "sales", "repay", "worth", "odd_answers"),
            )
        ),
        "tests/ledger/test_access.py",
        "tests/sweeper/test_rules.py",
    ),
    "binance_dust/models/_delistings.py": ("tests/test_delistings.py",),
    "binance_dust/sweeper/_order.py": ("tests/sweeper/test_rules.py",),
    "binance_dust/ledger/_access.py": (
        "tests/ledger/test_access.py",
        "tests/ledger/test_holders.py",
    ),
    "binance_dust/ledger/_holders.py": ("tests/ledger/test_holders.py",),
    "binance_dust/ledger/_records.py": (
        *(f"tests/ledger/test_{name}.py" for name in ("records", "kinds", "entries", "outcomes")),
        *(f"tests/conversion/test_{name}.py" for name in ("odd_answers", "send")),
    ),
    "binance_dust/ledger/_witness.py": (
        "tests/ledger/test_witness.py",
        "tests/conversion/test_recover_log_pages.py",
        "tests/conversion/test_second_witness.py",
    ),
    "binance_dust/ledger/_entries.py": (
        *(
            f"tests/ledger/test_{name}.py"
            for name in ("entries", "outcomes", "ledger", "kinds", "owners", "sync")
        ),
        "tests/conversion/test_told_apart.py",
        "tests/conversion/test_recover.py",
    ),
    "binance_dust/ledger/_outcomes.py": (
        "tests/ledger/test_outcomes.py",
        "tests/ledger/test_entries.py",
        "tests/conversion/test_told_apart.py",
        "tests/conversion/test_one_account.py",
    ),
    "binance_dust/ledger/_owners.py": (
        "tests/ledger/test_owners.py",
        "tests/ledger/test_migration.py",
        "tests/conversion/test_one_account.py",
    ),
    "binance_dust/ledger/_cooldown.py": ("tests/ledger/test_cooldown.py",),
    "binance_dust/ledger/_entry.py": (
        *(f"tests/ledger/test_{name}.py" for name in ("entry", "kinds", "outcomes", "records")),
        "tests/conversion/test_one_account.py",
    ),
    "binance_dust/ledger/_synced.py": ("tests/ledger/test_synced.py",),
    "binance_dust/ledger/_identify.py": ("tests/conversion/test_one_account.py",),
    "binance_dust/ledger/_resolve.py": (
        "tests/ledger/test_outcomes.py",
        "tests/conversion/test_told_apart.py",
    ),
    "binance_dust/ledger/_sums.py": ("tests/ledger/test_totals.py",),
    "binance_dust/ledger/_rows.py": ("tests/ledger/test_export.py",),
    "binance_dust/ledger/_query.py": (
        "tests/ledger/test_ledger.py",
        "tests/ledger/test_totals.py",
        "tests/ledger/test_export.py",
    ),
    "binance_dust/ledger/export/": ("tests/ledger/test_export.py", "tests/ledger/test_journal.py"),
    "binance_dust/ledger/_store.py": (
        *(
            f"tests/ledger/test_{name}.py"
            for name in (
                *("ledger", "entries", "holders", "cooldown", "owners", "access", "sync"),
                *("file", "swapped_files", "outcomes"),
            )
        ),
        "tests/conversion/test_one_account.py",
    ),
}
"""By path, or by how it begins."""

TOO_SLOW: Final = (
    "[shared",  # the same with a log in Redis: the rules are those of one process
    "[memory",
    "test_worlds_with_several_processes",
    "test_all_replicas_are_the_same",
    "test_a_day_of_scanning",
    "test_an_hour_of_several",
    "test_a_process_alone_is_never_refused",
    "test_headroom_that_others_use",
    "test_others_who_spend_half_cost",
    "test_a_hundred_thousand_accounts_in_turn",
    "test_an_outage_is_not_multiplied",
    "test_two_addresses_scan_twice_as_fast",
)
"""Tests that take seconds don't judge, or a fault that nobody notices would cost minutes."""

_TYPES: Final = "never otherwise: it narrows a type for the checker"
_NOBODY_CARES: Final = "a figure of taste: the next one does as well"
_FASTER: Final = "only faster: without it the same is found out on the longer way"
_INSTANT: Final = "the very instant: it may as well be a moment later"
_SUM: Final = "any sum does that differs with what was admitted"
_CEILING: Final = "what was let in is the ceiling by then, so that nothing is far below it"
_ENTRY: Final = "an entry sets it before it is used"
_ONE: Final = "a weight of one more or less"
_EQUAL: Final = "a number that is only compared with others of its kind"
_MILLIONS: Final = "a window's number is -1 or in the millions"
_CLOSED: Final = "a closed budget is not looked at again: this only lets go of it sooner"
_ESTIMATES: Final = "tests/simulation/test_scan_estimates.py may: it is too slow to judge"
_PLANS: Final = "only slower: tests/ledger/test_query_plans.py may tell, and is too slow to judge"
_MOMENT: Final = "of two pools that wait for the pace either may go first, in that very moment"

EXPLAINED: Final[dict[str, dict[str, str]]] = {
    "binance_dust/sweeper/_order.py": {
        "in_order: True -> False": _TYPES,
        "module: 64 -> 65": _NOBODY_CARES,
    },
    "binance_dust/ledger/_holders.py": {
        "module: fcntl is not None -> True": "only Windows tells them apart",
    },
    "binance_dust/budget/_trust.py": {
        "module: 4 -> 5": _NOBODY_CARES,
        "module: 4096 -> 4097": _NOBODY_CARES,
        "module: 8 -> 9": _NOBODY_CARES,
        "module: 3 -> 4": _NOBODY_CARES,
    },
    "binance_dust/budget/_ceiling.py": {
        "WeightCeiling.__init__: 1 -> 2": "a refusal sets it before it is used",
        "module: 16 -> 17": _NOBODY_CARES,
    },
    "binance_dust/budget/_address.py": {
        "AddressGate.ended: self.open or not super().ended(call, good=good, told=told)"
        " -> not super().ended(call, good=good, told=told)": _FASTER,
        "AddressGate.follow: isinstance(other, AddressGate) -> True": _TYPES,
    },
    "binance_dust/budget/_news.py": {
        "take_news: not news -> False": _FASTER,
    },
    "binance_dust/budget/_pace.py": {
        "Pace.__init__: 0.0 -> 1.0": "the time is passed in before it is read",
        "Pace._leak: self._level -> True": _FASTER,
        "module: 0.02 -> 0.04": _NOBODY_CARES,
    },
    "binance_dust/budget/_redis/_shared.py": {
        "LogClock.__init__: 0.0 -> 1.0": _ENTRY,
        "LogClock.set: now < self.at -> now <= self.at": _FASTER,
        "Member.__init__: 0.0 -> 1.0": _ENTRY,
        "Member.__init__: 0 -> 1": _ENTRY,
    },
    "binance_dust/budget/_redis/_pools.py": {
        "text_of: 0 -> 1": "a call that finds a pool, and is not made",
        "SharedPools.__init__: 0 -> 1": _EQUAL,
        "SharedPools.of: self.gone -> True": _FASTER,
        "SharedPools._line_up: 1 -> 2": _EQUAL,
    },
    "binance_dust/budget/_redis/_stored.py": {
        "StoredReplica._at: 0 -> 1": "a call that finds a pool, and is not made",
        "StoredReplica._pool_field: 0 -> 1": "only accounts have turns",
        "StoredReplica._fill: head is not None -> True": _TYPES,
    },
    "binance_dust/budget/_redis/_link.py": {
        "Link.__init__: 12 -> 13": _NOBODY_CARES,
        "Link.__init__: 0 -> 1": _ENTRY,
        "Link.__init__: 0.0 -> 1.0": _ENTRY,
        "Link.__init__: False -> True": _ENTRY,
        "Link._tell_unsent: charge is None -> False": _TYPES,
        "Link._send_heartbeat: replica is not None -> True": _TYPES,
        "Link._exchange: replica.concerned -> True": _FASTER,
        "Link._exchange: connection != self._connections or not self._connected"
        " -> not self._connected": "what an earlier connection says is of calls that were given up",
    },
    "binance_dust/budget/_redis/_budget.py": {
        "RedisBudget._restrain: pool.used and (not pool.shut_for) and few"
        " -> not pool.shut_for and few": "of what nothing is used, nothing is shut",
        "RedisBudget._restrain: 0 -> 1": "a call that finds a pool, and is not made",
        "RedisBudget.forecast: 0 -> 1": _ONE,
    },
    "binance_dust/budget/_redis/_lives.py": {
        "Lives.__init__: 1 -> 2": _EQUAL,
        "Lives.append: at != self._at -> True": _FASTER,
        "Lives.append: self._at = at -> left out": _FASTER,
        "Lives.load: epoch == self._epoch and self.replica is not None"
        " -> epoch == self._epoch": _TYPES,
        "Lives._ask: True -> False": "both have one length",
        "Lives._keep: 0.0 -> 1.0": _NOBODY_CARES,
        "Lives._begin: 12 -> 13": _NOBODY_CARES,
        "module: 8 -> 9": _NOBODY_CARES,
    },
    "binance_dust/budget/_redis/_store.py": {
        "RedisStore.close: thing is not None -> True": _TYPES,
        "RedisStore.close: await asyncio.gather(listening, return_exceptions=True)"
        " -> left out": "to close the connections takes longer than its end",
    },
    "binance_dust/budget/_redis/_share.py": {
        "LocalShare.go_on: 0 -> 1": "a call that finds a pool, and is not made",
        "LocalShare.report: 0 -> 1": "a call that finds a pool, and is not made",
    },
    "binance_dust/budget/_redis/_encoding.py": {
        "pack: type(each) in _PLAIN -> False": _FASTER,
        "unpack: type(each) is list -> True": _FASTER,
        "unpack: True -> False": "both have one length",
        "module: 6 -> 7": _EQUAL,
    },
    "binance_dust/budget/_redis/_member.py": {
        "Ticket.__init__: 0.0 -> 1.0": _ENTRY,
        "_Line.place: 0.0 -> 1.0": "nobody came in the same moment before the first",
        "_Line.place: ticket.asked - asked <= _MOMENT -> ticket.asked - asked < _MOMENT": _INSTANT,
        "SharedMember.__init__: 0 -> 1": _EQUAL,
        "SharedMember.admit: 1 -> 2": _EQUAL,
        "SharedMember._grant: 1 -> 2": _EQUAL,
        "SharedMember._is_stale: 1 -> 2": _EQUAL,
        "SharedMember._is_stale: not self._shut and (not self._shut_at) -> False": _FASTER,
        "SharedMember.acknowledged: op[1] in self._shut and self.replica is not None"
        " -> op[1] in self._shut": _TYPES,
        "SharedMember.settled: replica is not None and (self._pid, admission.number) not in"
        " replica.calls -> (self._pid, admission.number) not in replica.calls": _TYPES,
        "SharedMember._set_timer: 1e-06 -> 2e-06": _NOBODY_CARES,
        "module: 0.005 -> 0.01": _NOBODY_CARES,
    },
    "binance_dust/budget/_redis/_replica.py": {
        "Replica.__init__: False -> True": _ENTRY,
        "Replica.step: self._ours -> True": "our own entry is the last of those that are read",
        "Replica.step: member.heard + member.lease < now -> member.heard + member.lease"
        " <= now": _INSTANT,
        "Replica.step: self.members.get(pid) or self.members.setdefault(pid, Member())"
        " -> self.members.setdefault(pid, Member())": _FASTER,
        "Replica.step: pid in self.members -> True": "nobody looks at one who has quit",
        "Replica.step: self._paced -> True": _FASTER,
        "Replica._remove: member is None -> False": _TYPES,
        "Replica._remove: 1 -> 2": _TYPES,
        "Replica._drop: queue is not None -> True": _TYPES,
        "Replica._pool: 0 -> 1": "a call that finds a pool, and is not made",
        "Replica._op_ask: left is None or left > 0 -> left is None": _FASTER,
        "Replica._op_ask: 0 -> 1": _FASTER,
        "Replica._op_ask: pool not in self._queues and (not self._paced) and (left is None or"
        " left > 0) -> pool not in self._queues and (left is None or left > 0)": _MOMENT,
        "Replica._op_ban: now + seconds > self._gate.until -> True": "a gate keeps the later end",
        "Replica._op_ban: now + seconds > self._gate.until -> now + seconds"
        " >= self._gate.until": "a gate keeps the later end",
        "Replica._try: now < self.opens -> now <= self.opens": _INSTANT,
        "Replica._make: waiter is None -> False": _TYPES,
        "Replica._make: raise TypeError -> left out": _TYPES,
        "Replica._grant: self.check * 31 -> self.check / 31": _SUM,
        "Replica._grant: 31 -> 32": _SUM,
        "Replica._grant: self.check * 31 + call.weight -> self.check * 31 - call.weight": _SUM,
        "Replica._grant: self.check * 31 + call.weight + call.ticket"
        " -> self.check * 31 + call.weight - call.ticket": _SUM,
        "module: 2147483647 -> 2147483648": _SUM,
        "Replica._watch: now < self.opens -> now <= self.opens": _INSTANT,
        "Replica._watch: at < before - self._limits.window * LEAST_WAIT"
        " -> at <= before - self._limits.window * LEAST_WAIT": _INSTANT,
        "Replica._watch_pace: self._pace_at <= now -> self._pace_at < now": _INSTANT,
        "Replica.rooms: pool.window_at(now) -> left out": "what others are left until a cut is"
        " a guess anyway",
    },
    "binance_dust/budget/_beliefs.py": {
        "Beliefs.__init__: 1 -> 2": _MILLIONS,
        "Beliefs.__init__: 0 -> 1": _ONE,
        "Beliefs.__init__: 0.0 -> 1.0": _ONE,
        "Beliefs.__init__: True -> False": "the first refusal of a burst sets it",
        "Beliefs.__init__: False -> True": "the first refusal of a burst sets it",
        "Beliefs.cut: 0 -> 1": _ONE,
        "Beliefs.is_possible: self.trust.odd -> True": _FASTER,
        "Beliefs._give_up: self.prices.doubtful and self.prices.give_up()"
        " -> self.prices.give_up()": _FASTER,
        "Beliefs.weigh_header: 0 -> 1": _MILLIONS,
        "Beliefs.weigh_header: self.cut_number == window.number >= 0"
        " -> self.cut_number == window.number > 0": _MILLIONS,
        "Beliefs.let_in: 0 -> 1": _ONE,
        "Beliefs.let_in: self.cut_number == window.number >= 0"
        " -> self.cut_number == window.number > 0": _MILLIONS,
        "Beliefs.let_in: held > self._peak -> held >= self._peak": _FASTER,
        "Beliefs.let_in: not self._agreed and ours >= self._needed"
        " -> ours >= self._needed": _FASTER,
        "Beliefs.let_in: held < ours -> held <= ours": _FASTER,
        "Beliefs.refused: call.number < 0 -> call.number <= 0": "numbers begin at one",
        "Beliefs.refused: False -> True": _CEILING,
        "Beliefs.refused: self._unexplained and self._too_soon(call.weight)"
        " -> self._too_soon(call.weight)": _CEILING,
        "Beliefs.refused: 0 -> 1": "one refusal of an earlier burst more or less",
        "module: 4 -> 5": _NOBODY_CARES,
    },
    "binance_dust/budget/_price.py": {
        "Price.__init__: 0 -> 1": "it counts only what is believed anyway",
        "Price.again: 0 -> 1": _FASTER,
        "Price.doubt: 0 -> 1": "it counts only what is believed anyway",
        "Prices.__init__: 0 -> 1": _EQUAL,
        "Prices.__init__: 1 -> 2": _EQUAL,
        "Prices.admit: 1 -> 2": _EQUAL,
        "Prices.read: self._prices.get(documented) or self.of(documented)"
        " -> self.of(documented)": _FASTER,
        "Prices.read: last < used and price.again(used - last) -> False": _FASTER,
        "Prices.read: last < used and price.again(used - last)"
        " -> price.again(used - last)": _FASTER,
        "Prices.read: last < used -> last <= used": _FASTER,
        "Prices.read: used - last -> used + last": _FASTER,
        "Prices.compare: 0 -> 1": _NOBODY_CARES,
        "Prices.compare: last >= 0 -> last > 0": _NOBODY_CARES,
        "Prices.compare: last < 0 -> last <= 0": _NOBODY_CARES,
        "Prices.heard_nothing: 0 -> 1": _EQUAL,
        "Prices.heard_nothing: 1 -> 2": _EQUAL,
        "Prices.heard_nothing: number < 0 -> number <= 0": _EQUAL,
        "module: 12 -> 13": _NOBODY_CARES,
        "module: 6 -> 7": _NOBODY_CARES,
        "module: 4096 -> 4097": _NOBODY_CARES,
    },
    "binance_dust/budget/_payers.py": {
        "Payers.of: self._believed -> True": _FASTER,
        "Payers.read: used is not None and self._evidence -> used is not None": _FASTER,
        "module: 4096 -> 4097": _NOBODY_CARES,
        "module: 2 -> 3": _NOBODY_CARES,
        "module: 16 -> 17": _NOBODY_CARES,
    },
    "binance_dust/budget/_pools.py": {
        "module: 2 -> 3": _NOBODY_CARES,
    },
    "binance_dust/budget/_local.py": {
        "LocalBudget.admit_at_once: deadline is None or now < deadline"
        " -> deadline is None": _FASTER,
        "LocalBudget.admit_at_once: pool not in self._queues and (not self._paced) and"
        " (deadline is None or now < deadline) -> False": _FASTER,
        "LocalBudget.admit_at_once: pool not in self._queues and (not self._paced) and"
        " (deadline is None or now < deadline)"
        " -> pool not in self._queues and (deadline is None or now < deadline)": _MOMENT,
        "LocalBudget.admit_at_once: not self._paced -> self._paced": _FASTER,
        "LocalBudget._watch: timer[0] <= at -> False": _FASTER,
        "LocalBudget._watch: timer[0] <= at -> timer[0] < at": _FASTER,
        "LocalBudget._refuse_all: self._pace_timer = None -> left out": _CLOSED,
        "LocalBudget._refuse_all: self._paced.clear() -> left out": _CLOSED,
        "LocalBudget._refuse_all: self._timers.clear() -> left out": _CLOSED,
        "LocalBudget._refuse_all: self._queues.clear() -> left out": _CLOSED,
    },
    "binance_dust/budget/_dispatch.py": {
        "Dispatcher.settle: good and answer.succeeded -> answer.succeeded": "what is not"
        " good is an error by its status too, but for the text of a ban, and that shuts all",
        "Dispatcher._refusal: (wait := (_shut_times(pool)[1] - now))"
        " > max(waiter.patience, self._turn)"
        " -> (wait := (_shut_times(pool)[1] - now)) >= max(waiter.patience, self._turn)": _INSTANT,
        "Dispatcher._try_out: address is None -> False": _TYPES,
        "Dispatcher._reserve_at: 0 -> 1": _MILLIONS,
        "Dispatcher._reserve_at: pool.current.number >= 0 -> pool.current.number > 0": _MILLIONS,
        "Dispatcher._reserve_at: at < cut <= at + self._reserve_after"
        " -> at < cut < at + self._reserve_after": _INSTANT,
        "Dispatcher._reserve_at: at < cut <= at + self._reserve_after"
        " -> at <= cut <= at + self._reserve_after": _INSTANT,
        "Dispatcher._recheck_at: queue.waiting == 1 -> True": _FASTER,
        "_shut_times: door.until <= valve.until -> door.until < valve.until": _INSTANT,
        "Dispatcher._recheck_at: kept -> True": _FASTER,
        "Dispatcher._try: most and go is not _YES and ((kept := pool.kept_weight(weight, now))"
        " < most) -> most and (kept := pool.kept_weight(weight, now)) < most": _FASTER,
        "Dispatcher._refuse_late: reserve_at <= now -> reserve_at < now": _INSTANT,
        "Dispatcher._try: not gate.open and (not gate.passes(now))"
        " -> not gate.passes(now)": _FASTER,
        "Dispatcher._try: door is not None and (not door.open) and (not door.passes(now))"
        " -> door is not None and (not door.passes(now))": _FASTER,
        "Dispatcher._leave: 1 -> 2": _FASTER,
        "Dispatcher._leave: was_next or queue.waiting <= 1 -> True": _FASTER,
        "Dispatcher._refusal: 1 -> 2": "a call more or less at the pace is a moment",
        "Dispatcher.look: 1 -> 2": "compared with one and with infinity only",
        "Dispatcher.look: waiter is not None and queue.next_deadline() is not None"
        " -> waiter is not None": _FASTER,
        "Dispatcher.look: waiter is not None and queue.next_deadline() is not None"
        " -> queue.next_deadline() is not None": _TYPES,
        "Dispatcher.look_at_pace: self._paced -> False": _MOMENT,
        "Dispatcher.settle: pool.beliefs.news -> True": _FASTER,
        "Dispatcher._ended: self._queues -> True": _FASTER,
        "Dispatcher._try: (kept := pool.kept_weight(weight, now)) < most"
        " -> (kept := pool.kept_weight(weight, now)) <= most": _FASTER,
        "Dispatcher._try: most and go is not _YES and ((kept := pool.kept_weight(weight, now))"
        " < most) -> go is not _YES and (kept := pool.kept_weight(weight, now)) < most": _FASTER,
        "Dispatcher._try: weight > pool.limit -> weight >= pool.limit": "the same if it is equal",
        "Dispatcher._keeps: queue.weight > pool.free(now)"
        " -> queue.weight >= pool.free(now)": _NOBODY_CARES,
        "Dispatcher._tell_waiters: until - min(since, now) > self._turn"
        " -> until - min(since, now) >= self._turn": _NOBODY_CARES,
        "Dispatcher._look_at_all: door is None or pool.door is door -> True": _FASTER,
    },
    "binance_dust/budget/_queue.py": {
        "Queue._sweep: 0 -> 1": _NOBODY_CARES,
        "Queue.serve: self._lanes[waiter.lane].popleft() -> left out": "a waiter that has left is"
        " skipped in any case",
    },
    "binance_dust/budget/_gates.py": {
        "Valve._has_room: self.careful and self._told -> self._told": "else it is open then",
        "Valve.ended: good and self._told and (not self.careful)"
        " -> self._told and (not self.careful)": "it is open already",
        "Valve.next_chance: self.open -> False": "an open valve is not asked for its next chance",
        "Valve.passes: self.open -> False": _FASTER,
        "module: 3 -> 4": _NOBODY_CARES,
    },
    "binance_dust/budget/_limits.py": {
        "RateLimits.of: 6 -> 7": _NOBODY_CARES,
    },
    "binance_dust/budget/_others.py": {
        "Others.__init__: 0 -> 1": "a level of one is as good as none",
        "Others.read_header: 0 -> 1": "a level of one is as good as none",
    },
    "binance_dust/_answers/weight.py": {
        "_epoch: not date -> False": _TYPES,
    },
    "binance_dust/budget/_count.py": {
        "AdmittedCall.__init__: 0 -> 1": "its number is set on admission",
        "module: 60 -> 61": _NOBODY_CARES,
        "AdmittedCall.__init__: False -> True": "whether it was alone is asked of a witness only,"
        " and said when it becomes one",
        "_since: 0.0 -> 1.0": "too short to judge by, as nothing is",
        "_since: 0 -> 1": _MILLIONS,
        "_since: window.number >= 0 -> window.number > 0": _MILLIONS,
    },
    "binance_dust/budget/_own.py": {
        "module: 240 -> 241": _NOBODY_CARES,
        "SlotChain.add: sent < slot.earliest -> sent <= slot.earliest": "the same moment so or so",
        "OwnWeight.spent: slot is not None and slot.last + self.keep <= now -> True": _FASTER,
        "OwnWeight.spent: slot is not None and slot.last + self.keep <= now"
        " -> slot is not None": _FASTER,
        "OwnWeight.spent: slot.last + self.keep -> slot.last - self.keep": _FASTER,
        "OwnWeight._give_up: lost.oldest is None -> False": _FASTER,
        "OwnWeight._give_up: self._lost = None -> left out": _FASTER,
    },
    "binance_dust/budget/_kept.py": {
        "Kept.__init__: 0.0 -> 1.0": "the first call sets it",
        "Kept.until: at > now -> at >= now": _INSTANT,
        "Kept._gaps: comes > at -> comes >= at": _INSTANT,
        "module: 1e-06 -> 2e-06": _NOBODY_CARES,
    },
    "binance_dust/budget/_forecast.py": {
        "earliest: 0 -> 1": _MILLIONS,
        "earliest: current.number < 0 -> current.number <= 0": _MILLIONS,
        "forecast: 0 -> 1": _ONE,
    },
    "binance_dust/budget/_pool.py": {
        "Pool.may_go: not valve.open and (not valve.passes(now)) -> not valve.passes(now)": _FASTER,
        "Pool.blocked_until: 0 -> 1": _MILLIONS,
        "Pool.blocked_until: self.current.number < 0 -> self.current.number <= 0": _MILLIONS,
        "Pool.blocked_until: self.current.number < 0 -> True": "a known cut is looked for anyway",
        "Pool.may_go: now >= self.current.closes -> True": _FASTER,
        "Pool.__init__: True -> False": "a pool that never had an answer sends one alone anyway",
        "Pool.reserve: 0 -> 1": _MILLIONS,
        "Pool.reserve: self.current.number >= 0 -> self.current.number > 0": _MILLIONS,
        "Pool.recheck_at: 0 -> 1": _MILLIONS,
        "Pool.recheck_at: self.current.number >= 0 -> self.current.number > 0": _MILLIONS,
        "Pool.recheck_at: 1 -> 2": "with room at hand it only says when to look once more",
        "module: 2000 -> 2001": _NOBODY_CARES,
        "module: 1 -> 2": _MILLIONS,
        "Pool.recheck_at: chance > now -> chance >= now": "the soonest is a moment later anyway",
        "Pool.give_back: 1 -> 2": "it is compared with later windows' numbers only",
    },
    "binance_dust/scanner/_scan.py": {
        "module: 8192 -> 8193": _NOBODY_CARES,
        "_ScanRun._begin_all: part.accounts = part.came -> left out": _ESTIMATES,
    },
    "binance_dust/scanner/_lanes.py": {
        "module: 512 -> 513": _NOBODY_CARES,
    },
    "binance_dust/client/_ranges.py": {
        "module: 1 -> 2": _NOBODY_CARES,
        "pieces: end - start > longest -> end - start >= longest": "a last piece that is as long as"
        " may be is the same piece",
        "halves: 2 -> 3": "any cut comes to an end; halves come to it soonest",
        "repeated: min(len(known), len(shown)) -> max(len(known), len(shown))": "parts of unequal"
        " length are never equal",
    },
    "binance_dust/endpoints/_spec.py": {
        "module: True -> False": "said to type checkers only",
        "encode: most is not None and isinstance(encoded, Names) and (len(encoded) > most)"
        " -> most is not None and len(encoded) > most": "no endpoint with a limit has any other"
        " parameter",
        "_encoders: True -> False": "a parameter has a name here and a name there, always",
    },
    "binance_dust/ledger/_records.py": {
        "is_over: entry.expires_at is None or entry.expires_at + PROCESSING < now"
        " -> entry.expires_at + PROCESSING < now": _TYPES,
    },
    "binance_dust/ledger/_sums.py": {
        "module: 20000 -> 20001": _NOBODY_CARES,
        "module: 8 -> 9": _NOBODY_CARES,
        **dict.fromkeys(
            (
                "include: totals.by == 'asset' -> True",
                *(
                    f"parts: count and last - first <= _SPARSE * count -> {other}"
                    for other in ("False", "count")
                ),
                "parts: last - first <= _SPARSE * count -> last - first < _SPARSE * count",
                "parts: last - first -> last + first",
                "parts: _SPARSE * count -> _SPARSE / count",
                "parts: 1 -> 2",
            ),
            "the same entries are added up, with other work; test_growth.py counts the work",
        ),
    },
    "binance_dust/ledger/export/_writer.py": {
        "_batches: waiting.tell() >= size -> waiting.tell() > size": _NOBODY_CARES,
    },
    "binance_dust/ledger/export/_journal.py": {
        **dict.fromkeys(
            (
                "Journal._posting: (account := self._named.get(key)) is None -> True",
                "Journal._posting: self._named[key] = account -> left out",
                "Journal._written: (found := self._spelt.get(asset)) is None -> True",
            ),
            "what was written before is only remembered",
        ),
    },
    "binance_dust/ledger/_entries.py": {
        "module: 500 -> 501": _NOBODY_CARES,
        "module: 5 -> 6": _NOBODY_CARES,
        "imported_within: entry.expires_at and entry.expires_at + PROCESSING"
        " -> entry.expires_at + PROCESSING": _TYPES,
    },
    "binance_dust/ledger/_cooldown.py": {
        **dict.fromkeys((f"module: {n} -> {n + 1}" for n in (10, 15)), _NOBODY_CARES),
        "CooldownHistory._note_conversion: age > _ONE_BY_ONE_WITHIN"
        " -> age >= _ONE_BY_ONE_WITHIN": _NOBODY_CARES,
        "Lesson.wait: self.longer_than < rule <= self.at_most"
        " -> self.longer_than < rule < self.at_most": "that is what is left if none fits",
    },
    "binance_dust/ledger/_resolve.py": {
        "module: 1 -> 2": _NOBODY_CARES,
    },
    "binance_dust/ledger/_identify.py": {
        "identify: bound is not None and bound.uid is not None -> False": _FASTER,
        "identify: bound is not None and uid is None -> False": _FASTER,
        "identify: adopt -> True": _FASTER,
        "_number_of: now - known.asked_at < _ASK_AGAIN"
        " -> now - known.asked_at <= _ASK_AGAIN": _INSTANT,
    },
    "binance_dust/ledger/_store.py": {
        "LedgerStore.missing: account is None -> False": _TYPES,
        "LedgerStore.bind: merged -> True": _FASTER,
    },
    "binance_dust/ledger/_owners.py": {
        "bind: named is not None -> True": _TYPES,
        "ensure: key_id is None -> False": _TYPES,
        "_merge: db.execute('DELETE FROM claims WHERE account = ?', (other,)) -> left out": (
            "nobody asks for a claim under a name that owns nothing"
        ),
    },
    "binance_dust/ledger/_outcomes.py": {
        "record: own.transaction_id != each.transaction_id is not None -> True": _FASTER,
        "record: True -> False": "both have one length",
        "settle: new.by is SettledBy.ANSWER -> True": _FASTER,
        "resolve: entry.expires_at is not None and (not entry.needs_resolve) and"
        " (not is_over(entry, new.now))"
        " -> not entry.needs_resolve and (not is_over(entry, new.now))": _TYPES,
        "settle: new.status == 'confirmed' -> True": _FASTER,
        "_take_back: each.id != entry.id and (not each.imported) and entry_has(each, told)"
        " -> not each.imported and entry_has(each, told)": "what it opens is settled at once",
        "fold_doubles: break -> left out": "a record is once among the others",
        "_with_record: number is None -> False": "no record has this number",
    },
    "binance_dust/ledger/_query.py": {
        "Query.sql: self._only_open -> True": _PLANS,
        "Query.sql: self._only_open -> False": _PLANS,
        "Query.where: self._only_open -> False": _PLANS,
        "Query._only_open: set(self.status) <= set(OPEN) -> set(self.status) < set(OPEN)": _PLANS,
    },
    "binance_dust/signers/_signer.py": {
        "module: 2049 -> 2050": "of these sizes only multiples of 8 are taken",
        "QueuedSigner: 8 -> 9": _NOBODY_CARES,
        "QueuedSigner.make: raise NotImplementedError -> left out": "each signer has its own",
    },
    "binance_dust/signers/_agent.py": {
        "module: 16 -> 17": _NOBODY_CARES,
        "module: 1024 -> 1025": _NOBODY_CARES,
    },
    "binance_dust/signers/_command.py": {
        "module: 1.0 -> 2.0": _NOBODY_CARES,
        "Command: 16 -> 17": _NOBODY_CARES,
        "run_program: status < 0 -> status <= 0": "it is not asked of a status of zero",
        "run_program: 0 -> 1": "it is not asked of a status of zero",
        "_print_all: True -> False": "there are as many outputs as programs",
        "_Process.pipe_data_received: not self.too_much -> True": "it is only killed again",
    },
    "binance_dust/signers/_vault.py": {
        "VaultTransit: 16 -> 17": _NOBODY_CARES,
    },
    "binance_dust/signers/_public_key.py": {
        "module: 64 -> 65": _NOBODY_CARES,
        "module: 1024 -> 1025": _NOBODY_CARES,
    },
    "binance_dust/conversion/_worth.py": {
        "_ask: logger.info('no price of %s in %s: %s', sold, target, error) -> left out": (
            _NOBODY_CARES
        ),
    },
    "binance_dust/conversion/_calls.py": {
        "sale_call.read: order is not answer and (done := from_order(order, entry)) is not None"
        " -> (done := from_order(order, entry)) is not None": "no answer to an acceptance says"
        " that it is done",
    },
    "binance_dust/conversion/_run.py": {
        "Run._sell: found is not None or offer.quote_id is None -> found is not None": _TYPES,
        'Run._sell: found or (Reason.CHANGED, "it can\'t be accepted") -> found': _TYPES,
        "Run._read_gathered: exact.difference(line.amount, amount).copy_abs() >= _guards.TOLERANCE"
        " -> exact.difference(line.amount, amount).copy_abs() > _guards.TOLERANCE": _NOBODY_CARES,
    },
    "binance_dust/conversion/_quote.py": {
        "BaseQuote._table: raise NotImplementedError -> left out": "each kind of quote has its own",
    },
    "binance_dust/conversion/_sales.py": {
        "_why_refused: logger.info('the limits of %s are not known: %s', asset, unread)"
        " -> left out": _NOBODY_CARES,
        "_plan_sale: fair is None or policy.above_max is None -> fair is None": _TYPES,
        "_plan_sale: holding.free_in_bitcoin or Decimal(0) -> holding.free_in_bitcoin": _TYPES,
        "_plan_sale: 0 -> 1": _TYPES,
        "rule_against_now: offer.to_amount < product(planned.net, _LEFT)"
        " -> offer.to_amount <= product(planned.net, _LEFT)": _NOBODY_CARES,
    },
    "binance_dust/conversion/_gather.py": {
        "read_gather: not rows -> False": _FASTER,
        "changed_funding: difference(free, line.amount).copy_abs() < TOLERANCE"
        " -> difference(free, line.amount).copy_abs() <= TOLERANCE": _NOBODY_CARES,
        "_why_not: brings < policy.min_value -> brings <= policy.min_value": _NOBODY_CARES,
    },
    "binance_dust/conversion/_account.py": {
        "module: 90 -> 91": _NOBODY_CARES,
        "AccountContext.claimed: error.retry_at is not None -> True": _TYPES,
    },
    "binance_dust/conversion/_liabilities.py": {
        "LiabilityExchanger._read_eligibility: 1 -> 2": _NOBODY_CARES,
    },
    "binance_dust/conversion/_recover.py": {
        "recover: 1 -> 2": _FASTER,
        "module: 45 -> 46": _NOBODY_CARES,
        "module: 2 -> 3": _NOBODY_CARES,
        "_settle: spent > _LONGEST -> spent >= _LONGEST": _NOBODY_CARES,
        "_examine: clock <= end + PROCESSING -> clock < end + PROCESSING": _INSTANT,
    },
    "binance_dust/_call/retry.py": {
        "send_again.announce: state.outcome -> True": _TYPES,
        "send_again.announce: isinstance(error, DustError) -> True": _TYPES,
        "send_again.pause: state.outcome -> True": _TYPES,
    },
    "binance_dust/_call/body.py": {
        "read_body: inflate is None and content.at_eof() and (len(chunk) <= most)"
        " -> False": _FASTER,
        "read_body: len(chunk) <= most -> len(chunk) < most": _FASTER,
        "module: 65536 -> 65537": _NOBODY_CARES,
    },
    "binance_dust/_util/rows.py": {
        "without_unreadable: found -> True": _FASTER,
        "without_unreadable: getattr(answer, name) or [] -> getattr(answer, name)": "no part of a"
        " report has rows that may be missing",
        "RowsAnswer.row_by_row: len(listed) > _MOST_ROWS"
        " -> len(listed) >= _MOST_ROWS": _NOBODY_CARES,
        'RowsAnswer.row_by_row: found or "it can\'t be read" -> found': "a misfit is found",
        "RowsAnswer.sifted: len(rows) > _MOST_ROWS -> len(rows) >= _MOST_ROWS": _NOBODY_CARES,
        "RowsAnswer.sifted: len(rows) > _MOST_ROWS -> True": _FASTER,
        "show: text is not None and (not text.isprintable()) -> text is not None": _FASTER,
        "module: 200 -> 201": _NOBODY_CARES,
    },
    "binance_dust/_answers/codes.py": {
        "_find: isinstance(code, int) and code in BY_CODE -> code in BY_CODE": _TYPES,
        "limits_us: 200 -> 201": "any success",
        "_server_error: known.delivery or known.error.usual_delivery"
        " -> known.error.usual_delivery": "every row of today with a delivery of its own is"
        " an UnavailableError, and so is kept in either case",
    },
    "binance_dust/_call/forecasts.py": {
        "module: 20 -> 21": _NOBODY_CARES,
        "Forecasts._look: now < self._until -> now <= self._until": _NOBODY_CARES,
        "Forecasts._among_others: 0 -> 1": "less than the weight of a call",
        "Forecasts.of_address: 1 -> 2": "a call that costs more than half of a limit",
    },
    "binance_dust/_call/addresses.py": {
        "module: 1e-09 -> 2e-09": _NOBODY_CARES,
        "_is_too_much: together > 1 + _ROUNDING -> together >= 1 + _ROUNDING": _NOBODY_CARES,
    },
    "binance_dust/_call/signing.py": {
        "module: 86400.0 -> 172800.0": _NOBODY_CARES,
        "module: 1.0 -> 2.0": _NOBODY_CARES,
        "module: 16 -> 17": _NOBODY_CARES,
        "module: 10.0 -> 20.0": _NOBODY_CARES,
        "on_loan: timer.cancel() -> left out": "it would find nothing to give back",
    },
    "binance_dust/_call/clock.py": {
        "_clock_of: asyncios -> False": _FASTER,
        "SystemTime.monotonic: self._of_loop is None -> True": _FASTER,
        "ServerClock.__init__: True -> False": "the first lookup finds a step, since the epoch",
        "ServerClock.__init__: 0.0 -> 1.0": "a second more or less, of those since the epoch",
        "ServerClock.due: -_STEP <= self.source.wall() - monotonic - self._distance <= _STEP"
        " -> -_STEP < self.source.wall() - monotonic - self._distance <= _STEP": _NOBODY_CARES,
        "ServerClock.due: -_STEP <= self.source.wall() - monotonic - self._distance <= _STEP"
        " -> -_STEP <= self.source.wall() - monotonic - self._distance < _STEP": _NOBODY_CARES,
        "ServerClock._learn: abs(distance - self._distance) > _STEP"
        " -> abs(distance - self._distance) >= _STEP": _NOBODY_CARES,
        "being_cancelled: task is not None and task.cancelling() > 0"
        " -> task.cancelling() > 0": _TYPES,
    },
    "binance_dust/_answers/judge.py": {
        "module: 64 -> 65": _NOBODY_CARES,
        "module: 1024 -> 1025": _NOBODY_CARES,
        "_plain: len(bytes(raw)) <= _LOOKED_AT -> len(bytes(raw)) < _LOOKED_AT": _NOBODY_CARES,
    },
    "binance_dust/_answers/reading.py": {
        "has_too_much: len(body) > most and sum(map(body.count, (b',', b'[', b'{'))) > most"
        " -> sum(map(body.count, (b',', b'[', b'{'))) > most": _FASTER,
        "has_too_much: len(body) > most -> len(body) >= most": _FASTER,
        "read_result: b'\\\\' in body or not body.isascii() -> True": _FASTER,
        "_is_page: isinstance(kind, type) and issubclass(kind, RowsAnswer)"
        " -> issubclass(kind, RowsAnswer)": "Python 3.13 takes no list for a class, 3.11 does",
    },
    "binance_dust/_answers/unreadable.py": {
        "excerpt: 16 -> 17": _NOBODY_CARES,
    },
}
"""By path and by what was changed: why no test can tell, or need not."""
