"""An ssh-agent for tests: Debian's own, started on a socket and ended by its process id."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from binance_dust import Credentials
from binance_dust.signers import SshAgent

_PATIENCE = 30.0


class Agent:
    """An ssh-agent with the keys that it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "agent"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(  # noqa: S603 - the system's own
            [_found("ssh-agent"), "-D", "-a", str(self.socket)],
            stdout=subprocess.DEVNULL,
        )
        latest = time.monotonic() + _PATIENCE
        while not self.socket.exists():
            assert time.monotonic() < latest
            time.sleep(0.005)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def add(self, credentials: Credentials) -> Path:
        """Give the agent an account's private key; return the file of its public half."""
        name = credentials.name or "key"
        private, public = self.folder / name, self.folder / f"{name}.pub"
        key = load_pem_private_key(credentials.secret.reveal().encode(), None)
        form = (PrivateFormat.OpenSSH, NoEncryption())
        private.write_bytes(key.private_bytes(Encoding.PEM, *form))
        private.chmod(0o600)
        half = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        public.write_bytes(half + f" {name}\n".encode())
        self.tell("-q", str(private))
        private.unlink()
        return public

    def tell(self, *arguments: str, given: str = "") -> None:
        """Run ssh-add."""
        ask = self.folder / "ask"
        ask.write_text(f"#!/bin/sh\necho '{given}'\n")
        ask.chmod(0o700)
        subprocess.run(  # noqa: S603 - the system's own
            [_found("ssh-add"), *arguments],
            env={
                **os.environ,
                "SSH_AUTH_SOCK": str(self.socket),
                "SSH_ASKPASS": str(ask),
                "SSH_ASKPASS_REQUIRE": "force",
            },
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )

    def hold(self, credentials: Credentials) -> Credentials:
        """Let the agent hold an account's key, and give the credentials without it."""
        signer = SshAgent(self.add(credentials), socket=self.socket)
        return Credentials(credentials.api_key, signer=signer, name=credentials.name)


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"no {program} in PATH: `apt install openssh-client`")
    return path


@contextmanager
def an_agent() -> Iterator[Agent]:
    """Run an ssh-agent for a while; where there is none, skip the test that asks for it."""
    _found("ssh-agent"), _found("ssh-add")
    with tempfile.TemporaryDirectory(prefix="dust-") as folder:
        agent = Agent(Path(folder))
        try:
            agent.start()
            yield agent
        finally:
            agent.kill()
