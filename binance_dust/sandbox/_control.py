"""Faults over HTTP, for rehearsals from a shell: `/sandbox/faults`, which no exchange has.

    POST    {"fault": "lose_answer", "endpoint": "/sapi/v1/asset/dust", "times": 2}
    GET     the armed faults, and how often each struck
    DELETE  disarm all

A fault is a method of `Faults`, and the rest of the object are its arguments. A program that asks
must say `Content-Type: application/json`: a page in a browser can't, without being asked for leave.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from binance_dust.sandbox._requests import HttpReply

if TYPE_CHECKING:
    from binance_dust.sandbox._faults import Fault, Faults

PATH: Final = "/sandbox/faults"

_OPTIONAL_TEXT: Final = (str, type(None))
_NUMBER: Final = (int, float)
_WHERE: Final = {
    "endpoint": _OPTIONAL_TEXT,
    "account": _OPTIONAL_TEXT,
    "address": _OPTIONAL_TEXT,
    "times": (int, type(None)),
    "skip": (int,),
}
_FAULTS: Final[dict[str, dict[str, tuple[type, ...]]]] = {
    "lose_answer": {"after_executing": (bool,), **_WHERE},
    "lose_funds_answer": _WHERE,
    "fail": {
        "status": (int,),
        "code": (int, type(None)),
        "msg": (str,),
        "after_executing": (bool,),
        **_WHERE,
    },
    "cut_body": _WHERE,
    "garble_body": _WHERE,
    "wrong_shape": _WHERE,
    "html_403": _WHERE,
    "refuse": {
        "status": (int,),
        "code": (int,),
        "retry_after": (int, float, str, type(None)),
        **_WHERE,
    },
    "delay": {"seconds": _NUMBER, "on": (str,), **_WHERE},
    "convert_nothing": _WHERE,
    "misreport_weight": {"value": (int, type(None)), **_WHERE},
    "spend": {"endpoint": (str,), "weight": (int,), "address": (str,), "account": _OPTIONAL_TEXT},
    "ban": {"seconds": _NUMBER, "address": (str,)},
    "pardon": {"address": (str,)},
    "maintenance": {"on": (bool,)},
    "drift_clock": {"seconds": _NUMBER, "over": _NUMBER},
    "jump_clock": {"seconds": _NUMBER},
}
"""The arguments of each, and what they may be."""


class FaultControl:
    """Reads what is asked for, and does it. `armed` are the faults that were armed this way."""

    def __init__(self, faults: Faults) -> None:
        """Control these faults."""
        self._faults = faults
        self._armed: list[tuple[str, Fault]] = []

    def reply(self, method: str, content_type: str, body: bytes) -> HttpReply:
        """Do what a request asks for, and say what was done."""
        if method == "GET":
            return _reply([_as_json(name, fault) for name, fault in self._armed])
        if method == "DELETE":
            self._faults.clear()
            self._armed.clear()
            return _reply([])
        if method != "POST" or content_type != "application/json":
            return _refusal("GET, DELETE, or POST with Content-Type: application/json", status=405)
        try:
            name, arguments = _asked(body)
            fault = getattr(self._faults, name)(**arguments)
        except (TypeError, ValueError, OverflowError) as error:
            return _refusal(str(error).removeprefix("Faults."))
        if fault is None:
            return _reply({"fault": name, **arguments})
        self._armed.append((name, fault))
        return _reply(_as_json(name, fault))


def _asked(body: bytes) -> tuple[str, dict[str, Any]]:
    """Read the name of a fault and its arguments, each of a type that it takes."""
    try:
        asked = json.loads(body, parse_constant=_no_number)
    except ValueError:
        message = "the body is not JSON"
        raise ValueError(message) from None
    if not isinstance(asked, dict):
        message = 'the body must be like {"fault": "lose_answer", "times": 2}'
        raise TypeError(message)
    name = asked.pop("fault", None)
    known = _FAULTS.get(name) if isinstance(name, str) else None
    if known is None:
        message = f"fault must be one of {', '.join(_FAULTS)}"
        raise ValueError(message)
    for argument, value in asked.items():
        if argument not in known:
            message = f"{name} takes {', '.join(known)}, not {argument}"
            raise ValueError(message)
        if type(value) not in known[argument]:
            message = f"{argument} can't be {json.dumps(value)}"
            raise ValueError(message)
    return str(name), asked


def _no_number(text: str) -> None:
    raise ValueError(text)


def _as_json(name: str, fault: Fault) -> dict[str, Any]:
    return {
        "fault": name,
        "endpoint": fault.endpoint,
        "account": fault.account,
        "address": fault.address,
        "times": fault.times,
        "hits": fault.hits,
    }


def _reply(content: object, status: int = 200) -> HttpReply:
    return HttpReply(status=status, body=json.dumps(content).encode() + b"\n")


def _refusal(why: str, status: int = 400) -> HttpReply:
    return _reply({"error": why}, status)
