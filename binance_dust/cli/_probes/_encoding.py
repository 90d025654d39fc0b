"""Over which text the exchange takes a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from binance_dust import endpoints
from binance_dust.cli._probes._probe import Probe, Prober, Verdict, words

if TYPE_CHECKING:
    from binance_dust._call.signing import Signer
    from binance_dust.errors import ExchangeError

_ASK: Final = endpoints.USER_ASSETS
_NOT_ASCII: Final = "币安人生"
"""An asset that is really listed under this name."""


class _Decoding:
    """Signs the text before encoding, as some programs do, of what is sent encoded."""

    __slots__ = ("_inner", "in_thread")

    def __init__(self, inner: Signer) -> None:
        self._inner = inner
        self.in_thread = inner.in_thread

    def sign(self, payload: bytes) -> str:
        return self._inner.sign(unquote_to_bytes(payload))


async def _encoding(prober: Prober) -> Verdict:
    call = _ASK(asset=_NOT_ASCII)
    return judge_encoding(await prober.refusal(call), await prober.refusal(call, sign_as=_Decoding))


def judge_encoding(encoded: ExchangeError | None, decoded: ExchangeError | None) -> Verdict:
    """Tell which text may be signed: the one that is sent, or the one before it was encoded."""
    answer = f"signed as sent: {words(encoded)}; signed before encoding: {words(decoded)}"
    evidence = {"as_sent": encoded is None, "before_encoding": decoded is None}
    return Verdict(settled=encoded is None, answer=answer, evidence=evidence)


PROBES: Final = (
    Probe(
        name="encoding",
        doubt="whether signatures must be over the percent-encoded text, a rule of /api since 2026",
        asks=((_ASK, 2),),
        run=_encoding,
    ),
)
