"""From which address a request comes, and whether that is among those a key is bound to."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings

# One client may send from every address of its /64 (RFC 4291, 2.5.1; RFC 6177).
_CLIENT_PREFIX = 64


def client_address(meta: Mapping[str, Any]) -> str:
    """Return the client's address as budgets count it: an IPv6 one as the /64 that it lies in."""
    text = client_address_whole(meta)
    try:
        found = _address(text)
    except ValueError:
        return text
    if isinstance(found, IPv6Address):
        return str(IPv6Network((int(found), _CLIENT_PREFIX), strict=False))
    return str(found)


def client_address_whole(meta: Mapping[str, Any]) -> str:
    """Return the client's address as text; empty when nobody whom we trust tells it.

    Behind N trusted proxies it is the Nth from the right of X-Forwarded-For: what stands further
    left, anybody may have written.
    """
    proxies = settings.TRUSTED_PROXIES
    if not proxies:
        return str(meta.get("REMOTE_ADDR", ""))
    hops = str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    return hops[-proxies].strip() if len(hops) >= proxies else ""


def network_normal(text: str) -> str:
    """Return an address or network in CIDR form. Raises `ValueError`, host bits included."""
    return str(ip_network(text))


def address_within(address: str, networks: Iterable[str]) -> bool:
    """Return whether an address lies in one of the networks; one that is none does not."""
    try:
        found = _address(address)
    except ValueError:
        return False
    return any(_within(found, _network(text)) for text in networks)


def network_within(text: str, networks: Iterable[str]) -> bool:
    """Return whether a network lies in one of the networks; what is none does not."""
    try:
        found = ip_network(text)
    except ValueError:
        return False
    return any(
        found.version == other.version and found.subnet_of(other)  # type: ignore[arg-type]
        for other in map(_network, networks)
    )


def _address(text: str) -> IPv4Address | IPv6Address:
    """Return an address, one of IPv4 also when it is written in IPv6. Raises `ValueError`."""
    found = ip_address(text)
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found


def _within(address: IPv4Address | IPv6Address, network: IPv4Network | IPv6Network) -> bool:
    return address.version == network.version and address in network


@lru_cache(maxsize=1024)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)
