"""The one judge: what an answer of the exchange means, decided without I/O.

    status, headers, body -> a result or an error, and what the budget is told

An answer is the declared result, a refusal, or unreadable. A refusal may be a plain no, a refusal
for weight, a ban, a firewall's page, maintenance, or an unknown outcome: `codes` has the table.
Errors, retries and budgets all take it from here, so a refusal that one of them hears is heard by
the others too, whatever its HTTP status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import msgspec

from binance_dust._answers.codes import (
    Verdict,
    banned_until,
    exchange_error,
    limits_us,
    verdict,
)
from binance_dust._answers.reading import has_too_much, read_result, spelt
from binance_dust._answers.unreadable import EXCERPT, excerpt, why_unreadable
from binance_dust._answers.weight import BANNED, FORBIDDEN, TOO_MANY, Feedback, wait_of, weight_of
from binance_dust._util.structs import HiddenStruct
from binance_dust._util.words import visible
from binance_dust.errors import BannedError, DustError, RateLimitedError, UnreadableAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust.endpoints import Call

R = TypeVar("R")

_LOOKED_AT: Final = 64 * 1024
"""Bytes at the beginning of a body in which words are looked for: refusals are short."""
_BITS: Final = 63
"""The ledger keeps codes in 64 bits. A larger number is kept as a text."""
_FIRST_REDIRECT: Final = 300
_FIRST_REFUSAL: Final = 400
_LONGEST_CODE: Final = 40
_DIGITS: Final = re.compile(r"-?[1-9][0-9]{0,17}|0")
_CUT: Final = re.compile(rb'\s*\{\s*"code"\s*:\s*"?(-?[0-9]{1,18})"?\s*[,}]')
"""A refusal that was cut off still says its code, if the code itself is whole."""


class Answer(HiddenStruct, frozen=True, gc=False):
    """What came back: enough of HTTP to decide, nothing of aiohttp."""

    status: int
    headers: Mapping[str, str]
    """Names in any case; a case-insensitive mapping."""
    body: bytes
    sent: float = 0.0
    """When sending began, on the monotonic clock."""
    received: float = 0.0
    """When the whole answer was here, on the monotonic clock."""

    def __repr__(self) -> str:
        return f"<Answer {self.status}, {len(self.body)} bytes>"


class Judgement(msgspec.Struct, Generic[R], frozen=True):
    """What an answer means."""

    # The collector has to see it: an error that was raised leads back here by its traceback.

    feedback: Feedback
    """What the budget is told."""
    result: R | None = None
    error: DustError | None = None
    """What happened instead of a result."""

    def unwrap(self) -> R:
        """Give the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return cast("R", self.result)


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    """The fields that an answer may have around its result, or in its place; unread so far.

    Only what is looked at is read: as plain values, a body takes many times its own memory.
    """

    code: msgspec.Raw = msgspec.Raw(b"null")
    msg: msgspec.Raw = msgspec.Raw(b"null")
    message: msgspec.Raw = msgspec.Raw(b"null")
    success: msgspec.Raw = msgspec.Raw(b"null")
    data: msgspec.Raw = msgspec.Raw(b"null")


_OTHER_JSON: Final = _Envelope()
"""Stands for JSON that is no object."""


class _SaidNo(msgspec.Struct, frozen=True, gc=False):
    """What a refusal says."""

    found: Verdict
    code: int | str | None
    message: str
    """In full: it is cleaned and cut where it is shown."""
    banned_until: datetime | None

    def feedback(self, answer: Answer, server_time: float | None) -> Feedback:
        """Tell the budget: 429 and 418 mean the same to it, however they were said."""
        status = answer.status
        if self.found.error is BannedError:
            status = BANNED
        elif self.found.error is RateLimitedError:
            status = TOO_MANY
        walled = status == FORBIDDEN and self.code is None
        wait = wait_of(answer.headers, server_time)
        until = None if self.banned_until is None else self.banned_until.timestamp()
        return weight_of(status, answer.headers, answer.received, wait, until, walled)


def judge(
    call: Call[R],
    answer: Answer,
    *,
    account: str | None = None,
    clean: Callable[[str], str] = str,
    now: Callable[[], datetime] | None = None,
) -> Judgement[R]:
    """Decide what an answer to a call means.

    `account` is the label that errors name. `clean` takes out of a foreign text what must not be
    shown. `now` tells the exchange's time, and is asked only for a refusal.
    """
    if answer.status < _FIRST_REDIRECT and not has_too_much(call.endpoint, answer.body):
        try:
            result = read_result(call.endpoint, answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass  # a refusal or a wrapped result inside a success, or something unreadable
        else:
            feedback = weight_of(answer.status, answer.headers, answer.received)
            return Judgement(feedback, result)
    return _look_closer(call, answer, account, clean, now)


def read_feedback(
    status: int,
    headers: Mapping[str, str],
    body: bytes | str = b"",
    received: float = 0.0,
    server_time: float | None = None,
) -> Feedback:
    """Read what an answer says about weight; for budgets and tools of your own.

    `headers` is a case-insensitive mapping. `server_time` helps to read a `Retry-After` that is a
    date, where the answer has no `Date` of its own.
    """
    raw = body.encode(errors="replace") if isinstance(body, str) else body
    answer = Answer(status, headers, raw, received=received)
    refusal = _refusal(answer, _envelope(raw))
    if refusal is not None:
        return refusal.feedback(answer, server_time)
    return weight_of(status, headers, received, wait_of(headers, server_time))


def _look_closer(
    call: Call[R],
    answer: Answer,
    account: str | None,
    clean: Callable[[str], str],
    now: Callable[[], datetime] | None,
) -> Judgement[R]:
    """Judge an answer that is not plainly the declared result."""
    if has_too_much(call.endpoint, answer.body):
        feedback = weight_of(answer.status, answer.headers, answer.received)
        problem: tuple[str, str | None] = "it holds more than any answer does", None
        return Judgement(feedback, None, _unreadable(call, answer, account, clean, *problem))
    envelope = _envelope(answer.body)
    refusal = _refusal(answer, envelope)
    if refusal is not None:
        feedback = refusal.feedback(answer, None if now is None else now().timestamp())
        shown = visible(clean(refusal.message), EXCERPT) or excerpt(answer.body, clean)
        code = refusal.code
        if isinstance(code, str):
            code = visible(clean(code), _LONGEST_CODE)
        error: DustError = exchange_error(
            refusal.found,
            status=answer.status,
            code=code,
            message=shown,
            endpoint=call.endpoint.title,
            account=account,
            names=call.names,
            retry_after=feedback.retry_after,
            until=refusal.banned_until,
            now=now,
        )
        return Judgement(feedback, None, error)
    feedback = weight_of(answer.status, answer.headers, answer.received)
    if answer.status >= _FIRST_REDIRECT:
        problem = (
            f"HTTP {answer.status} is no answer of this endpoint",
            None,
        )
    elif call.endpoint.result is type(None) and _is_no_refusal(envelope, answer.body):
        return Judgement(feedback)
    elif envelope is not None and _code(envelope) is not None:
        data = _data(call, envelope)
        try:
            return Judgement(feedback, read_result(call.endpoint, data))
        except (msgspec.MsgspecError, RecursionError):
            problem = why_unreadable(
                call.endpoint.result, spelt(call.endpoint.result, data), "$.data"
            )
    else:
        problem = why_unreadable(call.endpoint.result, spelt(call.endpoint.result, answer.body))
    return Judgement(feedback, None, _unreadable(call, answer, account, clean, *problem))


def _refusal(answer: Answer, envelope: _Envelope | None) -> _SaidNo | None:
    """Recognise a refusal: by its status, or by what it says under any other status."""
    if envelope is None:
        code: int | str | None = _cut_code(answer.body)
        message = answer.body[:_LOOKED_AT].decode("utf-8", "replace")
    else:
        code, message = _code(envelope), _message(envelope)
    says_no = code is not None and not _means_success(code)
    refuses = (
        answer.status >= _FIRST_REFUSAL
        or (says_no and answer.status < _FIRST_REDIRECT)
        or ((says_no or envelope is None) and limits_us(code, message))
    )
    if not refuses:
        return None
    found = verdict(answer.status, code, message)
    until = banned_until(message) if found.error is BannedError else None
    shown = message if envelope is not None else ""
    return _SaidNo(found, code, shown, until)


def _data(call: Call[Any], envelope: _Envelope) -> bytes:
    """Take the result out of `{"code": "000000", "data": ...}`; no list at all is an empty one."""
    data = bytes(envelope.data)
    if data == b"null" and getattr(call.endpoint.result, "__origin__", None) is list:
        return b"[]"
    return data


def _is_no_refusal(envelope: _Envelope | None, body: bytes) -> bool:
    """Whether a success without a documented body is one: no body at all, or any JSON.

    A page of HTML comes from something in between, and half an answer is no answer.
    """
    if envelope is None:
        return not body.strip()
    return bytes(envelope.success) != b"false"


def _envelope(body: bytes) -> _Envelope | None:
    """Look for an envelope; `None` if the body is no JSON."""
    try:
        if msgspec.json.decode(body, type=msgspec.Raw) and body.lstrip()[:1] == b"{":
            return msgspec.json.decode(body, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return _OTHER_JSON


def _code(envelope: _Envelope) -> int | str | None:
    """Find the exchange's code; a text that is a whole number is read as one."""
    code = _plain(envelope.code)
    if isinstance(code, str):
        return int(code) if _DIGITS.fullmatch(code) else code
    if not isinstance(code, int) or isinstance(code, bool):
        return None
    return code if code.bit_length() <= _BITS else str(code)


def _plain(raw: msgspec.Raw) -> object:
    """Read a field, if it is as short as what it should be."""
    try:
        return msgspec.json.decode(raw) if len(bytes(raw)) <= _LOOKED_AT else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def _cut_code(body: bytes) -> int | None:
    match = _CUT.match(body)
    return None if match is None else int(match[1])


def _means_success(code: int | str) -> bool:
    return code in (0, 200) or (isinstance(code, str) and code.strip("0") == "")


def _message(envelope: _Envelope) -> str:
    message = _plain(envelope.msg) or _plain(envelope.message)
    return message if isinstance(message, str) else ""


def _unreadable(  # noqa: PLR0913, PLR0917 - what is known of the answer
    call: Call[Any],
    answer: Answer,
    account: str | None,
    clean: Callable[[str], str],
    reason: str,
    path: str | None,
) -> UnreadableAnswerError:
    shown = excerpt(answer.body, clean)
    # Both may hold names that stood in the body.
    reason = visible(clean(reason), EXCERPT)
    path = path and visible(clean(path), EXCERPT)
    return UnreadableAnswerError(
        f"{reason}; the body begins {shown!r}" if shown else reason,
        endpoint=call.endpoint.title,
        account=account,
        status=answer.status,
        path=path,
        excerpt=shown,
    )
