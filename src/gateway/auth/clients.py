"""Callers: whose points a request spends, and whose streams are counted together."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from starlette.requests import HTTPConnection

from gateway.request_record import RequestRecord
from graph.core.quota import Account, Budget

DEVELOPERS = "developer"  # whose connections to the database are limited like those of others
NETWORKS = {4: 24, 6: 64}  # what one stranger can easily have many addresses in


class Client(NamedTuple):
    """A user, a key without one, or all strangers of one network, who are not `known`."""

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
    """The accounts of all callers, in points per minute; 0 is no limit."""

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
    """The network of an address; what is no address, as on a socket in a folder, is its own."""
    try:
        size = NETWORKS[ip_address(host).version]
        return str(ip_network(f"{host}/{size}", strict=False))
    except ValueError:
        return host or "local"
