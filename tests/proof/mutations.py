"""Inputs that nobody would write: samples changed at random, and bytes out of nowhere.

All of it follows from a seed, so that what was found once is found again.
"""

from __future__ import annotations

import random
import re
from typing import Final

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null', re.DOTALL)
_DIGITS: Final = 5_000
"""More digits than Python turns into an integer, or an integer into text."""

ODD: Final = (
    # Numbers that are none, and numbers that are too much.
    *(b"NaN", b"Infinity", b"-Infinity", b'"NaN"', b'"sNaN1"', b'"Infinity"', b'"-inf"', b"-0"),
    *(b"1e999999999", b'"1e999999999"', b'"1e-999999999"', b"1e400", b'"1E+999"', b"0.1", b"1.0"),
    *(b'"1_0"', b'" 1"', b'"0x1"', b'"\\u0663"', '"٣"'.encode(), b'"--1"', b'"1."', b'"."', b'""'),
    *(
        b"9" * _DIGITS,
        b'"' + b"9" * _DIGITS + b'"',
        b"-9223372036854775809",
        b"18446744073709551616",
    ),
    # Times at the edges of what a calendar holds.
    *(b"253402300799999", b"253402300800000", b"-62135596800001", b'"253402300800000"', b"-1"),
    *(b'"0001-01-01T00:00:00+23:59"', b'"9999-12-31T23:59:59-23:59"', b'"2018-05-03 17:07:04"'),
    *(b'"24:00"', b'"0000-00-00"', b"99999999999999", b'"2018-W01"'),
    # Other kinds of things.
    *(b"null", b"true", b"false", b"[]", b"{}", b"[[]]", b"[0,[1],2]", b'{"":0}', b'"\\ud800"'),
    *(
        b'"\\u0000"',
        b'"\xff"',
        b"[" * 3_000,
        b'{"a":' * 3_000,
        b"\xef\xbb\xbf",
        b"\x00",
        b"\xed\xa0\x80",
    ),
    # What an exchange says where it says no.
    *(b'{"code":-1003,"msg":"IP banned until 1700000000000."}', b'{"code":"000000","data":[]}'),
    *(b'{"code":0,"data":null}', b'{"code":-1021,"msg":"Timestamp"}', b'{"code":1e3,"msg":[]}'),
    *(b'"code":', b'"msg":', b'"data":', b'"IP banned until 99999999999999"', b'"-1003"', b"-5001"),
)
_GLUE: Final = (
    b",",
    b":",
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b"\\",
    b"\r\n",
    b"=",
    b"#",
    b"'",
    b"%",
    b"&",
)


class Mutator:
    """Changes samples, a little or beyond recognition."""

    def __init__(self, seed: int | str) -> None:
        """Begin a row of changes that is the same each time."""
        self.dice = random.Random(seed)  # noqa: S311 - to be repeated
        self._kinds = (
            *(self._token, self._token, self._token, self._flip, self._insert),
            *(self._drop, self._double, self._cut, self._swap_tokens),
        )
        self._tokens: dict[bytes, list[tuple[int, int]]] = {}

    def change(self, sample: bytes) -> bytes:
        """Change a sample one to four times; now and then give noise in its place."""
        dice = self.dice
        if dice.random() < 0.02:
            return dice.randbytes(dice.randrange(200))
        changed = sample
        for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4))):
            changed = dice.choice(self._kinds)(changed)
        return changed

    def word(self) -> bytes:
        """Give something odd."""
        return self.dice.choice(ODD)

    def _token(self, text: bytes) -> bytes:
        """Put something odd in the place of a value or a name."""
        found = self._spans(text)
        if not found:
            return self._insert(text)
        begin, end = self.dice.choice(found)
        return text[:begin] + self.word() + text[end:]

    def _swap_tokens(self, text: bytes) -> bytes:
        found = self._spans(text)
        if not found:
            return self._double(text)
        (begin, end), (other, other_end) = self.dice.choice(found), self.dice.choice(found)
        return text[:begin] + text[other:other_end] + text[end:]

    def _spans(self, text: bytes) -> list[tuple[int, int]]:
        # Samples come again and again; what was changed already is not remembered.
        known = self._tokens.get(text)
        if known is None:
            known = [match.span() for match in _TOKEN.finditer(text[:20_000])]
            if len(self._tokens) < 100:
                self._tokens[text] = known
        return known

    def _flip(self, text: bytes) -> bytes:
        changed = bytearray(text or b"\0")
        changed[self.dice.randrange(len(changed))] = self.dice.randrange(256)
        return bytes(changed)

    def _insert(self, text: bytes) -> bytes:
        at = self.dice.randint(0, len(text))
        what = self.word() if self.dice.random() < 0.5 else self.dice.choice(_GLUE)
        return text[:at] + what + text[at:]

    def _drop(self, text: bytes) -> bytes:
        begin, end = self._span(text)
        return text[:begin] + text[end:]

    def _double(self, text: bytes) -> bytes:
        begin, end = self._span(text)
        return text[:end] + text[begin:end] * self.dice.choice((1, 2, 30)) + text[end:]

    def _cut(self, text: bytes) -> bytes:
        return text[: self.dice.randint(0, len(text))]

    def _span(self, text: bytes) -> tuple[int, int]:
        begin = self.dice.randint(0, len(text))
        return begin, min(len(text), begin + self.dice.randint(0, 40))
