"""The way to the exchange: calls travel by themselves, whatever became of their senders."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from multidict import CIMultiDict

from binance_dust import NoAnswerError
from binance_dust._answers.judge import Answer
from binance_dust.sandbox._requests import HttpReply, HttpRequest

if TYPE_CHECKING:
    from binance_dust._call import wire
    from binance_dust.sandbox import Account
    from binance_dust.sandbox._exchange import Exchange, Handling
    from tests.money import life
    from tests.money.process import MoneyProcess
    from tests.worlds.engine import Engine

BASE_URL: Final = "http://127.0.0.1:1"
DUST: Final = "/sapi/v1/asset/dust"
CONVERT: Final = "/sapi/v1/asset/dust-convert/convert"
EXCHANGE: Final = "/sapi/v1/margin/exchange-small-liability"
TRANSFER: Final = "/sapi/v1/asset/transfer"
ACCEPT: Final = "/sapi/v1/convert/acceptQuote"
REPAY: Final = "/sapi/v1/margin/borrow-repay"
_NUMBER: Final = "/api/v3/account"
KINDS: Final = {
    DUST: "dust",
    CONVERT: "dust_convert",
    EXCHANGE: "liabilities",
    TRANSFER: "transfer",
    ACCEPT: "sale",
    REPAY: "repayment",
}
_MOVES: Final = {EXCHANGE: "debts", REPAY: "debts", TRANSFER: "transfers"}


@dataclass(slots=True, eq=False)
class Call:
    """A call that moves funds, from when it left."""

    number: int
    process: MoneyProcess
    account: str
    path: str
    assets: frozenset[str]
    stamp: int
    """Milliseconds, by the exchange's clock."""
    window: float
    fate: life.Fate
    entry: tuple[int, int] | None = None
    """The ledger and the id of its entry there."""
    travelling: int = 0
    """So many copies of it are on their way."""
    made: list[Any] = field(default_factory=list)
    """The records of what it did."""
    answered: bool = False
    """Whether its sender heard an answer of the exchange."""

    @property
    def funds(self) -> str:
        """What it moves: only calls of the same funds may not go beside each other."""
        return _MOVES.get(self.path, "balances")

    def can_come(self, now_ms: float) -> bool:
        """Whether it can still be carried out."""
        return self.travelling > 0 and now_ms - self.stamp <= self.window

    def __str__(self) -> str:
        return f"call {self.number} of process {self.process.number}, entry {self.entry}"


class Roads:
    """What travels between all processes and the exchange."""

    def __init__(
        self, engine: Engine, exchange: Exchange, line: life.Line, uid: str, seed: int
    ) -> None:
        self.engine = engine
        self.exchange = exchange
        self.line = line
        self.calls: list[Call] = []
        self.on_sent: Callable[[Call], None] = lambda _: None
        self.on_done: Callable[[Call], None] = lambda _: None
        self.uid = uid
        self.smooth = False
        """Whether nothing is lost or late any more."""
        self.dice = random.Random(f"{seed}/line")  # noqa: S311 - to be repeated

    def leave(
        self, process: MoneyProcess, request: wire.Request, future: asyncio.Future[Any]
    ) -> None:
        """Send a request on its way."""
        path, _, query = request.path_and_query.partition("?")
        method = request.endpoint.method
        arriving = HttpRequest(method=method, path=path, query=query, api_key=request.api_key)
        call = None
        if method == "POST" and path in KINDS:
            call = self._note(process, path, query)
            self._travel(call, arriving, future, again=False)
            if call.fate == "twice":
                self._travel(call, arriving, future, again=True)
            return
        lost = not self.smooth and self.dice.random() < self.line.lost
        asked = path == _NUMBER and self.uid
        lost = lost or asked == "lost"
        way, back = self._way(), self._way()

        def arrive() -> None:
            reply = self.exchange.handle(arriving)
            if asked == "refused":
                reply = _says(401, -2015, "Invalid API-key, IP, or permissions for action.")
            if not lost:
                self.engine.at(self.engine.now + back, _deliver, future, reply)

        self.engine.at(self.engine.now + way, arrive)

    def _note(self, process: MoneyProcess, path: str, query: str) -> Call:
        given = parse_qs(query)
        names = given.get("asset", []) + given.get("assetNames", [])
        sales = self.exchange.accounts[process.key.account].sales
        names += [sales[each].asset for each in given.get("quoteId", []) if each in sales]
        number = len(self.calls)
        fates = () if self.smooth else self.line.writes
        call = Call(
            number,
            process,
            process.key.account,
            path,
            frozenset(name for part in names for name in part.split(",")),
            int(given["timestamp"][0]),
            float(given.get("recvWindow", ["5000"])[0]),
            fates[number] if number < len(fates) else "",
        )
        self.calls.append(call)
        self.on_sent(call)
        return call

    def _travel(
        self, call: Call, arriving: HttpRequest, future: asyncio.Future[Any], *, again: bool
    ) -> None:
        late = self.line.late
        way = self._way() + (late if again or call.fate == "late request" else 0.0)
        back = self._way() + (late if call.fate == "late answer" else 0.0)
        call.travelling += 1

        def arrive() -> None:
            if call.fate == "lost request":
                call.travelling -= 1
                return
            handling = self.exchange.receive(arriving)
            admitted = self.exchange.admit(handling)
            wait = late if call.fate == "late execution" else 0.0
            self.engine.at(self.engine.now + wait, do, handling, admitted)

        def do(handling: Handling, admitted: bool) -> None:
            reply = self._do(call, handling, admitted=admitted)
            call.travelling -= 1
            self.on_done(call)
            if call.fate != "lost answer" and not again:
                self.engine.at(self.engine.now + back, _deliver, future, reply, call)

        self.engine.at(self.engine.now + way, arrive)

    def _do(self, call: Call, handling: Handling, *, admitted: bool) -> HttpReply:
        """Carry a call out, if the exchange does; give its answer as it leaves."""
        account = self.exchange.accounts[call.account]
        before = done_by(account)
        if admitted and call.fate == "refused":
            return _says(400, -9000, "com.binance.AssetErrorCode.USER_OUT_OF_TRANSFER_FLOAT")
        if admitted and call.fate == "unclear, not done":
            return _says(500, -1000, "An unknown error occurred while processing the request.")
        if admitted:
            self.exchange.execute(handling)
        call.made += [each for each in done_by(account) if each not in before]
        reply = self.exchange.finish(handling)
        if call.fate == "unclear":
            return _says(503, -1007, "Timeout waiting for response from backend server.")
        if call.fate == "garbled":
            reply.body = reply.body[: len(reply.body) // 2] + b"\x00"
        return reply

    def _way(self) -> float:
        return self.line.way + self.dice.random() * self.line.jitter


def done_by(account: Account) -> list[Any]:
    """Give all that an account has on record."""
    return [
        *account.conversions,
        *account.debt_exchanges,
        *account.transfers,
        *account.repayments,
        *(sale for sale in account.sales.values() if sale.status == "SUCCESS"),
    ]


class Wire:
    """The transport of one process."""

    base_url = BASE_URL

    def __init__(self, roads: Roads, process: MoneyProcess) -> None:
        self._roads = roads
        self._process = process

    async def send(self, request: wire.Request, *, within: float | None = None) -> Answer:
        """Send a request, and wait for its answer."""
        process, roads = self._process, self._roads
        loop = process.loop
        future: asyncio.Future[HttpReply | None] = loop.create_future()
        if not loop.alive:
            await future  # nobody will ever hear of it
        sent = loop.time()
        roads.leave(process, request, future)
        timeout = min(within or roads.line.timeout, roads.line.timeout)
        timer = loop.call_later(timeout, _give_up, future)
        try:
            reply = await future
        finally:
            timer.cancel()
        if reply is None or reply.delivery != "whole":
            raise NoAnswerError("no answer", endpoint=request.endpoint.title)
        answer: Answer = Answer(
            reply.status, CIMultiDict(reply.headers), reply.body, sent, loop.time()
        )
        return answer

    async def close(self) -> None:
        """Nothing is open."""


def _give_up(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_result(None)


def _deliver(future: asyncio.Future[Any], reply: HttpReply, call: Call | None = None) -> None:
    loop = future.get_loop()
    if not future.done() and loop.alive:  # type: ignore[attr-defined]
        future.set_result(reply)
        if call is not None:
            call.answered = True


def _says(status: int, code: int, text: str) -> HttpReply:
    return HttpReply(status=status, body=json.dumps({"code": code, "msg": text}).encode())
