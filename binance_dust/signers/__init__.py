"""Keys that stay outside of this process, and signers that sign with them.

    credentials = Credentials(api_key, signer=SshAgent("desk.pub"), name="desk")

`Signer` is the protocol, for signers of your own. The exchange takes what an Ed25519 or RSA key
(PKCS#1 v1.5 with SHA-256) signs, in base64, or an HMAC-SHA256 in hexadecimal.

    _signer        the protocol; what a signature looks like; what this package's signers share
    _queue         one agent makes so many signatures at once, first come first served
    _public_key    public keys: of OpenSSH or PEM, from a file or a text
    _agent         `SshAgent`: the key is in an ssh-agent
    _command       `Command`: a program makes the signature; also programs that print a secret
    _vault         `VaultTransit`: the key is in Vault's transit engine
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from binance_dust.signers._signer import Signer

if TYPE_CHECKING:
    from binance_dust.signers._agent import SshAgent
    from binance_dust.signers._command import Command
    from binance_dust.signers._vault import VaultTransit

__all__ = ["Command", "Signer", "SshAgent", "VaultTransit"]

_HOMES = {"Command": "_command", "SshAgent": "_agent", "VaultTransit": "_vault"}
"""Imported when first asked for: most accounts sign in this process."""


if not TYPE_CHECKING:  # or a misspelt name would pass every type checker

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
