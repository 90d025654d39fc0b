"""The wire, without I/O: a call becomes a request, an answer becomes a result or an error.

One encoder makes the text that is signed and the text that is sent: the query. Everything travels
in it, also for POST, as the exchange's own SDKs do; a body would only be a second thing to sign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import unquote

import msgspec

from binance_dust._answers.codes import exchange_error
from binance_dust.endpoints import Endpoint
from binance_dust.errors import DustError, UnreadableAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from binance_dust.endpoints import Call

R = TypeVar("R")

_EXCERPT: Final = 200
_SIGNATURE: Final = re.compile(
    r"(signature(?:=|%3D|&#61;|\"?\s*:\s*\"?))[^&\s\"'<>]+", re.IGNORECASE
)
_NO_JSON: Final = object()
_FIRST_ERROR: Final = 300
_FIRST_REFUSAL: Final = 400


class Request(msgspec.Struct, frozen=True, gc=False):
    """One attempt at a call, ready to be sent. Shows no query, for the query is signed."""

    endpoint: Endpoint[..., Any]
    account: str | None
    """The account's label, for errors."""
    path_and_query: str
    api_key: str | None
    signature: str | None

    def __repr__(self) -> str:
        return f"<Request {self.endpoint}{f' ({self.account})' if self.account else ''}>"

    def scrub(self, text: str) -> str:
        """Take out of a foreign text what must not be shown: signature, query and key."""
        for secret in (self.path_and_query.partition("?")[2], self.signature, self.api_key):
            if secret:
                text = text.replace(secret, "***").replace(unquote(secret), "***")
        return _SIGNATURE.sub(r"\1***", text)


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What came back: enough of HTTP to decide, nothing of aiohttp."""

    status: int
    headers: Mapping[str, str]
    """Names in any case; a case-insensitive mapping."""
    body: bytes
    sent: float = 0.0
    """When sending began, on the monotonic clock."""
    received: float = 0.0
    """When the whole answer was here, likewise."""

    def __repr__(self) -> str:
        return f"<Answer {self.status}, {len(self.body)} bytes>"


def unsigned_request(call: Call[Any], query: str = "") -> Request:
    """Write a request that needs no key."""
    path = call.endpoint.path
    return Request(call.endpoint, None, f"{path}?{query}" if query else path, None, None)


def payload(query: str, recv_window: float, timestamp: int) -> str:
    """Complete a query with what every signed call carries; this text is signed and sent."""
    # The exchange takes three decimals at most.
    milliseconds = f"{recv_window:.3f}".rstrip("0").rstrip(".")
    window = f"recvWindow={milliseconds}&timestamp={timestamp}"
    return f"{query}&{window}" if query else window


def signed_request(
    call: Call[Any], signed: str, signature: str, *, api_key: str, account: str
) -> Request:
    """Put a signature behind the text that it signs."""
    return Request(
        call.endpoint,
        account,
        f"{call.endpoint.path}?{signed}&signature={signature}",
        api_key,
        signature,
    )


def read(
    call: Call[R],
    request: Request,
    answer: Answer,
    *,
    retry_after: float | None = None,
    now: Callable[[], datetime] | None = None,
) -> R:
    """Turn an answer into the declared result, or raise what it says instead."""
    if answer.status < _FIRST_ERROR:
        try:
            return call.endpoint.decoder.decode(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            # The way of few: an error or a wrapping inside a success, or something unreadable.
            pass
    outcome = _look_closer(call, request, answer, retry_after, now)
    if isinstance(outcome, DustError):
        raise outcome
    return cast("R", outcome)


def _look_closer(
    call: Call[R],
    request: Request,
    answer: Answer,
    retry_after: float | None,
    now: Callable[[], datetime] | None,
) -> R | DustError | None:
    """Read an answer that is not plainly the declared result; errors come back, not raised."""
    envelope = _envelope(answer.body)
    code, message = _code(envelope), _message(envelope)
    failed = answer.status >= _FIRST_REFUSAL
    if failed or (code is not None and not _means_success(code) and answer.status < _FIRST_ERROR):
        return exchange_error(
            status=answer.status,
            code=code,
            message=request.scrub(message) if message else _excerpt(request, answer.body),
            endpoint=call.endpoint.title,
            account=request.account,
            names=call.names,
            retry_after=retry_after,
            now=now,
        )
    if answer.status >= _FIRST_ERROR:
        return _unreadable(request, answer, f"HTTP {answer.status} is no answer of this endpoint")
    if call.endpoint.result is type(None) and _is_no_refusal(envelope, answer.body):
        return None
    if code is not None and isinstance(envelope, dict):
        return _unwrap(call, request, answer, envelope)
    return _unreadable(request, answer, *_why_unreadable(call.endpoint, answer.body))


def _unwrap(
    call: Call[R], request: Request, answer: Answer, envelope: dict[str, object]
) -> R | DustError:
    """Take the result out of `{"code": "000000", "data": ...}`; an absent list is an empty one."""
    data = envelope.get("data")
    if data is None and getattr(call.endpoint.result, "__origin__", None) is list:
        data = []
    try:
        return msgspec.convert(data, call.endpoint.result, strict=False)
    except (msgspec.MsgspecError, RecursionError) as error:
        problem = _split(str(error), "$.data")
    return _unreadable(request, answer, *problem)


def _is_no_refusal(envelope: object, body: bytes) -> bool:
    """Tell whether a success without a documented body is one: nothing at all, or any JSON.

    A page of HTML is somebody's in between, and half an answer is nobody's.
    """
    if envelope is _NO_JSON:
        return not body.strip()
    return not (isinstance(envelope, dict) and envelope.get("success") is False)


def _envelope(body: bytes) -> object:
    try:
        return msgspec.json.Decoder(float_hook=str).decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NO_JSON


def _code(envelope: object) -> int | str | None:
    """Find the exchange's code; digits in a text are a number, if they say it in full."""
    if not isinstance(envelope, dict):
        return None
    code = envelope.get("code")
    if isinstance(code, str):
        return int(code) if re.fullmatch(r"-?[1-9][0-9]{0,17}|0", code) else code
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _means_success(code: int | str) -> bool:
    return code in (0, 200) or (isinstance(code, str) and code.strip("0") == "")


def _message(envelope: object) -> str:
    if not isinstance(envelope, dict):
        return ""
    message = envelope.get("msg") or envelope.get("message")
    return message[:_EXCERPT] if isinstance(message, str) else ""


def _why_unreadable(endpoint: Endpoint[..., Any], body: bytes) -> tuple[str, str | None]:
    """Decode once more, for the reason: what was expected, and the JSON path where it was not."""
    if not body.strip():
        return "the body is empty", None
    try:
        endpoint.decoder.decode(body)
    except msgspec.ValidationError as error:
        return _split(str(error), "$")
    except msgspec.DecodeError as error:
        return f"the body is not JSON, or was cut ({error})", None
    except UnicodeDecodeError:
        return "the body is not UTF-8", None
    except RecursionError:
        return "the body is nested too deep", None
    return "the body can't be read", None  # pragma: no cover - it failed a moment ago


def _split(text: str, root: str) -> tuple[str, str]:
    """Part msgspec's sentence into what is wrong and where: '... - at `$[3].free`'."""
    what, _, where = text.partition(" - at `")
    path = (where.rstrip("`") or "$").replace("$", root)
    return f"{what} at {path}", path


def _unreadable(
    request: Request, answer: Answer, reason: str, path: str | None = None
) -> UnreadableAnswerError:
    excerpt = _excerpt(request, answer.body)
    return UnreadableAnswerError(
        f"{reason}; the body begins {excerpt!r}" if excerpt else reason,
        endpoint=request.endpoint.title,
        account=request.account,
        status=answer.status,
        path=path,
        excerpt=excerpt,
    )


def _excerpt(request: Request, body: bytes) -> str:
    """Show the beginning of a body on one line, without what must not be shown."""
    # Scrubbed before it is cut: half a signature would not be recognised.
    text = request.scrub(body[: 16 * _EXCERPT].decode("utf-8", "replace"))
    return " ".join(text.split())[:_EXCERPT]
