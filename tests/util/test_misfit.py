"""Where an answer does not fit: the path is found by the declared type, in no foreign words."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import endpoints
from binance_dust._answers.judge import Answer, judge
from binance_dust._util import misfit
from binance_dust._util.rows import SwitchesAnswer
from binance_dust.endpoints import Call
from binance_dust.errors import UnreadableAnswerError

SAMPLES = Path(__file__).parents[1] / "samples"
ENDPOINTS = {name: row for name, row in endpoints.ALL.items() if row.result is not type(None)}
SAMPLE = {name: json.loads((SAMPLES / name / "200.json").read_bytes()) for name in ENDPOINTS}

Place = tuple[int | str, ...]
ODD: list[Any] = [
    *(None, True, 7, 1.5, "spoilt", [], {}, ["spoilt"], {"spoilt": 1}, [[]]),
    *(10**30, -(10**30), "", "\ud800"),
]


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Give every place of a document."""
    yield here
    parts: Any = ()
    if isinstance(value, list):
        parts = enumerate(value)
    elif isinstance(value, dict):
        parts = value.items()
    for name, part in parts:
        yield from places(part, (*here, name))


def written(place: Place, root: str = "$") -> str:
    return root + "".join(f"[{n}]" if isinstance(n, int) else f".{n}" for n in place)


def spoil(document: Any, place: Place, value: Any) -> Any:
    """Put a value into a copy of a document."""
    if not place:
        return value
    document = copy.deepcopy(document)
    inside = document
    for name in place[:-1]:
        inside = inside[name]
    inside[place[-1]] = value
    return document


def path_of(name: str, document: Any) -> str | None:
    """Read a document as the endpoint's answer, and give the path of what can't be read in it."""
    judgement = judge(Call(ENDPOINTS[name], ()), as_answer(document))
    error = judgement.error
    if error is None:
        set_aside = getattr(judgement.result, "unread", [])
        found = re.search(r" at (\$\S*)$", set_aside[0].why) if set_aside else None
        return found and found[1]
    assert isinstance(error, UnreadableAnswerError)
    assert error.path is not None
    assert f" at {error.path}; " in str(error)
    return error.path


def as_answer(document: Any) -> Answer:
    return Answer(200, {}, json.dumps(document).encode())


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_sample_fits(name: str) -> None:
    assert path_of(name, SAMPLE[name]) is None
    assert misfit.find(SAMPLE[name], ENDPOINTS[name].result) is None


@given(st.data())
def test_the_path_is_the_spoilt_place_of_any_sample(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ENDPOINTS)))
    place = data.draw(st.sampled_from(list(places(SAMPLE[name]))))
    odd = data.draw(st.sampled_from(ODD))

    where = path_of(name, spoil(SAMPLE[name], place, odd))

    # An amount takes whatever there is until it is read, and an unknown field is passed over. What
    # is within the odd value may be wrong in turn, and is the smaller place.
    within = {written((*place, *more)) for more in places(odd)}
    assert where is None or where in within


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_place_that_is_not_an_amount_is_found_when_it_is_spoilt(name: str) -> None:
    result = ENDPOINTS[name].result
    found = 0
    for place in places(SAMPLE[name]):
        where = path_of(name, spoil(SAMPLE[name], place, {"spoilt": 1}))
        if is_checked(result, place):
            assert where == written(place)
            found += 1
        else:
            assert where is None
    assert found >= 1


def is_answer(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def is_checked(kind: Any, place: Place) -> bool:
    """Tell by the annotations of the models whether the decoder looks at a place."""
    for name in place:
        if isinstance(name, int):
            (kind,) = kind.__args__
            continue
        types = {f.encode_name: f.type for f in msgspec.structs.fields(kind)}
        if name not in types:
            return False
        kind = types[name]
        if get_origin(kind) in (Union, UnionType):
            # `Rates | None` is looked at like `Rates`.
            kind = next(part for part in get_args(kind) if part is not type(None))
    if is_answer(kind):
        # `{"spoilt": 1}` is an object, and the fields of this one are missing in it.
        required = any(field.required for field in msgspec.structs.fields(kind))
        return required or issubclass(kind, SwitchesAnswer)
    return "Any" not in str(kind)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_missing_field_is_named_and_the_path_is_its_objects(name: str) -> None:
    """In the deepest object of the sample, with every part of the way in the path."""
    whole = SAMPLE[name]
    objects = [p for p in places(whole) if isinstance(_at(whole, p), dict)]
    place = max(objects, key=len)
    kind = ENDPOINTS[name].result
    for step in place:
        kind = kind.__args__[0] if isinstance(step, int) else _field(kind, step)
    for field in (field for field in msgspec.structs.fields(kind) if field.required):
        rest = {k: v for k, v in _at(whole, place).items() if k != field.encode_name}
        judgement = judge(Call(ENDPOINTS[name], ()), as_answer(spoil(whole, place, rest)))
        unread = getattr(judgement.result, "unread", [])
        says = unread[0].why if unread else str(judgement.error)
        assert f"`{field.encode_name}` is missing at {written(place)}" in says


def _at(document: Any, place: Place) -> Any:
    for name in place:
        document = document[name]
    return document


def _field(kind: Any, name: str) -> Any:
    found = next(f.type for f in msgspec.structs.fields(kind) if f.encode_name == name)
    # `list[Row] | None` is looked at like `list[Row]`.
    optional = get_origin(found) in (Union, UnionType)
    return get_args(found)[0] if optional else found


@given(st.data())
def test_the_path_of_a_wrapped_answer_begins_where_it_was_wrapped(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ENDPOINTS)))
    place = data.draw(st.sampled_from(list(places(SAMPLE[name]))))
    spoilt = spoil(SAMPLE[name], place, {"spoilt": 1})

    where = path_of(name, {"code": "000000", "data": spoilt})

    # A row that is set aside keeps its place in the result.
    assert where in (None, written(place, "$.data"), written(place))


class Leaf(msgspec.Struct):
    size: int
    tag: str | None = None


class Tree(msgspec.Struct):
    leaf: Leaf | None
    leaves: list[Leaf] = []


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"leaf": None}, None),
        ({"leaf": {"size": "7"}}, None),
        ({"leaf": {"size": "7", "tag": None}, "leaves": []}, None),
        ({"leaf": {"size": 1, "unknown": "\ud800"}}, None),
        ({"leaf": []}, "expected an object, found a list at $.leaf"),
        ({"leaf": {"size": 1.5}}, "expected a whole number, found a number at $.leaf.size"),
        ({"leaf": {"size": "x"}}, "expected a whole number, found a text at $.leaf.size"),
        ({"leaf": {"size": 1, "tag": True}}, "expected a text, found true or false at $.leaf.tag"),
        ({"leaf": None, "leaves": None}, "expected a list, found null at $.leaves"),
        ({"leaf": None, "leaves": [{"size": 1}, {}]}, "`size` is missing at $.leaves[1]"),
        ([], "expected an object, found a list at $"),
    ],
)
def test_a_misfit_says_what_was_expected_and_what_was_found(value: Any, says: str | None) -> None:
    found = misfit.find(value, Tree)

    assert (None if found is None else str(found)) == says


def test_what_is_strict_takes_no_number_in_a_text() -> None:
    assert str(misfit.find({"size": "7"}, Leaf, "Leaf", strict=True)) == (
        "expected a whole number, found a text at Leaf.size"
    )


@pytest.mark.parametrize(
    ("raising", "kind"),
    [
        (lambda: msgspec.json.decode(b"[1,"), msgspec.DecodeError),
        (lambda: msgspec.json.decode(b"<html>"), msgspec.DecodeError),
        (lambda: msgspec.json.decode(b'["\xff"]'), (msgspec.MsgspecError, UnicodeDecodeError)),
        (lambda: msgspec.json.decode(b"[" * 100_000), RecursionError),
        (lambda: msgspec.json.decode(b"[1]", type=list[str]), msgspec.ValidationError),
        (lambda: msgspec.json.decode(b"{}", type=Leaf), msgspec.ValidationError),
        (lambda: msgspec.json.decode(b"9" * 5_000), msgspec.ValidationError),
        (lambda: msgspec.convert({}, Leaf), msgspec.ValidationError),
        (lambda: msgspec.convert("x", int, strict=False), msgspec.ValidationError),
    ],
)
def test_msgspec_raises_the_kinds_of_errors_that_the_judge_takes_for_unreadable(
    raising: Any, kind: Any
) -> None:
    """An error of another kind would reach users as it is."""
    with pytest.raises(kind):
        raising()
    assert issubclass(msgspec.DecodeError, msgspec.MsgspecError)
    assert issubclass(msgspec.ValidationError, msgspec.MsgspecError)
