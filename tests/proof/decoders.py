"""Whatever reads what others wrote: a value that holds what its type promises, or a `DustError`.

Each reader takes bytes and looks at all that comes out of them. Anything that escapes is a finding.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from multidict import CIMultiDict

from binance_dust import AccountReport, Credentials, DustError, endpoints
from binance_dust._answers.judge import Answer, judge
from binance_dust._call import wire
from binance_dust._util.exact import AnswerStruct, to_amount, to_moment
from binance_dust._util.plain import answer_from_plain, plain
from binance_dust.budget import Feedback, read_feedback
from binance_dust.endpoints import Call
from binance_dust.errors import CredentialsError, NoAnswerError, OutcomeUnknownError
from binance_dust.models import ConvertibleAssets, SmallLiability, UserAsset
from binance_dust.reports import Settled
from tests.proof.mutations import Mutator

SAMPLES: Final = Path(__file__).parent.parent / "samples"
NOW: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)
_THREE_DAYS: Final = 3 * 24 * 3600.0
_STATUSES: Final = (*(200,) * 12, 201, 204, 302, 400, 401, 403, 404, 408, 418, 429, 500, 503)

_ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "convertible_assets": {"target_asset": "BNB"},
    "dust_convert": {"assets": ["ADA", "XRP"]},
    "dust_transfer": {"assets": ["ADA", "XRP"]},
    "exchange_small_liabilities": {"assets": ["ETH"]},
    "small_liability_history": {"current": 1, "size": 10},
    "transfer": {"kind": "FUNDING_MAIN", "asset": "ADA", "amount": Decimal(1)},
    "transfers": {"kind": "FUNDING_MAIN"},
    "repay": {"asset": "ETH", "is_isolated": "FALSE", "amount": Decimal(1), "type": "REPAY"},
    "convert_quote": {"from_asset": "ADA", "to_asset": "BNB", "from_amount": Decimal(80)},
    "convert_accept": {"quote_id": "1"},
    "convert_status": {"quote_id": "1"},
    "convert_pairs": {"from_asset": "ADA", "to_asset": "BNB"},
}
CALLS: Final[dict[str, Call[Any]]] = {
    name: row(**_ARGUMENTS.get(name, {})) for name, row in endpoints.ALL.items()
}


class Reader(NamedTuple):
    """One thing that reads, with samples of what it reads."""

    name: str
    samples: tuple[bytes, ...]
    read: Callable[[bytes, Mutator], None]


# --- answers -------------------------------------------------------------------------------------


def answers(name: str) -> Reader:
    """Read answers of one endpoint, with any status and any headers."""
    call = CALLS[name]
    request = wire.signed_request(
        call, "timestamp=1", "5ca1ab1e" * 8, api_key="canary-key", account="alice"
    )

    def read(body: bytes, mutator: Mutator) -> None:
        status = mutator.dice.choice(_STATUSES)
        answer = Answer(status, any_headers(mutator), body, 1.0, 2.0)
        hold_feedback(read_feedback(status, answer.headers, body, answer.received))
        judgement = judge(call, answer, account="alice", clean=request.scrub, now=lambda: NOW)
        hold_feedback(judgement.feedback)
        try:
            result = judgement.unwrap()
        except DustError as error:
            hold_error(error)
        else:
            assert status < 300
            hold(result)

    body = (SAMPLES / name / "200.json").read_bytes()
    wrapped = b'{"code":"000000","message":null,"data":%s,"success":true}' % (body or b"null")
    no = b'{"code":-1003,"msg":"Way too much request weight used; IP banned until 1700000000000."}'
    return Reader(name, (body, body, wrapped, no), read)


_WEIGHTS: Final = (b"1", b"-1", b"12000", b"100")
_WAITS: Final = (b"7", b"0", b"0.5", b"Fri, 15 Jan 2027 08:00:30 GMT", b"120")


def any_headers(mutator: Mutator) -> CIMultiDict[str]:
    """Make headers as the exchange sends them, and changed ones."""
    headers: CIMultiDict[str] = CIMultiDict()
    for name, samples in (
        ("X-SAPI-USED-IP-WEIGHT-1M", _WEIGHTS),
        ("X-SAPI-USED-UID-WEIGHT-1M", _WEIGHTS),
        ("X-MBX-USED-WEIGHT-1M", _WEIGHTS),
        ("Retry-After", _WAITS),
        ("Date", _WAITS[3:4]),
    ):
        if mutator.dice.random() < 0.4:
            value = mutator.dice.choice(samples)
            if mutator.dice.random() < 0.7:
                value = mutator.change(value)
            headers[name] = value.decode("utf-8", "surrogateescape")
    return headers


def hold_feedback(feedback: Feedback) -> None:
    """What was heard about weight is a sensible number, or nothing."""
    for used in (feedback.used_ip, feedback.used_uid, feedback.used_request):
        assert used is None or 0 <= used < 10**9
    wait, until = feedback.retry_after, feedback.banned_until
    assert wait is None or 0.0 <= wait <= _THREE_DAYS
    assert until is None or 0.0 <= until < 10**12


def hold_error(error: DustError) -> None:
    """An error shows itself, without what must not be shown, and survives being written down."""
    text = f"{error} {error!r}"
    assert "5ca1ab1e" not in text
    assert "canary-key" not in text
    json.dumps(plain(error))


def hold(value: object) -> None:
    """What was read keeps the promises of its type, wherever one looks."""
    repr(value)
    if isinstance(value, list):
        for row in value:
            hold(row)
    elif isinstance(value, AnswerStruct):
        hold_answer(value)


def hold_answer(answer: AnswerStruct) -> None:
    """Every field and every property of an answer is a good value, or raises an error of ours."""
    kind = type(answer)
    for name in (*answer.__struct_fields__, *_properties(kind)):
        with contextlib.suppress(DustError):
            value = getattr(answer, name)
            hold_leaf(value)
            hold(value)
    try:
        written = plain(answer)
    except DustError:
        return
    assert answer_from_plain(kind, written) == answer
    hash(answer)


def hold_leaf(value: object) -> None:
    """Amounts are finite, times are aware, texts are text."""
    assert not isinstance(value, float)
    if isinstance(value, Decimal):
        assert value.is_finite()
        assert abs(value.adjusted()) < 2_000
    elif isinstance(value, datetime):
        assert value.utcoffset() == timedelta(0)
    elif isinstance(value, str):
        value.encode()


def _properties(kind: type) -> list[str]:
    return [name for name, made in vars(kind).items() if isinstance(made, property)]


def read_headers(text: bytes, mutator: Mutator) -> None:
    """Read headers alone, one of them the given text, with a body that may say more."""
    headers = any_headers(mutator)
    name = mutator.dice.choice(("X-SAPI-USED-IP-WEIGHT-1M", "Retry-After", "Date"))
    headers[name] = text.decode("utf-8", "surrogateescape")
    body = mutator.change(b'{"code":-1003,"msg":"IP banned until 1700000000000."}')
    status = mutator.dice.choice(_STATUSES)
    hold_feedback(read_feedback(status, headers, body, server_time=NOW.timestamp()))


# --- single values -------------------------------------------------------------------------------


def read_amount(text: bytes, mutator: Mutator) -> None:
    """Read an amount: a finite number with all its digits, or `ValueError`."""
    value = text.decode("utf-8", "replace")
    try:
        amount = to_amount(value)
    except ValueError:
        return
    assert amount.is_finite()
    assert to_amount(f"{amount:f}") == amount
    assert value.isascii()


def read_moment(text: bytes, mutator: Mutator) -> None:
    """Read a time: an aware one, or `ValueError`."""
    value: object = text.decode("utf-8", "replace")
    if mutator.dice.random() < 0.3:
        value = int.from_bytes(text[:9], "big", signed=True)
    try:
        moment = to_moment(value)
    except ValueError:
        return
    assert moment.utcoffset() == timedelta(0)


# --- reports and accounts ------------------------------------------------------------------------


def a_report() -> AccountReport:
    """Make a report with something of everything in it."""

    def sample(name: str) -> Any:
        return endpoints.ALL[name].decoder.decode((SAMPLES / name / "200.json").read_bytes())

    assets: list[UserAsset] = sample("user_assets")
    quote: ConvertibleAssets = sample("convertible_assets")
    debts: list[SmallLiability] = sample("small_liabilities")
    where: dict[str, Any] = {"endpoint": "POST /sapi/v1/asset/dust", "account": "alice"}
    return AccountReport(
        account="alice",
        at=NOW,
        assets=assets,
        quote=quote,
        liabilities=debts,
        settled_by=Settled.LIST,
        errors={
            "assets": NoAnswerError("the line was dropped", **where),
            "quote": CredentialsError("no", code=-2015, status=401, **where),
            "liabilities": OutcomeUnknownError(
                "?", parameters={"asset": "ADA"}, sent_after=NOW, expires_at=NOW, **where
            ),
        },
    )


_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def read_report(text: bytes, mutator: Mutator) -> None:
    """Read a report out of JSON that somebody else has had in their hands."""
    if _HALF.search(text):
        return  # half a character: Python's own reader lets it pass, and nothing can write it
    try:
        value = json.loads(text.decode())
    except (ValueError, RecursionError):
        return
    before = copy.deepcopy(value)
    try:
        report = AccountReport.from_plain(value)
    except DustError:
        return
    finally:
        assert value == before or value != value  # noqa: PLR0124 - NaN is in it somewhere
    assert isinstance(report.at, datetime)
    assert report.at.utcoffset() == timedelta(0)
    assert isinstance(report.account, str)
    assert isinstance(report.target, str)
    for part in (report.assets, report.quote, report.liabilities):
        hold(part)
    for error in report.errors.values():
        assert isinstance(error, DustError)
        hold_error(error)


_ACCOUNTS: Final = (
    b'[alice]\napi_key = "key-1234567890"\nsecret = "an-hmac-secret"\n',
    b"""[bob]
api_key = "key"
secret_env = "BOB"
[carol]
api_key_env = "CAROL"
secret_file = "carol.pem"
password_env = "PASSWORD"
""",
    b"""[dave]
api_key = 'key'
secret = '''-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----'''
""",
    b'[erin]\napi_key = "key"\nsecret_file = "~nobody-of-this-name/key.pem"\n',
)
_ENVIRON: Final = {"BOB": "an-hmac-secret", "CAROL": "key", "PASSWORD": "open", "EMPTY": ""}


def accounts_in(folder: Path) -> Reader:
    """Read accounts files in a folder of one's own."""
    path = folder / "accounts.toml"
    path.touch(mode=0o600)

    def read(text: bytes, mutator: Mutator) -> None:
        path.write_bytes(text)
        try:
            accounts = Credentials.load(path, environ=_ENVIRON)
        except DustError as error:
            assert "an-hmac-secret" not in str(error)
            return
        assert accounts.names
        for credentials in accounts:
            assert "an-hmac-secret" not in f"{credentials!r} {accounts!r}"
            assert credentials.api_key.isprintable()
            assert os.fsencode(credentials.api_key).isascii()

    return Reader("accounts file", _ACCOUNTS, read)


def readers(folder: Path) -> Iterator[Reader]:
    """Give everything that reads; accounts files are written into `folder`."""
    for name in CALLS:
        yield answers(name)
    yield Reader("amounts", (b"6.21", b"50300000001.44911105", b"-0.5e-8", b"0"), read_amount)
    yield Reader("times", (b"1563189166000", b"2018-05-03 17:07:04"), read_moment)
    yield Reader("headers", (*_WEIGHTS, *_WAITS), read_headers)
    yield Reader("reports", (json.dumps(a_report().to_plain()).encode(),), read_report)
    yield accounts_in(folder)
