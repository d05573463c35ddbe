"""Addresses: where webhooks may be sent. All addresses of a name are checked, and the message is
sent to one of those that were checked."""

import asyncio
import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx2

NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
ANY = "any"
DEFAULT_PORTS = {"https": 443, "http": 80}
Address = IPv4Address | IPv6Address


class Refused(Exception):
    """The address may not be sent to; the message says why."""


class Destinations:
    """The destinations that a deployment allows: public addresses by https, and the loopback
    addresses that it names as `host:port`, or `any`."""

    def __init__(self, loopback: Collection[str] = ()) -> None:
        self.loopback = frozenset(loopback)

    async def checked(self, url: httpx2.URL) -> str:
        """An address of the host of a URL, all of whose addresses may be sent to. Raises Refused,
        and OSError for an unknown host."""
        port = url.port or DEFAULT_PORTS[url.scheme]
        found = await _resolved(url.host, port)
        if self._is_named(url.host, port) and all(address.is_loopback for address in found):
            return str(found[0])
        if url.scheme != "https":
            raise Refused("Only https is allowed.")
        if not all(map(is_public, found)):
            raise Refused("The host has an address that is not public.")
        return str(found[0])

    def _is_named(self, host: str, port: int) -> bool:
        return ANY in self.loopback or f"{host}:{port}" in self.loopback


def is_public(address: Address) -> bool:
    """False for private, local and reserved addresses, and IPv6 addresses that stand for one."""
    if isinstance(address, IPv6Address) and (inner := _inner(address)) is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo


async def _resolved(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(place[0]).partition("%")[0]) for *_, place in found]
