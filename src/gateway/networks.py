"""Networks: the part of an address that stands for one client, or for a region."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network

CLIENT_BITS = {4: 24, 6: 64}  # one client easily has many addresses within such a network
REGION_BITS = {4: 24, 6: 48}  # enough to find a region, not a person


@lru_cache(maxsize=1_000)
def client_network(host: str) -> str:
    """The network of an address. A host without an address, as on a Unix socket, is its own."""
    return _network(host, CLIENT_BITS) or host or "local"


@lru_cache(maxsize=1_000)
def region(host: str) -> str | None:
    """The network of an address, for logs and events; None for a host without an address."""
    return _network(host, REGION_BITS)


def _network(host: str, bits: Mapping[int, int]) -> str | None:
    try:
        return str(ip_network(f"{host}/{bits[ip_address(host).version]}", strict=False))
    except ValueError:
        return None
