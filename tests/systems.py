"""What only some systems have: a test that needs it is skipped elsewhere, with the reason."""

from __future__ import annotations

import functools
import os
import socket

import pytest

posix = pytest.mark.skipif(
    os.name != "posix", reason="needs the modes and signals of a POSIX system"
)


@functools.cache
def has_address(address: str) -> bool:
    """Whether this machine can send from an address."""
    try:
        with socket.create_server((address, 0)):
            return True
    except OSError:
        return False


def needs_address(address: str) -> str:
    """Skip the test that runs where there is no such address; else give it back.

    Linux has all of 127.0.0.0/8. macOS has 127.0.0.1, until `ifconfig lo0 alias` adds others.
    """
    if not has_address(address):
        pytest.skip(f"this machine has no address {address}")
    return address
