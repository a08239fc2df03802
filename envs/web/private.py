"""Private addresses: this machine, its network, a cloud's metadata. No stranger's page opens them.

A page that comes from the internet, and a model that read it, have no business there: routers,
databases without a password and the credentials of a cloud's machine answer to whoever is inside.
"""

import asyncio
import ipaddress
import socket
from urllib.parse import unquote, urlsplit

RESOLVE_TIMEOUT_S = 5.0
HOW_TO_ALLOW = "which this episode may not open (its user may allow it: --allow-private)"
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_private_address(text: str) -> bool | None:
    """Return whether an IP address, in any spelling that browsers take, is not of the internet.

    Args:
        text: A host: "10.0.0.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", or a name.

    Returns:
        None where it is a name.
    """
    bare = text.strip("[]").partition("%")[0].rstrip(".")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(bare))
        except (OSError, ValueError):
            return None
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour
        if address in _NAT64 or int(address) >> 32 == 0:
            within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if within is not None:
            return not within.is_global or within.is_multicast
    return not address.is_global or address.is_multicast


async def is_private(url: str) -> bool:
    """Return whether an address leads into this machine or its network.

    Names are looked up; one that leads to several addresses is private where one of them is. What
    cannot be looked up is not, nor is what is no http address: the user's files are none of the
    network's, and Chromium lets no page of the network open one.
    """
    try:
        parts = urlsplit(url.strip().replace("\\", "/"))
        host = unquote(parts.hostname or "")
        port = parts.port
    except ValueError:
        return False
    if parts.scheme.lower() not in ("http", "https") or not host:
        return False
    if (known := is_private_address(host)) is not None:
        return known
    if host.rstrip(".").lower().endswith("localhost"):
        return True
    loop = asyncio.get_running_loop()
    try:
        looking = loop.getaddrinfo(host, port or 80, type=socket.SOCK_STREAM)
        found = await asyncio.wait_for(looking, RESOLVE_TIMEOUT_S)
    except (OSError, UnicodeError, TimeoutError):
        return False
    return any(is_private_address(str(where[4][0])) for where in found)
