"""Finds out which account a client is: asks the exchange for the account's number, once a key.

The number costs 20 of the 6,000 that all of `/api/v3` shares. It is asked for the first time that a
ledger meets a key, and remembered in the file. A key that may not ask, or an exchange that does not
tell, is asked again after a day. If the answer did not come, the next call asks again.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from binance_dust.errors import CredentialsError, DustError, RejectedError, UnreadableAnswerError
from binance_dust.ledger import _owners
from binance_dust.ledger._access import account_of, key_id_of

if TYPE_CHECKING:
    from binance_dust.client import DustClient
    from binance_dust.ledger._owners import Identity
    from binance_dust.ledger._thread import StoreThread

__all__ = ["identify"]

_ASK_AGAIN: Final = timedelta(days=1)
"""How long a refusal to tell the number is believed."""


async def identify(
    thread: StoreThread,
    client: DustClient,
    asking: dict[str, asyncio.Lock],
    *,
    adopt_as: str | None = None,
) -> Identity:
    """Bind a client's name and key to an account; with `adopt_as` the key to that name's account.

    Then its own name follows when it is used next, unless that has books of another key.
    """
    name, key_id = account_of(client), key_id_of(client)
    adopt = adopt_as is not None
    bound = None if adopt else await thread.read(_owners.bound, name, key_id)
    if bound is not None and bound.uid is not None:
        return bound
    # One question for each key at a time: two tasks of one key would both pay for it.
    async with asking.setdefault(key_id, asyncio.Lock()):
        uid, unread = await _number_of(thread, client, key_id)
    asking.pop(key_id, None)
    if bound is not None and uid is None:
        return bound
    return await thread.run(
        lambda store: store.bind(adopt_as or name, key_id, uid, unread=unread, adopt=adopt)
    )


async def _number_of(
    thread: StoreThread, client: DustClient, key_id: str
) -> tuple[int | None, str | None]:
    """Return the number of a key's account, or why it can't be had."""
    known = await thread.read(_owners.known_key, key_id)
    if known is not None and known.uid is not None:
        return known.uid, None
    now = client.session.now()
    if known is not None and known.asked_at is not None and now - known.asked_at < _ASK_AGAIN:
        return None, "the exchange did not tell the account's number"
    try:
        uid = (await client.spot_account()).uid
    except DustError as error:
        if _is_final(error):
            asked_at = client.session.now()
            await thread.run(
                lambda store: store.write(_owners.remember_key, key_id, None, asked_at)
            )
        return None, str(error)
    await thread.run(lambda store: store.write(_owners.remember_key, key_id, uid, None))
    return uid, None


def _is_final(error: DustError) -> bool:
    """Whether the exchange answered, and another try would be answered alike."""
    if isinstance(error, CredentialsError):
        return bool(error.status)  # not, if the account's signer failed
    return isinstance(error, RejectedError | UnreadableAnswerError)
