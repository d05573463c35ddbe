"""Forwarded headers: the client behind a trusted proxy.

Proxies append the address they were called from to `X-Forwarded-For`, so the last address that is
not a trusted proxy is the client. Addresses before it may be forged. `Forwarded`
(RFC 7239) is not read: a proxy that sets the one header passes the other on as the client sent it.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.request_record import record_of
from gateway.setting_types import PATH, Network, is_loopback

MAX_PREFIX = 200  # characters
MAX_ADDRESS = 64  # characters of an address whose parsing is cached, so that the cache is bounded

# Headers in which proxies send the address of the client, and the host of the request.
ADDRESSES = (
    *("x-forwarded-for", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip"),
    *("cf-connecting-ip", "fastly-client-ip", "fly-client-ip", "x-original-forwarded-for"),
)
HOSTS = "x-forwarded-host", "x-original-host"
_PREFIX = b"x-forwarded-"
_FORWARDED = re.compile(r'\b(?:for|host)\s*=\s*("[^"]*"|[^;,\s]*)', re.IGNORECASE)

Address = IPv4Address | IPv6Address


class TrustedProxies:
    """The proxies whose headers are believed."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self.trusted = trusted
        self.trusts = lru_cache(maxsize=1_000)(self._trusts)
        self.direct_host = lru_cache(maxsize=1_000)(partial(self._forwarded_host, forwarded=()))

    def _trusts(self, peer: Address | None) -> bool:
        return peer is not None and any(peer in network for network in self.trusted)

    def client(self, peer: Address | None, forwarded: Sequence[str]) -> Address | None:
        """The address of the client, or of the last trusted proxy that forwarded no valid one."""
        for named in reversed(",".join(forwarded).split(",")):
            if not self.trusts(peer) or (found := address(named)) is None:
                break
            peer = found
        return peer

    def client_host(self, host: str, forwarded: Sequence[str]) -> str:
        """The address of the client that a connection from `host` forwards a request of."""
        return self._forwarded_host(host, forwarded) if forwarded else self.direct_host(host)

    def _forwarded_host(self, host: str, forwarded: Sequence[str]) -> str:
        client = self.client(address(host), forwarded)
        return str(client) if client else host


class ForwardedHeaders:
    """Restores the client, the scheme and the path of a request, as they were before the proxies;
    `prefix` is the path of the gateway on them."""

    def __init__(self, app: ASGIApp, proxies: TrustedProxies, prefix: str | None = None) -> None:
        self.app = app
        self.proxies = proxies
        self.prefix = prefix or ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            self.resolve(scope)
        await self.app(scope, receive, send)

    def resolve(self, scope: Scope) -> None:
        host, port = scope.get("client") or ("", 0)
        peer, prefix = address(host), self.prefix
        if self.proxies.trusts(peer) and (raw := _forwarded(scope)):
            headers = Headers(raw=raw)
            peer = self.proxies.client(peer, headers.getlist("x-forwarded-for"))
            scope["scheme"] = _scheme(headers.get("x-forwarded-proto", ""), scope["scheme"])
            prefix = _prefix(headers.get("x-forwarded-prefix", "")) or prefix
        if peer:
            scope["client"] = str(peer), port
        record_of(scope).prefix = prefix
        scope["path"] = _without(prefix, scope["path"])


def address(text: str) -> Address | None:
    """An address with or without a port; None for anything else. IPv4-mapped IPv6 addresses become
    IPv4."""
    return _seen_address(text) if len(text) <= MAX_ADDRESS else _address(text)


def _address(text: str) -> Address | None:
    host = text.strip().strip('"')
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


_seen_address = lru_cache(maxsize=1_000)(_address)


def _forwarded(scope: Scope) -> list[tuple[bytes, bytes]]:
    return [pair for pair in scope["headers"] if pair[0].startswith(_PREFIX)]


def link(connection: HTTPConnection, path: str) -> str:
    """A URL reference to a path of the gateway: relative to the request if the prefix on the proxy
    is not known."""
    prefix = record_of(connection.scope).prefix
    depth: int = connection.scope["path"].count("/") - 1
    return prefix + path if prefix else "../" * depth + path.removeprefix("/")


def is_from_elsewhere(headers: Headers) -> bool:
    """True if any header names another machine as the client or the host. Forged headers count
    too, because the result only refuses requests."""
    clients = [part for name in ADDRESSES for part in _parts(headers.getlist(name))]
    hosts = [part for name in HOSTS for part in _parts(headers.getlist(name))]
    for forwarded in headers.getlist("forwarded"):
        hosts += _FORWARDED.findall(forwarded) or [""]
    return not (all(map(_is_here, clients)) and all(map(_is_here, hosts)))


def _parts(values: Iterable[str]) -> list[str]:
    return [part for value in values for part in value.split(",")]


def _is_here(named: str) -> bool:
    if found := address(named):
        return found.is_loopback
    return is_loopback(named.strip().strip('"').partition(":")[0].lower())


def _scheme(said: str, known: str) -> str:
    if said.lower() not in ("http", "https"):
        return known
    return said.lower().replace("http", "ws") if known.startswith("ws") else said.lower()


def _prefix(said: str) -> str:
    prefix = said.strip().rstrip("/")
    return prefix if len(prefix) <= MAX_PREFIX and PATH.fullmatch(prefix) else ""


def _without(prefix: str, path: str) -> str:
    """The path within the gateway, whether the proxy has removed the prefix or not."""
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        return path[len(prefix) :] or "/"
    return path
