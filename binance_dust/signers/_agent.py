"""`SshAgent`: an ssh-agent has the key, and is asked for signatures at its socket.

The protocol is in draft-miller-ssh-agent: a length, a byte for the kind, and fields. A key of an
agent can come from a file, from a smart card or from a hardware module (`ssh-add -s`).
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from typing import TYPE_CHECKING, Final

from binance_dust._util.checks import seconds
from binance_dust._util.words import count, visible
from binance_dust.errors import ConfigurationError, CredentialsError, NotSentError
from binance_dust.signers._public_key import ED25519, read_public_key, read_string
from binance_dust.signers._queue import SigningQueue
from binance_dust.signers._signer import QueuedSigner

if TYPE_CHECKING:
    from datetime import timedelta

    from binance_dust.signers._public_key import PublicKey

__all__ = ["SshAgent"]

_FAILURE: Final = 5
_LIST: Final = 11
_LISTED: Final = 12
_SIGN: Final = 13
_SIGNED: Final = 14
_RSA_SHA256: Final = 2
_RSA_FORMAT: Final = b"rsa-sha2-256"
_MOST: Final = 256 * 1024
"""Bytes of a message: as many as OpenSSH's own agent allows."""
_HEAD: Final = 4
"""Bytes of a message's length."""
_PART: Final = 16 * 1024


class SshAgent(QueuedSigner):
    """Signs with a key that an ssh-agent holds: Ed25519, or RSA with SHA-256.

    `public_key` is a path (`desk.pub`) or the text itself, of OpenSSH or PEM. `socket` is the
    agent's socket, `SSH_AUTH_SOCK` by default. `timeout` is for one signature, in seconds: if a
    person has to confirm each use of the key, allow for that.
    """

    __slots__ = ("_key", "_socket")

    def __init__(
        self,
        public_key: str | os.PathLike[str],
        *,
        socket: str | os.PathLike[str] | None = None,
        timeout: timedelta | float = 5.0,
    ) -> None:
        """Read the public key; nothing is asked yet."""
        key = read_public_key(public_key)
        path = os.fspath(socket) if socket is not None else os.environ.get("SSH_AUTH_SOCK", "")
        name = f"ssh-agent ({key.name})"
        if not path:
            raise ConfigurationError(
                f"{name}: no agent is known: set SSH_AUTH_SOCK, as ssh-agent prints it, or give"
                " `socket`"
            )
        super().__init__(name, ("ssh-agent", path), seconds(timeout, "timeout"))
        self._key: Final = key
        self._socket: Final = path

    async def make(self, payload: bytes) -> str:
        """Ask the agent."""
        flags = 0 if self._key.kind == ED25519 else _RSA_SHA256
        fields = _counted(self._key.blob) + _counted(payload) + flags.to_bytes(4)
        reply = await self._ask(bytes([_SIGN]) + fields)
        if reply[0] == _FAILURE:
            raise CredentialsError(await self._why_refused())
        try:
            signature = _signature(reply, self._key)
        except ValueError:
            raise self._no_agent() from None
        return base64.b64encode(signature).decode()

    async def _why_refused(self) -> str:
        """Say what to do. An agent that is locked says that it has no keys."""
        add = f"ssh-add {self._key.private}"
        reply = await self._ask(bytes([_LIST]))
        try:
            blobs = _blobs(reply)
        except ValueError:
            raise self._no_agent() from None
        if not blobs:
            return f"the agent is locked (ssh-add -X unlocks it) or has no keys ({add} adds it)"
        if self._key.blob in blobs:
            return "the agent refused to sign: was it to be confirmed, or does its card not answer?"
        others = count(len(blobs), "other key")
        return f"the agent has {others}, but not {self._key.fingerprint}: run {add}"

    def _no_agent(self) -> CredentialsError:
        where = visible(self._socket)
        return CredentialsError(
            f"the answer at {where} can't be read; is that the socket of an ssh-agent?"
        )

    async def _ask(self, message: bytes) -> bytes:
        """Send a message over an idle connection, or else over a new one; return the answer."""
        while True:
            queue = SigningQueue.in_use(self.queue)
            idle = queue.kept.pop() if queue is not None and queue.kept else None
            connection = idle if isinstance(idle, _Connection) else await self._connect()
            try:
                reply = await connection.ask(message)
            except OSError:
                if connection is idle:  # an agent that was started again, perhaps
                    continue
                raise NotSentError("the agent ended the connection without an answer") from None
            except ValueError:
                raise self._no_agent() from None
            queue = SigningQueue.in_use(self.queue)
            if queue is None:
                connection.close()
            else:
                queue.kept.append(connection)
            return reply

    async def _connect(self) -> _Connection:
        try:
            connection = _Connection()
            await connection.open(self._socket)
        except OSError as error:
            problem = error.strerror or type(error).__name__
        except (AttributeError, ValueError):  # no such sockets on Windows; half a character
            problem = "this system has no such sockets, or that is not a path"
        else:
            return connection
        raise CredentialsError(
            f"no agent at {visible(self._socket)} ({problem}): start ssh-agent, or set"
            f" SSH_AUTH_SOCK, and run ssh-add {self._key.private}"
        )


class _Connection:
    """A connection to an agent; one question at a time."""

    __slots__ = ("_socket",)

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(0)

    async def open(self, path: str) -> None:
        try:
            await asyncio.get_running_loop().sock_connect(self._socket, path)
        except BaseException:
            self.close()
            raise

    async def ask(self, message: bytes) -> bytes:
        """Send a message and read the answer; a connection that fails is closed."""
        try:
            await asyncio.get_running_loop().sock_sendall(self._socket, _counted(message))
            return await self._read()
        except BaseException:
            self.close()
            raise

    async def _read(self) -> bytes:
        loop = asyncio.get_running_loop()
        found = b""
        size = _HEAD
        while len(found) < size:
            part = await loop.sock_recv(self._socket, _PART)
            if not part:
                raise ConnectionResetError
            found += part
            if len(found) >= _HEAD:
                size = _HEAD + int.from_bytes(found[:_HEAD])
                if not _HEAD < size <= _MOST:
                    raise ValueError("no answer of an agent")
        return found[_HEAD:]

    def close(self) -> None:
        self._socket.close()


def _counted(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def _signature(reply: bytes, key: PublicKey) -> bytes:
    """Read a signature, and see that it is of the right kind."""
    if reply[0] != _SIGNED:
        raise ValueError(reply[0])
    signed, rest = read_string(reply[1:])
    kind, left = read_string(signed)
    signature, end = read_string(left)
    if rest or end:
        raise ValueError(len(rest))
    wanted = key.kind.encode() if key.kind == ED25519 else _RSA_FORMAT
    if kind != wanted:
        raise CredentialsError(
            f"the agent signs in another way than {wanted.decode()}: it may be too old"
        )
    if key.kind != ED25519:
        signature = signature.rjust(key.size, b"\0")
    if len(signature) != key.size:
        raise ValueError(len(signature))
    return signature


def _blobs(reply: bytes) -> list[bytes]:
    """Read which keys an agent has."""
    if reply[0] != _LISTED:
        raise ValueError(reply[0])
    found, rest = [], reply[5:]
    while rest:
        blob, rest = read_string(rest)
        _, rest = read_string(rest)
        found.append(blob)
    return found
