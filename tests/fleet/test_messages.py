"""Messages on the way: fleets and workers of other versions have to read them."""

from __future__ import annotations

import msgspec
import pytest
from taskiq import async_shared_broker

from binance_dust.fleet._messages import StatusRequest, WorkerStatus, WorkItem, WorkResult

REQUEST = StatusRequest(job="j", reply_to="q", more=3, patience=5.0)
STATUS = WorkerStatus(worker="w-1", name="w", room=2, exchange_time=1.5, worker_time=2.5)
ITEM = WorkItem(
    job="j", number=0, account="alice", reply_to="q", options={"target": "BNB"}, worker_time=2.5
)
RESULT = WorkResult(job="j", number=0, worker="w-1", value={})


@pytest.mark.parametrize(
    ("message", "travels"),
    [
        (REQUEST, {"job": "j", "reply_to": "q", "known": [], "rest": 3, "patience": 5.0}),
        (
            STATUS,
            {
                "worker": "w-1",
                "name": "w",
                "room": 2,
                "holding": [],
                "begun": [],
                "leaving": False,
                "ledger": None,
                "clock": 1.5,
                "tick": 2.5,
                "seconds_left": 0.0,
                "accounts": None,
                "version": "",
                "in_hand": 0,
                "shut_for": 0.0,
                "rehearsal": False,
            },
        ),
        (
            ITEM,
            {
                "job": "j",
                "number": 0,
                "account": "alice",
                "reply_to": "q",
                "asks": {"target": "BNB"},
                "tick": 2.5,
                "since": None,
            },
        ),
        (RESULT, {"job": "j", "number": 0, "worker": "w-1", "value": {}}),
    ],
)
def test_the_fields_of_messages_keep_their_names_on_the_way(
    message: msgspec.Struct, travels: dict[str, object]
) -> None:
    sent = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(message)))

    assert sent == travels
    assert msgspec.convert(sent, type(message)) == message


def test_the_tasks_keep_their_names() -> None:
    ours = {
        name for name in async_shared_broker.get_all_tasks() if name.startswith("binance_dust.")
    }

    assert ours == {
        f"binance_dust.{name}"
        for name in ("roll_call", "dismiss", "visit", "convert", "foresee", "here", "result")
    }
