"""An exchange in hostile hands: thousands of drawn answers, and what each of them costs.

The server lives in a thread of its own, so that time and memory of the client's thread are its own.
It knows key and query of each request, and tries to have them shown.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import random
import resource
import sys
import threading
import time
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Self

from binance_dust import (
    Credentials,
    DeliveryError,
    DustClient,
    DustError,
    RetryPolicy,
    Session,
    UnreadableAnswerError,
)
from binance_dust._util.plain import plain

KEY: Final = "CANARYKEY" + "k" * 55
SECRET: Final = "CANARYSECRET" + "s" * 52
TIME: Final = "/api/v3/time"
_MIB: Final = 1 << 20
_LONGEST_TEXT: Final = 2_000
"""Characters of an error's text."""
_TEXTS: Final = (
    "\x1b[2J\x1b[1;1Hgone",
    "line\r\nWARNING forged line",
    "\u202egnorw\u202c",
    "\x00\x07\x08",
    "<script>alert(1)</script>",
    "=HYPERLINK(0)",
    "%s%n{0}{__class__}",
    "\u2028\u2029\x85",
    "\U000e0041\ufeff",
    "'; DROP TABLE entries; --",
)


# --- answers -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A request as the server sees it."""

    key: str
    query: str

    def secrets(self) -> tuple[str, ...]:
        """What the server would like to have shown."""
        signature = self.query.rpartition("signature=")[2]
        return tuple(text for text in (self.key, self.query, signature) if text)


def _http(body: bytes, *, status: str = "200 OK", head: str = "", length: Any = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{head}\r\n".encode() + body


def _refusal(dice: random.Random, text: str) -> bytes:
    code = dice.choice([-1000, -1003, -1022, -2015, -5003, -5006, -9000, -12014, 2, 10**30, "x"])
    body = json.dumps({"code": code, "msg": text}, ensure_ascii=dice.random() < 0.5)
    status = dice.choice(["400 \x1b[31m", "401 No", "418 T", "429 \u202e", "500 E", "200 OK"])
    return _http(body.encode("utf-8", "surrogatepass"), status=status)


def foreign_text(dice: random.Random, _: Asked) -> bytes:
    """A refusal whose text would steer a terminal, forge a line, or fill the screen."""
    return _refusal(dice, dice.choice(_TEXTS) * dice.choice([1, 1, 3, 10_000]))


def echo(dice: random.Random, asked: Asked) -> bytes:
    """A refusal that repeats what it was sent, across any cut."""
    secret = dice.choice(asked.secrets() or ("",))
    return _refusal(dice, "a" * dice.randrange(0, 400) + secret + "b" * dice.choice([0, 500]))


def page(dice: random.Random, asked: Asked) -> bytes:
    """A page, as a firewall or a proxy sends it."""
    secret = dice.choice((*asked.secrets(), *_TEXTS))
    body = f"<html><body>{secret}</body></html>".encode("utf-8", "surrogatepass")
    return _http(body, status=dice.choice(["403 F", "502 B", "503 S", "200 OK", "407 P"]))


@cache
def _bomb(kind: str, mebibytes: int) -> bytes:
    """Compress a list of blanks: each mebibyte is the same few bytes again."""
    maker = zlib.compressobj(9, zlib.DEFLATED, 31 if kind == "gzip" else 15)
    begin = maker.compress(b"[") + maker.flush(zlib.Z_FULL_FLUSH)
    blank = maker.compress(b" " * _MIB) + maker.flush(zlib.Z_FULL_FLUSH)
    return begin + blank * mebibytes + maker.compress(b"]") + maker.flush()


def bomb(dice: random.Random, _: Asked) -> bytes:
    """A megabyte that unpacks into a gigabyte, or less of it."""
    kind = dice.choice(["gzip", "deflate"])
    body = _bomb(kind, dice.choice([1, 20, 200, 1_000]))
    return _http(body, head=f"Content-Encoding: {kind}\r\n")


def broken_packing(dice: random.Random, _: Asked) -> bytes:
    """What says that it is packed, and is not, or breaks off."""
    body = gzip.compress(b"[]" * 1000)
    body = dice.choice([body[: dice.randrange(len(body))], dice.randbytes(300), b""])
    kind = dice.choice(["gzip", "deflate", "br", "zstd", "x" * 100])
    return _http(body, head=f"Content-Encoding: {kind}\r\n")


def deep(dice: random.Random, _: Asked) -> bytes:
    """Nested deeper than any stack."""
    left, right = dice.choice([("[", "]"), ('{"a":', "}")])
    size = dice.choice([50, 2_000, 500_000])
    return _http(f"{left * size}0{right * dice.choice([0, size])}".encode())


def wide(dice: random.Random, _: Asked) -> bytes:
    """Megabytes of plain JSON."""
    size = dice.choice([1_000, 150_000, 400_000])
    match dice.randrange(4):
        case 0:
            body = b"[" + b"0," * size + b"0]"
        case 1:
            body = b"{" + b",".join(b'"k%d":0' % n for n in range(size)) + b"}"
        case 2:
            body = b'{"msg":"' + b"x" * (size * 10) + b'"}'
        case _:
            body = b"[" + b",".join([b'{"asset":"A","free":"1"}'] * size) + b"]"
    return _http(body)


def number(dice: random.Random, _: Asked) -> bytes:
    """Amounts that are none, or longer than any."""
    text = dice.choice(['"1e999999999"', "1e400", "9" * 100_000, '"NaN"', '"-0"', '"1__0"', "1.5"])
    rest = '"locked":"0","freeze":"0","withdrawing":"0","ipoable":"0","btcValuation":"0"'
    return _http(f'[{{"asset":"ADA","free":{text},{rest}}}]'.encode())


def names(dice: random.Random, _: Asked) -> bytes:
    """A good answer, of assets that nobody would call so."""
    row = {"free": "1", "locked": "0", "freeze": "0", "withdrawing": "0", "ipoable": "0"}
    rows = [{"asset": dice.choice(_TEXTS), "btcValuation": "0", **row} for _ in range(3)]
    return _http(json.dumps(rows).encode())


def heads(dice: random.Random, _: Asked) -> bytes:
    """Headers that count wrong, wait for ever, or never end."""
    value = dice.choice(
        ["-1", "1e400", "9" * 40, "nan", "1_000", "\u0663", "", "x" * 9_000, "0x10"]
    )
    name = dice.choice(
        [
            "Retry-After",
            "X-SAPI-USED-IP-WEIGHT-1M",
            "X-SAPI-USED-UID-WEIGHT-1M",
            "Set-Cookie",
            "Date",
        ]
    )
    many = "".join(f"X-{n}: {n}\r\n" for n in range(dice.choice([0, 0, 50, 5_000])))
    status = dice.choice(["429 Too Many", "200 OK", "418 T"])
    return _http(b"[]", status=status, head=f"{name}: {value}\r\n{many}")


def lengths(dice: random.Random, _: Asked) -> bytes:
    """A length that is wrong, and lines that are no HTTP."""
    length = dice.choice([0, 1, 10, 10**9, -5, "x", "2\r\nContent-Length: 3"])
    raw = dice.choice([b"", b"\r\n", b"HTTP/9.9 200\r\n\r\n", dice.randbytes(200), b"\x16\x03\x01"])
    return dice.choice([_http(b"[]", length=length), raw])


def elsewhere(dice: random.Random, asked: Asked) -> bytes:
    """A redirect, with the signed query for whoever is asked next."""
    where = dice.choice([f"http://127.0.0.1:9/?{asked.query}", "//evil", "javascript:0", "\x1b"])
    status = dice.choice(["301 M", "302 F", "307 T", "308 P", "300 M"])
    return _http(b"", status=status, head=f"Location: {where}\r\n")


def statuses(dice: random.Random, _: Asked) -> bytes:
    """Statuses that end nothing, or that nobody has heard of."""
    return _http(b"[]", status=dice.choice(["204 N", "304 N", "599 X", "999 X", "000 X", "100 C"]))


def rubbish(dice: random.Random, _: Asked) -> bytes:
    """Bytes that are no text, and text that is nearly JSON."""
    body = dice.choice([dice.randbytes(500), b"\xff\xfe[]", b"[] []", b'{"a":1', b"\x00", b"nul"])
    return _http(body, status=dice.choice(["200 OK", "400 B", "503 S"]))


KINDS: Final[dict[str, Callable[[random.Random, Asked], bytes]]] = {
    kind.__name__: kind
    for kind in (
        foreign_text,
        echo,
        page,
        bomb,
        broken_packing,
        deep,
        wide,
        number,
        names,
        heads,
        lengths,
        elsewhere,
        statuses,
        rubbish,
    )
}


# --- the server ----------------------------------------------------------------------------------


class HostileServer:
    """Answers each request as it was told for it; the time is told truly."""

    def __init__(self) -> None:
        self.url = ""
        self.busy = 0.0
        """Seconds of processor that making answers took."""
        self.next: Callable[[Asked], bytes] = lambda _: b""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_MIB)
        )
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            target = head.split(" ")[1]
            if target == TIME:
                writer.write(_http(b'{"serverTime":%d}' % (time.time() * 1000)))
            else:
                key = head.lower().partition("x-mbx-apikey: ")[2].partition("\r\n")[0]
                key = KEY if key == KEY.lower() else key
                before = time.thread_time()
                writer.write(self.next(Asked(key, target.partition("?")[2])))
                self.busy += time.thread_time() - before
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


# --- what it costs -------------------------------------------------------------------------------


@dataclass
class Toll:
    """What a run has cost, and what was wrong."""

    answers: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    """Seconds of processor for which the loop's other tasks had no turn."""
    mebibytes: float = 0.0
    """By how much the process has grown at most."""
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        seconds, kind = self.slowest
        return (
            f"{self.answers:,} answers, {len(self.wrong)} wrong; the loop was blocked for"
            f" {seconds * 1000:.0f} ms at most ({kind}), {self.mebibytes:.0f} MiB;"
            f" {dict(self.outcomes.most_common())}"
        )


class Blocking:
    """Measures how long the loop was kept, by its tasks or by threads that keep the interpreter.

    In seconds of processor and not by the clock on the wall: other programs are no fault of ours.
    """

    def __init__(self, server: HostileServer) -> None:
        self.longest = 0.0
        self._server = server
        self._task = asyncio.ensure_future(self._tick())

    async def _tick(self) -> None:
        while True:
            before = self._used()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, self._used() - before)

    def _used(self) -> float:
        return time.process_time() - self._server.busy

    def take(self) -> float:
        """Return the longest time since this was asked last."""
        longest, self.longest = self.longest, 0.0
        return longest

    async def stop(self) -> None:
        """Measure no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@contextmanager
def _logged() -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logging.Handler(logging.DEBUG)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("binance_dust")
    level, propagate = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        yield lines
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate


def visible(text: str) -> bool:
    """Whether nothing in a text steers a terminal or hides."""
    return not any(unicodedata.category(each) in {"Cc", "Cf", "Zl", "Zp"} for each in text)


def faults(asked: list[Asked], texts: list[str]) -> Iterator[str]:
    """Say what is wrong with texts that a user would see."""
    hidden = {text for each in asked for text in each.secrets()} | {KEY, SECRET}
    for text in texts:
        if any(secret in text for secret in hidden):
            yield "shows a secret"
        if any(secret[at : at + 24] in text for secret in (KEY, SECRET) for at in (0, 20, 40)):
            yield "shows a part of a secret"
        if not visible(text):
            yield f"shows what can't be seen: {text[:80]!a}"
        if len(text) > _LONGEST_TEXT:
            yield f"is {len(text)} characters long"


async def answer_all(seed: int, answers: int, only: str | None = None) -> Toll:
    """Ask so often, and have each question answered by a drawn answer."""
    toll = Toll()
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    kinds = [only] if only else sorted(KINDS)
    with HostileServer() as server:
        grown = _grown()
        for number in range(answers):
            kind, write = kinds[number % len(kinds)], dice.random() < 0.3
            await _ask(server, dice, kind, toll, write=write)
            toll.mebibytes = max(toll.mebibytes, _grown() - grown)
    return toll


async def _ask(
    server: HostileServer, dice: random.Random, kind: str, toll: Toll, *, write: bool
) -> None:
    asked: list[Asked] = []
    state = dice.getrandbits(64)

    def answer(request: Asked) -> bytes:
        asked.append(request)
        return KINDS[kind](random.Random(state), request)  # noqa: S311 - to be repeated

    server.next = answer
    toll.answers += 1
    toll.kinds[kind] += 1
    retry = RetryPolicy(attempts=1, max_wait=0.01)
    error: BaseException | None = None
    with _logged() as lines:
        async with Session(base_url=server.url, retry=retry, timeout=20.0) as session:
            client = session.client(Credentials(KEY, SECRET, name="alice"))
            await client.server_time()
            blocking = Blocking(server)
            await asyncio.sleep(0.002)
            blocking.take()
            try:
                await (client.dust_transfer(["ADA"]) if write else _read(client, dice))
            except Exception as found:  # noqa: BLE001 - what else it is, is wrong
                error = found
            toll.slowest = max(toll.slowest, (blocking.take(), kind))
            await blocking.stop()
            used = max((pool.used for pool in session.budget.snapshot().pools), default=0)
    toll.outcomes[type(error).__name__ if error else "a result"] += 1
    wrong = list(faults(asked, lines))
    if used > 200_000:
        wrong.append(f"believes that {used} is spent")
    if error is not None and not isinstance(error, DustError):
        wrong.append(f"is a {type(error).__name__}: {error!r:.200}")
    if isinstance(error, DustError):
        wrong += faults(asked, [str(error), repr(error), json.dumps(plain(error), default=str)])
        if write and asked and isinstance(error, DeliveryError | UnreadableAnswerError):
            wrong.append(f"a write that arrived is a {type(error).__name__}")
    toll.wrong += [f"{kind} ({'write' if write else 'read'}): {each}" for each in wrong]


async def _read(client: DustClient, dice: random.Random) -> None:
    match dice.randrange(3):
        case 0:
            await client.user_assets()
        case 1:
            await client.convertible_assets("BNB")
        case _:
            await client.dust_log()


def _grown() -> float:
    """Return the most memory that the process has had, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (_MIB if sys.platform == "darwin" else 1024)
