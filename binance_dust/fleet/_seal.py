"""Seals: only with the fleet's key can a message be written that is believed.

Without them, every program that can write to the Redis of a fleet could order conversions, list
accounts, and report what never was. With a key that only fleet and workers have, each message
carries a code over its task, its queue, its time, a number and its text. So it can't be made up,
changed, sent to another queue, kept for later, or sent twice. It can still be read, held back or
thrown away.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust._util.keys import NeverPickled
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NotBelievedError", "Seal"]

_SHORTEST_KEY: Final = 16
"""Characters: less could be guessed."""
_FRESH: Final = 60.0
"""Seconds between sending and reading, with what two machines' clocks may differ."""
_MOST_REMEMBERED: Final = 200_000
"""Messages of the last minute that are remembered; with more, the oldest could be sent again."""


class NotBelievedError(Exception):
    """A message was written without the key, or not just now."""


class _SealedMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message on the way."""

    text: str
    at: float
    number: str
    code: str


class Seal(NeverPickled):
    """Seals messages and checks seals; without a key, messages travel as they are."""

    __slots__ = ("_clock", "_key", "_seen")

    def __init__(self, key: str | None, clock: Callable[[], float] = time.time) -> None:
        """Take the key: a text that fleet and workers share."""
        if key is not None and (not isinstance(key, str) or len(key.strip()) < _SHORTEST_KEY):
            raise ConfigurationError(
                f"key: a text of at least {_SHORTEST_KEY} characters, like secrets.token_hex()"
            )
        self._key = None if key is None else key.strip().encode()
        self._clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()

    def close(self, message: msgspec.Struct, task: str, queue: str) -> dict[str, Any]:
        """Make what travels."""
        plain: dict[str, Any] = msgspec.to_builtins(message)
        if self._key is None:
            return plain
        text, at, number = msgspec.json.encode(plain).decode(), self._clock(), secrets.token_hex(8)
        code = self._code(task, queue, at, number, text)
        sealed: dict[str, Any] = msgspec.to_builtins(_SealedMessage(text, at, number, code))
        return sealed

    def open(self, travelled: dict[str, Any], task: str, queue: str) -> dict[str, Any]:
        """Give the message back, or raise `NotBelievedError`."""
        try:
            sealed = msgspec.convert(travelled, _SealedMessage)
        except msgspec.ValidationError:
            if self._key is None:
                return travelled
            raise NotBelievedError("it has no seal, and this fleet has a key") from None
        if self._key is None:
            raise NotBelievedError("it is sealed, and no key is given here")
        code = self._code(task, queue, sealed.at, sealed.number, sealed.text)
        if not hmac.compare_digest(code, sealed.code):
            raise NotBelievedError("it was made or changed by somebody without the key")
        now = self._clock()
        if abs(now - sealed.at) > _FRESH:
            raise NotBelievedError(
                f"it is {now - sealed.at:.0f} s old: it was kept, or the clocks of fleet and worker"
                f" differ by more than {_FRESH:.0f} s"
            )
        self._remember(sealed, now)
        message: dict[str, Any] = msgspec.json.decode(sealed.text)
        return message

    def _remember(self, sealed: _SealedMessage, now: float) -> None:
        if sealed.number in self._seen:
            raise NotBelievedError("it came twice")
        self._seen[sealed.number] = now
        while len(self._seen) > _MOST_REMEMBERED or (
            next(iter(self._seen.values())) < now - 2 * _FRESH
        ):
            self._seen.popitem(last=False)

    def _code(self, task: str, queue: str, at: float, number: str, text: str) -> str:
        assert self._key is not None  # noqa: S101 - asked for by both callers
        sealed = msgspec.json.encode([task, queue, at, number, text])
        return hmac.digest(self._key, sealed, "sha256").hex()

    def __repr__(self) -> str:
        return "<Seal>" if self._key else "<Seal without a key>"
