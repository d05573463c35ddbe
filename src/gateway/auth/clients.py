"""Clients: the unit that points, streams and memory are counted for."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from starlette.requests import HTTPConnection

from gateway.request_record import RequestRecord
from graph.core.quota import Account, Budget

DEVELOPERS = "developer"  # has a share of the database connections like any client
NETWORKS = {4: 24, 6: 64}  # bits of the networks in which one client easily has many addresses


class Client(NamedTuple):
    """A user, a key without a user, or all anonymous clients of one network, which are not
    `known`."""

    name: str
    known: bool


def client_of(record: RequestRecord) -> Client | None:
    """The client that a request is counted for; None in development, which has no limits."""
    if record.principal.is_unlimited:
        return None
    known = record.principal.user_id or record.principal.key_id
    return Client(str(known or network(record.host)), bool(known))


def network_of(connection: HTTPConnection) -> str:
    """The network that a request comes from."""
    return network(connection.client.host if connection.client else "")


@dataclass(frozen=True, slots=True)
class ClientAccounts:
    """The accounts of all clients, in points per minute; 0 means no limit."""

    budget: Budget
    signed_in: int
    anonymous: int

    def account(self, client: Client | None) -> Account | None:
        """The account of a client; None if its points are not limited."""
        if client is None:
            return None
        limit = self.signed_in if client.known else self.anonymous
        return Account(self.budget, client.name, limit) if limit else None


def network(host: str) -> str:
    """The network of an address. A host without an address, as on a Unix socket, is its own."""
    try:
        size = NETWORKS[ip_address(host).version]
        return str(ip_network(f"{host}/{size}", strict=False))
    except ValueError:
        return host or "local"
