"""Keys that stay outside of this process: who makes the signatures instead.

    credentials = Credentials(api_key, signer=SshAgent("desk.pub"), name="desk")

`Signer` is the protocol, for signers of your own. The exchange takes what an Ed25519 or RSA key
(PKCS#1 v1.5 with SHA-256) signs, in base64, or an HMAC-SHA256 in hexadecimal.

    _signer        the protocol; what a signature looks like; what this package's signers share
    _line          one agent makes so many signatures at once, first come first served
    _public_key    public keys: of OpenSSH or PEM, from a file or a text
    _agent         `SshAgent`: the key is in an ssh-agent
    _command       `Command`: a program makes the signature; also programs that print a secret
    _vault         `VaultTransit`: the key is in Vault's transit engine
"""

from binance_dust.signers._agent import SshAgent
from binance_dust.signers._command import Command
from binance_dust.signers._signer import Signer
from binance_dust.signers._vault import VaultTransit

__all__ = ["Command", "Signer", "SshAgent", "VaultTransit"]
