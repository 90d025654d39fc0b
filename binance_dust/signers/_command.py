"""`Command`: a program makes the signature. Also programs that print a secret.

A program is started without a shell, in a session of its own, so that it has no terminal to ask at,
and all that it starts can be ended with it. What it says on standard error is thrown away, because
it may hold a secret, and so is its output where that is no signature.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Final, cast

from binance_dust._util.checks import seconds
from binance_dust._util.words import visible
from binance_dust.errors import ConfigurationError, CredentialsError
from binance_dust.signers._signer import QueuedSigner, read_signature

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import timedelta

__all__ = ["Command", "check_argv", "print_secrets", "program"]

_MOST: Final = 64 * 1024
"""Bytes of a program's output."""
_GRACE: Final = 1.0
"""Seconds for a killed program to be gone."""
_AT_ONCE: Final = 32
"""Programs that print secrets at once."""
_BY_HAND: Final = "run it in a terminal to see what it says"
_KILL: Final = getattr(signal, "SIGKILL", signal.SIGTERM)


class Command(QueuedSigner):
    """A program that reads the text to sign from its input, and prints the signature.

        Command(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", "/dev/shm/desk.pem",
                 "-in", "/dev/stdin"])

    It runs once for each call, without a shell, and 16 such programs at once. It may print base64,
    hexadecimal or the bytes themselves. After `timeout` seconds it is ended, with all that it has
    started. Every user of the machine can read `argv`, so put no secret there.
    """

    __slots__ = ("_argv",)
    at_once = 16
    alike = False

    def __init__(self, argv: Sequence[str], *, timeout: timedelta | float = 5.0) -> None:
        """Check the arguments; nothing is started yet."""
        self._argv: Final = check_argv(argv, "argv")
        name = f"command {program(argv)}"
        super().__init__(name, "commands", seconds(timeout, "timeout"))

    async def make(self, payload: bytes) -> str:
        """Run the program."""
        output = await run_program(self._argv, payload)
        if isinstance(output, str):
            raise CredentialsError(output)
        signature = read_signature(output)
        if signature is None:
            raise CredentialsError(
                f"it printed no signature, but {_size(output)}: it is to print base64 or"
                f" hexadecimal and nothing else; {_BY_HAND}",
            )
        return signature


def check_argv(argv: object, what: str) -> tuple[str, ...]:
    """Check a program and its arguments."""
    if isinstance(argv, str) or not isinstance(argv, Sequence):
        raise TypeError(f"{what} must be a list of texts, as no shell runs it")
    words = tuple(argv)
    if not words or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise ConfigurationError(f"{what} must be a list of texts: a program and its arguments")
    if not words[0].strip():
        raise ConfigurationError(f"{what} begins with an empty text: name a program")
    return words


def program(argv: Sequence[str]) -> str:
    """Name a program; its arguments are not shown."""
    return visible(PurePath(argv[0]).name, 40)


def print_secrets(commands: Mapping[str, Sequence[str]], limit: float) -> dict[str, bytes | str]:
    """Run programs, many at once; give the output of each, or why there is none, by its name.

    In a thread, because the caller may be in an event loop.
    """
    with ThreadPoolExecutor() as thread:
        return thread.submit(asyncio.run, _print_all(commands, limit)).result()


async def _print_all(commands: Mapping[str, Sequence[str]], limit: float) -> dict[str, bytes | str]:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(argv: Sequence[str]) -> bytes | str:
        async with turns:
            try:
                async with asyncio.timeout(limit):
                    return await run_program(argv)
            except TimeoutError:
                return (
                    f"it did not end within {limit:g} s; is it waiting for somebody? It has no"
                    " terminal: unlock first what it asks"
                )

    outputs = await asyncio.gather(*map(one, commands.values()))
    return dict(zip(commands, outputs, strict=True))


async def run_program(argv: Sequence[str], given: bytes = b"") -> bytes | str:
    """Run a program; return its output, or say why there is none."""
    loop = asyncio.get_running_loop()
    try:
        with _as_input(given) as file:
            transport, process = await loop.subprocess_exec(
                _Process,
                *argv,
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
    except OSError as error:
        return _not_started(str(error.strerror))
    except (ValueError, NotImplementedError) as error:
        return _not_started(type(error).__name__)
    try:
        await asyncio.wait([process.closed])
    finally:
        if not process.closed.done():
            await _end(transport, process)
        transport.close()
    status = transport.get_returncode()
    if process.too_much:
        return f"it printed more than {_MOST:,} bytes; {_BY_HAND}"
    if status:
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        return f"it ended {how}; {_BY_HAND}"
    return bytes(process.output)


def _not_started(problem: str) -> str:
    return f"it can't be started ({problem}): install it, or give its full path"


async def _end(transport: asyncio.SubprocessTransport, process: _Process) -> None:
    """Kill a program with all that it has started, and wait until it is gone."""
    _kill(transport)
    await asyncio.wait([process.exited], timeout=_GRACE)


def _kill(transport: asyncio.SubprocessTransport) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(transport.get_pid(), _KILL)
        else:
            transport.kill()


class _Process(asyncio.SubprocessProtocol):
    """Takes a program's output."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.output = bytearray()
        self.too_much = False
        self.closed: asyncio.Future[None] = loop.create_future()
        """Done when the program is gone and its output ended."""
        self.exited: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.SubprocessTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - only one is read
        if len(self.output) + len(data) <= _MOST:
            self.output += data
        elif not self.too_much:
            self.too_much = True
            _kill(self._transport)

    def process_exited(self) -> None:
        self.exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own name
        self.closed.set_result(None)


@contextlib.contextmanager
def _as_input(given: bytes) -> Iterator[IO[bytes]]:
    """Give a file to read from: one in memory, for programs that ask how long their input is."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("payload"), "w+b") as file:
            file.write(given)
            file.seek(0)
            yield file
    else:
        reader, writer = map(os.fdopen, os.pipe(), ("rb", "wb"))
        with reader:
            with writer:
                writer.write(given)
            yield reader


def _size(output: bytes | bytearray) -> str:
    return f"{len(output)} bytes" if output.strip() else "nothing"
