"""The way to the exchange: its URL, a proxy, a local address; checked without any I/O."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Final

import yarl

from binance_dust._util.checks import instance
from binance_dust.errors import ConfigurationError

_HOST: Final = re.compile(r"(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?|[0-9a-f:.]+(?:%.+)?", re.ASCII)
"""A host name that a resolver accepts, or an IPv6 address. Others would look like failed sends."""


def check_base_url(base_url: str) -> str:
    """Accept https to anywhere, and plain http to this machine only."""
    url = _parse(instance(base_url, str, "base_url"), "base_url")
    if url.scheme == "http" and not _is_loopback(url.host or ""):
        raise ConfigurationError(
            f"base_url: plain http goes to this machine only; use https://{url.host}"
        )
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError("base_url must be like https://api.binance.com")
    if url.user is not None or url.query_string or url.fragment:
        raise ConfigurationError("base_url takes no user, query or fragment")
    return str(url).rstrip("/")


def check_proxy(proxy: str | None, base_url: str) -> yarl.URL | None:
    """Accept an HTTP proxy that does not see a key."""
    if proxy is None:
        return None
    url = _parse(instance(proxy, str, "proxy"), "proxy")
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(
            "proxy must be like http://host:port; SOCKS needs a connector of your own (http=)"
        )
    if base_url.startswith("http:") and not _is_loopback(url.host):
        raise ConfigurationError(
            "plain http would show the key to the proxy: use an https base_url"
        )
    return url


def check_local_addr(
    local_addr: str | None, first_hop: str
) -> tuple[socket.AddressFamily, tuple[str, int] | None]:
    """Accept an address of this machine that can reach the first hop; give its family, too."""
    if local_addr is None:
        return socket.AF_UNSPEC, None
    try:
        address = ipaddress.ip_address(instance(local_addr, str, "local_addr"))
    except ValueError:
        raise ConfigurationError(
            f"local_addr must be an address of this machine, not {local_addr!r}"
        ) from None
    other = _address(first_hop)
    if other is not None and other.version != address.version:
        raise ConfigurationError(
            f"local_addr {address} can't reach {other}: one is IPv{address.version}, the other not"
        )
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    return family, (str(address), 0)


def _parse(text: str, what: str) -> yarl.URL:
    url = None
    try:
        url = yarl.URL(text)
        _ = url.port, url.host  # yarl parses them when they are first read
    except ValueError:
        url = None
    if url is None or not _HOST.fullmatch(url.raw_host or "none"):
        # The message leaves the URL out: a proxy's can hold a password.
        raise ConfigurationError(f"{what} is not a URL")
    return url


def is_local(base_url: str) -> bool:
    """Whether an exchange is on this machine: a sandbox, on any port."""
    return _is_loopback(yarl.URL(base_url).host or "")


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse a host that is an address; `None` for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
